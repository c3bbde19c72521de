/*
 * Names that the kernel tells the program: real ones, of which those that are ours become the ones
 * that the program knows.
 */
#include <asm/unistd.h>
#include <linux/un.h>

#include "preload/str.h"
#include "redirect/redirect.h"

#define UNIX 1 /* AF_UNIX */

/* A real name of ours, whose buffer has room for one byte more, becomes the one the program knows.
 */
static long rename_back(char *buf, long len)
{
	char behind = buf[len];
	const char *known;

	buf[len] = 0;
	known = sb_strip(buf);
	if (known) {
		long n = (long)sb_strlen(known);

		for (long i = 0; i < n; i++)
			buf[i] = known[i];
		buf[len] = behind;
		return n;
	}
	buf[len] = behind;
	return len;
}

/*
 * The link is read elsewhere: of the caller's buffer nothing is touched behind what the program is
 * told, which many take for its end. What a real name begins with fills as much of it, where it
 * can be written to.
 */
__attribute__((noinline)) long sb_told_link(const struct sb_call *c, int path, const char *known)
{
	size_t size = (size_t)c->args[path + 2], n;
	char name[SB_PATH_MAX];
	struct sb_call other = *c;
	long rc;

	other.args[path + 1] = (long)name;
	other.args[path + 2] = sizeof(name) - 1;
	rc = sb_make(&other);
	if (rc <= 0)
		return rc;
	n = known ? sb_strlen(known) : (size_t)rename_back(name, rc);
	n = n < size ? n : size;
	other.args[path + 1] = c->args[path + 1];
	other.args[path + 2] = (long)n;
	rc = sb_make(&other);
	if (rc < 0)
		return rc;
	sb_copy((char *)c->args[path + 1], known ? known : name, n);
	return (long)n;
}

long sb_told_cwd(const struct sb_call *c)
{
	char *buf = (char *)c->args[0];
	long rc = sb_make(c), n;

	if (rc <= 1)
		return rc;
	n = rename_back(buf, rc - 1);
	buf[n] = 0;
	return n + 1;
}

/* What sb_name_socket() made of a long one: "/proc/self/fd/N/." and the path. */
static const char *behind_mark(const char *name)
{
	const char *rest = name + sizeof(SB_SOCKET_FRONT) - 1;

	if (!sb_starts(name, SB_SOCKET_FRONT))
		return NULL;
	while (*rest >= '0' && *rest <= '9')
		rest++;
	return rest[0] == '/' && rest[1] == '.' && rest[2] == '/' ? rest + 2 : NULL;
}

/* The caller's buffer holds what fits of it, and the whole length is told. */
long sb_told_socket(const struct sb_call *c)
{
	char *to = (char *)c->args[1];
	int *to_len = (int *)c->args[2];
	int room = sb_can_read(to_len, sizeof(*to_len)) ? *to_len : 0;
	int len = sizeof(struct sockaddr_un);
	struct {
		struct sockaddr_un un;
		char end;
	} own = {.end = 0};
	struct sb_call other = *c;
	const char *known;
	long rc = sb_make(c);

	if (rc < 0 || room <= 2 || ((struct sockaddr_un *)to)->sun_family != UNIX ||
	    ((struct sockaddr_un *)to)->sun_path[0] != '/')
		return rc;
	other.args[1] = (long)&own.un;
	other.args[2] = (long)&len;
	if (sb_make(&other) < 0)
		return rc;
	known = behind_mark(own.un.sun_path);
	if (!known)
		known = sb_strip(own.un.sun_path);
	if (!known)
		return rc;
	len = (int)(offsetof(struct sockaddr_un, sun_path) + sb_strlen(known) + 1);
	room -= (int)offsetof(struct sockaddr_un, sun_path);
	for (int i = 0; i < room; i++) {
		((struct sockaddr_un *)to)->sun_path[i] = known[i];
		if (!known[i])
			break;
	}
	*to_len = len;
	return rc;
}
