/*
 * A root of tiny ELF files of our own making, and the closure over it. Each test begins it anew.
 */
#pragma once

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/closure.h"
#include "tests/unit/mini_elf.h"

#define LD "/lib64/ld-linux-x86-64.so.2"

static char root[] = "/tmp/sb-closure.XXXXXX";
static struct sb_fileset *set;
static struct sb_closure *closure;
static struct sb_err err = SB_ERR_INIT;

static inline void begin(void)
{
	const struct mini_tag ld[] = {{DT_SONAME, "ld-linux-x86-64.so.2", 0}, {0, NULL, 0}};
	const struct mini_elf m = {.tags = ld};

	cr_assert(mkdtemp(root) != NULL);
	cr_assert(eq(int, mini_file(root, LD, &m), 0));
}

static inline void end(void)
{
	char command[128];

	sb_closure_free(closure);
	sb_fileset_free(set);
	(void)snprintf(command, sizeof command, "rm -rf %s", root);
	cr_expect(eq(int, system(command), 0));
}

static inline void start_with(const struct sb_closure_spec *spec)
{
	sb_closure_free(closure);
	sb_fileset_free(set);
	cr_assert(eq(int, sb_fileset_new(root, &set, &err), 0));
	cr_assert(eq(int, sb_closure_new(set, spec, &closure, &err), 0));
}

static inline int add(const char *path)
{
	const struct sb_reason why = {SB_WHY_ENTRY, "x", NULL};

	return sb_closure_add(closure, path, &why, &err);
}

static inline void put_elf(const char *path, const char *interp, const struct mini_tag *tags)
{
	const struct mini_elf m = {.interp = interp, .tags = tags};

	cr_assert(eq(int, mini_file(root, path, &m), 0), "%s", path);
}

static inline void put_text(const char *path, const char *text)
{
	cr_assert(eq(int, mini_write(root, path, text, strlen(text), 0755), 0), "%s", path);
}

static inline void put_link(const char *path, const char *target)
{
	char full[512];

	(void)snprintf(full, sizeof full, "%s%s", root, path);
	cr_assert(eq(int, symlink(target, full), 0), "%s", path);
}

/* Where `name` of `from` was found; "" where it was not, "-" where nobody asked. */
static inline const char *found(const char *from, const char *name)
{
	for (size_t i = 0; i < closure->edge_count; i++) {
		const struct sb_edge *e = &closure->edges[i];

		if (strcmp(e->from, from) == 0 && strcmp(e->name, name) == 0 && !e->variant)
			return e->path ? e->path : "";
	}
	return "-";
}

static const struct sb_closure_spec plain = {.path = "/bin:/usr/bin"};
