#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/log.h"
#include "common/map.h"
#include "tools/command.h"
#include "tools/gaps.h"
#include "tools/kinds.h"
#include "tools/print.h"
#include "tools/settings.h"
#include "tracer/diff.h"

extern const struct sb_command sb_cmd_diff;

struct options {
	const char *format;
	struct sb_strings kinds;
};

static const struct sb_option table[] = {
	{"kind", 'k', SB_OPT_LIST, "KIND,...", "only these kinds of events; open includes load",
	 NULL, offsetof(struct options, kinds)},
	{"format", 'f', SB_OPT_CHOICE, NULL, "how to print (default table)", "table|json",
	 offsetof(struct options, format)},
	{0},
};

/* Which of its sides have it: 0 the first alone, 1 the second alone, 2 both. */
static int sides_of(const struct sb_diff_item *item)
{
	return item->side[0].seen && item->side[1].seen ? 2 : item->side[1].seen;
}

static void print_outcomes(const struct sb_diff_item *item)
{
	char text[40], one[16], other[16];
	int sides = sides_of(item);

	sb_outcome_word(item->side[sides == 1].outcome, one, sizeof one);
	sb_outcome_word(item->side[1].outcome, other, sizeof other);
	(void)snprintf(text, sizeof text, "%s%s%s", one, sides == 2 ? "/" : "",
		       sides == 2 ? other : "");
	printf("  %-14s", text);
}

static void print_item(const struct sb_diff_item *item, bool colored)
{
	static const char marks[] = "<>!";
	static const char *const colors[] = {"\033[31m", "\033[32m", "\033[33m"};
	int sides = sides_of(item);
	const struct sb_diff_side *side = &item->side[sides == 1];
	char why[64];

	printf("%s%c%s  %-8s", colored ? colors[sides] : "", marks[sides], colored ? "\033[0m" : "",
	       sb_kind_name(item->kind));
	print_outcomes(item);
	printf("  %-18s  ", sb_diff_why_name(item, why, sizeof why));
	sb_print_name(item->path);
	for (size_t i = 0; i < side->program_count; i++) {
		fputs(i ? ", " : "  [", stdout);
		sb_print_name(side->programs[i]);
	}
	puts(side->program_count ? "]" : "");
}

/* "3: 2 inside libc, 1 timing" */
static int print_sum(const struct sb_diff *d, int sides, struct sb_err *err)
{
	auto_map whys = SB_MAP_INIT;
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++) {
		char why[64];
		struct sb_map_entry *e;

		if (sides_of(&d->items[i]) != sides)
			continue;
		e = sb_map_adds(&whys, sb_diff_why_name(&d->items[i], why, sizeof why), NULL);
		if (!e)
			return sb_fail(err, ENOMEM, "add up the differences");
		e->value = (void *)((uintptr_t)e->value + 1);
		count++;
	}
	sb_map_sort(&whys);
	printf("%zu", count);
	for (size_t i = 0; sides < 2 && i < whys.count; i++)
		printf("%s %zu %s", i ? "," : ":", (size_t)(uintptr_t)whys.entries[i].value,
		       whys.entries[i].key);
	putchar('\n');
	return 0;
}

static int print_table(const struct sb_diff *d, char **files, struct sb_err *err)
{
	bool colored = sb_settings_colored(STDOUT_FILENO);
	int rc = 0;

	if (d->count)
		printf("   %-8s  %-14s  %-18s  %s\n", "KIND", "OUTCOME", "WHY", "PATH");
	for (size_t i = 0; i < d->count; i++)
		print_item(&d->items[i], colored);
	for (int side = 0; side < 2 && rc == 0; side++) {
		printf("%s only in ", side ? ">" : "<");
		sb_print_name(files[side]);
		fputs(": ", stdout);
		rc = print_sum(d, side, err);
	}
	if (rc == 0) {
		fputs("! with another outcome: ", stdout);
		rc = print_sum(d, 2, err);
	}
	printf("= the same: %zu\n", d->same);
	return rc;
}

static void put_side(struct sb_json *json, const struct sb_diff_side *side)
{
	if (!side->seen) {
		sb_json_null(json);
		return;
	}
	sb_json_open(json, '{');
	sb_json_key(json, "outcome");
	if (side->outcome == SB_OUTCOME_UNKNOWN)
		sb_json_null(json);
	else
		sb_json_int(json, side->outcome);
	sb_json_key(json, "count");
	sb_json_uint(json, side->count);
	sb_json_key(json, "programs");
	sb_json_open(json, '[');
	for (size_t i = 0; i < side->program_count; i++)
		sb_json_str(json, side->programs[i]);
	sb_json_shut(json, ']');
	sb_json_shut(json, '}');
}

static void put_item(struct sb_json *json, const struct sb_diff_item *item)
{
	char why[64];

	sb_json_open(json, '{');
	sb_json_key(json, "kind");
	sb_json_str(json, sb_kind_name(item->kind));
	sb_json_key(json, "path");
	sb_json_str(json, item->path);
	sb_json_key(json, "class");
	sb_json_str(json, sb_diff_why_name(item, why, sizeof why));
	sb_json_key(json, "a");
	put_side(json, &item->side[0]);
	sb_json_key(json, "b");
	put_side(json, &item->side[1]);
	sb_json_shut(json, '}');
}

static int print_json(const struct sb_diff *d, struct sb_trace *const *traces, char **files,
		      struct sb_err *err)
{
	auto_buf out = SB_BUF_INIT;
	struct sb_json json = {&out, 0};

	sb_json_open(&json, '{');
	for (int side = 0; side < 2; side++) {
		sb_json_key(&json, side ? "b" : "a");
		sb_json_open(&json, '{');
		sb_json_key(&json, "file");
		sb_json_str(&json, files[side]);
		sb_json_key(&json, "backend");
		sb_json_str(&json, traces[side]->header.backend);
		sb_json_shut(&json, '}');
	}
	sb_json_key(&json, "same");
	sb_json_uint(&json, d->same);
	sb_json_key(&json, "differences");
	sb_json_open(&json, '[');
	for (size_t i = 0; i < d->count; i++)
		put_item(&json, &d->items[i]);
	sb_json_shut(&json, ']');
	sb_json_shut(&json, '}');
	if (json.rc < 0)
		return sb_fail(err, -json.rc, "print the differences");
	puts(sb_buf_str(&out));
	return 0;
}

/* 0 the same, 1 different. */
static int compare(const struct options *o, char **files, struct sb_trace **traces,
		   struct sb_err *err)
{
	struct sb_diff *d = NULL;
	unsigned kinds;
	int rc = sb_kinds_parse(&o->kinds, &kinds, err);

	for (int i = 0; i < 2 && rc == 0; i++) {
		rc = sb_trace_load(files[i], &traces[i], err);
		if (rc == 0)
			sb_warn_gaps(traces[i], files[i]);
	}
	if (rc == 0)
		rc = sb_diff_traces(traces[0], traces[1], kinds, &d, err);
	if (rc < 0)
		return rc;
	if (o->format && strcmp(o->format, "json") == 0)
		rc = print_json(d, traces, files, err);
	else
		rc = print_table(d, files, err);
	if (rc == 0)
		rc = d->count ? 1 : 0;
	sb_diff_free(d);
	return rc;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct options o = {0};
	struct sb_trace *traces[2] = {NULL, NULL};
	int first, rc = sb_options_parse(&sb_cmd_diff, argc, argv, false, &o, &first, err);

	if (rc > 0)
		return 0;
	if (rc == 0 && argc - first != 2)
		rc = sb_fail(err, SB_EUSAGE, "diff: two traces are wanted, %d given", argc - first);
	if (rc == 0)
		rc = compare(&o, argv + first, traces, err);
	sb_trace_free(traces[0]);
	sb_trace_free(traces[1]);
	sb_strings_free(&o.kinds);
	return rc;
}

const struct sb_command sb_cmd_diff = {
	.name = "diff",
	.trouble = 2, /* as with diff(1) */
	.args = "[OPTION...] A B",
	.summary = "compare two traces: what only one of them saw, and why",
	.options = table,
	.details = "Compared by kind and real path; a load counts as an open, a search as one that "
		   "failed. Exits 0 where\nthey are the same, 1 where they differ, 2 in trouble.\n",
	.run = run,
};
