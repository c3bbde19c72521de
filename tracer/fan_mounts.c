#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "tracer/fan_private.h"

#define MASK (FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE | FAN_ONDIR)

/*
 * The kernel's own: nothing in them can come along, and to open a second time what somebody has
 * opened there has effects of its own (a terminal, a watchdog, a trace pipe).
 */
static const char *const kernel_types[] = {
	"autofs", "binfmt_misc", "bpf",	       "cgroup",     "cgroup2",	  "configfs", "debugfs",
	"devpts", "devtmpfs",	 "efivarfs",   "fusectl",    "hugetlbfs", "mqueue",   "nsfs",
	"proc",	  "pstore",	 "rpc_pipefs", "securityfs", "selinuxfs", "sysfs",    "tracefs",
};

/* \040 and its like, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static bool parse(char *line, struct fan_mount *ret)
{
	char *save = NULL, *part[5] = {NULL}, *field = strtok_r(line, " ", &save);

	for (int i = 0; field && i < 5; i++, field = strtok_r(NULL, " ", &save))
		part[i] = field;
	while (field && strcmp(field, "-") != 0)
		field = strtok_r(NULL, " ", &save);
	char *type = field ? strtok_r(NULL, " ", &save) : NULL;
	if (!type)
		return false;
	unescape(part[3]);
	unescape(part[4]);
	*ret = (struct fan_mount){.id = strtoull(part[0], NULL, 10),
				  .device = part[2],
				  .root = part[3],
				  .point = part[4],
				  .type = type};
	return true;
}

int fan_mounts_each(int list, fan_mount_fn each, void *arg)
{
	auto_buf text = SB_BUF_INIT;
	char piece[4096], *save = NULL;
	ssize_t n;

	if (lseek(list, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(list, piece, sizeof piece)) > 0)
		if (sb_buf_add(&text, piece, (size_t)n) < 0)
			return -ENOMEM;
	if (n < 0)
		return -errno;
	for (char *line = text.s ? strtok_r(text.s, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct fan_mount mount;

		if (parse(line, &mount))
			each(arg, &mount);
	}
	return 0;
}

static bool watched(const struct fan_mount *mount)
{
	for (size_t i = 0; i < sizeof kernel_types / sizeof *kernel_types; i++)
		if (strcmp(mount->type, kernel_types[i]) == 0)
			return false;
	/* A container's /dev is a tmpfs with device nodes in it. */
	return !sb_path_below(mount->point, "/dev") || sb_path_below(mount->point, "/dev/shm");
}

struct marking {
	struct fan_mounts *mounts;
	const struct fan_space *space;
	const struct sb_map *held; /* as they were when the look began; NULL: nobody can tell */
	uintptr_t since; /* what no look met from this one on is another one under its number */
	bool first;	 /* nothing of the command has run yet */
};

/* 0, or an errno: ESRCH where nobody is left by whom it could be reached. */
static int mark_by(const struct fan_mounts *m, pid_t pid, const char *point)
{
	char own[32] = "";
	auto_buf name = SB_BUF_INIT;

	if (pid)
		(void)snprintf(own, sizeof own, "/proc/%d/root", (int)pid);
	if (sb_buf_puts(&name, own) < 0 || sb_buf_puts(&name, point) < 0)
		return ENOMEM;
	if (fanotify_mark(m->group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, MASK, AT_FDCWD, name.s) ==
	    0)
		return 0;
	int failed = errno;
	return failed == ENOENT && pid && access(own, F_OK) < 0 ? ESRCH : failed;
}

/* In place of a look: it was told of, and not marked yet. */
#define TOLD_ALREADY 1u
#define LOOKS_FROM   2u

/* Of an entry of `marked`. */
#define LOOK(e)		  ((uintptr_t)(e)->value >> 1)
#define HELD(e)		  ((uintptr_t)(e)->value & 1)
#define VALUE(look, held) ((void *)((uintptr_t)(look) << 1 | (held)))

/*
 * Which file systems the group has marks on, as "major:minor": a mark goes with its file system,
 * and whatever gets its number next has none. proc_pid_fdinfo(5). False: nobody can tell.
 */
static bool read_held(const struct fan_mounts *m, struct sb_map *ret)
{
	char line[256], device[32];
	unsigned long number;
	bool whole = true;

	(void)snprintf(line, sizeof line, "/proc/self/fdinfo/%d", m->group);
	FILE *f = fopen(line, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "fanotify sdev:%lx ", &number) != 1)
			continue;
		(void)snprintf(device, sizeof device, "%lu:%lu", number >> 20, number & 0xfffff);
		whole &= sb_map_adds(ret, device, NULL) != NULL;
	}
	whole &= !ferror(f);
	fclose(f);
	return whole;
}

/* Of those that it has, it is to be seen at the next look whether they are the same. */
static void note_held(struct fan_mounts *m)
{
	auto_map held = SB_MAP_INIT;

	if (!read_held(m, &held))
		return;
	for (size_t i = 0; i < held.count; i++) {
		struct sb_map_entry *e = sb_map_finds(&m->marked, held.entries[i].key);

		if (e)
			e->value = VALUE(LOOK(e), 1);
	}
}

static bool is_known(const struct marking *marking, const struct sb_map_entry *e)
{
	if (!e->value || LOOK(e) < marking->since)
		return false;
	return !HELD(e) || !marking->held || sb_map_finds(marking->held, e->key);
}

static void tell_missed(struct fan_mounts *m, const struct sb_map_entry *e, const char *point)
{
	if (LOOK(e) != TOLD_ALREADY)
		m->missed(m->arg, point);
}

/* A file system needs one mark, wherever it is mounted: every mount namespace's is marked so. */
static void mark(void *arg, const struct fan_mount *mount)
{
	struct marking *marking = arg;
	struct fan_mounts *m = marking->mounts;

	if (!watched(mount))
		return;
	struct sb_map_entry *e = sb_map_adds(&m->marked, mount->device, NULL);
	if (!e)
		return;
	if (is_known(marking, e)) {
		e->value = VALUE(m->look, HELD(e));
		return;
	}
	int failed = mark_by(m, marking->space->pid, mount->point);
	if (failed == ESRCH)
		failed = mark_by(m, marking->space->newest, mount->point);
	if (failed)
		sb_log(SB_LOG_INFO, "fanotify: cannot watch '%s' (%s): %s", mount->point,
		       mount->type, strerror(failed));
	/* Where we may not go, the command may not; and what is gone again is not there any more.
	 */
	bool there = failed != EACCES && failed != ENOENT && failed != ENOTDIR;
	if (there && (failed || !marking->first))
		tell_missed(m, e, mount->point);
	/* One that nobody is left in may be met again by others. */
	e->value = VALUE(failed == ESRCH ? TOLD_ALREADY : m->look, 0);
}

static int read_list(struct fan_mounts *m, const struct fan_space *space)
{
	struct marking marking = {m, space, NULL, m->look, false};
	int rc = fan_mounts_each(space->list, mark, &marking);

	note_held(m);
	return rc;
}

/*
 * Numbers of what is gone are given again: one that a whole look did not meet is such a one, and so
 * is one whose mark is gone.
 */
static void read_all(struct fan_mounts *m)
{
	auto_map held = SB_MAP_INIT;
	bool known = read_held(m, &held);

	m->look++;
	for (size_t i = 0; i < m->count; i++) {
		struct marking marking = {m, &m->spaces[i], known ? &held : NULL, m->look - 1,
					  false};

		(void)fan_mounts_each(m->spaces[i].list, mark, &marking);
	}
	note_held(m);
}

int fan_mounts_open(struct fan_mounts *m, int group, struct sb_err *err)
{
	struct stat st;

	m->group = group;
	if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, MASK, AT_FDCWD, "/") < 0)
		return sb_fail(err, errno, "mark the root file system%s",
			       errno == EINVAL ? " (needs Linux 5.0)" : "");
	struct fan_space own = {.list = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)};
	if (own.list < 0)
		return sb_fail(err, errno, "read '/proc/self/mountinfo'");
	if (stat("/proc/self/ns/mnt", &st) == 0)
		own.inode = st.st_ino;
	m->spaces[m->count++] = own;
	m->look = LOOKS_FROM;
	struct marking marking = {m, &own, NULL, m->look, true};
	int rc = fan_mounts_each(own.list, mark, &marking);
	note_held(m);
	return rc < 0 ? sb_fail(err, -rc, "read '/proc/self/mountinfo'") : 0;
}

void fan_mounts_free(struct fan_mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		close(m->spaces[i].list);
	m->count = 0;
	sb_map_free(&m->marked);
}

bool fan_mounts_own(const struct fan_mounts *m, uint64_t inode)
{
	return m->spaces[0].inode == inode;
}

static int open_list(pid_t pid)
{
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/%d/mountinfo", (int)pid);
	return open(name, O_RDONLY | O_CLOEXEC);
}

void fan_mounts_enter(struct fan_mounts *m, uint64_t inode, pid_t pid)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->spaces[i].inode == inode) {
			m->spaces[i].newest = pid;
			return;
		}
	struct fan_space space = {
		.inode = inode, .list = open_list(pid), .pid = pid, .newest = pid};
	if (space.list < 0)
		return; /* gone again, and whatever was mounted there with it */
	/*
	 * As long as its list is open, the namespace lives on, and what is in our queue keeps its
	 * names. The oldest one is the likeliest to be over.
	 */
	if (m->count == FAN_SPACES_MOST) {
		close(m->spaces[1].list);
		m->count--;
		memmove(&m->spaces[1], &m->spaces[2], (m->count - 1) * sizeof *m->spaces);
	}
	m->spaces[m->count++] = space;
	(void)read_list(m, &space);
}

void fan_mounts_renew(struct fan_mounts *m, uint64_t inode, pid_t pid)
{
	char name[64];
	struct stat st;

	for (size_t i = 1; i < m->count; i++) {
		if (m->spaces[i].inode != inode)
			continue;
		int list = open_list(pid);
		/* Only while it is still there is the list the namespace's. */
		(void)snprintf(name, sizeof name, "/proc/%d/ns/mnt", (int)pid);
		if (list < 0 || stat(name, &st) < 0 || st.st_ino != inode) {
			if (list >= 0)
				close(list);
			return;
		}
		close(m->spaces[i].list);
		m->spaces[i].list = list;
		m->spaces[i].pid = pid;
		/* What changed since the old one was read is not shown by the new one. */
		read_all(m);
		return;
	}
}

void fan_mounts_look(struct fan_mounts *m, const struct pollfd *polled)
{
	for (size_t i = 0; i < m->count; i++)
		if (polled[i].revents) {
			read_all(m);
			return;
		}
}

size_t fan_mounts_poll(const struct fan_mounts *m, struct pollfd *ret)
{
	for (size_t i = 0; i < m->count; i++)
		ret[i] = (struct pollfd){.fd = m->spaces[i].list, .events = POLLPRI};
	return m->count;
}
