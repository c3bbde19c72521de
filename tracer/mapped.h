/*
 * Mapped files that others can cut short: what is then missing would be a SIGBUS for whoever looks
 * there. From sb_mapped_add() to sb_mapped_remove() it reads as zeroes instead, and is told of.
 *
 * Nodes belong to the caller. For one thread; SIGBUS is taken while there is any node, and every
 * other cause of it ends the process as ever.
 */
#pragma once

#include <signal.h>
#include <stddef.h>

struct sb_mapped {
	char *memory;
	size_t size;
	int prot;		    /* of the mapping */
	volatile sig_atomic_t *cut; /* set to 1 when something was missing */
	struct sb_mapped *next;
};

void sb_mapped_add(struct sb_mapped *mapped);
void sb_mapped_remove(struct sb_mapped *mapped);
