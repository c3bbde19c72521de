/*
 * The one system call instruction by which a guarded process makes the calls that it records
 * itself. The guard's filter lets them pass: it knows them by a number in the sixth argument, which
 * no call that names a path has, and by where in its page the instruction lies (SB_PASS in
 * tracer/wire.h).
 */
#pragma once

/* As the kernel has it: the result, or a negative errno. Calls of at most five arguments. */
long sb_bypass(long a, long b, long c, long d, long e, long nr);
