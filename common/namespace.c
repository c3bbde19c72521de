#include "common/namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define OR_HOST "set SIDEBUNDLE_RUN_MODE=host"

/* capget(2), version 3. musl comes without the kernel's headers. */
struct caps_header {
	uint32_t version;
	int32_t pid;
};
struct caps {
	uint32_t effective, permitted, inheritable;
};
static const struct caps_header caps_v3 = {0x20080522, 0};

static int write_line(const char *path, const char *line, struct sb_err *err)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return sb_fail(err, errno, "open '%s'", path);
	if (write(fd, line, strlen(line)) < 0)
		return sb_fail(err, errno, "write '%s'", path);
	return 0;
}

/* Everybody keeps their name; without CAP_SETGID the kernel wants setgroups to be off. */
static int map_ids(uid_t uid, gid_t gid, struct sb_err *err)
{
	char line[64];
	struct sb_err ignored = SB_ERR_INIT;

	if (access("/proc/self/uid_map", F_OK) < 0)
		return sb_fail(err, SB_ESAID,
			       "a user namespace needs /proc: mount it, or " OR_HOST);
	(void)write_line("/proc/self/setgroups", "deny", &ignored); /* absent before Linux 3.19 */
	(void)snprintf(line, sizeof line, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
	int rc = write_line("/proc/self/uid_map", line, err);
	if (rc < 0)
		return rc;
	(void)snprintf(line, sizeof line, "%u %u 1\n", (unsigned)gid, (unsigned)gid);
	return write_line("/proc/self/gid_map", line, err);
}

static int refused(struct sb_err *err, int code)
{
	switch (code) {
	case ENOSPC:
	case EUSERS:
		return sb_fail(err, SB_ESAID,
			       "this machine allows no more user namespaces (unshare: %s): " OR_HOST
			       ", or ask for a larger user.max_user_namespaces",
			       strerror(code));
	case EINVAL:
	case ENOSYS:
		return sb_fail(err, SB_ESAID,
			       "this kernel has no user namespaces (unshare: %s): " OR_HOST,
			       strerror(code));
	default:
		return sb_fail(err, SB_ESAID,
			       "this machine refuses user namespaces (unshare: %s): " OR_HOST
			       ", or ask for kernel.unprivileged_userns_clone=1 (in a container: a "
			       "seccomp profile that allows unshare and mount)",
			       strerror(code));
	}
}

/* Since Linux 5.12: what root of the new one puts on files would count outside. */
static int is_no_root(struct sb_err *err)
{
	return sb_fail(err, SB_ESAID,
		       "root without CAP_SETFCAP cannot take itself along into a user namespace "
		       "(uid_map: %s): " OR_HOST ", or ask for CAP_SETFCAP",
		       strerror(EPERM));
}

/* Ubuntu since 23.10: the namespace is there, and every use of it is refused. */
static int granted_nothing(struct sb_err *err, const char *what, int code)
{
	return sb_fail(
		err, SB_ESAID,
		"this machine grants user namespaces but no rights in them (%s: %s): " OR_HOST
		", or ask for kernel.apparmor_restrict_unprivileged_userns=0",
		what, strerror(code));
}

/* A network of our own starts with its loopback down. */
static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Without it the program still has no network, which is what was asked for. */
	if (fd >= 0)
		(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

int sb_namespaces_enter(bool own_net, struct sb_rights *ret, struct sb_err *err)
{
	struct caps caps[2] = {{0}, {0}};
	int flags = CLONE_NEWNS | (own_net ? CLONE_NEWNET : 0);
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct sb_rights rights = {.privileged = true};
	struct caps_header header = caps_v3;

	if (syscall(SYS_capget, &header, caps) < 0)
		return sb_fail(err, errno, "read our capabilities");
	rights.permitted[0] = caps[0].permitted;
	rights.permitted[1] = caps[1].permitted;
	if (unshare(flags) < 0) {
		rights.privileged = false;
		if (unshare(flags | CLONE_NEWUSER) < 0)
			return refused(err, errno);
		int rc = map_ids(uid, gid, err);
		if (rc == -EPERM && uid == 0)
			return is_no_root(err);
		if (rc == -EPERM || rc == -EACCES)
			return granted_nothing(err, "uid_map", -rc);
		if (rc < 0)
			return rc;
	}
	/* Nothing that we mount is seen outside; what is mounted outside later is seen here. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return granted_nothing(err, "mount", errno);
	if (own_net)
		raise_loopback();
	*ret = rights;
	return 0;
}

bool sb_rights_any(void)
{
	struct caps caps[2] = {{0}, {0}};
	struct caps_header header = caps_v3;

	return syscall(SYS_capget, &header, caps) == 0 && (caps[0].permitted || caps[1].permitted);
}

int sb_mounts_enter(bool own_net, struct sb_err *err)
{
	if (unshare(CLONE_NEWNS | (own_net ? CLONE_NEWNET : 0)) < 0)
		return sb_fail(err, errno, "make a mount namespace (unshare)");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return sb_fail(err, errno, "keep our mounts to ourselves (mount)");
	if (own_net)
		raise_loopback();
	return 0;
}

int sb_chroot_try(struct sb_err *err)
{
	if (chroot("/") == 0)
		return 0;
	return sb_fail(err, SB_ESAID,
		       "it needs root or CAP_SYS_CHROOT (chroot: %s): run it as root, or "
		       "set SIDEBUNDLE_RUN_MODE=auto",
		       strerror(errno));
}

int sb_capabilities_drop(struct sb_err *err)
{
	const struct caps none[2] = {{0}, {0}};

	if (geteuid() == 0)
		return 0;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* new in Linux 4.3 */
	if (syscall(SYS_capset, &caps_v3, none) < 0)
		return sb_fail(err, errno, "drop our capabilities");
	return 0;
}

int sb_rights_drop(const struct sb_rights *rights, struct sb_err *err)
{
	struct caps caps[2] = {{0}, {0}};

	if (rights->privileged)
		return 0;
	/* A user 0 gets the whole bounding set at exec. */
	for (int cap = 0; geteuid() == 0 && cap < 64 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(rights->permitted[cap / 32] & 1u << cap % 32))
			(void)prctl(PR_CAPBSET_DROP, cap); /* fails for a cap that we lack anyway */
	for (int i = 0; i < 2; i++)
		caps[i].effective = caps[i].permitted = rights->permitted[i];
	if (syscall(SYS_capset, &caps_v3, caps) < 0)
		return sb_fail(err, errno, "drop our capabilities");
	return 0;
}
