/*
 * Where the dynamic linker asks the kernel about paths, as every compiler writes it:
 *
 *   mov $number, %eax; syscall
 *   mov $number, %eax; mov %rdi, %rsi; mov $AT_FDCWD, %edi; syscall
 *
 * Over the instruction before the syscall there is room for a jump, and whoever came to the syscall
 * in another way still finds it as it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_SITE_LENGTH 7u /* from where the jump goes to behind the syscall */
#define SB_SITE_BEFORE 8u /* bytes ahead of it that are looked at */

struct sb_site {
	long number;
	bool at_cwd; /* of the second kind: %eax is set already, %edi not yet */
};

/* Whether a jump may go to `code`, which is in the middle of a text. */
bool sb_site_read(const uint8_t *code, struct sb_site *ret);

/* The offsets in `text` of at most `most` of them. Reads all of it: once per linker and trace. */
unsigned sb_sites_find(const uint8_t *text, size_t size, uint32_t *ret_offsets, unsigned most);

/*
 * Takes off what is not worth a page of its own, which every image would have to copy: access(2)
 * of /etc/suid-debug, which the linker has made, or not, before it knows of us. How many are left.
 * It is told by being alone in its page, where another access is not. At most 32 are looked at.
 */
unsigned sb_sites_trim(const uint8_t *text, uint32_t *offsets, unsigned count);
