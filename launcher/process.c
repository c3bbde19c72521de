#include "launcher/process.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { MOST = 65536 };

void launch_close_range(unsigned first, unsigned last, bool any)
{
	uint64_t limit[2] = {MOST, MOST}; /* soft, hard */

	if (!any || launch_raw(SYS_close_range, first, last, 0) == 0)
		return;
	if (sb_arch_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limit, 0, 0) < 0 ||
	    limit[0] > MOST)
		limit[0] = MOST;
	for (unsigned fd = first; fd <= last && fd < limit[0]; fd++)
		(void)launch_raw(SYS_close, fd, 0, 0); /* most are not open */
}
