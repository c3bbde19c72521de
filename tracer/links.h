/*
 * readlink(2) of names in directories, remembered for as long as the directory stays as it is.
 *
 * A link can only become another one, or none, by a change of its directory, and that changes the
 * directory's ctime: so one stat tells of all that was read there. A change within the clock's
 * grain of the one before shows no difference; where the last one is not long ago, nothing is
 * remembered. Nor is it on file systems whose times need not tell of every change.
 *
 * Order: sb_links_new(), sb_links_read() and sb_links_doubt() as it goes, sb_links_free().
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

struct sb_links;

int sb_links_new(struct sb_links **ret, struct sb_err *err);
void sb_links_free(struct sb_links *links);
/* From now on each directory is looked at once more, before it is believed to be as it was. */
void sb_links_doubt(struct sb_links *links);

/*
 * As readlink(2) of absolute `path`, whose directory is a real path; the target ends with NUL.
 * Returns its length (less than `size`; a longer one is cut), or -errno. What `path` holds is
 * written to for the moment.
 */
ssize_t sb_links_read(struct sb_links *links, char *path, char *ret_target, size_t size);
