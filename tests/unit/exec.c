/* Programs started: what is looked for where, what is recorded, and which environment they get. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "preload/arch.h"
#include "preload/exec.h"
#include "preload/inspect.h"
#include "preload/readable.h"
#include "tests/unit/mini_elf.h"
#include "tests/unit/tracee.h"

#define LD "/lib64/ld-linux-x86-64.so.2"

TestSuite(exec, .init = tracee_begin, .fini = tracee_end);

/* --- the search along PATH -------------------------------------------------------------------- */

struct search {
	char tried[8192]; /* candidates, each followed by a blank */
	const char *found;
};

/* There is one program; what stands in a directory of another name says why it is none. */
static int attempt(const char *candidate, void *context)
{
	static const struct {
		const char *start;
		int error;
	} answers[] = {
		{"/denied", EACCES}, {"/stale", ESTALE}, {"/loop", ELOOP}, {"/slow", ETIMEDOUT}};
	struct search *s = context;

	strcat(strcat(s->tried, candidate), " ");
	if (s->found && strcmp(candidate, s->found) == 0)
		return 0;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (strncmp(candidate, answers[i].start, strlen(answers[i].start)) == 0)
			return answers[i].error;
	return ENOENT;
}

Test(exec, search)
{
	static const struct {
		const char *path, *file, *found, *tried; /* path NULL: no such variable */
		int error;
	} rows[] = {
		{"/a:/b", "x", "/b/x", "/a/x /b/x ", 0},
		{"/a:/b", "x", NULL, "/a/x /b/x ", ENOENT},
		{"/a:/denied:/b", "x", NULL, "/a/x /denied/x /b/x ", EACCES},
		{"/denied:/b", "x", "/b/x", "/denied/x /b/x ", 0},
		{"/loop:/b", "x", "/b/x", "/loop/x ", ELOOP},
		{"/stale:/slow:/b", "x", "/b/x", "/stale/x /slow/x /b/x ", 0},
		/* An empty element is the working directory. */
		{"", "x", "x", "x ", 0},
		{":/a", "x", NULL, "x /a/x ", ENOENT},
		{"/a:", "x", NULL, "/a/x x ", ENOENT},
		{"/a::/b", "x", NULL, "/a/x x /b/x ", ENOENT},
		/* With a slash there is no search. */
		{"/a", "./x", "./x", "./x ", 0},
		{"/a", "d/x", NULL, "d/x ", ENOENT},
		{"/a", "", NULL, "", ENOENT},
		{NULL, "x", NULL, "/bin/x /usr/bin/x ", ENOENT},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct search s = {.found = rows[i].found};

		if (rows[i].path)
			setenv("PATH", rows[i].path, 1);
		else
			unsetenv("PATH");
		cr_expect(eq(int, sb_path_walk(rows[i].file, attempt, &s), rows[i].error),
			  "row %zu", i);
		cr_expect(eq(str, s.tried, (char *)rows[i].tried), "row %zu", i);
	}
}

Test(exec, search_of_long_names)
{
	static char name[NAME_MAX + 2], path[3 * PATH_MAX];
	struct search s = {.found = NULL};

	memset(name, 'n', NAME_MAX + 1);
	setenv("PATH", "/a", 1);
	cr_expect(eq(int, sb_path_walk(name, attempt, &s), ENAMETOOLONG));
	cr_expect(eq(str, s.tried, ""));
	/* A directory with a name longer than any is passed over. */
	memset(path, 'd', 2 * PATH_MAX);
	path[0] = '/';
	strcpy(path + 2 * PATH_MAX, ":/b");
	setenv("PATH", path, 1);
	s.found = "/b/x";
	cr_expect(eq(int, sb_path_walk("x", attempt, &s), 0));
	cr_expect(eq(str, s.tried, "/b/x "));
}

/* --- what is recorded, and what it gets ------------------------------------------------------- */

static char *const program_argv[] = {"name", "argument", NULL};

/* The recorder's own directory of modules: then they are in reach. */
static void modules_in_reach(void)
{
	sb_self()->modules = tracee_cwd;
}

static void put_elf(const char *name, const struct mini_elf *elf)
{
	cr_assert(eq(int, mini_file(tracee_cwd, name, elf), 0));
}

static void put_script(const char *name, const char *line)
{
	cr_assert(eq(int, mini_write(tracee_cwd, name, line, strlen(line), 0755), 0));
}

/* The entries of ours, each followed by a newline. */
static long note_environment(char *const *envp, void *context)
{
	char *out = context;

	for (; *envp; envp++) {
		char *at = strstr(*envp, tracee_cwd);

		strcat(out, strncmp(*envp, "SIDEBUNDLE_TRACE=", 17) == 0 ? "trace\n" : "");
		if (at && strstr(at, SB_PRELOAD_NAME))
			strcat(out, "preload\n");
		if (at && strstr(at, SB_AUDIT_NAME))
			strcat(out, "audit\n");
	}
	return 0;
}

Test(exec, kinds_of_programs)
{
	/* Owner, description, type; a build id of "x". */
	static const char note[] = "\4\0\0\0\1\0\0\0\4\0\0\0Go\0\0x\0\0";
	static const struct mini_tag asan[] = {{DT_NEEDED, "libasan.so.8", 0}, {0, NULL, 0}};
	const struct mini_elf dynamic = {.machine = SB_ARCH_MACHINE, .interp = LD},
			      unlinked = {.machine = SB_ARCH_MACHINE},
			      other = {.class = ELFCLASS32, .machine = EM_386, .interp = LD},
			      sanitized = {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = asan},
			      go = {.machine = SB_ARCH_MACHINE,
				    .interp = LD,
				    .note = note,
				    .note_len = sizeof note};
	static const struct {
		const char *name, *gets;
		int blind; /* -1: none */
	} rows[] = {
		{"/dynamic", "preload\naudit\ntrace\n", -1},
		{"/static", "preload\naudit\ntrace\n", SB_BLIND_STATIC},
		{"/other", "", SB_BLIND_FOREIGN},
		{"/sanitized", "audit\ntrace\n", SB_BLIND_SANITIZER},
		{"/go", "preload\naudit\ntrace\n", SB_BLIND_RAW},
		{"/none", "preload\naudit\ntrace\n", -1},
	};

	modules_in_reach();
	put_elf("/dynamic", &dynamic);
	put_elf("/static", &unlinked);
	put_elf("/other", &other);
	put_elf("/sanitized", &sanitized);
	put_elf("/go", &go);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct record *rec;
		char path[128], got[256] = "";
		struct sb_exec x;

		(void)snprintf(path, sizeof path, "%s%s", tracee_cwd, rows[i].name);
		cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, path, program_argv, 0), 0));
		cr_expect(eq(int, (int)sb_exec_env(&x, NULL, note_environment, got), 0));
		cr_expect(eq(str, got, (char *)rows[i].gets), "%s", rows[i].name);
		rec = tracee_find(SB_EXEC, 0, path, 0);
		cr_assert(rec != NULL);
		tracee_expect_text(rec, 1, "name");
		tracee_expect_text(rec, 2, "argument");
		sb_exec_end(&x, ENOEXEC);
		cr_expect(eq(int, tracee_find(SB_EXEC, 0, path, 0)->head.outcome, ENOEXEC));
		rec = tracee_find(SB_REC_BLIND, 0, path, 0);
		cr_expect(eq(int, rec ? rec->head.value : -1, rows[i].blind), "%s", rows[i].name);
	}
}

Test(exec, modules_out_of_reach)
{
	const struct mini_elf dynamic = {.machine = SB_ARCH_MACHINE, .interp = LD};
	char path[128], got[256] = "";
	struct sb_exec x;

	put_elf("/dynamic", &dynamic);
	(void)snprintf(path, sizeof path, "%s/dynamic", tracee_cwd);
	cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, path, program_argv, 0), 0));
	(void)sb_exec_env(&x, NULL, note_environment, got);
	cr_expect(eq(str, got, ""));
	cr_expect(eq(int, tracee_find(SB_REC_BLIND, 0, path, 0)->head.value, SB_BLIND_UNREACHABLE));
}

/* What is executed below a descriptor, or as one, is named in full. */
Test(exec, blind_spots_by_descriptor)
{
	int below = open(tracee_cwd, O_PATH | O_CLOEXEC);
	const struct record *rec;
	struct sb_exec x;
	char path[128];

	modules_in_reach();
	put_elf("/static", &(struct mini_elf){.machine = SB_ARCH_MACHINE});
	(void)snprintf(path, sizeof path, "%s/static", tracee_cwd);
	cr_assert(eq(int, sb_exec_begin(&x, below, "static", program_argv, 0), 0));
	rec = tracee_find(SB_REC_BLIND, 0, "static", 0);
	cr_assert(rec != NULL);
	tracee_expect_text(rec, 1, tracee_cwd);
	int itself = open(path, O_PATH | O_CLOEXEC);
	cr_assert(eq(int, sb_exec_begin(&x, itself, "", program_argv, AT_EMPTY_PATH), 0));
	rec = tracee_find(SB_REC_BLIND, 0, path, 0);
	cr_assert(rec != NULL);
	cr_expect(eq(int, rec->head.value, SB_BLIND_STATIC));
}

/* The kernel opens the interpreters of a script: they are told, and what they are decides. */
Test(exec, scripts)
{
	char line[128], path[128];
	struct sb_exec x;

	put_elf("/static", &(struct mini_elf){.machine = SB_ARCH_MACHINE});
	modules_in_reach();
	(void)snprintf(line, sizeof line, "#!%s/static -x\n", tracee_cwd);
	put_script("/inner", line);
	(void)snprintf(line, sizeof line, "#! %s/inner\n", tracee_cwd);
	put_script("/outer", line);
	(void)snprintf(path, sizeof path, "%s/outer", tracee_cwd);
	cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, path, program_argv, 0), 0));
	cr_expect(eq(u32, x.files, 3));
	sb_exec_end(&x, 0);
	static const char *const names[] = {"outer", "inner", "static"};
	for (size_t i = 0; i < 3; i++) {
		const struct record *rec;

		(void)snprintf(path, sizeof path, "%s/%s", tracee_cwd, names[i]);
		rec = tracee_find(SB_EXEC, 0, path, 0);
		cr_assert(rec != NULL, "%s", path);
		cr_expect(eq(int, rec->head.outcome, 0));
		/* Only the program comes with its arguments. */
		cr_expect(eq(u8, rec->head.strings, i ? 1 : 255));
	}
	cr_expect(eq(int, tracee_find(SB_REC_BLIND, 0, path, 0)->head.value, SB_BLIND_STATIC));
}

Test(exec, a_script_that_is_its_own_interpreter_ends)
{
	char line[128], path[128];
	struct sb_exec x;

	(void)snprintf(path, sizeof path, "%s/self", tracee_cwd);
	(void)snprintf(line, sizeof line, "#!%s\n", path);
	put_script("/self", line);
	cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, path, program_argv, 0), 0));
	cr_expect(eq(u32, x.files, SB_EXEC_FILES));
}

/* A large environment does not fit the stack: it comes and goes with the call. */
Test(exec, a_large_environment)
{
	static char entry[100000] = "LD_PRELOAD=/user/";
	char *envp[] = {entry, NULL}, got[256] = "";
	struct sb_exec x;

	memset(entry + strlen(entry), 'x', sizeof entry - strlen(entry) - 1);
	modules_in_reach();
	cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, "/bin/true", program_argv, 0), 0));
	(void)sb_exec_env(&x, envp, note_environment, got);
	cr_expect(eq(str, got, "preload\naudit\ntrace\n"));
}

Test(exec, bad_pointers_are_the_kernels_to_refuse)
{
	struct sb_exec x;

	cr_expect(eq(int, sb_exec_begin(&x, AT_FDCWD, (const char *)8, program_argv, 0), -EFAULT));
	cr_expect(eq(int, sb_exec_begin(&x, AT_FDCWD, NULL, program_argv, 0), -EFAULT));
	cr_expect(eq(int, (int)sb_execveat(AT_FDCWD, (const char *)8, program_argv, NULL, 0),
		     -EFAULT));
	cr_expect(tracee_find(SB_EXEC, 0, NULL, 0) == NULL);
}

static int readable(char *s, size_t most)
{
	char *list[] = {s, NULL};

	return sb_readable_list(list, most);
}

/* Two pages, of which the second cannot be read; strings that end, or do not, where it begins. */
Test(exec, lists_are_read_as_far_as_they_go)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *area =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **end = (char **)(area + page);

	cr_assert(ne(ptr, area, MAP_FAILED));
	cr_assert(eq(int, mprotect(area + page, page, PROT_NONE), 0));
	memcpy(area + page - 4, "abc", 4);
	cr_expect(eq(int, readable(area + page - 4, 64), 1));
	area[page - 1] = 'd';
	cr_expect(eq(int, readable(area + page - 4, 4), 1));
	cr_expect(eq(int, readable(area + page - 4, 5), 0));
	cr_expect(eq(int, readable(area + page, 1), 0));
	cr_expect(eq(int, readable((char *)8, 64), 0));
	cr_expect(eq(int, sb_readable_list((char **)8, 64), 0));
	cr_expect(eq(int, sb_readable_list(NULL, 64), 1));
	end[-1] = NULL;
	end[-2] = area;
	cr_expect(eq(int, sb_readable_list(end - 2, 64), 1));
	end[-1] = area;
	cr_expect(eq(int, sb_readable_list(end - 2, 64), 0), "no NULL ends it");
	cr_assert(eq(int, munmap(area, 2 * page), 0));
}

Test(exec, one_that_fails_is_told_with_its_errno)
{
	cr_expect(
		eq(int, (int)sb_execveat(AT_FDCWD, "/etc/passwd", program_argv, NULL, 0), -EACCES));
	cr_expect(eq(int, (int)sb_execveat(AT_FDCWD, "/none", program_argv, NULL, 0), -ENOENT));
	cr_expect(eq(int, tracee_find(SB_EXEC, 0, "/etc/passwd", 0)->head.outcome, EACCES));
	cr_expect(eq(int, tracee_find(SB_EXEC, 0, "/none", 0)->head.outcome, ENOENT));
}

/* --- the shell -------------------------------------------------------------------------------- */

Test(exec, what_system_runs)
{
	static const struct {
		const char *command;
		int status;
	} rows[] = {{"exit 7", 7 << 8}, {"kill -9 $$", 9}, {"", 0}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct record *rec;

		cr_expect(eq(int, system(rows[i].command), rows[i].status), "'%s'",
			  rows[i].command);
		rec = tracee_find(SB_EXEC, 0, "/bin/sh", i);
		cr_assert(rec != NULL);
		tracee_expect_text(rec, 1, "sh");
		tracee_expect_text(rec, 2, "-c");
		tracee_expect_text(rec, rec->string_count - 1, rows[i].command);
	}
	cr_expect(ne(int, system(NULL), 0));
}

Test(exec, what_popen_runs)
{
	FILE *stream = popen("echo told", "r");
	char line[32] = "";
	const struct record *rec;

	cr_assert(stream != NULL);
	cr_expect(fgets(line, sizeof line, stream) != NULL);
	cr_expect(eq(str, line, "told\n"));
	cr_expect(eq(int, pclose(stream), 0));
	rec = tracee_find(SB_EXEC, 0, "/bin/sh", 0);
	cr_assert(rec != NULL);
	tracee_expect_text(rec, rec->string_count - 1, "echo told");
}

enum { LENDERS = 3, LOANS = 15 };

static void *borrow(void *arg)
{
	for (int i = 0; i < LOANS; i++) {
		FILE *stream = popen("exit 0", "r");

		if (!stream || pclose(stream) != 0)
			return arg;
	}
	return NULL;
}

/* The environment is lent to one popen at a time, is always whole, and comes back as it was. */
Test(exec, popen_in_threads)
{
	char **before = environ;
	pthread_t threads[LENDERS];
	void *failed;

	cr_assert(eq(int, setenv("A_VARIABLE", "its value", 1), 0));
	before = environ;
	for (size_t i = 0; i < LENDERS; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, borrow, threads), 0));
	for (size_t told = 0; told < (size_t)LENDERS * LOANS;
	     told = tracee_count(SB_EXEC, "/bin/sh"))
		cr_assert(eq(str, getenv("A_VARIABLE"), "its value"));
	for (size_t i = 0; i < LENDERS; i++) {
		cr_assert(eq(int, pthread_join(threads[i], &failed), 0));
		cr_expect(eq(ptr, failed, NULL));
	}
	cr_expect(eq(ptr, environ, before));
	cr_expect(eq(ptr, getenv("SIDEBUNDLE_TRACE"), NULL));
}
