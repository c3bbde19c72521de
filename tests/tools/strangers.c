/*
 * strangers [--payload DIR] [--mine PREFIX]... ROOT TRACE: files of a machine that a bundle's run
 * there opened or executed, and that neither the bundle has nor its machine is to provide.
 *
 * TRACE was taken outside, of `enter --root ROOT ... -- ENTRY`: what enter itself does, or bwrap on
 * the way, is not looked at, nor that the launcher starts bwrap. A file counts where ROOT has it,
 * as anything but a directory. Names below a PREFIX are the bundle's own or the run's; --payload:
 * the run had the payload as its root, where whatever it has is meant. Prints each stranger with
 * the program that opened it, then a line of sums; exits 1 when there is one, or when the trace is
 * cut short, lost events or was blind.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bundler/rules.h"
#include "common/map.h"
#include "common/path.h"
#include "tracer/trace.h"

#define MOST 16

struct state {
	const struct sb_trace *trace;
	const char *mine[MOST];
	int mine_count;
	int root, payload; /* -1: none */
	struct sb_map told;
	unsigned long looked_at, strange, blind;
};

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "strangers: %s\n", what);
	exit(2);
}

static bool leads_there(const char *program)
{
	const char *base = strrchr(program, '/');

	return base && (!strcmp(base, "/enter") || !strcmp(base, "/bwrap"));
}

/* Whether that root has it, links followed within, as anything but a directory. */
static bool is_file_in(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	struct stat st;
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	bool is = fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);

	if (fd >= 0)
		close(fd);
	return is;
}

static const char *program_of(const struct state *st, const struct sb_event *ev)
{
	const char *exe = ev->process < st->trace->process_count
				  ? st->trace->processes[ev->process].exe
				  : NULL;

	return exe ? exe : "?";
}

static bool is_mine(const struct state *st, const char *path)
{
	for (int i = 0; i < st->mine_count; i++)
		if (sb_path_below(path, st->mine[i]))
			return true;
	return sb_is_system_path(path) || sb_is_target_file(path);
}

static bool opens(const struct sb_event *ev)
{
	return ev->kind == SB_EXEC || ev->kind == SB_OPEN || ev->kind == SB_LOAD ||
	       (ev->kind == SB_WRITE && ev->op == SB_OP_OPEN);
}

/* The machine's own, as the mode needs it: started by the launcher, and by nobody else. */
static bool starts_the_way(const struct state *st, const struct sb_event *ev, const char *path)
{
	return ev->kind == SB_EXEC && leads_there(path) && is_mine(st, program_of(st, ev));
}

static void look_at(struct state *st, const struct sb_event *ev)
{
	const char *path = ev->real ? ev->real : ev->path;
	const char *program = program_of(st, ev);
	int added;

	if (!opens(ev) || ev->outcome > 0 || leads_there(program))
		return;
	st->looked_at++;
	if (is_mine(st, path) || is_mine(st, ev->path) || !is_file_in(st->root, path) ||
	    (st->payload >= 0 && is_file_in(st->payload, path)) || starts_the_way(st, ev, path))
		return;
	if (!sb_map_adds(&st->told, path, &added))
		die("out of memory");
	if (!added)
		return;
	printf("%s %s: %s, by %s\n", sb_kind_name(ev->kind), path, ev->outcome ? "perhaps" : "did",
	       program);
	st->strange++;
}

int main(int argc, char **argv)
{
	struct state st = {.root = -1, .payload = -1};
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace;
	int i = 1;

	for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
		if (!strcmp(argv[i], "--payload"))
			st.payload = open(argv[i + 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
		else if (!strcmp(argv[i], "--mine") && st.mine_count < MOST)
			st.mine[st.mine_count++] = argv[i + 1];
		else
			die("usage: strangers [--payload DIR] [--mine PREFIX]... ROOT TRACE");
	}
	if (argc - i != 2)
		die("usage: strangers [--payload DIR] [--mine PREFIX]... ROOT TRACE");
	st.root = open(argv[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (st.root < 0)
		die("the root cannot be opened");
	if (sb_trace_load(argv[i + 1], &trace, &err) < 0)
		die(err.msg);
	if (!trace->end.closed || trace->end.lost)
		die("the trace is cut short, or lost events");
	st.trace = trace;
	for (size_t k = 0; k < trace->end.blind_count; k++) {
		printf("blind: %s %s\n", sb_blind_name(trace->end.blind[k].blind),
		       trace->end.blind[k].path ? trace->end.blind[k].path : "");
		st.blind++;
	}
	for (size_t k = 0; k < trace->event_count; k++)
		look_at(&st, &trace->events[k]);
	printf("%lu opens, %lu of files that are neither the bundle's nor the machine's to give\n",
	       st.looked_at, st.strange);
	/* A run of which nothing was seen shows nothing. */
	return st.strange || st.blind || !st.looked_at;
}
