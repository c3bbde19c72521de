/*
 * The audit module, inside the dynamic linker's own namespace of a traced process: no libc, no TLS,
 * no allocation; ld.so calls it with its lock held.
 */
#pragma once

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/* What the kernel put on the stack. */
struct sb_image {
	char **argv;
	char **envp;
	const ElfW(auxv_t) * auxv;
};

extern struct sb_image sb_image;

/* Finds it above a frame of the thread that the program starts with. */
bool sb_image_find(const void *frame, struct sb_image *ret);

uint64_t sb_image_auxv(uint64_t type);

struct sb_env_want;

/*
 * Starts this image again, same program, same arguments, with another environment: nothing of the
 * program has run yet. Comes back only where that fails.
 */
void sb_again(const struct sb_env_want *want);

/*
 * Static TLS. Under an audit module ld.so lays out the static TLS block before it knows the
 * program's libraries, and those must then fit its surplus, or the program dies. So their need is
 * summed up as they are opened; where it is too much for the surplus, the image is started again
 * with a surplus that fits, or without us.
 */
void sb_tls_begin(void);
void sb_tls_opened(const struct link_map *main, const struct link_map *map);
void sb_tls_settled(const struct link_map *main);
