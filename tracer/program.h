/*
 * What the kernel and the dynamic linker will make of a program file, as far as it decides whether
 * our modules get into it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct sb_program_look {
	uint64_t info;	      /* SB_PROG_* of tracer/wire.h */
	struct sb_buf script; /* the interpreter of its first line; empty where it has none */
};

/* 0, or -errno where it cannot be read: then nothing is known. */
int sb_program_look(const char *path, struct sb_program_look *ret);
