/* What the dynamic linker makes of an ELF program: breadth first, each name searched once. */
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/closure_state.h"
#include "common/cleanup.h"
#include "common/path.h"

/* Far above what any program loads; below what takes long. */
#define MAX_OBJECTS 4096

/* One need that is being answered. */
struct need {
	struct sb_closure *c;
	struct closure_process *p;
	struct sb_object *loader;
	const char *name;
	struct sb_reason why;
	bool optional;
	bool quiet;  /* not noted where it is missing */
	bool before; /* a filter's: its needs come before those of its loader */
	struct sb_err *err;

	struct sb_object *found;
	struct sb_object *variant; /* the first one */
	const char *detail;	   /* of what stood in the way */
};

static int register_name(struct closure_process *p, const char *name, struct sb_object *o)
{
	int new;
	struct sb_map_entry *e = name ? sb_map_adds(&p->names, name, &new) : NULL;

	if (name && !e)
		return -ENOMEM;
	if (e && new)
		e->value = o;
	return 0;
}

static struct sb_object *named(const struct closure_process *p, const char *name)
{
	const struct sb_map_entry *e = sb_map_finds(&p->names, name);

	return e ? e->value : NULL;
}

/* musl is one file, whichever of its libraries is asked for. */
static bool is_musl_itself(const char *name)
{
	static const char *const parts[] = {"c", "pthread", "rt", "m", "dl", "util", "xnet"};

	for (size_t i = 0; strncmp(name, "lib", 3) == 0 && i < sizeof parts / sizeof *parts; i++) {
		size_t len = strlen(parts[i]);

		if (strncmp(name + 3, parts[i], len) == 0 && name[3 + len] == '.')
			return true;
	}
	return false;
}

static bool is_musl(const struct closure_process *p)
{
	return p->linker->linker->libc == SB_LIBC_MUSL;
}

/* Puts an object into the list: at its end, or before another one. */
static void link_object(struct closure_process *p, struct sb_object *o,
			const struct sb_object *before)
{
	struct sb_object **at = &p->first;

	while (*at && *at != before)
		at = &(*at)->next;
	o->next = *at;
	*at = o;
	p->count++;
}

static int new_object(struct need *need, const char *path, const char *real,
		      const struct sb_elf *elf, enum sb_found how, struct sb_object **ret)
{
	struct closure_process *p = need->p;

	if (p->count >= MAX_OBJECTS)
		return sb_fail(need->err, SB_ESAID, "'%s' needs more than %d libraries",
			       p->main->real, MAX_OBJECTS);
	struct sb_object *o = calloc(1, sizeof *o);
	if (!o)
		return closure_no_memory(need->err);
	o->loader = need->loader;
	o->elf = elf;
	o->name = closure_keep(need->c, path);
	o->real = closure_keep(need->c, real);
	o->how = how;
	link_object(p, o, need->before ? need->loader : NULL);
	*ret = o;
	return o->name && o->real ? 0 : closure_no_memory(need->err);
}

/* The names by which it will be known to those that ask later. */
static int introduce(struct need *need, struct sb_object *o, const char *path)
{
	struct closure_process *p = need->p;
	int rc = 0;

	if (!is_musl(p)) {
		rc = register_name(p, need->name, o);
		if (rc == 0)
			rc = register_name(p, path, o);
		if (rc == 0)
			rc = register_name(p, o->elf->soname, o);
	} else if (!strchr(need->name, '/')) {
		rc = register_name(p, need->name, o);
	}
	return rc < 0 ? closure_no_memory(need->err) : 0;
}

static int note(struct need *need, const char *path, const char *real, enum sb_found how,
		bool variant)
{
	struct sb_edge edge = {
		.from = need->loader->real,
		.name = need->name,
		.path = path,
		.real = real,
		.why = need->why.why,
		.how = how,
		.optional = need->optional,
		.variant = variant,
	};

	return closure_note(need->c, &edge, need->detail, need->err);
}

/* The file is what the need is answered with: unless it is loaded under another name already. */
static int take(struct need *need, const char *path, const struct sb_elf *elf, enum sb_found how,
		bool variant)
{
	struct closure_process *p = need->p;
	uint64_t id[2] = {(uint64_t)elf->dev, (uint64_t)elf->ino};
	struct sb_object *o;
	const char *real;
	int new, rc = sb_fileset_add(need->c->set, path, 0, &need->why, &real, need->err);

	if (rc < 0)
		return rc;
	struct sb_map_entry *e = sb_map_add(&p->inodes, (const char *)id, sizeof id, &new);
	if (!e)
		return closure_no_memory(need->err);
	o = e->value;
	if (!o) {
		rc = new_object(need, path, real, elf, how, &o);
		if (rc < 0)
			return rc;
		o->variant = variant;
		e->value = o;
	}
	rc = note(need, path, real, how, variant);
	if (rc < 0)
		return rc;
	if (variant) {
		if (!need->variant)
			need->variant = o;
		return 0;
	}
	o->variant = false;
	need->found = o;
	rc = introduce(need, o, path);
	return rc < 0 ? rc : 1;
}

/* What lies where the linker comes to it first cannot be loaded: it looks no further. */
static int __attribute__((format(printf, 3, 4)))
block(struct need *need, bool variant, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (variant)
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	need->detail = closure_keep(need->c, line);
	return need->detail ? 1 : closure_no_memory(need->err);
}

static int try_path(void *arg, const char *path, enum sb_found how, bool variant,
		    struct sb_err *err)
{
	struct need *need = arg;
	const struct sb_elf *main = need->p->main->elf, *elf;
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT;
	const char *fault;
	int rc;

	if (sb_resolve(need->c->state->root, path, 0, NULL, NULL, &real, &ignored) < 0)
		return 0;
	rc = closure_file(need->c, real.s, &elf, &fault, err);
	if (rc < 0)
		return rc;
	if (!elf)
		return fault ? block(need, variant, "%s", fault) : 0;
	if (elf->class != main->class || elf->machine != main->machine || elf->data != main->data ||
	    elf->arch != main->arch) {
		/* glibc passes over other machines' files; musl fails. */
		rc = block(need, variant, "'%s' is for another machine", path);
		return rc > 0 && !is_musl(need->p) ? 0 : rc;
	}
	if (elf->type != ET_DYN)
		return block(need, variant, "'%s' is no shared library", path);
	return take(need, path, elf, how, variant);
}

/* It is loaded already: the file has one more reason to be there. */
static int take_loaded(struct need *need, struct sb_object *o)
{
	const char *real;
	int rc = sb_fileset_add(need->c->set, o->name, 0, &need->why, &real, need->err);

	need->found = o;
	return rc < 0 ? rc : note(need, o->name, real, o->how, false);
}

/* What the kernel maps into every process by itself. */
static bool is_vdso(const char *name)
{
	return strcmp(name, "linux-vdso.so.1") == 0 || strcmp(name, "linux-gate.so.1") == 0 ||
	       strcmp(name, "linux-vdso32.so.1") == 0 || strcmp(name, "linux-vdso64.so.1") == 0;
}

/* 1: loaded now or before, 0: nowhere, which is noted. */
static int answer(struct need *need)
{
	struct closure_process *p = need->p;
	struct sb_object *loaded = named(p, need->name);

	if (!loaded && is_musl(p) && is_musl_itself(need->name))
		loaded = p->interp;
	if (loaded) {
		int rc = take_loaded(need, loaded);

		return rc < 0 ? rc : 1;
	}
	if (is_vdso(need->name))
		return 1;
	struct sb_search *search = &p->linker->search;
	int rc = sb_search_run(search, need->loader, need->name, try_path, need, need->err);
	if (rc < 0)
		return rc;
	if (!need->found && need->variant && !need->detail) {
		/* There is none for any processor: it runs where one of these does. */
		need->found = need->variant;
		rc = introduce(need, need->found, need->found->name);
		if (rc < 0)
			return rc;
	}
	if (!need->found && !need->quiet) {
		rc = note(need, NULL, NULL, SB_FOUND_NOT, false);
		if (rc < 0)
			return rc;
	}
	return need->found != NULL;
}

static int load_deps(struct sb_closure *c, struct closure_process *p, struct sb_object *o,
		     struct sb_err *err)
{
	o->done = true;
	for (size_t i = 0; i < o->elf->dep_count; i++) {
		const struct sb_elf_dep *dep = &o->elf->deps[i];
		bool filter = dep->kind != SB_ELF_NEEDED;
		struct need need = {
			.c = c,
			.p = p,
			.loader = o,
			.name = dep->name,
			.why = {filter ? SB_WHY_FILTER : SB_WHY_NEEDED, o->real, dep->name},
			.optional = dep->kind == SB_ELF_AUXILIARY,
			.before = filter,
			.err = err,
		};

		if (filter && is_musl(p))
			continue;
		int rc = answer(&need);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int suggest(struct sb_closure *c, const struct sb_object *o, const struct sb_dlopen *entry,
		   struct sb_err *err)
{
	for (size_t i = 0; entry->sonames[i]; i++) {
		if (c->suggested_count == c->state->suggested_cap) {
			size_t cap = c->suggested_count ? c->suggested_count * 2 : 16;
			void *grown = reallocarray(c->suggested, cap, sizeof *c->suggested);

			if (!grown)
				return closure_no_memory(err);
			c->suggested = grown;
			c->state->suggested_cap = cap;
		}
		c->suggested[c->suggested_count++] = (struct sb_suggested){
			entry->sonames[i], o->real, entry->feature, entry->description};
	}
	return 0;
}

/* Any one of an entry's names will do: the first is what is missing where none is found. */
static int load_dlopen(struct sb_closure *c, struct closure_process *p, struct sb_object *o,
		       const struct sb_dlopen *entry, struct sb_err *err)
{
	bool required = entry->priority == SB_DLOPEN_REQUIRED;
	size_t count = 0;

	while (entry->sonames[count])
		count++;
	/* After the last one the first is asked for again, so that it is noted. */
	for (size_t i = 0; i <= count; i++) {
		const char *name = entry->sonames[i < count ? i : 0];
		auto_buf detail = SB_BUF_INIT;

		if (sb_buf_printf(&detail, "%s (%s)", name, required ? "required" : "recommended") <
		    0)
			return closure_no_memory(err);
		struct need need = {
			.c = c,
			.p = p,
			.loader = o,
			.name = name,
			.why = {SB_WHY_DLOPEN, o->real, detail.s},
			.optional = !required,
			.quiet = i < count,
			.err = err,
		};
		int rc = answer(&need);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

static int load_dlopens(struct sb_closure *c, struct closure_process *p, struct sb_object *o,
			struct sb_err *err)
{
	const struct sb_elf *elf = o->elf;
	/* A library of several programs tells its suggestions once. */
	int new = 0, rc = 0;

	o->dlopens_done = true;
	if (elf->dlopen_count && !sb_map_adds(&c->state->suggesters, o->real, &new))
		return closure_no_memory(err);
	for (size_t i = 0; i < elf->dlopen_count && rc == 0; i++) {
		const struct sb_dlopen *entry = &elf->dlopens[i];

		if (entry->priority != SB_DLOPEN_SUGGESTED)
			rc = load_dlopen(c, p, o, entry, err);
		else if (new)
			rc = suggest(c, o, entry, err);
	}
	return rc;
}

/* libc loads it by itself when a thread is cancelled or a backtrace is wanted. */
static int load_unwinder(struct sb_closure *c, struct closure_process *p, struct sb_err *err)
{
	struct sb_object *libc = named(p, "libc.so.6");
	bool wanted = false;

	for (const struct sb_object *o = p->first; o; o = o->next)
		wanted |= o->elf->unwinds;
	if (p->unwinder_done || !wanted || !libc || is_musl(p))
		return 0;
	p->unwinder_done = true;
	struct need need = {
		.c = c,
		.p = p,
		.loader = libc,
		.name = "libgcc_s.so.1",
		.why = {SB_WHY_CONFIG, libc->real, "libgcc_s.so.1"},
		.optional = true,
		.quiet = true,
		.err = err,
	};
	return answer(&need);
}

/* Everything that what is loaded needs, until nothing is left to look at. */
int closure_load_all(struct sb_closure *c, struct closure_process *p, struct sb_err *err)
{
	for (;;) {
		struct sb_object *o = p->first, *noted = p->first;
		int rc;

		while (o && o->done)
			o = o->next;
		while (noted && noted->dlopens_done)
			noted = noted->next;
		if (o) {
			rc = load_deps(c, p, o, err);
		} else if (noted) {
			rc = load_dlopens(c, p, noted, err);
		} else {
			rc = load_unwinder(c, p, err);
			if (rc == 0)
				return 0;
		}
		if (rc < 0)
			return rc;
	}
}

int closure_load_soname(struct sb_closure *c, struct closure_process *p, const char *soname,
			const struct sb_reason *why, struct sb_err *err)
{
	struct need need = {
		.c = c,
		.p = p,
		.loader = p->main,
		.name = soname,
		.why = *why,
		.optional = true,
		.quiet = true,
		.err = err,
	};

	if (!p->linker)
		return sb_fail(err, ENOENT, "look for %s: '%s' loads no libraries", soname,
			       p->main->real);
	int rc = sb_search_program(&p->linker->search, p->main, err);
	if (rc == 0)
		rc = answer(&need);
	if (rc <= 0)
		return rc;
	rc = closure_load_all(c, p, err);
	return rc < 0 ? rc : 1;
}
