/* What a name meant when it was used, which may be another file by the time that it is told. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/path.h"
#include "tracer/collect_private.h"

const char *collect_target(const struct record *rec)
{
	if (!(rec->head.flags & SB_REC_TARGET))
		return NULL;
	return record_string(rec, rec->head.flags & SB_REC_DIR ? 2 : 1);
}

/* A symlink may be another one now, or none. `path` is within `root`. */
void collect_renamed(struct sb_collector *c, const struct chunk *k, const struct held *held,
		     const char *root, const char *path)
{
	const char *real = collect_text(k, held->real);

	if (held->kind != SB_WRITE || held->outcome != 0)
		return;
	if (held->op == SB_OP_REMOVE)
		(void)sb_real_removed(c->real, root, path, k->image->pid);
	else if (held->op == SB_OP_RENAME || held->op == SB_OP_MOVED || held->op == SB_OP_SYMLINK ||
		 held->op == SB_OP_LINK)
		sb_real_forget(c->real);
	else
		return;
	bool moved = held->op == SB_OP_RENAME && c->mover == k->image;
	c->mover = NULL;
	if (!real)
		return;
	if (held->op == SB_OP_MOVED)
		c->mover = sb_buf_set(&c->moved, real) < 0 ? NULL : k->image;
	else if (moved)
		sb_real_moved(c->real, c->moved.s, real);
	else
		sb_real_linked(c->real, real, collect_target(&c->record));
}

/* Whether there is something of that name within `root`. */
static bool is_there(const char *root, const char *path)
{
	auto_buf full = SB_BUF_INIT;
	struct stat st;

	return sb_in_root(&full, root, path) == 0 && lstat(full.s, &st) == 0;
}

/* What a descriptor was is not known any more, once it is closed. */
static bool is_descriptor(const char *real)
{
	size_t digits = strncmp(real, "/proc/", 6) == 0 ? strspn(real + 6, "0123456789") : 0;

	return digits && strncmp(real + 6 + digits, "/fd/", 4) == 0 && real[10 + digits];
}

/*
 * The real path. Nothing was found, and now there is a link to something: it was made since, and
 * the name stands for itself.
 */
const char *collect_real(struct sb_collector *c, const struct chunk *k, const struct held *held,
			 const char *root, const char *path, bool nofollow)
{
	pid_t pid = k->image->pid;
	const char *real = sb_real_path(c->real, root, path, nofollow, pid), *itself;

	if (!real || nofollow)
		return real;
	if (held->outcome == 0 && is_descriptor(real))
		return NULL;
	/* What is called alike was no link, nearly always: most that is looked for is missing. */
	if (held->outcome != ENOENT || held->kind == SB_EXEC ||
	    strcmp(sb_path_base(real), sb_path_base(path)) == 0)
		return real;
	itself = sb_real_path(c->real, root, path, true, pid);
	return itself && strcmp(itself, real) != 0 && is_there(root, real) ? itself : real;
}
