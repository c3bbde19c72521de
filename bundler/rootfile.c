#include "bundler/rootfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"

int sb_root_open(const char *root, const char *path, struct sb_buf *ret_real, struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;
	auto_buf full = SB_BUF_INIT;
	auto_fd int fd = -1;
	struct stat st;
	int rc = sb_resolve(root, path, 0, NULL, NULL, &real, err);

	if (rc < 0)
		return rc;
	if (sb_in_root(&full, root, real.s) < 0)
		return sb_fail(err, ENOMEM, "open '%s'", path);
	/* O_NONBLOCK: a fifo is refused below, not waited for. */
	fd = open(full.s, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "open '%s'", full.s);
	if (!S_ISREG(st.st_mode))
		return sb_fail(err, EINVAL, "open '%s': no regular file", full.s);
	if (ret_real && sb_buf_set(ret_real, real.s) < 0)
		return sb_fail(err, ENOMEM, "open '%s'", path);
	return sb_steal_fd(&fd);
}

int sb_root_read(const char *root, const char *path, size_t limit, struct sb_buf *ret,
		 struct sb_err *err)
{
	auto_fd int fd = sb_root_open(root, path, NULL, err);
	size_t start = ret->len;
	char piece[16384];

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_fail(err, errno, "read '%s'", path);
		if (n == 0)
			return 0;
		if (ret->len - start + (size_t)n > limit)
			return sb_fail(err, EFBIG, "read '%s'", path);
		if (sb_buf_add(ret, piece, (size_t)n) < 0)
			return sb_fail(err, ENOMEM, "read '%s'", path);
	}
}
