/* Execs under a guard: which of them are made by the bypass, and what is recorded of that. */
#include <errno.h>

#include "preload/arch.h"
#include "preload/exec.h"
#include "preload/inspect.h"
#include "tests/unit/mini_elf.h"
#include "tests/unit/tracee.h"

#define LD "/lib64/ld-linux-x86-64.so.2"

static char *const program_argv[] = {"name", NULL};

/* Guarded, and with an audit module that has handed its state over. */
static void begin(void)
{
	tracee_log();
	sidebundle_share.state = sb_self();
	cr_assert(tracee_start(".g"));
	cr_assert(sb_self()->bypass != 0);
	sb_self()->modules = tracee_cwd;
}

TestSuite(exec_passes, .init = begin, .fini = tracee_end);

static uint64_t execs(void)
{
	return sb_log_head(the_log)->execs;
}

static const char *in_cwd(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s%s", tracee_cwd, name);
	return path;
}

static void put_elf(const char *name, const struct mini_elf *elf)
{
	cr_assert(eq(int, mini_file(tracee_cwd, name, elf), 0));
}

Test(exec_passes, what_takes_our_modules_or_is_not_there)
{
	static const struct mini_tag tsan[] = {{DT_NEEDED, "libtsan.so.2", 0}, {0, NULL, 0}};
	static const struct {
		const char *name;
		bool passes;
	} rows[] = {
		{"/dynamic", SB_GUARDED_AUDIT},
		{"/script", SB_GUARDED_AUDIT},
		{"/none", true},
		{"/static", false},
		{"/sanitized", false},
		{"/musl", false},
		{"/closed", false},
		{"/text", false},
	};
	const struct mini_elf dynamic = {.machine = SB_ARCH_MACHINE, .interp = LD},
			      unlinked = {.machine = SB_ARCH_MACHINE},
			      sanitized = {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = tsan},
			      musl = {.machine = SB_ARCH_MACHINE,
				      .interp = "/lib/ld-musl-x86_64.so.1"};
	char line[160];

	put_elf("/dynamic", &dynamic);
	put_elf("/static", &unlinked);
	put_elf("/sanitized", &sanitized);
	put_elf("/musl", &musl);
	(void)snprintf(line, sizeof line, "#!%s\n", in_cwd("/dynamic"));
	cr_assert(eq(int, mini_write(tracee_cwd, "/script", line, strlen(line), 0755), 0));
	cr_assert(eq(int, mini_write(tracee_cwd, "/closed", "\177ELF", 4, 0111), 0));
	cr_assert(eq(int, mini_write(tracee_cwd, "/text", "true\n", 5, 0755), 0));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *path = in_cwd(rows[i].name);
		struct sb_exec x;

		/* To root nothing is closed: then it is no program. */
		cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, path, program_argv, 0), 0));
		cr_expect(eq(int, x.passes, rows[i].passes), "%s", rows[i].name);
		/* By descriptor: the kernel has a say in what that is. */
		cr_assert(eq(int, sb_exec_begin(&x, 0, path, program_argv, 0), 0));
		cr_expect(not(x.passes), "%s", rows[i].name);
	}
}

Test(exec_passes, one_is_marked_and_counted_before_it_is_made)
{
	cr_expect(eq(int, (int)sb_execveat(AT_FDCWD, "/none", program_argv, NULL, 0), -ENOENT));
	const struct record *rec = tracee_find(SB_EXEC, 0, "/none", 0);
	cr_assert(rec != NULL);
	cr_expect(ne(int, rec->head.flags &SB_REC_PASSED, 0));
	cr_expect(eq(int, rec->head.outcome, ENOENT));
	cr_expect(eq(u64, execs(), 1));
	/* Reported by the kernel. */
	cr_expect(
		eq(int, (int)sb_execveat(AT_FDCWD, "/etc/passwd", program_argv, NULL, 0), -EACCES));
	rec = tracee_find(SB_EXEC, 0, "/etc/passwd", 0);
	cr_assert(rec != NULL);
	cr_expect(eq(int, rec->head.flags &SB_REC_PASSED, 0));
	cr_expect(eq(u64, execs(), 1));
}

struct below {
	const char *path;
	char *const *envp;
	long raw;
};

static long run_below(char *const *envp, void *context)
{
	struct below *b = context;

	b->raw = sb_exec_below(b->path, program_argv, envp);
	return 0;
}

static long begin_and_run_below(const char *begun, const char *made, bool allow)
{
	struct below b = {.path = made};
	struct sb_exec x;

	cr_assert(eq(int, sb_exec_begin(&x, AT_FDCWD, begun, program_argv, 0), 0));
	if (allow)
		sb_exec_allow(&x);
	cr_expect(eq(int, (int)sb_exec_env(&x, NULL, run_below, &b), 0));
	return b.raw;
}

/* libc's own execve passes with a record that was made for it, and with no other. */
Test(exec_passes, libc_below_a_hook)
{
	cr_expect(eq(long, begin_and_run_below("/none", "/none", false), -ENOENT));
	cr_expect(eq(u64, execs(), 0));
	cr_expect(eq(long, begin_and_run_below("/none", "/nowhere", true), -ENOENT));
	cr_expect(eq(u64, execs(), 0));
	cr_expect(eq(long, sb_exec_below("/none", program_argv, NULL), -ENOENT));
	cr_expect(eq(u64, execs(), 0));
	cr_expect(eq(long, begin_and_run_below("/none", "/none", true), -ENOENT));
	cr_expect(eq(u64, execs(), 1));
	cr_expect(ne(int, tracee_find(SB_EXEC, 0, "/none", 2)->head.flags &SB_REC_PASSED, 0));
}
