/*
 * Reading a directory that both have, the payload and this machine: the program has this machine's
 * open, and after its last name come those that only the payload has.
 *
 * How far each descriptor has come in the payload's is kept by its number, and begins again when
 * the program does. Descriptors beyond the table show this machine's names alone.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"

#define SEEK_SET_   0
#define SEEK_CUR_   1
#define DESCRIPTORS 1024

/* Where to go on in the payload's directory; 0: at its beginning. */
static long far[DESCRIPTORS];

/* getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static long call(long nr, long a, long b, long c, long d)
{
	return sb_arch_syscall(nr, a, b, c, d, 0, 0);
}

/* The index has it (a place kept for this machine's own file is not in it), and this machine not.
 */
static bool is_payloads(long fd, char *dir, size_t dir_len, const char *name,
			struct sb_place *place)
{
	char none[1];
	size_t at = dir_len;

	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		return false;
	return (dir_len == 1 || sb_puts(dir, SB_PATH_MAX, &at, "/")) &&
	       sb_puts(dir, SB_PATH_MAX, &at, name) && sb_look(dir, false, place) && place->entry &&
	       call(__NR_readlinkat, fd, (long)name, (long)none, sizeof(none)) == -ENOENT;
}

/* Of `n` bytes of entries those that are to be seen, moved together. */
static long sift(long fd, char *buf, long n, char *dir, size_t dir_len, struct sb_place *place)
{
	long kept = 0;

	for (long at = 0; at < n;) {
		struct entry *e = (struct entry *)(buf + at);
		uint16_t len = e->len;

		far[fd] = (long)e->off;
		if (is_payloads(fd, dir, dir_len, e->name, place)) {
			for (uint16_t i = 0; i < len; i++)
				buf[kept + i] = buf[at + i];
			kept += len;
		}
		at += len;
	}
	return kept;
}

/* The payload's directory that the one behind `fd` hides; -1: none. `dir`: its name. */
static long open_hidden(long fd, char *dir, size_t *ret_len, struct sb_place *place)
{
	const char *real;

	*ret_len = sb_name_of(fd, dir, SB_PATH_MAX);
	if (!*ret_len || sb_strip(dir) || !sb_look(dir, false, place) || !place->entry ||
	    place->entry->type != SB_INDEX_DIR || place->entry->flags & SB_INDEX_OPAQUE)
		return -1;
	real = sb_place_in_payload(place);
	return real ? call(__NR_openat, AT_FDCWD, (long)real, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
		    : -1;
}

__attribute__((noinline)) static long list_hidden(long fd, char *buf, size_t size)
{
	char dir[SB_PATH_MAX];
	struct sb_place place = {.size = 0};
	size_t len;
	long hidden = open_hidden(fd, dir, &len, &place), n = 0;

	if (hidden < 0)
		return 0;
	if (far[fd])
		(void)call(__NR_lseek, hidden, far[fd], SEEK_SET_, 0);
	for (long kept = 0; !kept; n = kept) {
		n = call(__NR_getdents64, hidden, (long)buf, (long)size, 0);
		if (n <= 0)
			break;
		kept = sift(fd, buf, n, dir, len, &place);
	}
	(void)call(__NR_close, hidden, 0, 0, 0);
	return n < 0 ? 0 : n;
}

long sb_redirect_list(const struct sb_call *c)
{
	long fd = (int)c->args[0], rc;
	bool begins, mine = fd >= 0 && fd < DESCRIPTORS && sb_here.index;

	/* A file system whose empty directories have no name at all stays at 0 for ever. */
	begins = mine && far[fd] && call(__NR_lseek, fd, 0, SEEK_CUR_, 0) == 0;
	rc = call(__NR_getdents64, fd, c->args[1], c->args[2], 0);
	if (begins && rc > 0)
		far[fd] = 0;
	return rc == 0 && mine ? list_hidden(fd, (char *)c->args[1], (size_t)c->args[2]) : rc;
}
