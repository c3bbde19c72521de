#include "bundler/closure.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/closure_state.h"
#include "bundler/rootfile.h"
#include "common/cleanup.h"
#include "common/path.h"

const char *closure_keep(struct sb_closure *c, const char *s)
{
	return sb_map_intern(&c->state->strings, s);
}

int closure_no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "follow what a program needs");
}

int sb_closure_new(struct sb_fileset *set, const struct sb_closure_spec *spec,
		   struct sb_closure **ret, struct sb_err *err)
{
	struct sb_closure *c = calloc(1, sizeof *c);

	if (c)
		c->state = calloc(1, sizeof *c->state);
	if (!c || !c->state) {
		free(c);
		return closure_no_memory(err);
	}
	struct sb_closure_state *state = c->state;
	c->set = set;
	state->root = set->root;
	state->spec = *spec;
	const char *path = spec->path ? spec->path : "/usr/local/bin:/usr/bin:/bin";
	state->spec.path = closure_keep(c, path);
	if (spec->library_path)
		state->spec.library_path = closure_keep(c, spec->library_path);
	if (!state->spec.path || (spec->library_path && !state->spec.library_path)) {
		sb_closure_free(c);
		return closure_no_memory(err);
	}
	*ret = c;
	return 0;
}

static void free_linkers(struct sb_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		struct closure_linker *l = map->entries[i].value;

		if (!l)
			continue;
		sb_search_free(&l->search);
		sb_linker_free(l->linker);
		free(l);
	}
	sb_map_free(map);
}

void sb_closure_free(struct sb_closure *c)
{
	if (!c)
		return;
	struct sb_closure_state *state = c->state;
	for (size_t i = 0; i < state->programs.count; i++) {
		struct closure_program *program = state->programs.entries[i].value;

		if (program)
			sb_strv_free(&program->prefix);
		free(program);
	}
	for (size_t i = 0; i < state->processes.count; i++)
		closure_process_free(state->processes.entries[i].value);
	for (size_t i = 0; i < state->files.count; i++) {
		struct closure_file *file = state->files.entries[i].value;

		if (file)
			sb_elf_free(file->elf);
		free(file);
	}
	free_linkers(&state->linkers);
	sb_map_free(&state->programs);
	sb_map_free(&state->processes);
	sb_map_free(&state->files);
	sb_map_free(&state->seen);
	sb_map_free(&state->suggesters);
	sb_map_free(&state->strings);
	free(state);
	free(c->edges);
	free(c->missing);
	free(c->suggested);
	free(c);
}

/* Room for one more in an array. */
static void *grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	size_t more = *cap ? *cap * 2 : 32;
	void *grown = reallocarray(array, more, size);
	if (grown)
		*cap = more;
	return grown;
}

static int note_missing(struct sb_closure *c, const struct sb_edge *edge, const char *detail)
{
	void *grown =
		grow(c->missing, c->missing_count, &c->state->missing_cap, sizeof *c->missing);

	if (!grown)
		return -ENOMEM;
	c->missing = grown;
	struct sb_missing *m = &c->missing[c->missing_count];
	*m = (struct sb_missing){
		.needed = edge->name,
		.by = edge->from,
		.detail = detail ? closure_keep(c, detail) : NULL,
		.optional = edge->optional,
	};
	if (detail && !m->detail)
		return -ENOMEM;
	c->missing_count++;
	return 0;
}

int closure_note(struct sb_closure *c, const struct sb_edge *edge, const char *detail,
		 struct sb_err *err)
{
	struct sb_closure_state *state = c->state;
	auto_buf key = SB_BUF_INIT;
	struct sb_edge own = *edge;
	int new;

	if (sb_buf_printf(&key, "%s\n%s\n%s\n%d", edge->from, edge->name,
			  edge->path ? edge->path : "", edge->why) < 0 ||
	    !sb_map_add(&state->seen, key.s, key.len, &new))
		return closure_no_memory(err);
	if (!new)
		return 0;
	own.from = closure_keep(c, edge->from);
	own.name = closure_keep(c, edge->name);
	own.path = edge->path ? closure_keep(c, edge->path) : NULL;
	own.real = edge->real ? closure_keep(c, edge->real) : NULL;
	if (!own.from || !own.name || (edge->path && !own.path) || (edge->real && !own.real))
		return closure_no_memory(err);
	void *grown = grow(c->edges, c->edge_count, &state->edge_cap, sizeof *c->edges);
	if (!grown)
		return closure_no_memory(err);
	c->edges = grown;
	c->edges[c->edge_count++] = own;
	if (!own.path && note_missing(c, &own, detail) < 0)
		return closure_no_memory(err);
	return 0;
}

/* Reads an ELF file; what is wrong with it becomes a line that is kept. */
static int read_file(struct sb_closure *c, const char *real, struct closure_file *file,
		     struct sb_err *err)
{
	struct sb_err why = SB_ERR_INIT;
	auto_fd int fd = sb_root_open(c->state->root, real, NULL, &why);
	int rc = fd < 0 ? fd : sb_elf_read(fd, real, &file->elf, &why);

	if (rc == -ENOMEM)
		return closure_no_memory(err);
	if (rc < 0 && fd >= 0) {
		char line[sizeof why.msg + 256];

		sb_err_line(&why, line, sizeof line);
		file->fault = closure_keep(c, line);
		if (!file->fault)
			return closure_no_memory(err);
	}
	return 0;
}

int closure_file(struct sb_closure *c, const char *real, const struct sb_elf **ret,
		 const char **ret_fault, struct sb_err *err)
{
	struct sb_map_entry *e = sb_map_adds(&c->state->files, real, NULL);
	struct closure_file *file = e ? e->value : NULL;

	if (e && !file) {
		file = calloc(1, sizeof *file);
		if (file) {
			int rc = read_file(c, e->key, file, err);

			if (rc < 0) {
				free(file);
				return rc;
			}
		}
		e->value = file;
	}
	if (!file)
		return closure_no_memory(err);
	*ret = file->elf;
	*ret_fault = file->fault;
	return 0;
}

const struct sb_elf *sb_closure_elf(const struct sb_closure *c, const char *real)
{
	const struct sb_map_entry *e = sb_map_finds(&c->state->files, real);
	const struct closure_file *file = e ? e->value : NULL;

	return file ? file->elf : NULL;
}

int sb_closure_add(struct sb_closure *c, const char *path, const struct sb_reason *why,
		   struct sb_err *err)
{
	const char *real = NULL;
	int new, rc = sb_fileset_add(c->set, path, 0, why, &real, err);

	if (rc < 0)
		return rc;
	const struct sb_item *item = sb_fileset_find(c->set, real);
	if (!item || item->type != SB_ITEM_FILE)
		return 0;
	struct sb_map_entry *e = sb_map_adds(&c->state->programs, real, &new);
	if (!e)
		return closure_no_memory(err);
	if (!new)
		return 0;
	struct closure_program *program = calloc(1, sizeof *program);
	if (!program)
		return closure_no_memory(err);
	program->info.exec = e->key;
	e->value = program;
	return closure_exec(c, program, err);
}

/* The program at `path`, which was added under its real path. */
static struct closure_program *find_program(struct sb_closure *c, const char *path)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT;

	if (sb_resolve(c->state->root, path, 0, NULL, NULL, &real, &ignored) < 0)
		return NULL;
	const struct sb_map_entry *e = sb_map_finds(&c->state->programs, real.s);
	return e ? e->value : NULL;
}

int sb_closure_add_soname(struct sb_closure *c, const char *path, const char *soname,
			  const struct sb_reason *why, struct sb_err *err)
{
	struct closure_program *program = find_program(c, path);

	if (!program || !program->process)
		return sb_fail(err, ENOENT, "look for %s: '%s' loads no libraries", soname, path);
	return closure_load_soname(c, program->process, soname, why, err);
}

/* The directory of `name`, which holds no ".." (of $ORIGIN/../lib): a plan has none. */
static int add_dir(struct sb_closure *c, struct sb_map *dirs, const char *name)
{
	const char *slash = strrchr(name, '/');
	auto_buf dir = SB_BUF_INIT, real = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;

	if (sb_buf_add(&dir, name, slash == name ? 1 : (size_t)(slash - name)) < 0)
		return -ENOMEM;
	if (strstr(dir.s, "/..") &&
	    sb_resolve(c->state->root, dir.s, 0, NULL, NULL, &real, &ignored) == 0)
		return sb_map_adds(dirs, real.s, NULL) ? 0 : -ENOMEM;
	return sb_map_adds(dirs, dir.s, NULL) ? 0 : -ENOMEM;
}

/* Directories in the order in which the linker would come to them: its own search paths first. */
static int list_libs(struct sb_closure *c, struct closure_process *p)
{
	auto_map dirs = SB_MAP_INIT;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct sb_object *o = p->first; o; o = o->next) {
			bool told = o->how < SB_FOUND_CACHE;

			if (o == p->main || o == p->interp || o->variant || told != (pass == 0))
				continue;
			if (add_dir(c, &dirs, o->name) < 0)
				return -ENOMEM;
		}
	}
	free(p->libs);
	p->libs = calloc(dirs.count + 1, sizeof *p->libs);
	if (!p->libs)
		return -ENOMEM;
	for (size_t i = 0; i < dirs.count; i++) {
		p->libs[i] = closure_keep(c, dirs.entries[i].key);
		if (!p->libs[i])
			return -ENOMEM;
	}
	return 0;
}

int sb_closure_program(struct sb_closure *c, const char *path, struct sb_program *ret,
		       struct sb_err *err)
{
	static const char *const none[] = {NULL};
	struct closure_program *program = find_program(c, path);

	if (!program)
		return sb_fail(err, SB_ESAID, "'%s' is no program", path);
	struct sb_program *info = &program->info;
	info->prefix = program->prefix.items ? (const char *const *)program->prefix.items : none;
	info->libs = none;
	if (program->process) {
		/* Libraries may have come since. */
		if (list_libs(c, program->process) < 0)
			return closure_no_memory(err);
		info->libs = program->process->libs;
	}
	*ret = *info;
	return 0;
}
