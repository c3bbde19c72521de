/* The text of this process's own libc, as a file. */
#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/libctext.h"

#define PAGE 4096u

static int note_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!slash || strcmp(slash, "/libc.so.6") != 0)
		return 0;
	return sb_buf_set(path, info->dlpi_name) < 0 ? -ENOMEM : 1;
}

static int write_file(const char *path, const struct sb_buf *content, struct sb_err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	size_t done = 0;

	while (fd >= 0 && done < content->len) {
		ssize_t n = write(fd, content->s + done, content->len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fd < 0)
		return sb_fail(err, errno, "make '%s'", path);
	if (done < content->len)
		return sb_fail(err, errno ? errno : ENOSPC, "write '%s'", path);
	/* A file system may be mounted noexec, and a security module may have its own idea. */
	void *tried = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (tried == MAP_FAILED)
		return sb_fail(err, errno, "map '%s' to be executed", path);
	(void)munmap(tried, PAGE);
	return 0;
}

int sb_retext_file(const char *dir, struct sb_libctext *ret_table, struct sb_err *err)
{
	auto_buf libc = SB_BUF_INIT, path = SB_BUF_INIT, text = SB_BUF_INIT;
	struct stat st;

	if (dl_iterate_phdr(note_libc, &libc) != 1)
		return sb_fail(err, SB_ESAID, "this program runs without a libc.so.6");
	if (sb_buf_printf(&path, "%s/" SB_LIBCTEXT_NAME, dir) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	auto_fd int fd = open(libc.s, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "open '%s'", libc.s);
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return sb_fail(err, errno, "map '%s'", libc.s);
	int rc = sb_retext(bytes, (size_t)st.st_size, &text, err);
	(void)munmap(bytes, (size_t)st.st_size);
	if (rc == 0)
		rc = write_file(path.s, &text, err);
	if (rc == 0)
		memcpy(ret_table, text.s + text.len - sizeof *ret_table, sizeof *ret_table);
	return rc;
}

#else

int sb_retext_file(const char *dir, struct sb_libctext *ret_table, struct sb_err *err)
{
	(void)dir;
	(void)ret_table;
	return sb_fail(err, SB_ESAID, "not on this machine");
}

#endif
