/*
 * This machine as it is, but with the payload's program, libraries and files: the start
 * (redirect/), which stands in the program's place below libexec/host, does the rest.
 *
 * Where `create` could not prepare the program so, it runs through the payload's own dynamic
 * linker, told where to look. What that leaves to the machine: its /etc/ld.so.preload, default
 * directories for a library that the bundle lacks, and every path that the program names.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "launcher/command.h"
#include "launcher/host_layer.h"
#include "launcher/mode.h"
#include "redirect/index.h"

/* Where the payload's `path` really is on this machine; links are followed inside the payload. */
static int locate(const struct launch_request *request, const char *path, struct sb_buf *ret,
		  struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;
	struct sb_err absent = SB_ERR_INIT;

	int rc = sb_resolve(request->payload, path, 0, NULL, NULL, &real, &absent);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return sb_fail(err, LAUNCH_NOT_FOUND,
			       "'%s' is not in the bundle: make the bundle again", path);
	if (rc < 0)
		return sb_fail(err, -rc, "find '%s' in '%s'", path, request->payload);
	return sb_in_root(ret, request->payload, real.s) < 0
		       ? sb_fail(err, ENOMEM, "find '%s'", path)
		       : 0;
}

static int library_path(const struct launch_request *request, struct sb_buf *ret,
			struct sb_err *err)
{
	const struct sb_strings *libs = &request->entry->libs;

	/* The dynamic linker knows no escape. */
	if (strpbrk(request->payload, ":;"))
		return sb_fail(err, SB_ESAID,
			       "the bundle's path '%s' has a ':' or ';', which a library path "
			       "cannot have: "
			       "move the bundle, or set SIDEBUNDLE_RUN_MODE=namespace",
			       request->bundle);
	for (size_t i = 0; i < libs->count; i++) {
		auto_buf dir = SB_BUF_INIT;
		struct sb_err absent = SB_ERR_INIT;

		if (locate(request, libs->items[i], &dir, &absent) < 0)
			continue;
		if ((ret->len && sb_buf_putc(ret, ':') < 0) || sb_buf_puts(ret, dir.s) < 0)
			return sb_fail(err, ENOMEM, "make the library path");
	}
	return 0;
}

/* --argv0 came with glibc 2.33, some distributions' 2.31 have it: the file itself tells. */
static bool knows(const char *linker, const char *option)
{
	struct stat st;
	auto_fd int fd = open(linker, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return false;
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	bool found = memmem(bytes, (size_t)st.st_size, option, strlen(option)) != NULL;
	(void)munmap(bytes, (size_t)st.st_size); /* the process is about to be replaced */
	return found;
}

/* The start in the place of the payload's `path`; false: there is none. */
static bool find_start(const struct launch_request *request, const char *path, struct sb_buf *ret)
{
	auto_buf real = SB_BUF_INIT;
	struct sb_err absent = SB_ERR_INIT;
	struct stat st;

	return sb_resolve(request->payload, path, 0, NULL, NULL, &real, &absent) == 0 &&
	       sb_buf_printf(ret, "%s/" SB_HOST_ROOT "%s",
			     request->bundle[1] ? request->bundle : "", real.s) == 0 &&
	       lstat(ret->s, &st) == 0 && S_ISREG(st.st_mode);
}

/* What to execute, with everything that must live until then. */
struct host_command {
	bool redirected; /* `program` is the start */
	struct sb_buf linker, libraries, program, script, told, path;
	struct sb_strings argv, environment;
};

static void command_free(struct host_command *c)
{
	sb_buf_free(&c->linker);
	sb_buf_free(&c->libraries);
	sb_buf_free(&c->program);
	sb_buf_free(&c->script);
	sb_buf_free(&c->told);
	sb_buf_free(&c->path);
	sb_strings_free(&c->argv);
	sb_strings_free(&c->environment);
}

static int add_all(struct sb_strings *list, const char *const *items, struct sb_err *err)
{
	for (; *items; items++)
		if (sb_strings_add(list, *items) < 0)
			return sb_fail(err, ENOMEM, "make the command");
	return 0;
}

static int add_linker(const struct launch_request *request, struct host_command *c,
		      const char *name, struct sb_err *err)
{
	const char *interp = request->entry->interp;
	bool musl = strncmp(sb_path_base(interp), "ld-musl-", 8) == 0;
	int rc = locate(request, interp, &c->linker, err);

	if (rc == 0)
		rc = library_path(request, &c->libraries, err);
	if (rc < 0)
		return rc;
	const char *const words[] = {c->linker.s, musl ? NULL : "--inhibit-cache", NULL};
	const char *const path[] = {"--library-path", sb_buf_str(&c->libraries), NULL};
	const char *const argv0[] = {"--argv0", name, NULL};

	rc = add_all(&c->argv, words, err);
	if (rc == 0 && c->libraries.len)
		rc = add_all(&c->argv, path, err);
	if (rc == 0 && knows(c->linker.s, "argv0"))
		rc = add_all(&c->argv, argv0, err);
	return rc;
}

/* Under the redirection a script is where it always was; we are in its directory, if anybody's. */
static const char *script_name(const struct launch_entry *entry, const struct host_command *c)
{
	const char *name = launch_command_file(entry);

	if (!c->redirected)
		return c->script.s;
	return name;
}

/* What the kernel would call the process, did it start the program by the name that was given. */
static int tell_name(const struct launch_entry *entry, struct host_command *c)
{
	const char *name = sb_path_base(entry->cwd ? launch_command_file(entry) : entry->name);
	const char *rest = c->told.len ? strchr(c->told.s, '\1') : "\1";
	struct sb_buf named = SB_BUF_INIT;

	if (!c->redirected || strcmp(name, sb_path_base(c->program.s)) == 0 || strchr(name, '\1'))
		return 0;
	if (sb_buf_printf(&named, SB_TRANSIT_NAME "=:%s%s", name, rest) < 0)
		return -ENOMEM;
	sb_buf_free(&c->told);
	c->told = named;
	return 0;
}

static int build(const struct launch_request *request, struct host_command *c, struct sb_err *err)
{
	const struct launch_entry *entry = request->entry;
	const char *program = entry->program ? entry->program : entry->exec;
	int rc = 0;

	/* Without a linker it is static, or one itself: of that the mirror has the libraries' copy.
	 */
	c->redirected = entry->interp && find_start(request, program, &c->program);
	if (!c->redirected)
		rc = locate(request, program, &c->program, err);
	if (rc == 0 && entry->program)
		rc = locate(request, entry->exec, &c->script, err);
	if (rc < 0)
		return rc;
	/* An interpreter finds its own files by this name; for a script it is the kernel's choice.
	 */
	const char *name = !entry->program ? launch_command_name(entry, request->argv)
			   : c->redirected ? entry->program
					   : c->program.s;
	bool by_linker = entry->interp && !c->redirected;
	if (by_linker)
		rc = add_linker(request, c, name, err);
	const char *const first[] = {by_linker ? c->program.s : name, NULL};
	if (rc == 0)
		rc = add_all(&c->argv, first, err);
	if (rc == 0 && entry->program) {
		const char *const script[] = {script_name(entry, c), NULL};

		if (entry->prefix.count)
			rc = add_all(&c->argv, entry->prefix.items, err);
		if (rc == 0)
			rc = add_all(&c->argv, script, err);
	}
	if (rc == 0)
		rc = launch_command_args(entry, request->argv, &c->argv, err);
	if (rc == 0)
		rc = launch_command_env(request->plan, entry, request->environment, true, &c->path,
					&c->environment, err);
	if (rc == 0 && tell_name(entry, c) < 0)
		rc = sb_fail(err, ENOMEM, "make the environment");
	/* The last, where the start looks for it. */
	if (rc == 0 && c->redirected && c->told.len &&
	    sb_strings_add(&c->environment, c->told.s) < 0)
		rc = sb_fail(err, ENOMEM, "make the environment");
	return rc;
}

static bool redirects(const struct launch_request *request)
{
	auto_buf index = SB_BUF_INIT;

	return sb_buf_printf(&index, "%s/" SB_HOST_INDEX, request->bundle) == 0 &&
	       access(index.s, R_OK) == 0;
}

/* The recorded directory as it was; where that cannot be, as this machine has it. */
static int go_to_directory(const struct launch_request *request, struct sb_buf *ret_told,
			   struct sb_err *err)
{
	auto_buf copy = SB_BUF_INIT;
	const char *cwd = request->entry->cwd;
	struct sb_err absent = SB_ERR_INIT;

	if (!cwd)
		return 0;
	if (cwd[1] && redirects(request) && locate(request, cwd, &copy, &absent) == 0)
		return launch_host_layer(request, ret_told, err);
	if (chdir(cwd) == 0)
		return 0;
	if (locate(request, cwd, &copy, err) < 0 || chdir(copy.s) < 0)
		return sb_fail(
			err, SB_ESAID,
			"cannot go to the recorded directory '%s', nor to the bundle's copy of it "
			"(%s): make it, or set SIDEBUNDLE_RUN_MODE=namespace",
			cwd, strerror(errno));
	return 0;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct host_command c = {.argv = {NULL, 0, 0}};
	const char *exec = request->entry->exec;
	struct stat st;
	int rc = go_to_directory(request, &c.told, err);

	if (rc == 0)
		rc = build(request, &c, err);
	/* The linker maps what it is given, whether it may be executed or not. */
	if (rc == 0 &&
	    (stat(c.program.s, &st) < 0 || !S_ISREG(st.st_mode) || access(c.program.s, X_OK) < 0))
		rc = sb_fail(err, LAUNCH_NOT_RUNNABLE, "cannot execute '%s': %s", exec,
			     S_ISREG(st.st_mode) ? strerror(errno) : "not a program");
	if (rc == 0)
		rc = launch_exec(c.linker.len ? c.linker.s : c.program.s, exec,
				 sb_strings_list(&c.argv), sb_strings_list(&c.environment), err);
	command_free(&c);
	return rc;
}

const struct launch_mode launch_mode_host = {"host", NULL, run};
