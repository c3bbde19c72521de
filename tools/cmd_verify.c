/* verify: is a bundle still what its manifest says, and whole in itself? */
#include <stdio.h>

#include "bundler/verify.h"
#include "tools/command.h"
#include "tools/print.h"

extern const struct sb_command sb_cmd_verify;

static void print_finding(void *arg, const char *path, const char *what)
{
	(void)arg;
	sb_print_name(path);
	fputs(": ", stdout);
	sb_print_name(what);
	putchar('\n');
}

static int run(int argc, char **argv, struct sb_err *err)
{
	char nothing;
	int first, rc = sb_options_parse(&sb_cmd_verify, argc, argv, false, &nothing, &first, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (argc - first != 1)
		return sb_fail(err, SB_EUSAGE, "verify: give one bundle (see verify --help)");
	rc = sb_verify(argv[first], print_finding, NULL, err);
	return rc < 0 ? rc : rc > 0;
}

const struct sb_command sb_cmd_verify = {
	.name = "verify",
	.args = "BUNDLE",
	.summary = "hold a bundle to its manifest: content, modes, links, and needs",
	.details = "Prints one line for each finding; exits with 1 where there is any.\n",
	.run = run,
};
