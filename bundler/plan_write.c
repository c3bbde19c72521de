#include "bundler/plan_write.h"

#include <string.h>

#include "bundler/plan.h"

/* Errors stick: looked at once, at the end. */
struct writer {
	struct sb_buf *out;
	int rc;
};

static void pair(struct writer *w, const char *key, const char *value)
{
	if (!value || w->rc < 0)
		return;
	if (sb_buf_add(w->out, key, strlen(key) + 1) < 0 ||
	    sb_buf_add(w->out, value, strlen(value) + 1) < 0)
		w->rc = -ENOMEM;
}

static void pairs(struct writer *w, const char *key, const char *const *values)
{
	for (; values && *values; values++)
		pair(w, key, *values);
}

/* Of two that set one variable the last one counts, as with env(1). */
static bool is_set_again(const char *const *values)
{
	size_t len = strcspn(*values, "=") + 1;

	for (const char *const *later = values + 1; *later; later++)
		if (strncmp(*values, *later, len) == 0)
			return true;
	return false;
}

static void settings(struct writer *w, const char *key, const char *const *values)
{
	for (; values && *values; values++)
		if (!is_set_again(values))
			pair(w, key, *values);
}

/* What an environment may hold beside variables (a name that is empty) has no form in a plan. */
static void variables(struct writer *w, const char *key, const char *const *values)
{
	for (; values && *values; values++)
		if (strchr(*values, '=') > *values)
			pair(w, key, *values);
}

int sb_plan_write(const struct sb_plan *plan, struct sb_buf *ret, struct sb_err *err)
{
	struct writer w = {.out = ret};
	size_t start = ret->len;

	pair(&w, SB_PLAN_MAGIC, SB_PLAN_VERSION);
	pair(&w, "mode", plan->mode);
	pair(&w, "kernel", plan->kernel);
	pair(&w, "cpu", plan->cpu);
	for (size_t i = 0; plan->binds && plan->binds[i]; i++) {
		pair(&w, "bind", plan->binds[i]);
		pair(&w, "bind-at", plan->binds_at[i]);
	}
	pairs(&w, "private", plan->private_dirs);
	pair(&w, "home", plan->no_home ? "no" : NULL);
	pair(&w, "net", plan->no_net ? "no" : NULL);
	settings(&w, "set", plan->set);
	for (size_t i = 0; i < plan->count; i++) {
		const struct sb_plan_entry *e = &plan->entries[i];

		pair(&w, "entry", e->name);
		pair(&w, "exec", e->exec);
		pair(&w, "interp", e->interp);
		pair(&w, "program", e->program);
		pairs(&w, "prefix", e->prefix);
		pairs(&w, "lib", e->libs);
		pairs(&w, "arg", e->argv);
		variables(&w, "env", e->env);
		pair(&w, "cwd", e->cwd);
		pairs(&w, "writable", e->writable);
	}
	pair(&w, "end", "");
	if (w.rc < 0)
		return sb_fail(err, ENOMEM, "write the launch plan");
	if (ret->len - start > SB_PLAN_MAX)
		return sb_fail(
			err, SB_ESAID,
			"the launch plan would have %zu bytes, more than a launcher reads (%u): "
			"use fewer entries, or shorter arguments",
			ret->len - start, SB_PLAN_MAX);
	return 0;
}
