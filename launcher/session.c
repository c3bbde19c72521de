#include "launcher/session.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/command.h"
#include "launcher/view.h"

const char *launch_variable(const struct launch_request *request, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = request->environment; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

static uint64_t add_hash(uint64_t hash, const char *value)
{
	for (; value && *value; value++)
		hash = (hash ^ (unsigned char)*value) * 1099511628211u; /* FNV-1a */
	return (hash ^ (value ? 256 : 512)) * 1099511628211u;
}

/*
 * Of the variables that say what a view is to be, all that can be told by eight bytes. What they
 * name may be relative to the current directory, or be that.
 */
static uint64_t digest(const struct launch_request *request)
{
	const char *bind = launch_variable(request, "SIDEBUNDLE_BIND");
	const char *writable = launch_variable(request, "SIDEBUNDLE_WRITABLE");
	uint64_t hash = 14695981039346656037u;

	hash = add_hash(hash, launch_variable(request, "SIDEBUNDLE_NET"));
	hash = add_hash(hash, bind);
	hash = add_hash(hash, writable);
	return bind || writable ? add_hash(hash, request->cwd) : hash;
}

int launch_session_mark(const struct launch_request *request, struct sb_buf *ret,
			struct sb_err *err)
{
	struct stat st;

	if (stat(request->payload, &st) < 0)
		return sb_fail(err, errno, "look at the payload '%s'", request->payload);
	return sb_buf_printf(ret, "%jx %jx %s", (uintmax_t)st.st_ino, (uintmax_t)digest(request),
			     request->bundle) < 0
		       ? sb_fail(err, ENOMEM, "mark the view")
		       : 0;
}

static int plan_view(const struct launch_request *request, struct launch_session *s,
		     struct sb_err *err)
{
	const char *user = launch_variable(request, "LOGNAME");
	auto_buf mark = SB_BUF_INIT;
	int rc = launch_session_mark(request, &mark, err);
	const struct launch_view view = {
		.bundle = request->bundle,
		.payload = request->payload,
		.mark = mark.s,
		.kept = s->places.writable && *s->places.writable,
		.machine = "",
		.entry = request->entry,
		.plan = request->plan,
		.bind = launch_variable(request, "SIDEBUNDLE_BIND"),
		.cwd = request->cwd,
		.home = launch_command_home(request->entry, request->environment),
		.tmpdir = launch_variable(request, "TMPDIR"),
		.zone = launch_variable(request, "TZ"),
		.user = user ? user : launch_variable(request, "USER"),
		.uid = geteuid(),
		.gid = getegid(),
	};

	return rc < 0 ? rc : launch_view_plan(&view, &s->ops, &s->start, err);
}

int launch_session_command(const struct launch_request *request, struct launch_session *ret,
			   struct sb_err *err)
{
	const struct launch_entry *entry = request->entry;
	int rc = 0;

	ret->mask = umask(0);
	ret->file = launch_command_file(entry);
	if (sb_strings_add(&ret->argv, launch_command_name(entry, request->argv)) < 0)
		rc = sb_fail(err, ENOMEM, "copy the arguments");
	if (rc == 0)
		rc = launch_command_args(entry, request->argv, &ret->argv, err);
	if (rc == 0)
		rc = launch_command_env(request->plan, entry, request->environment, false,
					&ret->path, &ret->environment, err);
	return rc;
}

int launch_session_plan(const struct launch_request *request, struct launch_session *ret,
			struct sb_err *err)
{
	const char *net = launch_variable(request, "SIDEBUNDLE_NET");
	int rc = launch_session_command(request, ret, err);

	ret->own_net = net && *net ? strcmp(net, "0") == 0 : request->plan->net != NULL;
	ret->places = (struct launch_places){
		.writable = launch_variable(request, "SIDEBUNDLE_WRITABLE"),
		.tmpdir = launch_variable(request, "TMPDIR"),
		.cache = launch_variable(request, "XDG_CACHE_HOME"),
		.home = launch_variable(request, "HOME"),
	};
	return rc < 0 ? rc : plan_view(request, ret, err);
}

int launch_session_exec(const struct launch_request *request, struct launch_session *session,
			struct sb_err *err)
{
	/* The caller's own directory may be hidden: the root then. A recorded one has to be there.
	 */
	if (chdir(session->start.s) < 0 && request->entry->cwd)
		return sb_fail(err, errno, "go to the recorded directory '%s'", session->start.s);
	(void)umask(session->mask);
	return launch_exec(session->file, request->entry->exec, sb_strings_list(&session->argv),
			   sb_strings_list(&session->environment), err);
}

void launch_session_free(struct launch_session *session)
{
	launch_ops_free(&session->ops);
	sb_strings_free(&session->argv);
	sb_strings_free(&session->environment);
	sb_buf_free(&session->start);
	sb_buf_free(&session->path);
}
