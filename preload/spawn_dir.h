/* The directory that a child of posix_spawn is in when it execs. */
#pragma once

#include <stdbool.h>

struct sb_spawn_dir {
	int fd; /* AT_FDCWD: the caller's own; another negative number: there is no such directory
		 */
	bool opened;
};

/* As its file actions (NULL: none) have it. Closed again by sb_spawn_dir_close(). */
struct sb_spawn_dir sb_spawn_dir(const void *file_actions);
void sb_spawn_dir_close(struct sb_spawn_dir *dir);
/* Whether it is another than the caller's. */
bool sb_spawn_moves(const void *file_actions);
