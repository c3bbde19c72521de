/* How our variables get into an environment, and out of it again. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/environ.h"

#define MOST	16
#define TRACE	"SIDEBUNDLE_TRACE=2a:/log"
#define PRELOAD "/m/sidebundle-preload.so"
#define AUDIT	"/m/sidebundle-audit.so"
#define TLS	"glibc.rtld.optional_static_tls="

struct row {
	const char *what;
	const char *before[MOST];
	const char *after[MOST];
	bool no_preload, no_audit, no_trace;
	unsigned static_tls;
	const char *flags;
};

static const struct row rows[] = {
	{.what = "none",
	 .before = {NULL},
	 .after = {"LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "others stand before ours",
	 .before = {"A=1", "B=", NULL},
	 .after = {"A=1", "B=", "LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "the user's come first",
	 .before = {"LD_PRELOAD=libfake.so", "LD_AUDIT=/a.so:/b.so", "Z=1"},
	 .after = {"LD_PRELOAD=libfake.so:" PRELOAD, "LD_AUDIT=/a.so:/b.so:" AUDIT, "Z=1", TRACE}},
	{.what = "an empty list of the user's",
	 .before = {"LD_PRELOAD="},
	 .after = {"LD_PRELOAD=:" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "blanks separate too",
	 .before = {"LD_PRELOAD=a.so b.so"},
	 .after = {"LD_PRELOAD=a.so b.so:" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "ours are not put twice",
	 .before = {"LD_PRELOAD=x.so:" PRELOAD, "LD_AUDIT=" AUDIT, "SIDEBUNDLE_TRACE=7:/log",
		    "A=1"},
	 .after = {"LD_PRELOAD=x.so:" PRELOAD, "A=1", "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "one of the same name elsewhere is the user's",
	 .before = {"LD_PRELOAD=/other/sidebundle-preload.so"},
	 .after = {"LD_PRELOAD=/other/sidebundle-preload.so:" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "room for static TLS",
	 .before = {NULL},
	 .after = {"LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, "GLIBC_TUNABLES=" TLS "4608",
		   "SIDEBUNDLE_TRACE=2a.t:/log"},
	 .static_tls = 4096},
	{.what = "behind the user's tunables",
	 .before = {"GLIBC_TUNABLES=glibc.malloc.check=3"},
	 .after = {"GLIBC_TUNABLES=glibc.malloc.check=3:" TLS "4608", "LD_PRELOAD=" PRELOAD,
		   "LD_AUDIT=" AUDIT, "SIDEBUNDLE_TRACE=2a.t:/log"},
	 .static_tls = 4096},
	{.what = "ours of before are taken back",
	 .before = {"GLIBC_TUNABLES=a=1:" TLS "99", "SIDEBUNDLE_TRACE=7.t:/log"},
	 .after = {"GLIBC_TUNABLES=a=1", "LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "the same setting of the user's stays",
	 .before = {"GLIBC_TUNABLES=" TLS "99"},
	 .after = {"GLIBC_TUNABLES=" TLS "99", "LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, TRACE}},
	{.what = "without the audit module no room is needed",
	 .before = {NULL},
	 .after = {"LD_PRELOAD=" PRELOAD, TRACE},
	 .no_audit = true,
	 .static_tls = 4096},
	{.what = "the audit module alone",
	 .before = {"LD_PRELOAD=" PRELOAD},
	 .after = {"LD_AUDIT=" AUDIT, TRACE},
	 .no_preload = true},
	{.what = "nothing of ours at all",
	 .before = {"LD_PRELOAD=x.so:" PRELOAD, "LD_AUDIT=" AUDIT, "GLIBC_TUNABLES=" TLS "99",
		    "A=1", "SIDEBUNDLE_TRACE=7.t:/log"},
	 .after = {"LD_PRELOAD=x.so", "A=1"},
	 .no_trace = true},
	{.what = "flags",
	 .before = {NULL},
	 .after = {"LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, "SIDEBUNDLE_TRACE=2a.x:/log"},
	 .flags = "x"},
	{.what = "flags and room",
	 .before = {NULL},
	 .after = {"LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT, "GLIBC_TUNABLES=" TLS "513",
		   "SIDEBUNDLE_TRACE=2a.xt:/log"},
	 .flags = "x",
	 .static_tls = 1},
	{.what = "no = in an entry",
	 .before = {"LD_PRELOAD", "SIDEBUNDLE_TRACE", ""},
	 .after = {"LD_PRELOAD", "SIDEBUNDLE_TRACE", "", "LD_PRELOAD=" PRELOAD, "LD_AUDIT=" AUDIT,
		   TRACE}},
};

static struct sb_env_want want_of(const struct row *row)
{
	return (struct sb_env_want){
		.modules = "/m",
		.log = "/log",
		.flags = row->flags ? row->flags : "",
		.token = 0x2a,
		.static_tls = row->static_tls,
		.preload = !row->no_preload,
		.audit = !row->no_audit,
		.trace = !row->no_trace,
	};
}

static void expect_list(const char *what, char *const *got, const char *const *want)
{
	size_t i = 0;

	for (; got[i] && want[i]; i++)
		cr_expect(eq(str, got[i], (char *)want[i]), "%s", what);
	cr_expect(got[i] == NULL, "%s: also %s", what, got[i]);
	cr_expect(want[i] == NULL, "%s: lacks %s", what, want[i]);
}

/* In exactly the room that was asked for: the sanitizer sees a byte too much. */
static char **composed(char *const *envp, const struct sb_env_want *want, void **ret_room)
{
	void *room = malloc(sb_env_size(envp, want));

	cr_assert(room != NULL);
	*ret_room = room;
	return sb_env_compose(envp, want, room);
}

Test(environ, merging)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_env_want want = want_of(&rows[i]);
		void *room;

		expect_list(rows[i].what, composed((char *const *)rows[i].before, &want, &room),
			    rows[i].after);
		free(room);
	}
}

Test(environ, no_environment_is_an_empty_one)
{
	struct sb_env_want want = want_of(&rows[0]);
	void *room;

	expect_list("NULL", composed(NULL, &want, &room), rows[0].after);
	free(room);
}

/*
 * Hidden, the environment is what it is when nothing of ours is wanted; and what is put back then
 * is what was there before.
 */
Test(environ, hiding_undoes_merging)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct sb_env_want want = want_of(row),
				   none = {.modules = "/m", .log = "", .flags = ""};
		char *copies[MOST * 2], *hidden[MOST * 2];
		void *room, *clean_room, *again_room;
		char **env = composed((char *const *)row->before, &want, &room);
		char **clean = composed((char *const *)row->before, &none, &clean_room);
		size_t n = 0;

		for (; env[n]; n++) {
			copies[n] = hidden[n] = strdup(env[n]);
			cr_assert(copies[n] != NULL);
		}
		hidden[n] = NULL;
		sb_env_hide(hidden, "/m");
		expect_list(row->what, hidden, (void *)clean);
		expect_list(row->what, composed(hidden, &want, &again_room), (void *)env);
		while (n)
			free(copies[--n]);
		free(room);
		free(clean_room);
		free(again_room);
	}
}

Test(environ, the_last_variable_counts)
{
	char *env[] = {"A=1", "AB=2", "A=3", NULL};

	cr_expect(eq(str, *(char **)sb_env_find(env, "A="), "A=3"));
	cr_expect(eq(str, *(char **)sb_env_find(env, "AB="), "AB=2"));
	cr_expect(sb_env_find(env, "B=") == NULL);
	cr_expect(sb_env_find(NULL, "A=") == NULL);
}

Test(environ, whether_ours_ends_the_list)
{
	static const struct {
		const char *entry;
		bool ours;
	} lists[] = {
		{"LD_PRELOAD=" PRELOAD, true},
		{"LD_PRELOAD=a.so:" PRELOAD, true},
		{"LD_PRELOAD=" PRELOAD ":a.so", false},
		{"LD_PRELOAD=", false},
		{"LD_PRELOAD=/m/sidebundle-preload.so.1", false},
		{"LD_AUDIT=" AUDIT, false},
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char *env[] = {(char *)lists[i].entry, NULL};

		cr_expect(eq(int, sb_env_lists_preload(env, "/m"), lists[i].ours), "%s",
			  lists[i].entry);
	}
}
