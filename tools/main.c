/* The program: finds the subcommand, prints what went wrong, and exits. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "tools/command.h"
#include "tools/settings.h"

#ifndef SB_VERSION
#define SB_VERSION "0.0.0"
#endif

static void say(enum sb_log_level level, const char *line)
{
	static const char *const words[] = {"error", "warning", "note", "debug", "trace"};
	static const char *const colors[] = {"\033[1;31m", "\033[1;33m", "\033[1m", "\033[2m",
					     "\033[2m"};

	if ((int)level > sb_settings_level())
		return;
	if (sb_settings_colored(STDERR_FILENO))
		fprintf(stderr, "sidebundle: %s%s:\033[0m %s\n", colors[level], words[level], line);
	else
		fprintf(stderr, "sidebundle: %s: %s\n", words[level], line);
}

static void help(void)
{
	puts("Usage: sidebundle [--log-level LEVEL] [--color WHEN] COMMAND ...\n\n"
	     "Watches a program or a test suite, learns which files it needs, and writes a bundle\n"
	     "that runs on another machine that has none of them.\n\nCommands:");
	for (int i = 0; sb_commands[i]; i++)
		printf("  %-10s %s\n", sb_commands[i]->name, sb_commands[i]->summary);
	puts("\n'sidebundle help COMMAND' tells more; so does sidebundle(1).");
}

static const struct sb_command *find(const char *name)
{
	for (int i = 0; sb_commands[i]; i++)
		if (strcmp(sb_commands[i]->name, name) == 0)
			return sb_commands[i];
	return NULL;
}

static int fail(const struct sb_command *cmd, const struct sb_err *err)
{
	char line[sizeof err->msg + 256];

	sb_err_line(err, line, sizeof line);
	say(SB_LOG_ERROR, line);
	if (err->code == SB_EUSAGE)
		return 2;
	return cmd && cmd->trouble ? cmd->trouble : 1;
}

/* A full disk or a closed pipe must not pass for success. */
static int flush_stdout(const struct sb_command *cmd, int code, struct sb_err *err)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	(void)sb_fail(err, errno, "write to standard output");
	return fail(cmd, err);
}

static int main_options(int argc, char **argv, struct sb_err *err)
{
	static const struct option longs[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"log-level", required_argument, NULL, 'l'},
		{"color", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int code;

	opterr = 0;
	while ((code = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		int rc = 0;

		switch (code) {
		case 'h':
			help();
			return 1;
		case 'V':
			puts("sidebundle " SB_VERSION);
			return 1;
		case 'l':
			rc = sb_settings_log_level(optarg, err);
			break;
		case 'c':
			rc = sb_settings_color(optarg, err);
			break;
		default:
			return sb_fail(err, SB_EUSAGE, "%s '%s' (see sidebundle --help)",
				       code == ':' ? "no value for" : "unknown option",
				       argv[optind - 1]);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	const struct sb_command *cmd = find(argv[0]);

	return cmd ? cmd->run(argc, argv, err)
		   : sb_fail(err, SB_EUSAGE, "unknown command '%s' (see sidebundle --help)",
			     argv[0]);
}

/* `help` and `help COMMAND`, as git and cargo have them. */
static int run_help(int argc, char **argv, struct sb_err *err)
{
	if (argc > 2)
		return sb_fail(err, SB_EUSAGE, "help: one command at a time");
	if (argc == 2)
		return run(2, (char *[]){argv[1], (char *)"--help", NULL}, err);
	help();
	return 0;
}

int main(int argc, char **argv)
{
	struct sb_err err = SB_ERR_INIT;
	int rc = main_options(argc, argv, &err);

	if (rc < 0)
		return fail(NULL, &err);
	if (rc > 0)
		return flush_stdout(NULL, 0, &err);
	argc -= optind;
	argv += optind;
	if (!argc) {
		(void)sb_fail(&err, SB_EUSAGE, "no command given (see sidebundle --help)");
		return fail(NULL, &err);
	}
	sb_log_to(say, SB_LOG_TRACE);
	const struct sb_command *cmd = find(argv[0]);
	rc = strcmp(argv[0], "help") == 0 ? run_help(argc, argv, &err) : run(argc, argv, &err);
	return rc < 0 ? fail(cmd, &err) : flush_stdout(cmd, rc, &err);
}
