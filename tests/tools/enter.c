/*
 * Runs a command on "another machine": a root directory of its own, this kernel. For the tests.
 *
 *   enter --root DIR [--ro-bind SRC DST]... [--bind SRC DST]... [--user-only] [--as-root]
 *         -- COMMAND...
 *   enter --probe [--user-only]        exits 0 where it would work
 *
 * The new / is a tmpfs with the top of DIR bound into it read-only, the kernel's /proc, a few
 * devices, and empty, writable /tmp and /home/tester. Installed set-id root it mounts as root and
 * becomes its caller again; without that, or with --user-only, it uses a user namespace. --as-root
 * is root of a user namespace there, whose files are the caller's.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEW "/tmp"

struct bind {
	const char *src, *dst;
	bool writable;
};

static uid_t uid;
static gid_t gid;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(125, "write %s", path);
	close(fd);
}

static void own_user_namespace(uid_t inner_uid, gid_t inner_gid)
{
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		err(125, "unshare: user namespaces are refused here");
	write_file("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof map, "%u %u 1", inner_uid, uid);
	write_file("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof map, "%u %u 1", inner_gid, gid);
	write_file("/proc/self/gid_map", map);
}

static void make_parents(const char *path)
{
	char part[4096];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		(void)snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			err(125, "mkdir %s", part);
	}
}

static void bind_over(const char *src, const char *dst, bool writable, unsigned long more)
{
	struct stat st;

	if (stat(src, &st) < 0)
		err(125, "%s", src);
	make_parents(dst);
	if (S_ISDIR(st.st_mode))
		(void)mkdir(dst, 0755);
	else
		close(open(dst, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	if (mount(src, dst, NULL, MS_BIND | more, NULL) < 0)
		err(125, "bind %s", src);
	if (writable)
		return;
	/* In a user namespace the flags of the original mount are locked: keep what it has. */
	if (mount(NULL, dst, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0 &&
	    mount(NULL, dst, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) <
		    0)
		err(125, "make %s read-only", dst);
}

/* Top level of the root, entry by entry, so that mount points need not exist in it. */
static void bind_root(const char *root)
{
	static const char *const own[] = {".", "..", "proc", "dev", "tmp", "home", "sys", "run"};
	DIR *dir = opendir(root);

	if (!dir)
		err(125, "%s", root);
	for (struct dirent *e; (e = readdir(dir));) {
		char src[4096], dst[4096], link[4096];
		bool skip = false;

		for (size_t i = 0; i < sizeof own / sizeof *own; i++)
			skip |= strcmp(e->d_name, own[i]) == 0;
		if (skip)
			continue;
		(void)snprintf(src, sizeof src, "%s/%s", root, e->d_name);
		(void)snprintf(dst, sizeof dst, NEW "/%s", e->d_name);
		ssize_t len = readlink(src, link, sizeof link - 1);
		if (len >= 0) {
			link[len] = '\0';
			if (symlink(link, dst) < 0)
				err(125, "symlink %s", dst);
		} else {
			bind_over(src, dst, false, MS_REC);
		}
	}
	closedir(dir);
}

static void bind_devices(void)
{
	static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
	char src[64], dst[64];

	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		(void)snprintf(src, sizeof src, "/dev/%s", devices[i]);
		(void)snprintf(dst, sizeof dst, NEW "/dev/%s", devices[i]);
		bind_over(src, dst, true, 0);
	}
	if (symlink("/proc/self/fd", NEW "/dev/fd") < 0 ||
	    symlink("/proc/self/fd/0", NEW "/dev/stdin") < 0 ||
	    symlink("/proc/self/fd/1", NEW "/dev/stdout") < 0 ||
	    symlink("/proc/self/fd/2", NEW "/dev/stderr") < 0)
		err(125, "symlinks in /dev");
	(void)mkdir(NEW "/dev/shm", 0777);
	(void)chmod(NEW "/dev/shm", 01777);
	if (mkdir(NEW "/dev/pts", 0755) == 0)
		bind_over("/dev/pts", NEW "/dev/pts", true, 0);
}

/* /tmp of the outside is hidden by the new root: what lies there is reached through a descriptor.
 */
static char *held(const char *path)
{
	char *name;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		err(125, "%s", path);
	if (asprintf(&name, "/proc/self/fd/%d", fd) < 0)
		err(125, "memory");
	return name;
}

static void build_root(const char *root, struct bind *binds, int count)
{
	char *kept_root = held(root);

	for (int i = 0; i < count; i++)
		binds[i].src = held(binds[i].src);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		err(125, "private mounts");
	if (mount("tmpfs", NEW, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		err(125, "mount a tmpfs");
	bind_root(kept_root);
	(void)mkdir(NEW "/dev", 0755);
	(void)mkdir(NEW "/run", 0755);
	(void)mkdir(NEW "/tmp", 0777);
	(void)chmod(NEW "/tmp", 01777);
	(void)mkdir(NEW "/home", 0755);
	if (mkdir(NEW "/home/tester", 0755) < 0 || chown(NEW "/home/tester", uid, gid) < 0)
		err(125, "make a home");
	bind_over("/proc", NEW "/proc", true, MS_REC);
	bind_devices();
	for (int i = 0; i < count; i++) {
		char dst[4096];

		(void)snprintf(dst, sizeof dst, NEW "%s", binds[i].dst);
		bind_over(binds[i].src, dst, binds[i].writable, MS_REC);
	}
	if (chdir(NEW) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		err(125, "pivot_root");
}

static void become_caller(bool user)
{
	if (!user && (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
		err(125, "become the caller again");
	(void)setenv("HOME", "/home/tester", 1);
	(void)setenv("TMPDIR", "/tmp", 1);
	(void)unsetenv("XDG_CACHE_HOME");
	(void)setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
}

static int usage(void)
{
	fputs("usage: enter --root DIR [--ro-bind SRC DST] [--bind SRC DST] [--user-only] "
	      "[--as-root] -- COMMAND...\n",
	      stderr);
	return 125;
}

int main(int argc, char **argv)
{
	const char *root = NULL;
	struct bind binds[16];
	int count = 0, i = 1;
	bool probe = false, as_root = false, user = geteuid() != 0;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool ro = strcmp(argv[i], "--ro-bind") == 0;

		if (strcmp(argv[i], "--probe") == 0) {
			probe = true;
		} else if (strcmp(argv[i], "--user-only") == 0) {
			user = true;
		} else if (strcmp(argv[i], "--as-root") == 0) {
			as_root = true;
		} else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
			root = argv[++i];
		} else if ((ro || strcmp(argv[i], "--bind") == 0) && i + 2 < argc && count < 16) {
			binds[count++] = (struct bind){argv[i + 1], argv[i + 2], !ro};
			i += 2;
		} else {
			return usage();
		}
	}
	if (!probe && (!root || i + 1 >= argc))
		return usage();
	uid = getuid();
	gid = getgid();
	if (user) {
		if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
			err(125, "drop privileges");
		/* Or /proc/self stays root's after a set-id start, and cannot be written. */
		(void)prctl(PR_SET_DUMPABLE, 1);
		own_user_namespace(uid, gid);
	} else if (unshare(CLONE_NEWNS) < 0) {
		err(125, "unshare: a mount namespace is refused here");
	}
	if (probe) {
		if (mount("tmpfs", NEW, "tmpfs", 0, NULL) < 0)
			err(125, "mount a tmpfs");
		return 0;
	}
	build_root(root, binds, count);
	become_caller(user);
	if (as_root) {
		(void)prctl(PR_SET_DUMPABLE, 1);
		own_user_namespace(0, 0);
	}
	execvp(argv[i + 1], argv + i + 1);
	int code = errno == ENOENT ? 127 : 126;
	warn("%s", argv[i + 1]);
	return code;
}
