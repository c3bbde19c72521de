/* What hooks tell, as it stands in the log. */
#include <errno.h>
#include <stdlib.h>

#include "preload/write.h"
#include "tests/unit/tracee.h"

TestSuite(recorder, .init = tracee_begin, .fini = tracee_end);
TestSuite(recorder_start, .init = tracee_log, .fini = tracee_end);

/* --- who is traced ---------------------------------------------------------------------------- */

Test(recorder, hello)
{
	const struct record *rec = tracee_find(SB_REC_HELLO, 0, tracee_cwd, 0);

	cr_assert(rec != NULL);
	cr_expect(eq(u64, rec->head.arg, TRACEE_TOKEN));
	cr_expect(eq(int, rec->head.value, getppid()));
	cr_expect(eq(int, rec->head.dirfd, 0)); /* no fork child */
	cr_expect(eq(u8, rec->head.flags, 0));
	cr_assert(eq(sz, rec->string_count, 4));
	tracee_expect_text(rec, 1, "program");
	tracee_expect_text(rec, 2, "an argument");
	tracee_expect_text(rec, 3, "");
	cr_expect(eq(str, (char *)sb_self()->modules, "/modules"));
}

Test(recorder_start, hello_of_what_a_static_program_started)
{
	char exe[512] = "";
	const struct record *rec;

	cr_assert(tracee_start(".x"));
	rec = tracee_find(SB_REC_HELLO, 0, tracee_cwd, 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u8, rec->head.flags, SB_REC_DIR));
	cr_assert(gt(int, (int)readlink("/proc/self/exe", exe, sizeof exe - 1), 0));
	tracee_expect_text(rec, 1, exe);
	tracee_expect_text(rec, 2, "program");
}

/* Names too long for the state's own room. */
Test(recorder_start, long_names)
{
	char dir[SB_NAMES + 100], preload[SB_NAMES + 200], trace[512];
	char *envp[] = {preload, trace, NULL}, *argv[] = {"program", NULL};

	memset(dir, 'd', sizeof dir - 1);
	dir[0] = '/';
	dir[sizeof dir - 1] = '\0';
	(void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s/" SB_PRELOAD_NAME, dir);
	(void)snprintf(trace, sizeof trace, SB_ENV_TRACE "=0:%s", sb_log_path(the_log));
	cr_assert(sb_start(argv, envp));
	cr_expect(eq(str, (char *)sb_self()->modules, dir));
	cr_expect(eq(str, (char *)sb_self()->log_path, (char *)sb_log_path(the_log)));
}

Test(recorder_start, who_is_not_traced_passes_through)
{
	char wrong[512], *none[] = {"A=1", NULL}, *gone[] = {"SIDEBUNDLE_TRACE=0:/nowhere", NULL};
	char *const *const rows[] = {none, gone, (char *[]){"SIDEBUNDLE_TRACE=", NULL},
				     (char *[]){wrong, NULL}};

	(void)snprintf(wrong, sizeof wrong, "SIDEBUNDLE_TRACE=0:%s", sb_log_path(the_log));
	sb_log_head(the_log)->version++;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		memset(sb_self(), 0, sizeof(struct sb_recorder));
		cr_expect(not(sb_start(NULL, rows[i])), "row %zu", i);
		cr_expect(not(sb_recorder_on()));
		tracee_open("/x", 0);
	}
	sb_log_head(the_log)->version--;
	sb_log_head(the_log)->closed = 1;
	memset(sb_self(), 0, sizeof(struct sb_recorder));
	cr_expect(not(sb_start(NULL, rows[3])));
	cr_expect(eq(u64, sb_log_head(the_log)->next, 0));
}

/* --- what stands in a record ------------------------------------------------------------------ */

Test(recorder, records_hold_what_was_told)
{
	int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct {
		struct sb_access access;
		const char *second; /* string */
		uint8_t flags;
	} rows[] = {
		{{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = "/o", .fd = 7, .arg = O_CLOEXEC},
		 NULL,
		 0},
		{{.kind = SB_STAT,
		  .dirfd = AT_FDCWD,
		  .path = "/s",
		  .fd = -1,
		  .outcome = ENOENT,
		  .flags = SB_REC_NOFOLLOW},
		 NULL,
		 SB_REC_NOFOLLOW},
		{{.kind = SB_WRITE,
		  .op = SB_OP_RENAME,
		  .dirfd = AT_FDCWD,
		  .path = "/w",
		  .fd = -1,
		  .flags = SB_REC_EXISTED},
		 NULL,
		 SB_REC_EXISTED},
		{{.kind = SB_LOAD, .dirfd = AT_FDCWD, .path = "/l.so", .by = "", .fd = -1}, "", 0},
		{{.kind = SB_SEARCH, .dirfd = AT_FDCWD, .path = "/n.so", .by = "/l.so", .fd = -1},
		 "/l.so",
		 0},
		{{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = "relative", .fd = -1}, NULL, 0},
		{{.kind = SB_OPEN, .dirfd = etc, .path = "passwd", .fd = -1}, "/etc", SB_REC_DIR},
		{{.kind = SB_OPEN, .dirfd = etc, .path = "/absolute", .fd = -1}, NULL, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct sb_access *a = &rows[i].access;
		const struct record *rec;

		sb_record(a);
		rec = tracee_find(a->kind, 0, a->path, 0);
		cr_assert(rec != NULL, "%s", a->path);
		cr_expect(eq(int, rec->head.op, a->op));
		cr_expect(eq(u8, rec->head.flags, rows[i].flags), "%s", a->path);
		cr_expect(eq(int, rec->head.outcome, a->outcome));
		cr_expect(eq(int, rec->head.dirfd, a->dirfd));
		cr_expect(eq(int, rec->head.value, a->fd));
		cr_expect(eq(u64, rec->head.arg, a->arg));
		cr_expect(eq(u32, rec->head.count, 1));
		cr_expect(eq(sz, rec->string_count, rows[i].second ? 2 : 1), "%s", a->path);
		if (rows[i].second)
			tracee_expect_text(rec, 1, rows[i].second);
	}
}

/* Below a descriptor that is no directory there is nothing; one without a name is a blind spot. */
Test(recorder, below_what_has_no_name)
{
	struct sb_access a = {.kind = SB_OPEN, .dirfd = 999, .path = "x", .fd = -1};

	a.outcome = EBADF;
	sb_record(&a);
	cr_expect(eq(sz, tracee_count(SB_REC_BLIND, NULL), 0));
	a.outcome = 0;
	sb_record(&a);
	sb_record(&a);
	cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), 0));
	cr_expect(eq(sz, tracee_count(SB_REC_BLIND, NULL), 1));
	sb_record_sandboxed();
	a.dirfd = AT_FDCWD;
	sb_record(&a);
	a.dirfd = 999;
	sb_record(&a);
	cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), 1));
	cr_expect(eq(u64, sb_log_head(the_log)->lost_sandboxed, 1));
}

/* What two of them wrote at once into one slot stands for neither. */
Test(recorder, a_torn_repeat_counts_for_nobody_else)
{
	struct sb_repeat *few = sb_self()->passing->few, *set[2];
	size_t found = 0;

	tracee_open("/a", 0);
	tracee_open("/b", 0);
	for (size_t i = 0; i < SB_REPEATS_FEW; i++)
		if (few[i].hash && found < 2)
			set[found++] = &few[i];
	cr_assert(eq(sz, found, 2));
	uint64_t kept = set[0]->sealed;
	set[0]->sealed = set[1]->sealed;
	set[1]->sealed = kept;
	tracee_open("/a", 0);
	tracee_open("/b", 0);
	tracee_open("/b", 0);
	cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), 4));
	cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "/a", 0)->head.count, 1));
	cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "/b", 0)->head.count, 1));
	cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "/b", 1)->head.count, 2));
}

/* A name that is too long cannot have meant a file; one of the longest can. */
Test(recorder, lengths)
{
	static const size_t told[] = {1, 2, 7, 8, 9, PATH_MAX - 1, PATH_MAX};
	static char path[3 * PATH_MAX];

	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		memset(path, 'a' + (int)i, told[i]);
		path[told[i]] = '\0';
		tracee_open(path, 0);
		cr_expect(tracee_find(SB_OPEN, 0, path, 0) != NULL, "%zu", told[i]);
	}
	memset(path, '/', sizeof path - 1);
	tracee_open(path, 0);
	tracee_open("", 0);
	tracee_open(NULL, 0);
	cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), sizeof told / sizeof *told));
}

Test(recorder, whether_it_existed)
{
	int fd = open("there", O_CREAT | O_WRONLY, 0600);

	cr_assert(ge(int, fd, 0));
	close(fd);
	cr_expect(eq(u8, sb_record_existed(AT_FDCWD, "there"), SB_REC_EXISTED));
	cr_expect(eq(u8, sb_record_existed(AT_FDCWD, "not-there"), SB_REC_NEW));
	cr_expect(eq(u8, sb_record_existed(AT_FDCWD, "there/x"), 0));
	cr_expect(eq(u8, sb_record_existed(AT_FDCWD, NULL), 0));
	sb_record_sandboxed();
	cr_expect(eq(u8, sb_record_existed(AT_FDCWD, "there"), 0));
}

/* --- repeats ---------------------------------------------------------------------------------- */

Test(recorder, what_makes_a_repeat)
{
	static const struct sb_access first = {.kind = SB_OPEN,
					       .dirfd = AT_FDCWD,
					       .path = "/a/long/enough/name",
					       .fd = 3,
					       .arg = 1};
	struct sb_access a = first;
	const struct record *rec;

	for (int i = 0; i < 1000; i++) {
		a.fd = i; /* neither the descriptor nor the flags make another access of it */
		a.arg = (uint64_t)i;
		sb_record(&a);
	}
	rec = tracee_find(SB_OPEN, 0, first.path, 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u32, rec->head.count, 1000));
	cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), 1));
	const struct sb_access others[] = {
		{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = "/a/long/enough/nama"},
		{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = "/a/long/enough/nam"},
		{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = first.path, .outcome = ENOENT},
		{.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = first.path, .flags = SB_REC_NOFOLLOW},
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		sb_record(&others[i]);
		cr_expect(eq(sz, tracee_count(SB_OPEN, NULL), 2 + i), "row %zu", i);
	}
	sb_record(&(struct sb_access){.kind = SB_STAT, .dirfd = AT_FDCWD, .path = first.path});
	cr_expect(eq(sz, tracee_count(SB_STAT, NULL), 1));
}

/* A name may mean another file after a removal: told again. What is written is known by its name.
 */
Test(recorder, removals_end_repeats)
{
	static const struct {
		struct sb_access between;
		size_t looks;
	} rows[] = {
		{{.kind = SB_STAT, .dirfd = AT_FDCWD, .path = "/other"}, 1},
		{{.kind = SB_WRITE, .op = SB_OP_OPEN, .dirfd = AT_FDCWD, .path = "/r"}, 1},
		{{.kind = SB_WRITE,
		  .op = SB_OP_REMOVE,
		  .dirfd = AT_FDCWD,
		  .path = "/r",
		  .outcome = 2},
		 1},
		{{.kind = SB_WRITE, .op = SB_OP_REMOVE, .dirfd = AT_FDCWD, .path = "/r"}, 2},
		{{.kind = SB_WRITE, .op = SB_OP_MOVED, .dirfd = AT_FDCWD, .path = "/r"}, 2},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char look[32], write[32];
		struct sb_access w = {
			.kind = SB_WRITE, .op = SB_OP_OPEN, .dirfd = AT_FDCWD, .path = write};

		(void)snprintf(look, sizeof look, "/look/%zu", i);
		(void)snprintf(write, sizeof write, "/write/%zu", i);
		tracee_open(look, 0);
		sb_record(&w);
		sb_record(&rows[i].between);
		tracee_open(look, 0);
		sb_record(&w);
		cr_expect(eq(sz, tracee_count(SB_OPEN, look), rows[i].looks), "row %zu", i);
		cr_expect(eq(sz, tracee_count(SB_WRITE, write), 1), "row %zu", i);
		cr_expect(eq(u32, tracee_find(SB_WRITE, 0, write, 0)->head.count, 2));
	}
}

/* More names than the table has room for: counts may be split, events are never lost. */
Test(recorder, more_names_than_the_table_holds)
{
	enum { NAMES = 3 * SB_REPEATS };
	uint64_t counted = 0;
	struct tracee_walk w = {0};
	const struct record *rec;
	char path[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < NAMES; i++) {
			(void)snprintf(path, sizeof path, "/name/%d", i);
			tracee_open(path, 0);
			sb_log_ahead(the_log);
		}
	while ((rec = tracee_next(&w)))
		counted += rec->head.kind == SB_OPEN ? rec->head.count : 0;
	cr_expect(eq(u64, counted, 2 * NAMES));
	cr_expect(eq(u64, sb_log_head(the_log)->lost, 0));
}

/* However many: only where three share a slot's pair, one is told again. */
Test(recorder, repeats_are_found_in_every_table)
{
	static const size_t counts[] = {SB_REPEATS_FEW / 4, SB_REPEATS_FEW, SB_REPEATS_MORE / 4,
					SB_REPEATS_MORE, SB_REPEATS / 4};
	char path[32];

	for (size_t row = 0; row < sizeof counts / sizeof *counts; row++) {
		size_t told = 0;

		for (int round = 0; round < 2; round++)
			for (size_t i = 0; i < counts[row]; i++) {
				(void)snprintf(path, sizeof path, "/%zu/%zu", row, i);
				tracee_open(path, 0);
			}
		for (struct tracee_walk w = {0};;) {
			const struct record *rec = tracee_next(&w);
			const char *s = rec ? record_string(rec, 0) : NULL;

			if (!rec)
				break;
			(void)snprintf(path, sizeof path, "/%zu/", row);
			told += s && strncmp(s, path, strlen(path)) == 0;
		}
		cr_expect(ge(sz, told, counts[row]), "row %zu", row);
		cr_expect(le(sz, told, counts[row] + counts[row] / 4 + 4), "row %zu", row);
	}
}

/* A fork child's own: what its parent has told, it tells again. */
Test(recorder, repeats_are_an_image_s_own)
{
	pid_t pid;

	for (int i = 0; i < 2; i++)
		tracee_open("/told", 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 2; i++)
			tracee_open("/told", 0);
		_exit(0);
	}
	cr_assert(eq(int, tracee_wait(pid), 0));
	cr_expect(eq(sz, tracee_count(SB_OPEN, "/told"), 2));
	for (size_t i = 0; i < 2; i++)
		cr_expect(eq(u32, tracee_find(SB_OPEN, 0, "/told", i)->head.count, 2));
}

/* --- where ------------------------------------------------------------------------------------ */

Test(recorder, each_move_is_a_generation)
{
	static const char *const dirs[] = {"/", "/etc", "/usr/bin", "/etc"};

	for (uint32_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		const struct record *rec;

		cr_assert(eq(int, chdir(dirs[i]), 0));
		sb_record_moved();
		tracee_open("here", 0);
		rec = tracee_find(SB_REC_WHERE, 0, NULL, i);
		cr_assert(rec != NULL);
		cr_expect(eq(u32, rec->head.where, i + 1));
		tracee_expect_text(rec, 0, dirs[i]);
		tracee_expect_text(rec, 1, ""); /* the root is what it was */
		rec = tracee_find(SB_OPEN, 0, "here", i);
		cr_assert(rec != NULL);
		cr_expect(eq(u32, rec->head.where, i + 1));
	}
}

/* --- programs started ------------------------------------------------------------------------- */

Test(recorder, an_exec_is_pending_until_it_is_settled)
{
	static char *const argv[] = {"a", "b c", NULL};
	const struct sb_access access = {.kind = SB_EXEC, .dirfd = AT_FDCWD, .path = "/bin/x"};
	uint64_t ref = 0, place = sb_write_exec(&access, argv, &ref);
	const struct record *rec = tracee_find(SB_EXEC, 0, "/bin/x", 0);

	cr_expect(ne(u64, place, 0));
	cr_assert(rec != NULL);
	cr_expect(eq(int, rec->head.outcome, SB_OUTCOME_PENDING));
	cr_expect(eq(u8, rec->head.strings, 255));
	tracee_expect_text(rec, 1, "a");
	tracee_expect_text(rec, 2, "b c");
	cr_expect(eq(sz, rec->string_count, 3));
	sb_settle(ref, EACCES);
	cr_expect(eq(int, tracee_find(SB_EXEC, 0, "/bin/x", 0)->head.outcome, EACCES));
	sb_settle(0, EPERM);
}

Test(recorder, a_list_of_arguments_without_end_is_cut)
{
	static char *argv[5002];
	const struct sb_access access = {.kind = SB_EXEC, .dirfd = AT_FDCWD, .path = "/bin/x"};
	uint64_t ref;
	const struct record *rec;

	for (int i = 0; i < 5000; i++)
		argv[i] = "word";
	sb_write_exec(&access, argv, &ref);
	rec = tracee_find(SB_EXEC, 0, "/bin/x", 0);
	cr_assert(rec != NULL);
	cr_expect(ne(int, rec->head.flags &SB_REC_CUT, 0));
	cr_expect(gt(sz, rec->string_count, 1000));
	tracee_expect_text(rec, rec->string_count - 1, "word");
}

/* What is executed relative to a descriptor is named by it; "" is the descriptor's own file. */
Test(recorder, execs_by_descriptor)
{
	static char *const argv[] = {"x", NULL};
	int bin = open("/bin", O_PATH | O_CLOEXEC),
	    self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	char exe[512] = "", real[512] = "";
	const struct record *rec;
	uint64_t ref;

	cr_assert(gt(int, (int)readlink("/proc/self/exe", exe, sizeof exe - 1), 0));
	cr_assert(realpath("/bin", real) != NULL);
	sb_write_exec(&(struct sb_access){.kind = SB_EXEC, .dirfd = bin, .path = "true"}, argv,
		      &ref);
	rec = tracee_find(SB_EXEC, 0, "true", 0);
	cr_assert(rec != NULL);
	cr_expect(eq(u8, rec->head.flags, SB_REC_DIR));
	tracee_expect_text(rec, 1, real);
	sb_write_exec(&(struct sb_access){.kind = SB_EXEC, .dirfd = self, .path = ""}, argv, &ref);
	cr_expect(tracee_find(SB_EXEC, 0, exe, 0) != NULL);
}
