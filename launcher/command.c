#include "launcher/command.h"

#include <string.h>

const char *launch_command_name(const struct launch_entry *entry, char *const *argv)
{
	if (entry->args.count)
		return entry->args.items[0];
	/* execve(2) allows an empty argv; most programs do not survive it. */
	return argv[0] ? argv[0] : entry->name;
}

int launch_command_args(const struct launch_entry *entry, char *const *argv,
			struct launch_strings *ret, struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 1; i < entry->args.count && rc == 0; i++)
		rc = launch_strings_add(ret, entry->args.items[i]);
	for (size_t i = 1; argv[0] && argv[i] && rc == 0; i++)
		rc = launch_strings_add(ret, argv[i]);
	return rc < 0 ? sb_fail(err, ENOMEM, "copy the arguments") : 0;
}

const char *launch_command_file(const struct launch_entry *entry)
{
	const char *name = entry->cwd && entry->args.count ? entry->args.items[0] : NULL;

	return name && strchr(name, '/') ? name : entry->exec;
}

static bool same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=' && a[len] == '=';
}

static bool has(const struct launch_strings *list, const char *assignment)
{
	for (size_t i = 0; i < list->count; i++)
		if (same_name(assignment, list->items[i]))
			return true;
	return false;
}

static bool is_linkers(const char *assignment)
{
	return strncmp(assignment, "LD_", 3) == 0;
}

int launch_command_env(const struct launch_plan *plan, const struct launch_entry *entry,
		       char *const *environment, bool host_libraries, struct launch_strings *ret,
		       struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 0; environment[i] && rc == 0; i++) {
		/* PWD tells of a directory that a replay does not start in. */
		bool stale = entry->cwd && strncmp(environment[i], "PWD=", 4) == 0;

		if (!stale && !has(&plan->set, environment[i]))
			rc = launch_strings_add(ret, environment[i]);
	}
	for (size_t i = 0; i < plan->set.count && rc == 0; i++)
		rc = launch_strings_add(ret, plan->set.items[i]);
	for (size_t i = 0; i < entry->env.count && rc == 0; i++) {
		const char *recorded = entry->env.items[i];

		if (!has(ret, recorded) && !(host_libraries && is_linkers(recorded)))
			rc = launch_strings_add(ret, recorded);
	}
	return rc < 0 ? sb_fail(err, ENOMEM, "make the environment") : 0;
}
