#include "bundler/draft.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/draft_state.h"
#include "bundler/rules.h"
#include "bundler/writes.h"
#include "common/cleanup.h"
#include "common/path.h"

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "plan the bundle");
}

int sb_draft_new(const struct sb_draft_spec *spec, struct sb_draft **ret, struct sb_err *err)
{
	struct sb_draft *draft = calloc(1, sizeof *draft);

	if (draft)
		draft->state = calloc(1, sizeof *draft->state);
	if (!draft || !draft->state) {
		free(draft);
		return no_memory(err);
	}
	draft->state->spec = *spec;
	int rc = sb_fileset_new(spec->root, &draft->set, err);
	if (rc < 0)
		sb_draft_free(draft);
	else
		*ret = draft;
	return rc;
}

void sb_draft_free(struct sb_draft *draft)
{
	if (!draft)
		return;
	struct sb_draft_state *state = draft->state;
	for (size_t i = 0; i < state->closure_count; i++) {
		sb_closure_free(state->closures[i].closure);
		sb_linker_free(state->closures[i].linker);
	}
	for (size_t i = 0; i < state->array_count; i++)
		free(state->arrays[i]);
	free(state->arrays);
	free(state->closures);
	free(state->traces);
	sb_map_free(&state->strings);
	sb_map_free(&state->loaded);
	sb_map_free(&state->locales);
	sb_map_free(&state->zones);
	free(state);
	free(draft->entries);
	free(draft->listed);
	free(draft->blind);
	sb_remarks_free(&draft->remarks);
	sb_fileset_free(draft->set);
	free(draft);
}

void *draft_array(struct sb_draft *draft, size_t count, size_t size)
{
	struct sb_draft_state *state = draft->state;
	void **grown = reallocarray(state->arrays, state->array_count + 1, sizeof *grown);

	if (!grown)
		return NULL;
	state->arrays = grown;
	grown[state->array_count] = calloc(count ? count : 1, size);
	return grown[state->array_count] ? grown[state->array_count++] : NULL;
}

const char *draft_string(struct sb_draft *draft, const char *s)
{
	return sb_map_intern(&draft->state->strings, s);
}

const char *draft_getenv(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static int find_closure(struct sb_draft *draft, const char *library_path, const char *path,
			bool replay, struct draft_closure **ret, struct sb_err *err)
{
	struct sb_draft_state *state = draft->state;
	struct sb_closure_spec spec = {.library_path = library_path, .path = path};

	for (size_t i = 0; i < state->closure_count; i++) {
		struct draft_closure *c = &state->closures[i];

		if (c->replay == replay && same(c->library_path, library_path) &&
		    same(c->path, path)) {
			*ret = c;
			return 0;
		}
	}
	struct draft_closure *grown =
		reallocarray(state->closures, state->closure_count + 1, sizeof *grown);
	if (!grown)
		return no_memory(err);
	state->closures = grown;
	struct draft_closure *c = &grown[state->closure_count];
	*c = (struct draft_closure){.library_path = library_path, .path = path, .replay = replay};
	int rc = sb_closure_new(draft->set, &spec, &c->closure, err);
	if (rc < 0)
		return rc;
	state->closure_count++;
	*ret = c;
	return 0;
}

static int remember_loads(struct sb_draft *draft, const struct sb_trace *trace)
{
	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];

		if (ev->kind == SB_LOAD && ev->outcome <= 0 &&
		    !sb_map_adds(&draft->state->loaded, sb_path_base(ev->path), NULL))
			return -ENOMEM;
	}
	return 0;
}

/* What libc opens for these variables, no trace of functions that it exports tells. */
static int remember_environment(struct sb_draft *draft, const char *const *env)
{
	static const char *const names[] = {"LC_ALL",	  "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES",
					    "LC_NUMERIC", "LC_TIME",  "LANG"};
	const char *value = draft_getenv(env, "TZ");

	if (value && *value && !sb_map_adds(&draft->state->zones, value, NULL))
		return -ENOMEM;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		value = draft_getenv(env, names[i]);
		if (value && *value && !sb_map_adds(&draft->state->locales, value, NULL))
			return -ENOMEM;
	}
	return 0;
}

static int remember_blind(struct sb_draft *draft, const struct sb_trace_end *end)
{
	for (size_t i = 0; i < end->blind_count; i++) {
		const struct sb_trace_blind *b = &end->blind[i];
		size_t at = 0;

		while (at < draft->blind_count &&
		       !(same(draft->blind[at].path, b->path) &&
			 same(draft->blind[at].name, sb_blind_name(b->blind))))
			at++;
		if (at == draft->blind_count) {
			void *grown = reallocarray(draft->blind, at + 1, sizeof *draft->blind);

			if (!grown)
				return -ENOMEM;
			draft->blind = grown;
			draft->blind[draft->blind_count++] = (struct sb_manifest_blind){
				.name = sb_blind_name(b->blind), .path = b->path};
		}
		draft->blind[at].count += b->count;
	}
	return 0;
}

/* What each program that was executed needs by itself: more than one host's search may show. */
static int add_executed(struct sb_draft *draft, struct draft_closure *c,
			const struct sb_trace *trace, struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;

	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];
		struct sb_err failed = SB_ERR_INIT;
		struct sb_reason why = {.why = SB_WHY_TRACED, .detail = sb_kind_name(SB_EXEC)};

		if (ev->kind != SB_EXEC || ev->outcome > 0 ||
		    sb_event_real(ev, draft->set->root, &real, &failed) < 0 ||
		    !sb_fileset_find(draft->set, real.s))
			continue;
		if (ev->process < trace->process_count)
			why.from = trace->processes[ev->process].exe;
		int rc = sb_closure_add(c->closure, real.s, &why, &failed);
		if (rc == -ENOMEM)
			return no_memory(err);
		if (rc < 0 && sb_remark(&draft->remarks, SB_REMARK_ODD, real.s, failed.msg) < 0)
			return no_memory(err);
		if (!c->program && rc == 0)
			c->program = draft_string(draft, real.s);
	}
	return 0;
}

static int add_trace(struct sb_draft *draft, struct draft_closure *c, const struct sb_trace *trace,
		     bool replay, struct sb_err *err)
{
	struct sb_draft_state *state = draft->state;
	const struct sb_rules *rules = state->spec.rules;
	const struct sb_trace **grown =
		reallocarray(state->traces, state->trace_count + 1, sizeof *grown);

	if (!grown)
		return no_memory(err);
	state->traces = grown;
	grown[state->trace_count++] = trace;
	if (remember_loads(draft, trace) < 0 ||
	    remember_environment(draft, trace->header.env) < 0 ||
	    remember_blind(draft, &trace->end) < 0)
		return no_memory(err);
	int rc = sb_select_trace(draft->set, trace, replay, rules, &draft->remarks, err);
	return rc < 0 ? rc : add_executed(draft, c, trace, err);
}

/* A lasting copy of a list that the closure makes anew at each question. */
static const char *const *keep_list(struct sb_draft *draft, const char *const *list)
{
	size_t n = 0;
	const char **copy;

	while (list && list[n])
		n++;
	copy = draft_array(draft, n + 1, sizeof *copy);
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = draft_string(draft, list[i]);
		if (!copy[i])
			return NULL;
	}
	return copy;
}

/* Takes over what is known of the program; both views of the entry are made from it. */
static int add_entry(struct sb_draft *draft, const struct sb_plan_entry *entry,
		     struct sb_closure *closure, struct sb_err *err)
{
	size_t n = draft->entry_count;
	struct sb_plan_entry *entries = reallocarray(draft->entries, n + 1, sizeof *entries);
	struct sb_manifest_entry *listed = NULL;
	struct sb_program program;

	if (entries) {
		draft->entries = entries;
		listed = reallocarray(draft->listed, n + 1, sizeof *listed);
	}
	if (!listed)
		return no_memory(err);
	draft->listed = listed;
	int rc = sb_closure_program(closure, entry->exec, &program, err);
	if (rc < 0)
		return rc;
	if (!program.elf)
		return sb_fail(err, SB_ESAID,
			       "'%s' is neither an ELF program nor a script whose interpreter is "
			       "here",
			       entry->exec);
	entries[n] = *entry;
	entries[n].interp = program.interp ? draft_string(draft, program.interp) : NULL;
	entries[n].libs = keep_list(draft, program.libs);
	if (program.script) {
		/* What lies beside it, a python's virtual environment, is found by this name. */
		entries[n].program = draft_string(draft, program.elf_name);
		entries[n].prefix = keep_list(draft, program.prefix);
	}
	if (!entries[n].libs || (program.interp && !entries[n].interp) ||
	    (program.script && (!entries[n].program || !entries[n].prefix)))
		return no_memory(err);
	listed[n] = (struct sb_manifest_entry){
		.name = entry->name, .path = entry->exec, .argv = entry->argv, .cwd = entry->cwd};
	draft->entry_count++;
	return 0;
}

/* A program whose needs are not met does not start here, and would not there. */
static int check_needs(const struct sb_draft *draft, const struct sb_closure *closure,
		       size_t first_edge, const char *path, struct sb_err *err)
{
	for (size_t i = first_edge; i < closure->edge_count; i++) {
		const struct sb_edge *edge = &closure->edges[i];

		if (edge->path || edge->optional || edge->variant ||
		    (edge->why != SB_WHY_NEEDED && edge->why != SB_WHY_INTERP &&
		     edge->why != SB_WHY_SCRIPT))
			continue;
		if (sb_map_finds(&draft->state->loaded, sb_path_base(edge->name)))
			continue;
		return sb_fail(
			err, SB_ESAID,
			"'%s' would not start: '%s' needs %s, which is not found (install it, "
			"set LD_LIBRARY_PATH, or trace a run with ::trace=)",
			path, edge->from, edge->name);
	}
	return 0;
}

/*
 * A python of a virtual environment finds that by its own name, where pyvenv.cfg is in the same
 * directory or above: it is started by the original one, whatever the caller's is.
 */
static int keep_environment(struct sb_draft *draft, struct sb_closure *closure,
			    struct sb_plan_entry *entry, struct sb_err *err)
{
	static const char *const places[] = {"pyvenv.cfg", "../pyvenv.cfg"};
	const struct sb_reason why = {.why = SB_WHY_CONFIG, .from = entry->exec};
	int dir_len = (int)(sb_path_base(entry->exec) - entry->exec);

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		auto_buf name = SB_BUF_INIT, real = SB_BUF_INIT;
		struct sb_err absent = SB_ERR_INIT;
		const char **argv;

		if (sb_buf_printf(&name, "%.*s%s", dir_len, entry->exec, places[i]) < 0)
			return no_memory(err);
		if (sb_resolve(draft->set->root, name.s, 0, NULL, NULL, &real, &absent) < 0)
			continue;
		argv = draft_array(draft, 2, sizeof *argv);
		if (!argv)
			return no_memory(err);
		argv[0] = entry->exec;
		argv[1] = NULL;
		entry->argv = argv;
		return sb_closure_add(closure, real.s, &why, err);
	}
	return 0;
}

int sb_draft_program(struct sb_draft *draft, const char *name, const char *path,
		     const struct sb_trace *const *runs, size_t run_count, struct sb_err *err)
{
	const struct sb_draft_spec *spec = &draft->state->spec;
	struct sb_reason why = {.why = SB_WHY_ENTRY, .from = name};
	struct sb_plan_entry entry = {.name = draft_string(draft, name),
				      .exec = draft_string(draft, path)};
	struct draft_closure *c;
	int rc = 0;

	if (!entry.name || !entry.exec)
		return no_memory(err);
	for (size_t i = 0; i < run_count; i++)
		if (remember_loads(draft, runs[i]) < 0)
			return no_memory(err);
	rc = find_closure(draft, spec->library_path, spec->path, false, &c, err);
	if (rc < 0)
		return rc;
	size_t first_edge = c->closure->edge_count;
	rc = sb_closure_add(c->closure, path, &why, err);
	if (rc == 0)
		rc = check_needs(draft, c->closure, first_edge, path, err);
	if (rc == 0 && !c->program)
		c->program = entry.exec;
	if (rc == 0)
		rc = keep_environment(draft, c->closure, &entry, err);
	if (rc == 0)
		rc = add_entry(draft, &entry, c->closure, err);
	for (size_t i = 0; i < run_count && rc == 0; i++) {
		/* The array of closures may move. */
		rc = find_closure(draft, spec->library_path, spec->path, false, &c, err);
		if (rc == 0)
			rc = add_trace(draft, c, runs[i], false, err);
	}
	return rc;
}

const char *sb_draft_replay_name(const struct sb_trace *trace)
{
	const char *const *argv = trace->header.argv;

	return argv && argv[0] ? sb_path_base(argv[0]) : "";
}

static const char *const *writable_of(struct sb_draft *draft, const struct sb_trace *const *runs,
				      size_t run_count, struct sb_err *err)
{
	auto_writes writes = SB_WRITES_INIT;
	auto_map dirs = SB_MAP_INIT;
	const char **list = NULL;

	for (size_t i = 0; i < run_count; i++)
		if (sb_writes_read(&writes, runs[i], draft->set->root, err) < 0)
			return NULL;
	if (sb_writes_directories(&writes, &dirs, err) < 0)
		return NULL;
	list = draft_array(draft, dirs.count + 1, sizeof *list);
	for (size_t i = 0; list && i < dirs.count; i++) {
		list[i] = draft_string(draft, dirs.entries[i].key);
		if (!list[i])
			list = NULL;
	}
	if (!list)
		(void)no_memory(err);
	return list;
}

/* LD_LIBRARY_PATH of all replays: verify looks there too. */
static int join_library_path(struct sb_draft *draft, const char *library_path)
{
	auto_buf joined = SB_BUF_INIT;

	if (!library_path || same(draft->library_path, library_path))
		return 0;
	if (draft->library_path &&
	    (sb_buf_puts(&joined, draft->library_path) < 0 || sb_buf_putc(&joined, ':') < 0))
		return -ENOMEM;
	if (sb_buf_puts(&joined, library_path) < 0)
		return -ENOMEM;
	draft->library_path = draft_string(draft, joined.s);
	return draft->library_path ? 0 : -ENOMEM;
}

/* Where the command starts, whether or not it looked there; the launcher makes one that is gone. */
static int add_start(struct sb_draft *draft, const char *cwd, struct sb_err *err)
{
	const struct sb_reason why = {.why = SB_WHY_TRACED, .detail = sb_kind_name(SB_STAT)};
	int rc = sb_fileset_add(draft->set, cwd, 0, &why, NULL, err);

	return rc < 0 && rc != -ENOENT ? rc : 0;
}

static int add_command(struct sb_closure *closure, const char *exec, const struct sb_reason *why,
		       struct sb_err *err)
{
	int rc = sb_closure_add(closure, exec, why, err);

	return rc == -ENOENT ? sb_fail(err, SB_ESAID,
				       "the traced command '%s' is gone: make the bundle where the "
				       "trace was taken, while what it used is there",
				       exec)
			     : rc;
}

int sb_draft_replay(struct sb_draft *draft, const char *name, const struct sb_trace *const *runs,
		    size_t run_count, struct sb_err *err)
{
	const struct sb_trace *trace = runs[0];
	struct sb_reason why = {.why = SB_WHY_ENTRY, .from = name};
	const char *library_path = draft_getenv(trace->header.env, "LD_LIBRARY_PATH");
	struct sb_plan_entry entry = {
		.name = draft_string(draft, name),
		.argv = trace->header.argv,
		.env = trace->header.env,
		.cwd = trace->header.cwd,
	};
	auto_buf exec = SB_BUF_INIT;
	const char *command = sb_trace_command(trace);
	struct draft_closure *c;
	int rc;

	if (!command || !entry.cwd)
		return sb_fail(err, SB_ESAID,
			       "the trace does not tell what its command was: trace it again");
	if (strlen(entry.cwd) >= PATH_MAX)
		return sb_fail(err, SB_ESAID,
			       "the command was traced in a directory whose name has more than "
			       "4,095 bytes, which no replay can enter: trace it in another");
	if (!entry.name || join_library_path(draft, library_path) < 0)
		return no_memory(err);
	/* The payload has no name with a ".." in it. */
	rc = sb_path_without_dots(draft->set->root, entry.cwd, command, &exec, err);
	if (rc < 0)
		return rc;
	entry.exec = draft_string(draft, exec.s);
	entry.writable = writable_of(draft, runs, run_count, err);
	if (!entry.exec)
		return no_memory(err);
	if (!entry.writable)
		return -err->code;
	rc = find_closure(draft, library_path, draft_getenv(trace->header.env, "PATH"), true, &c,
			  err);
	for (size_t i = 0; i < run_count && rc == 0; i++)
		rc = add_trace(draft, c, runs[i], true, err);
	if (rc == 0)
		rc = add_command(c->closure, entry.exec, &why, err);
	if (rc == 0)
		rc = add_start(draft, entry.cwd, err);
	return rc < 0 ? rc : add_entry(draft, &entry, c->closure, err);
}

int sb_draft_tree(struct sb_draft *draft, const char *source, const char *dest, struct sb_err *err)
{
	return sb_select_tree(draft->set, source, dest, &draft->remarks, err);
}
