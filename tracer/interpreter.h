/*
 * What a program names as its interpreter, as the kernel reads it: by a first line, or by its ELF
 * header (elf(5), PT_INTERP).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

struct sb_interpreter {
	char path[PATH_MAX]; /* as it stands there: a script's may be relative */
	bool script;	     /* by a first line */
};

/* 1; 0: it names none, or none that could be found in its first 4 KiB; -errno of a read. */
int sb_interpreter_of(int fd, struct sb_interpreter *ret);
