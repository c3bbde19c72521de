#include "tools/gaps.h"

#include <inttypes.h>
#include <time.h>

#include "common/log.h"
#include "tracer/backend.h"

static void warn_cut(const char *path, size_t command)
{
	if (command)
		sb_log(SB_LOG_WARN,
		       "%s: the trace of command %zu was cut short, and is read as far as it goes",
		       path, command);
	else
		sb_log(SB_LOG_WARN,
		       "%s: cut short: it has no closing line, and is read as far as "
		       "it goes",
		       path);
}

/* Without some watchers the command cannot go on. */
static void warn_died(const struct sb_trace *t, const char *path)
{
	const struct sb_backend *backend =
		t->header.backend ? sb_backend_find(t->header.backend) : NULL;
	time_t at = (time_t)t->end.died;
	char text[64] = "?";
	struct tm tm;

	if (localtime_r(&at, &tm))
		(void)strftime(text, sizeof text, "%F %T", &tm);
	sb_log(SB_LOG_WARN, "%s: cut short: the tracer was killed (%s), and the command %s", path,
	       text, backend && backend->stays ? "with it" : "ran on unseen");
}

void sb_warn_gaps(const struct sb_trace *t, const char *path)
{
	if (!t->end.closed && t->end.died)
		warn_died(t, path);
	else if (!t->end.closed)
		warn_cut(path, 0);
	for (size_t i = 0; i < t->header.command_count; i++)
		if (t->commands[i].status < 0)
			warn_cut(path, i + 1);
	if (t->end.lost)
		sb_log(SB_LOG_WARN, "%s: %" PRIu64 " records were lost: it is not complete", path,
		       t->end.lost);
	for (size_t i = 0; i < t->end.blind_count; i++) {
		const struct sb_trace_blind *b = &t->end.blind[i];

		sb_log(SB_LOG_INFO, "%s: %s (%s, %" PRIu64 " times): %s", path,
		       b->path ? b->path : "-", sb_blind_name(b->blind), b->count,
		       sb_blind_text(b->blind));
	}
}
