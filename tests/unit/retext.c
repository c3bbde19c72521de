/* libc's text as the processes that `audit` traces run it: made of the libc that this test runs
 * with.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/libctext.h"
#include "tracer/logfile.h"
#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <dlfcn.h>
#include <link.h>

/* The file that libc was loaded from. */
static void read_libc(struct sb_buf *ret)
{
	struct link_map *map;
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	char part[65536];
	ssize_t n;

	cr_assert(libc && dlinfo(libc, RTLD_DI_LINKMAP, &map) == 0);
	auto_fd int fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
	cr_assert(ge(int, fd, 0), "%s", map->l_name);
	while ((n = read(fd, part, sizeof part)) > 0)
		cr_assert(sb_buf_add(ret, part, (size_t)n) == 0);
	dlclose(libc);
}

static void make(const struct sb_buf *libc, struct sb_buf *ret)
{
	struct sb_err err = SB_ERR_INIT;
	int rc = sb_retext(libc->s, libc->len, ret, &err);

	if (rc == -SB_ESAID)
		cr_skip_test("a libc whose text can be replaced: %s", err.msg);
	cr_assert(eq(int, rc, 0), "%s", err.msg);
}

static const struct sb_libctext *table_of(const struct sb_buf *text)
{
	return (const struct sb_libctext *)(text->s + text->len - sizeof(struct sb_libctext));
}

static uint32_t word(const char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

Test(retext, leads_each_site_to_one_stub)
{
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT;
	bool execve = false;
	uint64_t stub = 0;

	read_libc(&libc);
	make(&libc, &text);
	const struct sb_libctext *t = table_of(&text);
	cr_assert(eq(u64, t->magic, SB_LIBCTEXT_MAGIC));
	cr_expect(eq(u64, t->identity, sb_libctext_identity(libc.s)));
	cr_assert(eq(sz, text.len, t->size + sizeof *t));
	for (unsigned i = 0; i < t->sites; i++) {
		uint64_t at = t->site[i].back - 7;
		const char *was = libc.s + at, *is = text.s + (at - t->text);

		/* Text lies in the file as in memory. */
		cr_expect(was[5] == '\x0f' && was[6] == '\x05');
		execve |= t->site[i].number == SYS_execve;
		/* What stands in between goes along, elsewhere. */
		if (was[0] != '\xb8' || word(was + 1) != t->site[i].number)
			continue;
		cr_expect(is[0] == '\xb0' && (unsigned char)is[1] == i && is[2] == '\xe9');
		uint64_t to = t->site[i].back + (uint64_t)(int64_t)(int32_t)word(is + 3);
		cr_expect(stub == 0 || to == stub, "site %u", i);
		stub = to;
	}
	cr_expect(execve);
	/* Which jumps on by the first pointer. */
	const char *code = text.s + (stub - t->text);
	cr_assert(code[0] == '\xff' && code[1] == '\x25');
	cr_expect(eq(u64, stub + 6 + word(code + 2), t->slots));
}

/* Where libc's fstat is fstatat with an empty name. */
Test(retext, lets_fstat_call_for_itself)
{
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT;
	unsigned jumps = 0;

	read_libc(&libc);
	make(&libc, &text);
	const struct sb_libctext *t = table_of(&text);
	if (!t->fstat)
		cr_skip_test("a libc whose fstat is no call of its own");
	const char *code = text.s + (t->fstat - t->text);
	cr_expect(memcmp(code - 10, "\x41\x89\xca\xb8\x06\x01\0\0\x0f\x05\xe9", 11) == 0);
	cr_expect(libc.s[t->fstat_path] == 0);
	/* Back to behind the place that is told of. */
	uint64_t back = t->fstat + 5 + (uint64_t)(int64_t)(int32_t)word(code + 1);
	bool site = false;
	for (unsigned i = 0; i < t->sites; i++)
		site |= t->site[i].back == back && t->site[i].number == SYS_newfstatat;
	cr_expect(site);
	/* And one jump that leads there now. */
	for (uint64_t i = 0; i + 5 < t->size; i++)
		if (text.s[i] == '\xe9' &&
		    t->text + i + 5 + (uint64_t)(int64_t)(int32_t)word(text.s + i + 1) ==
			    t->fstat - 10)
			jumps++;
	cr_expect(eq(uint, jumps, 1));
}

Test(retext, changes_nothing_else)
{
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT;
	size_t changed = 0;

	read_libc(&libc);
	make(&libc, &text);
	const struct sb_libctext *t = table_of(&text);
	for (uint64_t i = 0; i < t->size; i++)
		changed += text.s[i] != libc.s[t->text + i];
	/* Seven bytes each, and some for the functions and stubs. */
	cr_expect(lt(sz, changed, t->sites * 7 + 256));
}

/* A size that a page's remainder turns into nothing, and one more than there is. */
Test(retext, refuses_a_segment_that_is_not_in_the_file)
{
	static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 4096, 1ull << 32};
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT, other = SB_BUF_INIT;
	struct sb_err err = SB_ERR_INIT;

	read_libc(&libc);
	make(&libc, &text);
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)libc.s;
	Elf64_Phdr *p = (Elf64_Phdr *)(libc.s + e->e_phoff);
	while (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
		p++;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		p->p_filesz = sizes[i];
		cr_expect(eq(int, sb_retext(libc.s, libc.len, &other, &err), -SB_ESAID));
	}
}

Test(retext, leaves_a_libc_alone_that_is_another)
{
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT, other = SB_BUF_INIT;
	struct sb_err err = SB_ERR_INIT;
	unsigned last = 0;

	read_libc(&libc);
	make(&libc, &text);
	const struct sb_libctext *t = table_of(&text);
	/* The number of a call that names a path, and something in between that may change it. */
	for (unsigned i = 0; i < t->sites; i++)
		if (t->site[i].number == SYS_execve)
			last = t->site[i].back;
	cr_assert(last != 0);
	memcpy(libc.s + last - 7, "\xb8\x3b\0\0\0\x89\xc8\x0f\x05", 9);
	cr_expect(eq(int, sb_retext(libc.s, libc.len, &other, &err), -SB_ESAID));
	/* A breakpoint in place of the call. */
	memcpy(libc.s + last - 7, "\xb8\x3b\0\0\0\xcc\x90\x90\x90", 9);
	cr_expect(eq(int, sb_retext(libc.s, libc.len, &other, &err), -SB_ESAID));
	for (size_t len = 0; len < libc.len; len += 4099)
		cr_expect(sb_retext(libc.s, len, &other, &err) < 0, "%zu", len);
	libc.s[0] = 0;
	cr_expect(eq(int, sb_retext(libc.s, libc.len, &other, &err), -SB_ESAID));
}

Test(retext, is_a_file_that_nobody_writes_to)
{
	char dir[] = "/tmp/sb-retext-XXXXXX", path[64];
	struct sb_err err = SB_ERR_INIT;
	auto_buf text = SB_BUF_INIT;
	struct sb_libctext table;
	struct stat st;

	cr_assert(ne(ptr, mkdtemp(dir), NULL));
	(void)snprintf(path, sizeof path, "%s/" SB_LIBCTEXT_NAME, dir);
	cr_assert(eq(int, sb_log_text(dir, &text), 0));
	int rc = sb_retext_file(dir, &table, &err);
	if (rc >= 0) {
		cr_expect(eq(u64, table.magic, SB_LIBCTEXT_MAGIC));
		cr_expect(rc & SB_LIBCTEXT_BESIDE);
		cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0400);
		if (rc & SB_LIBCTEXT_ON_DISK)
			cr_expect(stat(text.s, &st) == 0 && (st.st_mode & 07777) == 0400);
		/* Others': they are not taken. */
		cr_expect(sb_retext_file(dir, &table, &err) < 0);
	}
	(void)unlink(text.s);
	(void)unlink(path);
	cr_expect(eq(int, rmdir(dir), 0));
	if (rc < 0)
		cr_skip_test("a libc whose text can be replaced: %s", err.msg);
}

#endif
