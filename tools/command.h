/*
 * Subcommands and their options, as tables: help, completion and parsing come from the same rows.
 *
 * One const struct sb_command per tools/cmd_NAME.c, listed in tools/commands.c. A command returns
 * the exit code (0 or more), or -errno with *err set: main prints the line and exits 1, or 2 for
 * SB_EUSAGE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strings.h"

enum sb_option_type {
	SB_OPT_FLAG,	/* int *: set to 1 */
	SB_OPT_STRING,	/* const char ** : the last one counts */
	SB_OPT_LIST,	/* struct sb_strings *: repeatable, order kept */
	SB_OPT_CHOICE,	/* const char ** : one of `choices`, separated by '|' */
	SB_OPT_SECONDS, /* double *: a positive decimal number */
};

struct sb_option {
	const char *name; /* long name without the dashes */
	char letter;	  /* short one, 0 none */
	enum sb_option_type type;
	const char *value; /* FILE, GLOB...: help's word for the value; NULL for a flag */
	const char *help;  /* one line */
	const char *choices;
	size_t offset; /* of the member in the command's own struct of options */
};

struct sb_command {
	const char *name, *args, *summary;
	const struct sb_option *options; /* ends with a row whose name is NULL */
	/* More for --help, NULL none; ends with a newline. */
	const char *details;
	int (*run)(int argc, char **argv, struct sb_err *err);
	int trouble; /* exit status where it fails; 0: 1 */
};

extern const struct sb_command *const sb_commands[]; /* NULL-terminated */

/*
 * Parses argv[1..] (argv[0] is the command's name) into *values by the table. Stops at "--", and at
 * the first operand where `operands_stop`. *ret_first is the index of the first operand (argv is
 * reordered so that operands come last). Handles -h/--help (prints to stdout; returns 1: exit 0 at
 * once), --log-level and --color. Returns 0, 1, or -SB_EUSAGE.
 */
int sb_options_parse(const struct sb_command *cmd, int argc, char **argv, bool operands_stop,
		     void *values, int *ret_first, struct sb_err *err);

/* Usage, options, details: to stdout. */
void sb_command_help(const struct sb_command *cmd);
