/* A tracee's memory: the two reading functions of tracer/decode.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/decode.h"

#define PAGE 4096u
/* What most paths fit into. */
#define PIECE 256u

/* Where process_vm_readv is refused (a seccomp profile without it), the file may still be open. */
static ssize_t read_by_file(pid_t tid, uint64_t address, void *to, size_t size)
{
	char name[32];

	(void)snprintf(name, sizeof name, "/proc/%d/mem", (int)tid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -EPERM;
	ssize_t n = pread(fd, to, size, (off_t)address);
	if (n < 0)
		return errno == EIO ? -EFAULT : -errno;
	/* No memory any more: it is a zombie. */
	return n == 0 ? -ESRCH : n;
}

/* At least one byte, or an error. The next page may not be there: it is asked for apart. */
static ssize_t read_some(pid_t tid, uint64_t address, void *to, size_t size)
{
	size_t first = PAGE - (size_t)(address & (PAGE - 1));
	struct iovec local = {to, size};
	// NOLINTBEGIN(performance-no-int-to-ptr)
	struct iovec remote[2] = {
		{(void *)(uintptr_t)address, size < first ? size : first},
		{(void *)(uintptr_t)(address + first), size < first ? 0 : size - first},
	};
	// NOLINTEND(performance-no-int-to-ptr)
	ssize_t n = process_vm_readv(tid, &local, 1, remote, size > first ? 2 : 1, 0);

	if (n > 0)
		return n;
	if (n == 0 || errno == EFAULT)
		return -EFAULT;
	if (errno == EPERM || errno == ENOSYS)
		return read_by_file(tid, address, to, size < first ? size : first);
	return -errno;
}

int sb_read_memory(pid_t tid, uint64_t address, void *ret, size_t size)
{
	char *to = ret;

	if (!address)
		return -EFAULT;
	while (size) {
		/* No more than two pages at once: read_some() knows of one border. */
		ssize_t n = read_some(tid, address, to, size < PAGE ? size : PAGE);

		if (n < 0)
			return (int)n;
		to += n;
		address += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int sb_read_string(pid_t tid, uint64_t address, size_t most, struct sb_buf *ret)
{
	char piece[PAGE];
	size_t before = ret->len, want = PIECE;

	if (!address)
		return -EFAULT;
	while (ret->len - before < most) {
		size_t left = most - (ret->len - before);
		ssize_t n = read_some(tid, address, piece, want < left ? want : left);

		if (n < 0) {
			sb_buf_cut(ret, before);
			return (int)n;
		}
		size_t len = strnlen(piece, (size_t)n);
		if (sb_buf_add(ret, piece, len) < 0)
			return -ENOMEM;
		if (len < (size_t)n)
			return 0;
		address += (uint64_t)n;
		want = PAGE;
	}
	return 0;
}

/* What the window has from there on; 0: nothing, or it cannot be read. */
static size_t look_through(struct sb_window *w, uint64_t address)
{
	if (w->len && address >= w->at && address - w->at < w->len)
		return w->len - (size_t)(address - w->at);
	size_t size = PAGE - (size_t)(address & (PAGE - 1));
	ssize_t n = address ? read_some(w->tid, address, w->bytes, size) : 0;
	w->at = address;
	w->len = n > 0 ? (size_t)n : 0;
	return w->len;
}

int sb_window_memory(struct sb_window *window, uint64_t address, void *ret, size_t size)
{
	if (look_through(window, address) < size)
		return sb_read_memory(window->tid, address, ret, size);
	memcpy(ret, window->bytes + (address - window->at), size);
	return 0;
}

int sb_window_string(struct sb_window *window, uint64_t address, size_t most, struct sb_buf *ret)
{
	size_t have = look_through(window, address);
	const char *from = window->bytes + (address - window->at);
	size_t len = strnlen(from, have);

	/* It goes on behind the page, or is longer than it may be. */
	if (len == have || len >= most)
		return sb_read_string(window->tid, address, most, ret);
	return sb_buf_add(ret, from, len);
}
