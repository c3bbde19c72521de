#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/trace.h"

static char path[] = "/tmp/sb-trace-XXXXXX";

static void make_file(void)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	close(mkstemp(path));
}

static void remove_file(void)
{
	unlink(path);
}

TestSuite(trace_file, .init = make_file, .fini = remove_file);

static const char *const argv[] = {"cmd", "", "a \"b\"\n\\", "\xff\xfe/x", NULL};
static const char *const env[] = {"A=\xc3\xa9", "B=\xed\xa0\x80", NULL};
static const struct sb_trace_header header = {.backend = "audit",
					      .version = "0",
					      .arch = "x86_64",
					      .cwd = "/w",
					      .argv = argv,
					      .env = env,
					      .started = 1700000000};

static struct sb_trace_writer *begin(void)
{
	struct sb_trace_writer *w = NULL;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_trace_create(path, &header, &w, &err), 0), "%s", err.msg);
	return w;
}

static struct sb_trace *load(void)
{
	struct sb_trace *t = NULL;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_trace_load(path, &t, &err), 0), "%s", err.msg);
	return t;
}

/* Every byte but NUL survives, in paths as in arguments. */
Test(trace_file, bytes_survive)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_writer *w = begin();
	char all[260] = "/";

	for (int i = 1; i < 256; i++)
		all[i] = (char)i;
	struct sb_trace_process p = {.id = 7, .parent = -1, .pid = 42, .ppid = 1, .exe = all};
	struct sb_event ev = {.kind = SB_WRITE,
			      .op = SB_OP_RENAME,
			      .existed = SB_NO,
			      .outcome = 13,
			      .process = 7,
			      .count = 3,
			      .path = all,
			      .real = "/caf\xc3\xa9",
			      .backend = "audit"};
	struct sb_trace_file f = {.path = all,
				  .dev = UINT64_MAX,
				  .ino = 9007199254740993u,
				  .size = 1,
				  .mtime = -5,
				  .mtime_ns = 123456789,
				  .mode = 0100644};
	struct sb_trace_blind blind = {SB_BLIND_STATIC, all, 2};
	struct sb_trace_end end = {.status = 256, .lost = 4, .blind = &blind, .blind_count = 1};
	cr_assert(eq(int, sb_trace_put_event(w, &ev, &err), 0));
	cr_assert(eq(int, sb_trace_put_process(w, &p, &err), 0));
	cr_assert(eq(int, sb_trace_put_file(w, &f, &err), 0));
	cr_assert(eq(int, sb_trace_close(w, &end, &err), 0));

	struct sb_trace *t = load();
	cr_assert(eq(str, (char *)t->header.cwd, "/w"));
	for (int i = 0; argv[i]; i++)
		cr_assert(eq(str, (char *)t->header.argv[i], (char *)argv[i]));
	cr_assert(t->header.argv[4] == NULL);
	cr_assert(eq(str, (char *)t->header.env[1], (char *)env[1]));
	cr_assert(eq(i64, t->header.started, 1700000000));
	cr_assert(eq(sz, t->process_count, 1));
	cr_assert(eq(str, (char *)t->processes[0].exe, all));
	cr_assert(eq(int, t->processes[0].pid, 42));
	cr_assert(t->processes[0].argv == NULL);
	cr_assert(eq(sz, t->event_count, 1));
	cr_assert(eq(str, (char *)t->events[0].path, all));
	cr_assert(eq(str, (char *)t->events[0].real, "/caf\xc3\xa9"));
	cr_assert(eq(int, t->events[0].outcome, 13));
	cr_assert(eq(int, t->events[0].existed, SB_NO));
	cr_assert(eq(int, t->events[0].op, SB_OP_RENAME));
	cr_assert(eq(u32, t->events[0].process, 0));
	const struct sb_trace_file *found = sb_trace_find_file(t, all);
	cr_assert(found != NULL);
	cr_assert(eq(u64, found->dev, UINT64_MAX));
	cr_assert(eq(u64, found->ino, 9007199254740993u));
	cr_assert(eq(i64, found->mtime, -5));
	cr_assert(eq(u32, found->mtime_ns, 123456789));
	cr_assert(sb_trace_find_file(t, "/none") == NULL);
	cr_assert(t->end.closed);
	cr_assert(eq(u64, t->end.lost, 4));
	cr_assert(eq(str, (char *)t->end.blind[0].path, all));
	sb_trace_free(t);
}

Test(trace_file, is_private_even_where_it_was_not)
{
	struct sb_err err = SB_ERR_INIT;
	struct stat st;

	chmod(path, 0666);
	sb_trace_abandon(begin());
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0600));
	struct sb_trace_writer *w;
	cr_assert(eq(int, sb_trace_create("/no/such/dir/t", &header, &w, &err), -ENOENT));
}

/* What stands twice is added up; an unknown outcome is not 0. */
Test(trace_file, repeats_add_up)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_writer *w = begin();
	struct sb_event ev = {.kind = SB_OPEN,
			      .existed = SB_TRI_UNKNOWN,
			      .outcome = SB_OUTCOME_UNKNOWN,
			      .count = 2,
			      .path = "/a"};

	for (int i = 0; i < 3; i++)
		cr_assert(eq(int, sb_trace_put_event(w, &ev, &err), 0));
	ev.outcome = 0;
	cr_assert(eq(int, sb_trace_put_event(w, &ev, &err), 0));
	sb_trace_abandon(w);
	struct sb_trace *t = load();
	cr_assert(eq(sz, t->event_count, 2));
	cr_assert(eq(u64, t->events[0].count, 6));
	cr_assert(eq(int, t->events[0].outcome, SB_OUTCOME_UNKNOWN));
	cr_assert(t->events[0].real == NULL);
	cr_assert(not(t->end.closed));
	/* Its process has no line, and an index all the same. */
	cr_assert(eq(sz, t->process_count, 1));
	sb_trace_free(t);
}

#define HEADER "{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":[\"x\"]}\n"
#define EVENT  "{\"event\":\"open\",\"process\":0,\"path\":\"/a\",\"outcome\":0,\"count\":1}\n"
#define END    "{\"end\":true,\"status\":0,\"lost\":0,\"blind\":[]}\n"

static void write_text(const char *text, size_t len)
{
	auto_file FILE *f = fopen(path, "w");

	cr_assert(f != NULL);
	fwrite(text, 1, len, f);
}

static const struct {
	const char *text, *says;
} hostile[] = {
	{"", "empty"},
	{"\n", "line 1"},
	{"hello\n", "line 1"},
	{"[]\n", "line 1"},
	{"{\"event\":\"open\"}\n", "not a sidebundle trace"},
	{"{\"sidebundle-trace\":\"1\"}\n", "not a sidebundle trace"},
	{"{\"sidebundle-trace\":2,\"cwd\":\"/\",\"argv\":[\"x\"]}\n", "format 2"},
	{"{\"sidebundle-trace\":1,\"argv\":[\"x\"]}\n", "cwd"},
	{"{\"sidebundle-trace\":1,\"cwd\":\"rel\",\"argv\":[\"x\"]}\n", "absolute"},
	{"{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":[]}\n", "argv"},
	{"{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":[1]}\n", "argv"},
	{"{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":\"x\"}\n", "argv"},
	{HEADER HEADER, "second header"},
	{HEADER "nonsense\n", "line 2"},
	{HEADER "{\"event\":\"open\"} x\n", "line 2"},
	{HEADER "{\"event\":7,\"process\":0,\"path\":\"/a\"}\n", "event"},
	{HEADER "{\"event\":\"fly\",\"process\":0,\"path\":\"/a\"}\n", "event"},
	{HEADER "{\"event\":\"open\",\"process\":0}\n", "path"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":\"a\"}\n", "absolute"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":[\"/a\"]}\n", "path"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":\"/a\\u0000b\"}\n", "line 2"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":{\"hex\":\"2f0\"}}\n", "path"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":{\"hex\":\"2f00\"}}\n", "path"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":{\"hex\":\"2fzz\"}}\n", "path"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":{}}\n", "path"},
	{HEADER "{\"event\":\"open\",\"path\":\"/a\"}\n", "process"},
	{HEADER "{\"event\":\"open\",\"process\":-1,\"path\":\"/a\"}\n", "process"},
	{HEADER "{\"event\":\"open\",\"process\":1e300,\"path\":\"/a\"}\n", "process"},
	{HEADER "{\"event\":\"open\",\"process\":0.5,\"path\":\"/a\"}\n", "process"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":\"/a\",\"outcome\":\"0\"}\n",
	 "outcome"},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":\"/a\",\"count\":-3}\n", "count"},
	{HEADER "{\"event\":\"write\",\"process\":0,\"path\":\"/a\",\"op\":\"fly\"}\n", "op"},
	{HEADER "{\"event\":\"write\",\"process\":0,\"path\":\"/a\",\"existed\":1}\n", "existed"},
	{HEADER "{\"process\":\"0\"}\n", "process"},
	{HEADER "{\"process\":0,\"pid\":1}\n{\"process\":0,\"pid\":1}\n", "twice"},
	{HEADER "{\"process\":0,\"pid\":1e12}\n", "pid"},
	{HEADER "{\"file\":\"/a\",\"dev\":1,\"ino\":\"1\"}\n", "dev"},
	{HEADER "{\"file\":\"/a\",\"dev\":\"1x\",\"ino\":\"1\"}\n", "dev"},
	{HEADER "{\"file\":\"/a\",\"dev\":\"99999999999999999999\"}\n", "dev"},
	{HEADER "{\"file\":\"/a\",\"dev\":\"1\",\"ino\":\"1\",\"size\":\"1\",\"mtime\":\"x\"}\n",
	 "mtime"},
	{HEADER "{\"end\":true,\"status\":-1}\n", "status"},
	{HEADER "{\"end\":true,\"blind\":{}}\n", "blind"},
	{HEADER "{\"end\":true,\"blind\":[7]}\n", "blind"},
	{HEADER "{\"end\":true,\"blind\":[{\"why\":\"no\"}]}\n", "why"},
	{HEADER END EVENT, "after the closing line"},
};

/* One clear line with the line's number, whatever comes. */
Test(trace_file, hostile)
{
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_trace *t = NULL;

		write_text(hostile[i].text, strlen(hostile[i].text));
		cr_expect(lt(int, sb_trace_load(path, &t, &err), 0), "case %zu", i);
		cr_expect(strstr(err.msg, hostile[i].says) != NULL, "case %zu: '%s' has no '%s'", i,
			  err.msg, hostile[i].says);
		cr_expect(strstr(err.msg, path) != NULL, "case %zu: '%s'", i, err.msg);
		cr_expect(t == NULL);
	}
}

static const struct {
	const char *text;
	size_t events;
	int closed;
} fine[] = {
	{HEADER, 0, 0},
	{HEADER EVENT END, 1, 1},
	{HEADER EVENT "{\"event\":\"open\",\"proc", 1, 0},
	{HEADER EVENT "{\"end\":true,\"status\":0}", 1, 1}, /* whole, but for its newline */
	{HEADER "{\"later\":[1,2,{\"deep\":null}]}\n" EVENT END, 1, 1},
	{HEADER "{\"event\":\"open\",\"process\":0,\"path\":\"/a\",\"new\":true}\n" END, 1, 1},
	{HEADER "{\"event\":\"open\",\"process\":4294967295,\"path\":\"/\\\\u0000\"}\n" END, 1, 1},
};

Test(trace_file, read_as_far_as_it_goes)
{
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		write_text(fine[i].text, strlen(fine[i].text));
		struct sb_trace *t = load();
		cr_expect(eq(sz, t->event_count, fine[i].events), "case %zu", i);
		cr_expect(eq(int, t->end.closed, fine[i].closed), "case %zu", i);
		sb_trace_free(t);
	}
}

Test(trace_file, a_nul_or_a_deep_nest_is_damage)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t = NULL;
	static char deep[100000];

	write_text(HEADER "{\"event\"\0:1}\n", sizeof HEADER - 1 + 13);
	cr_assert(lt(int, sb_trace_load(path, &t, &err), 0));
	strcpy(deep, HEADER);
	memset(deep + sizeof HEADER - 1, '[', sizeof deep - sizeof HEADER);
	deep[sizeof deep - 2] = '\n';
	write_text(deep, sizeof deep - 1);
	cr_assert(lt(int, sb_trace_load(path, &t, &err), 0));
	cr_assert(strstr(err.msg, "line 2") != NULL);
}

Test(trace_file, must_be_there)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t = NULL;

	cr_assert(eq(int, sb_trace_load("/no/such/trace", &t, &err), -ENOENT));
	cr_assert(eq(int, sb_trace_load("/tmp", &t, &err), -EISDIR));
}

/* In place of half a line, of any length; and not after a closing one. */
Test(trace_file, says_that_its_writer_was_killed)
{
	static const size_t halves[] = {0, 1, 100, 4095, 4096, 20000};

	for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_trace_writer *w = begin();
		struct sb_trace_process p = {.id = 0, .parent = -1, .pid = 42, .exe = "/x"};

		cr_assert(eq(int, sb_trace_put_process(w, &p, &err), 0));
		sb_trace_abandon(w);
		int fd = open(path, O_WRONLY | O_APPEND);
		for (size_t n = 0; n < halves[i]; n++)
			cr_assert(eq(sz, (size_t)write(fd, n ? "x" : "{", 1), 1));
		cr_assert(eq(int, sb_trace_note_death(fd, 1700000001), 0));
		close(fd);
		struct sb_trace *t = load();
		cr_expect(not(t->end.closed));
		cr_expect(eq(i64, t->end.died, 1700000001));
		cr_expect(eq(sz, t->process_count, 1));
		cr_assert(eq(sz, t->end.blind_count, 1));
		cr_expect(eq(int, t->end.blind[0].blind, SB_BLIND_DIED));
		sb_trace_free(t);
	}
}

Test(trace_file, says_nothing_of_a_death_where_all_was_written)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_end end = {.status = 0};

	cr_assert(eq(int, sb_trace_close(begin(), &end, &err), 0));
	int fd = open(path, O_WRONLY);
	cr_assert(eq(int, sb_trace_note_death(fd, 1700000001), 0));
	close(fd);
	struct sb_trace *t = load();
	cr_expect(t->end.closed);
	cr_expect(eq(i64, t->end.died, 0));
	sb_trace_free(t);
	/* What is no file is left alone. */
	fd = open("/dev/null", O_WRONLY);
	cr_expect(eq(int, sb_trace_note_death(fd, 1), -EINVAL));
	close(fd);
}

/* --- into a pipe, with signals ---------------------------------------------------------------- */

static int go = -1;
static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	if (++alarms == 3)
		(void)!write(go, "", 1);
}

/* Reads the pipe once it is told to; the number of lines is its status. */
static void read_late(int told)
{
	char piece[4096];
	int lines = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY);

	(void)!read(told, piece, 1);
	while ((n = read(fd, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += piece[i] == '\n';
	_exit(lines == 2002 ? 0 : 1);
}

/* Its reader sleeps until the writer, who sleeps too, was woken three times. */
Test(trace_file, a_signal_costs_no_line, .timeout = 30)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	struct sb_event ev = {
		.kind = SB_OPEN, .count = 1, .path = "/some/where", .backend = "ptrace"};
	struct sb_trace_end end = {.status = 0};
	struct sb_err err = SB_ERR_INIT;
	int pair[2], status;

	(void)unlink(path);
	cr_assert(eq(int, mkfifo(path, 0600), 0));
	cr_assert(eq(int, pipe(pair), 0));
	go = pair[1];
	pid_t pid = fork();
	if (pid == 0)
		read_late(pair[0]);
	struct sb_trace_writer *w = begin();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2000; i++)
		cr_assert(eq(int, sb_trace_put_event(w, &ev, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_trace_close(w, &end, &err), 0), "%s", err.msg);
	setitimer(ITIMER_REAL, &never, NULL);
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_expect(eq(int, status, 0));
	cr_expect(ge(int, alarms, 3));
}
