#include "tracer/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"

/* Of an exec's arguments: as the log keeps no more of them either. */
#define ARGS_MOST      4096u
#define ARG_BYTES_MOST (128u * 1024)

/* Of i386 socketcall. */
#define CALL_BIND    2
#define CALL_CONNECT 3

/* The name while `text` still grows. */
struct name {
	size_t at;
	bool there;
};

struct decoder {
	pid_t tid;
	const struct sb_call *call;
	const struct sb_syscall *row;
	struct sb_touches *ret;
	struct name names[2];
};

static uint64_t argument(const struct decoder *d, int8_t which)
{
	return which < 0 ? 0 : d->call->args[which];
}

static int descriptor(const struct decoder *d, int8_t which)
{
	return which < 0 ? AT_FDCWD : (int)(uint32_t)d->call->args[which];
}

static uint8_t nofollow(const struct decoder *d)
{
	uint64_t flags = argument(d, d->row->flags);

	switch (d->row->nofollow) {
	case SB_FOLLOW:
		return 0;
	case SB_NOFOLLOW_FLAG:
		return (flags & AT_SYMLINK_NOFOLLOW) != 0;
	case SB_NOFOLLOW_UNLESS:
		return !(flags & AT_SYMLINK_FOLLOW);
	case SB_NOFOLLOW_INOTIFY:
		return (flags & IN_DONT_FOLLOW) != 0;
	default:
		return 1;
	}
}

/* The path is read into the text, and becomes touch `which`; `window` may be NULL. */
static int read_path_through(struct decoder *d, struct sb_window *window, unsigned which,
			     uint64_t address)
{
	struct sb_buf *text = &d->ret->text;
	size_t at = text->len;
	int rc = window ? sb_window_string(window, address, PATH_MAX, text)
			: sb_read_string(d->tid, address, PATH_MAX, text);

	if (rc == 0 && sb_buf_putc(text, '\0') < 0)
		rc = -ENOMEM;
	if (rc == 0)
		d->names[which] = (struct name){at, true};
	return rc;
}

static int read_path(struct decoder *d, unsigned which, uint64_t address)
{
	return read_path_through(d, NULL, which, address);
}

static struct sb_touch *touch(struct decoder *d, uint8_t kind, uint8_t op, int dirfd)
{
	struct sb_touch *t = &d->ret->touch[d->ret->count++];

	*t = (struct sb_touch){.kind = kind, .op = op, .dirfd = dirfd, .nofollow = nofollow(d)};
	return t;
}

static const char *name_of(const struct decoder *d, unsigned which)
{
	return d->names[which].there ? d->ret->text.s + d->names[which].at : "";
}

/* A stat of a descriptor by the call that takes paths: fstat, as libc has it. */
static bool is_fstat(const struct decoder *d)
{
	return d->row->kind == SB_STAT && d->row->dirfd >= 0 && !*name_of(d, 0);
}

static int decode_access(struct decoder *d)
{
	uint64_t address = argument(d, d->row->path);
	int rc;

	/* futimens and the like: a descriptor alone. */
	if (!address)
		return 0;
	rc = read_path(d, 0, address);
	if (rc == 0 && !is_fstat(d))
		(void)touch(d, d->row->kind, d->row->op, descriptor(d, d->row->dirfd));
	return rc;
}

static bool writes(uint64_t flags)
{
	/* O_TMPFILE names the directory; O_PATH makes the access mode meaningless. */
	if ((flags & O_PATH) || (flags & __O_TMPFILE) == __O_TMPFILE)
		return false;
	return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

/* One file, opened for reading, for writing, or for both. */
static void touch_open(struct decoder *d, uint64_t flags)
{
	bool written = writes(flags);

	if (!written || (flags & O_ACCMODE) != O_WRONLY)
		(void)touch(d, SB_OPEN, SB_OP_NONE, descriptor(d, d->row->dirfd));
	if (written)
		(void)touch(d, SB_WRITE, SB_OP_OPEN, descriptor(d, d->row->dirfd));
	for (unsigned i = 0; i < d->ret->count; i++) {
		d->ret->touch[i].open_flags = flags;
		d->ret->touch[i].nofollow = (flags & O_NOFOLLOW) != 0;
	}
	d->names[1] = d->names[0];
}

static int decode_open(struct decoder *d)
{
	uint64_t flags = d->row->flags < 0 ? O_CREAT | O_WRONLY | O_TRUNC
					   : (uint32_t)argument(d, d->row->flags);
	int rc = 0;

	if (d->row->act == SB_ACT_OPEN)
		rc = read_path(d, 0, argument(d, d->row->path));
	if (rc == 0)
		touch_open(d, flags);
	return rc;
}

static int decode_openat2(struct decoder *d)
{
	struct open_how how = {0};
	size_t size = argument(d, 3);
	int rc = sb_read_memory(d->tid, argument(d, d->row->flags), &how,
				size < sizeof how ? size : sizeof how);

	if (rc == 0)
		rc = read_path(d, 0, argument(d, d->row->path));
	if (rc < 0)
		return rc;
	touch_open(d, how.flags);
	/* The directory is its root: an absolute path begins there. */
	if (how.resolve & RESOLVE_IN_ROOT)
		for (unsigned i = 0; i < 2; i++)
			d->names[i].at += strspn(name_of(d, i), "/");
	return 0;
}

static int decode_two(struct decoder *d)
{
	bool exchange =
		d->row->op == SB_OP_RENAME && (argument(d, d->row->flags) & RENAME_EXCHANGE);
	int rc = read_path(d, 0, argument(d, d->row->path));

	if (rc == 0)
		rc = read_path(d, 1, argument(d, d->row->path2));
	if (rc < 0)
		return rc;
	if (d->row->op == SB_OP_LINK) {
		struct sb_touch *from = touch(d, SB_STAT, SB_OP_NONE, descriptor(d, d->row->dirfd));

		from->nofollow = !(argument(d, d->row->flags) & AT_SYMLINK_FOLLOW);
	} else {
		(void)touch(d, SB_WRITE, exchange ? SB_OP_RENAME : SB_OP_MOVED,
			    descriptor(d, d->row->dirfd));
	}
	(void)touch(d, SB_WRITE, d->row->op, descriptor(d, d->row->dirfd2));
	return 0;
}

static int decode_socket(struct decoder *d, uint64_t address, uint64_t size)
{
	struct sockaddr_un name = {0};
	int rc;

	if (size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof name)
		return 0;
	rc = sb_read_memory(d->tid, address, &name, size);
	/* An abstract name begins with a NUL; a path need not end with one. */
	if (rc < 0 || name.sun_family != AF_UNIX || !name.sun_path[0])
		return rc;
	d->names[0] = (struct name){d->ret->text.len, true};
	if (sb_buf_add(&d->ret->text, name.sun_path, strnlen(name.sun_path, sizeof name.sun_path)) <
		    0 ||
	    sb_buf_putc(&d->ret->text, '\0') < 0)
		return -ENOMEM;
	(void)touch(d, d->row->kind, d->row->op, AT_FDCWD);
	return 0;
}

static int decode_socketcall(struct decoder *d)
{
	uint64_t which = argument(d, 0);
	uint32_t args[3];
	int rc;

	if (which != CALL_BIND && which != CALL_CONNECT)
		return 0;
	rc = sb_read_memory(d->tid, argument(d, d->row->path), args, sizeof args);
	if (rc == 0)
		rc = decode_socket(d, args[1], args[2]);
	if (rc == 0 && d->ret->count && which == CALL_BIND) {
		d->ret->touch[0].kind = SB_WRITE;
		d->ret->touch[0].op = SB_OP_MKNOD;
		d->ret->touch[0].nofollow = 1;
	}
	return rc;
}

/* --- argv ---------------------------------------------------------------------------------- */

struct argv_reader {
	struct sb_window *pointers, *strings;
	size_t size; /* of a pointer */
};

/* Reads the strings one after the other into *bytes; false: no further. */
static bool read_argument(const struct argv_reader *r, uint64_t at, struct sb_buf *bytes)
{
	uint64_t pointer = 0;

	return sb_window_memory(r->pointers, at, &pointer, r->size) == 0 && pointer &&
	       sb_window_string(r->strings, pointer, ARG_BYTES_MOST, bytes) == 0 &&
	       sb_buf_putc(bytes, '\0') == 0;
}

/* As far as it can be read: the exec itself tells what is wrong with it. */
static char **read_argv(const struct decoder *d, uint64_t array, struct sb_window *strings)
{
	bool wide = d->call->abi == SB_ABI_X86_64 || d->call->abi == SB_ABI_AARCH64;
	struct sb_window pointers = {.tid = d->tid};
	struct argv_reader reader = {&pointers, strings, wide ? 8 : 4};
	auto_buf bytes = SB_BUF_INIT;
	size_t count = 0;

	while (array && count < ARGS_MOST && bytes.len < ARG_BYTES_MOST &&
	       read_argument(&reader, array + count * reader.size, &bytes))
		count++;
	char **argv = malloc((count + 1) * sizeof *argv + bytes.len);
	if (!argv)
		return NULL;
	char *at = (char *)(argv + count + 1);
	if (bytes.len)
		memcpy(at, bytes.s, bytes.len);
	for (size_t i = 0; i < count; i++) {
		argv[i] = at;
		at += strlen(at) + 1;
	}
	argv[count] = NULL;
	return argv;
}

static int decode_exec(struct decoder *d)
{
	/* They lie close together, mostly: the first argument is the path, often enough. */
	struct sb_window strings = {.tid = d->tid};
	int rc = read_path_through(d, &strings, 0, argument(d, d->row->path));

	if (rc < 0)
		return rc;
	(void)touch(d, SB_EXEC, SB_OP_NONE, descriptor(d, d->row->dirfd));
	d->ret->argv = read_argv(d, argument(d, (int8_t)(d->row->path + 1)), &strings);
	return d->ret->argv ? 0 : -ENOMEM;
}

/* --- which it is ------------------------------------------------------------------------------ */

static int decode_act(struct decoder *d)
{
	switch (d->row->act) {
	case SB_ACT_OPEN:
	case SB_ACT_HANDLE:
		return decode_open(d);
	case SB_ACT_OPENAT2:
		return decode_openat2(d);
	case SB_ACT_EXEC:
		return decode_exec(d);
	case SB_ACT_TWO:
		return decode_two(d);
	case SB_ACT_LIST:
		(void)touch(d, SB_LIST, SB_OP_NONE, descriptor(d, d->row->dirfd));
		return 0;
	case SB_ACT_SOCKET:
		return decode_socket(d, argument(d, 1), (uint32_t)argument(d, 2));
	case SB_ACT_SOCKETS:
		return decode_socketcall(d);
	case SB_ACT_ACCESS:
	case SB_ACT_ATTRIBUTE:
	case SB_ACT_CHDIR:
	case SB_ACT_CHROOT:
		return d->row->path < 0 ? 0 : decode_access(d);
	default:
		return 0;
	}
}

int sb_decode(pid_t tid, const struct sb_call *call, struct sb_touches *ret)
{
	struct decoder d = {
		.tid = tid, .call = call, .row = sb_syscall_find(call->abi, call->nr), .ret = ret};
	int rc;

	*ret = (struct sb_touches){.row = d.row};
	if (!d.row)
		return -ENOSYS;
	rc = decode_act(&d);
	if (rc < 0)
		ret->count = 0;
	for (unsigned i = 0; i < ret->count; i++)
		ret->touch[i].path = name_of(&d, i);
	return rc;
}

void sb_touches_free(struct sb_touches *touches)
{
	sb_buf_free(&touches->text);
	free(touches->argv);
	touches->argv = NULL;
	touches->count = 0;
}
