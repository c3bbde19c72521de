#include "tools/create_request.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "tools/globs.h"
#include "tools/words.h"

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "read the command line");
}

bool sb_is_plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strlen(name) <= NAME_MAX;
}

/* Made absolute, and without "..", which a launcher refuses: the directory is followed then. */
static char *absolute(const struct sb_create_request *r, const char *root, const char *path,
		      struct sb_err *err)
{
	auto_buf all = SB_BUF_INIT, dir = SB_BUF_INIT;

	if (sb_path_absolute(&all, r->cwd, path) < 0)
		return (void)no_memory(err), NULL;
	if (strstr(all.s, "/../") || strcmp(sb_path_base(all.s), "..") == 0) {
		char *base = strrchr(all.s, '/');
		bool whole = strcmp(base, "/..") == 0;

		if (!whole)
			*base = '\0';
		if (sb_resolve(root, all.s, 0, NULL, NULL, &dir, err) < 0)
			return NULL;
		if (!whole && (sb_buf_putc(&dir, '/') < 0 || sb_buf_puts(&dir, base + 1) < 0))
			return (void)no_memory(err), NULL;
		return sb_buf_steal(&dir);
	}
	return sb_buf_steal(&all);
}

/* A bare name is looked up as a shell does; NULL with *err where nothing is found. */
static char *find_program(const struct sb_create_request *r, const char *root, const char *name,
			  struct sb_err *err)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return absolute(r, root, name, err);
	if (*root || !path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");
		auto_buf file = SB_BUF_INIT, full = SB_BUF_INIT;
		struct stat st;

		if (sb_buf_printf(&file, "%.*s/%s", len ? (int)len : 1, len ? path : ".", name) <
			    0 ||
		    sb_in_root(&full, root, file.s) < 0)
			return (void)no_memory(err), NULL;
		if (stat(full.s, &st) == 0 && S_ISREG(st.st_mode) && access(full.s, X_OK) == 0)
			return absolute(r, root, file.s, err);
		path += len + (path[len] == ':');
	}
	(void)sb_fail(err, SB_ESAID, "--from-host: no program '%s' in PATH (give its path)", name);
	return NULL;
}

static int add_run(struct sb_create_program *p, const char *given, const char *args,
		   struct sb_err *err)
{
	struct sb_strv *grown = reallocarray(p->runs, p->run_count + 1, sizeof *grown);

	if (!grown)
		return no_memory(err);
	p->runs = grown;
	grown[p->run_count] = (struct sb_strv)SB_STRV_INIT;
	if (sb_strv_add(&grown[p->run_count++], given) < 0)
		return no_memory(err);
	return sb_words_split(args, &grown[p->run_count - 1], err);
}

/* PATH[::trace=ARGS]... */
static int read_program(struct sb_create_request *r, const struct sb_create_options *o,
			const char *arg, struct sb_err *err)
{
	static const char mark[] = "::trace=";
	struct sb_create_program *p = &r->programs[r->program_count++];
	auto_free char *copy = strdup(arg);
	char *next = copy ? strstr(copy, mark) : NULL;

	if (!copy)
		return no_memory(err);
	if (next)
		*next = '\0';
	p->name = strdup(sb_path_base(copy));
	if (!p->name)
		return no_memory(err);
	if (!sb_is_plain_name(p->name))
		return sb_fail(err, SB_EUSAGE, "--from-host: '%s' names no program", copy);
	if (!next && strstr(copy, "::") && access(copy, F_OK) < 0)
		return sb_fail(err, SB_EUSAGE,
			       "--from-host: '%s' is no file (what may follow a program is "
			       "::trace=ARGS)",
			       copy);
	p->path = find_program(r, o->trace_root, copy, err);
	if (!p->path)
		return -err->code;
	if (next && *o->trace_root)
		return sb_fail(err, SB_EUSAGE,
			       "--trace-root: programs of another root are not run here: leave "
			       "::trace= out, or trace there and use --from-trace");
	while (next) {
		char *args = next + strlen(mark);
		int rc;

		next = strstr(args, mark);
		if (next)
			*next = '\0';
		rc = add_run(p, copy, args, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* SRC[:DEST]; a colon may also be part of SRC. */
static int read_copy(struct sb_create_request *r, const char *arg, struct sb_err *err)
{
	struct sb_create_copy *copy = &r->copies[r->copy_count++];
	const char *colon = strrchr(arg, ':');
	struct stat st;

	if (stat(arg, &st) == 0)
		colon = NULL;
	copy->source = colon ? strndup(arg, (size_t)(colon - arg)) : strdup(arg);
	if (!copy->source)
		return no_memory(err);
	if (stat(copy->source, &st) < 0)
		return sb_fail(err, errno, "--copy-dir: look at '%s'", copy->source);
	if (!S_ISDIR(st.st_mode))
		return sb_fail(err, SB_ESAID, "--copy-dir: '%s' is no directory", copy->source);
	if (colon && colon[1] != '/')
		return sb_fail(err, SB_EUSAGE, "--copy-dir: the destination '%s' is not absolute",
			       colon + 1);
	copy->dest = absolute(r, "", colon ? colon + 1 : copy->source, err);
	return copy->dest ? 0 : -err->code;
}

/* SRC[:DST], both of the target. */
static int read_bind(struct sb_create_request *r, const char *arg, struct sb_err *err)
{
	const char *colon = strstr(arg, ":/");
	auto_buf source = SB_BUF_INIT, dest = SB_BUF_INIT, given = SB_BUF_INIT;

	if (arg[0] != '/')
		return sb_fail(err, SB_EUSAGE, "--bind: '%s' is not absolute", arg);
	if (sb_buf_add(&given, arg, colon ? (size_t)(colon - arg) : strlen(arg)) < 0 ||
	    sb_path_absolute(&source, "/", given.s) < 0 ||
	    sb_path_absolute(&dest, "/", colon ? colon + 1 : given.s) < 0)
		return no_memory(err);
	if (strstr(arg, "/.."))
		return sb_fail(err, SB_EUSAGE, "--bind: '%s' has a '..'", arg);
	if (!dest.s[1] || sb_path_below(dest.s, "/proc"))
		return sb_fail(err, SB_EUSAGE, "--bind: nothing can be bound on '%s'", dest.s);
	return sb_strv_add(&r->binds, source.s) < 0 || sb_strv_add(&r->binds_at, dest.s) < 0
		       ? no_memory(err)
		       : 0;
}

static int check_variables(const struct sb_strings *set_env, struct sb_err *err)
{
	for (size_t i = 0; i < set_env->count; i++) {
		const char *equals = strchr(set_env->items[i], '=');

		if (!equals || equals == set_env->items[i])
			return sb_fail(err, SB_EUSAGE, "--set-env: '%s' is not NAME=VALUE",
				       set_env->items[i]);
	}
	return 0;
}

static int check_names(const struct sb_create_request *r, struct sb_err *err)
{
	auto_map names = SB_MAP_INIT;

	for (size_t i = 0; i < r->program_count + r->replays.count; i++) {
		bool replay = i >= r->program_count;
		const char *name =
			replay ? r->replays.items[i - r->program_count].name : r->programs[i].name;
		int is_new;

		if (!sb_map_adds(&names, name, &is_new))
			return no_memory(err);
		if (!is_new)
			return sb_fail(
				err, SB_EUSAGE,
				replay ? "two entries would be called '%s': rename a traced "
					 "one with --from-trace FILE::entry=NAME (once for "
					 "each command of a merged trace)"
				       : "two entries would be called '%s': an entry is called "
					 "as its program; make two bundles, or name one of "
					 "them by a link",
				name);
	}
	return 0;
}

static int read_all(const struct sb_create_options *o, struct sb_create_request *r,
		    struct sb_err *err)
{
	int rc = 0;

	r->cwd = getcwd(NULL, 0);
	r->programs = calloc(o->from_host.count + 1, sizeof *r->programs);
	r->copies = calloc(o->copy_dir.count + 1, sizeof *r->copies);
	if (!r->cwd)
		return sb_fail(err, errno, "ask for the current directory");
	if (!r->programs || !r->copies)
		return no_memory(err);
	rc = check_variables(&o->set_env, err);
	for (size_t i = 0; i < o->from_host.count && rc == 0; i++)
		rc = read_program(r, o, o->from_host.items[i], err);
	for (size_t i = 0; i < o->from_trace.count && rc == 0; i++)
		rc = sb_create_replays_read(&r->replays, o->from_trace.items[i], err);
	for (size_t i = 0; i < o->copy_dir.count && rc == 0; i++)
		rc = read_copy(r, o->copy_dir.items[i], err);
	for (size_t i = 0; i < o->bind.count && rc == 0; i++)
		rc = read_bind(r, o->bind.items[i], err);
	if (rc == 0)
		rc = sb_globs_read(&o->include, r->cwd, &r->include, err);
	if (rc == 0)
		rc = sb_globs_read(&o->exclude, r->cwd, &r->exclude, err);
	return rc == 0 ? check_names(r, err) : rc;
}

int sb_create_request_read(const struct sb_create_options *o, struct sb_create_request *ret,
			   struct sb_err *err)
{
	struct sb_create_request request = {0};
	int rc;

	if (!o->from_host.count && !o->from_trace.count)
		return sb_fail(err, SB_EUSAGE,
			       "create: nothing to offer: give --from-host or --from-trace (see "
			       "create --help)");
	if (!sb_is_plain_name(o->name))
		return sb_fail(err, SB_EUSAGE, "--name: '%s' is not a plain file name", o->name);
	rc = read_all(o, &request, err);
	if (rc < 0)
		sb_create_request_free(&request);
	else
		*ret = request;
	return rc;
}

void sb_create_request_free(struct sb_create_request *r)
{
	for (size_t i = 0; i < r->program_count; i++) {
		for (size_t n = 0; n < r->programs[i].run_count; n++)
			sb_strv_free(&r->programs[i].runs[n]);
		free(r->programs[i].runs);
		free(r->programs[i].name);
		free(r->programs[i].path);
	}
	for (size_t i = 0; i < r->copy_count; i++) {
		free(r->copies[i].source);
		free(r->copies[i].dest);
	}
	free(r->programs);
	sb_create_replays_free(&r->replays);
	free(r->copies);
	free(r->cwd);
	sb_strv_free(&r->include);
	sb_strv_free(&r->exclude);
	sb_strv_free(&r->binds);
	sb_strv_free(&r->binds_at);
}
