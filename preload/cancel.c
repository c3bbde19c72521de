#include "preload/cancel.h"

#include "preload/around.h"
#include "preload/page.h"
#include "preload/state.h"

/* Of pthread.h, the same in glibc and musl. */
#define CANCEL_DEFERRED	    0
#define CANCEL_ASYNCHRONOUS 1

#define RTLD_LAZY 1
#define UNWINDER  "libgcc_s.so.1"

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

/*
 * glibc loads libgcc for the first cancellation, to unwind the thread with. It has to know our page
 * by then, for the thread may be waiting there. So what pthread_cancel is about to load is loaded a
 * moment earlier.
 */
int sb_around_cancel(sb_cancel_fn *next, unsigned long thread)
{
	static uint32_t done;

	if (!sb_load(&done) && sb_recorder_on() && sb_load(&sb_self()->gate)) {
		void *(*load)(const char *, int) = sb_next("dlopen");

		if (load && load(UNWINDER, RTLD_LAZY))
			sb_page_tell_unwinder();
		sb_store(&done, 1);
	}
	return next(thread);
}
