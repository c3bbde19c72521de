// libs: -ldl
/*
 * newer DIR: what glibc has from some version on, where this one has it: openat2 (2.43), with
 * success, in vain, and with what it cannot read. faccessat as newer ones make it, too: by one
 * call.
 */
#include <dlfcn.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

typedef int openat2_call(int, const char *, const struct open_how *, size_t);

static void in(const char *dir, const char *name, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/%s", dir, name);
}

static void wanting(long got, int error, const char *what)
{
	if ((error ? got != -1 || errno != error : got < 0))
		fail(what, "newer");
}

int main(int argc, char **argv)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0600};
	const void *bad = (const void *)16;
	char path[1024];
	int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;

	if (dir < 0)
		fail("usage", "newer DIR");
	openat2_call *call = (openat2_call *)dlsym(RTLD_DEFAULT, "openat2");
	in(argv[1], "made", path, sizeof path);
	if (call) {
		expect("write", 0, path);
		wanting(call(dir, "made", &how, sizeof how), 0, "openat2");
		how = (struct open_how){.flags = O_RDONLY};
		in(argv[1], "missing", path, sizeof path);
		expect("open", ENOENT, path);
		wanting(call(dir, "missing", &how, sizeof how), ENOENT, "openat2 in vain");
		wanting(call(dir, "made", (const struct open_how *)bad, sizeof how), EFAULT,
			"openat2 of nothing");
	}
	in(argv[1], "other", path, sizeof path);
	expect("stat", ENOENT, path);
	wanting(faccessat(dir, "other", R_OK, AT_EACCESS), ENOENT, "faccessat");
	expect("stat", 0, argv[1]);
	wanting(faccessat(AT_FDCWD, argv[1], R_OK | X_OK, 0), 0, "faccessat");
	wanting(faccessat(AT_FDCWD, argv[1], 077, 0), EINVAL, "faccessat as nobody means it");
	return 0;
}
