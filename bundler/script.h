/*
 * Scripts as the kernel starts them (fs/binfmt_script.c), and what env(1) makes of the one argument
 * that it gets from there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strv.h"

/* What the kernel reads of a file before it decides. */
#define SB_SCRIPT_HEAD 256
/* A chain of scripts whose interpreters are scripts: one more is ELOOP. */
#define SB_SCRIPT_DEPTH 5

struct sb_shebang {
	char interp[SB_SCRIPT_HEAD];
	char arg[SB_SCRIPT_HEAD];
	bool has_arg;
};

/* Reads the first bytes of a file. 1: a script; 0: none; -ENOEXEC: one that the kernel refuses (no
 * interpreter named, or its name cut off). */
int sb_shebang_parse(const char *head, size_t len, struct sb_shebang *ret);

struct sb_env {
	struct sb_strv argv; /* the command and its arguments; empty: env has none to run */
	char *path;	     /* PATH for the command, where env was told one; NULL: the user's */
	bool no_path;	     /* the user's PATH is gone, and no other given */
	bool plain;   /* env only finds the command: it changes neither environment nor directory */
	bool expands; /* the command's own name depends on a variable: nobody can tell */
};
#define auto_env __attribute__((cleanup(sb_env_free)))

/* `arg` as a script's first line gives it, NULL none. 0, or -errno where env would refuse it. */
int sb_env_parse(const char *arg, struct sb_env *ret, struct sb_err *err);
void sb_env_free(struct sb_env *env);
