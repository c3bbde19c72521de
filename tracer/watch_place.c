/* Where processes stand: roots, working directories, and what a path means from there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/path.h"
#include "tracer/watch_private.h"

#define DELETED " (deleted)"
/* A call that was let go is done by then. */
#define UNSETTLED_SECONDS 0.05

/* False: it cannot be read. */
static bool read_link(char text[PATH_MAX], pid_t tid, const char *what)
{
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/%d/%s", (int)tid, what);
	ssize_t n = readlink(name, text, PATH_MAX - 1);
	text[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

/* A directory that was removed keeps the name that it had; and some names do end that way. */
static void undelete(char *text)
{
	size_t len = strlen(text), tail = sizeof DELETED - 1;
	struct stat st;

	if (len > tail && strcmp(text + len - tail, DELETED) == 0 && lstat(text, &st) < 0)
		text[len - tail] = '\0';
}

struct watch_mount watch_mount_of(const char *path)
{
	struct watch_mount ret = {0};
#ifdef STATX_MNT_ID /* Linux 5.8 */
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &st) == 0) {
		ret.mount = st.stx_mnt_id;
		ret.ino = st.stx_ino;
		ret.major = st.stx_dev_major;
		ret.minor = st.stx_dev_minor;
		ret.known = (st.stx_mask & STATX_MNT_ID) != 0;
	}
#else
	(void)path;
#endif
	return ret;
}

/* The everyday case, at one look: our own root, in our own namespace. */
static bool at_our_root(const struct sb_watch *w, pid_t tid)
{
	char name[32];

	(void)snprintf(name, sizeof name, "/proc/%d/root", (int)tid);
	struct watch_mount its = w->here.known ? watch_mount_of(name) : (struct watch_mount){0};
	return its.known && its.mount == w->here.mount && its.ino == w->here.ino &&
	       its.major == w->here.major && its.minor == w->here.minor;
}

static void look_at_root(struct sb_watch *w, pid_t tid, struct watch_place *ret)
{
	char root[PATH_MAX], namespace[PATH_MAX];

	ret->root = "";
	ret->foreign = false;
	if (at_our_root(w, tid) || !read_link(root, tid, "root"))
		return;
	if (read_link(namespace, tid, "ns/mnt") && strcmp(namespace, w->namespace) != 0) {
		(void)snprintf(root, sizeof root, "/proc/%d/root", (int)tid);
		ret->foreign = true;
	} else if (strcmp(root, "/") == 0) {
		return;
	}
	const char *kept = watch_intern(w, root);
	ret->root = kept ? kept : "";
}

/* What /proc says of a directory, as it is called within the root; NULL: it is outside. */
static const char *within_root(const struct watch_place *place, pid_t tid, char *text)
{
	char root[PATH_MAX];
	const char *prefix = place->root;

	if (place->foreign) {
		if (!read_link(root, tid, "root"))
			return NULL;
		prefix = strcmp(root, "/") == 0 ? "" : root;
	}
	size_t len = strlen(prefix);
	if (len && !sb_path_below(text, prefix))
		return NULL;
	return text[len] ? text + len : "/";
}

void watch_place(struct sb_watch *w, const struct watch_thread *t, bool with_cwd,
		 struct watch_place *ret)
{
	struct watch_process *p = t->process;
	bool settled = !p->moving && !p->apart;
	char text[PATH_MAX];

	if (!settled || p->root_stamp != w->roots) {
		look_at_root(w, t->tid, &p->place);
		p->root_stamp = settled ? w->roots : 0;
		p->cwd_stamp = 0;
	}
	if (with_cwd && (!settled || p->cwd_stamp != w->moves)) {
		const char *cwd = NULL;

		if (read_link(text, t->tid, "cwd")) {
			undelete(text);
			cwd = watch_intern(w, within_root(&p->place, t->tid, text));
		} else if (errno == ENAMETOOLONG && strlen(p->place.cwd) < PATH_MAX)
			cwd = "";
		/* It is gone: as far as is known, it stands where it stood. */
		if (cwd)
			p->place.cwd = cwd;
		p->cwd_stamp = settled ? w->moves : 0;
	}
	*ret = p->place;
}

/* A directory that has a name, but none that the kernel tells: what is named from there is not
 * told. */
static void note_unnamed(struct sb_watch *w, struct watch_process *p)
{
	if (!p->unnamed)
		sb_sink_blind(w->spec.sink, SB_BLIND_UNNAMED, p->exe, 1);
	p->unnamed = true;
}

/* What a descriptor is, as a directory to start from; NULL: nothing with a name, "": with one that
 * is too long. */
static const char *directory_of(const struct watch_thread *t, int dirfd, struct watch_place *place,
				char text[PATH_MAX])
{
	char what[32];

	(void)snprintf(what, sizeof what, "fd/%d", dirfd);
	errno = 0;
	if (dirfd < 0 || !read_link(text, t->tid, what) || text[0] != '/')
		return errno == ENAMETOOLONG ? "" : NULL;
	undelete(text);
	const char *within = within_root(place, t->tid, text);
	if (within || place->foreign)
		return within;
	/* Opened before the root was changed. */
	place->root = "";
	return text;
}

void watch_absolute(struct sb_watch *w, const struct watch_thread *t, int dirfd, const char *path,
		    struct sb_buf *text, struct watch_name *ret)
{
	char directory[PATH_MAX];
	size_t len = strlen(path);
	const char *base = "/";

	ret->there = false;
	ret->at = text->len;
	watch_place(w, t, path[0] != '/' && dirfd == AT_FDCWD, &ret->place);
	if (path[0] != '/')
		base = dirfd == AT_FDCWD ? ret->place.cwd
					 : directory_of(t, dirfd, &ret->place, directory);
	if (!base || base[0] != '/') {
		if (base)
			note_unnamed(w, t->process);
		return;
	}
	/* A trailing slash makes the kernel follow. */
	if (len && path[len - 1] == '/')
		ret->nofollow = false;
	if (sb_path_absolute(text, base, path) < 0 || sb_buf_putc(text, '\0') < 0)
		sb_sink_lost(w->spec.sink, 1);
	else
		ret->there = true;
}

/* --- names ------------------------------------------------------------------------------------ */

const char *watch_shown(struct sb_watch *w, const struct watch_name *name, const char *within)
{
	if (!*name->place.root || name->place.foreign)
		return within;
	return sb_in_root(&w->path, name->place.root, strcmp(within, "/") == 0 ? "" : within) < 0
		       ? NULL
		       : w->path.s;
}

static const char *resolve(struct sb_watch *w, const struct watch_name *name, const char *within,
			   pid_t pid)
{
	if (w->unsettled > 0 && watch_now() < w->unsettled)
		sb_real_forget(w->real);
	else
		sb_real_renew(w->real);
	sb_real_trim(w->real);
	return sb_real_path(w->real, name->place.root, within, name->nofollow, pid);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

const char *watch_real(struct sb_watch *w, const struct watch_name *name, const char *within,
		       pid_t pid)
{
	const char *real = resolve(w, name, within, pid);

	if (!real || !*name->place.root)
		return real;
	if (sb_in_root(&w->real_path, name->place.root, strcmp(real, "/") == 0 ? "" : real) < 0)
		return NULL;
	if (!name->place.foreign)
		return w->real_path.s;
	/* Mounted elsewhere, it may be another file here, or none. */
	return same_file(w->real_path.s, real) ? real : NULL;
}

/* Names that mean somebody's own: ours, if we look at them as they are. In w->real_path. */
static const char *as_its_own(struct sb_watch *w, const char *path, pid_t pid)
{
	static const struct {
		const char *name, *own;
	} names[] = {
		{"/proc/self", ""},	 {"/proc/thread-self", ""}, {"/dev/fd", "/fd"},
		{"/dev/stdin", "/fd/0"}, {"/dev/stdout", "/fd/1"},  {"/dev/stderr", "/fd/2"},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!sb_path_below(path, names[i].name))
			continue;
		sb_buf_cut(&w->real_path, 0);
		return sb_buf_printf(&w->real_path, "/proc/%d%s%s", (int)pid, names[i].own,
				     path + strlen(names[i].name)) < 0
			       ? NULL
			       : w->real_path.s;
	}
	return path;
}

const char *watch_reach(struct sb_watch *w, const struct watch_name *name, const char *within,
			pid_t pid)
{
	if (!*name->place.root)
		return as_its_own(w, within, pid);
	const char *real = resolve(w, name, within, pid);
	return real && sb_in_root(&w->real_path, name->place.root, real) == 0 ? w->real_path.s
									      : NULL;
}

/* --- changes ---------------------------------------------------------------------------------- */

void watch_moves(struct sb_watch *w, struct sb_watch_call *call)
{
	const struct sb_syscall *row = call->touches.row;
	struct watch_process *p = watch_find_process(w, call->pid);

	call->moves =
		row->act == SB_ACT_CHDIR || row->act == SB_ACT_FCHDIR || row->act == SB_ACT_CHROOT;
	if (call->moves && p)
		p->moving++;
}

/*
 * The old names of links are not to be believed any more; and where a directory was renamed, the
 * working directories below it have other names.
 */
static bool names_changed(struct sb_watch *w, struct sb_watch_call *call)
{
	const struct sb_touches *touches = &call->touches;

	switch (touches->row->op) {
	case SB_OP_RENAME:
		if (!call->renames)
			return false;
		w->moves++;
		sb_real_forget(w->real);
		return true;
	case SB_OP_SYMLINK:
	case SB_OP_LINK:
		sb_real_forget(w->real);
		return true;
	case SB_OP_REMOVE:
		return call->names[0].there &&
		       sb_real_removed(w->real, call->names[0].place.root,
				       call->text.s + call->names[0].at, call->pid);
	default:
		return false;
	}
}

void watch_names_change(struct sb_watch *w, struct sb_watch_call *call)
{
	if (names_changed(w, call))
		w->unsettled = watch_now() + UNSETTLED_SECONDS;
}

void watch_moved(struct sb_watch *w, struct sb_watch_call *call, long result)
{
	const struct sb_syscall *row = call->touches.row;
	struct watch_process *p = watch_find_process(w, call->pid);

	if (call->moves && p && p->moving)
		p->moving--;
	call->moves = false;
	if (result < 0)
		return;
	if (row->act == SB_ACT_CHDIR || row->act == SB_ACT_FCHDIR || row->act == SB_ACT_CHROOT)
		w->moves++;
	if (row->act == SB_ACT_CHROOT)
		w->roots++;
	if (strcmp(row->name, "unshare") == 0 && p &&
	    call->call.args[0] & (CLONE_FS | CLONE_NEWNS) && p->threads > 1)
		p->apart = true;
	(void)names_changed(w, call);
}
