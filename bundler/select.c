#include "bundler/select.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/rules.h"
#include "bundler/writes.h"
#include "common/cleanup.h"
#include "common/path.h"

/* As the kernel follows. */
#define LINKS_MOST 40

/* One trace on its way into a set. */
struct selection {
	struct sb_fileset *set;
	const struct sb_trace *trace;
	const struct sb_rules *rules;
	struct sb_remarks *remarks;
	struct sb_writes writes;
	bool replay;
	struct sb_buf cwd;  /* real directory that the trace was taken in; "/" counts as none */
	struct sb_buf real; /* of the event at hand */
};

const char *sb_globs_match(const char *const *globs, const char *path)
{
	for (; globs && *globs; globs++) {
		auto_buf above = SB_BUF_INIT;
		const char *slash = path;

		if (sb_buf_set(&above, path) < 0)
			return NULL;
		while (slash) {
			if (sb_glob_match(*globs, above.s))
				return *globs;
			slash = strrchr(above.s, '/');
			if (slash == above.s)
				break;
			if (slash)
				sb_buf_cut(&above, (size_t)(slash - above.s));
		}
	}
	return NULL;
}

static int remark(struct selection *s, enum sb_remark_kind kind, const char *path,
		  struct sb_err *err)
{
	return sb_remark(s->remarks, kind, path, NULL) < 0 ? sb_fail(err, ENOMEM, "read a trace")
							   : 0;
}

/* Not by inode: a restored copy is the same file. */
static bool is_one_of(const struct sb_trace *trace, const struct sb_trace_file *was,
		      const struct stat *st)
{
	for (; was; was = sb_trace_other_file(trace, was))
		if ((off_t)was->size == st->st_size && was->mtime == st->st_mtim.tv_sec &&
		    was->mtime_ns == (uint32_t)st->st_mtim.tv_nsec)
			return true;
	return false;
}

/* Says how a file differs from what the trace saw, where it does. */
static int compare(struct selection *s, const char *real, struct sb_err *err)
{
	const struct sb_item *item = sb_fileset_find(s->set, real);
	const struct sb_trace_file *was = sb_trace_find_file(s->trace, real);

	if (!item || item->type != SB_ITEM_FILE)
		return 0;
	if (was && S_ISREG(was->mode) && !is_one_of(s->trace, was, &item->st))
		return remark(s, SB_REMARK_CHANGED, real, err);
	if (sb_writes_changed(&s->writes, real) &&
	    item->st.st_mtim.tv_sec >= s->trace->header.started)
		return remark(s, SB_REMARK_REWRITTEN, real, err);
	return 0;
}

/*
 * By its real name, where the one that the program used was, or led through, a link or a directory
 * that only the run had.
 */
static int add_real(struct selection *s, const char *path, unsigned flags, bool sure,
		    const struct sb_reason *why, struct sb_err *err)
{
	struct sb_err failed = SB_ERR_INIT;
	auto_buf behind = SB_BUF_INIT, next = SB_BUF_INIT;
	const char *real;

	/* By way of the links that were there, which a replay needs, too. */
	if (sb_buf_set(&behind, path) < 0)
		return sb_fail(err, ENOMEM, "read a trace");
	for (int i = 0; i < LINKS_MOST; i++) {
		struct sb_buf swap = behind;

		if (!sb_writes_through(&s->writes, s->set->root, behind.s, &next))
			break;
		behind = next;
		next = swap;
		if (sb_fileset_add(s->set, behind.s, flags, why, &real, &failed) == -ENOMEM)
			return sb_fail(err, ENOMEM, "read a trace");
	}
	int rc = sb_fileset_add(s->set, s->real.s, flags, why, &real, &failed);
	if (rc >= 0)
		return rc ? compare(s, real, err) : 0;
	if (rc == -ENOMEM) {
		*err = failed;
		return rc;
	}
	return sure ? remark(s, SB_REMARK_GONE, s->real.s, err) : 0;
}

/* Whether the trace had a file by that name, and not the link itself. */
static bool had_file(const struct selection *s, const char *real)
{
	const struct sb_trace_file *file = sb_trace_find_file(s->trace, real);

	return file && !S_ISLNK(file->mode);
}

/* Adds; what cannot be added gets its remark. `sure`: the trace knows that it was there. */
static int add(struct selection *s, const char *path, unsigned flags, bool sure,
	       const struct sb_reason *why, struct sb_err *err)
{
	struct sb_err failed = SB_ERR_INIT;
	const char *real;
	int rc = sb_fileset_add(s->set, path, flags, why, &real, &failed);

	if (rc >= 0)
		return rc ? compare(s, real, err) : 0;
	switch (rc) {
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
		if (sure && strcmp(path, s->real.s) != 0 && sb_writes_made(&s->writes, path))
			return add_real(s, path, flags, true, why, err);
		/* The link itself may be what was looked at. */
		if (!(flags & SB_FILESET_NOFOLLOW)) {
			/* Unless the trace had a file at its end. */
			if (sure && had_file(s, s->real.s) &&
			    remark(s, SB_REMARK_GONE, s->real.s, err) < 0)
				return -ENOMEM;
			return add(s, path, SB_FILESET_NOFOLLOW, sure, why, err);
		}
		return sure ? remark(s, SB_REMARK_GONE, path, err) : 0;
	case -EACCES:
		return sure ? remark(s, SB_REMARK_UNREADABLE, path, err) : 0;
	case -ENAMETOOLONG:
		return sure ? remark(s, SB_REMARK_LONG, path, err) : 0;
	case -ENOTSUP:
		return remark(s, SB_REMARK_SPECIAL, path, err);
	default:
		*err = failed;
		return rc;
	}
}

static int add_hop(void *arg, const char *link, const char *target, struct sb_err *err)
{
	struct selection *s = arg;
	struct sb_reason why = {.why = SB_WHY_LINK, .from = s->real.s};

	(void)target;
	return sb_is_system_path(link) ? 0 : add(s, link, SB_FILESET_NOFOLLOW, false, &why, err);
}

/* A path that ends below /proc and the like: only the links that led there come along. */
static int add_way_out(struct selection *s, const char *path, struct sb_err *err)
{
	auto_buf end = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;

	(void)sb_resolve(s->set->root, path, SB_RESOLVE_MISSING, add_hop, s, &end, &ignored);
	return remark(s, SB_REMARK_SYSTEM, s->real.s, err);
}

static int take(struct selection *s, const char *path, unsigned flags, bool sure,
		const struct sb_reason *why, struct sb_err *err);

/* What the run made is no part of a payload; what it renamed is, by the name that it had before. */
static int take_made(struct selection *s, unsigned flags, const struct sb_reason *why,
		     struct sb_err *err)
{
	auto_buf before = SB_BUF_INIT;

	if (!sb_writes_before(&s->writes, s->real.s, &before))
		return remark(s, SB_REMARK_MADE, s->real.s, err);
	if (sb_buf_set(&s->real, before.s) < 0)
		return sb_fail(err, ENOMEM, "read a trace");
	/* That one was not made. Where it is gone, its own event says so. */
	return take(s, before.s, flags, false, why, err);
}

/* Adds `path`, whose real path is in s->real, if it belongs into a payload at all. */
static int take(struct selection *s, const char *path, unsigned flags, bool sure,
		const struct sb_reason *why, struct sb_err *err)
{
	const char *real = s->real.s;

	if (sb_globs_match(s->rules->include, path) || sb_globs_match(s->rules->include, real))
		return add(s, path, flags, sure, why, err);
	if (sb_is_target_file(path) || sb_is_target_file(real))
		return remark(s, SB_REMARK_TARGET, sb_is_target_file(path) ? path : real, err);
	if (sb_writes_made(&s->writes, real))
		return take_made(s, flags, why, err);
	if (sb_is_system_path(real))
		return sb_is_system_path(path) ? remark(s, SB_REMARK_SYSTEM, real, err)
					       : add_way_out(s, path, err);
	if (!sb_is_system_path(path))
		return add(s, path, flags, sure, why, err);
	/* /proc/self/exe and its like: what it names is wanted, the link is not. A descriptor may
	 * be of what never had a name, or has none any more. */
	return sb_is_nameless(real) ? remark(s, SB_REMARK_SYSTEM, path, err)
				    : add(s, real, flags, sure, why, err);
}

/* Whether a name in a listed directory is there only because we made it, or are about to. */
static bool is_own(const struct selection *s, int dirfd, const char *name, const char *path)
{
	struct statx stx;

	for (const char *const *own = s->rules->own; own && *own; own++) {
		if (!sb_path_below(*own, path))
			continue;
		if (strcmp(*own, path) == 0)
			return true;
		/* A directory above a bundle of ours: older than the trace, or made with the
		 * bundle? */
		return statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) < 0 ||
		       !(stx.stx_mask & STATX_BTIME) ||
		       stx.stx_btime.tv_sec >= s->trace->header.started;
	}
	return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int take_member(struct selection *s, int dirfd, const char *dir, const char *name,
		       const struct sb_reason *why, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_path_absolute(&path, dir, name) < 0 || sb_buf_set(&s->real, path.s) < 0)
		return sb_fail(err, ENOMEM, "read a trace");
	if (is_own(s, dirfd, name, path.s))
		return 0;
	return take(s, path.s, SB_FILESET_NOFOLLOW, false, why, err);
}

/* So many members, at most, of the directory whose real path is in s->real. */
static int take_members(struct selection *s, int most, const struct sb_reason *why,
			struct sb_err *err)
{
	auto_buf dir = SB_BUF_INIT, source = SB_BUF_INIT;
	struct dirent **entries = NULL;
	int rc = 0;

	if (sb_buf_set(&dir, s->real.s) < 0 || sb_in_root(&source, s->set->root, dir.s) < 0)
		return sb_fail(err, ENOMEM, "read a trace");
	auto_fd int fd = open(source.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* In one order everywhere, so that the reasons are the same everywhere. */
	int n = fd < 0 ? 0 : scandirat(fd, ".", &entries, NULL, by_name);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (rc == 0 && most && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			rc = take_member(s, fd, dir.s, name, why, err);
			most--;
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* The directory that a written file is in. */
static int take_parent(struct selection *s, bool sure, const struct sb_reason *why,
		       struct sb_err *err)
{
	char *slash = strrchr(s->real.s, '/');

	sb_buf_cut(&s->real, slash == s->real.s ? 1 : (size_t)(slash - s->real.s));
	auto_free char *dir = strdup(s->real.s);
	return dir ? take(s, dir, 0, sure, why, err) : sb_fail(err, ENOMEM, "read a trace");
}

static int take_write(struct selection *s, const struct sb_event *ev, const struct sb_reason *why,
		      struct sb_err *err)
{
	bool sure = ev->outcome == 0;
	bool itself = ev->op != SB_OP_OPEN;
	int rc = 0;

	if (sb_writes_changed(&s->writes, s->real.s))
		rc = take(s, ev->path, itself ? SB_FILESET_NOFOLLOW : 0, sure, why, err);
	return rc < 0 ? rc : take_parent(s, sure, why, err);
}

/* A descriptor of a process that is gone cannot be followed; nothing is missed by that. */
static enum sb_remark_kind unfound(const char *path)
{
	return sb_is_system_path(path) ? SB_REMARK_SYSTEM : SB_REMARK_GONE;
}

/* What failed because there is something of that name: without it, it would not. */
static bool proves_existence(const struct sb_event *ev)
{
	switch (ev->outcome) {
	case EEXIST:
	case EISDIR:
	case ENOTEMPTY:
	case ELOOP:
		return true;
	case EINVAL:
		return ev->kind == SB_READLINK;
	case EACCES:
	case ENOEXEC:
		return ev->kind == SB_EXEC;
	default:
		return false;
	}
}

/* The directory that the program was run in, which many list, whatever they are to do. */
static bool is_bystander(const struct selection *s)
{
	return !s->replay && s->cwd.len > 1 && strcmp(s->real.s, s->cwd.s) == 0;
}

static int take_event(struct selection *s, const struct sb_event *ev, struct sb_err *err)
{
	struct sb_err failed = SB_ERR_INIT;
	struct sb_reason why = {.why = SB_WHY_TRACED, .detail = sb_kind_name(ev->kind)};

	bool exists = proves_existence(ev);

	if ((ev->outcome > 0 && !exists) || ev->kind == SB_SEARCH || ev->kind == SB_CONNECT)
		return 0;
	if (ev->process < s->trace->process_count)
		why.from = s->trace->processes[ev->process].exe;
	int rc = sb_event_real(ev, s->set->root, &s->real, &failed);
	if (rc < 0)
		return ev->outcome ? 0 : remark(s, unfound(ev->path), ev->path, err);
	if (is_bystander(s))
		return 0;
	/* Nor is anything missed should it be gone by now. */
	if (exists) {
		if (ev->kind == SB_EXEC && sb_writes_made(&s->writes, ev->path) &&
		    !sb_writes_made(&s->writes, s->real.s) && !sb_is_system_path(s->real.s))
			return add_real(s, ev->path, 0, false, &why, err);
		rc = take(s, ev->path, SB_FILESET_NOFOLLOW, false, &why, err);
		/* Any of them is enough. */
		return rc == 0 && ev->outcome == ENOTEMPTY && !sb_writes_made(&s->writes, s->real.s)
			       ? take_members(s, 1, &why, err)
			       : rc;
	}
	if (ev->kind == SB_WRITE)
		return take_write(s, ev, &why, err);
	rc = take(s, ev->path, ev->kind == SB_READLINK ? SB_FILESET_NOFOLLOW : 0, ev->outcome == 0,
		  &why, err);
	if (rc == 0 && ev->kind == SB_LIST && s->cwd.len > 1 && sb_path_below(s->real.s, s->cwd.s))
		/* All of a directory that was listed below the directory of the trace. */
		rc = take_members(s, INT_MAX, &why, err);
	return rc;
}

static int remark_gaps(struct selection *s, struct sb_err *err)
{
	const struct sb_trace_end *end = &s->trace->end;
	const char *command = s->trace->header.argv ? s->trace->header.argv[0] : NULL;
	int rc = 0;

	if (!command)
		command = "?";
	if (!end->closed)
		rc = sb_remark(s->remarks, SB_REMARK_TRACE, command,
			       "it was cut short: trace again, or expect files to be missing");
	else if (end->lost)
		rc = sb_remark(s->remarks, SB_REMARK_TRACE, command,
			       "events were lost: trace again, or expect files to be missing");
	for (size_t i = 0; i < end->blind_count && rc == 0; i++)
		rc = sb_remark(s->remarks, SB_REMARK_BLIND,
			       end->blind[i].path ? end->blind[i].path : "a process",
			       sb_blind_text(end->blind[i].blind));
	return rc < 0 ? sb_fail(err, ENOMEM, "read a trace") : 0;
}

int sb_select_trace(struct sb_fileset *set, const struct sb_trace *trace, bool replay,
		    const struct sb_rules *rules, struct sb_remarks *remarks, struct sb_err *err)
{
	struct selection s = {
		.set = set, .trace = trace, .replay = replay, .rules = rules, .remarks = remarks};
	struct sb_err ignored = SB_ERR_INIT;
	int rc = sb_writes_read(&s.writes, trace, set->root, err);

	if (trace->header.cwd)
		(void)sb_resolve(set->root, trace->header.cwd, SB_RESOLVE_MISSING, NULL, NULL,
				 &s.cwd, &ignored);
	for (size_t i = 0; i < trace->event_count && rc == 0; i++)
		rc = take_event(&s, &trace->events[i], err);
	if (rc == 0)
		rc = remark_gaps(&s, err);
	sb_writes_free(&s.writes);
	sb_buf_free(&s.cwd);
	sb_buf_free(&s.real);
	return rc;
}
