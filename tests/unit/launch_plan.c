#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "bundler/plan.h"
#include "launcher/command.h"
#include "launcher/plan.h"

/* A plan written with its array's own NUL as the last byte. */
#define HEAD                \
	"sidebundle-plan\0" \
	"1\0"
#define MODE     \
	"mode\0" \
	"host\0"
#define ENTRY     \
	"entry\0" \
	"a\0"     \
	"exec\0"  \
	"/bin/a\0"
#define END "end\0"

static int parse(const char *bytes, size_t len, struct launch_plan *ret, struct sb_err *err)
{
	char *copy = malloc(len ? len : 1);

	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	return launch_plan_parse(copy, len, ret, err);
}

Test(launch_plan, reads_what_it_was_given)
{
	static const char bytes[] = HEAD MODE "set\0"
					      "A=1\0"
					      "set\0"
					      "B=\0" ENTRY "interp\0"
					      "/lib/ld.so\0"
					      "program\0"
					      "/bin/p\0"
					      "prefix\0"
					      "-x\0"
					      "prefix\0"
					      "\0"
					      "lib\0"
					      "/lib\0"
					      "arg\0"
					      "a\0"
					      "arg\0"
					      "\0"
					      "env\0"
					      "C=3\0"
					      "cwd\0"
					      "/w\0"
					      "writable\0"
					      "/w\0"
					      "writable\0"
					      "/v..w\0"
					      "entry\0"
					      "b\0"
					      "exec\0"
					      "/bin/b\0" END;
	struct launch_plan plan;
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(parse(bytes, sizeof bytes, &plan, &err), 0, "%s", err.msg);
	cr_assert_str_eq(plan.mode, "host");
	cr_assert_eq(plan.set.count, 2);
	cr_assert_eq(plan.count, 2);
	const struct launch_entry *a = launch_plan_find(&plan, "a");
	cr_assert_not_null(a);
	cr_assert_str_eq(a->exec, "/bin/a");
	cr_assert_str_eq(a->interp, "/lib/ld.so");
	cr_assert_str_eq(a->program, "/bin/p");
	cr_assert_eq(a->prefix.count, 2);
	cr_assert_str_eq(a->prefix.items[1], "");
	cr_assert_str_eq(a->libs.items[0], "/lib");
	cr_assert_eq(a->args.count, 2);
	cr_assert_str_eq(a->env.items[0], "C=3");
	cr_assert_str_eq(a->cwd, "/w");
	cr_assert_str_eq(a->writable.items[1], "/v..w");
	cr_assert_null(a->writable.items[2]);
	cr_assert_null(launch_plan_find(&plan, "b")->interp);
	cr_assert_null(launch_plan_find(&plan, "c"));
	launch_plan_free(&plan);
}

Test(launch_plan, refuses_a_hostile_one)
{
#define CASE(bytes, words)                 \
	{                                  \
		bytes, sizeof bytes, words \
	}
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} cases[] = {
		{"", 0, "cut short"},
		{HEAD MODE ENTRY "end\0", sizeof(HEAD MODE ENTRY "end\0") - 2, "cut short"},
		{HEAD MODE ENTRY "end\0", sizeof(HEAD MODE ENTRY "end") - 2, "cut short"},
		CASE("", "no launch plan"),
		CASE("something-else\0"
		     "1\0" END,
		     "no launch plan"),
		CASE("sidebundle-plan\0"
		     "2\0" MODE ENTRY END,
		     "version is '2'"),
		CASE(HEAD MODE ENTRY, "cut short"),
		CASE(HEAD MODE ENTRY "arg", "cut short"),
		CASE(HEAD MODE ENTRY END "x", "goes on"),
		CASE(HEAD MODE ENTRY "end\0"
				     "x",
		     "goes on"),
		CASE(HEAD ENTRY END, "no run mode"),
		CASE(HEAD MODE "mode\0"
			       "auto\0" ENTRY END,
		     "given twice"),
		CASE(HEAD MODE "entry\0"
			       "a\0" END,
		     "has no program"),
		CASE(HEAD MODE ENTRY ENTRY END, "given twice"),
		CASE(HEAD MODE "entry\0"
			       "../a\0" END,
		     "no name"),
		CASE(HEAD MODE "entry\0"
			       "..\0" END,
		     "no name"),
		CASE(HEAD MODE "entry\0"
			       "\0" END,
		     "no name"),
		CASE(HEAD MODE ENTRY "color\0"
				     "red\0" END,
		     "unknown key 'color'"),
		CASE(HEAD "exec\0"
			  "/bin/a\0" MODE END,
		     "unknown key 'exec'"),
		CASE(HEAD MODE ENTRY "set\0"
				     "A=1\0" END,
		     "unknown key 'set'"),
		CASE(HEAD MODE ENTRY "exec\0"
				     "/bin/b\0" END,
		     "given twice"),
		CASE(HEAD MODE ENTRY "interp\0"
				     "lib/ld.so\0" END,
		     "no value for 'interp'"),
		CASE(HEAD MODE ENTRY "cwd\0"
				     "/a/../../b\0" END,
		     "no value for 'cwd'"),
		CASE(HEAD MODE ENTRY "writable\0"
				     "/a/..\0" END,
		     "no value for 'writable'"),
		CASE(HEAD MODE ENTRY "lib\0"
				     "/..\0" END,
		     "no value for 'lib'"),
		CASE(HEAD MODE ENTRY "env\0"
				     "=1\0" END,
		     "no value for 'env'"),
		CASE(HEAD MODE ENTRY "env\0"
				     "A\0" END,
		     "no value for 'env'"),
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct launch_plan plan;
		struct sb_err err = SB_ERR_INIT;

		cr_assert_lt(parse(cases[i].bytes, cases[i].len, &plan, &err), 0, "case %zu", i);
		cr_assert_not_null(strstr(err.msg, cases[i].words), "case %zu: %s", i, err.msg);
	}
}

Test(launch_plan, survives_damage)
{
	static const char bytes[] = HEAD MODE "set\0"
					      "A=1\0" ENTRY "cwd\0"
					      "/w\0"
					      "arg\0"
					      "a\0" END;

	for (size_t len = 0; len < sizeof bytes; len++) {
		struct launch_plan plan;
		struct sb_err err = SB_ERR_INIT;

		cr_assert_lt(parse(bytes, len, &plan, &err), 0, "cut at %zu", len);
	}
	for (size_t at = 0; at < sizeof bytes; at++) {
		static const char put[] = {'\0', '/', 'x', '=', '.', '\xff'};

		for (size_t i = 0; i < sizeof put; i++) {
			char copy[sizeof bytes];
			struct launch_plan plan;
			struct sb_err err = SB_ERR_INIT;

			memcpy(copy, bytes, sizeof copy);
			copy[at] = put[i];
			if (parse(copy, sizeof copy, &plan, &err) == 0)
				launch_plan_free(&plan);
			else
				cr_assert(err.msg[0] != '\0');
		}
	}
}

Test(launch_plan, refuses_a_large_one)
{
	struct launch_plan plan;
	struct sb_err err = SB_ERR_INIT;
	char *bytes = calloc(1, SB_PLAN_MAX + 1);

	cr_assert_not_null(bytes);
	cr_assert_lt(launch_plan_parse(bytes, SB_PLAN_MAX + 1, &plan, &err), 0);
	cr_assert_not_null(strstr(err.msg, "larger than"));
}

static bool list_has(const struct sb_strings *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

Test(launch_plan, makes_the_environment)
{
	static const char bytes[] = HEAD MODE "set\0"
					      "A=set\0" ENTRY "env\0"
					      "A=rec\0"
					      "env\0"
					      "U=rec\0"
					      "env\0"
					      "R=rec\0"
					      "env\0"
					      "LD_LIBRARY_PATH=/x\0" END;
	char *const user[] = {"A=user", "U=user", "UU=user", "odd", NULL};
	struct sb_strings env = {NULL, 0, 0}, host = {NULL, 0, 0};
	auto_buf path = SB_BUF_INIT;
	struct launch_plan plan;
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(parse(bytes, sizeof bytes, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(launch_command_env(&plan, plan.entries, user, false, &path, &env, &err), 0);
	cr_assert_eq(env.count, 6);
	cr_assert(list_has(&env, "A=set"));
	cr_assert(list_has(&env, "U=user"));
	cr_assert(list_has(&env, "UU=user"));
	cr_assert(list_has(&env, "odd"));
	cr_assert(list_has(&env, "R=rec"));
	cr_assert(list_has(&env, "LD_LIBRARY_PATH=/x"));
	cr_assert_eq(launch_command_env(&plan, plan.entries, user, true, &path, &host, &err), 0);
	cr_assert_eq(host.count, 5);
	sb_strings_free(&env);
	sb_strings_free(&host);
	launch_plan_free(&plan);
}

Test(launch_plan, replays_with_the_recorded_directory)
{
	static const char bytes[] = HEAD MODE ENTRY "env\0"
						    "PWD=/w\0"
						    "cwd\0"
						    "/w\0" END;
	char *const user[] = {"PWD=/elsewhere", "PWDX=1", NULL};
	struct sb_strings env = {NULL, 0, 0};
	auto_buf path = SB_BUF_INIT;
	struct launch_plan plan;
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(parse(bytes, sizeof bytes, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(launch_command_env(&plan, plan.entries, user, false, &path, &env, &err), 0);
	cr_assert_eq(env.count, 2);
	cr_assert(list_has(&env, "PWD=/w"));
	cr_assert(list_has(&env, "PWDX=1"));
	sb_strings_free(&env);
	launch_plan_free(&plan);
}

/* The user's home is not in the view, unless it is asked for. */
Test(launch_plan, replays_with_the_recorded_home)
{
	static const char recorded[] = HEAD MODE ENTRY "env\0"
						       "HOME=/home/rec\0"
						       "cwd\0"
						       "/w\0" END;
	static const char without[] = HEAD MODE ENTRY "cwd\0"
						      "/w\0" END;
	static const char plain[] = HEAD MODE ENTRY "env\0"
						    "HOME=/home/rec\0" END;
	static const struct {
		const char *bytes;
		size_t size;
		const char *bind, *wanted;
	} cases[] = {
		{recorded, sizeof recorded, "SIDEBUNDLE_BIND=cwd:/home", "HOME=/home/rec"},
		{recorded, sizeof recorded, "SIDEBUNDLE_BIND=tmp:home", "HOME=/home/me"},
		{without, sizeof without, "X=", "HOME=/home/me"},
		{plain, sizeof plain, "X=", "HOME=/home/me"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *const user[] = {"HOME=/home/me", (char *)cases[i].bind, NULL};
		struct sb_strings env = {NULL, 0, 0};
		auto_buf path = SB_BUF_INIT;
		struct launch_plan plan;
		struct sb_err err = SB_ERR_INIT;

		cr_assert_eq(parse(cases[i].bytes, cases[i].size, &plan, &err), 0, "%s", err.msg);
		cr_assert_eq(
			launch_command_env(&plan, plan.entries, user, false, &path, &env, &err), 0);
		cr_expect_eq(env.count, 2, "case %zu", i);
		cr_expect(list_has(&env, cases[i].wanted), "case %zu", i);
		cr_expect_str_eq(launch_command_home(plan.entries, user), cases[i].wanted + 5);
		sb_strings_free(&env);
		launch_plan_free(&plan);
	}
}

/* Everybody has a PATH: it is where the replay's own programs are that counts, and comes first. */
Test(launch_plan, replays_with_the_recorded_path_first)
{
	static const struct {
		const char *user, *wanted;
	} cases[] = {
		{"PATH=/usr/bin:/bin", "PATH=/venv/bin:/bin:/usr/bin"},
		{"PATH=/bin:/venv/bin", "PATH=/venv/bin:/bin"},
		{"PATH=", "PATH=/venv/bin:/bin"},
		{"PATH=:/x::", "PATH=/venv/bin:/bin:/x"},
		{"PATHS=/x", "PATH=/venv/bin:/bin"},
	};
	static const char bytes[] = HEAD MODE ENTRY "env\0"
						    "PATH=/venv/bin:/bin\0"
						    "cwd\0"
						    "/w\0" END;
	static const char other[] = HEAD MODE ENTRY "env\0"
						    "PATH=/venv/bin:/bin\0" END;
	static const char set[] = HEAD MODE "set\0"
					    "PATH=/set\0" ENTRY "env\0"
					    "PATH=/venv/bin:/bin\0"
					    "cwd\0"
					    "/w\0" END;
	struct sb_err err = SB_ERR_INIT;
	struct launch_plan plan;

	cr_assert_eq(parse(bytes, sizeof bytes, &plan, &err), 0, "%s", err.msg);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *const user[] = {(char *)cases[i].user, NULL};
		struct sb_strings env = {NULL, 0, 0};
		auto_buf path = SB_BUF_INIT;

		cr_assert_eq(
			launch_command_env(&plan, plan.entries, user, i % 2, &path, &env, &err), 0);
		cr_expect(list_has(&env, cases[i].wanted), "%s", cases[i].user);
		cr_expect_eq(env.count, i == 4 ? 2 : 1);
		sb_strings_free(&env);
	}
	launch_plan_free(&plan);

	/* What replays nothing has the user's, and what create set counts most. */
	for (int i = 0; i < 2; i++) {
		char *const user[] = {"PATH=/bin", NULL};
		struct sb_strings env = {NULL, 0, 0};
		auto_buf path = SB_BUF_INIT;

		cr_assert_eq(parse(i ? set : other, i ? sizeof set : sizeof other, &plan, &err), 0);
		cr_assert_eq(
			launch_command_env(&plan, plan.entries, user, false, &path, &env, &err), 0);
		cr_expect_eq(env.count, 1);
		cr_expect(list_has(&env, i ? "PATH=/set" : "PATH=/bin"));
		sb_strings_free(&env);
		launch_plan_free(&plan);
	}
}

Test(launch_plan, makes_the_arguments)
{
	static const char bytes[] = HEAD MODE ENTRY "arg\0"
						    "zero\0"
						    "arg\0"
						    "one\0"
						    "entry\0"
						    "b\0"
						    "exec\0"
						    "/bin/b\0" END;
	char *const user[] = {"/x/a", "two", NULL};
	char *const nothing[] = {NULL};
	struct sb_strings args = {NULL, 0, 0}, none = {NULL, 0, 0};
	struct launch_plan plan;
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(parse(bytes, sizeof bytes, &plan, &err), 0, "%s", err.msg);
	cr_assert_str_eq(launch_command_name(&plan.entries[0], user), "zero");
	cr_assert_str_eq(launch_command_name(&plan.entries[1], user), "/x/a");
	cr_assert_str_eq(launch_command_name(&plan.entries[1], nothing), "b");
	cr_assert_eq(launch_command_args(&plan.entries[0], user, &args, &err), 0);
	cr_assert_eq(args.count, 2);
	cr_assert_str_eq(args.items[0], "one");
	cr_assert_str_eq(args.items[1], "two");
	cr_assert_eq(launch_command_args(&plan.entries[1], nothing, &none, &err), 0);
	cr_assert_eq(none.count, 0);
	cr_assert_null(sb_strings_list(&none)[0]);
	sb_strings_free(&args);
	launch_plan_free(&plan);
}
