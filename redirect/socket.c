/*
 * Sockets that have a path: connect(2), bind(2), and the addresses of datagrams. The path is led
 * where an open would be; the payload is not written to here either, so a socket is made in the
 * layer or on this machine.
 *
 * An address holds 107 bytes. A real path that is longer is named by a descriptor of what it lies
 * below, which is closed again.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/un.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"

#define UNIX 1 /* AF_UNIX */
#define MOST (UNIX_PATH_MAX - 1)

/* sendmsg(2); what follows is not ours. */
struct message {
	struct sockaddr_un *name;
	int name_len;
	uint64_t rest[5];
};

struct request {
	const struct sb_call *call;
	bool makes; /* it is a bind */
	char name[UNIX_PATH_MAX + 1];
	/* Where it leads: */
	struct sb_place place;
	char room[SB_PATH_MAX];
};

static bool read_address(const struct sockaddr_un *address, long len, char *ret)
{
	const long front = offsetof(struct sockaddr_un, sun_path);

	if (len <= front || len > (long)sizeof(*address) || !sb_can_read(address, (size_t)len) ||
	    address->sun_family != UNIX || !address->sun_path[0])
		return false;
	sb_copy(ret, address->sun_path, (size_t)(len - front));
	ret[len - front] = 0;
	return true;
}

static bool read_name(const struct sb_call *c, char *ret)
{
	const struct message *m = (const struct message *)c->args[1];

	switch (c->nr) {
	case __NR_sendto:
		return c->args[4] &&
		       read_address((const struct sockaddr_un *)c->args[4], (int)c->args[5], ret);
	case __NR_sendmsg:
		return sb_can_read(m, sizeof(*m)) && m->name &&
		       read_address(m->name, m->name_len, ret);
	default:
		return read_address((const struct sockaddr_un *)c->args[1], (int)c->args[2], ret);
	}
}

static long make_to(const struct sb_call *c, struct sockaddr_un *address, size_t path_len)
{
	long len = (long)(offsetof(struct sockaddr_un, sun_path) + path_len + 1);
	struct sb_call other = *c;
	struct message m;

	address->sun_family = UNIX;
	switch (c->nr) {
	case __NR_sendto:
		other.args[4] = (long)address;
		other.args[5] = len;
		return sb_make(&other);
	case __NR_sendmsg:
		m = *(const struct message *)c->args[1];
		m.name = address;
		m.name_len = (int)len;
		other.args[1] = (long)&m;
		return sb_make(&other);
	default:
		other.args[1] = (long)address;
		other.args[2] = len;
		return sb_make(&other);
	}
}

/* Below the directory that `real` begins with, `dir_len` bytes; SB_GATE_PASS: that does not fit. */
static long make_below(const struct sb_call *c, const char *real, size_t dir_len, const char *mark)
{
	struct sockaddr_un address;
	char dir[SB_PATH_MAX];
	size_t at = 0;
	long fd, rc = (long)SB_GATE_PASS;

	if (!sb_put(dir, sizeof(dir), &at, real, dir_len))
		return -ENAMETOOLONG;
	fd = sb_arch_syscall(__NR_openat, AT_FDCWD, (long)dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
			     0, 0);
	if (fd < 0)
		return fd;
	at = 0;
	if (sb_puts(address.sun_path, MOST + 1, &at, SB_SOCKET_FRONT) &&
	    sb_put_number(address.sun_path, MOST + 1, &at, (uint64_t)fd, 10) &&
	    sb_puts(address.sun_path, MOST + 1, &at, mark) &&
	    sb_puts(address.sun_path, MOST + 1, &at, real + dir_len))
		rc = make_to(c, &address, at);
	(void)sb_arch_syscall(__NR_close, fd, 0, 0, 0, 0, 0);
	return rc;
}

static long make_at(const struct sb_call *c, const char *real)
{
	struct sockaddr_un address;
	const char *known;
	size_t at = 0;
	long rc = (long)SB_GATE_PASS;

	if (!real)
		return -ENAMETOOLONG;
	if (sb_puts(address.sun_path, MOST + 1, &at, real))
		return make_to(c, &address, at);
	/* So that getsockname(2) can tell the name that the program knows. */
	known = sb_strip(real);
	if (known)
		rc = make_below(c, real, (size_t)(known - real), "/.");
	if (rc == (long)SB_GATE_PASS)
		rc = make_below(c, real, (size_t)(sb_basename(real) - real) - 1, "");
	return rc == (long)SB_GATE_PASS ? -ENAMETOOLONG : rc;
}

/* Nobody can make something in a directory that only the payload has. */
static bool is_read_only(struct request *r, const char *path)
{
	size_t len = (size_t)(sb_basename(path) - path), at = 0;

	(void)sb_put(r->room, sizeof(r->room), &at, path, len > 1 ? len - 1 : len);
	return sb_look(r->room, true, &r->place) && r->place.entry &&
	       sb_arch_syscall(__NR_faccessat, AT_FDCWD, (long)r->room, 0, 0, 0, 0) == -ENOENT;
}

/* `path`, absolute. SB_GATE_PASS: it is this machine's. */
static long at_path(struct request *r, const char *path)
{
	if (sb_here.layer && sb_is_layered(path))
		return make_at(r->call, sb_layer_path(path, r->room, sizeof(r->room)));
	if (!sb_look(path, !r->makes, &r->place))
		return (long)SB_GATE_PASS;
	if (r->place.through)
		return -ENOTDIR;
	if (sb_here.layer && r->place.path && sb_is_layered(r->place.path))
		return make_at(r->call, sb_place_in_layer(&r->place));
	if (r->place.entry)
		return r->makes ? -EADDRINUSE : make_at(r->call, sb_place_in_payload(&r->place));
	if (r->place.path)
		return make_at(r->call, r->place.path);
	return r->makes && is_read_only(r, path) ? -EROFS : (long)SB_GATE_PASS;
}

static long at_relative(struct request *r)
{
	char whole[SB_PATH_MAX];
	const char *path = NULL;
	long rc;

	if (sb_may_be_inside(AT_FDCWD))
		path = sb_from_root(AT_FDCWD, r->name, true, whole, sizeof(whole));
	if (path) {
		rc = at_path(r, path);
		if (rc != (long)SB_GATE_PASS)
			return rc;
		return r->makes ? -EROFS : make_at(r->call, path);
	}
	if (r->makes ||
	    sb_arch_syscall(__NR_faccessat, AT_FDCWD, (long)r->name, 0, 0, 0, 0) != -ENOENT)
		return (long)SB_GATE_PASS;
	path = sb_from_root(AT_FDCWD, r->name, false, whole, sizeof(whole));
	return path ? at_path(r, path) : (long)SB_GATE_PASS;
}

__attribute__((noinline)) static long redirect_name(const struct sb_call *c, const char *name)
{
	struct request r;

	r.call = c;
	r.makes = c->nr == __NR_bind;
	r.place.size = 0;
	sb_copy(r.name, name, sb_strlen(name) + 1);
	return name[0] == '/' ? at_path(&r, r.name) : at_relative(&r);
}

long sb_redirect_socket(const struct sb_call *c)
{
	char name[UNIX_PATH_MAX + 1];

	return sb_here.index && read_name(c, name) ? redirect_name(c, name) : (long)SB_GATE_PASS;
}
