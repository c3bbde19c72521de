#include "tracer/trace_write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/trace.h"

/* One thread writes: stdio's locks would take longer than the writing. */
struct sb_trace_writer {
	FILE *out;
	int fd;
	uint64_t processes, events, files;
	struct sb_buf line;
	char buffer[1 << 16]; /* of `out` */
};

static void put(struct sb_json *json, const char *key, const char *s)
{
	sb_json_key(json, key);
	sb_json_str(json, s);
}

static void put_list(struct sb_json *json, const char *key, const char *const *list)
{
	sb_json_key(json, key);
	if (!list) {
		sb_json_null(json);
		return;
	}
	sb_json_open(json, '[');
	for (size_t i = 0; list[i]; i++)
		sb_json_str(json, list[i]);
	sb_json_shut(json, ']');
}

static void put_int(struct sb_json *json, const char *key, int64_t n)
{
	sb_json_key(json, key);
	sb_json_int(json, n);
}

static void put_bool(struct sb_json *json, const char *key, bool yes)
{
	sb_json_key(json, key);
	sb_json_bool(json, yes);
}

/* What one command's header has; the object is open. */
static void put_header(struct sb_json *json, const struct sb_trace_header *header)
{
	put(json, "version", header->version ? header->version : "");
	put(json, "backend", header->backend);
	if (header->why)
		put(json, "auto", header->why);
	put(json, "arch", header->arch);
	put_int(json, "started", header->started);
	put(json, "cwd", header->cwd);
	put_list(json, "argv", header->argv);
	put_list(json, "env", header->env);
}

static void put_commands(struct sb_json *json, const struct sb_trace_header *header)
{
	if (!header->command_count)
		return;
	sb_json_key(json, "commands");
	sb_json_open(json, '[');
	for (size_t i = 0; i < header->command_count; i++) {
		const struct sb_trace_command *c = &header->commands[i];

		sb_json_open(json, '{');
		put_header(json, &c->header);
		sb_json_key(json, "status");
		if (c->status < 0)
			sb_json_null(json);
		else
			sb_json_int(json, c->status);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

/* A line is begun in the writer's buffer, and written where it ends. */
static struct sb_json begin(struct sb_buf *line)
{
	struct sb_json json = {line, 0};

	line->len = 0;
	sb_json_open(&json, '{');
	return json;
}

static int finish(struct sb_trace_writer *w, struct sb_json *json, struct sb_err *err)
{
	sb_json_shut(json, '}');
	if (json->rc == 0)
		json->rc = sb_buf_putc(json->out, '\n');
	if (json->rc < 0)
		return sb_fail(err, -json->rc, "write the trace");
	(void)fwrite_unlocked(json->out->s, 1, json->out->len, w->out); /* it tells below */
	return ferror(w->out) ? sb_fail(err, errno ? errno : EIO, "write the trace") : 0;
}

/* A timer's signals may come to who writes, and the trace may go to a pipe: stdio would give up. */
static ssize_t write_all(void *cookie, const char *bytes, size_t size)
{
	const struct sb_trace_writer *w = cookie;
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(w->fd, bytes + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int close_fd(void *cookie)
{
	const struct sb_trace_writer *w = cookie;

	return close(w->fd);
}

int sb_trace_create(const char *path, const struct sb_trace_header *header,
		    struct sb_trace_writer **ret, struct sb_err *err)
{
	auto_free struct sb_trace_writer *w = calloc(1, sizeof *w);
	auto_fd int fd = -1;

	if (!w)
		return sb_fail(err, ENOMEM, "make the trace '%s'", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return sb_fail(err, errno, "make the trace '%s' (choose another with -o)", path);
	/* A file that was there keeps its old mode otherwise; what is no file (/dev/null) keeps it.
	 */
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fchmod(fd, 0600) < 0)
		return sb_fail(err, errno, "make the trace '%s' private", path);
	w->out =
		fopencookie(w, "w", (cookie_io_functions_t){.write = write_all, .close = close_fd});
	if (!w->out)
		return sb_fail(err, errno, "make the trace '%s'", path);
	w->fd = sb_steal_fd(&fd);
	(void)setvbuf(w->out, w->buffer, _IOFBF, sizeof w->buffer); /* only speed is lost */
	struct sb_json json = begin(&w->line);
	put_int(&json, "sidebundle-trace", 1);
	put_header(&json, header);
	put_commands(&json, header);
	int rc = finish(w, &json, err);
	if (rc == 0 && fflush(w->out) != 0)
		rc = sb_fail(err, errno, "write the trace");
	if (rc < 0) {
		fclose(w->out);
		sb_buf_free(&w->line);
		return sb_wrap(err, "'%s'", path);
	}
	*ret = sb_steal_ptr(w);
	return 0;
}

int sb_trace_put_process(struct sb_trace_writer *w, const struct sb_trace_process *p,
			 struct sb_err *err)
{
	struct sb_json json = begin(&w->line);

	put_int(&json, "process", p->id);
	sb_json_key(&json, "parent");
	if (p->parent < 0)
		sb_json_null(&json);
	else
		sb_json_int(&json, p->parent);
	put_int(&json, "pid", p->pid);
	put_int(&json, "ppid", p->ppid);
	put_bool(&json, "forked", p->forked);
	put(&json, "exe", p->exe);
	put(&json, "cwd", p->cwd);
	put_list(&json, "argv", p->argv);
	if (p->command)
		put_int(&json, "command", p->command);
	w->processes++;
	return finish(w, &json, err);
}

void sb_trace_event_json(struct sb_json *json, const struct sb_event *ev)
{
	put(json, "event", sb_kind_name(ev->kind));
	put_int(json, "process", ev->process);
	put(json, "path", ev->path);
	put(json, "real", ev->real);
	sb_json_key(json, "outcome");
	if (ev->outcome == SB_OUTCOME_UNKNOWN)
		sb_json_null(json);
	else
		sb_json_int(json, ev->outcome);
	if (ev->kind == SB_WRITE) {
		put(json, "op", sb_op_name(ev->op));
		sb_json_key(json, "existed");
		if (ev->existed == SB_YES || ev->existed == SB_NO)
			sb_json_bool(json, ev->existed == SB_YES);
		else
			sb_json_null(json);
	}
	if (ev->by)
		put(json, ev->kind == SB_WRITE ? "target" : "by", ev->by);
	put(json, "backend", ev->backend);
	put_int(json, "count", (int64_t)ev->count);
}

int sb_trace_put_event(struct sb_trace_writer *w, const struct sb_event *ev, struct sb_err *err)
{
	struct sb_json json = begin(&w->line);

	sb_trace_event_json(&json, ev);
	w->events++;
	return finish(w, &json, err);
}

/* 64-bit numbers are strings: many readers of JSON hold numbers as doubles. */
static void put_digits(struct sb_json *json, const char *key, uint64_t n)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%" PRIu64, n);
	put(json, key, digits);
}

int sb_trace_put_file(struct sb_trace_writer *w, const struct sb_trace_file *f, struct sb_err *err)
{
	struct sb_json json = begin(&w->line);
	char mtime[40];

	(void)snprintf(mtime, sizeof mtime, "%" PRId64 ".%09" PRIu32, f->mtime, f->mtime_ns);
	put(&json, "file", f->path);
	put_digits(&json, "dev", f->dev);
	put_digits(&json, "ino", f->ino);
	put_digits(&json, "size", f->size);
	put(&json, "mtime", mtime);
	put_int(&json, "mode", f->mode);
	w->files++;
	return finish(w, &json, err);
}

int sb_trace_flush(struct sb_trace_writer *w, struct sb_err *err)
{
	/* It tells by its error, which stays. */
	(void)fflush_unlocked(w->out);
	return ferror(w->out) ? sb_fail(err, errno ? errno : EIO, "write the trace") : 0;
}

static void put_end(struct sb_json *json, const struct sb_trace_writer *w,
		    const struct sb_trace_end *end)
{
	put_bool(json, "end", true);
	put_int(json, "status", end->status);
	put_int(json, "processes", (int64_t)w->processes);
	put_int(json, "events", (int64_t)w->events);
	put_int(json, "files", (int64_t)w->files);
	put_int(json, "lost", (int64_t)end->lost);
	sb_json_key(json, "blind");
	sb_json_open(json, '[');
	for (size_t i = 0; i < end->blind_count; i++) {
		const struct sb_trace_blind *b = &end->blind[i];

		sb_json_open(json, '{');
		put(json, "why", sb_blind_name(b->blind));
		put(json, "path", b->path);
		put_int(json, "count", (int64_t)b->count);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

int sb_trace_close(struct sb_trace_writer *w, const struct sb_trace_end *end, struct sb_err *err)
{
	struct sb_json json = begin(&w->line);

	put_end(&json, w, end);
	int rc = finish(w, &json, err);
	if (fclose(w->out) != 0 && rc == 0)
		rc = sb_fail(err, errno, "write the trace");
	sb_buf_free(&w->line);
	free(w);
	return rc;
}

int sb_trace_descriptor(const struct sb_trace_writer *w)
{
	return w->fd;
}

void sb_trace_abandon(struct sb_trace_writer *w)
{
	if (!w)
		return;
	fclose(w->out);
	sb_buf_free(&w->line);
	free(w);
}
