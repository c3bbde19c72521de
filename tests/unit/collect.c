#include "tests/unit/collect.h"

TestSuite(collect, .init = set_up, .fini = tear_down);

/* Names become absolute by the working directory or descriptor of their time, counts the last. */
Test(collect, names_and_counts)
{
	struct writer w = claim(0, getpid());

	hello(&w, "/usr");
	struct sb_rec *rec =
		put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("lib/a"));
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .where = 5, .outcome = 2},
	    TEXT("./b//c"));
	put(&w, &(struct sb_rec){.kind = SB_STAT, .strings = 2, .flags = SB_REC_DIR, .outcome = 2},
	    "d\0/etc", 7);
	put(&w, &(struct sb_rec){.kind = SB_LOAD, .strings = 2}, "/usr/lib/l.so\0", 15);
	cr_assert(eq(sz, sb_collector_poll(collector), 4)); /* one waits for its directory */
	sb_collector_tell(collector);
	sb_collector_tell(collector); /* the rest of the count later */
	put(&w, &(struct sb_rec){.kind = SB_REC_WHERE, .strings = 2, .where = 5}, "/var\0", 6);
	__atomic_add_fetch(&rec->count, 41, __ATOMIC_SEQ_CST);
	cr_assert(eq(sz, sb_collector_poll(collector), 2));
	w.chunk->retired = 1;
	struct sb_trace *t = finish();
	const struct sb_event *ev = find(t, "/usr/lib/a");
	cr_assert(ev != NULL);
	cr_assert(eq(u64, ev->count, 42));
	cr_assert(find(t, "/var/b/c") != NULL);
	cr_assert(find(t, "/etc/d") != NULL);
	ev = find(t, "/usr/lib/l.so");
	cr_assert(ev != NULL);
	cr_assert(eq(str, (char *)ev->by, "/bin/first"));
	cr_assert(eq(sz, t->process_count, 1));
	cr_assert(eq(u64, t->end.lost, 0));
	sb_trace_free(t);
}

Test(collect, told_early)
{
	struct writer w = claim(0, getpid());
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t;

	hello(&w, "/");
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/a"));
	put(&w, &(struct sb_rec){.kind = SB_EXEC, .strings = 1, .outcome = SB_OUTCOME_PENDING},
	    TEXT("/b"));
	sb_collector_poll(collector);
	sb_collector_tell(collector);
	sb_sink_save(sink);
	cr_assert(eq(int, sb_trace_load(trace_path, &t, &err), 0));
	cr_expect(eq(sz, t->event_count, 1));
	sb_trace_free(t);
}

/* Better not told than told by where it stood before; and what it starts stands there, too. */
Test(collect, moved_under_a_filter)
{
	struct writer w = claim(0, getpid());

	hello(&w, "/usr");
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("before"));
	put(&w, &(struct sb_rec){.kind = SB_REC_WHERE, .strings = 2, .where = 5}, SB_NOWHERE "\0",
	    3);
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .where = 5}, TEXT("behind"));
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .where = 5}, TEXT("/absolute"));
	put(&w, &(struct sb_rec){.kind = SB_STAT, .strings = 2, .flags = SB_REC_DIR, .where = 5},
	    "d\0/etc", 7);
	put(&w, &(struct sb_rec){.kind = SB_REC_WHERE, .strings = 2, .where = 6}, "\0", 2);
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .where = 6}, TEXT("removed"));
	sb_collector_poll(collector);
	struct sb_trace *t = finish();
	cr_expect(find(t, "/usr/before") != NULL);
	cr_expect(find(t, "/usr/behind") == NULL);
	cr_expect(find(t, "/absolute") != NULL);
	cr_expect(find(t, "/etc/d") != NULL);
	cr_expect(find(t, "/usr/removed") == NULL);
	cr_expect(eq(u64, blind_count(t, SB_BLIND_SANDBOX), 2));
	cr_expect(eq(u64, t->end.lost, 2));
	sb_trace_free(t);
}

/* An exec is successful unless a failure was stored over it; its image hangs below it. */
Test(collect, execs)
{
	struct writer w = claim(0, getpid());
	const struct sb_rec exec = {.kind = SB_EXEC, .strings = 255, .outcome = SB_OUTCOME_PENDING};

	hello(&w, "/");
	uint64_t place = SB_PLACE(w.number, w.at);
	put(&w, &exec, "/bin/child\0child\0\1\1", 19);
	struct sb_rec *failed = put(&w, &exec, "/bin/failed\0failed", 19);
	put(&w, &exec, "/bin/silent\0silent", 19);
	uint64_t seen = SB_PLACE(w.number, w.at);
	put(&w, &exec, "/bin/static\0static", 19);
	put(&w,
	    &(struct sb_rec){
		    .kind = SB_REC_BLIND, .strings = 1, .value = SB_BLIND_STATIC, .arg = seen},
	    TEXT("/bin/static"));
	sb_collector_poll(collector);
	failed->outcome = ENOENT;
	struct writer child = claim(0, 1);
	put(&child,
	    &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 255, .arg = place, .value = 1},
	    "/tmp\0child\0\0\1\1\1\1", 16);
	sb_collector_poll(collector);
	struct sb_trace *t = finish();
	cr_assert(eq(int, find(t, "/bin/child")->outcome, 0));
	cr_assert(eq(int, find(t, "/bin/failed")->outcome, ENOENT));
	cr_assert(eq(u64, blind_count(t, SB_BLIND_STATIC), 1));
	cr_assert(eq(u64, blind_count(t, SB_BLIND_SILENT), 1));
	cr_assert(eq(sz, t->process_count, 2));
	const struct sb_trace_process *p = &t->processes[1];
	cr_assert(eq(i64, p->parent, 0));
	cr_assert(eq(str, (char *)p->exe, "/bin/child"));
	cr_assert(eq(str, (char *)p->argv[0], "child"));
	cr_assert(eq(str, (char *)p->argv[1], "")); /* an empty argument is one */
	cr_assert(p->argv[2] == NULL);
	sb_trace_free(t);
}

static struct sb_watch_image asked[4];
static unsigned asked_count;

static uint32_t give_number(void *arg, const struct sb_watch_image *image)
{
	(void)arg;
	cr_assert(lt(uint, asked_count, 4));
	asked[asked_count] = *image;
	sb_sink_process(sink, &(struct sb_trace_process){.id = asked_count, .parent = -1});
	return asked_count++;
}

/*
 * Under a guard: an exec that passed it is told by who is asked for its image's number, however
 * late that says hello; one that failed, and one whose image never spoke, by us; one that the guard
 * was told of by nobody here.
 */
Test(collect, execs_that_passed_a_guard)
{
	const struct sb_rec exec = {.kind = SB_EXEC,
				    .flags = SB_REC_PASSED,
				    .strings = 255,
				    .outcome = SB_OUTCOME_PENDING},
			    reported = {
				    .kind = SB_EXEC, .strings = 255, .outcome = SB_OUTCOME_PENDING};

	sb_collector_share(collector, give_number, NULL);
	struct writer w = claim(0, getpid());
	hello(&w, "/");
	uint64_t place = SB_PLACE(w.number, w.at), other;
	put(&w, &exec, "/bin/child\0child\0\1\1", 19);
	put(&w, &exec, "/bin/failed\0failed", 19)->outcome = ENOENT;
	put(&w, &exec, "/bin/silent\0silent", 19);
	other = SB_PLACE(w.number, w.at);
	put(&w, &reported, "/bin/other\0other\0", 18);
	cr_expect(sb_collector_behind(collector));
	__atomic_store_n(&w.chunk->retired, 1, __ATOMIC_RELEASE);
	sb_collector_poll(collector);
	cr_expect(not(sb_collector_behind(collector)));
	const struct sb_rec say = {
		.kind = SB_REC_HELLO, .strings = 255, .arg = place, .value = getpid()};
	struct writer child = claim(0, 1);
	put(&child, &say, "/tmp\0child\0\0\1\1\1\1", 16);
	/* It handed its environment on. */
	struct writer again = claim(0, 1);
	put(&again, &say, "/tmp\0child\0\0\1\1\1\1", 16);
	struct writer told = claim(0, 1);
	put(&told, &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 255, .arg = other},
	    "/tmp\0other\0\0\1\1\1\1", 16);
	sb_collector_poll(collector);
	cr_assert(eq(uint, asked_count, 4));
	cr_expect(not(asked[0].passed));
	cr_expect(asked[1].passed);
	cr_expect(eq(str, (char *)asked[1].exe, "/bin/child"));
	cr_expect(eq(i64, asked[1].parent, 0));
	cr_expect(asked[1].by_child);
	cr_expect(not(asked[2].passed));
	cr_expect(not(asked[3].passed));
	struct sb_trace *t = finish();
	cr_expect(find(t, "/bin/child") == NULL);
	cr_expect(find(t, "/bin/other") == NULL);
	cr_assert(find(t, "/bin/failed") != NULL);
	cr_expect(eq(int, find(t, "/bin/failed")->outcome, ENOENT));
	cr_assert(find(t, "/bin/silent") != NULL);
	cr_expect(eq(int, find(t, "/bin/silent")->outcome, 0));
	sb_trace_free(t);
}

/* Whoever was first in time has the answer, whatever is read first. */
Test(collect, births_in_order_of_time)
{
	struct writer late = claim(0, getpid()), early = claim(0, getpid());
	char name[128];
	int len = snprintf(name, sizeof name, "%s/new", dir);

	hello(&late, "/");
	put(&late,
	    &(struct sb_rec){.kind = SB_WRITE,
			     .op = SB_OP_OPEN,
			     .strings = 1,
			     .tick = 5,
			     .flags = SB_REC_EXISTED},
	    name, (size_t)len + 1);
	hello(&early, "/");
	put(&early,
	    &(struct sb_rec){.kind = SB_WRITE,
			     .op = SB_OP_OPEN,
			     .strings = 1,
			     .tick = 0xfffffff0,
			     .flags = SB_REC_NEW},
	    name, (size_t)len + 1);
	sb_collector_poll(collector);
	struct sb_trace *t = finish();
	/* The same process, started again before it ran: one event, seen twice. */
	cr_assert(eq(sz, t->event_count, 1));
	cr_assert(eq(u64, t->events[0].count, 2));
	cr_assert(eq(int, t->events[0].existed, SB_NO));
	sb_trace_free(t);
}

/* Links are followed while they are there; a link that is looked at itself is not. */
Test(collect, real_paths)
{
	struct writer w = claim(0, getpid());
	char name[128], target[128];
	size_t len = (size_t)snprintf(name, sizeof name, "%s/link/../link/file", dir) + 1;

	snprintf(target, sizeof target, "%s/target", dir);
	mkdir(target, 0700);
	snprintf(target, sizeof target, "%s/link", dir);
	cr_assert(eq(int, symlink("target", target), 0));
	hello(&w, "/");
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .outcome = ENOENT}, name, len);
	put(&w, &(struct sb_rec){.kind = SB_STAT, .strings = 1, .flags = SB_REC_NOFOLLOW}, target,
	    strlen(target) + 1);
	sb_collector_poll(collector);
	unlink(target);
	struct sb_trace *t = finish();
	char real[128];
	snprintf(real, sizeof real, "%s/target/file", dir);
	cr_assert(eq(str, (char *)find(t, name)->real, real));
	cr_assert(eq(str, (char *)find(t, target)->real, target));
	sb_trace_free(t);
}

/* More chunks than storage: what the tracees counted as lost is told. */
Test(collect, lost)
{
	struct writer w = claim(0, getpid());

	hello(&w, "/");
	sb_log_head(the_log)->lost = 7;
	sb_log_head(the_log)->lost_sandboxed = 3;
	struct sb_trace *t = finish();
	cr_assert(eq(u64, t->end.lost, 7));
	cr_assert(eq(u64, blind_count(t, SB_BLIND_LOST), 4));
	cr_assert(eq(u64, blind_count(t, SB_BLIND_SANDBOX), 3));
	cr_assert(eq(u64, blind_count(t, SB_BLIND_OUTLIVED), 1)); /* this test still runs */
	sb_trace_free(t);
}

/* Storage is ahead of whoever claims, and comes back when it was read. */
Test(collect, storage)
{
	struct stat st;

	for (int n = 0; n < 3000; n++) {
		struct writer w = claim(0, getpid());

		hello(&w, "/");
		w.chunk->retired = 1;
		munmap(w.chunk, SB_CHUNK);
		if (n % 50 == 0)
			sb_collector_poll(collector);
		cr_assert(lt(u64, sb_log_head(the_log)->next, sb_log_head(the_log)->allocated));
	}
	sb_collector_poll(collector);
	cr_assert(eq(int, stat(sb_log_path(the_log), &st), 0));
	cr_assert(lt(i64, st.st_blocks * 512, 64 << 20));
	sb_trace_free(finish());
}

static void make_text(const char *log, char *ret, size_t size)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	auto_buf path = SB_BUF_INIT;

	cr_assert(eq(int, sb_log_text(log, &path), 0));
	(void)snprintf(ret, size, "%s", path.s);
	int fd = open(ret, O_WRONLY | O_CREAT | O_EXCL, 0400);
	cr_assert(ge(int, fd, 0), "%s", ret);
	cr_assert(eq(int, futimens(fd, old), 0));
	close(fd);
}

/* A file on a disk goes with its log, and where that is gone without it. */
Test(collect, stale_text)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_log_file *other;
	char own[128], its[128], stray[128];

	make_text(sb_log_dir(the_log), own, sizeof own);
	make_text("/nowhere-strayX", stray, sizeof stray);
	cr_assert(eq(int, sb_log_make("/modules", &other, &err), 0));
	make_text(sb_log_dir(other), its, sizeof its);
	sb_log_free(other);
	cr_expect(eq(int, access(own, F_OK), 0));
	cr_expect(eq(int, access(its, F_OK), -1));
	cr_expect(eq(int, access(stray, F_OK), -1));
	(void)unlink(own);
}

/* What a killed run left behind goes; what a living one holds stays. */
Test(collect, stale_logs)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_log_file *other;
	char stale[256];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct sb_log_file *left;

		if (sb_log_make("/modules", &left, &err) == 0) {
			int fd = open(trace_path, O_WRONLY | O_TRUNC);

			dprintf(fd, "%s", sb_log_dir(left));
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	FILE *f = fopen(trace_path, "r");
	cr_assert(f && fgets(stale, sizeof stale, f));
	fclose(f);
	/* A test that runs beside this one may have removed it by now: that is the same remedy. */
	cr_assert(access(stale, F_OK) == 0 || errno == ENOENT);
	cr_assert(eq(int, sb_log_make("/modules with space", &other, &err), 0));
	cr_assert(eq(int, access(stale, F_OK), -1));
	cr_assert(eq(int, access(sb_log_path(the_log), F_OK), 0));
	cr_assert(strchr(sb_log_modules(other), ' ') == NULL);
	sb_log_free(other);
}

/* What was not complete when it was come by is no later for that than what stands behind it. */
Test(collect, hello_after_an_exec_that_was_come_back_to)
{
	struct writer parent = claim(0, getpid());
	struct sb_rec *exec;

	put(&parent, &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 1, .tick = 10}, TEXT("/"));
	exec = put(
		&parent,
		&(struct sb_rec){
			.kind = SB_EXEC, .strings = 255, .outcome = SB_OUTCOME_PENDING, .tick = 20},
		TEXT("/bin/second"));
	exec->word &= ~SB_REC_DONE;
	sb_collector_poll(collector);
	exec->word |= SB_REC_DONE;
	struct writer child = claim(0, getpid());
	put(&child,
	    &(struct sb_rec){.kind = SB_REC_HELLO,
			     .strings = 1,
			     .tick = 30,
			     .arg = SB_PLACE(parent.number,
					     (uint32_t)((char *)exec - (char *)parent.chunk))},
	    TEXT("/"));
	put(&parent, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .tick = 40}, TEXT("/a"));
	struct sb_trace *t = finish();
	cr_assert(eq(u64, blind_count(t, SB_BLIND_SILENT), 0));
	cr_assert(eq(sz, t->process_count, 2));
	cr_expect(eq(str, (char *)t->processes[1].exe, "/bin/second"));
	cr_expect(eq(i64, t->processes[1].parent, 0));
	sb_trace_free(t);
}
