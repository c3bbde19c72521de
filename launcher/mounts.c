#include "launcher/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"

/* In a user namespace, flags that a mount came with can be kept but not dropped. */
static unsigned long kept_flags(const char *path)
{
	static const struct {
		unsigned long st, ms;
	} rows[] = {
		{ST_NOSUID, MS_NOSUID},		{ST_NODEV, MS_NODEV},
		{ST_NOEXEC, MS_NOEXEC},		{ST_NOATIME, MS_NOATIME},
		{ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME},
	};
	unsigned long flags = 0;
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (st.f_flag & rows[i].st)
			flags |= rows[i].ms;
	return flags;
}

int launch_mount_bind(const char *source, const char *dest, bool read_only, struct sb_err *err)
{
	if (mount(source, dest, NULL, MS_BIND | MS_REC, NULL) < 0)
		return sb_fail(err, errno, "bind '%s' on '%s'", source, dest);
	if (read_only &&
	    mount(NULL, dest, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | kept_flags(dest), NULL) < 0)
		return sb_fail(err, errno, "make '%s' read-only", dest);
	return 0;
}

static int mount_proc(const char *dest, struct sb_err *err)
{
	/* Refused without a PID namespace of our own, but then the one of this machine is as good.
	 */
	if (mount("proc", dest, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	return launch_mount_bind("proc", dest, false, err);
}

static int make_in_tmpfs(const struct launch_op *op, struct sb_err *err)
{
	int rc = 0;

	if (op->kind == LAUNCH_DIR)
		rc = mkdir(op->dest, op->mode);
	else if (op->kind == LAUNCH_FILE)
		rc = mknod(op->dest, S_IFREG | 0644, 0);
	else if (op->kind == LAUNCH_LINK)
		rc = symlink(op->source, op->dest);
	return rc < 0 && errno != EEXIST ? sb_fail(err, errno, "make '%s'", op->dest) : 0;
}

/* The current directory is the root of this machine: sources are relative to it. */
static int carry_out(const struct launch_op *op, struct sb_err *err)
{
	switch (op->kind) {
	case LAUNCH_BIND:
		return launch_mount_bind(op->source + 1, op->dest, false, err);
	case LAUNCH_SHOW:
		/* A file that the caller may not write is as good as read-only, and cheaper. */
		return launch_mount_bind(op->source + 1, op->dest,
					 access(op->source + 1, W_OK) == 0, err);
	case LAUNCH_PROC:
		return mount_proc(op->dest, err);
	case LAUNCH_PTS:
		if (mount("devpts", op->dest, "devpts", MS_NOSUID | MS_NOEXEC,
			  "newinstance,ptmxmode=0666,mode=620") < 0)
			return sb_fail(err, errno, "mount '%s'", op->dest);
		return 0;
	case LAUNCH_TMPFS:
		if (mount("tmpfs", op->dest, "tmpfs", MS_NOSUID, "mode=0755") < 0)
			return sb_fail(err, errno, "mount '%s'", op->dest);
		return 0;
	default:
		return make_in_tmpfs(op, err);
	}
}

static int carry_out_all(const struct launch_ops *ops, struct sb_err *err)
{
	for (size_t i = 0; i < ops->count; i++) {
		const struct launch_op *op = &ops->items[i];
		struct sb_err refused = SB_ERR_INIT;

		if (!launch_ops_is_late(ops, i))
			continue;
		if (carry_out(op, &refused) < 0 && !op->optional) {
			*err = refused;
			return -err->code;
		}
	}
	return 0;
}

int launch_mount_root(const char *root, const struct launch_ops *ops, const char *scratch,
		      struct sb_err *err)
{
	auto_fd int machine = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (machine < 0)
		return sb_fail(err, errno, "open '/'");
	if (chdir(root) < 0)
		return sb_fail(err, errno, "go to '%s'", root);
	/* On top of everything, where it is a mount: what is below is out of reach, and so the
	 * kernel takes it for no chroot(2), which would be in the way of a program's own user
	 * namespaces. Refused, it is one. */
	(void)mount(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") < 0)
		return sb_fail(err, errno, "make the payload the root (chroot)");
	/* Outside of the new root: sources are found by relative names, what is mounted by
	 * absolute ones. */
	if (fchdir(machine) < 0)
		return sb_fail(err, errno, "go back to this machine's root");
	if (scratch)
		(void)umount2(scratch + 1, MNT_DETACH); /* only tidies up */
	int rc = carry_out_all(ops, err);
	if (rc == 0 && chdir("/") < 0)
		rc = sb_fail(err, errno, "leave this machine's root");
	return rc;
}
