/*
 * What a backend is documented not to see (tests/conformance/blind/NAME), for one check. Lines:
 *
 *	# comment
 *	accept unknown			outcomes may be unknown: a notification does not tell them
 *	accept merged			counts may be less: several accesses were told as one
 *	accept real			paths are told by their real name alone
 *	accept differs ERE		a program may print such lines otherwise (for the cases)
 *	CHECK<TAB>LINE<TAB>WHY		in checks whose name matches CHECK, what matches LINE (an
 *					expectation, or "lost" for lost events) need not hold
 *
 * CHECK and LINE are patterns of fnmatch(3). WHY is the blind spot that the trace must have in its
 * place; "-": nothing tells; "may": it is a matter of luck. Of the first two, a line whose CHECK
 *has no wildcard must excuse something: what has come to be seen has no place in the list.
 */
#pragma once

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLIND_RULES 64

struct blind_rule {
	char line[128], why[32];
	bool exact; /* CHECK does not begin with a wildcard */
	unsigned long used;
};

struct blind_list {
	int unknown; /* 0 or 1 */
	bool merged, real;
	struct blind_rule rules[BLIND_RULES]; /* of this check */
	size_t count;
};

static inline int blind_list_line(struct blind_list *list, const char *text, const char *check)
{
	struct blind_rule *rule = &list->rules[list->count];
	char name[128];

	if (*text == '#' || *text == '\n' || !strncmp(text, "accept differs ", 15))
		return 0;
	if (!strcmp(text, "accept unknown\n")) {
		list->unknown = 1;
		return 0;
	}
	if (!strcmp(text, "accept merged\n")) {
		list->merged = true;
		return 0;
	}
	if (!strcmp(text, "accept real\n")) {
		list->real = true;
		return 0;
	}
	if (list->count == BLIND_RULES ||
	    sscanf(text, "%127[^\t]\t%127[^\t]\t%31[^\t\n]", name, rule->line, rule->why) != 3)
		return -1;
	rule->exact = *name != '*';
	rule->used = 0;
	list->count += fnmatch(name, check, 0) == 0;
	return 0;
}

/* 0; -1: it cannot be read, or has a line that is none. */
static inline int blind_list_read(struct blind_list *list, const char *path, const char *check)
{
	FILE *f = fopen(path, "re");
	char text[512];
	int rc = f ? 0 : -1;

	memset(list, 0, sizeof(*list));
	while (rc == 0 && fgets(text, sizeof(text), f))
		rc = blind_list_line(list, text, check);
	if (f)
		(void)fclose(f);
	return rc;
}

static inline bool blind_list_excuses(struct blind_list *list, const char *line)
{
	for (size_t i = 0; i < list->count; i++) {
		if (fnmatch(list->rules[i].line, line, 0))
			continue;
		list->rules[i].used++;
		return true;
	}
	return false;
}
