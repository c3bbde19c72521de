/*
 * Where a bundle is built: a hidden directory beside its destination, renamed into place when it is
 * whole. Until then whatever stood there before is untouched; an interrupted build leaves nothing.
 *
 * Order: sb_site_open(), fill the directory `fd`, sb_site_commit(); sb_site_close() in any case. A
 * directory left by a process that was killed is removed by the next sb_site_open().
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

struct sb_site {
	int fd;	      /* the directory to fill */
	int parent;   /* the directory that it is in */
	char *temp;   /* its name there; NULL once it is in place */
	char *name;   /* what it is to be called */
	char *shown;  /* the destination, for people */
	bool replace; /* an old bundle may stand there */
};

#define SB_SITE_INIT                            \
	{                                       \
		-1, -1, NULL, NULL, NULL, false \
	}
#define auto_site __attribute__((cleanup(sb_site_close))) struct sb_site

/*
 * Whether a bundle NAME could be put into `dir` (which need not exist yet): 0, or the failure that
 * sb_site_open() would have.
 */
int sb_site_check(const char *dir, const char *name, bool force, struct sb_err *err);
int sb_site_open(const char *dir, const char *name, bool force, struct sb_site *ret,
		 struct sb_err *err);
int sb_site_commit(struct sb_site *site, struct sb_err *err);
/* Removes what was not committed. */
void sb_site_close(struct sb_site *site);
