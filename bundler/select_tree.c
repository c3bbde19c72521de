/* The part of the selection that no trace decides: globs and copied trees. */
#include "bundler/select.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/rules.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/tree.h"

/* A tree on its way into a set. */
struct planting {
	struct sb_fileset *set;
	struct sb_remarks *remarks;
	const char *source, *dest; /* of the top */
	const char *const *globs;  /* NULL: everything */
	struct sb_reason why;
	bool from_elsewhere; /* sources are not root + path */
	size_t taken;
};

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "choose files");
}

/* What may not be added is told, and no failure. */
static int excuse(struct planting *p, const char *path, int rc, const struct sb_err *failed,
		  struct sb_err *err)
{
	enum sb_remark_kind kind;

	switch (rc) {
	case -ENOTSUP:
		kind = SB_REMARK_SPECIAL;
		break;
	case -EACCES:
		kind = SB_REMARK_UNREADABLE;
		break;
	case -ENAMETOOLONG:
		kind = SB_REMARK_LONG;
		break;
	case -ENOENT:
		kind = SB_REMARK_GONE;
		break;
	default:
		*err = *failed;
		return rc;
	}
	return sb_remark(p->remarks, kind, path, NULL) < 0 ? no_memory(err) : 0;
}

static int plant(struct planting *p, const char *path, const char *source, struct sb_err *err)
{
	struct sb_err failed = SB_ERR_INIT;
	int rc;

	if (p->from_elsewhere) {
		rc = sb_fileset_add_from(p->set, path, source, &p->why, &failed);
	} else {
		rc = sb_fileset_add(p->set, path, 0, &p->why, NULL, &failed);
		if (rc == -ENOENT || rc == -ELOOP)
			rc = sb_fileset_add(p->set, path, SB_FILESET_NOFOLLOW, &p->why, NULL,
					    &failed);
	}
	p->taken++;
	return rc < 0 ? excuse(p, path, rc, &failed, err) : 0;
}

static int plant_node(void *arg, const struct sb_tree_node *node, struct sb_err *err)
{
	struct planting *p = arg;
	auto_buf path = SB_BUF_INIT, source = SB_BUF_INIT;

	if (node->leaving)
		return 0;
	if (sb_path_absolute(&path, p->dest, node->path) < 0 ||
	    sb_path_absolute(&source, p->source, node->path) < 0)
		return no_memory(err);
	/* A glob that begins with two stars must not wander through the kernel's trees. */
	if (!p->from_elsewhere && sb_is_system_path(path.s) && !sb_is_system_path(p->dest))
		return 1;
	if (!p->globs || sb_globs_match(p->globs, path.s)) {
		int rc = plant(p, path.s, source.s, err);

		if (rc < 0)
			return rc;
	}
	if (!S_ISDIR(node->st->st_mode) ||
	    faccessat(node->dirfd, node->name, R_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	return sb_remark(p->remarks, SB_REMARK_UNREADABLE, path.s, NULL) < 0 ? no_memory(err) : 1;
}

int sb_select_tree(struct sb_fileset *set, const char *source, const char *dest,
		   struct sb_remarks *remarks, struct sb_err *err)
{
	auto_free char *real = realpath(source, NULL);
	struct planting p = {
		.set = set,
		.remarks = remarks,
		.source = real,
		.dest = dest,
		.why = {.why = SB_WHY_COPIED, .from = source},
		.from_elsewhere = true,
	};

	if (!real)
		return sb_fail(err, errno, "copy '%s'", source);
	int rc = plant(&p, dest, real, err);
	struct sb_item *top = rc < 0 ? NULL : sb_fileset_find(set, dest);
	if (rc < 0 || (top && top->type != SB_ITEM_DIR))
		return rc;
	return sb_tree_walk(AT_FDCWD, real, plant_node, &p, err);
}

/* The directory that everything the glob matches lies below: up to the first wildcard. */
static int fixed_part(const char *glob, struct sb_buf *ret)
{
	size_t len = strcspn(glob, "*?[\\");

	if (!glob[len])
		return sb_buf_set(ret, glob);
	while (len && glob[len - 1] != '/')
		len--;
	sb_buf_cut(ret, 0);
	if (len <= 1)
		return sb_buf_putc(ret, '/');
	return sb_buf_add(ret, glob, len - 1);
}

static int include_glob(struct sb_fileset *set, const char *glob, struct sb_remarks *remarks,
			struct sb_err *err)
{
	const char *const globs[] = {glob, NULL};
	auto_buf top = SB_BUF_INIT, source = SB_BUF_INIT;
	struct stat st;
	struct planting p = {
		.set = set,
		.remarks = remarks,
		.globs = globs,
		.why = {.why = SB_WHY_INCLUDED, .from = glob},
	};
	int rc = 0;

	if (fixed_part(glob, &top) < 0 || sb_in_root(&source, set->root, top.s) < 0)
		return no_memory(err);
	p.source = source.s;
	p.dest = top.s;
	if (sb_globs_match(globs, top.s) && lstat(source.s, &st) == 0)
		rc = plant(&p, top.s, source.s, err);
	if (rc == 0 && stat(source.s, &st) == 0 && S_ISDIR(st.st_mode))
		rc = sb_tree_walk(AT_FDCWD, source.s, plant_node, &p, err);
	if (rc == 0 && !p.taken && sb_remark(remarks, SB_REMARK_UNMATCHED, glob, NULL) < 0)
		rc = no_memory(err);
	return rc;
}

int sb_select_include(struct sb_fileset *set, const struct sb_rules *rules,
		      struct sb_remarks *remarks, struct sb_err *err)
{
	for (const char *const *glob = rules->include; glob && *glob; glob++) {
		int rc = include_glob(set, *glob, remarks, err);

		if (rc < 0)
			return sb_wrap(err, "include '%s'", *glob);
	}
	return 0;
}

/* Whether the file's own text gives a secret away. */
static bool holds_secret(const struct sb_item *item)
{
	char head[SB_SECRET_HEAD];

	if (item->type != SB_ITEM_FILE || !item->source || item->st.st_size < 32 ||
	    item->st.st_size > SB_SECRET_MOST)
		return false;
	auto_fd int fd = open(item->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
	return n > 0 && sb_is_secret_text(head, (size_t)n);
}

struct pruning {
	const struct sb_rules *rules;
	struct sb_remarks *remarks;
	struct sb_map sonames; /* of dispatch libraries that something links which stays */
	struct sb_map linked;  /* where those lie, links to them included */
	int rc;
};

static bool was_loaded(const struct sb_item *item)
{
	for (size_t i = 0; i < item->reason_count; i++)
		if (item->reasons[i].why == SB_WHY_TRACED &&
		    strcmp(item->reasons[i].detail, sb_kind_name(SB_LOAD)) == 0)
			return true;
	return false;
}

/* What the file's own dynamic section says: of what a trace saw loaded there is no closure. */
static int note_sonames(struct pruning *p, const struct sb_item *item)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_elf *elf = NULL;
	int rc = 0;

	auto_fd int fd = open(item->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || sb_elf_read(fd, item->path, &elf, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < elf->dep_count && rc == 0; i++)
		if (elf->deps[i].kind == SB_ELF_NEEDED && sb_is_gpu_dispatch(elf->deps[i].name) &&
		    !sb_map_adds(&p->sonames, elf->deps[i].name, NULL))
			rc = -ENOMEM;
	sb_elf_free(elf);
	return rc;
}

static bool is_linked(const struct pruning *p, const struct sb_item *item)
{
	if (sb_map_finds(&p->sonames, sb_path_base(item->path)) ||
	    sb_map_finds(&p->linked, item->path))
		return true;
	for (size_t i = 0; i < item->reason_count; i++) {
		const struct sb_reason *why = &item->reasons[i];

		if (!why->from)
			continue;
		if ((why->why == SB_WHY_NEEDED && !sb_is_gpu_library(why->from)) ||
		    ((why->why == SB_WHY_NEEDED || why->why == SB_WHY_LINK) &&
		     sb_map_finds(&p->linked, why->from)))
			return true;
	}
	return false;
}

/* It, and where it leads. */
static int note_linked(struct pruning *p, const struct sb_item *item)
{
	if (!sb_map_adds(&p->linked, item->path, NULL))
		return -ENOMEM;
	for (size_t i = 0; item->type == SB_ITEM_LINK && i < item->reason_count; i++)
		if (item->reasons[i].why == SB_WHY_LINK && item->reasons[i].from &&
		    !sb_map_adds(&p->linked, item->reasons[i].from, NULL))
			return -ENOMEM;
	return item->type == SB_ITEM_FILE && item->source ? note_sonames(p, item) : 0;
}

/*
 * A dispatch library that is a DT_NEEDED of what is no driver, or of another such one. It starts
 * without a driver; the driver's own libraries, which it looks for as it runs, stay the target's.
 */
static int find_linked(struct pruning *p, const struct sb_fileset *set)
{
	bool any = false;
	size_t before;
	int rc = 0;

	for (size_t i = 0; i < set->count; i++)
		any |= sb_is_gpu_dispatch(set->items[i].path);
	for (size_t i = 0; any && i < set->count && rc == 0; i++) {
		const struct sb_item *item = &set->items[i];

		if (item->type == SB_ITEM_FILE && item->source && was_loaded(item) &&
		    !sb_is_gpu_library(item->path))
			rc = note_sonames(p, item);
	}
	do {
		before = p->linked.count + p->sonames.count;
		for (size_t i = 0; any && i < set->count && rc == 0; i++) {
			const struct sb_item *item = &set->items[i];

			if (sb_is_gpu_dispatch(item->path) && is_linked(p, item))
				rc = note_linked(p, item);
		}
	} while (rc == 0 && p->linked.count + p->sonames.count > before);
	return rc;
}

/* A program that will not start without this library, or NULL. */
static const char *who_needs(const struct sb_item *item)
{
	for (size_t i = 0; i < item->reason_count; i++) {
		const struct sb_reason *why = &item->reasons[i];

		if (why->why == SB_WHY_NEEDED ||
		    (why->why == SB_WHY_TRACED && strcmp(why->detail, sb_kind_name(SB_LOAD)) == 0))
			return why->from;
	}
	return NULL;
}

static bool keep(void *arg, const struct sb_item *item)
{
	struct pruning *p = arg;
	auto_buf detail = SB_BUF_INIT;
	enum sb_remark_kind kind;

	if (sb_globs_match(p->rules->exclude, item->path))
		kind = SB_REMARK_EXCLUDED;
	else if (item->type == SB_ITEM_DIR || !item->source ||
		 sb_globs_match(p->rules->include, item->path))
		return true;
	else if (!p->rules->allow_gpu && sb_is_gpu_library(item->path) &&
		 !sb_map_finds(&p->linked, item->path))
		kind = SB_REMARK_GPU;
	else if (!p->rules->allow_secrets && item->type == SB_ITEM_FILE &&
		 (sb_is_secret_path(item->path) || holds_secret(item)))
		kind = SB_REMARK_SECRET;
	else
		return true;
	const char *who = kind == SB_REMARK_GPU ? who_needs(item) : NULL;
	if ((who && sb_buf_printf(&detail, "loaded by %s", who) < 0) ||
	    sb_remark(p->remarks, kind, item->path, detail.s) < 0)
		p->rc = -ENOMEM;
	return false;
}

int sb_select_prune(struct sb_fileset *set, const struct sb_rules *rules,
		    struct sb_remarks *remarks, struct sb_err *err)
{
	struct pruning p = {.rules = rules, .remarks = remarks};

	p.rc = find_linked(&p, set);
	sb_fileset_filter(set, keep, &p);
	sb_map_free(&p.linked);
	sb_map_free(&p.sonames);
	return p.rc < 0 ? no_memory(err) : 0;
}
