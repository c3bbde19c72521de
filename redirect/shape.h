/*
 * What a call is, by its number: where it has its path, and what its flags say of it.
 */
#pragma once

#include "redirect/redirect.h"

struct sb_shape {
	uint8_t act, kind;	   /* enum sb_act, enum sb_kind */
	int8_t dirfd, path, flags; /* which argument; -1 none */
	uint8_t nofollow;
	int8_t dirfd2, path2;
};

extern const struct sb_shape sb_shapes[SB_GATE_NUMBERS] __attribute__((visibility("hidden")));

/* For the gate, whether a number is worth our while; and how. */
enum sb_number {
	SB_NUMBER_NOTHING,
	SB_NUMBER_NAMES,  /* a path: its shape tells */
	SB_NUMBER_OTHER,  /* tells a name, or hides one elsewhere */
	SB_NUMBER_MEMORY, /* takes memory away, or forbids it */
};
extern const uint8_t sb_gate_numbers[SB_GATE_NUMBERS] __attribute__((visibility("hidden")));

/* Flags of an open, AT_ flags; 0 where it has none. */
unsigned long sb_flags_of(const struct sb_call *c, const struct sb_shape *s);
/* Whether it goes through a link in the last place. */
bool sb_follows(const struct sb_shape *s, unsigned long flags);
/* Whether these flags of an open ask for more than to read what is there. */
bool sb_writes(unsigned long flags);
/* access(2) and its like: what is asked for stands behind the path. */
bool sb_is_access(long nr);
/* The directory that a name begins at; AT_FDCWD where the call has none. */
long sb_dirfd_of(const struct sb_call *c, const struct sb_shape *s);
/* Whether it says how its name is to be resolved, which for another name means another thing. */
bool sb_resolves_otherwise(const struct sb_call *c, const struct sb_shape *s);
/* What we would not read, the kernel may say EFAULT to. */
bool sb_can_read_flags(const struct sb_call *c, const struct sb_shape *s);
bool sb_can_read_paths(const struct sb_call *c, const struct sb_shape *s);

/* Nothing of ours: by whoever asks, where that can be, or the gate. */
static inline long sb_as_is(unsigned long how)
{
	return (long)(how & SB_ASKS ? SB_GATE_PASS : SB_GATE_AGAIN);
}

/* redirect/change.c: what is changed by name; sb_make_in_layer(): where its paths lie in the layer.
 */
long sb_redirect_change(const struct sb_call *c, const struct sb_shape *s, unsigned long how);
long sb_make_in_layer(const struct sb_call *c, const struct sb_shape *s);
