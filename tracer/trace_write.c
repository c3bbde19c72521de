#include "tracer/trace_write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/utf8.h"
#include "tracer/trace.h"

/* One thread writes: stdio's locks would take longer than the writing. */
struct sb_trace_writer {
	FILE *out;
	int fd;
	uint64_t processes, events, files;
	char buffer[1 << 16]; /* of `out` */
};

void sb_json_string(FILE *out, const char *s)
{
	if (!sb_utf8_valid(s, strlen(s))) {
		fputs("{\"hex\":\"", out);
		for (const unsigned char *p = (const unsigned char *)s; *p; p++)
			fprintf(out, "%02x", *p);
		fputs("\"}", out);
		return;
	}
	putc_unlocked('"', out);
	for (const char *plain = s;; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
			continue;
		(void)fwrite_unlocked(plain, 1, (size_t)(s - plain), out); /* see check() */
		plain = s + 1;
		if (!c)
			break;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			fprintf(out, "\\u%04x", c);
	}
	putc_unlocked('"', out);
}

static void put(FILE *out, const char *s)
{
	(void)fputs_unlocked(s, out); /* see check() */
}

static void put_number(FILE *out, uint64_t n)
{
	char digits[24];
	size_t at = sizeof digits;

	digits[--at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	put(out, digits + at);
}

static void put_nullable(FILE *out, const char *key, const char *s)
{
	put(out, ",\"");
	put(out, key);
	put(out, "\":");
	if (s)
		sb_json_string(out, s);
	else
		put(out, "null");
}

static void put_list(FILE *out, const char *key, const char *const *list)
{
	fprintf(out, ",\"%s\":", key);
	if (!list) {
		fputs("null", out);
		return;
	}
	putc('[', out);
	for (size_t i = 0; list[i]; i++) {
		if (i)
			putc(',', out);
		sb_json_string(out, list[i]);
	}
	putc(']', out);
}

/* What one command's header has; the object is open. */
static void put_header(FILE *out, const struct sb_trace_header *header)
{
	fputs("\"version\":", out);
	sb_json_string(out, header->version ? header->version : "");
	put_nullable(out, "backend", header->backend);
	if (header->why)
		put_nullable(out, "auto", header->why);
	put_nullable(out, "arch", header->arch);
	fprintf(out, ",\"started\":%" PRId64, header->started);
	put_nullable(out, "cwd", header->cwd);
	put_list(out, "argv", header->argv);
	put_list(out, "env", header->env);
}

static void put_commands(FILE *out, const struct sb_trace_header *header)
{
	for (size_t i = 0; i < header->command_count; i++) {
		const struct sb_trace_command *c = &header->commands[i];

		fputs(i ? ",{" : ",\"commands\":[{", out);
		put_header(out, &c->header);
		if (c->status < 0)
			fputs(",\"status\":null}", out);
		else
			fprintf(out, ",\"status\":%d}", c->status);
	}
	if (header->command_count)
		putc(']', out);
}

static int check(const struct sb_trace_writer *w, struct sb_err *err)
{
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
	fputs("{\"sidebundle-trace\":1,", w->out);
	put_header(w->out, header);
	put_commands(w->out, header);
	fputs("}\n", w->out);
	if (fflush(w->out) != 0) {
		int rc = sb_fail(err, errno, "write the trace '%s'", path);

		fclose(w->out);
		return rc;
	}
	*ret = sb_steal_ptr(w);
	return 0;
}

int sb_trace_put_process(struct sb_trace_writer *w, const struct sb_trace_process *p,
			 struct sb_err *err)
{
	fprintf(w->out, "{\"process\":%" PRIu32 ",\"parent\":", p->id);
	if (p->parent < 0)
		fputs("null", w->out);
	else
		fprintf(w->out, "%" PRId64, p->parent);
	fprintf(w->out, ",\"pid\":%d,\"ppid\":%d,\"forked\":%s", (int)p->pid, (int)p->ppid,
		p->forked ? "true" : "false");
	put_nullable(w->out, "exe", p->exe);
	put_nullable(w->out, "cwd", p->cwd);
	put_list(w->out, "argv", p->argv);
	if (p->command)
		fprintf(w->out, ",\"command\":%" PRIu32, p->command);
	fputs("}\n", w->out);
	w->processes++;
	return check(w, err);
}

void sb_trace_print_event(FILE *out, const struct sb_event *ev)
{
	put(out, "{\"event\":\"");
	put(out, sb_kind_name(ev->kind));
	put(out, "\",\"process\":");
	put_number(out, ev->process);
	put_nullable(out, "path", ev->path);
	put_nullable(out, "real", ev->real);
	put(out, ",\"outcome\":");
	if (ev->outcome == SB_OUTCOME_UNKNOWN)
		put(out, "null");
	else
		fprintf(out, "%d", ev->outcome);
	if (ev->kind == SB_WRITE) {
		put(out, ",\"op\":\"");
		put(out, sb_op_name(ev->op));
		put(out, "\",\"existed\":");
		put(out, ev->existed == SB_YES ? "true" : ev->existed == SB_NO ? "false" : "null");
	}
	if (ev->by)
		put_nullable(out, "by", ev->by);
	put_nullable(out, "backend", ev->backend);
	put(out, ",\"count\":");
	put_number(out, ev->count);
	put(out, "}\n");
}

int sb_trace_put_event(struct sb_trace_writer *w, const struct sb_event *ev, struct sb_err *err)
{
	sb_trace_print_event(w->out, ev);
	w->events++;
	return check(w, err);
}

/* 64-bit numbers are strings: many readers of JSON hold numbers as doubles. */
int sb_trace_put_file(struct sb_trace_writer *w, const struct sb_trace_file *f, struct sb_err *err)
{
	fputs("{\"file\":", w->out);
	sb_json_string(w->out, f->path);
	fprintf(w->out,
		",\"dev\":\"%" PRIu64 "\",\"ino\":\"%" PRIu64 "\",\"size\":\"%" PRIu64
		"\",\"mtime\":\"%" PRId64 ".%09" PRIu32 "\",\"mode\":%" PRIu32 "}\n",
		f->dev, f->ino, f->size, f->mtime, f->mtime_ns, f->mode);
	w->files++;
	return check(w, err);
}

int sb_trace_flush(struct sb_trace_writer *w, struct sb_err *err)
{
	/* It has told by its error, which stays, what check() looks for. */
	(void)fflush_unlocked(w->out);
	return check(w, err);
}

int sb_trace_close(struct sb_trace_writer *w, const struct sb_trace_end *end, struct sb_err *err)
{
	FILE *out = w->out;
	int rc;

	fprintf(out,
		"{\"end\":true,\"status\":%d,\"processes\":%" PRIu64 ",\"events\":%" PRIu64
		",\"files\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"blind\":[",
		end->status, w->processes, w->events, w->files, end->lost);
	for (size_t i = 0; i < end->blind_count; i++) {
		const struct sb_trace_blind *b = &end->blind[i];

		fprintf(out, "%s{\"why\":\"%s\"", i ? "," : "", sb_blind_name(b->blind));
		put_nullable(out, "path", b->path);
		fprintf(out, ",\"count\":%" PRIu64 "}", b->count);
	}
	fputs("]}\n", out);
	rc = check(w, err);
	if (fclose(out) != 0 && rc == 0)
		rc = sb_fail(err, errno, "write the trace");
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
	free(w);
}
