/*
 * uring DIR: opens through io_uring, and by a system call where io_uring is refused, as programs do
 * that can use it. Which of both is not printed: the two look alike.
 */
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/targets/expect.h"

static int ring = -1;
static struct io_uring_params params;
static char *sq, *cq;
static struct io_uring_sqe *entries;

static void *map(size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);

	if (p == MAP_FAILED)
		fail("mmap", "io_uring");
	return p;
}

static void set_up(void)
{
	ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0) {
		if (errno != ENOSYS && errno != EPERM)
			fail("io_uring_setup", "");
		return;
	}
	sq = map(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	entries = map(params.sq_entries * sizeof(*entries), IORING_OFF_SQES);
}

static unsigned *word(char *area, unsigned offset)
{
	return (unsigned *)(void *)(area + offset);
}

/* -errno or a descriptor. */
static int open_by_ring(const char *path)
{
	unsigned tail = *word(sq, params.sq_off.tail), head = *word(cq, params.cq_off.head);
	unsigned slot = tail & *word(sq, params.sq_off.ring_mask);
	const struct io_uring_cqe *done;

	entries[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path};
	word(sq, params.sq_off.array)[slot] = slot;
	__atomic_store_n(word(sq, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		fail("io_uring_enter", path);
	done = (const struct io_uring_cqe *)(void *)(cq + params.cq_off.cqes) +
	       (head & *word(cq, params.cq_off.ring_mask));
	__atomic_store_n(word(cq, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return done->res;
}

static void open_somehow(const char *path, int outcome)
{
	int fd = ring < 0 ? open(path, O_RDONLY) : open_by_ring(path);

	errno = ring < 0 ? errno : -fd;
	if (outcome ? fd >= 0 || errno != outcome : fd < 0)
		fail("open had another outcome", path);
}

int main(int argc, char **argv)
{
	char name[256];

	if (argc != 2)
		return 2;
	set_up();
	snprintf(name, sizeof(name), "%s/in-ring", argv[1]);
	/* Not opened for it: to fanotify, two opens of one process and file may be one. */
	if (mknod(name, S_IFREG | 0600, 0))
		fail("make", name);
	expect("open", 0, name);
	open_somehow(name, 0);
	for (unsigned long i = 0; i < 20; i++) {
		missing_name(name, argv[1], "ring", i);
		expect("open", ENOENT, name);
		open_somehow(name, ENOENT);
	}
	return 0;
}
