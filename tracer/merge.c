#include "tracer/merge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"

struct merge {
	const struct sb_trace *const *traces;
	size_t count;
	struct sb_trace_writer *writer;
	struct sb_trace_command *commands; /* of all */
	size_t command_count;
	struct sb_map files;	 /* identities that were written: path, struct identity */
	struct sb_map first;	 /* real path -> the first file of that name */
	struct sb_map conflicts; /* as in the summary */
	struct sb_err *err;
};

/* By which files are told apart between machines: device and inode say nothing there. */
struct identity {
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns, mode;
};

static int no_memory(struct merge *m)
{
	return sb_fail(m->err, ENOMEM, "merge the traces");
}

void sb_merge_summary_free(struct sb_merge_summary *summary)
{
	sb_map_free(&summary->conflicts);
}

static int gather_commands(struct merge *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += m->traces[i]->command_count;
	m->commands = calloc(count + 1, sizeof *m->commands);
	if (!m->commands)
		return no_memory(m);
	for (size_t i = 0; i < m->count; i++)
		for (size_t c = 0; c < m->traces[i]->command_count; c++)
			m->commands[m->command_count++] = m->traces[i]->commands[c];
	return 0;
}

static int put_records(struct merge *m)
{
	uint32_t base = 0, command = 0;
	int rc = 0;

	for (size_t i = 0; i < m->count && rc == 0; i++) {
		const struct sb_trace *t = m->traces[i];

		if (t->process_count > UINT32_MAX - base)
			return sb_fail(m->err, EOVERFLOW, "number the processes");
		for (size_t n = 0; n < t->process_count && rc == 0; n++) {
			struct sb_trace_process p = t->processes[n];

			p.id += base;
			p.command += command;
			p.parent += p.parent >= 0 ? base : 0;
			rc = sb_trace_put_process(m->writer, &p, m->err);
		}
		for (size_t n = 0; n < t->event_count && rc == 0; n++) {
			struct sb_event ev = t->events[n];

			ev.process += base;
			rc = sb_trace_put_event(m->writer, &ev, m->err);
		}
		base += (uint32_t)t->process_count;
		command += (uint32_t)t->command_count;
	}
	return rc;
}

/* Of directories and links, only what they are is compared: they change with what is beside. */
static bool conflict(const struct sb_trace_file *a, const struct sb_trace_file *b)
{
	if ((a->mode ^ b->mode) & S_IFMT)
		return true;
	return S_ISREG(a->mode) && a->size != b->size;
}

static int put_file(struct merge *m, const struct sb_trace_file *f)
{
	const struct identity id = {f->size, f->mtime, f->mtime_ns, f->mode};
	auto_buf key = SB_BUF_INIT;
	int fresh, is_first;

	if (sb_buf_add(&key, f->path, strlen(f->path) + 1) < 0 ||
	    sb_buf_add(&key, &id, sizeof id) < 0 || !sb_map_add(&m->files, key.s, key.len, &fresh))
		return no_memory(m);
	struct sb_map_entry *e = sb_map_adds(&m->first, f->path, &is_first);
	if (!e)
		return no_memory(m);
	if (is_first)
		e->value = (void *)(uintptr_t)f;
	else if (conflict(e->value, f) && !sb_map_adds(&m->conflicts, f->path, NULL))
		return no_memory(m);
	return fresh ? sb_trace_put_file(m->writer, f, m->err) : 0;
}

static int put_files(struct merge *m)
{
	int rc = 0;

	for (size_t i = 0; i < m->count && rc == 0; i++)
		for (size_t n = 0; n < m->traces[i]->file_count && rc == 0; n++)
			rc = put_file(m, &m->traces[i]->files[n]);
	return rc;
}

/* Blind spots of all, those of one kind and path added up. `ret->blind` is the caller's. */
static int add_up(struct merge *m, struct sb_trace_end *ret)
{
	auto_map index = SB_MAP_INIT;
	struct sb_trace_blind *list;
	size_t most = 0;

	for (size_t i = 0; i < m->count; i++)
		most += m->traces[i]->end.blind_count;
	list = calloc(most + 1, sizeof *list);
	if (!list)
		return no_memory(m);
	ret->blind = list;
	for (size_t i = 0; i < m->count; i++) {
		const struct sb_trace_end *end = &m->traces[i]->end;

		ret->lost += end->lost;
		for (size_t n = 0; n < end->blind_count; n++) {
			const struct sb_trace_blind *b = &end->blind[n];
			uint8_t kind = (uint8_t)b->blind;
			auto_buf key = SB_BUF_INIT;
			struct sb_map_entry *e = NULL;

			if (sb_buf_add(&key, &kind, 1) == 0 &&
			    sb_buf_puts(&key, b->path ? b->path : "") == 0)
				e = sb_map_add(&index, key.s, key.len, NULL);
			if (!e)
				return no_memory(m);
			if (e->value) {
				((struct sb_trace_blind *)e->value)->count += b->count;
				continue;
			}
			e->value = &list[ret->blind_count];
			list[ret->blind_count++] = *b;
		}
	}
	/* The first that went wrong, if any. */
	for (size_t i = 0; i < m->command_count && !ret->status; i++)
		ret->status = m->commands[i].status > 0 ? m->commands[i].status : 0;
	return 0;
}

/* All of it, to a file of that name. */
static int write_all(struct merge *m, const char *path)
{
	struct sb_trace_header header;
	struct sb_trace_end end = {0};
	int rc = gather_commands(m);

	if (rc < 0)
		return rc;
	header = m->commands[0].header;
	header.commands = m->commands;
	header.command_count = m->command_count;
	rc = sb_trace_create(path, &header, &m->writer, m->err);
	if (rc == 0)
		rc = put_records(m);
	if (rc == 0)
		rc = put_files(m);
	if (rc == 0)
		rc = add_up(m, &end);
	if (rc == 0)
		rc = sb_trace_close(sb_steal_ptr(m->writer), &end, m->err);
	sb_trace_abandon(m->writer);
	free((void *)(uintptr_t)end.blind);
	free(m->commands);
	return rc;
}

/* Beside its place, and moved there: what is there may be one of those that are merged. */
static int write_beside(struct merge *m, const char *output)
{
	auto_buf temp = SB_BUF_INIT;

	if (sb_buf_printf(&temp, "%s.XXXXXX", output) < 0)
		return no_memory(m);
	auto_fd int fd = mkostemp(temp.s, O_CLOEXEC);
	if (fd < 0)
		return sb_fail(m->err, errno, "make the trace '%s' (choose another with -o)",
			       output);
	int rc = write_all(m, temp.s);
	if (rc == 0 && rename(temp.s, output) < 0)
		rc = sb_fail(m->err, errno, "make the trace '%s'", output);
	if (rc < 0)
		(void)unlink(temp.s); /* the first failure is the one to tell */
	return rc;
}

int sb_trace_merge(const struct sb_trace *const *traces, size_t count, const char *output,
		   struct sb_merge_summary *ret, struct sb_err *err)
{
	struct merge m = {.traces = traces, .count = count, .err = err};
	struct stat st;
	/* A pipe or a device cannot be replaced. */
	bool there = stat(output, &st) == 0 && !S_ISREG(st.st_mode);
	int rc = there ? write_all(&m, output) : write_beside(&m, output);

	sb_map_free(&m.files);
	sb_map_free(&m.first);
	if (rc < 0) {
		sb_map_free(&m.conflicts);
		return rc;
	}
	*ret = (struct sb_merge_summary){m.command_count, m.conflicts};
	return 0;
}
