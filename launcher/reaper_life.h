/*
 * The reaper's own process (launcher/reaper.h), and what it is told over the socket: messages of
 * one byte, a path, and NUL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum launch_reaper_tell {
	LAUNCH_TELL_REMOVE = '-',
	LAUNCH_TELL_KEEP = '=',
	LAUNCH_TELL_WATCHING = '!', /* may come with two descriptors: mount namespace and pidfd */
};

/*
 * All that it needs, in memory that is its alone also where the rest is shared; its stack is in the
 * same piece.
 */
struct launch_reaper_life {
	int socket, inotify, hold; /* -1: none */
	int pidfd;		   /* or the directory of /proc about the process */
	int namespace, program;	   /* told: see LAUNCH_TELL_WATCHING */
	bool apart;		   /* its memory is to be a copy */
	size_t told;		   /* bytes of the messages */
	char messages[64 << 10];   /* a dozen paths */
};

/* The process's function, for clone(2). `life` starts with its descriptors set, the rest zero. */
int launch_reaper_live(void *life);
