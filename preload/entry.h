/*
 * The entry of a function of libc that makes one system call, as compilers begin it: where a jump
 * may be written over it, so that somebody else does all of its work. Nothing is guessed: what is
 * not known for such a function is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_ENTRY_JUMP 5 /* bytes of a jump: e9 and a distance */

/*
 * `code` is all of the function, `nr` the system call that it is there for. False: it is no such
 * function, or does not begin as they do. *ret_at is where the jump goes: behind the endbr64 that
 * indirect branch tracking wants to find.
 */
bool sb_entry_find(const uint8_t *code, size_t size, uint32_t nr, size_t *ret_at);

/* The jump from `at` to `to`, as bytes. False: it is too far. */
bool sb_entry_jump(uintptr_t at, uintptr_t to, uint8_t ret_jump[SB_ENTRY_JUMP]);
