#include "auditor/audit.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/environ.h"
#include "preload/recorder.h"

#define SELF "/proc/self/exe"

static bool same_as_self(const char *path)
{
	struct stat self, other;

	return path && !sb_raw(SYS_newfstatat, AT_FDCWD, (long)SELF, (long)&self, 0, 0, 0) &&
	       !sb_raw(SYS_newfstatat, AT_FDCWD, (long)path, (long)&other, 0, 0, 0) &&
	       self.st_dev == other.st_dev && self.st_ino == other.st_ino;
}

/*
 * By the name that it was executed by, so that its own idea of it stays; of a script that name is
 * the script's, and argv is the interpreter's already: then by the interpreter's own.
 */
void sb_again(const struct sb_env_want *want)
{
	const char *name = (const char *)sb_image_auxv(AT_EXECFN);
	size_t size = sb_env_size(sb_image.envp, want);
	char **envp = sb_env_compose(sb_image.envp, want, __builtin_alloca(size));
	char link[PATH_MAX];
	long n;

	/* ld.so, run as a program, has shifted its arguments already: no way back. */
	if (!sb_image_auxv(AT_BASE))
		return;
	if (!sb_recorder_sandboxed() && !same_as_self(name)) {
		n = sb_raw(SYS_readlinkat, AT_FDCWD, (long)SELF, (long)link, sizeof(link) - 1, 0,
			   0);
		link[n > 0 ? n : 0] = 0;
		name = same_as_self(link) ? link : SELF;
	}
	/* Not by the bypass: a guard is told of it by the kernel, and what it is by SB_AGAIN. */
	(void)sb_arch_syscall(SYS_execve, (long)name, (long)sb_image.argv, (long)envp, 0, 0,
			      (long)SB_AGAIN);
}
