#include "tracer/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"

/* Fields of /proc/PID/stat, as proc(5) numbers them. */
enum {
	STATE = 3,
	PPID = 4,
	THREADS = 20,
	STARTED = 22,
	START_CODE = 26,
	START_STACK = 28,
	ARG_START = 48
};

/* `text` stands before field STATE. sscanf would take longer than the kernel did to print it. */
static bool parse(const char *text, struct sb_proc *ret)
{
	for (int field = STATE; field <= ARG_START; field++) {
		if (*text != ' ' || !*++text)
			return false;
		switch (field) {
		case STATE:
			ret->state = *text;
			break;
		case PPID:
			ret->ppid = atoi(text);
			break;
		case THREADS:
			ret->threads = atoi(text);
			break;
		case STARTED:
			ret->started = strtoull(text, NULL, 10);
			break;
		case START_CODE:
			ret->layout[0] = strtoull(text, NULL, 10);
			break;
		case START_STACK:
			ret->layout[1] = strtoull(text, NULL, 10);
			break;
		case ARG_START:
			ret->layout[2] = strtoull(text, NULL, 10);
			break;
		default:
			break;
		}
		text = strchrnul(text, ' ');
	}
	/* Code alone is told to everybody, as a 1. */
	if (!ret->layout[1])
		memset(ret->layout, 0, sizeof ret->layout);
	return true;
}

int sb_proc_look(pid_t pid, struct sb_proc *ret)
{
	char name[32], text[1024];
	struct sb_proc proc = {0};
	struct stat st;

	(void)snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || fstat(fd, &st) < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -ESRCH;
	proc.owner = st.st_uid;
	text[n] = '\0';
	/* The name in parentheses may hold anything, parentheses too. */
	const char *rest = strrchr(text, ')');
	if (!rest || !parse(rest + 1, &proc))
		return -ESRCH;
	*ret = proc;
	return 0;
}

bool sb_proc_runs(pid_t pid, uint64_t started)
{
	struct sb_proc proc;

	/* The everyday case of one that has ended, without a look at its files. */
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return false;
	return sb_proc_look(pid, &proc) == 0 && proc.state != 'Z' && proc.state != 'X' &&
	       (!started || proc.started == started);
}

static bool among(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static pid_t pid_of(const struct dirent *entry)
{
	return isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
}

void sb_proc_add_children(pid_t *pids, size_t *count, size_t cap)
{
	auto_dir DIR *dir = opendir("/proc");
	bool more = *count > 0; /* nobody has no children */

	/* A child's number may be lower than its parent's: look again until nothing is new. */
	while (dir && more) {
		struct dirent *entry;

		more = false;
		rewinddir(dir);
		while (*count < cap && (entry = readdir(dir))) {
			struct sb_proc proc;
			pid_t pid =
				isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

			if (pid > 1 && !among(pids, *count, pid) && sb_proc_look(pid, &proc) == 0 &&
			    among(pids, *count, proc.ppid)) {
				pids[(*count)++] = pid;
				more = true;
			}
		}
	}
}

/* The number behind `word` in a file of the kernel's, which may be long; 0: there is none. */
static uint64_t number_in(const char *path, const char *word)
{
	char piece[4096];
	size_t len = strlen(word), kept = 0;
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, piece + kept, sizeof piece - 1 - kept)) > 0) {
		size_t have = kept + (size_t)n;

		piece[have] = '\0';
		const char *found = strstr(piece, word);
		/* Read whole, as far as its line goes. */
		if (found && (!word[0] || strchr(found + 1, '\n')))
			return strtoull(found + len, NULL, 10);
		kept = found ? have - (size_t)(found - piece) : len < have ? len : have;
		memmove(piece, piece + have - kept, kept);
	}
	return 0;
}

static uint64_t births(void)
{
	return number_in("/proc/stat", "\nprocesses ");
}

void sb_proc_mark(struct sb_proc_mark *ret)
{
	struct sb_proc self;

	*ret = (struct sb_proc_mark){.pid = getpid(), .births = births()};
	if (sb_proc_look(ret->pid, &self) == 0)
		ret->started = self.started;
}

/*
 * Numbers are given out in turn, those in use left out, and after the highest from the lowest
 * again. Where so few were needed since that this has not happened, who began later has a higher
 * one.
 */
static pid_t lowest_since(const struct sb_proc_mark *since)
{
	uint64_t most = number_in("/proc/sys/kernel/pid_max", "");
	uint64_t in_use = number_in("/proc/loadavg", "/");
	uint64_t now = births();

	return since->births && now > since->births && in_use &&
			       (uint64_t)since->pid + (now - since->births) + in_use < most
		       ? since->pid
		       : 1;
}

static bool born_with(pid_t pid, const char *text)
{
	char name[32], piece[65536];
	size_t len = strlen(text), kept = 0;
	ssize_t n;

	(void)snprintf(name, sizeof name, "/proc/%d/environ", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	/* The end of one piece is kept: the text may lie across two. */
	while (fd >= 0 && (n = read(fd, piece + kept, sizeof piece - kept)) > 0) {
		if (memmem(piece, kept + (size_t)n, text, len))
			return true;
		size_t have = kept + (size_t)n;
		kept = have < len ? have : len;
		memmove(piece, piece + have - kept, kept);
	}
	return false;
}

void sb_proc_add_born_with(const char *text, const struct sb_proc_mark *since, pid_t *pids,
			   size_t *count, size_t cap)
{
	auto_dir DIR *dir = opendir("/proc");
	pid_t lowest = lowest_since(since);
	struct dirent *entry;

	while (dir && *count < cap && (entry = readdir(dir))) {
		struct sb_proc proc;
		pid_t pid = pid_of(entry);

		/* Our own may stand in that of somebody we trace for. */
		if (pid > lowest && pid != getpid() && !among(pids, *count, pid) &&
		    sb_proc_look(pid, &proc) == 0 && proc.state != 'Z' &&
		    proc.started >= since->started && born_with(pid, text))
			pids[(*count)++] = pid;
	}
}
