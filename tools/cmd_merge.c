#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/log.h"
#include "tools/command.h"
#include "tools/gaps.h"
#include "tracer/merge.h"

extern const struct sb_command sb_cmd_merge;

/* Files that a warning names. */
#define NAMED_MOST 4

struct options {
	const char *output;
};

static const struct sb_option table[] = {
	{"output", 'o', SB_OPT_STRING, "FILE", "write the merged trace there", NULL,
	 offsetof(struct options, output)},
	{0},
};

static void warn(const struct sb_merge_summary *sum)
{
	const struct sb_map *c = &sum->conflicts;
	auto_buf names = SB_BUF_INIT;

	if (!c->count)
		return;
	for (size_t i = 0; i < c->count && i < NAMED_MOST; i++)
		(void)sb_buf_printf(&names, "%s%s", i ? ", " : "", c->entries[i].key);
	if (c->count > NAMED_MOST)
		(void)sb_buf_printf(&names, " and %zu more", c->count - NAMED_MOST);
	sb_log(SB_LOG_WARN,
	       "%zu file%s not the same for all of these traces: %s (create takes those of the "
	       "machine that it runs on)",
	       c->count, c->count == 1 ? " was" : "s were", sb_buf_str(&names));
}

static int merge(const char *output, char **files, size_t count, struct sb_err *err)
{
	struct sb_trace **traces = calloc(count, sizeof *traces);
	struct sb_merge_summary sum = {0};
	int rc = traces ? 0 : sb_fail(err, ENOMEM, "merge the traces");

	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = sb_trace_load(files[i], &traces[i], err);
		if (rc == 0)
			sb_warn_gaps(traces[i], files[i]);
	}
	if (rc == 0)
		rc = sb_trace_merge((const struct sb_trace *const *)traces, count, output, &sum,
				    err);
	if (rc == 0) {
		warn(&sum);
		sb_log(SB_LOG_INFO, "%s: %zu commands", output, sum.commands);
	}
	sb_merge_summary_free(&sum);
	for (size_t i = 0; traces && i < count; i++)
		sb_trace_free(traces[i]);
	free(traces);
	return rc;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct options o = {0};
	int first, rc = sb_options_parse(&sb_cmd_merge, argc, argv, false, &o, &first, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (!o.output)
		return sb_fail(err, SB_EUSAGE, "merge: where to? Give -o FILE");
	if (first >= argc)
		return sb_fail(err, SB_EUSAGE, "merge: no traces given (see merge --help)");
	return merge(o.output, argv + first, (size_t)(argc - first), err);
}

const struct sb_command sb_cmd_merge = {
	.name = "merge",
	.args = "-o FILE TRACE...",
	.summary = "make one trace out of many: the shards of a suite, from one machine or several",
	.options = table,
	.details = "Each command keeps its arguments, directory and environment; create makes an "
		   "entry of each.\n",
	.run = run,
};
