/* deps: the static closure of programs, without running anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/closure.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/map.h"
#include "common/path.h"
#include "tools/command.h"
#include "tools/settings.h"
#include "tools/print.h"

struct deps_options {
	const char *format, *root;
};

static const struct sb_option options[] = {
	{"format", 'f', SB_OPT_CHOICE, "FORMAT", "how to print it (default: tree)",
	 "tree|paths|json", offsetof(struct deps_options, format)},
	{"trace-root", 0, SB_OPT_STRING, "DIR", "look inside DIR, as if it were /", NULL,
	 offsetof(struct deps_options, root)},
	{NULL, 0, SB_OPT_FLAG, NULL, NULL, NULL, 0},
};

struct tree {
	const struct sb_closure *c;
	struct sb_map shown; /* files whose needs were printed */
	bool colored;
};

/* What stood in the way of a need; NULL where nothing is known. */
static const char *detail_of(const struct sb_closure *c, const struct sb_edge *edge)
{
	for (size_t i = 0; i < c->missing_count; i++)
		if (strcmp(c->missing[i].by, edge->from) == 0 &&
		    strcmp(c->missing[i].needed, edge->name) == 0)
			return c->missing[i].detail;
	return NULL;
}

static void print_edge(const struct tree *tree, const struct sb_edge *edge, int depth)
{
	const char *red = tree->colored ? "\033[1;31m" : "",
		   *plain = tree->colored ? "\033[0m" : "";

	printf("%*s", depth * 4, "");
	sb_print_name(edge->name);
	if (edge->path && strcmp(edge->path, edge->name) != 0) {
		fputs(" => ", stdout);
		sb_print_name(edge->path);
	}
	if (!edge->path)
		printf(" => %snot found%s", red, plain);
	fputs(" [", stdout);
	if (edge->why != SB_WHY_NEEDED && edge->why != SB_WHY_INTERP)
		printf("%s%s", sb_why_name(edge->why), edge->path ? ", " : "");
	if (edge->path)
		fputs(sb_found_name(edge->how), stdout);
	else if (edge->why == SB_WHY_NEEDED || edge->why == SB_WHY_INTERP)
		fputs(sb_why_name(edge->why), stdout);
	printf("%s%s]", edge->optional ? ", optional" : "", edge->variant ? ", variant" : "");
	const char *detail = edge->path ? NULL : detail_of(tree->c, edge);
	if (detail) {
		fputs(": ", stdout);
		sb_print_name(detail);
	}
	putchar('\n');
}

static int print_needs(struct tree *tree, const char *real, int depth)
{
	int new;

	if (!sb_map_adds(&tree->shown, real, &new))
		return -ENOMEM;
	for (size_t i = 0; new &&i < tree->c->edge_count; i++) {
		const struct sb_edge *edge = &tree->c->edges[i];

		if (strcmp(edge->from, real) != 0)
			continue;
		print_edge(tree, edge, depth);
		int rc = edge->real ? print_needs(tree, edge->real, depth + 1) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int print_tree(const struct sb_closure *c, const struct sb_map *programs)
{
	struct tree tree = {.c = c, .colored = sb_settings_colored(STDOUT_FILENO)};
	int rc = 0;

	for (size_t i = 0; i < programs->count && rc == 0; i++) {
		const char *path = programs->entries[i].key, *real = programs->entries[i].value;

		sb_print_name(path);
		if (strcmp(path, real) != 0) {
			fputs(" => ", stdout);
			sb_print_name(real);
		}
		putchar('\n');
		sb_map_free(&tree.shown);
		rc = print_needs(&tree, real, 1);
	}
	if (c->suggested_count)
		puts("suggested, and not taken:");
	for (size_t i = 0; i < c->suggested_count; i++) {
		const struct sb_suggested *s = &c->suggested[i];

		fputs("    ", stdout);
		sb_print_name(s->soname);
		fputs(" by ", stdout);
		sb_print_name(s->by);
		if (*s->feature)
			fputs(": ", stdout);
		sb_print_name(s->feature);
		putchar('\n');
	}
	sb_map_free(&tree.shown);
	return rc;
}

static int print_paths(struct sb_closure *c)
{
	sb_fileset_sort(c->set);
	for (size_t i = 0; i < c->set->count; i++)
		if (c->set->items[i].type == SB_ITEM_FILE)
			puts(c->set->items[i].path);
	return 0;
}

static void put(struct sb_json *json, const char *key, const char *value)
{
	sb_json_key(json, key);
	sb_json_str(json, value);
}

static void put_edges(struct sb_json *json, const struct sb_closure *c)
{
	sb_json_key(json, "needs");
	sb_json_open(json, '[');
	for (size_t i = 0; i < c->edge_count; i++) {
		const struct sb_edge *edge = &c->edges[i];

		sb_json_open(json, '{');
		put(json, "from", edge->from);
		put(json, "name", edge->name);
		put(json, "why", sb_why_name(edge->why));
		put(json, "path", edge->path);
		put(json, "real", edge->real);
		put(json, "found", edge->path ? sb_found_name(edge->how) : NULL);
		sb_json_key(json, "optional");
		sb_json_bool(json, edge->optional);
		sb_json_key(json, "variant");
		sb_json_bool(json, edge->variant);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

static void put_lists(struct sb_json *json, const struct sb_closure *c)
{
	sb_json_key(json, "missing");
	sb_json_open(json, '[');
	for (size_t i = 0; i < c->missing_count; i++) {
		const struct sb_missing *m = &c->missing[i];

		sb_json_open(json, '{');
		put(json, "needed", m->needed);
		put(json, "by", m->by);
		put(json, "detail", m->detail);
		sb_json_key(json, "optional");
		sb_json_bool(json, m->optional);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
	sb_json_key(json, "suggested");
	sb_json_open(json, '[');
	for (size_t i = 0; i < c->suggested_count; i++) {
		const struct sb_suggested *s = &c->suggested[i];

		sb_json_open(json, '{');
		put(json, "soname", s->soname);
		put(json, "by", s->by);
		put(json, "feature", s->feature);
		put(json, "description", s->description);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

static int print_json(struct sb_closure *c, const struct sb_map *programs)
{
	auto_buf out = SB_BUF_INIT;
	struct sb_json json = {.out = &out};

	sb_json_open(&json, '{');
	sb_json_key(&json, "programs");
	sb_json_open(&json, '[');
	for (size_t i = 0; i < programs->count; i++) {
		sb_json_open(&json, '{');
		put(&json, "path", programs->entries[i].key);
		put(&json, "real", programs->entries[i].value);
		sb_json_shut(&json, '}');
	}
	sb_json_shut(&json, ']');
	put_edges(&json, c);
	put_lists(&json, c);
	sb_fileset_sort(c->set);
	sb_json_key(&json, "files");
	sb_json_open(&json, '[');
	for (size_t i = 0; i < c->set->count; i++)
		if (c->set->items[i].type == SB_ITEM_FILE)
			sb_json_str(&json, c->set->items[i].path);
	sb_json_shut(&json, ']');
	sb_json_shut(&json, '}');
	if (json.rc == 0)
		puts(sb_buf_str(&out));
	return json.rc;
}

/* A bare name that is no file here is looked for in PATH, as a shell would. */
static int locate(const char *root, const char *name, struct sb_buf *ret, struct sb_err *err)
{
	const char *list = *root ? "/usr/local/bin:/usr/bin:/bin" : getenv("PATH");
	auto_free char *cwd = *root ? strdup("/") : getcwd(NULL, 0);
	auto_free char *copy = strdup(list ? list : "/usr/bin:/bin");
	char *rest = copy, *dir;

	if (!cwd || !copy)
		return sb_fail(err, errno, "find the current directory");
	while (!strchr(name, '/') && (*root || access(name, F_OK) < 0) &&
	       (dir = strsep(&rest, ":"))) {
		struct sb_err ignored = SB_ERR_INIT;
		auto_buf real = SB_BUF_INIT;

		sb_buf_cut(ret, 0);
		if (*dir == '/' && sb_path_absolute(ret, dir, name) == 0 &&
		    sb_resolve(root, ret->s, 0, NULL, NULL, &real, &ignored) == 0)
			return 0;
	}
	if (!*root && !strchr(name, '/') && access(name, F_OK) < 0)
		return sb_fail(err, SB_ESAID, "no such program, neither here nor in PATH");
	sb_buf_cut(ret, 0);
	return sb_path_absolute(ret, cwd, name) < 0 ? sb_fail(err, ENOMEM, "find '%s'", name) : 0;
}

static int add_programs(struct sb_closure *c, char **names, struct sb_map *programs,
			struct sb_err *err)
{
	for (; *names; names++) {
		struct sb_reason why = {SB_WHY_ENTRY, sb_path_base(*names), NULL};
		struct sb_program program;
		auto_buf path = SB_BUF_INIT;
		int rc = locate(c->set->root, *names, &path, err);

		if (rc == 0)
			rc = sb_closure_add(c, path.s, &why, err);
		if (rc == 0)
			rc = sb_closure_program(c, path.s, &program, err);
		if (rc < 0)
			return sb_wrap(err, "%s", *names);
		struct sb_map_entry *e = sb_map_adds(programs, path.s, NULL);
		if (!e)
			return sb_fail(err, ENOMEM, "look at '%s'", *names);
		e->value = (void *)program.exec;
	}
	return 0;
}

/* Exit code 1 has its line: the first need that nothing answers. */
static int complain(const struct sb_closure *c, struct sb_err *err)
{
	const struct sb_missing *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < c->missing_count; i++) {
		if (c->missing[i].optional)
			continue;
		if (!count++)
			first = &c->missing[i];
	}
	if (!count)
		return 0;
	char more[64] = "";
	if (count > 1)
		(void)snprintf(more, sizeof more, ", and %zu more", count - 1);
	return sb_fail(err, SB_ESAID, "missing: %s, wanted by '%s'%s%s%s%s", first->needed,
		       first->by, first->detail ? " (" : "", first->detail ? first->detail : "",
		       first->detail ? ")" : "", more);
}

static int report(struct sb_closure *c, const char *format, char **names, struct sb_err *err)
{
	auto_map programs = SB_MAP_INIT;
	int rc = add_programs(c, names, &programs, err);

	if (rc < 0)
		return rc;
	if (strcmp(format, "json") == 0)
		rc = print_json(c, &programs);
	else if (strcmp(format, "paths") == 0)
		rc = print_paths(c);
	else
		rc = print_tree(c, &programs);
	return rc < 0 ? sb_fail(err, -rc, "print the closure") : complain(c, err);
}

static int run(int argc, char **argv, struct sb_err *err);

const struct sb_command sb_cmd_deps = {
	.name = "deps",
	.args = "PROGRAM...",
	.summary = "show what programs need by what is written in them; nothing is run",
	.options = options,
	.details =
		"ELF files are read as ld.so(8) reads them, scripts as the kernel and env(1) do.\n"
		"Libraries for some processors only (glibc-hwcaps) are listed beside the plain "
		"ones.\n"
		"LD_LIBRARY_PATH and PATH count, unless --trace-root is given. Exit status 1 "
		"where\n"
		"something needed is missing.\n",
	.run = run,
};

static int run(int argc, char **argv, struct sb_err *err)
{
	struct deps_options given = {.format = "tree", .root = ""};
	struct sb_fileset *set = NULL;
	struct sb_closure *c = NULL;
	int first, rc = sb_options_parse(&sb_cmd_deps, argc, argv, false, &given, &first, err);

	if (rc)
		return rc > 0 ? 0 : rc;
	if (first >= argc)
		return sb_fail(err, SB_EUSAGE, "deps: no program given (see deps --help)");
	auto_free char *real = *given.root ? realpath(given.root, NULL) : strdup("");
	if (!real)
		return sb_fail(err, errno, "--trace-root: open '%s'", given.root);
	bool host = strcmp(real, "/") == 0 || !*real;
	/* The environment is this machine's: it tells nothing of another root. */
	const struct sb_closure_spec spec = {
		.library_path = host ? getenv("LD_LIBRARY_PATH") : NULL,
		.path = host ? getenv("PATH") : NULL,
	};
	rc = sb_fileset_new(host ? "" : real, &set, err);
	if (rc == 0)
		rc = sb_closure_new(set, &spec, &c, err);
	if (rc == 0)
		rc = report(c, given.format, argv + first, err);
	sb_closure_free(c);
	sb_fileset_free(set);
	return rc;
}
