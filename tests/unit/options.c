/* Options as table rows: parsing and what is refused. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tools/command.h"

struct values {
	int force;
	const char *name, *mode;
	struct sb_strings globs;
	double timeout;
};

static const struct sb_option rows[] = {
	{"force", 'f', SB_OPT_FLAG, NULL, "x", NULL, offsetof(struct values, force)},
	{"name", 0, SB_OPT_STRING, "NAME", "x", NULL, offsetof(struct values, name)},
	{"mode", 'm', SB_OPT_CHOICE, NULL, "x", "host|namespace", offsetof(struct values, mode)},
	{"include", 'i', SB_OPT_LIST, "GLOB", "x", NULL, offsetof(struct values, globs)},
	{"timeout", 0, SB_OPT_SECONDS, "S", "x", NULL, offsetof(struct values, timeout)},
	{NULL, 0, 0, NULL, NULL, NULL, 0},
};

static const struct sb_command command = {"try", "[ARG...]", "tries", rows, NULL, NULL, 0};

static int parse(struct values *v, bool stop, int *first, struct sb_err *err, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return sb_options_parse(&command, argc, argv, stop, v, first, err);
}

#define ARGV(...)                        \
	(char *[])                       \
	{                                \
		"try", __VA_ARGS__, NULL \
	}

Test(options, take_every_type)
{
	struct values v = {0};
	struct sb_err err = SB_ERR_INIT;
	int first;
	char **argv = ARGV("-f", "--name", "n", "--mode=host", "-i", "a", "--include=b",
			   "--timeout", "1.5", "op");

	cr_assert(eq(int, parse(&v, false, &first, &err, argv), 0), "%s", err.msg);
	cr_expect(eq(int, v.force, 1));
	cr_expect(eq(str, (char *)v.name, "n"));
	cr_expect(eq(str, (char *)v.mode, "host"));
	cr_expect(eq(sz, v.globs.count, 2));
	cr_expect(eq(str, (char *)v.globs.items[1], "b"));
	cr_expect(v.timeout == 1.5);
	cr_expect(eq(str, argv[first], "op"));
	sb_strings_free(&v.globs);
}

Test(options, operands_stop_leaves_the_command_alone)
{
	struct values v = {0};
	struct sb_err err = SB_ERR_INIT;
	int first;
	char **argv = ARGV("-f", "ls", "-f", "--name");

	cr_assert(eq(int, parse(&v, true, &first, &err, argv), 0));
	cr_expect(eq(int, first, 2));
	argv = ARGV("--", "-f");
	v.force = 0;
	cr_assert(eq(int, parse(&v, true, &first, &err, argv), 0));
	cr_expect(eq(int, v.force, 0));
	cr_expect(eq(str, argv[first], "-f"));
}

Test(options, refuse_what_is_wrong_with_a_line_that_names_it)
{
	static const struct {
		char *argv[4];
		const char *word;
	} cases[] = {
		{{"try", "--nonsense"}, "--nonsense"},	{{"try", "-z"}, "-z"},
		{{"try", "--name"}, "--name"},		{{"try", "-m", "bwrap"}, "bwrap"},
		{{"try", "--timeout", "0"}, "'0'"},	{{"try", "--timeout", "1x"}, "1x"},
		{{"try", "--timeout", "inf"}, "inf"},	{{"try", "--timeout", "nan"}, "nan"},
		{{"try", "--color", "mauve"}, "mauve"}, {{"try", "--log-level", "loud"}, "loud"},
		{{"try", "--force=1"}, "--force=1"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct values v = {0};
		struct sb_err err = SB_ERR_INIT;
		char *argv[4];
		int first;

		memcpy(argv, cases[i].argv, sizeof argv);
		cr_expect(eq(int, parse(&v, false, &first, &err, argv), -SB_EUSAGE), "case %zu", i);
		cr_expect(strstr(err.msg, cases[i].word) != NULL, "%s", err.msg);
	}
}
