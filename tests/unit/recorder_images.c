/* The recorder in children, threads of control and sandboxes; and what the collector makes of it.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "preload/str.h"
#include "preload/write.h"
#include "tests/unit/tracee.h"
#include "tracer/collect.h"
#include "tracer/sink.h"
#include "tracer/trace.h"

TestSuite(recorder_images, .init = tracee_begin, .fini = tracee_end);
TestSuite(recorder_traced, .init = tracee_log, .fini = tracee_end);

/* A fork that runs on is an image of its own, and says whose child it is. */
Test(recorder_images, a_fork_is_an_image)
{
	uint64_t image = sb_self()->image;
	struct tracee_walk w = {0};
	const struct record *rec;

	tracee_open("/both", 0);
	pid_t pid = fork();
	if (pid == 0) {
		tracee_open("/both", 0);
		tracee_open("/child", 0);
		_exit(0);
	}
	cr_assert(eq(int, tracee_wait(pid), 0));
	tracee_open("/parent", 0);
	rec = tracee_find(SB_REC_HELLO, 0, tracee_cwd, 1);
	cr_assert(rec != NULL);
	cr_expect(eq(int, rec->head.dirfd, 1));
	cr_expect(eq(u64, rec->head.arg, image));
	cr_expect(eq(int, rec->head.value, getpid()));
	/* What its parent has seen is news for it: by whom it was done counts. */
	cr_expect(eq(sz, tracee_count(SB_OPEN, "/both"), 2));
	while ((rec = tracee_next(&w)))
		if (rec->head.kind == SB_OPEN && strcmp(rec->strings[0], "/child") == 0) {
			cr_expect(eq(int, w.memory->pid, pid));
			cr_expect(ne(u64, w.memory->image, image));
		} else if (rec->head.kind == SB_OPEN && strcmp(rec->strings[0], "/parent") == 0) {
			cr_expect(eq(u64, w.memory->image, image));
		}
}

/* It shares our memory, and is no image; where it stands is its own, and told with each name. */
Test(recorder_images, a_vfork_child_that_moves)
{
	uint64_t image = sb_self()->image;
	const struct record *rec;

	pid_t pid = vfork();
	if (pid == 0) {
		(void)syscall(SYS_chdir, "/etc");
		sb_record_moved();
		tracee_open("in-etc", 0);
		_exit(0);
	}
	cr_assert(eq(int, tracee_wait(pid), 0));
	tracee_open("at-home", 0);
	cr_expect(eq(u64, sb_self()->image, image));
	rec = tracee_find(SB_OPEN, 0, "in-etc", 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u8, rec->head.flags, SB_REC_DIR));
	tracee_expect_text(rec, 1, "/etc");
	rec = tracee_find(SB_OPEN, 0, "at-home", 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u32, rec->head.where, 0));
	cr_expect(eq(u8, rec->head.flags, 0));
}

static volatile int interrupts;

static void interrupt(int number)
{
	char path[32];
	size_t at = 0;

	(void)number;
	(void)sb_puts(path, sizeof path, &at, "/signal/");
	(void)sb_put_number(path, sizeof path, &at, (uint64_t)interrupts, 10);
	tracee_open(path, 0);
	interrupts++;
}

Test(recorder_images, interrupted_anywhere)
{
	const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	struct tracee_walk w = {0};
	const struct record *rec;
	int written = 0;
	uint64_t opens = 0, signals = 0;

	signal(SIGALRM, interrupt);
	cr_assert(eq(int, setitimer(ITIMER_REAL, &often, NULL), 0));
	for (; interrupts < 200; written++) {
		char path[32];

		(void)snprintf(path, sizeof path, "/main/%d", written);
		tracee_open(path, 0);
		sb_log_ahead(the_log);
	}
	cr_assert(eq(int, setitimer(ITIMER_REAL, &never, NULL), 0));
	while ((rec = tracee_next(&w))) {
		const char *s = record_string(rec, 0);

		opens += s && strncmp(s, "/main/", 6) == 0;
		signals += s && strncmp(s, "/signal/", 8) == 0;
	}
	cr_expect(eq(u64, opens, (uint64_t)written));
	cr_expect(eq(u64, signals, (uint64_t)interrupts));
}

/* In seccomp's strict mode a system call, or the cycle counter, would be the end. */
Test(recorder_images, sandboxed)
{
	pid_t pid = fork();

	if (pid == 0) {
		sb_record_sandboxed();
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
			syscall(SYS_exit, 77);
		for (int i = 0; i < 100; i++)
			tracee_open(i % 2 ? "/strict" : "relative", 0);
		sb_record_moved();
		tracee_open("behind", 0);
		sb_record_wanders(true);
		tracee_open("wandering", 0);
		sb_record_wanders(false);
		tracee_open("behind", 0);
		syscall(SYS_exit, 0);
	}
	int status = tracee_wait(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("a kernel with seccomp");
	cr_expect(eq(int, status, 0));
	cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "/strict", 0)->head.count, 50));
	cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "relative", 0)->head.count, 50));
	/* It has moved, and may not ask where to. */
	const struct record *rec = tracee_find(SB_OPEN, 0, "behind", 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u32, rec->head.count, 2));
	uint32_t where = rec->head.where;
	rec = tracee_find(SB_REC_WHERE, 0, NULL, 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u32, rec->head.where, where));
	tracee_expect_text(rec, 0, SB_NOWHERE);
	cr_expect(tracee_find(SB_OPEN, 0, "wandering", 0) == NULL);
	cr_expect(eq(u64, sb_log_head(the_log)->lost_sandboxed, 1));
}

/* --- where it stands -------------------------------------------------------------------------- */

/* libc moves about by itself: names come with the directory that they are relative to. */
Test(recorder_images, while_libc_wanders)
{
	const struct record *rec;

	sb_record_wanders(true);
	(void)syscall(SYS_chdir, "/etc");
	tracee_open("in-etc", ENOENT);
	(void)syscall(SYS_chdir, "/usr");
	tracee_open("in-usr", ENOENT);
	sb_record_wanders(false);
	tracee_open("after", ENOENT);
	rec = tracee_find(SB_OPEN, 0, "in-etc", 0);
	cr_assert(rec != NULL);
	tracee_expect_text(rec, 1, "/etc");
	tracee_expect_text(tracee_find(SB_OPEN, 0, "in-usr", 0), 1, "/usr");
	rec = tracee_find(SB_OPEN, 0, "after", 0);
	cr_expect(eq(u8, rec->head.flags, 0));
	cr_expect(eq(u32, rec->head.where, 1));
	tracee_expect_text(tracee_find(SB_REC_WHERE, 0, NULL, 0), 0, "/usr");
}

static void change_root(const char *path, bool crowded)
{
	const struct rlimit none = {0, 0};

	if (crowded && setrlimit(RLIMIT_NOFILE, &none) < 0)
		_exit(1);
	_exit(sb_record_chroot(path) < 0);
}

/* The new root is called by what a descriptor of it names; or, where none is free, by its path. */
Test(recorder_images, roots)
{
	char absolute[80], link[80];
	const struct {
		const char *path, *crowded; /* what the path says: NULL the same as it is called */
	} rows[] = {{absolute, NULL},	   {"jail", NULL}, {"jail/", NULL},
		    {"./jail", "/./jail"}, {".", ""},	   {link, "/link"}};
	size_t roots = 0;

	if (geteuid() != 0)
		cr_skip_test("CAP_SYS_CHROOT");
	(void)snprintf(absolute, sizeof absolute, "%s/jail", tracee_cwd);
	(void)snprintf(link, sizeof link, "%s/link", tracee_cwd);
	cr_assert(eq(int, mkdir("jail", 0700), 0));
	cr_assert(eq(int, symlink("jail", "link"), 0));
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		bool crowded = i % 2;
		const char *said = crowded && rows[i / 2].crowded ? rows[i / 2].crowded : "/jail";
		char want[160];

		if (strcmp(rows[i / 2].path, ".") == 0)
			said = "";
		pid_t pid = fork();
		if (pid == 0)
			change_root(rows[i / 2].path, crowded);
		cr_assert(eq(int, tracee_wait(pid), 0));
		(void)snprintf(want, sizeof want, "%s%s", tracee_cwd, said);
		const struct record *rec = tracee_find(SB_REC_WHERE, 0, NULL, roots++);
		cr_assert(rec != NULL, "%s", rows[i / 2].path);
		tracee_expect_text(rec, 1, want);
	}
}

/* --- all the way ------------------------------------------------------------------------------ */

static const struct sb_event *event_of(const struct sb_trace *t, enum sb_kind kind,
				       const char *path)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].kind == kind && strcmp(t->events[i].path, path) == 0)
			return &t->events[i];
	return NULL;
}

/* Told by the recorder, read by the collector, written and loaded again as a trace. */
static struct sb_trace *traced(void (*program)(void))
{
	static const char *const argv[] = {"first", NULL};
	static const struct sb_first first = {.exe = "/bin/first", .expected = true};
	const struct sb_trace_header header = {
		.backend = "audit", .version = "0", .cwd = tracee_cwd, .argv = argv};
	struct sb_err err = SB_ERR_INIT;
	struct sb_collector *collector;
	struct sb_sink_summary sum;
	struct sb_trace_writer *w;
	struct sb_sink *sink;
	struct sb_trace *t;
	pid_t self = getpid();

	cr_assert(eq(int, sb_trace_create("trace", &header, &w, &err), 0), "%s", err.msg);
	struct sb_sink_spec spec = {.writer = w, .backend = "audit"};
	cr_assert(eq(int, sb_sink_new(&spec, &sink, &err), 0));
	cr_assert(eq(int, sb_collector_new(the_log, sink, &first, &collector, &err), 0));
	program();
	sb_collector_finish(collector, &self, 1);
	cr_assert(eq(int, sb_sink_finish(sink, 0, &sum, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_trace_load("trace", &t, &err), 0), "%s", err.msg);
	sb_collector_free(collector);
	sb_sink_free(sink);
	return t;
}

static void some_program(void)
{
	int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		tracee_open("here", ENOENT);
	sb_record(&(struct sb_access){
		.kind = SB_STAT, .dirfd = etc, .path = "../etc/passwd", .fd = -1});
	sb_record(&(struct sb_access){.kind = SB_WRITE,
				      .op = SB_OP_OPEN,
				      .flags = SB_REC_EXISTED,
				      .dirfd = AT_FDCWD,
				      .path = "/etc/passwd",
				      .fd = -1});
	(void)syscall(SYS_chdir, "/usr");
	sb_record_moved();
	tracee_open("here", ENOENT);
	pid_t pid = fork();
	if (pid == 0) {
		tracee_open("child", ENOENT);
		_exit(0);
	}
	cr_assert(eq(int, tracee_wait(pid), 0));
	(void)syscall(SYS_chdir, tracee_cwd);
	close(etc);
}

Test(recorder_traced, to_a_trace_and_back)
{
	char here[128];
	const struct sb_event *ev;

	/* Token 0: the command itself. */
	char trace[512], *envp[] = {trace, NULL}, *argv[] = {"first", "x", NULL};
	(void)snprintf(trace, sizeof trace, SB_ENV_TRACE "=0:%s", sb_log_path(the_log));
	cr_assert(sb_start(argv, envp));
	struct sb_trace *t = traced(some_program);
	(void)snprintf(here, sizeof here, "%s/here", tracee_cwd);
	ev = event_of(t, SB_OPEN, here);
	cr_assert(ev != NULL);
	cr_expect(eq(u64, ev->count, 3));
	cr_expect(eq(int, ev->outcome, ENOENT));
	cr_expect(event_of(t, SB_OPEN, "/usr/here") != NULL);
	ev = event_of(t, SB_WRITE, "/etc/passwd");
	cr_assert(ev != NULL);
	cr_expect(eq(int, ev->existed, SB_YES));
	ev = event_of(t, SB_STAT, "/etc/../etc/passwd");
	cr_assert(ev != NULL);
	cr_expect(eq(str, (char *)ev->real, "/etc/passwd"));
	ev = event_of(t, SB_OPEN, "/usr/child");
	cr_assert(ev != NULL);
	cr_assert(eq(sz, t->process_count, 2));
	cr_expect(eq(u32, ev->process, 1));
	cr_expect(t->processes[1].forked);
	cr_expect(eq(i64, t->processes[1].parent, 0));
	cr_expect(eq(str, (char *)t->processes[0].exe, "/bin/first"));
	cr_expect(eq(str, (char *)t->processes[0].argv[1], "x"));
	cr_expect(eq(u64, t->end.lost, 0));
	sb_trace_free(t);
}
