/* The text of this process's own libc, as a file. */
#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tracer/libctext.h"

#define PAGE 4096u
#define DISK "/var/tmp"

static int note_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!slash || strcmp(slash, "/libc.so.6") != 0)
		return 0;
	return sb_buf_set(path, info->dlpi_name) < 0 ? -ENOMEM : 1;
}

/* In as few calls as it takes: what is written at once is kept in one piece. */
static int write_file(int fd, const char *path, const struct sb_buf *content, struct sb_err *err)
{
	size_t done = 0;

	if (fd < 0)
		return sb_fail(err, errno, "make '%s'", path);
	while (done < content->len) {
		ssize_t n = write(fd, content->s + done, content->len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < content->len)
		return sb_fail(err, errno ? errno : ENOSPC, "write '%s'", path);
	/* A file system may be mounted noexec, and a security module may have its own idea. */
	void *tried = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (tried == MAP_FAILED)
		return sb_fail(err, errno, "map '%s' to be executed", path);
	(void)munmap(tried, PAGE);
	return 0;
}

static int write_beside(const char *dir, const struct sb_buf *text, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_buf_printf(&path, "%s/" SB_LIBCTEXT_NAME, dir) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	auto_fd int fd = open(path.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	return write_file(fd, path.s, text, err);
}

/* Not one that has them from elsewhere, nor one in memory. */
static bool is_on_disk(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* Where few programs look, and would find it: not in TMPDIR. */
static int write_on_disk(const char *dir, const struct sb_buf *text, struct sb_err *err)
{
	char path[] = DISK "/" SB_LIBCTEXT_PREFIX "XXXXXX";
	auto_buf link = SB_BUF_INIT;

	if (!is_on_disk(DISK))
		return sb_fail(err, SB_ESAID, "'%s' is not on a disk", DISK);
	if (sb_buf_printf(&link, "%s/" SB_LIBCTEXT_DISK, dir) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	auto_fd int fd = mkostemp(path, O_CLOEXEC);
	int rc = write_file(fd, path, text, err);
	if (rc == 0 && fchmod(fd, 0400) < 0)
		rc = sb_fail(err, errno, "make '%s' read-only", path);
	/* By the link it is found, and removed, should we be killed. */
	if (rc == 0 && symlink(path, link.s) < 0)
		rc = sb_fail(err, errno, "make the link '%s'", link.s);
	if (rc < 0 && fd >= 0)
		(void)unlink(path);
	return rc;
}

int sb_retext_file(const char *dir, struct sb_libctext *ret_table, struct sb_err *err)
{
	auto_buf libc = SB_BUF_INIT, text = SB_BUF_INIT;
	struct sb_err why = SB_ERR_INIT;
	struct stat st;
	int where = 0;

	if (dl_iterate_phdr(note_libc, &libc) != 1)
		return sb_fail(err, SB_ESAID, "this program runs without a libc.so.6");
	auto_fd int fd = open(libc.s, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "open '%s'", libc.s);
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return sb_fail(err, errno, "map '%s'", libc.s);
	int rc = sb_retext(bytes, (size_t)st.st_size, &text, err);
	(void)munmap(bytes, (size_t)st.st_size);
	if (rc < 0)
		return rc;
	if (write_beside(dir, &text, err) == 0)
		where |= SB_LIBCTEXT_BESIDE;
	if (write_on_disk(dir, &text, &why) == 0)
		where |= SB_LIBCTEXT_ON_DISK;
	else
		sb_log(SB_LOG_DEBUG, "libc's text is in memory only: %s", why.msg);
	memcpy(ret_table, text.s + text.len - sizeof *ret_table, sizeof *ret_table);
	return where ? where : -err->code;
}

#else

int sb_retext_file(const char *dir, struct sb_libctext *ret_table, struct sb_err *err)
{
	(void)dir;
	(void)ret_table;
	return sb_fail(err, SB_ESAID, "not on this machine");
}

#endif
