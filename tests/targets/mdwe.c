/*
 * mdwe OPENS DIR: forbids itself and its children memory that is or becomes executable after it was
 * writable (PR_SET_MDWE, Linux 6.3), loads a library and execs OPENS. Exits 77 where the kernel
 * cannot.
 */
#include <dlfcn.h>
#include <sys/prctl.h>

#include "tests/targets/expect.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

int main(int argc, char **argv)
{
	char name[256];

	if (argc != 3)
		return 2;
	if (prctl(PR_SET_MDWE, 1L, 0L, 0L, 0L))
		return 77;
	if (!dlopen("libm.so.6", RTLD_NOW))
		return 1;
	open_expecting(missing_name(name, argv[2], "mdwe", 0), ENOENT);
	expect("exec", 0, argv[1]);
	execl(argv[1], "opens", "-2", missing_name(name, argv[2], "image", 0), (char *)NULL);
	return 1;
}
