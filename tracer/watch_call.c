/* Calls, from their beginning to what they came to. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/path.h"
#include "tracer/watch_private.h"

/* The kernel's own: the call is made again once a signal was handled. No errno is larger. */
#define RESTART_FIRST 512
#define RESTART_LAST  516

/* --- under way -------------------------------------------------------------------------------- */

/* 0 or an errno; EINVAL: it cannot be looked at from here. */
static int look_before(struct sb_watch *w, const struct sb_watch_call *call, unsigned i,
		       struct stat *ret)
{
	const struct watch_name *name = &call->names[i];
	const char *path = watch_reach(w, name, call->text.s + name->at, call->pid);

	if (!path)
		return EINVAL;
	return fstatat(AT_FDCWD, path, ret, name->nofollow ? AT_SYMLINK_NOFOLLOW : 0) < 0 ? errno
											  : 0;
}

/* Whether a file is there before a call that may make it. */
static enum sb_tri is_there(int failed)
{
	return !failed ? SB_YES : failed == ENOENT ? SB_NO : SB_TRI_UNKNOWN;
}

/* Every second file that is written gets its name this way: what is known of others stays so. */
static bool names_others(int failed, const struct stat *st)
{
	return failed ? failed != ENOENT : S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode);
}

/* What must be known beforehand: nothing, where the outcome itself will tell. */
static void look_at_names(struct sb_watch *w, struct sb_watch_call *call)
{
	for (unsigned i = 0; i < call->touches.count; i++) {
		const struct sb_touch *t = &call->touches.touch[i];
		struct watch_name *name = &call->names[i];
		bool renames = call->touches.row->op == SB_OP_RENAME;
		bool makes = t->kind == SB_WRITE && t->op == SB_OP_OPEN &&
			     (t->open_flags & O_CREAT) && !(t->open_flags & O_EXCL);
		struct stat st;

		name->existed = SB_TRI_UNKNOWN;
		if (!makes && !renames)
			continue;
		int failed = name->there ? look_before(w, call, i, &st) : EINVAL;
		if (makes || i == 1)
			name->existed = is_there(failed);
		call->renames |= renames && names_others(failed, &st);
	}
}

/* No path at all is ENOENT, but where the descriptor itself is meant. */
static bool names_something(const struct sb_watch_call *call, const struct sb_touch *touch)
{
	const struct sb_syscall *row = call->touches.row;

	if (*touch->path || touch->kind == SB_LIST)
		return true;
	if (touch->kind == SB_READLINK)
		return row->dirfd >= 0;
	return row->flags >= 0 && row->kind != SB_OPEN &&
	       (call->call.args[row->flags] & AT_EMPTY_PATH);
}

static void make_absolute(struct sb_watch *w, const struct watch_thread *t,
			  struct sb_watch_call *call)
{
	const struct sb_touches *touches = &call->touches;

	for (unsigned i = 0; i < touches->count; i++) {
		const struct sb_touch *touch = &touches->touch[i];

		/* A file opened for reading and writing: one name, told twice. */
		if (i && touches->touch[0].open_flags) {
			call->names[i] = call->names[0];
			continue;
		}
		call->names[i].nofollow = touch->nofollow;
		call->names[i].there = false;
		if (names_something(call, touch))
			watch_absolute(w, t, touch->dirfd, touch->path, &call->text,
				       &call->names[i]);
	}
}

/* What the linker opens of ours: nothing of it would be told. */
static bool is_our_own(const struct sb_watch *w, const struct sb_watch_call *call)
{
	const struct watch_name *name = &call->names[0];

	return call->touches.count == 1 && name->there && !*name->place.root &&
	       sb_sink_hides(w->spec.sink, call->text.s + name->at);
}

/* Calls that name nothing, and matter all the same. */
static bool matters(const struct sb_watch *w, const struct sb_watch_call *call)
{
	switch (call->touches.row->act) {
	case SB_ACT_OPEN:
	case SB_ACT_ACCESS:
		return call->touches.count > 0 && !is_our_own(w, call);
	case SB_ACT_FCHDIR:
	case SB_ACT_CHROOT:
	case SB_ACT_URING:
		return true;
	case SB_ACT_FILTER:
		return watch_filters_for_a_tracer(call);
	case SB_ACT_PTRACE:
		return call->call.args[0] == PTRACE_TRACEME ||
		       call->call.args[0] == PTRACE_ATTACH || call->call.args[0] == PTRACE_SEIZE;
	default:
		return call->touches.count > 0;
	}
}

static void tell_closed(struct sb_watch *w, struct watch_process *p)
{
	if (!p->closed)
		sb_sink_blind(w->spec.sink, SB_BLIND_MEMORY, p->exe, 1);
	p->closed = true;
}

/* symlink(2) and symlinkat(2): their first argument. */
static void read_target(struct watch_thread *t, struct sb_watch_call *call)
{
	size_t at = call->text.len;

	if (call->touches.row->op != SB_OP_SYMLINK || !at)
		return;
	if (sb_read_string(t->tid, call->call.args[0], PATH_MAX, &call->text) == 0 &&
	    sb_buf_putc(&call->text, '\0') == 0)
		call->target = at;
	else
		sb_buf_cut(&call->text, at);
}

/* -EFAULT and the like: the call names nothing that we could tell. */
static int begin(struct sb_watch *w, struct watch_thread *t, struct sb_watch_call *call)
{
	int rc = sb_decode(t->tid, &call->call, &call->touches);

	if (rc == -EPERM)
		tell_closed(w, t->process);
	if (!call->touches.row)
		return 0;
	call->number = t->process->number;
	make_absolute(w, t, call);
	read_target(t, call);
	look_at_names(w, call);
	return rc == -EPERM || rc == -ESRCH ? rc : 0;
}

int sb_watch_enter(struct sb_watch *w, pid_t tid, const struct sb_call *made,
		   struct sb_watch_call **ret)
{
	struct sb_watch_call *call;

	w->moment++;
	*ret = NULL;
	struct watch_thread *t = watch_thread(w, tid);
	if (!t)
		return -ESRCH;
	watch_settle(w, t);
	/* An exec of another thread may have taken it off. */
	t = watch_thread(w, tid);
	if (!t)
		return -ESRCH;
	if (t->process->begins)
		watch_tell_missed(w, t, made);
	call = watch_take_call(w);
	if (!call) {
		sb_sink_lost(w->spec.sink, 1);
		return 0;
	}
	call->tid = tid;
	call->pid = t->process->pid;
	call->call = *made;
	int rc = begin(w, t, call);
	/* A move is a move even where its path was not to be read. */
	if (rc == -ESRCH || !call->touches.row || (rc == 0 && !matters(w, call))) {
		watch_give_call(w, call);
		return rc;
	}
	watch_moves(w, call);
	if (rc < 0 && !call->moves) {
		watch_give_call(w, call);
		return rc;
	}
	if (call->touches.count)
		call->number = watch_number(w, t->process, NULL);
	if (call->touches.row->act == SB_ACT_EXEC)
		t->exec = call;
	*ret = call;
	return rc;
}

/* --- over ------------------------------------------------------------------------------------- */

static bool makes(const struct sb_touch *t)
{
	return t->op == SB_OP_MKDIR || t->op == SB_OP_MKNOD || t->op == SB_OP_SYMLINK ||
	       t->op == SB_OP_LINK ||
	       (t->op == SB_OP_OPEN && (t->open_flags & O_CREAT) && (t->open_flags & O_EXCL));
}

/* Whether the file that was written to, with success, was there before. */
static enum sb_tri existed(const struct sb_watch_call *call, unsigned i)
{
	const struct sb_touch *t = &call->touches.touch[i];

	if (makes(t))
		return SB_NO;
	if (t->op == SB_OP_OPEN && (t->open_flags & O_CREAT))
		return call->names[i].existed;
	if (t->op == SB_OP_RENAME && i == 1 && call->touches.touch[0].op == SB_OP_MOVED)
		return call->names[i].existed;
	return SB_YES;
}

static void deliver(struct sb_watch *w, const struct sb_watch_call *call, unsigned i,
		    const struct watch_name *name, const char *within, int outcome)
{
	const struct sb_touch *t = &call->touches.touch[i];
	const char *real = watch_real(w, name, within, call->pid);
	struct sb_event ev = {
		.kind = t->kind,
		.op = t->op,
		.existed = SB_TRI_UNKNOWN,
		.outcome = outcome,
		.process = (uint32_t)call->number,
		.count = 1,
		.path = watch_shown(w, name, within),
		.real = real,
		.by = call->target && outcome <= 0 ? call->text.s + call->target : NULL,
		.backend = w->spec.backend,
	};

	if (!ev.path) {
		sb_sink_lost(w->spec.sink, 1);
		return;
	}
	watch_deliver(w, &ev);
	if (t->kind == SB_WRITE && outcome == 0 && real)
		sb_sink_existed(w->spec.sink, real, existed(call, i));
}

void watch_tell(struct sb_watch *w, struct sb_watch_call *call, unsigned i, int outcome)
{
	if (call->names[i].there)
		deliver(w, call, i, &call->names[i], call->text.s + call->names[i].at, outcome);
}

void watch_tell_births(struct sb_watch *w, struct sb_watch_call *call)
{
	for (unsigned i = 0; i < call->touches.count; i++) {
		const struct watch_name *name = &call->names[i];
		const char *real;

		if (call->touches.touch[i].kind != SB_WRITE || !name->there || name->outcome ||
		    existed(call, i) != SB_NO)
			continue;
		real = watch_real(w, name, call->text.s + name->at, call->pid);
		if (real)
			sb_sink_existed(w->spec.sink, real, SB_NO);
	}
}

/* A file opened by its handle has no name until it is open. */
static void tell_handle(struct sb_watch *w, struct sb_watch_call *call, long result)
{
	const struct watch_thread *t = watch_find_thread(w, call->tid);

	if (result < 0 || !t)
		return;
	for (unsigned i = 0; i < call->touches.count; i++) {
		watch_absolute(w, t, (int)result, "", &call->text, &call->names[i]);
		watch_tell(w, call, i, 0);
	}
}

/* No errno that says anything about a path, of this call. */
static bool says_nothing(const struct sb_watch_call *call, int failed)
{
	const struct sb_touches *touches = &call->touches;

	switch (failed) {
	case EFAULT:
	case ENOSYS:
		return true;
	case EBADF:
	case ENOTSOCK:
	case EINVAL:
		return touches->row->act == SB_ACT_SOCKET || touches->row->act == SB_ACT_SOCKETS;
	default:
		return failed >= RESTART_FIRST && failed <= RESTART_LAST;
	}
}

/* What the call came to, for one of its paths. */
static int outcome_of(const struct sb_watch_call *call, unsigned i, int failed)
{
	const struct sb_touch *t = &call->touches.touch[i];

	/* The file was found. */
	if (call->touches.row->act == SB_ACT_ATTRIBUTE && t->kind == SB_STAT &&
	    (failed == ENODATA || failed == ERANGE || failed == EOPNOTSUPP))
		return 0;
	/* About the new name alone, and told after the old one was found. */
	if (call->touches.row->op == SB_OP_LINK && i == 0 && failed == EEXIST)
		return 0;
	if (t->op == SB_OP_MKNOD && failed == EADDRINUSE)
		return EEXIST;
	return failed;
}

/* Calls that bear on the watching itself. */
static void tell_bearing(struct sb_watch *w, const struct sb_watch_call *call, long result)
{
	struct watch_process *p = watch_find_process(w, call->pid);

	if (!p)
		return;
	if (call->touches.row->act == SB_ACT_URING && result >= 0 && !p->uring) {
		p->uring = true;
		sb_sink_blind(w->spec.sink, SB_BLIND_URING, p->exe, 1);
	}
	if ((call->touches.row->act == SB_ACT_PTRACE && result == -EPERM) ||
	    call->touches.row->act == SB_ACT_FILTER)
		sb_sink_blind(w->spec.sink, SB_BLIND_DEBUGGER, p->exe, 1);
}

void watch_tell_result(struct sb_watch *w, struct sb_watch_call *call, long result)
{
	const struct sb_syscall *row = call->touches.row;
	int failed = result < 0 ? (int)-result : 0;

	tell_bearing(w, call, result);
	if (row->act == SB_ACT_HANDLE) {
		tell_handle(w, call, result);
	} else if (says_nothing(call, failed) || (row->act == SB_ACT_LIST && failed)) {
		return;
	} else if (row->act == SB_ACT_EXEC) {
		watch_tell_exec(w, call, failed, NULL);
	} else {
		for (unsigned i = 0; i < call->touches.count; i++)
			watch_tell(w, call, i, outcome_of(call, i, failed));
	}
}

static void forget_exec(struct sb_watch *w, const struct sb_watch_call *call)
{
	struct watch_thread *t = watch_find_thread(w, call->tid);

	if (t && t->exec == call)
		t->exec = NULL;
}

bool sb_watch_holds(const struct sb_watch_call *call)
{
	if (call->touches.row->act == SB_ACT_HANDLE || call->touches.row->act == SB_ACT_EXEC)
		return true;
	for (unsigned i = 0; i < call->touches.count; i++) {
		const struct watch_name *name = &call->names[i];
		const char *within = call->text.s + name->at;

		if (name->there && (name->place.foreign || sb_path_below(within, "/proc") ||
				    sb_path_below(within, "/dev")))
			return true;
	}
	return false;
}

void sb_watch_leave(struct sb_watch *w, struct sb_watch_call *call, long result)
{
	watch_moved(w, call, result);
	watch_tell_result(w, call, result);
	forget_exec(w, call);
	watch_give_call(w, call);
}

void sb_watch_cut(struct sb_watch *w, struct sb_watch_call *call)
{
	watch_moved(w, call, 0);
	/* An exec that was overtaken by another thread's end did nothing. */
	if (call->touches.row->act != SB_ACT_EXEC)
		for (unsigned i = 0; i < call->touches.count; i++)
			watch_tell(w, call, i, SB_OUTCOME_UNKNOWN);
	forget_exec(w, call);
	watch_give_call(w, call);
}

void sb_watch_drop(struct sb_watch *w, struct sb_watch_call *call)
{
	watch_moved(w, call, 0);
	forget_exec(w, call);
	watch_give_call(w, call);
}
