#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/map.h"
#include "tools/command.h"
#include "tools/gaps.h"
#include "tools/kinds.h"
#include "tools/show.h"
#include "tracer/trace_write.h"

extern const struct sb_command sb_cmd_show;

struct options {
	const char *format;
	struct sb_strings kinds;
	int zero, failed, as_named, tree;
};

static const struct sb_option table[] = {
	{"kind", 'k', SB_OPT_LIST, "KIND,...", "only these kinds of events; open includes load",
	 NULL, offsetof(struct options, kinds)},
	{"format", 'f', SB_OPT_CHOICE, NULL, "how to print (default table)", "table|paths|json",
	 offsetof(struct options, format)},
	{"null", '0', SB_OPT_FLAG, NULL, "paths: end each with a NUL byte, for exact names", NULL,
	 offsetof(struct options, zero)},
	{"failed", 0, SB_OPT_FLAG, NULL, "only events that failed", NULL,
	 offsetof(struct options, failed)},
	{"as-named", 0, SB_OPT_FLAG, NULL, "paths: as the program wrote them, made absolute", NULL,
	 offsetof(struct options, as_named)},
	{"tree", 0, SB_OPT_FLAG, NULL, "print the processes as a tree", NULL,
	 offsetof(struct options, tree)},
	{0},
};

static bool worked(const struct sb_event *ev)
{
	return ev->outcome == 0 || ev->outcome == SB_OUTCOME_UNKNOWN;
}

static bool wanted(const struct sb_event *ev, unsigned kinds, bool failed)
{
	return kinds & 1u << ev->kind && (!failed || !worked(ev));
}

static int print_paths(const struct sb_trace *t, const struct options *o, unsigned kinds,
		       struct sb_err *err)
{
	auto_map paths = SB_MAP_INIT;

	for (size_t i = 0; i < t->event_count; i++) {
		const struct sb_event *ev = &t->events[i];
		const char *path = o->as_named || !ev->real ? ev->path : ev->real;

		/* A search is what was looked for in vain. */
		bool fits = o->failed ? !worked(ev) : worked(ev) && ev->kind != SB_SEARCH;
		if (fits && kinds & 1u << ev->kind && !sb_map_adds(&paths, path, NULL))
			return sb_fail(err, ENOMEM, "sort the paths");
	}
	sb_map_sort(&paths);
	for (size_t i = 0; i < paths.count; i++) {
		(void)fwrite(paths.entries[i].key, 1, paths.entries[i].len, stdout);
		putchar(o->zero ? '\0' : '\n');
	}
	return 0;
}

static int print_json(const struct sb_trace *t, const struct options *o, unsigned kinds,
		      struct sb_err *err)
{
	auto_buf line = SB_BUF_INIT;

	for (size_t i = 0; i < t->event_count; i++) {
		struct sb_json json = {&line, 0};

		if (!wanted(&t->events[i], kinds, o->failed))
			continue;
		sb_buf_cut(&line, 0);
		sb_json_open(&json, '{');
		sb_trace_event_json(&json, &t->events[i]);
		sb_json_shut(&json, '}');
		if (json.rc < 0)
			return sb_fail(err, -json.rc, "print an event");
		puts(line.s);
	}
	return 0;
}

static int show(const struct options *o, const char *path, struct sb_err *err)
{
	const char *format = o->format ? o->format : o->zero ? "paths" : "table";
	struct sb_trace *t;
	unsigned kinds = 0;
	int rc = sb_kinds_parse(&o->kinds, &kinds, err);

	if (rc == 0 && o->tree && o->format)
		rc = sb_fail(err, SB_EUSAGE, "show: --tree has no --format");
	if (rc == 0 && o->zero && strcmp(format, "paths") != 0)
		rc = sb_fail(err, SB_EUSAGE, "show: -0 goes with --format paths");
	if (rc == 0 && o->as_named && strcmp(format, "paths") != 0)
		rc = sb_fail(err, SB_EUSAGE, "show: --as-named goes with --format paths");
	if (rc == 0)
		rc = sb_trace_load(path, &t, err);
	if (rc < 0)
		return rc;
	/* What could not be seen belongs to the answer, but not to the results. */
	sb_warn_gaps(t, path);
	if (o->tree) {
		rc = sb_show_tree(t, err);
	} else if (strcmp(format, "paths") == 0) {
		rc = print_paths(t, o, kinds, err);
	} else if (strcmp(format, "json") == 0) {
		rc = print_json(t, o, kinds, err);
	} else {
		rc = sb_show_table(t, kinds, o->failed, err);
	}
	sb_trace_free(t);
	return rc;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct options o = {0};
	int first, rc = sb_options_parse(&sb_cmd_show, argc, argv, false, &o, &first, err);

	if (rc == 0 && argc - first != 1)
		rc = sb_fail(err, SB_EUSAGE, "show: one trace is wanted, %d given", argc - first);
	if (rc == 0)
		rc = show(&o, argv[first], err);
	else if (rc > 0)
		rc = 0;
	sb_strings_free(&o.kinds);
	return rc;
}

const struct sb_command sb_cmd_show = {
	.name = "show",
	.args = "[OPTION...] TRACE",
	.summary = "read a trace: which files were used, how, and by whom",
	.options = table,
	.details = "Kinds: exec open load search stat readlink list write connect.\n"
		   "--format paths prints the real paths of what worked, sorted, each once; with "
		   "--failed those of what\nfailed.\n",
	.run = run,
};
