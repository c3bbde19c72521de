#include "tracer/sink.h"

#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"

/* Events held for merging, over all processes; beyond it they are written, and readers add up. */
#define HELD_MOST (1u << 16)

/*
 * Backends in one trace; the map's value for an event is how often it was seen since its line was
 * written and, below it, whether that line could not tell if its file was there, and who saw it.
 */
#define BACKENDS_MOST	 8u
#define VALUE_UNTOLD	 8u
#define VALUE_BITS	 4u
#define VALUE_COUNT(v)	 ((uintptr_t)(v) >> VALUE_BITS)
#define VALUE_BACKEND(v) ((uintptr_t)(v) & (BACKENDS_MOST - 1))

/* What is known of a real path; bits of a map's value. */
#define PATH_USED    1u /* something worked on it */
#define PATH_EXISTED 2u
#define PATH_NEW     4u

struct table {
	struct sb_map events; /* event -> VALUE_* */
	size_t written;	      /* of them, the first so many have a line */
};

struct sb_sink {
	struct sb_sink_spec spec;
	const char *backends[BACKENDS_MOST]; /* the first is the trace's own */
	struct table *tables;		     /* by process */
	size_t table_count;
	size_t unwritten; /* of the tables below, none has what is not written */
	size_t held;
	struct sb_map paths; /* real path -> PATH_* */
	struct sb_map hidden;
	struct sb_map blind; /* kind, path -> count */
	struct sb_trace_blind *blind_list;
	uint64_t lost;
	struct sb_buf key; /* scratch: of the event in hand */
	struct sb_err err; /* the first thing that failed */
};

/* An event as a key: this, then path, real and by, each with its NUL. */
struct event_key {
	uint8_t kind, op;
	int16_t outcome;
};

int sb_sink_new(const struct sb_sink_spec *spec, struct sb_sink **ret, struct sb_err *err)
{
	struct sb_sink *sink = calloc(1, sizeof *sink);

	if (!sink)
		return sb_fail(err, ENOMEM, "start the trace");
	sink->spec = *spec;
	sink->backends[0] = spec->backend;
	*ret = sink;
	return 0;
}

void sb_sink_free(struct sb_sink *sink)
{
	if (!sink)
		return;
	for (size_t i = 0; i < sink->table_count; i++)
		sb_map_free(&sink->tables[i].events);
	free(sink->tables);
	sb_map_free(&sink->paths);
	sb_map_free(&sink->hidden);
	sb_map_free(&sink->blind);
	free(sink->blind_list);
	sb_buf_free(&sink->key);
	sb_trace_abandon(sink->spec.writer);
	free(sink);
}

static void no_memory(struct sb_sink *sink)
{
	if (!sink->err.code)
		(void)sb_fail(&sink->err, ENOMEM, "hold the trace's events");
}

void sb_sink_hide(struct sb_sink *sink, const char *path)
{
	if (!sb_map_adds(&sink->hidden, path, NULL))
		no_memory(sink);
}

void sb_sink_process(struct sb_sink *sink, const struct sb_trace_process *p)
{
	if (!sink->err.code)
		(void)sb_trace_put_process(sink->spec.writer, p, &sink->err);
}

static bool any_match(const char *const *globs, const struct sb_event *ev)
{
	for (; globs && *globs; globs++)
		if (sb_glob_match(*globs, ev->path) ||
		    (ev->real && sb_glob_match(*globs, ev->real)))
			return true;
	return false;
}

bool sb_sink_hides(const struct sb_sink *sink, const char *path)
{
	for (size_t i = 0; i < sink->hidden.count; i++)
		if (sb_path_below(path, sink->hidden.entries[i].key))
			return true;
	return false;
}

static bool wanted(const struct sb_sink *sink, const struct sb_event *ev)
{
	if (sb_sink_hides(sink, ev->path) || (ev->real && sb_sink_hides(sink, ev->real)))
		return false;
	if (any_match(sink->spec.exclude, ev))
		return false;
	return !sink->spec.include || !*sink->spec.include || any_match(sink->spec.include, ev);
}

static struct table *table_of(struct sb_sink *sink, uint32_t process)
{
	if (process >= sink->table_count) {
		size_t count = process < 32 ? 64 : (size_t)process * 2;
		struct table *grown = reallocarray(sink->tables, count, sizeof *grown);

		if (!grown)
			return NULL;
		memset(grown + sink->table_count, 0, (count - sink->table_count) * sizeof *grown);
		sink->tables = grown;
		sink->table_count = count;
	}
	return &sink->tables[process];
}

static enum sb_tri existed_of(const struct sb_sink *sink, const char *real)
{
	const struct sb_map_entry *e = real ? sb_map_finds(&sink->paths, real) : NULL;
	uintptr_t bits = e ? (uintptr_t)e->value : 0;

	return bits & PATH_EXISTED ? SB_YES : bits & PATH_NEW ? SB_NO : SB_TRI_UNKNOWN;
}

/* Its line, or another one that adds to it. */
static void write_event(struct sb_sink *sink, uint32_t process, struct sb_map_entry *e)
{
	struct event_key key;
	struct sb_event ev = {.process = process,
			      .backend = sink->backends[VALUE_BACKEND(e->value)],
			      .existed = SB_TRI_UNKNOWN,
			      .count = VALUE_COUNT(e->value)};

	memcpy(&key, e->key, sizeof key);
	ev.kind = key.kind;
	ev.op = key.op;
	ev.outcome = key.outcome;
	ev.path = e->key + sizeof key;
	ev.real = ev.path + strlen(ev.path) + 1;
	ev.by = ev.real + strlen(ev.real) + 1;
	ev.real = *ev.real ? ev.real : NULL;
	ev.by = *ev.by ? ev.by : NULL;
	if (ev.kind == SB_WRITE && ev.outcome == 0)
		ev.existed = existed_of(sink, ev.real);
	/* All that an older line lacks may be the one answer. */
	if (!ev.count && ev.existed == SB_TRI_UNKNOWN)
		return;
	(void)sb_trace_put_event(sink->spec.writer, &ev, &sink->err);
	bool untold = ev.kind == SB_WRITE && ev.outcome == 0 && ev.existed == SB_TRI_UNKNOWN;
	e->value = (void *)(uintptr_t)(VALUE_BACKEND(e->value) | (untold ? VALUE_UNTOLD : 0));
}

void sb_sink_done(struct sb_sink *sink, uint32_t process)
{
	if (process >= sink->table_count)
		return;
	struct table *table = &sink->tables[process];
	for (size_t i = 0; i < table->events.count && !sink->err.code; i++) {
		struct sb_map_entry *e = &table->events.entries[i];

		if (VALUE_COUNT(e->value) || (uintptr_t)e->value & VALUE_UNTOLD)
			write_event(sink, process, e);
	}
	sink->held -= table->events.count;
	sb_map_free(&table->events);
	table->written = 0;
}

void sb_sink_save(struct sb_sink *sink)
{
	for (size_t i = sink->unwritten; i < sink->table_count; i++) {
		struct table *table = &sink->tables[i];

		for (; table->written < table->events.count && !sink->err.code; table->written++)
			write_event(sink, (uint32_t)i, &table->events.entries[table->written]);
	}
	sink->unwritten = sink->table_count;
	if (!sink->err.code)
		(void)sb_trace_flush(sink->spec.writer, &sink->err);
}

static void remember_path(struct sb_sink *sink, const char *real, uintptr_t bits)
{
	struct sb_map_entry *e = sb_map_adds(&sink->paths, real, NULL);

	if (!e) {
		no_memory(sink);
		return;
	}
	e->value = (void *)((uintptr_t)e->value | bits);
}

void sb_sink_existed(struct sb_sink *sink, const char *real, enum sb_tri existed)
{
	if (existed != SB_TRI_UNKNOWN && existed_of(sink, real) == SB_TRI_UNKNOWN)
		remember_path(sink, real, existed == SB_YES ? PATH_EXISTED : PATH_NEW);
}

/* Its place among the backends; more than there is room for are taken for the trace's own. */
static unsigned backend_index(struct sb_sink *sink, const char *name)
{
	if (!name)
		return 0;
	for (unsigned i = 0; i < BACKENDS_MOST; i++) {
		if (!sink->backends[i])
			sink->backends[i] = name;
		if (strcmp(sink->backends[i], name) == 0)
			return i;
	}
	return 0;
}

void sb_sink_event(struct sb_sink *sink, const struct sb_event *ev)
{
	struct event_key key = {(uint8_t)ev->kind, (uint8_t)ev->op, (int16_t)ev->outcome};
	const char *real = ev->real ? ev->real : "", *by = ev->by ? ev->by : "";
	struct sb_buf *bytes = &sink->key;

	if (sink->err.code || !wanted(sink, ev))
		return;
	if (ev->real && ev->kind != SB_SEARCH &&
	    (ev->outcome == 0 || ev->outcome == SB_OUTCOME_UNKNOWN))
		remember_path(sink, ev->real, PATH_USED);
	struct table *table = table_of(sink, ev->process);
	int fresh;
	struct sb_map_entry *e = NULL;
	sb_buf_cut(bytes, 0);
	if (table && sb_buf_add(bytes, &key, sizeof key) == 0 &&
	    sb_buf_add(bytes, ev->path, strlen(ev->path) + 1) == 0 &&
	    sb_buf_add(bytes, real, strlen(real) + 1) == 0 &&
	    sb_buf_add(bytes, by, strlen(by) + 1) == 0)
		e = sb_map_add(&table->events, bytes->s, bytes->len, &fresh);
	if (!e) {
		no_memory(sink);
		return;
	}
	if (fresh) {
		e->value = (void *)(uintptr_t)backend_index(sink, ev->backend);
		sink->held++;
		if (ev->process < sink->unwritten)
			sink->unwritten = ev->process;
	}
	e->value = (void *)((uintptr_t)e->value + (ev->count << VALUE_BITS));
	if (sink->held > HELD_MOST)
		for (size_t i = 0; i < sink->table_count; i++)
			sb_sink_done(sink, (uint32_t)i);
}

void sb_sink_blind(struct sb_sink *sink, enum sb_blind blind, const char *path, uint64_t count)
{
	uint8_t kind = (uint8_t)blind;
	auto_buf key = SB_BUF_INIT;
	struct sb_map_entry *e = NULL;

	if (sb_buf_add(&key, &kind, 1) == 0 && sb_buf_puts(&key, path ? path : "") == 0)
		e = sb_map_add(&sink->blind, key.s, key.len, NULL);
	if (e)
		e->value = (void *)((uintptr_t)e->value + count);
	else
		no_memory(sink);
}

void sb_sink_lost(struct sb_sink *sink, uint64_t count)
{
	sink->lost += count;
}

/* As they are now, which is when the command has ended. */
static void write_files(struct sb_sink *sink)
{
	for (size_t i = 0; i < sink->paths.count && !sink->err.code; i++) {
		const struct sb_map_entry *e = &sink->paths.entries[i];
		struct stat st;

		/* What is gone has no identity: its absence tells. */
		if (!((uintptr_t)e->value & PATH_USED) || lstat(e->key, &st) < 0)
			continue;
		struct sb_trace_file f = {.path = e->key,
					  .dev = st.st_dev,
					  .ino = st.st_ino,
					  .size = (uint64_t)st.st_size,
					  .mtime = st.st_mtim.tv_sec,
					  .mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
					  .mode = st.st_mode};
		(void)sb_trace_put_file(sink->spec.writer, &f, &sink->err);
	}
}

int sb_sink_finish(struct sb_sink *sink, int status, struct sb_sink_summary *ret,
		   struct sb_err *err)
{
	struct sb_trace_end end = {.status = status, .lost = sink->lost};

	for (size_t i = 0; i < sink->table_count; i++)
		sb_sink_done(sink, (uint32_t)i);
	write_files(sink);
	sb_map_sort(&sink->blind);
	sink->blind_list = calloc(sink->blind.count + 1, sizeof *sink->blind_list);
	if (!sink->blind_list)
		no_memory(sink);
	for (size_t i = 0; sink->blind_list && i < sink->blind.count; i++) {
		const struct sb_map_entry *e = &sink->blind.entries[i];

		sink->blind_list[i] =
			(struct sb_trace_blind){.blind = (enum sb_blind)(unsigned char)e->key[0],
						.path = e->len > 1 ? e->key + 1 : NULL,
						.count = (uintptr_t)e->value};
	}
	end.blind = sink->blind_list;
	end.blind_count = sink->blind_list ? sink->blind.count : 0;
	if (sink->err.code) {
		*err = sink->err;
		return -err->code;
	}
	int rc = sb_trace_close(sb_steal_ptr(sink->spec.writer), &end, err);
	if (rc == 0)
		*ret = (struct sb_sink_summary){sink->lost, end.blind, end.blind_count};
	return rc;
}
