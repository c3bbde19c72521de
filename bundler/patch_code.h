/*
 * The code of one section, in which system calls become jumps: bundler/patch.c goes through a
 * library's sections, and hands each to its machine's file (patch_x86.c, patch_aarch64.c).
 */
#pragma once

#include "bundler/patch.h"
#include "tracer/syscalls.h"

struct sb_patch_code {
	struct sb_patch *patch;
	const uint8_t *code;
	uint8_t *to; /* the same bytes in the copy: what is to be changed */
	size_t size;
	uint64_t address;     /* of code[0] */
	struct sb_buf *out;   /* code of our own is added to it */
	uint64_t out_address; /* where its first byte will be */
};

/* 0, or -ENOMEM. */
int sb_patch_x86_64(struct sb_patch_code *in);
int sb_patch_aarch64(struct sb_patch_code *in);

/* What becomes of a system call. */
enum sb_patch_how {
	SB_PATCH_LEAVE, /* it is the kernel's */
	SB_PATCH_CALL,	/* names a path: the start is called in its place */
	/*
	 * Seldom ours: the question is enough, and the call stays where it stands, where a
	 * cancellation finds it, and where a thread may end that gives its own stack back.
	 */
	SB_PATCH_ASK,
};
/* bundler/patch_calls.c; `nr` -1: only the caller knows it. */
enum sb_patch_how sb_patch_how(enum sb_abi abi, long nr);
