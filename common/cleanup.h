/*
 * Ownership that ends with the scope.
 *
 * An `auto_x` variable is released when it goes out of scope; errno survives the
 * release. Hand ownership over with sb_steal_fd() or sb_steal_ptr(): the variable is
 * emptied, and the caller has what it held.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_fd	  __attribute__((cleanup(sb_closep)))
#define auto_free __attribute__((cleanup(sb_freep)))
#define auto_dir  __attribute__((cleanup(sb_closedirp)))
#define auto_file __attribute__((cleanup(sb_fclosep)))

static inline void sb_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void sb_freep(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void sb_closedirp(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

static inline void sb_fclosep(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

static inline int sb_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define sb_steal_ptr(p)                              \
	({                                           \
		__typeof__(p) *sb_from_ = &(p);      \
		__typeof__(p) sb_taken_ = *sb_from_; \
		*sb_from_ = NULL;                    \
		sb_taken_;                           \
	})
