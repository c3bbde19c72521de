/*
 * What does not belong into a bundle, by its path or its first bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Files that a launcher binds in from the target: /etc/resolv.conf and its like. NULL-terminated.
 */
extern const char *const sb_target_files[];

/* One of those, by the name that a program uses (some are links into /run or /usr/share). */
bool sb_is_target_file(const char *path);
/* Below /proc, /sys, /dev or /run (real path). */
bool sb_is_system_path(const char *real);
/* What /proc says of a descriptor whose file has no name any more, or never had one. */
bool sb_is_nameless(const char *real);
/* A library of the GPU's driver, by its soname: libGL.so.1 and libGL.so.1.7.0, not libGLU.so.1. */
bool sb_is_gpu_library(const char *path);
/* One of those that is no vendor's, but leads to his: a program that links it does not start
 * without.
 */
bool sb_is_gpu_dispatch(const char *path);
/* Where secrets are kept: ~/.ssh, ~/.netrc, /etc/shadow, stores of cloud tools. */
bool sb_is_secret_path(const char *real);
/* The first bytes of a file that holds a private key. */
bool sb_is_secret_text(const char *text, size_t len);
/* How many of them are worth a look, and the largest file that may be a key. */
#define SB_SECRET_HEAD 4096
#define SB_SECRET_MOST (256u << 10)
