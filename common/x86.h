/*
 * How long an x86_64 instruction is, and what in it depends on where it stands (Intel SDM volume 2,
 * chapter 2 and appendix A). Enough to move instructions, not to understand them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_x86 {
	uint8_t len;
	bool moves;	 /* may go on elsewhere: jump, call, return, trap, system call */
	bool placed;	 /* reads memory relative to itself */
	bool has_target; /* jumps to a fixed distance */
	bool is_syscall, is_return, is_nop;
	int64_t target; /* from its own beginning */
};

/* False: no instruction that we know, or cut off. */
bool sb_x86_decode(const uint8_t *code, size_t size, struct sb_x86 *ret);
