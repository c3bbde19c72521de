#include "tools/command.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/settings.h"

/* Common to all commands; handled here. */
enum { OPT_LOG_LEVEL = 0x1000, OPT_COLOR, OPT_VERSION, OPT_FIRST = 0x2000 };

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = choices; *p;) {
		size_t n = strcspn(p, "|");

		if (n == len && memcmp(p, value, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

static int take(const struct sb_option *opt, const char *value, void *values, struct sb_err *err)
{
	char *member = (char *)values + opt->offset;

	switch (opt->type) {
	case SB_OPT_FLAG:
		*(int *)member = 1;
		return 0;
	case SB_OPT_CHOICE:
		if (!is_choice(opt->choices, value))
			return sb_fail(err, SB_EUSAGE, "--%s: '%s' is none of %s", opt->name, value,
				       opt->choices);
		*(const char **)member = value;
		return 0;
	case SB_OPT_STRING:
		*(const char **)member = value;
		return 0;
	case SB_OPT_LIST:
		return sb_strings_add((struct sb_strings *)member, value) < 0
			       ? sb_fail(err, ENOMEM, "read the command line")
			       : 0;
	case SB_OPT_SECONDS: {
		char *end;
		double seconds = strtod(value, &end);

		if (end == value || *end || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
			return sb_fail(err, SB_EUSAGE,
				       "--%s: '%s' is no number of seconds above 0 (as 10 or 0.5)",
				       opt->name, value);
		*(double *)member = seconds;
		return 0;
	}
	}
	return 0;
}

/* getopt_long's own forms of the table. */
struct getopt_tables {
	struct option longs[64];
	char shorts[160];
};

static void make_tables(const struct sb_command *cmd, bool operands_stop, struct getopt_tables *t)
{
	size_t n = 0, s = 0;

	if (operands_stop)
		t->shorts[s++] = '+';
	t->shorts[s++] = ':';
	t->shorts[s++] = 'h';
	t->longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
	t->longs[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
	t->longs[n++] = (struct option){"log-level", required_argument, NULL, OPT_LOG_LEVEL};
	t->longs[n++] = (struct option){"color", required_argument, NULL, OPT_COLOR};
	for (int i = 0; cmd->options && cmd->options[i].name; i++) {
		const struct sb_option *opt = &cmd->options[i];
		bool flag = opt->type == SB_OPT_FLAG;

		t->longs[n++] = (struct option){opt->name, flag ? no_argument : required_argument,
						NULL, OPT_FIRST + i};
		if (opt->letter) {
			t->shorts[s++] = opt->letter;
			if (!flag)
				t->shorts[s++] = ':';
		}
	}
	t->longs[n] = (struct option){NULL, 0, NULL, 0};
	t->shorts[s] = '\0';
}

static const struct sb_option *option_of(const struct sb_command *cmd, int code)
{
	if (code >= OPT_FIRST)
		return &cmd->options[code - OPT_FIRST];
	for (const struct sb_option *opt = cmd->options; opt && opt->name; opt++)
		if (opt->letter && opt->letter == code)
			return opt;
	return NULL;
}

int sb_options_parse(const struct sb_command *cmd, int argc, char **argv, bool operands_stop,
		     void *values, int *ret_first, struct sb_err *err)
{
	struct getopt_tables t;
	int code;

	make_tables(cmd, operands_stop, &t);
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((code = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		const struct sb_option *opt;
		int rc = 0;

		switch (code) {
		case 'h':
			sb_command_help(cmd);
			return 1;
		case OPT_VERSION:
			puts("sidebundle " SB_VERSION);
			return 1;
		case OPT_LOG_LEVEL:
			rc = sb_settings_log_level(optarg, err);
			break;
		case OPT_COLOR:
			rc = sb_settings_color(optarg, err);
			break;
		case ':':
			return sb_fail(err, SB_EUSAGE, "%s: '%s' wants a value (see %s --help)",
				       cmd->name, argv[optind - 1], cmd->name);
		case '?':
			return sb_fail(err, SB_EUSAGE, "%s: unknown option '%s' (see %s --help)",
				       cmd->name, argv[optind - 1], cmd->name);
		default:
			opt = option_of(cmd, code);
			rc = opt ? take(opt, optarg, values, err) : 0;
		}
		if (rc < 0)
			return rc;
	}
	*ret_first = optind;
	return 0;
}

static void print_option(const struct sb_option *opt)
{
	char left[80];

	(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", opt->letter ? "-" : " ",
		       opt->letter ? opt->letter : ' ', opt->letter ? ", " : "  ", opt->name,
		       opt->type == SB_OPT_FLAG ? "" : " ",
		       opt->type == SB_OPT_FLAG	    ? ""
		       : opt->type == SB_OPT_CHOICE ? opt->choices
						    : opt->value);
	if (strlen(left) > 28)
		printf("  %s\n  %-28s %s", left, "", opt->help);
	else
		printf("  %-28s %s", left, opt->help);
	puts(opt->type == SB_OPT_LIST ? " (repeatable)" : "");
}

void sb_command_help(const struct sb_command *cmd)
{
	printf("Usage: sidebundle %s%s%s\n\n%s\n\nOptions:\n", cmd->name, *cmd->args ? " " : "",
	       cmd->args, cmd->summary);
	for (const struct sb_option *opt = cmd->options; opt && opt->name; opt++)
		print_option(opt);
	printf("  %-28s %s\n", "-h, --help", "print this and exit");
	printf("  %-28s %s\n", "    --version", "print the version and exit");
	printf("  %-28s %s\n", "    --log-level LEVEL", "error, warn, info, debug or trace");
	printf("  %-28s %s\n", "    --color WHEN", "auto, always or never");
	if (cmd->details)
		printf("\n%s", cmd->details);
}
