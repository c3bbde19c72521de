/* A program's process before anything is loaded: which dynamic linker, and with what. */
#include <stdlib.h>
#include <string.h>

#include "bundler/closure_state.h"
#include "common/buf.h"
#include "common/cleanup.h"

/* A library does not name its linker. */
static bool wants_musl(const struct sb_elf *elf)
{
	for (size_t i = 0; i < elf->dep_count; i++)
		if (strcmp(elf->deps[i].name, "libc.so") == 0 ||
		    strncmp(elf->deps[i].name, "libc.musl-", 10) == 0)
			return true;
	return false;
}

/* The linker that a library would meet: that of the programs around it, or the usual one. */
static int guess_linker(struct sb_closure *c, const struct sb_elf *elf, struct sb_buf *ret)
{
	enum sb_libc libc = wants_musl(elf) ? SB_LIBC_MUSL : SB_LIBC_GLIBC;

	for (size_t i = 0; i < c->state->linkers.count; i++) {
		const struct closure_linker *l = c->state->linkers.entries[i].value;

		if (l && l->search.arch == elf->arch && l->linker->libc == libc)
			return sb_buf_puts(ret, l->linker->path);
	}
	if (!elf->arch)
		return sb_buf_puts(ret, "/lib/ld.so.1");
	return libc == SB_LIBC_MUSL ? sb_buf_printf(ret, "/lib/ld-musl-%s.so.1", elf->arch->musl)
				    : sb_buf_puts(ret, elf->arch->interp);
}

static int new_linker(struct sb_closure *c, const char *path, const struct sb_elf *elf,
		      struct closure_linker **ret, struct sb_err *err)
{
	struct closure_linker *l = calloc(1, sizeof *l);
	int rc = l ? sb_linker_read(c->state->root, path, elf->arch, &l->linker, err)
		   : closure_no_memory(err);

	if (rc == 0) {
		l->search.root = c->state->root;
		l->search.linker = l->linker;
		l->search.arch = elf->arch;
		l->search.library_path = c->state->spec.library_path;
		l->search.inside_only = c->state->spec.inside_only;
		rc = sb_search_init(&l->search, err);
	}
	if (rc < 0 && l) {
		sb_search_free(&l->search);
		sb_linker_free(l->linker);
		free(l);
		return rc;
	}
	*ret = l;
	return rc;
}

static int find_linker(struct sb_closure *c, const struct sb_elf *elf, struct closure_linker **ret,
		       struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;
	auto_buf key = SB_BUF_INIT;
	int rc = elf->interp ? sb_buf_puts(&path, elf->interp) : guess_linker(c, elf, &path);

	if (rc < 0 ||
	    sb_buf_printf(&key, "%s\n%u %u", sb_buf_str(&path), elf->machine, elf->class) < 0)
		return closure_no_memory(err);
	struct sb_map_entry *e = sb_map_adds(&c->state->linkers, key.s, NULL);
	if (!e)
		return closure_no_memory(err);
	if (!e->value) {
		struct closure_linker *l = NULL;

		rc = new_linker(c, sb_buf_str(&path), elf, &l, err);
		if (rc < 0)
			return rc;
		e->value = l;
	}
	*ret = e->value;
	return 0;
}

static int add_name(struct closure_process *p, const char *name, struct sb_object *o)
{
	int new;
	struct sb_map_entry *e = name ? sb_map_adds(&p->names, name, &new) : NULL;

	if (e && new)
		e->value = o;
	return name && !e ? -ENOMEM : 0;
}

static int add_inode(struct closure_process *p, struct sb_object *o)
{
	uint64_t id[2] = {(uint64_t)o->elf->dev, (uint64_t)o->elf->ino};
	struct sb_map_entry *e = sb_map_add(&p->inodes, (const char *)id, sizeof id, NULL);

	if (e && !e->value)
		e->value = o;
	return e ? 0 : -ENOMEM;
}

/* The linker is loaded before anything is searched, and answers to its soname. */
static int add_interp(struct sb_closure *c, struct closure_process *p, struct sb_err *err)
{
	const struct sb_linker *linker = p->linker->linker;
	const struct sb_elf *elf = NULL;
	const char *fault;

	int rc = linker->real ? closure_file(c, linker->real, &elf, &fault, err) : 0;
	if (rc < 0 || !elf || !sb_elf_same_machine(elf, p->main->elf))
		return rc;
	struct sb_object *o = calloc(1, sizeof *o);
	if (!o)
		return closure_no_memory(err);
	*o = (struct sb_object){
		.loader = p->main,
		.elf = elf,
		.name = linker->path,
		.real = linker->real,
		.how = SB_FOUND_INTERP,
	};
	p->main->next = p->interp = o;
	p->count++;
	if (add_name(p, o->name, o) < 0 || add_name(p, elf->soname, o) < 0 || add_inode(p, o) < 0)
		return closure_no_memory(err);
	return 0;
}

/* What the program itself says of its interpreter. */
static int note_interp(struct sb_closure *c, struct closure_process *p, struct sb_err *err)
{
	const struct sb_object *main = p->main;
	struct sb_reason why = {SB_WHY_INTERP, main->real, NULL};
	const struct sb_linker *linker = p->linker->linker;
	struct sb_edge edge = {.from = main->real, .name = main->elf->interp, .why = SB_WHY_INTERP};
	const char *detail = NULL;
	int rc = 0;

	if (!edge.name)
		return 0;
	if (edge.name[0] != '/')
		detail = "taken from the current directory of whoever runs it";
	else if (linker->real && !p->interp)
		detail = "what is there is no dynamic linker for this program";
	else if (linker->real) {
		edge.path = linker->path;
		edge.how = SB_FOUND_INTERP;
		rc = sb_fileset_add(c->set, linker->path, 0, &why, &edge.real, err);
	}
	return rc < 0 ? rc : closure_note(c, &edge, detail, err);
}

static int start(struct sb_closure *c, struct closure_process *p, struct sb_err *err)
{
	const struct sb_elf *elf = p->main->elf;

	if (elf->kind != SB_ELF_PROGRAM && elf->kind != SB_ELF_LIBRARY)
		return 0;
	int rc = find_linker(c, elf, &p->linker, err);
	if (rc == 0)
		rc = add_interp(c, p, err);
	if (rc == 0)
		rc = note_interp(c, p, err);
	if (rc < 0)
		return rc;
	if (p->linker->linker->libc == SB_LIBC_GLIBC && add_name(p, elf->soname, p->main) < 0)
		return closure_no_memory(err);
	if (add_inode(p, p->main) < 0)
		return closure_no_memory(err);
	rc = sb_search_program(&p->linker->search, p->main, err);
	return rc < 0 ? rc : closure_load_all(c, p, err);
}

int closure_load(struct sb_closure *c, const char *real, struct closure_process **ret,
		 struct sb_err *err)
{
	const struct sb_elf *elf;
	const char *fault;
	int rc = closure_file(c, real, &elf, &fault, err);

	if (rc < 0)
		return rc;
	if (!elf)
		return fault ? sb_fail(err, SB_ESAID, "%s", fault)
			     : sb_fail(err, EACCES, "read '%s'", real);
	struct sb_map_entry *e = sb_map_adds(&c->state->processes, real, NULL);
	if (!e)
		return closure_no_memory(err);
	if (!e->value) {
		struct closure_process *p = calloc(1, sizeof *p);
		struct sb_object *main = calloc(1, sizeof *main);

		if (!p || !main) {
			free(p);
			free(main);
			return closure_no_memory(err);
		}
		*main = (struct sb_object){.elf = elf, .name = e->key, .real = e->key};
		main->how = SB_FOUND_PATH;
		p->main = p->first = main;
		p->count = 1;
		e->value = p;
		rc = start(c, p, err);
		*ret = p;
		return rc;
	}
	*ret = e->value;
	return 0;
}

void closure_process_free(struct closure_process *p)
{
	if (!p)
		return;
	while (p->first) {
		struct sb_object *next = p->first->next;

		sb_map_free(&p->first->dirs);
		free(p->first);
		p->first = next;
	}
	sb_map_free(&p->names);
	sb_map_free(&p->inodes);
	free(p->libs);
	free(p);
}
