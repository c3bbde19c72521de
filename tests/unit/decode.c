/* Calls as a tracer sees them, made up over this process's own memory. */
#include <asm/unistd.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "tracer/decode.h"

#define AT(pointer) ((uint64_t)(uintptr_t)(pointer))
#define CWD	    ((uint32_t)AT_FDCWD)

struct want {
	uint8_t kind, op, nofollow;
	int dirfd;
	const char *path;
};

struct sample {
	const char *what;
	enum sb_abi abi;
	long nr;
	uint64_t args[6];
	unsigned count;
	struct want want[2];
};

static void hold(const struct sample *s)
{
	struct sb_call call = {.abi = s->abi, .nr = s->nr};
	struct sb_touches got;

	memcpy(call.args, s->args, sizeof call.args);
	int rc = sb_decode(getpid(), &call, &got);
	cr_expect(rc == 0, "%s: %d", s->what, rc);
	cr_expect(got.count == s->count, "%s: %u touches, not %u", s->what, got.count, s->count);
	for (unsigned i = 0; i < s->count && i < got.count; i++) {
		const struct sb_touch *t = &got.touch[i];
		const struct want *w = &s->want[i];

		cr_expect(t->kind == w->kind && t->op == w->op, "%s: %u: kind %d, op %d", s->what,
			  i, t->kind, t->op);
		cr_expect(t->dirfd == w->dirfd, "%s: %u: dirfd %d", s->what, i, t->dirfd);
		cr_expect(t->nofollow == w->nofollow, "%s: %u: nofollow", s->what, i);
		cr_expect_str_eq(t->path, w->path, "%s: %u: '%s'", s->what, i, t->path);
	}
	sb_touches_free(&got);
}

Test(decode, every_shape)
{
	static const char a[] = "a", b[] = "/b";
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
	struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "sock"};
	struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0sock"};
	struct sockaddr_un other = {.sun_family = AF_INET};
	const struct sample samples[] = {
		{"open", SB_ABI_X86_64, 2, {AT(a), O_RDONLY}, 1, {{SB_OPEN, 0, 0, AT_FDCWD, "a"}}},
		{"open to write",
		 SB_ABI_X86_64,
		 2,
		 {AT(a), O_WRONLY},
		 1,
		 {{SB_WRITE, SB_OP_OPEN, 0, AT_FDCWD, "a"}}},
		{"open both ways",
		 SB_ABI_X86_64,
		 2,
		 {AT(a), O_RDWR | O_NOFOLLOW},
		 2,
		 {{SB_OPEN, 0, 1, AT_FDCWD, "a"}, {SB_WRITE, SB_OP_OPEN, 1, AT_FDCWD, "a"}}},
		{"open a temporary file",
		 SB_ABI_X86_64,
		 257,
		 {CWD, AT(a), O_RDWR | O_TMPFILE},
		 1,
		 {{SB_OPEN, 0, 0, AT_FDCWD, "a"}}},
		{"creat",
		 SB_ABI_X86_64,
		 85,
		 {AT(a), 0600},
		 1,
		 {{SB_WRITE, SB_OP_OPEN, 0, AT_FDCWD, "a"}}},
		{"openat", SB_ABI_AARCH64, 56, {7, AT(b), O_PATH}, 1, {{SB_OPEN, 0, 0, 7, "/b"}}},
		{"openat2 in a root",
		 SB_ABI_X86_64,
		 437,
		 {7, AT(b), AT(&how), sizeof how},
		 1,
		 {{SB_OPEN, 0, 0, 7, "b"}}},
		{"x32 open", SB_ABI_X32, 0x40000002, {AT(a)}, 1, {{SB_OPEN, 0, 0, AT_FDCWD, "a"}}},
		{"stat", SB_ABI_X86_64, 4, {AT(a)}, 1, {{SB_STAT, 0, 0, AT_FDCWD, "a"}}},
		{"lstat", SB_ABI_X86_64, 6, {AT(a)}, 1, {{SB_STAT, 0, 1, AT_FDCWD, "a"}}},
		{"fstatat",
		 SB_ABI_X86_64,
		 262,
		 {9, AT(a), 0, AT_SYMLINK_NOFOLLOW},
		 1,
		 {{SB_STAT, 0, 1, 9, "a"}}},
		{"fstat in disguise", SB_ABI_X86_64, 262, {9, AT(""), 0, AT_EMPTY_PATH}, 0, {{0}}},
		{"futimens", SB_ABI_X86_64, 280, {9, 0, 0, 0}, 0, {{0}}},
		{"inotify",
		 SB_ABI_X86_64,
		 254,
		 {9, AT(a), IN_DONT_FOLLOW | IN_CREATE},
		 1,
		 {{SB_STAT, 0, 1, AT_FDCWD, "a"}}},
		{"inotify that follows",
		 SB_ABI_X86_64,
		 254,
		 {9, AT(a), IN_CREATE},
		 1,
		 {{SB_STAT, 0, 0, AT_FDCWD, "a"}}},
		{"handle",
		 SB_ABI_X86_64,
		 303,
		 {9, AT(a), 0, 0, AT_SYMLINK_FOLLOW},
		 1,
		 {{SB_STAT, 0, 0, 9, "a"}}},
		{"readlink of a descriptor",
		 SB_ABI_X86_64,
		 267,
		 {9, AT("")},
		 1,
		 {{SB_READLINK, 0, 1, 9, ""}}},
		{"list", SB_ABI_X86_64, 217, {5}, 1, {{SB_LIST, 0, 0, 5, ""}}},
		{"symlink",
		 SB_ABI_X86_64,
		 266,
		 {AT("target"), 5, AT(a)},
		 1,
		 {{SB_WRITE, SB_OP_SYMLINK, 1, 5, "a"}}},
		{"rename",
		 SB_ABI_X86_64,
		 82,
		 {AT(a), AT(b)},
		 2,
		 {{SB_WRITE, SB_OP_MOVED, 1, AT_FDCWD, "a"},
		  {SB_WRITE, SB_OP_RENAME, 1, AT_FDCWD, "/b"}}},
		{"exchange",
		 SB_ABI_X86_64,
		 316,
		 {3, AT(a), 4, AT(b), RENAME_EXCHANGE},
		 2,
		 {{SB_WRITE, SB_OP_RENAME, 1, 3, "a"}, {SB_WRITE, SB_OP_RENAME, 1, 4, "/b"}}},
		{"link",
		 SB_ABI_X86_64,
		 265,
		 {3, AT(a), 4, AT(b), AT_SYMLINK_FOLLOW},
		 2,
		 {{SB_STAT, 0, 0, 3, "a"}, {SB_WRITE, SB_OP_LINK, 1, 4, "/b"}}},
		{"chdir", SB_ABI_X86_64, 80, {AT(a)}, 1, {{SB_STAT, 0, 0, AT_FDCWD, "a"}}},
		{"fchdir", SB_ABI_X86_64, 81, {5}, 0, {{0}}},
		{"connect",
		 SB_ABI_X86_64,
		 42,
		 {5, AT(&named), 2 + 4},
		 1,
		 {{SB_CONNECT, 0, 0, AT_FDCWD, "sock"}}},
		{"connect, abstract", SB_ABI_X86_64, 42, {5, AT(&abstract), 2 + 5}, 0, {{0}}},
		{"connect elsewhere", SB_ABI_X86_64, 42, {5, AT(&other), 16}, 0, {{0}}},
		{"bind",
		 SB_ABI_X86_64,
		 49,
		 {5, AT(&named), sizeof named},
		 1,
		 {{SB_WRITE, SB_OP_MKNOD, 1, AT_FDCWD, "sock"}}},
	};

	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		hold(&samples[i]);
}

Test(decode, exec_with_arguments)
{
	char *argv[] = {(char *)"sh", (char *)"", (char *)"-c", NULL};
	struct sb_call call = {SB_ABI_X86_64, 59, {AT("/bin/sh"), AT(argv), 0}};
	struct sb_touches got;

	cr_assert(eq(int, sb_decode(getpid(), &call, &got), 0));
	cr_assert(eq(u32, got.count, 1));
	cr_expect_str_eq(got.touch[0].path, "/bin/sh");
	for (int i = 0; i < 3; i++)
		cr_expect_str_eq(got.argv[i], argv[i]);
	cr_expect_null(got.argv[3]);
	sb_touches_free(&got);

	/* The shell's own way to run a bad pointer: as far as it can be read. */
	call.args[1] = 8;
	cr_assert(eq(int, sb_decode(getpid(), &call, &got), 0));
	cr_expect_null(got.argv[0]);
	sb_touches_free(&got);
}

/* i386 has its pointers in 32 bits: memory down there. */
Test(decode, i386_pointers)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct sb_touches got;

	cr_assert(low != MAP_FAILED);
	uint32_t base = (uint32_t)AT(low);
	uint32_t argv[] = {base + 64, base + 96, 0}, socketcall[] = {5, base + 128, 110};
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/s"};
	memcpy(low, argv, sizeof argv);
	memcpy(low + 32, socketcall, sizeof socketcall);
	memcpy(low + 64, "one", 4);
	memcpy(low + 96, "two", 4);
	memcpy(low + 128, &name, sizeof name);

	struct sb_call exec = {SB_ABI_I386, 11, {base + 64, base, 0}};
	cr_assert(eq(int, sb_decode(getpid(), &exec, &got), 0));
	cr_expect_str_eq(got.touch[0].path, "one");
	cr_expect_str_eq(got.argv[1], "two");
	cr_expect_null(got.argv[2]);
	sb_touches_free(&got);

	struct sb_call bind = {SB_ABI_I386, 102, {2, base + 32}};
	cr_assert(eq(int, sb_decode(getpid(), &bind, &got), 0));
	cr_assert(eq(u32, got.count, 1));
	cr_expect(eq(int, got.touch[0].op, SB_OP_MKNOD));
	cr_expect_str_eq(got.touch[0].path, "/s");
	sb_touches_free(&got);
}

Test(decode, what_cannot_be_read)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sb_touches got;
	struct sb_call call = {SB_ABI_X86_64, 2, {0}};
	auto_buf text = SB_BUF_INIT;

	cr_assert(pages != MAP_FAILED);
	cr_assert(eq(int, munmap(pages + 4096, 4096), 0));
	/* A name that ends right before the page that is not there. */
	memcpy(pages + 4096 - 5, "last", 5);
	call.args[0] = AT(pages) + 4096 - 5;
	cr_assert(eq(int, sb_decode(getpid(), &call, &got), 0));
	cr_expect_str_eq(got.touch[0].path, "last");
	sb_touches_free(&got);
	/* And one that does not. */
	memset(pages, 'x', 4096);
	cr_expect(eq(int, sb_decode(getpid(), &call, &got), -EFAULT));
	sb_touches_free(&got);
	call.args[0] = 0;
	cr_expect(eq(int, sb_decode(getpid(), &call, &got), -EFAULT));
	sb_touches_free(&got);
	call.nr = 0;
	cr_expect(eq(int, sb_decode(getpid(), &call, &got), -ENOSYS));

	/* No longer than asked for, and across a border that holds. */
	cr_expect(eq(int, sb_read_string(getpid(), AT(pages), 300, &text), 0));
	cr_expect(eq(sz, text.len, 300));

	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
	cr_expect(eq(int, sb_read_memory(pid, AT(pages), &call, 8), -ESRCH));
}

/* What stands close by comes out of what was read before, and across a border it is read anew. */
Test(decode, a_window_holds_what_is_left_of_a_page)
{
	char *pages =
		mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sb_window window = {.tid = getpid()};
	auto_buf text = SB_BUF_INIT;
	uint64_t number = 0;

	cr_assert(pages != MAP_FAILED);
	cr_assert(eq(int, munmap(pages + 8192, 4096), 0));
	memcpy(pages + 100, "one\0two", 8);
	memcpy(pages + 4094, "across", 7);
	memcpy(pages + 8192 - 4, "end", 4);
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 100, 64, &text), 0));
	/* No more is read of that page. */
	memcpy(pages + 104, "TWO", 3);
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 104, 64, &text), 0));
	cr_expect(eq(str, text.s, "onetwo"));
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 4094, 64, &text), 0));
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 8192 - 4, 64, &text), 0));
	cr_expect(eq(str, text.s, "onetwoacrossend"));
	sb_buf_cut(&text, 0);
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 4094, 3, &text), 0));
	cr_expect(eq(str, text.s, "acr"));
	cr_expect(eq(int, sb_window_memory(&window, AT(pages) + 4094, &number, 4), 0));
	cr_expect(memcmp(&number, "acro", 4) == 0);
	cr_expect(eq(int, sb_window_memory(&window, AT(pages) + 8192 - 2, &number, 8), -EFAULT));
	cr_expect(eq(int, sb_window_string(&window, AT(pages) + 8192, 8, &text), -EFAULT));
	cr_expect(eq(int, sb_window_string(&window, 0, 8, &text), -EFAULT));
}
