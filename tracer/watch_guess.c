/*
 * Outcomes that nobody tells: the look that the call itself is about to take. What it depends on
 * beyond that (limits, mandatory access control, who wins a race) stays unknown, or is looked at
 * once more when the thread is heard of next.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "tracer/watch_private.h"

static bool denied(int code)
{
	return code == EACCES || code == EPERM;
}

/* What it comes to depends on who calls. */
static bool depends_on_rights(int outcome)
{
	return outcome == 0 || denied(outcome);
}

/* Whether it may do what we may. */
static bool like_us(const struct sb_watch *w, const struct sb_watch_call *call)
{
	const struct watch_process *p = watch_find_process(w, call->pid);
	char name[32];
	struct stat st;

	/* Nobody becomes another user any more. */
	if (w->spec.no_new_privs && w->user != 0)
		return true;
	if (p && p->seen_at == w->moment && call->tid == call->pid)
		return p->seen.owner == w->user;
	(void)snprintf(name, sizeof name, "/proc/%d", (int)call->tid);
	return stat(name, &st) == 0 && st.st_uid == w->user;
}

static int look(const char *path, bool nofollow, struct stat *ret)
{
	return fstatat(AT_FDCWD, path, ret, nofollow ? AT_SYMLINK_NOFOLLOW : 0) < 0 ? errno : 0;
}

static int allowed(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? errno : 0;
}

/* Whether a name may be made or removed there. */
static int directory_allows(const char *path)
{
	char above[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= sizeof above)
		return SB_OUTCOME_UNKNOWN;
	memcpy(above, path, (size_t)(slash - path));
	above[slash - path] = '\0';
	return allowed(*above ? above : "/", W_OK | X_OK);
}

static int guess_create(const char *path, uint64_t flags)
{
	int failed = directory_allows(path);

	/* A link that leads to nothing makes its file elsewhere. */
	return failed || flags & O_DIRECTORY ? (failed ? failed : EINVAL) : 0;
}

static int guess_open(const char *path, const struct sb_touch *t)
{
	uint64_t flags = t->open_flags;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	struct stat st;
	int failed;

	/* The everyday case: one look tells all. */
	if (!(flags & ~(uint64_t)(O_CLOEXEC | O_LARGEFILE | O_NOCTTY)))
		return allowed(path, R_OK);
	if ((flags & __O_TMPFILE) == __O_TMPFILE)
		return allowed(path, W_OK | X_OK);
	failed = look(path,
		      (flags & (O_NOFOLLOW)) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL),
		      &st);
	if (failed == ENOENT && (flags & O_CREAT))
		return guess_create(path, flags);
	if (failed)
		return failed;
	if (flags & O_CREAT && flags & O_EXCL)
		return EEXIST;
	if (S_ISLNK(st.st_mode))
		return flags & O_PATH && !(flags & O_DIRECTORY) ? 0
		       : flags & O_DIRECTORY			? ENOTDIR
								: ELOOP;
	if (flags & O_DIRECTORY && !S_ISDIR(st.st_mode))
		return ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISDIR(st.st_mode) && (writes || flags & O_CREAT))
		return EISDIR;
	if (S_ISSOCK(st.st_mode))
		return ENXIO;
	/* Whether somebody reads from the fifo, or the device is there. */
	if ((S_ISFIFO(st.st_mode) && flags & O_NONBLOCK && writes) || S_ISCHR(st.st_mode) ||
	    S_ISBLK(st.st_mode)) {
		failed = allowed(path, (flags & O_ACCMODE) == O_WRONLY ? W_OK : R_OK);
		return failed || strcmp(path, "/dev/null") == 0 ? failed : SB_OUTCOME_UNKNOWN;
	}
	if ((flags & O_ACCMODE) == O_WRONLY)
		return allowed(path, W_OK);
	return allowed(path, writes || flags & O_TRUNC ? R_OK | W_OK : R_OK);
}

static int guess_look(const char *path, const struct sb_watch_call *call, bool nofollow)
{
	const struct sb_syscall *row = call->touches.row;
	struct stat st;
	int failed;

	if (strcmp(row->name, "access") == 0 || strncmp(row->name, "faccessat", 9) == 0) {
		int mode = (int)call->call.args[row->path + 1];
		int flags = row->flags < 0 ? 0 : (int)call->call.args[row->flags];

		return faccessat(AT_FDCWD, path, mode & 7,
				 flags & (AT_EACCESS | AT_SYMLINK_NOFOLLOW)) < 0
			       ? errno
			       : 0;
	}
	failed = look(path, nofollow, &st);
	if (failed || row->act != SB_ACT_CHDIR)
		return failed;
	return S_ISDIR(st.st_mode) ? allowed(path, X_OK) : ENOTDIR;
}

static int guess_write(const char *path, const struct sb_touch *t, bool nofollow)
{
	struct stat st;
	int failed = look(path, nofollow, &st);

	switch (t->op) {
	case SB_OP_MKDIR:
	case SB_OP_MKNOD:
	case SB_OP_SYMLINK:
	case SB_OP_LINK:
		if (!failed)
			return EEXIST;
		return failed == ENOENT ? directory_allows(path) : failed;
	case SB_OP_MOVED:
	case SB_OP_REMOVE:
		return failed ? failed : directory_allows(path);
	case SB_OP_RENAME:
		return failed && failed != ENOENT ? failed : directory_allows(path);
	case SB_OP_CHANGE:
		if (failed)
			return failed;
		return st.st_uid == geteuid() || geteuid() == 0 ? 0 : SB_OUTCOME_UNKNOWN;
	default:
		return SB_OUTCOME_UNKNOWN;
	}
}

static int guess_exec(const char *path, bool nofollow)
{
	struct stat st;
	int failed = look(path, nofollow, &st);

	if (failed)
		return failed;
	if (S_ISLNK(st.st_mode))
		return ELOOP;
	return S_ISREG(st.st_mode) ? allowed(path, X_OK) : EACCES;
}

static int guess(struct sb_watch *w, struct sb_watch_call *call, unsigned i)
{
	const struct sb_touch *t = &call->touches.touch[i];
	const struct watch_name *name = &call->names[i];
	const char *path = watch_reach(w, name, call->text.s + name->at, call->pid);
	struct stat st;

	if (!path)
		return SB_OUTCOME_UNKNOWN;
	switch (t->kind) {
	case SB_OPEN:
		return guess_open(path, t);
	case SB_STAT:
		return guess_look(path, call, name->nofollow);
	case SB_READLINK: {
		int failed = look(path, true, &st);

		return failed ? failed : S_ISLNK(st.st_mode) ? 0 : EINVAL;
	}
	case SB_LIST:
		return 0;
	case SB_WRITE:
		return t->op == SB_OP_OPEN ? guess_open(path, t)
					   : guess_write(path, t, name->nofollow);
	case SB_EXEC:
		return guess_exec(path, name->nofollow);
	default: {
		/* Somebody may listen there, or nobody. */
		int failed = look(path, false, &st);

		return failed ? failed : SB_OUTCOME_UNKNOWN;
	}
	}
}

/* One call has one outcome: what keeps one path from working does so for both. */
static void guess_all(struct sb_watch *w, struct sb_watch_call *call)
{
	int first = 0, alike = -1;

	for (unsigned i = 0; i < call->touches.count; i++) {
		int outcome = call->names[i].there ? guess(w, call, i) : SB_OUTCOME_UNKNOWN;

		/* Too long for us, who start from the root. */
		if (outcome == ENAMETOOLONG && strlen(call->text.s + call->names[i].at) >= PATH_MAX)
			outcome = SB_OUTCOME_UNKNOWN;
		if (alike < 0 && depends_on_rights(outcome))
			alike = like_us(w, call);
		/* Other rights than ours: what is there is there, no more can be said. */
		if ((alike == 0 && depends_on_rights(outcome)) ||
		    (call->names[i].place.foreign && denied(outcome)))
			outcome = SB_OUTCOME_UNKNOWN;
		call->names[i].outcome = outcome;
		if (outcome > 0 && !first)
			first = outcome;
	}
	bool link = call->touches.row->op == SB_OP_LINK;
	for (unsigned i = 0; i < call->touches.count && first; i++)
		if (!(link && i == 0 && first == EEXIST))
			call->names[i].outcome = first;
}

/* --- once more -------------------------------------------------------------------------------- */

/* Zeroes where there is none to be seen. */
static void memory_layout(struct sb_watch *w, struct watch_process *p, uint64_t ret[3])
{
	const struct sb_proc *seen = watch_look(w, p);

	for (int i = 0; i < 3; i++)
		ret[i] = seen ? seen->layout[i] : 0;
}

static bool same_layout(const uint64_t a[3], const uint64_t b[3])
{
	return memcmp(a, b, 3 * sizeof *a) == 0;
}

static void settle_failed(struct sb_watch *w, struct watch_thread *t, struct sb_watch_call *call)
{
	int outcome = call->names[0].outcome;

	t->exec = NULL;
	t->process->execs--;
	watch_tell_exec(w, call, outcome > 0 ? outcome : SB_OUTCOME_UNKNOWN, NULL);
	watch_give_call(w, call);
}

static void settle_exec(struct sb_watch *w, struct watch_thread *t, struct sb_watch_call *call)
{
	uint64_t now[3];
	int outcome = call->names[0].outcome;

	memory_layout(w, t->process, now);
	/* Without a layout to be seen it has ended, or is not to be looked at: then as guessed. */
	bool worked = now[1] && call->before[1] ? !same_layout(now, call->before) : outcome == 0;
	/* It may be another image by an exec that was not told here. */
	if (worked && call->passes != w->passes)
		worked = outcome <= 0 && watch_runs(w, call);
	if (worked) {
		sb_watch_exec(w, call->pid, t->tid);
		return;
	}
	settle_failed(w, t, call);
}

/* Whether the name is as it would be, had the call worked. */
static bool as_if_worked(struct sb_watch *w, struct sb_watch_call *call, unsigned i)
{
	const struct sb_touch *t = &call->touches.touch[i];
	const struct watch_name *name = &call->names[i];
	const char *path = watch_reach(w, name, call->text.s + name->at, call->pid);
	bool gone = t->op == SB_OP_REMOVE || t->op == SB_OP_MOVED;
	struct stat st;

	return path && (look(path, name->nofollow, &st) == 0) != gone;
}

static void settle_later(struct sb_watch *w, struct sb_watch_call *call)
{
	bool worked = true, written = false;

	watch_moved(w, call, 0);
	for (unsigned i = 0; i < call->touches.count; i++)
		if (call->touches.touch[i].kind == SB_WRITE && call->names[i].there) {
			written = true;
			worked &= as_if_worked(w, call, i);
		}
	for (unsigned i = 0; i < call->touches.count; i++) {
		int outcome = call->names[i].outcome;

		/* Where it does not look so, it has failed, or was undone since. */
		if (written && outcome <= 0)
			outcome = worked ? 0 : SB_OUTCOME_UNKNOWN;
		watch_tell(w, call, i, outcome);
	}
	watch_give_call(w, call);
}

/* An exec that another thread of the process is about to make, or has made by now. */
static void settle_execs(struct sb_watch *w, struct watch_process *p)
{
	uint64_t now[3];

	memory_layout(w, p, now);
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (struct watch_thread *t = w->threads[i]; t; t = t->next)
			if (t->process == p && t->exec && t->exec->guessed &&
			    !same_layout(now, t->exec->before)) {
				settle_exec(w, t, t->exec);
				return;
			}
}

void watch_settle_hello(struct sb_watch *w, struct watch_thread *t)
{
	if (t->exec && t->exec->guessed)
		sb_watch_exec(w, t->process->pid, t->tid);
	else if (t->process->execs)
		settle_execs(w, t->process);
}

void watch_settle_passed(struct sb_watch *w, struct watch_thread *t, int64_t caller)
{
	const struct watch_process *p = t->process;
	struct sb_watch_call *call = t->exec;

	/* Who had it made, and made another one, is still there: in a vfork child, its parent. */
	if (call && call->guessed &&
	    (call->number == caller ||
	     (p->forked && call->number == p->number && p->parent == caller)))
		settle_failed(w, t, call);
	watch_settle(w, t);
}

void watch_settle(struct sb_watch *w, struct watch_thread *t)
{
	struct sb_watch_call *later = t->later;

	t->later = NULL;
	if (later)
		settle_later(w, later);
	if (t->exec && t->exec->guessed)
		settle_exec(w, t, t->exec);
	else if (t->process->execs)
		settle_execs(w, t->process);
}

/* Whether a second look can tell more. */
static bool leaves_traces(const struct sb_watch_call *call)
{
	for (unsigned i = 0; i < call->touches.count; i++) {
		const struct sb_touch *t = &call->touches.touch[i];

		if (call->names[i].outcome > 0)
			return false;
		if (t->kind == SB_WRITE && t->op != SB_OP_CHANGE &&
		    (t->op != SB_OP_OPEN || t->open_flags & O_CREAT))
			return true;
	}
	return false;
}

static bool is_exec(const struct sb_watch_call *call)
{
	return call->touches.row->act == SB_ACT_EXEC && call->touches.count;
}

void sb_watch_guess(struct sb_watch *w, struct sb_watch_call *call)
{
	struct watch_process *p = watch_find_process(w, call->pid);

	guess_all(w, call);
	if (is_exec(call) && p) {
		const struct watch_name *name = &call->names[0];

		memory_layout(w, p, call->before);
		/* It is told when the new image is heard of: then the name may mean another file,
		 * or none. */
		if (name->there)
			call->real = watch_intern(
				w, watch_real(w, name, call->text.s + name->at, call->pid));
	}
	call->passes = w->passes;
}

void sb_watch_conclude(struct sb_watch *w, struct sb_watch_call *call)
{
	struct watch_thread *t = watch_find_thread(w, call->tid);

	w->moment++;
	if (!t) {
		sb_watch_drop(w, call);
		return;
	}
	call->guessed = true;
	if (is_exec(call)) {
		t->process->execs++;
		return;
	}
	if (call->moves || leaves_traces(call)) {
		watch_tell_births(w, call);
		w->moves += call->renames;
		watch_names_change(w, call);
		t->later = call;
		return;
	}
	watch_moved(w, call, 0);
	if (call->touches.row->act == SB_ACT_URING || call->touches.row->act == SB_ACT_FILTER)
		watch_tell_result(w, call, 0);
	for (unsigned i = 0; i < call->touches.count; i++)
		watch_tell(w, call, i, call->names[i].outcome);
	watch_give_call(w, call);
}
