/* The text of this process's own libc, as a file. */
#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tracer/libctext.h"
#include "tracer/logfile.h"

#define PAGE 4096u

static int note_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!slash || strcmp(slash, "/libc.so.6") != 0)
		return 0;
	return sb_buf_set(path, info->dlpi_name) < 0 ? -ENOMEM : 1;
}

/* In as few calls as it takes: what is written at once is kept in one piece. */
static int write_all(int fd, const char *path, const struct sb_buf *content, struct sb_err *err)
{
	size_t done = 0;

	while (done < content->len) {
		ssize_t n = write(fd, content->s + done, content->len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done < content->len ? sb_fail(err, errno ? errno : ENOSPC, "write '%s'", path) : 0;
}

static int write_file(const char *path, const struct sb_buf *content, struct sb_err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return sb_fail(err, errno, "make '%s'", path);
	int rc = write_all(fd, path, content, err);
	/* A file system may be mounted noexec, and a security module may have its own idea. */
	void *tried = rc < 0 ? NULL : mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (tried == MAP_FAILED)
		rc = sb_fail(err, errno, "map '%s' to be executed", path);
	else if (tried)
		(void)munmap(tried, PAGE);
	if (rc < 0)
		(void)unlink(path);
	return rc;
}

static int write_beside(const char *dir, const struct sb_buf *text, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_buf_printf(&path, "%s/" SB_LIBCTEXT_NAME, dir) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	return write_file(path.s, text, err);
}

/* Not one that has its files from elsewhere, nor one in memory; and no link to where others look.
 */
static bool is_on_disk(const char *dir)
{
	struct statfs fs;
	struct stat st;

	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || statfs(dir, &fs) < 0)
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

static int write_on_disk(const char *dir, const struct sb_buf *text, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (!is_on_disk(SB_LIBCTEXT_PLACE))
		return sb_fail(err, SB_ESAID, "'%s' is on no disk", SB_LIBCTEXT_PLACE);
	if (sb_log_text(dir, &path) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	return write_file(path.s, text, err);
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
