/*
 * Thread cancellation around a system call of ours that POSIX makes a cancellation point.
 *
 *     int type = sb_cancel_begin();
 *     raw = sb_raw(...);
 *     sb_cancel_end(type);
 *
 * As glibc before 2.41 does it: the thread can be cancelled at any moment in between, also while
 * the call blocks (a FIFO without a writer), and a pending cancellation acts at the beginning. The
 * cost is theirs too: a cancellation just after the call leaks what it opened. Every libc whose
 * threads can be cancelled has pthread_setcanceltype; where there is none, nothing happens.
 */
#pragma once

int sb_cancel_begin(void);
void sb_cancel_end(int type);
