#include "preload/around.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload/str.h"
#include "preload/tell.h"

#define PATH_AT __builtin_offsetof(struct sockaddr_un, sun_path)

void sb_tell_socket(const void *address, unsigned size, bool binds, long raw)
{
	const struct sockaddr_un *name = address;
	char path[sizeof name->sun_path + 1];
	size_t len;

	/* These may have been answered before the address was read: it may be no pointer at all. */
	if (raw == -EFAULT || raw == -EBADF || raw == -ENOTSOCK || raw == -EINVAL)
		return;
	if (!address || size <= PATH_AT || size > sizeof *name || name->sun_family != AF_UNIX)
		return;
	/* An abstract name begins with a NUL; a path need not end with one. */
	len = sb_strnlen(name->sun_path, size - PATH_AT);
	sb_copy(path, name->sun_path, len);
	path[len] = '\0';
	if (binds)
		sb_tell_make(SB_OP_MKNOD, AT_FDCWD, path, raw == -EADDRINUSE ? -EEXIST : raw);
	else
		sb_tell(SB_CONNECT, AT_FDCWD, path, 0, raw);
}
