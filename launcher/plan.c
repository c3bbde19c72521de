#include "launcher/plan.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/plan.h"
#include "common/buf.h"
#include "common/cleanup.h"

/* What a value has to look like. */
enum form { FORM_ANY, FORM_PATH, FORM_ASSIGNMENT, FORM_NAME, FORM_NO };

struct key {
	const char *name;
	enum form form;
	bool repeated; /* a list, not one string */
	size_t offset; /* in struct launch_plan, or in struct launch_entry */
};

static const struct key plan_keys[] = {
	{"mode", FORM_NAME, false, offsetof(struct launch_plan, mode)},
	{"kernel", FORM_NAME, false, offsetof(struct launch_plan, kernel)},
	{"cpu", FORM_NAME, false, offsetof(struct launch_plan, cpu)},
	{"bind", FORM_PATH, true, offsetof(struct launch_plan, binds)},
	{"bind-at", FORM_PATH, true, offsetof(struct launch_plan, binds_at)},
	{"private", FORM_PATH, true, offsetof(struct launch_plan, private_dirs)},
	{"home", FORM_NO, false, offsetof(struct launch_plan, home)},
	{"net", FORM_NO, false, offsetof(struct launch_plan, net)},
	{"set", FORM_ASSIGNMENT, true, offsetof(struct launch_plan, set)},
	{NULL, FORM_ANY, false, 0},
};

static const struct key entry_keys[] = {
	{"exec", FORM_PATH, false, offsetof(struct launch_entry, exec)},
	{"interp", FORM_PATH, false, offsetof(struct launch_entry, interp)},
	{"program", FORM_PATH, false, offsetof(struct launch_entry, program)},
	{"prefix", FORM_ANY, true, offsetof(struct launch_entry, prefix)},
	{"lib", FORM_PATH, true, offsetof(struct launch_entry, libs)},
	{"arg", FORM_ANY, true, offsetof(struct launch_entry, args)},
	{"env", FORM_ASSIGNMENT, true, offsetof(struct launch_entry, env)},
	{"cwd", FORM_PATH, false, offsetof(struct launch_entry, cwd)},
	{"writable", FORM_PATH, true, offsetof(struct launch_entry, writable)},
	{NULL, FORM_ANY, false, 0},
};

/* Absolute, and without "..": a plan names nothing outside the payload. */
static bool is_path(const char *s)
{
	if (s[0] != '/')
		return false;
	for (const char *p = s; (p = strstr(p, "/..")) != NULL; p += 3)
		if (p[3] == '/' || p[3] == '\0')
			return false;
	return true;
}

static bool has_form(enum form form, const char *value)
{
	switch (form) {
	case FORM_PATH:
		return is_path(value);
	case FORM_ASSIGNMENT:
		return value[0] != '=' && strchr(value, '=') != NULL;
	case FORM_NAME:
		return *value && !strchr(value, '/') && strcmp(value, ".") != 0 &&
		       strcmp(value, "..") != 0;
	case FORM_NO:
		return strcmp(value, "no") == 0;
	case FORM_ANY:
		break;
	}
	return true;
}

static int take(const struct key *keys, void *into, const char *name, const char *value,
		struct sb_err *err)
{
	const struct key *key = keys;

	while (key->name && strcmp(key->name, name) != 0)
		key++;
	if (!key->name)
		return sb_fail(err, SB_ESAID, "unknown key '%s'", name);
	if (!has_form(key->form, value))
		return sb_fail(err, SB_ESAID, "'%s' is no value for '%s'", value, name);
	char *member = (char *)into + key->offset;
	if (key->repeated)
		return sb_strings_add((struct sb_strings *)member, value) < 0
			       ? sb_fail(err, ENOMEM, "read '%s'", name)
			       : 0;
	const char **single = (const char **)member;
	if (*single)
		return sb_fail(err, SB_ESAID, "'%s' is given twice", name);
	*single = value;
	return 0;
}

static int start_entry(struct launch_plan *plan, const char *name, struct sb_err *err)
{
	if (!has_form(FORM_NAME, name))
		return sb_fail(err, SB_ESAID, "'%s' is no name for an entry", name);
	if (launch_plan_find(plan, name))
		return sb_fail(err, SB_ESAID, "entry '%s' is given twice", name);
	/* Grown one by one: a bundle has a handful of entries. */
	struct launch_entry *grown =
		realloc(plan->entries, (plan->count + 1) * sizeof *plan->entries);
	if (!grown)
		return sb_fail(err, ENOMEM, "read entry '%s'", name);
	plan->entries = grown;
	plan->entries[plan->count++] = (struct launch_entry){.name = name};
	return 0;
}

/* The next string, or NULL at the end; the last byte is known to be a NUL. */
static const char *next_string(const char **at, const char *end)
{
	const char *s = *at;

	if (s >= end)
		return NULL;
	*at = s + strlen(s) + 1;
	return s;
}

static int check_whole(const struct launch_plan *plan, struct sb_err *err)
{
	if (!plan->mode)
		return sb_fail(err, SB_ESAID, "it names no run mode");
	if (plan->binds.count != plan->binds_at.count)
		return sb_fail(err, SB_ESAID, "a 'bind' is without its 'bind-at'");
	for (size_t i = 0; i < plan->count; i++)
		if (!plan->entries[i].exec)
			return sb_fail(err, SB_ESAID, "entry '%s' has no program",
				       plan->entries[i].name);
	return 0;
}

static int parse(struct launch_plan *plan, const char *at, const char *end, struct sb_err *err)
{
	const char *name = next_string(&at, end);
	const char *value = next_string(&at, end);

	if (!name || !value || strcmp(name, SB_PLAN_MAGIC) != 0)
		return sb_fail(err, SB_ESAID, "it is no launch plan (make the bundle again)");
	if (strcmp(value, SB_PLAN_VERSION) != 0)
		return sb_fail(err, SB_ESAID,
			       "its version is '%s', and this launcher reads " SB_PLAN_VERSION,
			       value);
	for (;;) {
		int rc;

		name = next_string(&at, end);
		value = next_string(&at, end);
		if (!name || !value)
			return sb_fail(err, SB_ESAID, "it is cut short (make the bundle again)");
		if (strcmp(name, "end") == 0)
			break;
		if (strcmp(name, "entry") == 0)
			rc = start_entry(plan, value, err);
		else if (plan->count)
			rc = take(entry_keys, &plan->entries[plan->count - 1], name, value, err);
		else
			rc = take(plan_keys, plan, name, value, err);
		if (rc < 0)
			return rc;
	}
	if (*value || at != end)
		return sb_fail(err, SB_ESAID, "it goes on after its end");
	return check_whole(plan, err);
}

int launch_plan_parse(char *bytes, size_t len, struct launch_plan *ret, struct sb_err *err)
{
	struct launch_plan plan = {.bytes = bytes};
	int rc;

	if (len > SB_PLAN_MAX)
		rc = sb_fail(err, SB_ESAID, "it is larger than %u bytes", SB_PLAN_MAX);
	else if (!len || bytes[len - 1] != '\0')
		rc = sb_fail(err, SB_ESAID, "it is cut short (make the bundle again)");
	else
		rc = parse(&plan, bytes, bytes + len, err);
	if (rc < 0)
		launch_plan_free(&plan);
	else
		*ret = plan;
	return rc;
}

/* Reads one byte more than is allowed, to tell. */
static int slurp(int fd, char **ret_bytes, size_t *ret_len, struct sb_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sb_fail(err, errno, "look at it");
	if (!S_ISREG(st.st_mode))
		return sb_fail(err, SB_ESAID, "it is no regular file");
	size_t room = st.st_size > SB_PLAN_MAX ? SB_PLAN_MAX + 1 : (size_t)st.st_size;
	size_t len = 0;
	auto_free char *bytes = malloc(room + 1);
	if (!bytes)
		return sb_fail(err, ENOMEM, "read it");
	while (len < room) {
		ssize_t n = read(fd, bytes + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_fail(err, errno, "read it");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_bytes = sb_steal_ptr(bytes);
	*ret_len = len;
	return 0;
}

int launch_plan_read(const char *bundle, struct launch_plan *ret, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;
	char *bytes = NULL;
	size_t len = 0;

	if (sb_buf_printf(&path, "%s/" SB_PLAN_PATH, bundle) < 0)
		return sb_fail(err, ENOMEM, "read the launch plan");
	auto_fd int fd = open(path.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return sb_fail(
			err, SB_ESAID,
			"no launch plan '%s': an entry works inside its bundle only (move or copy "
			"the whole bundle, or make a symlink to the entry)",
			path.s);
	if (fd < 0)
		return sb_fail(err, errno, "open launch plan '%s'", path.s);
	int rc = slurp(fd, &bytes, &len, err);
	if (rc == 0)
		rc = launch_plan_parse(bytes, len, ret, err);
	return rc < 0 ? sb_wrap(err, "launch plan '%s'", path.s) : 0;
}

const struct launch_entry *launch_plan_find(const struct launch_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->entries[i].name, name) == 0)
			return &plan->entries[i];
	return NULL;
}

void launch_plan_free(struct launch_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct launch_entry *e = &plan->entries[i];

		sb_strings_free(&e->prefix);
		sb_strings_free(&e->libs);
		sb_strings_free(&e->args);
		sb_strings_free(&e->env);
		sb_strings_free(&e->writable);
	}
	sb_strings_free(&plan->set);
	sb_strings_free(&plan->private_dirs);
	sb_strings_free(&plan->binds);
	sb_strings_free(&plan->binds_at);
	free(plan->entries);
	free(plan->bytes);
	*plan = (struct launch_plan){0};
}
