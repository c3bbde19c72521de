/* The filter, run in a small interpreter over every number, and for real. */
#include <asm/unistd.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/filter.h"
#include "tracer/syscalls.h"
#include "tracer/wire.h"

#define TRACE	(SECCOMP_RET_TRACE | 7u)
#define PAGE	0x7f9000000000ull /* any */
#define FOREIGN AUDIT_ARCH_S390X
#define TOP	600

/* What cBPF needs of the instructions that seccomp knows. */
static uint32_t run(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0;

	for (unsigned pc = 0; pc < prog->len; pc++) {
		const struct sock_filter *i = &prog->filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			cr_assert(i->k + 4 <= sizeof *data && i->k % 4 == 0);
			memcpy(&a, (const char *)data + i->k, 4);
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JEQ | BPF_X:
			pc += a == x ? i->jt : i->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_ALU | BPF_SUB | BPF_K:
			a -= i->k;
			break;
		case BPF_ALU | BPF_SUB | BPF_X:
			a -= x;
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			cr_fatal("instruction %u: code %#x", pc, i->code);
		}
	}
	cr_fatal("it runs off its end");
	return 0;
}

static uint32_t arch_of(enum sb_abi abi)
{
	switch (abi) {
	case SB_ABI_I386:
		return AUDIT_ARCH_I386;
	case SB_ABI_AARCH64:
		return AUDIT_ARCH_AARCH64;
	default:
		return AUDIT_ARCH_X86_64;
	}
}

#ifdef __aarch64__
#define NATIVE SB_ABI_AARCH64
#else
#define NATIVE SB_ABI_X86_64
#endif

static bool native(enum sb_abi abi)
{
#ifdef __aarch64__
	return abi == SB_ABI_AARCH64;
#else
	return abi != SB_ABI_AARCH64;
#endif
}

static int is_quiet(const struct sb_filter_spec *spec, const struct seccomp_data *data)
{
	for (unsigned i = 0; i < spec->quiet_count; i++)
		if ((data->instruction_pointer & 0xfff) == spec->quiet[i].instruction &&
		    (data->args[1] & 0xfff) == spec->quiet[i].path &&
		    data->args[3] == AT_EMPTY_PATH)
			return 1;
	return 0;
}

static uint32_t expected(const struct sb_filter_spec *spec, const struct seccomp_data *data,
			 const struct sb_syscall *row)
{
	bool passes = spec->let_pass && data->args[5] == SB_PASS &&
		      (data->instruction_pointer & 0xfff) == SB_PASS_SITE;

	if (!row)
		return SECCOMP_RET_ALLOW;
	switch (row->act) {
	case SB_ACT_PTRACE:
		return spec->with_tracers && !passes ? spec->action : SECCOMP_RET_ALLOW;
	case SB_ACT_FILTER:
		if (!spec->with_tracers && !spec->with_filters)
			return SECCOMP_RET_ALLOW;
		return strcmp(row->name, "prctl") != 0 || data->args[0] == PR_SET_SECCOMP
			       ? spec->action
			       : SECCOMP_RET_ALLOW;
	case SB_ACT_CLONE:
		return spec->with_tracers && (strcmp(row->name, "clone") != 0 ||
					      data->args[0] & (CLONE_UNTRACED | CLONE_NEWNS))
			       ? spec->action
			       : SECCOMP_RET_ALLOW;
	case SB_ACT_URING:
		return spec->refuse_uring ? SECCOMP_RET_ERRNO | ENOSYS : spec->action;
	case SB_ACT_ACCESS:
		if (strcmp(row->name, "newfstatat") == 0 && is_quiet(spec, data))
			return SECCOMP_RET_ALLOW;
		return passes ? SECCOMP_RET_ALLOW : spec->action;
	case SB_ACT_CHROOT:
		return spec->action;
	default:
		return passes ? SECCOMP_RET_ALLOW : spec->action;
	}
}

#define LINKER 0x7fff12345b1dull
static const struct sb_opening opening = {
	.distance = (uint32_t)-0x292ed, .sixth = 1, .site = LINKER & 0xfff};

static const struct sb_filter_spec specs[] = {
	{.action = TRACE},
	{.action = TRACE, .refuse_uring = 1, .with_tracers = 1},
	{.action = SECCOMP_RET_USER_NOTIF, .let_pass = 1, .refuse_uring = 1, .with_filters = 1},
	{.action = SECCOMP_RET_USER_NOTIF, .let_pass = 1, .with_tracers = 1},
	{.action = SECCOMP_RET_USER_NOTIF,
	 .let_pass = 1,
	 .quiet = {{0, 0xdd5}, {0xfff, 0xc99}, {0x10a, 0xdd5}},
	 .quiet_count = SB_QUIET_MOST,
	 .opening = &opening},
};

static const uint64_t pointers[] = {0x401000, PAGE + SB_PASS_SITE, PAGE + SB_PASS_SITE + 1,
				    PAGE - 1, 0x1000 + SB_PASS_SITE};
static const uint64_t passes[] = {SB_PASS, 0, SB_PASS & 0xffffffff, SB_PASS + 1};
#define PLACES (sizeof pointers / sizeof *pointers)
#define PASSES (sizeof passes / sizeof *passes)

/* Of those calls where it matters. */
static const uint64_t arguments[] = {PR_SET_NAME, PR_SET_SECCOMP, CLONE_VM | CLONE_UNTRACED,
				     CLONE_NEWNS | CLONE_NEWUSER};

static void hold(const struct sb_filter_spec *spec, const struct sb_filter *filter, enum sb_abi abi,
		 uint32_t nr)
{
	struct seccomp_data data = {
		.nr = (int)(nr | (abi == SB_ABI_X32 ? 0x40000000u : 0)),
		.arch = arch_of(abi),
	};

	for (size_t k = 0; k < PLACES * PASSES; k++)
		for (size_t a = 0; a < sizeof arguments / sizeof *arguments; a++) {
			data.instruction_pointer = pointers[k / PASSES];
			data.args[5] = passes[k % PASSES];
			data.args[0] = arguments[a];
			/* Each of them meets a name of one place, of the other, and none at all. */
			data.args[1] = 0x7f0000000000 + (a == 1 ? 0xc99 : 0xdd5);
			data.args[3] = a == 2 ? 0 : AT_EMPTY_PATH;
			const struct sb_syscall *row =
				native(abi) ? sb_syscall_find(abi, (long)nr) : NULL;
			uint32_t want = expected(spec, &data, row), got = run(&filter->prog, &data);

			cr_assert(got == want, "abi %d, number %u, from %#llx: %#x, not %#x",
				  (int)abi, nr, (unsigned long long)data.instruction_pointer, got,
				  want);
		}
}

Test(filter, every_number_of_every_abi)
{
	for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
		static struct sb_filter filter;
		struct sb_err err = SB_ERR_INIT;

		cr_assert(eq(int, sb_filter_make(&specs[s], &filter, &err), 0));
		for (int abi = 0; abi < SB_ABI_COUNT; abi++)
			for (uint32_t nr = 0; nr < TOP; nr++)
				hold(&specs[s], &filter, (enum sb_abi)abi, nr);
		/* A call that a tracer has taken away, and a foreign machine's. */
		struct seccomp_data gone = {.nr = -1, .arch = arch_of(SB_ABI_X86_64)};
		struct seccomp_data foreign = {.nr = 5, .arch = FOREIGN};
		cr_expect(eq(u32, run(&filter.prog, &gone), SECCOMP_RET_ALLOW));
		cr_expect(eq(u32, run(&filter.prog, &foreign), SECCOMP_RET_ALLOW));
	}
}

/* 0, or what failed first. */
static int live(const struct sb_filter *filter)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter->prog) < 0)
		return 77;
	if (openat(AT_FDCWD, "/", O_RDONLY) >= 0 || errno != EXDEV)
		return 1;
	if (access("/", F_OK) >= 0 || errno != EXDEV)
		return 2;
	if (syscall(__NR_io_uring_setup, 1, 0) >= 0 || errno != ENOSYS)
		return 3;
	if (getppid() <= 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (syscall(__NR_ptrace, 0, 0, 0, 0) >= 0 || errno != EXDEV)
		return 5;
	return 0;
}

Test(filter, the_kernel_takes_it)
{
	static struct sb_filter filter;
	struct sb_err err = SB_ERR_INIT;
	const struct sb_filter_spec spec = {
		.action = SECCOMP_RET_ERRNO | EXDEV, .refuse_uring = 1, .with_tracers = 1};
	int status;

	cr_assert(eq(int, sb_filter_make(&spec, &filter, &err), 0));
	pid_t pid = fork();
	if (pid == 0)
		_exit(live(&filter));
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(eq(int, WIFEXITED(status) != 0, 1));
	if (WEXITSTATUS(status) == 77)
		cr_skip("seccomp filters are refused here");
	cr_expect(eq(int, WEXITSTATUS(status), 0));
}

/* The opening of the module: told by all that it is told by, and by nothing less. */
Test(filter, opening)
{
	static const struct {
		uint64_t at, name, dirfd, flags, sixth;
		bool passes;
	} cases[] = {
		{LINKER, LINKER - 0x292ed, (uint32_t)AT_FDCWD, O_RDONLY | O_CLOEXEC, 1, true},
		{LINKER, LINKER - 0x292ed + SB_OPENING_SPAN - 16, (uint32_t)AT_FDCWD,
		 O_RDONLY | O_CLOEXEC, 1, true},
		{LINKER + 0x1000, LINKER + 0x1000 - 0x292ed, (uint64_t)AT_FDCWD,
		 O_RDONLY | O_CLOEXEC, 1, true},
		{LINKER, LINKER - 0x292ed + SB_OPENING_SPAN, (uint32_t)AT_FDCWD,
		 O_RDONLY | O_CLOEXEC, 1, false},
		{LINKER, LINKER - 0x292ed - 16, (uint32_t)AT_FDCWD, O_RDONLY | O_CLOEXEC, 1, false},
		{LINKER, LINKER - 0x292ed + (1ull << 32), (uint32_t)AT_FDCWD, O_RDONLY | O_CLOEXEC,
		 1, false},
		{LINKER, LINKER - 0x292ed, (uint32_t)AT_FDCWD, O_RDONLY | O_CLOEXEC, 0, false},
		{LINKER, LINKER - 0x292ed, (uint32_t)AT_FDCWD, O_RDONLY, 1, false},
		{LINKER, LINKER - 0x292ed, 3, O_RDONLY | O_CLOEXEC, 1, false},
		{LINKER + 1, LINKER + 1 - 0x292ed, (uint32_t)AT_FDCWD, O_RDONLY | O_CLOEXEC, 1,
		 false},
	};
	const struct sb_filter_spec spec = {
		.action = SECCOMP_RET_USER_NOTIF, .let_pass = 1, .opening = &opening};
	static struct sb_filter filter;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_filter_make(&spec, &filter, &err), 0));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct seccomp_data data = {
			.nr = SYS_openat,
			.arch = arch_of(NATIVE),
			.instruction_pointer = cases[i].at,
			.args = {cases[i].dirfd, cases[i].name, cases[i].flags, 0, 0,
				 cases[i].sixth},
		};

		cr_expect(eq(u32, run(&filter.prog, &data),
			     cases[i].passes ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF),
			  "case %zu", i);
	}
}

/* What names nothing passes, and the same call with a name does not. */
static int looks_quietly(void)
{
	struct sb_filter_spec spec = {.action = SECCOMP_RET_ERRNO | EXDEV};
	struct sb_filter filter;
	struct sb_err err = SB_ERR_INIT;
	struct stat st;

	spec.quiet_count = sb_quiet_learn(spec.quiet);
	if (sb_filter_make(&spec, &filter, &err) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter.prog) < 0)
		return 77;
	if (fstat(STDIN_FILENO, &st) < 0)
		return 1;
	if (fstatat(STDIN_FILENO, "name", &st, AT_EMPTY_PATH) == 0 || errno != EXDEV)
		return 2;
	return fstatat(AT_FDCWD, "/", &st, 0) == 0 || errno != EXDEV ? 3 : 0;
}

Test(filter, quiet)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(looks_quietly());
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(ne(int, WIFEXITED(status), 0));
	if (WEXITSTATUS(status) == 77)
		cr_skip_test("needs a seccomp filter");
	cr_assert(eq(int, WEXITSTATUS(status), 0));
}
