/* What the kernel makes of a file that is executed, and env(1) of what it is told. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/closure_state.h"
#include "bundler/rootfile.h"
#include "bundler/script.h"
#include "common/cleanup.h"
#include "common/path.h"

/* Commands of env that are scripts of env: no sane chain comes near. */
#define MAX_ENVS 16

/* Where in the chain of interpreters we are. */
struct chain {
	struct sb_closure *c;
	struct closure_program *program;
	struct sb_err *err;
	const char *name; /* as the one before names it */
	const char *real;
	int depth; /* scripts since the last real exec */
	int envs;
};

static int read_head(struct chain *chain, char *head, size_t size)
{
	auto_fd int fd = sb_root_open(chain->c->state->root, chain->real, NULL, chain->err);

	if (fd < 0)
		return fd;
	ssize_t n = pread(fd, head, size, 0);
	return n < 0 ? sb_fail(chain->err, errno, "read '%s'", chain->real) : (int)n;
}

/*
 * Notes that the file at hand wants `name`, which is `path` (NULL: nowhere). *ret_real is NULL
 * where it is not there.
 */
static int want(struct chain *chain, const char *name, const char *path, const char *detail,
		const char **ret_real)
{
	struct sb_closure *c = chain->c;
	struct sb_edge edge = {.from = chain->real, .name = name, .why = SB_WHY_SCRIPT};
	struct sb_reason why = {SB_WHY_SCRIPT, chain->real, NULL};
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT;

	if (path && sb_resolve(c->state->root, path, 0, NULL, NULL, &real, &ignored) == 0) {
		int rc = sb_fileset_add(c->set, path, 0, &why, &edge.real, chain->err);

		if (rc < 0)
			return rc;
		edge.path = path;
		edge.how = SB_FOUND_PATH;
	}
	*ret_real = edge.real;
	return closure_note(c, &edge, detail, chain->err);
}

static bool is_executable(struct chain *chain, const char *path)
{
	struct sb_err ignored = SB_ERR_INIT;
	const char *root = chain->c->state->root;
	auto_buf real = SB_BUF_INIT;
	auto_buf full = SB_BUF_INIT;
	struct stat st;

	return sb_resolve(root, path, 0, NULL, NULL, &real, &ignored) == 0 &&
	       sb_in_root(&full, root, real.s) == 0 && stat(full.s, &st) == 0 &&
	       S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* As execvp(3) looks for a command. *ret stays empty where there is none. */
static int find_command(struct chain *chain, const struct sb_env *env, struct sb_buf *ret)
{
	const char *command = env->argv.items[0];
	const char *list = env->path	  ? env->path
			   : env->no_path ? "/bin:/usr/bin"
					  : chain->c->state->spec.path;

	if (strchr(command, '/')) {
		return *command == '/' && sb_buf_set(ret, command) < 0
			       ? closure_no_memory(chain->err)
			       : 0;
	}
	auto_free char *copy = strdup(list);
	char *rest = copy, *dir;
	if (!copy)
		return closure_no_memory(chain->err);
	while ((dir = strsep(&rest, ":"))) {
		if (*dir != '/')
			continue;
		sb_buf_cut(ret, 0);
		if (sb_path_absolute(ret, dir, command) < 0)
			return closure_no_memory(chain->err);
		if (is_executable(chain, ret->s))
			return 0;
	}
	sb_buf_cut(ret, 0);
	return 0;
}

/*
 * Puts what the interpreter is given before the script's own path in front of the arguments. A
 * script that is itself an interpreter stands among them.
 */
static int prepend(struct chain *chain, const char *const *args, size_t count)
{
	struct sb_strv *prefix = &chain->program->prefix;
	bool first = strcmp(chain->real, chain->program->info.exec) == 0;

	if (!first && sb_strv_insert(prefix, 0, chain->name, strlen(chain->name)) < 0)
		return closure_no_memory(chain->err);
	for (size_t i = 0; i < count; i++)
		if (sb_strv_insert(prefix, i, args[i], strlen(args[i])) < 0)
			return closure_no_memory(chain->err);
	return 0;
}

static int step_to(struct chain *chain, const char *name, const char *real)
{
	chain->name = closure_keep(chain->c, name);
	chain->real = real;
	return chain->name ? 0 : closure_no_memory(chain->err);
}

/* The kernel ends up with the ELF file at `real`. */
static int end_with(struct chain *chain, const char *real)
{
	struct sb_program *info = &chain->program->info;
	struct closure_process *process;
	int rc = closure_load(chain->c, real, &process, chain->err);

	if (rc < 0)
		return rc;
	info->elf = closure_keep(chain->c, real);
	info->elf_name = chain->name;
	info->interp = sb_closure_elf(chain->c, real)->interp;
	chain->program->process = process;
	return info->elf ? 0 : closure_no_memory(chain->err);
}

/* env changes more than the program: it stays what is run, and its command comes along. */
static int add_command(struct chain *chain, const char *path)
{
	struct sb_closure_state *state = chain->c->state;
	struct sb_reason why = {SB_WHY_SCRIPT, chain->real, NULL};

	if (state->nesting >= MAX_ENVS)
		return sb_fail(chain->err, ELOOP, "follow the commands of env from '%s'",
			       chain->real);
	state->nesting++;
	int rc = sb_closure_add(chain->c, path, &why, chain->err);
	state->nesting--;
	return rc;
}

/* What env would run. *ret_real is NULL where that is nothing, or not there. */
static int want_command(struct chain *chain, const struct sb_shebang *line, struct sb_env *env,
			struct sb_buf *ret_path, const char **ret_real)
{
	struct sb_err why = SB_ERR_INIT;
	char detail[sizeof why.msg + 256];
	int rc = sb_env_parse(line->has_arg ? line->arg : NULL, env, &why);

	*ret_real = NULL;
	if (rc == -ENOMEM)
		return closure_no_memory(chain->err);
	if (rc < 0) {
		sb_err_line(&why, detail, sizeof detail);
		return want(chain, line->arg, NULL, detail, ret_real);
	}
	if (!env->argv.count)
		return 0;
	if (env->expands)
		return want(chain, env->argv.items[0], NULL, "its name is taken from a variable",
			    ret_real);
	rc = find_command(chain, env, ret_path);
	if (rc < 0)
		return rc;
	return want(chain, env->argv.items[0], ret_path->len ? ret_path->s : NULL, NULL, ret_real);
}

/* The script's interpreter is env, an ELF program. 1: go on with its command; 0: done. */
static int follow_env(struct chain *chain, const char *env_real, const struct sb_shebang *line)
{
	auto_env struct sb_env env = {.plain = false};
	auto_buf path = SB_BUF_INIT;
	struct closure_process *process;
	const char *real, *const args[] = {line->arg};
	int rc = want_command(chain, line, &env, &path, &real);

	if (rc < 0)
		return rc;
	if (!real || !env.plain) {
		rc = prepend(chain, args, line->has_arg);
		if (rc == 0 && real)
			rc = add_command(chain, path.s);
		return rc < 0 ? rc : end_with(chain, env_real);
	}
	if (++chain->envs > MAX_ENVS)
		return sb_fail(chain->err, ELOOP, "follow the commands of env from '%s'",
			       chain->program->info.exec);
	rc = closure_load(chain->c, env_real, &process, chain->err);
	if (rc == 0)
		rc = prepend(chain, (const char *const *)env.argv.items + 1, env.argv.count - 1);
	if (rc == 0)
		rc = step_to(chain, path.s, real);
	chain->depth = 0; /* a new execve */
	return rc < 0 ? rc : 1;
}

/* 1: go on with the interpreter; 0: done. */
static int follow_script(struct chain *chain, const struct sb_shebang *line)
{
	const char *real, *fault, *const args[] = {line->arg};
	const struct sb_elf *elf = NULL;

	chain->program->info.script = true;
	if (++chain->depth > SB_SCRIPT_DEPTH)
		return sb_fail(chain->err, SB_ESAID,
			       "'%s': the kernel follows no more than %d scripts that interpret "
			       "each other",
			       chain->program->info.exec, SB_SCRIPT_DEPTH);
	bool absolute = line->interp[0] == '/';
	int rc = want(chain, line->interp, absolute ? line->interp : NULL,
		      absolute ? NULL : "taken from the current directory of whoever runs it",
		      &real);
	if (rc < 0 || !real)
		return rc;
	if (strcmp(sb_path_base(line->interp), "env") == 0) {
		rc = closure_file(chain->c, real, &elf, &fault, chain->err);
		if (rc < 0)
			return rc;
	}
	if (elf)
		return follow_env(chain, real, line);
	rc = prepend(chain, args, line->has_arg);
	if (rc == 0)
		rc = step_to(chain, line->interp, real);
	return rc < 0 ? rc : 1;
}

/* 1: another file has taken over; 0: done. */
static int exec_one(struct chain *chain)
{
	char head[SB_SCRIPT_HEAD];
	struct sb_shebang line;
	int n = read_head(chain, head, sizeof head);

	if (n < 0)
		return n;
	if (sb_elf_magic(head, (size_t)n))
		return end_with(chain, chain->real);
	if (sb_shebang_parse(head, (size_t)n, &line) > 0)
		return follow_script(chain, &line);
	if (!chain->program->info.script)
		return 0; /* no program: data, added alone */
	const char *nothing;
	struct chain before = *chain;
	before.real = chain->program->info.exec;
	return want(&before, chain->name, NULL, "it is neither an ELF program nor a script",
		    &nothing);
}

int closure_exec(struct sb_closure *c, struct closure_program *program, struct sb_err *err)
{
	struct chain chain = {
		.c = c,
		.program = program,
		.err = err,
		.name = program->info.exec,
		.real = program->info.exec,
	};
	int rc;

	do
		rc = exec_one(&chain);
	while (rc > 0);
	return rc;
}
