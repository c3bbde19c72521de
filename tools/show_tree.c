/* The tree of a trace's processes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "tools/print.h"
#include "tools/show.h"

/* Deeper nesting is drawn at this depth. */
#define DEPTH_MOST 64
/* How it ended has room, however long the command is. */
#define STATUS_COLUMNS 14
/* A process keeps so many columns for its command, however deep it stands. */
#define COLUMNS_LEAST 24

/* Children in lists: first[p], then next[child]; index + 1, 0 ends. */
struct family {
	uint32_t *first, *next;
};

struct drawing {
	const struct sb_trace *trace;
	struct family family;
	uint32_t *stack, *depths;
	bool *printed;
	int columns; /* of a line, 0 as many as it takes */
};

/* A line as far as it fits: what is added beyond is cut off, and dots tell. */
struct line {
	struct sb_buf text;
	int width, most; /* columns; most 0: no end */
	size_t dots_at;	 /* length up to which there is room for the dots */
	bool full;
	int rc;
};

static void add_piece(struct line *l, const char *text, int width)
{
	if (l->full)
		return;
	if (l->most && l->width + width > l->most) {
		l->full = true;
		sb_buf_cut(&l->text, l->dots_at);
		l->rc = sb_buf_puts(&l->text, "...") < 0 ? -ENOMEM : l->rc;
		return;
	}
	l->rc = sb_buf_puts(&l->text, text) < 0 ? -ENOMEM : l->rc;
	l->width += width;
	if (l->width + 3 <= l->most)
		l->dots_at = l->text.len;
}

static void add_plain(struct line *l, const char *text)
{
	add_piece(l, text, (int)strlen(text));
}

static void add_name(struct line *l, const char *s)
{
	struct sb_print_piece piece;

	for (size_t len = strlen(s); len && !l->full;) {
		size_t n = sb_print_piece(s, len, &piece);

		add_piece(l, piece.text, piece.width);
		s += n;
		len -= n;
	}
}

static bool needs_escapes(const char *s)
{
	struct sb_print_piece piece = {.escaped = false};

	for (size_t len = strlen(s); len && !piece.escaped;) {
		size_t n = sb_print_piece(s, len, &piece);

		s += n;
		len -= n;
	}
	return piece.escaped;
}

/* As a shell would take it back: bare, 'quoted', or $'with \n escapes'. */
static void add_argument(struct line *l, const char *s)
{
	struct sb_print_piece piece;
	bool escapes = needs_escapes(s);

	if (*s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "_-+=:,./@%^")] == '\0') {
		add_name(l, s);
		return;
	}
	add_plain(l, escapes ? "$'" : "'");
	for (size_t len = strlen(s); len && !l->full;) {
		size_t n = sb_print_piece(s, len, &piece);

		if (*s == '\'')
			add_plain(l, escapes ? "\\'" : "'\\''");
		else if (*s == '\\' && escapes)
			add_plain(l, "\\\\");
		else
			add_piece(l, piece.text, piece.width);
		s += n;
		len -= n;
	}
	add_plain(l, "'");
}

static void add_status(struct line *l, const struct sb_trace_command *c)
{
	char text[48];

	if (!c->status)
		return;
	if (c->status < 0)
		(void)snprintf(text, sizeof text, "cut short");
	else
		(void)snprintf(
			text, sizeof text, "%s %d", WIFSIGNALED(c->status) ? "signal" : "exit",
			WIFSIGNALED(c->status) ? WTERMSIG(c->status) : WEXITSTATUS(c->status));
	add_plain(l, "  (");
	add_plain(l, text);
	add_plain(l, ")");
}

static int print_line(struct line *l, struct sb_err *err)
{
	int rc = l->rc < 0 ? sb_fail(err, ENOMEM, "draw the tree") : 0;

	if (rc == 0)
		puts(sb_buf_str(&l->text));
	sb_buf_free(&l->text);
	return rc;
}

/* An image that took another one's place, and was no fork that did nothing but become it. */
static bool replaced(const struct sb_trace *t, const struct sb_trace_process *p)
{
	return p->parent >= 0 && t->processes[p->parent].pid == p->pid && p->pid &&
	       !t->processes[p->parent].forked;
}

static int print_process(const struct drawing *d, uint32_t index, unsigned depth,
			 const struct sb_trace_command *ended, struct sb_err *err)
{
	const struct sb_trace_process *p = &d->trace->processes[index];
	bool named = p->exe && (!p->argv || !p->argv[0] || strcmp(p->argv[0], p->exe) != 0);
	struct line l = {.text = SB_BUF_INIT};
	char start[32 + 2 * DEPTH_MOST];

	(void)snprintf(start, sizeof start, "%8d  %*s%s", (int)p->pid, (int)depth * 2, "",
		       replaced(d->trace, p) ? "-> " : "");
	if (d->columns)
		l.most = d->columns > (int)strlen(start) + COLUMNS_LEAST
				 ? d->columns
				 : (int)strlen(start) + COLUMNS_LEAST;
	bool has_status = ended && ended->status;
	if (has_status && l.most)
		l.most -= STATUS_COLUMNS;
	add_plain(&l, start);
	if (p->forked)
		add_plain(&l, "(fork)");
	else if (p->argv && p->argv[0])
		for (size_t i = 0; p->argv[i] && !l.full; i++) {
			if (i)
				add_plain(&l, " ");
			add_argument(&l, p->argv[i]);
		}
	else
		add_name(&l, p->exe ? p->exe : "?");
	if (!p->forked && named && p->argv && p->argv[0]) {
		add_plain(&l, "  [");
		add_name(&l, p->exe);
		add_plain(&l, "]");
	}
	if (has_status) {
		l.most += l.most ? STATUS_COLUMNS : 0;
		l.full = false;
		add_status(&l, ended);
	}
	return print_line(&l, err);
}

/* A fork that did nothing but exec is told by what it became. */
static bool only_execs(const struct drawing *d, uint32_t at)
{
	const struct sb_trace *t = d->trace;

	if (t->processes[at].forked)
		for (uint32_t child = d->family.first[at]; child; child = d->family.next[child - 1])
			if (t->processes[child - 1].pid == t->processes[at].pid)
				return true;
	return false;
}

/*
 * An image that another one replaced by exec stands at its place, one line below: the same process
 * goes on. Written with a stack of its own: a hostile trace nests as deep as it is long.
 */
static int print_branch(struct drawing *d, uint32_t root, const struct sb_trace_command *ended,
			struct sb_err *err)
{
	size_t top = 0;
	int rc = 0;

	d->stack[top] = root;
	d->depths[top++] = 0;
	while (top && rc == 0) {
		uint32_t at = d->stack[--top], depth = d->depths[top];

		if (d->printed[at])
			continue;
		d->printed[at] = true;
		if (!only_execs(d, at))
			rc = print_process(d, at, depth < DEPTH_MOST ? depth : DEPTH_MOST,
					   at == root ? ended : NULL, err);
		/* The lists are built backwards, so the stack hands them out forwards. */
		for (uint32_t child = d->family.first[at]; child;
		     child = d->family.next[child - 1]) {
			bool goes_on =
				d->trace->processes[child - 1].pid == d->trace->processes[at].pid;

			d->stack[top] = child - 1;
			d->depths[top++] = depth + (goes_on ? 0 : 1);
		}
	}
	return rc;
}

/* Of a merged trace: whose processes follow. */
static int print_heading(const struct drawing *d, size_t at, struct sb_err *err)
{
	const struct sb_trace_command *c = &d->trace->commands[at];
	struct line l = {.text = SB_BUF_INIT, .most = d->columns};
	char number[64];

	(void)snprintf(number, sizeof number, "%scommand %zu of %zu, in ", at ? "\n" : "", at + 1,
		       d->trace->command_count);
	add_plain(&l, number);
	add_name(&l, c->header.cwd);
	if (c->header.backend) {
		add_plain(&l, ", by ");
		add_name(&l, c->header.backend);
	}
	add_status(&l, c);
	return print_line(&l, err);
}

static int print_command(struct drawing *d, size_t at, struct sb_err *err)
{
	const struct sb_trace *t = d->trace;
	bool merged = t->header.command_count != 0;
	/* Whose end it is that the closing line tells of. */
	const struct sb_trace_command *ended = !merged && t->end.closed ? &t->commands[at] : NULL;
	int rc = merged ? print_heading(d, at, err) : 0;

	for (size_t i = 0; i < t->process_count && rc == 0; i++) {
		if (t->processes[i].parent >= 0 || t->processes[i].command != at)
			continue;
		rc = print_branch(d, (uint32_t)i, ended, err);
		ended = NULL;
	}
	/* What a damaged trace ties into a ring still has its lines. */
	for (size_t i = 0; i < t->process_count && rc == 0; i++)
		if (!d->printed[i] && t->processes[i].command == at)
			rc = print_branch(d, (uint32_t)i, NULL, err);
	return rc;
}

/* 0: a pipe or a file has no width. */
static int columns_of(int fd)
{
	const char *given = getenv("COLUMNS");
	struct winsize size;
	int n = given ? atoi(given) : 0;

	if (n > 0)
		return n;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int sb_show_tree(const struct sb_trace *t, struct sb_err *err)
{
	size_t n = t->process_count;
	auto_free uint32_t *first = calloc(n + 1, sizeof *first);
	auto_free uint32_t *next = calloc(n + 1, sizeof *next);
	auto_free uint32_t *stack = calloc(n + 1, sizeof *stack);
	auto_free uint32_t *depths = calloc(n + 1, sizeof *depths);
	auto_free bool *printed = calloc(n + 1, sizeof *printed);
	struct drawing d = {
		.trace = t,
		.family = {first, next},
		.stack = stack,
		.depths = depths,
		.printed = printed,
		.columns = columns_of(STDOUT_FILENO),
	};
	int rc = 0;

	if (!first || !next || !stack || !depths || !printed)
		return sb_fail(err, ENOMEM, "draw the tree");
	for (size_t i = 0; i < n; i++) {
		int64_t parent = t->processes[i].parent;

		if (parent < 0 || (size_t)parent == i)
			continue;
		next[i] = first[parent];
		first[parent] = (uint32_t)i + 1;
	}
	for (size_t c = 0; c < t->command_count && rc == 0; c++)
		rc = print_command(&d, c, err);
	return rc;
}
