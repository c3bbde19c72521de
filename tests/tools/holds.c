/*
 * holds [--blind LIST CHECK] TRACE [FILE]: whether the trace holds what a target said it would do
 * (tests/targets/expect.h), read from FILE or stdin. Lines are
 *
 *	expect KIND OUTCOME COUNT PATH	the event is there: COUNT times in all, "-": at least once
 *	blind NAME PATH			the blind spot is there, "-": for whatever program
 *	absent PATH			nothing of that path is there
 *	only DIR			whatever lies below DIR was expected
 *	may-lose			lost events are no failure
 *
 * and anything else, which is the target's own output. A load is an open too. LIST is what the
 * backend is documented not to see (blind_list.h). Prints what is missing, then one line of sums;
 * exits 1 when something is missing, lost, or the trace was cut short.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"
#include "tests/tools/blind_list.h"
#include "tracer/trace.h"

struct state {
	const struct sb_trace *trace;
	struct sb_map seen;   /* "KIND OUTCOME PATH" -> count, as a number in the pointer */
	struct sb_map wanted; /* paths that a line named */
	struct sb_map only;
	struct blind_list list;
	unsigned long expected, missing, excused;
	bool may_lose;
};

static int key_of(struct sb_buf *key, const char *kind, int outcome, const char *path)
{
	sb_buf_cut(key, 0);
	return sb_buf_printf(key, "%s %d %s", kind, outcome, path);
}

static int add_seen(struct state *st, const char *kind, const struct sb_event *ev)
{
	auto_buf key = SB_BUF_INIT;
	struct sb_map_entry *entry;

	if (key_of(&key, kind, ev->outcome, ev->path) < 0)
		return -1;
	entry = sb_map_adds(&st->seen, sb_buf_str(&key), NULL);
	if (!entry)
		return -1;
	entry->value = (void *)((uintptr_t)entry->value + (uintptr_t)ev->count);
	return 0;
}

static int index_events(struct state *st)
{
	for (size_t i = 0; i < st->trace->event_count; i++) {
		const struct sb_event *ev = &st->trace->events[i];

		if (add_seen(st, sb_kind_name(ev->kind), ev) < 0 ||
		    (ev->kind == SB_LOAD && add_seen(st, "open", ev) < 0))
			return -1;
	}
	return 0;
}

static void miss(struct state *st, const char *line, const char *why)
{
	if (blind_list_excuses(&st->list, line)) {
		st->excused++;
		return;
	}
	st->missing++;
	if (st->missing <= 20)
		printf("missing (%s): %s\n", why, line);
}

/* \ooo to bytes, in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* How often; an outcome that is not known may be any, where the backend is one that cannot tell. */
static int count_seen(struct state *st, const char *kind, int outcome, const char *path,
		      uintptr_t *ret)
{
	auto_buf key = SB_BUF_INIT;

	*ret = 0;
	for (int unknown = 0; unknown <= st->list.unknown; unknown++) {
		const struct sb_map_entry *entry;

		if (key_of(&key, kind, unknown ? SB_OUTCOME_UNKNOWN : outcome, path) < 0)
			return -1;
		entry = sb_map_finds(&st->seen, sb_buf_str(&key));
		*ret += entry ? (uintptr_t)entry->value : 0;
	}
	return 0;
}

static int hold_expect(struct state *st, const char *line)
{
	auto_free char *path = NULL, *real = NULL;
	char kind[16], count[32], why[64];
	uintptr_t seen;
	int outcome, at = 0;

	if (sscanf(line, "expect %15s %d %31s %n", kind, &outcome, count, &at) != 3 || !at)
		return -1;
	path = strdup(line + at);
	if (!path)
		return -1;
	unescape(path);
	real = st->list.real ? realpath(path, NULL) : NULL;
	st->expected++;
	if (!sb_map_adds(&st->wanted, path, NULL) ||
	    count_seen(st, kind, outcome, real ? real : path, &seen) < 0)
		return -1;
	if (!seen) {
		miss(st, line, "not seen");
	} else if (strcmp(count, "-") && !st->list.merged && strtoumax(count, NULL, 10) != seen) {
		snprintf(why, sizeof(why), "seen %" PRIuPTR " times", seen);
		miss(st, line, why);
	}
	return 0;
}

static bool has_blind(const struct state *st, const char *name, const char *path)
{
	for (size_t i = 0; i < st->trace->end.blind_count; i++) {
		const struct sb_trace_blind *blind = &st->trace->end.blind[i];

		if (!strcmp(sb_blind_name(blind->blind), name) &&
		    (!strcmp(path, "-") || (blind->path && !strcmp(blind->path, path))))
			return true;
	}
	return false;
}

static int hold_blind(struct state *st, const char *line)
{
	char name[32], path[4096];

	if (sscanf(line, "blind %31s %4095s", name, path) != 2)
		return -1;
	st->expected++;
	if (!has_blind(st, name, path))
		miss(st, line, "no such blind spot");
	return 0;
}

static void hold_absent(struct state *st, const char *line)
{
	const char *path = line + strlen("absent ");

	st->expected++;
	for (size_t i = 0; i < st->trace->event_count; i++) {
		if (!strcmp(st->trace->events[i].path, path)) {
			miss(st, line, "it is there");
			return;
		}
	}
}

static int hold_line(struct state *st, const char *line)
{
	if (!strncmp(line, "expect ", 7))
		return hold_expect(st, line);
	if (!strncmp(line, "blind ", 6))
		return hold_blind(st, line);
	if (!strncmp(line, "absent ", 7))
		hold_absent(st, line);
	else if (!strncmp(line, "only ", 5))
		return sb_map_adds(&st->only, line + 5, NULL) ? 0 : -1;
	else if (!strcmp(line, "may-lose"))
		st->may_lose = true;
	return 0;
}

static int hold_file(struct state *st, FILE *file)
{
	auto_free char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (hold_line(st, line) < 0) {
			fprintf(stderr, "holds: no such line: %.200s\n", line);
			return -1;
		}
	}
	return ferror(file) ? -1 : 0;
}

/* What lies below the directories of "only" lines, and nobody said it would be touched. */
static void hold_only(struct state *st)
{
	for (size_t d = 0; d < st->only.count; d++) {
		const char *dir = st->only.entries[d].key;

		for (size_t i = 0; i < st->trace->event_count; i++) {
			const char *path = st->trace->events[i].path;

			if (sb_path_below(path, dir) && strcmp(path, dir) &&
			    !sb_map_finds(&st->wanted, path))
				miss(st, path, "was not expected");
		}
	}
}

/* The list is held to what it says: where it excuses, the trace says why; and it excuses something.
 */
static void hold_list(struct state *st)
{
	for (size_t i = 0; i < st->list.count; i++) {
		const struct blind_rule *rule = &st->list.rules[i];

		if (rule->used && strcmp(rule->why, "-") && strcmp(rule->why, "may") &&
		    !has_blind(st, rule->why, "-")) {
			st->missing++;
			printf("missing: the blind spot %s, for %lu lines like '%s'\n", rule->why,
			       rule->used, rule->line);
		}
		if (rule->exact && !rule->used && strcmp(rule->why, "may")) {
			st->missing++;
			printf("listed as not seen, but there is nothing that was not: '%s'\n",
			       rule->line);
		}
	}
}

static int judge(struct state *st)
{
	const struct sb_trace_end *end = &st->trace->end;

	if (end->lost && !st->may_lose && !blind_list_excuses(&st->list, "lost")) {
		printf("%" PRIu64 " events were lost\n", end->lost);
		st->missing++;
	}
	hold_list(st);
	if (!end->closed)
		printf("the trace was cut short\n");
	if (st->missing > 20)
		printf("and %lu more\n", st->missing - 20);
	printf("%lu expected, %lu missing, %lu excused, %" PRIu64 " lost\n", st->expected,
	       st->missing, st->excused, end->lost);
	return st->missing || !end->closed;
}

int main(int argc, char **argv)
{
	struct state st = {.seen = SB_MAP_INIT, .wanted = SB_MAP_INIT, .only = SB_MAP_INIT};
	bool listed = argc > 4 && !strcmp(argv[1], "--blind");
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace = NULL;
	int first = listed ? 4 : 1, status = 2;
	FILE *file = argc > first + 1 ? fopen(argv[first + 1], "re") : stdin;

	if (argc <= first || !file) {
		fprintf(stderr, "usage: holds [--blind LIST CHECK] TRACE [FILE]\n");
		return 2;
	}
	if (listed && blind_list_read(&st.list, argv[2], argv[3]) < 0) {
		fprintf(stderr, "holds: '%s' cannot be read as a list of blind spots\n", argv[2]);
		return 2;
	}
	if (sb_trace_load(argv[first], &trace, &err) < 0) {
		fprintf(stderr, "holds: %s\n", err.msg);
		return 2;
	}
	st.trace = trace;
	if (index_events(&st) == 0 && hold_file(&st, file) == 0) {
		hold_only(&st);
		status = judge(&st);
	}
	sb_trace_free(trace);
	sb_map_free(&st.seen);
	sb_map_free(&st.wanted);
	sb_map_free(&st.only);
	return status;
}
