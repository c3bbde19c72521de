#include "preload/cancel.h"

#include "preload/around.h"
#include "preload/state.h"

/* Of pthread.h, the same in glibc and musl. */
#define CANCEL_DEFERRED	    0
#define CANCEL_ASYNCHRONOUS 1

static int none(int type, int *ret_old)
{
	(void)type;
	*ret_old = CANCEL_DEFERRED;
	return 0;
}

static int set_type(int type)
{
	static int (*set)(int, int *);
	int old = CANCEL_DEFERRED;

	if (!set) {
		set = sb_next("pthread_setcanceltype");
		if (!set)
			set = none;
	}
	(void)set(type, &old); /* fails for a bad type only */
	return old;
}

int sb_cancel_begin(void)
{
	return set_type(CANCEL_ASYNCHRONOUS);
}

void sb_cancel_end(int type)
{
	if (type != CANCEL_ASYNCHRONOUS)
		(void)set_type(type);
}
