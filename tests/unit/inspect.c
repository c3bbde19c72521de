/* What the exec hooks learn of a program file before it is started. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <sys/xattr.h>

#include "preload/arch.h"
#include "preload/inspect.h"
#include "tests/unit/mini_elf.h"

#define LD "/lib64/ld-linux-x86-64.so.2"

static char dir[] = "/tmp/sb-inspect.XXXXXX";
static struct sb_log_header *header;

static void begin(void)
{
	cr_assert(mkdtemp(dir) != NULL);
	header = calloc(1, sizeof *header);
	cr_assert(header != NULL);
}

static void end(void)
{
	char command[128];

	free(header);
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	cr_expect(eq(int, system(command), 0));
}

TestSuite(inspect, .init = begin, .fini = end);

static const char *full(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof path, "%s%s", dir, name);
	return path;
}

static int look(const char *name, struct sb_program *ret)
{
	return sb_inspect(header, AT_FDCWD, full(name), 0, ret);
}

static void put(const char *name, const void *bytes, size_t len)
{
	cr_assert(eq(int, mini_write(dir, name, bytes, len, 0755), 0));
}

Test(inspect, elf_files)
{
	static const struct mini_tag plain[] = {{DT_NEEDED, "libc.so.6", 0}, {0, NULL, 0}};
	static const struct mini_tag asan[] = {
		{DT_NEEDED, "libc.so.6", 0}, {DT_NEEDED, "libasan.so.8", 0}, {0, NULL, 0}};
	static const struct mini_tag tsan[] = {{DT_NEEDED, "libclang_rt.tsan.so", 0}, {0, NULL, 0}};
	static const struct mini_tag like[] = {{DT_NEEDED, "libasan-not.so", 0}, {0, NULL, 0}};
	static const struct {
		const char *name;
		struct mini_elf elf;
		uint64_t info;
	} rows[] = {
		{"/dynamic", {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = plain}, 0},
		{"/musl",
		 {.machine = SB_ARCH_MACHINE, .interp = "/lib/ld-musl-x86_64.so.1", .tags = plain},
		 SB_PROG_MUSL},
		{"/moved-musl",
		 {.machine = SB_ARCH_MACHINE, .interp = "/opt/x/ld-musl-any.so", .tags = plain},
		 SB_PROG_MUSL},
		{"/static", {.machine = SB_ARCH_MACHINE}, SB_PROG_STATIC},
		{"/static-pie", {.machine = SB_ARCH_MACHINE, .tags = plain}, SB_PROG_STATIC},
		{"/asan",
		 {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = asan},
		 SB_PROG_SANITIZER},
		{"/tsan",
		 {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = tsan},
		 SB_PROG_SANITIZER},
		{"/like", {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = like}, 0},
		{"/i386", {.class = ELFCLASS32, .machine = EM_386, .interp = LD}, SB_PROG_FOREIGN},
		/* x32: this machine's number, another class */
		{"/x32", {.class = ELFCLASS32, .machine = SB_ARCH_MACHINE}, SB_PROG_FOREIGN},
		{"/riscv", {.machine = EM_RISCV, .interp = LD}, SB_PROG_FOREIGN},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_program program;
		bool linked = rows[i].elf.interp && !(rows[i].info & SB_PROG_FOREIGN);
		uint64_t info = rows[i].info | SB_PROG_KNOWN | (linked ? SB_PROG_LINKED : 0);

		cr_assert(eq(int, mini_file(dir, rows[i].name, &rows[i].elf), 0));
		cr_assert(eq(int, look(rows[i].name, &program), 0), "%s", rows[i].name);
		cr_expect(eq(u64, program.info, info), "%s", rows[i].name);
		cr_expect(not(program.gains), "%s", rows[i].name);
		/* The second answer comes from the log, and is the same. */
		cr_expect(eq(u64, sb_inspect_known(header, program.key), info));
		cr_assert(eq(int, look(rows[i].name, &program), 0));
		cr_expect(eq(u64, program.info, info), "%s", rows[i].name);
	}
}

/* Cut anywhere, it is something that the kernel will refuse: never more than that. */
Test(inspect, cut_short)
{
	static const struct mini_tag tags[] = {{DT_NEEDED, "libasan.so.8", 0}, {0, NULL, 0}};
	const struct mini_elf elf = {.machine = SB_ARCH_MACHINE, .interp = LD, .tags = tags};
	static unsigned char bytes[65536];
	size_t len = mini_build(&elf, bytes, NULL);

	for (size_t n = 0; n <= len; n++) {
		struct sb_program program;

		put("/cut", bytes, n);
		cr_assert(eq(int, sb_inspect(NULL, AT_FDCWD, full("/cut"), 0, &program), 0));
		cr_expect(eq(u64, program.info & SB_PROG_SCRIPT, 0));
	}
}

Test(inspect, scripts)
{
	static const struct {
		const char *text, *interpreter; /* NULL: no script */
	} rows[] = {
		{"#!/bin/sh\n", "/bin/sh"},
		{"#!/bin/sh", "/bin/sh"},
		{"#! \t /bin/sh -e -u\n", "/bin/sh"},
		{"#!/bin/sh\t-e\n", "/bin/sh"},
		{"#!relative/sh\n", "relative/sh"},
		{"#!\n", NULL},
		{"#!  \n/bin/sh", NULL},
		{"#!", NULL},
		{"#", NULL},
		{"", NULL},
		{"# !/bin/sh\n", NULL},
		{"echo\n", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_program program;

		put("/script", rows[i].text, strlen(rows[i].text));
		cr_assert(eq(int, sb_inspect(NULL, AT_FDCWD, full("/script"), 0, &program), 0));
		cr_expect(eq(int, !!(program.info & SB_PROG_SCRIPT), rows[i].interpreter != NULL),
			  "'%s'", rows[i].text);
		if (rows[i].interpreter)
			cr_expect(eq(str, program.interpreter, (char *)rows[i].interpreter));
	}
}

/* The kernel reads 256 bytes: an interpreter that goes on behind them is none. */
Test(inspect, an_interpreter_longer_than_the_kernel_reads)
{
	struct sb_program program;
	char text[400];

	memset(text, 'x', sizeof text);
	memcpy(text, "#!/", 3);
	put("/long", text, sizeof text);
	cr_assert(eq(int, look("/long", &program), 0));
	cr_expect(eq(u64, program.info & SB_PROG_SCRIPT, 0));
	text[255] = '\n';
	put("/fits", text, sizeof text);
	cr_assert(eq(int, look("/fits", &program), 0));
	cr_expect(eq(u64, program.info & SB_PROG_SCRIPT, SB_PROG_SCRIPT));
	cr_expect(eq(sz, strlen(program.interpreter), 253));
}

Test(inspect, what_is_no_file)
{
	struct sb_program program;

	cr_expect(eq(int, look("/none", &program), -ENOENT));
	cr_expect(eq(int, look("", &program), -EACCES));
	cr_assert(eq(int, mkfifo(full("/fifo"), 0700), 0));
	cr_expect(eq(int, look("/fifo", &program), -EACCES)); /* and nobody waits for a writer */
	cr_expect(eq(int, sb_inspect(NULL, AT_FDCWD, NULL, 0, &program), -EFAULT));
}

/* By descriptor, as fexecve has it; one that only names its file is no hindrance. */
Test(inspect, by_descriptor)
{
	static const int modes[] = {O_RDONLY, O_PATH};
	const struct mini_elf elf = {.machine = SB_ARCH_MACHINE};

	cr_assert(eq(int, mini_file(dir, "/static", &elf), 0));
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		int fd = open(full("/static"), modes[i] | O_CLOEXEC);
		struct sb_program program;

		cr_assert(eq(int, sb_inspect(NULL, fd, "", AT_EMPTY_PATH, &program), 0));
		cr_expect(eq(u64, program.info, SB_PROG_STATIC | SB_PROG_KNOWN), "mode %d",
			  modes[i]);
		close(fd);
	}
}

Test(inspect, a_changed_file_is_looked_at_again)
{
	const struct mini_elf elf = {.machine = SB_ARCH_MACHINE};
	struct sb_program before, after;

	cr_assert(eq(int, mini_file(dir, "/x", &elf), 0));
	cr_assert(eq(int, look("/x", &before), 0));
	put("/x", "#!/bin/sh\n", 10);
	cr_assert(eq(int, look("/x", &after), 0));
	cr_expect(ne(u64, before.key, after.key));
	cr_expect(eq(u64, after.info & SB_PROG_SCRIPT, SB_PROG_SCRIPT));
}

/* Keys that meet in one place stand behind one another, as many as are looked at. */
Test(inspect, the_cache)
{
	for (uint64_t i = 0; i < 9; i++)
		sb_inspect_note(header, 5 + i * SB_PROG_SLOTS, SB_PROG_STATIC | i);
	for (uint64_t i = 0; i < 8; i++)
		cr_expect(eq(u64, sb_inspect_known(header, 5 + i * SB_PROG_SLOTS),
			     SB_PROG_STATIC | SB_PROG_KNOWN | i));
	cr_expect(eq(u64, sb_inspect_known(header, 5 + 8 * (uint64_t)SB_PROG_SLOTS), 0));
	sb_inspect_note(header, 5, SB_PROG_NO_AUDIT);
	cr_expect(eq(u64, sb_inspect_known(header, 5),
		     SB_PROG_STATIC | SB_PROG_KNOWN | SB_PROG_NO_AUDIT));
}

/* Set-id to oneself gains nothing. */
Test(inspect, set_id)
{
	const struct mini_elf elf = {.machine = SB_ARCH_MACHINE, .interp = LD};
	struct sb_program program;

	cr_assert(eq(int, mini_file(dir, "/own", &elf), 0));
	cr_assert(eq(int, chmod(full("/own"), 06755), 0));
	cr_assert(eq(int, look("/own", &program), 0));
	cr_expect(not(program.gains));
	if (geteuid() != 0)
		cr_skip_test("the right to give a file away");
	cr_assert(eq(int, chown(full("/own"), 1, 1), 0));
	cr_assert(eq(int, chmod(full("/own"), 04755), 0));
	cr_assert(eq(int, look("/own", &program), 0));
	cr_expect(program.gains);
	cr_assert(eq(int, chmod(full("/own"), 02755), 0));
	cr_assert(eq(int, look("/own", &program), 0));
	cr_expect(program.gains);
	/* Without the group's x, the bit asks for mandatory locks. */
	cr_assert(eq(int, chmod(full("/own"), 02745), 0));
	cr_assert(eq(int, look("/own", &program), 0));
	cr_expect(not(program.gains));
}

/* Who is root has them all: for the others it is a gain. */
Test(inspect, file_capabilities)
{
	/* VFS_CAP_REVISION_2, effective; CAP_NET_RAW permitted */
	static const uint32_t capability[5] = {0x02000001, 1u << 13, 0, 0, 0};
	const struct mini_elf elf = {.machine = SB_ARCH_MACHINE, .interp = LD};
	struct sb_program program;

	cr_assert(eq(int, mini_file(dir, "/cap", &elf), 0));
	if (setxattr(full("/cap"), "security.capability", capability, sizeof capability, 0) < 0)
		cr_skip_test("CAP_SETFCAP");
	cr_assert(eq(int, look("/cap", &program), 0));
	cr_expect(eq(u64, program.info & SB_PROG_SETID, SB_PROG_SETID));
	cr_expect(eq(int, program.gains, getuid() != 0));
	cr_assert(eq(int, chmod(dir, 0755), 0));
	cr_assert(eq(int, setresuid(65534, 65534, 0), 0));
	cr_assert(eq(int, look("/cap", &program), 0));
	cr_expect(program.gains);
	cr_assert(eq(int, setresuid(0, 0, 0), 0));
}
