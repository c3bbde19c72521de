/* The last steps of a draft: what no entry asked for, what is taken out again, and times. */
#include <string.h>
#include <sys/stat.h>

#include "bundler/draft_state.h"
#include "bundler/rules.h"
#include "common/path.h"

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "plan the bundle");
}

/* What the target provides is mounted over an empty file, unless the user wants ours. */
static int add_mount_points(struct sb_draft *draft, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_TARGET};
	int rc = 0;

	for (const char *const *path = sb_target_files; *path && rc == 0; path++) {
		const struct sb_item *item = sb_fileset_find(draft->set, *path);
		bool copied = item && item->reason_count && item->reasons[0].why == SB_WHY_COPIED;

		if (!copied && !sb_globs_match(draft->state->spec.rules->include, *path))
			rc = sb_fileset_add_empty(draft->set, *path, &why, err);
	}
	return rc;
}

static bool has_file_named(const struct sb_map *names, const char *path)
{
	return sb_map_finds(names, sb_path_base(path)) != NULL;
}

/* Libraries that were not found, unless a trace shows where they came from after all. */
static int remark_missing(struct sb_draft *draft, const struct sb_closure *c, struct sb_err *err)
{
	for (size_t i = 0; i < c->missing_count; i++) {
		const struct sb_missing *m = &c->missing[i];

		if (m->optional || has_file_named(&draft->state->loaded, m->needed))
			continue;
		if (sb_remark(&draft->remarks, SB_REMARK_MISSING, m->needed, m->by) < 0)
			return no_memory(err);
	}
	for (size_t i = 0; i < c->suggested_count; i++) {
		const struct sb_suggested *s = &c->suggested[i];

		if (!has_file_named(&draft->state->loaded, s->soname) &&
		    sb_remark(&draft->remarks, SB_REMARK_SUGGESTED, s->soname, s->by) < 0)
			return no_memory(err);
	}
	return 0;
}

static int check_entries(const struct sb_draft *draft, struct sb_err *err)
{
	for (size_t i = 0; i < draft->entry_count; i++) {
		const struct sb_plan_entry *e = &draft->entries[i];

		if (!sb_fileset_find(draft->set, e->exec) &&
		    sb_globs_match(draft->state->spec.rules->exclude, e->exec))
			return sb_fail(err, SB_ESAID,
				       "--exclude leaves out '%s', which is the entry '%s' itself",
				       e->exec, e->name);
	}
	return 0;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/*
 * Whether the directory's time tells of something else than the payload: nobody looked at it, and
 * it is one that everybody writes in, or that the bundle itself is made in.
 */
static bool is_restless(const struct sb_draft *draft, const struct sb_item *item)
{
	const char *const *own = draft->state->spec.rules->own;

	for (size_t i = 0; i < item->reason_count; i++)
		if (item->reasons[i].why != SB_WHY_PARENT)
			return false;
	for (; own && *own; own++)
		if (sb_path_below(*own, item->path))
			return true;
	return (item->st.st_mode & 01002) == 01002;
}

static const struct sb_trace_file *traced_directory(const struct sb_draft *draft, const char *path)
{
	const struct sb_trace_file *was = NULL;

	for (size_t i = 0; !was && i < draft->state->trace_count; i++)
		was = sb_trace_find_file(draft->state->traces[i], path);
	return was && S_ISDIR(was->mode) ? was : NULL;
}

/*
 * Times that depend on the inputs alone: of directories as the trace saw them, for what is made up
 * or restless the time of the newest file.
 */
static void settle_times(struct sb_draft *draft)
{
	for (size_t i = 0; i < draft->set->count; i++) {
		const struct sb_item *item = &draft->set->items[i];

		if (item->type == SB_ITEM_FILE && item->source &&
		    is_later(&item->st.st_mtim, &draft->newest))
			draft->newest = item->st.st_mtim;
	}
	for (size_t i = 0; i < draft->set->count; i++) {
		struct sb_item *item = &draft->set->items[i];
		const struct sb_trace_file *was;

		if (!item->source) {
			item->st.st_mtim = draft->newest;
			continue;
		}
		if (item->type != SB_ITEM_DIR)
			continue;
		was = traced_directory(draft, item->path);
		if (was) {
			item->st.st_mtim.tv_sec = was->mtime;
			item->st.st_mtim.tv_nsec = was->mtime_ns;
		} else if (is_restless(draft, item)) {
			item->st.st_mtim = draft->newest;
		}
	}
}

int sb_draft_finish(struct sb_draft *draft, struct sb_err *err)
{
	const struct sb_rules *rules = draft->state->spec.rules;
	int rc = sb_select_include(draft->set, rules, &draft->remarks, err);

	if (rc == 0)
		rc = draft_add_libc_files(draft, err);
	if (rc == 0)
		rc = draft_add_aliases(draft, err);
	for (size_t i = 0; i < draft->state->closure_count && rc == 0; i++)
		rc = remark_missing(draft, draft->state->closures[i].closure, err);
	if (rc == 0)
		rc = add_mount_points(draft, err);
	if (rc == 0)
		rc = sb_select_prune(draft->set, rules, &draft->remarks, err);
	if (rc == 0)
		rc = check_entries(draft, err);
	if (rc < 0)
		return rc;
	sb_fileset_sort(draft->set);
	settle_times(draft);
	return draft_find_needs(draft, err);
}
