#include "tracer/fan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/fanotify.h>

#include "common/cleanup.h"
#include "tracer/fan_private.h"
#include "tracer/proc.h"

/* Each brings two descriptors, and the limit on those is the user's. */
#define EVENTS_MOST 64
/* From a process that the records do not know, up to one that they do. */
#define ANCESTORS_MOST 64

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD	  0x00000080
#define FAN_EVENT_INFO_TYPE_PIDFD 4
struct fanotify_event_info_pidfd {
	struct fanotify_event_info_header hdr;
	int32_t pidfd;
};
#endif

/* O_NONBLOCK: a fifo that somebody opened is opened once more for us. */
#define FILE_FLAGS (O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NONBLOCK | O_NOATIME)

static int open_group(struct sb_err *err)
{
	unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE |
			 FAN_UNLIMITED_MARKS;
	int group = fanotify_init(flags | FAN_REPORT_PIDFD, FILE_FLAGS);

	if (group < 0 && errno == EINVAL)
		group = fanotify_init(flags, FILE_FLAGS); /* before Linux 5.15 */
	if (group >= 0)
		return group;
	return sb_fail(err, errno, "open a fanotify group%s",
		       errno == EPERM	 ? " (needs CAP_SYS_ADMIN of the machine, not of a user "
					   "namespace: as root, by 'setcap cap_sys_admin+ep', or "
					   "take another way, -b auto)"
		       : errno == ENOSYS ? " (the kernel is built without CONFIG_FANOTIFY)"
					 : "");
}

static void missed(void *arg, const char *point)
{
	struct sb_fan *fan = arg;

	fan->spec.blind(fan->spec.arg, SB_BLIND_MOUNTED, point);
}

int sb_fan_open(const struct sb_fan_spec *spec, struct sb_fan **ret, struct sb_err *err)
{
	struct sb_fan *fan = calloc(1, sizeof *fan);
	int rc;

	if (!fan)
		return sb_fail(err, ENOMEM, "start the trace");
	fan->spec = *spec;
	fan->mounts.missed = missed;
	fan->mounts.arg = fan;
	fan->group = rc = open_group(err);
	if (rc >= 0)
		rc = sb_forks_open(&fan->forks, err);
	if (rc >= 0)
		rc = fan_mounts_open(&fan->mounts, fan->group, err);
	if (rc >= 0)
		fan->names.mounts = &fan->mounts;
	if (rc < 0) {
		sb_fan_free(fan);
		return rc;
	}
	*ret = fan;
	return 0;
}

void sb_fan_free(struct sb_fan *fan)
{
	if (!fan)
		return;
	fan_mounts_free(&fan->mounts);
	fan_names_free(&fan->names);
	sb_forks_free(fan->forks);
	if (fan->group >= 0)
		close(fan->group);
	fan_image_free(fan);
	free(fan);
}

void sb_fan_first(struct sb_fan *fan, pid_t pid, const char *program, char *const *argv,
		  const char *cwd)
{
	fan->argv = argv;
	fan->cwd = cwd;
	if (fan_image_root(fan, pid, program) < 0)
		fan->spec.lost(fan->spec.arg, 1);
	sb_forks_root(fan->forks, pid);
}

void sb_fan_wait(struct sb_fan *fan, double seconds, int also)
{
	struct pollfd fds[FAN_SPACES_MOST + 2];
	size_t spaces = fan_mounts_poll(&fan->mounts, fds);

	fds[spaces] = (struct pollfd){.fd = fan->group, .events = POLLIN};
	fds[spaces + 1] = (struct pollfd){.fd = also, .events = POLLIN};
	if (poll(fds, spaces + 2, seconds > 0 ? (int)(seconds * 1000) + 1 : 0) > 0)
		fan_mounts_look(&fan->mounts, fds);
}

size_t sb_fan_running(const struct sb_fan *fan, pid_t *pids, size_t cap)
{
	return sb_forks_living(fan->forks, pids, cap);
}

/* --- events ---------------------------------------------------------------------------------- */

static int pidfd_of(const struct fanotify_event_metadata *m)
{
	const struct fanotify_event_info_pidfd *info = (const void *)(m + 1);

	/* Older groups send none. */
	if (m->event_len < sizeof *m + sizeof *info ||
	    info->hdr.info_type != FAN_EVENT_INFO_TYPE_PIDFD)
		return -1;
	return info->pidfd;
}

/*
 * Records of forks were lost: whose child is it? Only one that lives can be asked; `pidfd` says
 * afterwards whether it was the one that we asked.
 */
static bool adopt(struct sb_fan *fan, pid_t pid, int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	pid_t at = pid;
	struct sb_proc proc;

	if (pidfd < 0 || !sb_forks_lost(fan->forks))
		return false;
	for (int i = 0; i < ANCESTORS_MOST && sb_proc_look(at, &proc) == 0; i++) {
		if (at != pid && sb_forks_has(fan->forks, at)) {
			struct sb_fork born = {.kind = SB_FORK_BORN, .pid = pid, .parent = at};

			if (poll(&end, 1, 0) != 0)
				return false;
			sb_forks_adopt(fan->forks, pid);
			fan_image_fork(fan, &born);
			return true;
		}
		at = proc.ppid;
	}
	return false;
}

static const char *program_of(const struct fan_process *p)
{
	const struct fan_image *image = p ? p->now : NULL;

	while (image && !image->exe)
		image = image->parent;
	return image ? image->exe : NULL;
}

static void take(struct sb_fan *fan, const struct fanotify_event_metadata *m, int fd, int pidfd)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (m->mask & FAN_Q_OVERFLOW) {
		fan->spec.lost(fan->spec.arg, 1);
		return;
	}
	if (!sb_forks_has(fan->forks, m->pid) && !fan_process(fan, m->pid) &&
	    !adopt(fan, m->pid, pidfd))
		return;
	struct fan_seen seen = {
		.process = fan_process(fan, m->pid),
		.fd = fd,
		.exec = m->mask & FAN_OPEN_EXEC,
		.opened = m->mask & FAN_OPEN,
		.written = m->mask & FAN_CLOSE_WRITE,
	};
	if (!seen.process)
		return;
	if (fd < 0 || !fan_name_path(fd, path)) {
		if (fd >= 0 && errno == ENAMETOOLONG)
			fan->spec.blind(fan->spec.arg, SB_BLIND_UNNAMED, program_of(seen.process));
		else
			fan->spec.lost(fan->spec.arg, 1);
		return;
	}
	seen.path = seen.real = path;
	if (seen.process->away)
		seen.real = fan_name_real(&fan->names, fd, m->pid, path, real) ? real : NULL;
	fan_image_seen(fan, &seen);
}

/* The number of bytes; 0: nothing is there. */
static size_t read_some(struct sb_fan *fan, void *buf, size_t size)
{
	for (;;) {
		ssize_t n = read(fan->group, buf, size);

		if (n >= 0)
			return (size_t)n;
		if (errno == EAGAIN)
			return 0;
		/* One whose file could not be opened for us: who did it is not told. */
		if (errno != EINTR)
			fan->spec.lost(fan->spec.arg, 1);
		if (errno == EBADF || errno == EINVAL || errno == EFAULT)
			return 0;
	}
}

static void take_lost(struct sb_fan *fan)
{
	uint64_t lost = sb_forks_lost(fan->forks);

	if (lost > fan->lost_forks)
		fan->spec.lost(fan->spec.arg, lost - fan->lost_forks);
	fan->lost_forks = lost;
}

void sb_fan_turn(struct sb_fan *fan)
{
	struct fanotify_event_metadata buf[EVENTS_MOST *
					   (sizeof(struct fanotify_event_metadata) +
					    sizeof(struct fanotify_event_info_pidfd)) /
					   sizeof(struct fanotify_event_metadata)];
	size_t n;

	while ((n = read_some(fan, buf, sizeof buf)) > 0) {
		const struct fanotify_event_metadata *m = buf;
		long left = (long)n;

		/* Whoever did what we read was born before. */
		sb_forks_poll(fan->forks, fan_image_fork, fan);
		for (; FAN_EVENT_OK(m, left); m = FAN_EVENT_NEXT(m, left)) {
			auto_fd int fd = m->fd;
			auto_fd int pidfd = pidfd_of(m);

			take(fan, m, fd, pidfd);
		}
	}
	fan_image_settle(fan);
	sb_forks_poll(fan->forks, fan_image_fork, fan);
	take_lost(fan);
}

void sb_fan_flush(struct sb_fan *fan)
{
	fan_image_flush(fan);
}

bool sb_fan_flushed(const struct sb_fan *fan)
{
	return fan->flushed;
}

/* --- the end --------------------------------------------------------------------------------- */

static void tell_living(struct sb_fan *fan)
{
	size_t count = sb_forks_living(fan->forks, NULL, 0);
	auto_free pid_t *pids = calloc(count + 1, sizeof *pids);

	count = pids ? sb_forks_living(fan->forks, pids, count) : 0;
	for (size_t i = 0; i < count; i++)
		fan->spec.blind(fan->spec.arg, SB_BLIND_OUTLIVED,
				program_of(fan_process(fan, pids[i])));
}

void sb_fan_finish(struct sb_fan *fan)
{
	/* The second turn settles what the first one read. */
	sb_fan_turn(fan);
	sb_fan_turn(fan);
	fan_image_flush(fan);
	tell_living(fan);
}
