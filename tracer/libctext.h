/*
 * libc's text as processes traced by `audit` and `hybrid` run it (x86_64): their libc's bytes,
 * where every system call that names a path became a jump to the audit module. One copy for all of
 * them, mapped in the place of libc's own: nothing is written to, and no page is copied.
 *
 * The collector makes it of the libc that it runs with itself (tracer/retext.h), as a file beside
 * the log: SB_LIBCTEXT_NAME, the text first, in whole pages, then one struct sb_libctext. The audit
 * module maps it where a program's libc is that very one (auditor/libctext.h). A file system on a
 * disk keeps a file in larger pieces of memory than a tmpfs does, and the kernel maps them faster:
 * where there is one, there is another copy, SB_LIBCTEXT_DISK and what the name of the log's
 * directory ends in.
 *
 * The jumps end in a few stubs behind the text's last function, and these jump on to where the
 * pointers say that stand behind libc's variables, in the rest of their last page. Each process
 * has its own. A system call's place holds
 *
 *	mov $number_of_the_site, %al; jmp stub
 *
 * and everything else is as it would be before the system call but eax, which the call would
 * have been told its number in; where instructions stand between its number and the call, it is a
 * jump to them and to that, behind the text's last function. Functions that are cancellation points
 * are entered by a jump to their stub right at their beginning.
 *
 * Used in traced processes: nothing but fixed-width types and compiler builtins.
 */
#pragma once

#include <stdint.h>

#define SB_LIBCTEXT_NAME "libc"
/* Where few programs look, and would find it: not in TMPDIR. */
#define SB_LIBCTEXT_PLACE    "/var/tmp"
#define SB_LIBCTEXT_PREFIX   "sidebundle-libc-"
#define SB_LIBCTEXT_DISK     SB_LIBCTEXT_PLACE "/" SB_LIBCTEXT_PREFIX
#define SB_LIBCTEXT_MAGIC    0x31545854434c4953ull /* "SILCTXT1" */
#define SB_LIBCTEXT_SITES    96u
#define SB_LIBCTEXT_IDENTITY 1024u /* bytes from libc's beginning: headers, and the build id */

/* Bits of the log's header. Who finds none is as if there were no such file. */
enum sb_libctext_at {
	SB_LIBCTEXT_BESIDE = 1,
	SB_LIBCTEXT_ON_DISK =
		2, /* looked for first: a tracee may not see it, and the log all the same */
};

/* The pointers, in this order. */
enum sb_libctext_slot {
	SB_SLOT_SITE,	 /* a site, its number in al */
	SB_SLOT_SYSCALL, /* syscall(2) but for its last argument, the number in rax */
	SB_SLOT_CLONE,	 /* clone(2) */
	SB_SLOT_OPEN,	 /* functions, from their beginning */
	SB_SLOT_OPENAT,
	SB_SLOT_CREAT,
	SB_SLOT_CONNECT,
	SB_SLOT_OPEN_NOCANCEL,
	SB_SLOT_OPENAT2,
	SB_SLOT_DLMOPEN, /* goes on in libc's own */
	SB_SLOTS
};

/* Addresses are relative to where libc begins. */
struct sb_libctext {
	uint64_t magic;
	uint64_t identity;	/* see below */
	uint64_t text, size;	/* what it replaces, in whole pages */
	uint64_t slots;		/* SB_SLOTS pointers */
	uint64_t after_syscall; /* where syscall(2) goes on, the result in rax */
	uint64_t clone;		/* makes the call, and goes on behind it */
	uint64_t dlmopen;	/* goes on with it */
	uint64_t errno_at;	/* __errno_location: not searched for in each process */
	/* Where fstat(3) makes a call of its own of what is newfstatat(fd, "", ...) in libc: what
	 * follows that call, and the ""; 0: it does not. */
	uint64_t fstat, fstat_path;
	uint32_t sites;
	uint32_t pad_;
	struct {
		uint32_t back; /* where it goes on */
		uint32_t number;
	} site[SB_LIBCTEXT_SITES];
};

static inline uint64_t sb_libctext_identity(const void *libc)
{
	uint64_t hash = SB_LIBCTEXT_IDENTITY, word;

	for (unsigned i = 0; i < SB_LIBCTEXT_IDENTITY; i += sizeof(word)) {
		__builtin_memcpy(&word, (const char *)libc + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash;
}
