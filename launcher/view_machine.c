/* What every machine has its own of: processes, devices, names of users and hosts. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "launcher/view.h"

/* lstat or stat of a path of this machine. */
static bool is_type(const struct launch_view *view, const char *path, mode_t type, bool follow)
{
	auto_buf full = SB_BUF_INIT;
	struct stat st;

	if (sb_in_root(&full, view->machine, path) < 0)
		return false;
	return (follow ? stat(full.s, &st) : lstat(full.s, &st)) == 0 &&
	       (st.st_mode & S_IFMT) == type;
}

static int add_link(const struct launch_view *view, struct launch_ops *ops, const char *target,
		    const char *dest, struct sb_err *err)
{
	struct launch_op op = {.kind = LAUNCH_LINK, .source = (char *)target, .dest = (char *)dest};

	return launch_view_add(view, ops, &op, err);
}

/* A file of this machine over a file of the payload. 0 where this machine has none. */
static int add_file(const struct launch_view *view, struct launch_ops *ops,
		    enum launch_op_kind kind, const char *path, struct sb_err *err)
{
	struct launch_op bind = {.kind = kind, .optional = true};
	struct launch_op file = {.kind = LAUNCH_FILE, .optional = true};

	bind.source = bind.dest = file.dest = (char *)path;
	int rc = launch_view_add(view, ops, &file, err);
	return rc < 0 ? rc : launch_view_add(view, ops, &bind, err);
}

/*
 * A node that is bound by itself finds no terminals: it looks for them beside the file that it is a
 * bind of (fs/devpts/inode.c, path_pts). The whole directory is out of the way, for this alone.
 */
static int add_ptmx_node(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	struct launch_op dir = {.kind = LAUNCH_DIR, .mode = 0755, .optional = true};
	struct launch_op all = {.kind = LAUNCH_BIND, .optional = true, .source = (char *)"/dev"};
	int rc;

	dir.dest = all.dest = (char *)"/dev/.machine";
	rc = launch_view_add(view, ops, &dir, err);
	if (rc >= 0)
		rc = launch_view_add(view, ops, &all, err);
	return rc < 0 ? rc : add_link(view, ops, ".machine/ptmx", "/dev/ptmx", err);
}

/* Whether a program of this machine could open a terminal of its own. */
static bool opens_terminals(const struct launch_view *view)
{
	auto_buf full = SB_BUF_INIT;

	return sb_in_root(&full, view->machine, "/dev/ptmx") == 0 &&
	       access(full.s, R_OK | W_OK) == 0;
}

static int add_terminals(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	struct launch_op pts = {.kind = LAUNCH_PTS, .optional = true, .dest = (char *)"/dev/pts"};
	struct launch_op dir = {.kind = LAUNCH_DIR, .mode = 0755, .dest = (char *)"/dev/pts"};
	bool shared = is_type(view, "/dev/pts", S_IFDIR, true) && opens_terminals(view);
	int rc = launch_view_add(view, ops, &dir, err);

	/* This machine's terminals, so that ttyname(3) of the ones we were given still works. */
	if (rc >= 0 && shared) {
		pts.kind = LAUNCH_BIND;
		pts.source = pts.dest;
	}
	if (rc >= 0)
		rc = launch_view_add(view, ops, &pts, err);
	if (rc < 0)
		return rc;
	if (shared && is_type(view, "/dev/ptmx", S_IFCHR, false))
		return add_ptmx_node(view, ops, err);
	return add_link(view, ops, "pts/ptmx", "/dev/ptmx", err);
}

/* Whoever works in /dev/shm has it as it is; the others get one that vanishes with the program. */
static bool lives_in_shm(const struct launch_view *view)
{
	return !view->entry->cwd && ((view->cwd && sb_path_below(view->cwd, "/dev/shm")) ||
				     (view->home && sb_path_below(view->home, "/dev/shm")));
}

int launch_view_devices(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	static const char *const nodes[] = {"/dev/null",   "/dev/zero",	   "/dev/full",
					    "/dev/random", "/dev/urandom", "/dev/tty"};
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};
	struct launch_op proc = {.kind = LAUNCH_PROC, .optional = true, .dest = (char *)"/proc"};
	struct launch_op dev = {.kind = LAUNCH_TMPFS, .mode = 0755, .dest = (char *)"/dev"};
	struct launch_op dir = {.kind = LAUNCH_DIR, .mode = 01777, .dest = (char *)"/dev/shm"};
	struct launch_op shm = {.kind = LAUNCH_BIND, .optional = true};
	int rc = launch_view_add(view, ops, &proc, err);

	if (rc >= 0)
		rc = launch_view_add(view, ops, &dev, err);
	/* An empty file that only looks like /dev/null is worse than none: only what is there. */
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes && rc >= 0; i++)
		if (is_type(view, nodes[i], S_IFCHR, true))
			rc = add_file(view, ops, LAUNCH_BIND, nodes[i], err);
	for (size_t i = 0; i < sizeof links / sizeof *links && rc >= 0; i++)
		rc = add_link(view, ops, links[i][0], links[i][1], err);
	if (rc >= 0)
		rc = add_link(view, ops, view->mark, LAUNCH_VIEW_MARK, err);
	if (rc >= 0)
		rc = add_terminals(view, ops, err);
	if (rc >= 0)
		rc = launch_view_add(view, ops, &dir, err);
	shm.source = shm.dest = dir.dest;
	if (rc >= 0 && lives_in_shm(view))
		rc = launch_view_add(view, ops, &shm, err);
	return rc < 0 ? rc : 0;
}

/* Whether a line of passwd(5) is about `uid`. */
static bool is_user(const char *line, uid_t uid)
{
	char wanted[32];

	(void)snprintf(wanted, sizeof wanted, ":%u:", (unsigned)uid);
	for (int field = 0; line && field < 2; field++) {
		line = strchr(line, ':');
		if (line && field == 0)
			line++;
	}
	return line && strncmp(line, wanted, strlen(wanted)) == 0;
}

/* Reads this machine's passwd; tells whether it has the caller. */
static bool read_passwd(const struct launch_view *view, struct sb_buf *ret)
{
	auto_buf path = SB_BUF_INIT;
	char piece[4096];
	ssize_t n;

	if (sb_in_root(&path, view->machine, "/etc/passwd") < 0)
		return false;
	auto_fd int fd = open(path.s, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
		if (sb_buf_add(ret, piece, (size_t)n) < 0)
			return false;
	for (const char *line = ret->s; line && *line;) {
		if (is_user(line, view->uid))
			return true;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

/* A login name that can stand in a line of passwd(5). */
static const char *user_name(const struct launch_view *view)
{
	const char *name = view->user ? view->user : "";

	if (!*name || strpbrk(name, ":\n/"))
		return view->uid ? "user" : "root";
	return name;
}

static int add_text(const struct launch_view *view, struct launch_ops *ops, const char *dest,
		    const char *text, struct sb_err *err)
{
	struct launch_op op = {.kind = LAUNCH_TEXT, .mode = 0644, .optional = true};

	op.source = (char *)text;
	op.dest = (char *)dest;
	return launch_view_add(view, ops, &op, err);
}

static int add_passwd(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	auto_buf text = SB_BUF_INIT;
	const char *home = view->home && view->home[0] == '/' ? view->home : "/";

	if (read_passwd(view, &text))
		return add_file(view, ops, LAUNCH_SHOW, "/etc/passwd", err);
	if (text.len && text.s[text.len - 1] != '\n' && sb_buf_putc(&text, '\n') < 0)
		return sb_fail(err, ENOMEM, "make up a passwd line");
	if (sb_buf_printf(&text, "%s:x:%u:%u::%s:/bin/sh\n", user_name(view), (unsigned)view->uid,
			  (unsigned)view->gid, strpbrk(home, ":\n") ? "/" : home) < 0)
		return sb_fail(err, ENOMEM, "make up a passwd line");
	return add_text(view, ops, "/etc/passwd", text.s, err);
}

/*
 * Mostly a link: the time zone's name is what it holds, and programs read it. The payload need not
 * have that zone. UTC goes without its name: what programs take for a zone without one is that. So
 * does a layer that is kept: what it has of the last run's zone would be in the way.
 */
static bool names_zone(const struct launch_view *view, const char *path, char *ret, size_t size)
{
	auto_buf link = SB_BUF_INIT, own = SB_BUF_INIT;
	struct stat st;

	if (view->kept || sb_in_root(&link, view->machine, path) < 0 ||
	    sb_in_root(&own, view->payload, path) < 0)
		return false;
	ssize_t n = readlink(link.s, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	/* A bundle that was told to have one of its own shows it where there is none here. */
	return strstr(ret, "/zoneinfo/") && strcmp(ret + n - 3, "UTC") != 0 &&
	       (lstat(own.s, &st) < 0 || st.st_size == 0);
}

/* A zone that this machine has, where the payload has none of its name. */
static int add_zone(const struct launch_view *view, struct launch_ops *ops, const char *dir,
		    const char *name, struct sb_err *err)
{
	struct launch_op file = {.kind = LAUNCH_FILE, .optional = true, .point = true};
	struct launch_op bind = {.kind = LAUNCH_SHOW, .optional = true};
	auto_buf zone = SB_BUF_INIT, own = SB_BUF_INIT;
	struct stat st;

	if (sb_path_absolute(&zone, dir, name) < 0 || sb_in_root(&own, view->payload, zone.s) < 0)
		return sb_fail(err, ENOMEM, "find the time zone");
	if (lstat(own.s, &st) == 0 || !is_type(view, zone.s, S_IFREG, true))
		return 0;
	file.dest = bind.source = bind.dest = zone.s;
	int rc = launch_view_add(view, ops, &file, err);
	return rc < 0 ? rc : launch_view_add(view, ops, &bind, err);
}

static int add_localtime(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	static const char dest[] = "/etc/localtime";
	char target[PATH_MAX];
	struct launch_op link = {
		.kind = LAUNCH_LINK, .optional = true, .source = target, .dest = (char *)dest};

	if (!names_zone(view, dest, target, sizeof target))
		return add_file(view, ops, LAUNCH_SHOW, dest, err);
	int rc = launch_view_add(view, ops, &link, err);
	return rc < 0 ? rc : add_zone(view, ops, "/etc", target, err);
}

/* Of the user's TZ: a program that does not find its zone takes it for UTC, without a word. */
static int add_user_zone(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	const char *name = view->zone ? view->zone : "";

	name += *name == ':';
	if (view->kept || !*name || *name == '/' || strstr(name, ".."))
		return 0;
	return add_zone(view, ops, "/usr/share/zoneinfo", name, err);
}

int launch_view_files(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	static const char *const files[] = {"/etc/resolv.conf", "/etc/hostname", "/etc/group",
					    "/etc/timezone", "/etc/machine-id"};
	int rc = add_passwd(view, ops, err);

	if (rc >= 0 && is_type(view, "/etc/hosts", S_IFREG, true))
		rc = add_file(view, ops, LAUNCH_SHOW, "/etc/hosts", err);
	else if (rc >= 0)
		rc = add_text(view, ops, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", err);
	if (rc >= 0 && is_type(view, "/etc/localtime", S_IFREG, true))
		rc = add_localtime(view, ops, err);
	if (rc >= 0)
		rc = add_user_zone(view, ops, err);
	for (size_t i = 0; i < sizeof files / sizeof *files && rc >= 0; i++)
		if (is_type(view, files[i], S_IFREG, true))
			rc = add_file(view, ops, LAUNCH_SHOW, files[i], err);
	return rc < 0 ? rc : 0;
}
