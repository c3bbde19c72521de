#include "launcher/command.h"

#include <stdint.h>
#include <string.h>

const char *launch_command_name(const struct launch_entry *entry, char *const *argv)
{
	if (entry->args.count)
		return entry->args.items[0];
	/* execve(2) allows an empty argv; most programs do not survive it. */
	return argv[0] ? argv[0] : entry->name;
}

int launch_command_args(const struct launch_entry *entry, char *const *argv, struct sb_strings *ret,
			struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 1; i < entry->args.count && rc == 0; i++)
		rc = sb_strings_add(ret, entry->args.items[i]);
	for (size_t i = 1; argv[0] && argv[i] && rc == 0; i++)
		rc = sb_strings_add(ret, argv[i]);
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

static bool has(const struct sb_strings *list, const char *assignment)
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

/* One of the directories of a list that colons part. */
static bool lists(const char *list, const char *dir, size_t len)
{
	for (;; list++) {
		size_t n = strcspn(list, ":");

		if (n == len && memcmp(list, dir, len) == 0)
			return true;
		list += n;
		if (!*list)
			return false;
	}
}

static const char *value_of(char *const *list, size_t count, const char *assignment)
{
	for (size_t i = 0; i < count && list[i]; i++)
		if (same_name(assignment, list[i]))
			return strchr(list[i], '=') + 1;
	return NULL;
}

/* The recorded PATH, then what the user's has besides; empty where none was recorded. */
static int join_path(const struct launch_entry *entry, char *const *environment, struct sb_buf *ret)
{
	static const char name[] = "PATH=";
	const char *recorded = value_of((char *const *)entry->env.items, entry->env.count, name);
	const char *user = value_of(environment, SIZE_MAX, name);
	int rc = recorded ? sb_buf_printf(ret, "%s%s", name, recorded) : 0;

	for (const char *dir = user; recorded && dir && *dir && rc == 0;) {
		size_t len = strcspn(dir, ":");

		if (len && !lists(recorded, dir, len))
			rc = sb_buf_printf(ret, ":%.*s", (int)len, dir);
		dir += len + (dir[len] == ':');
	}
	return rc;
}

const char *launch_command_home(const struct launch_entry *entry, char *const *environment)
{
	const char *bind = value_of(environment, SIZE_MAX, "SIDEBUNDLE_BIND=");
	const char *recorded = value_of((char *const *)entry->env.items, entry->env.count, "HOME=");

	return entry->cwd && recorded && !(bind && lists(bind, "home", 4))
		       ? recorded
		       : value_of(environment, SIZE_MAX, "HOME=");
}

/* It tells of a directory that a replay does not start in, or does not have. */
static bool is_stale(const struct launch_entry *entry, char *const *environment,
		     const char *assignment)
{
	return (entry->cwd && strncmp(assignment, "PWD=", 4) == 0) ||
	       (strncmp(assignment, "HOME=", 5) == 0 &&
		launch_command_home(entry, environment) != assignment + 5);
}

int launch_command_env(const struct launch_plan *plan, const struct launch_entry *entry,
		       char *const *environment, bool host_libraries, struct sb_buf *ret_path,
		       struct sb_strings *ret, struct sb_err *err)
{
	int rc = entry->cwd ? join_path(entry, environment, ret_path) : 0;

	if (rc == 0 && ret_path->len && !has(&plan->set, ret_path->s))
		rc = sb_strings_add(ret, ret_path->s);

	for (size_t i = 0; environment[i] && rc == 0; i++)
		if (!is_stale(entry, environment, environment[i]) &&
		    !has(&plan->set, environment[i]) &&
		    !(ret_path->len && same_name(environment[i], "PATH=")))
			rc = sb_strings_add(ret, environment[i]);
	for (size_t i = 0; i < plan->set.count && rc == 0; i++)
		rc = sb_strings_add(ret, plan->set.items[i]);
	for (size_t i = 0; i < entry->env.count && rc == 0; i++) {
		const char *recorded = entry->env.items[i];

		if (!has(ret, recorded) && !(host_libraries && is_linkers(recorded)))
			rc = sb_strings_add(ret, recorded);
	}
	return rc < 0 ? sb_fail(err, ENOMEM, "make the environment") : 0;
}
