/*
 * What this machine says of itself, as far as it decides what works: read, not tried (for that see
 * common/probe.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sb_fact_type {
	SB_FACT_NONE, /* this machine has no such thing */
	SB_FACT_TEXT,
	SB_FACT_NUMBER,
	SB_FACT_BOOL,
};

struct sb_fact {
	const char *key;  /* yama_ptrace_scope */
	const char *text; /* for people */
	enum sb_fact_type type;
	char value[128]; /* SB_FACT_TEXT; a whole number else */
};

#define SB_FACTS_MOST 24

/* How many there are. */
size_t sb_facts(struct sb_fact ret[SB_FACTS_MOST]);

/* Whether this capability (capabilities(7), by its number) is in effect for us. */
bool sb_fact_capability(int number);
/* The number in a file of /proc or /sys; -1 where there is none. */
int64_t sb_fact_number(const char *path);
