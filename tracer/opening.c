#include "tracer/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fork.h"
#include "tracer/decode.h"
#include "tracer/listener.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture do its system calls have?"
#endif

#define PAGE_MASK 0xfffu
/* Far more than a program takes to begin. */
#define PATIENCE_MS 2000
#define AUXV_MOST   64u
#define PIECE	    65536u
#define LD_CACHE    "/etc/ld.so.cache"
/*
 * A linker with auditors lays out the thread's own memory before it asks for the first of them. One
 * without them has at least so much less before what it opens then, but for what these take, at
 * most: an object that is preloaded, and a directory that is searched before others, with what
 * each character of their names adds.
 */
#define LESS	       4096u
#define OBJECT_MOST    1600u
#define DIRECTORY_MOST 160u
#define CHARACTER_MOST 3u

/* --- learning --------------------------------------------------------------------------------- */

/* In the child: until it opens something. */
static void begin(int socket, char *const *envp)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	static char name[] = "sidebundle", version[] = "--version";
	static char *const argv[] = {name, version, NULL};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	struct sb_listener_flags flags;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Should it get further, it is not to be heard. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		return;
	int listener = sb_listener_make(&prog, &flags);
	if (listener >= 0 && sb_listener_send(socket, listener, &flags) == 0)
		(void)execve("/proc/self/exe", argv, envp);
}

/* What a program of ours opens, in this order, before anything of it runs. */
enum step { MODULE, CACHE, LIBRARY };

struct learner {
	int listener;
	const char *module;
	struct sb_listener_room room;
	struct sb_buf name;
	enum step step;
};

/* False: it is no open that can be told by where its name lies. */
static bool opens(struct learner *l)
{
	const struct seccomp_data *data = &l->room.notif->data;

	sb_buf_cut(&l->name, 0);
	return data->arch == THIS_ARCH && data->nr == SYS_openat &&
	       (int)data->args[0] == AT_FDCWD && data->args[2] == (O_RDONLY | O_CLOEXEC) &&
	       data->args[1] >> 32 == data->instruction_pointer >> 32 &&
	       sb_read_string((pid_t)l->room.notif->pid, data->args[1], PATH_MAX, &l->name) == 0;
}

static struct sb_opening look(const struct learner *l)
{
	const struct seccomp_data *data = &l->room.notif->data;

	return (struct sb_opening){
		.distance = (uint32_t)(data->args[1] - data->instruction_pointer),
		.sixth = (uint32_t)data->args[5],
		.site = (uint16_t)(data->instruction_pointer & PAGE_MASK),
	};
}

/* 1: all is known; 0: go on; -1: it is not as we know it. */
static int advance(struct learner *l, struct sb_opening *ret)
{
	struct sb_opening other;

	if (!opens(l))
		return -1;
	if (l->step == LIBRARY) {
		other = look(l);
		return other.site == ret->site && other.sixth != ret->sixth ? 1 : -1;
	}
	if (l->step == CACHE && strcmp(l->name.s, LD_CACHE) == 0) {
		l->step = LIBRARY;
		(void)sb_listener_continue(l->listener, &l->room, l->room.notif->id);
		return 0;
	}
	/* The linker goes on without it, and without what is preloaded: neither is to trace us. */
	sb_listener_refuse(l->listener, &l->room, l->room.notif->id, ENOENT);
	if (l->step == CACHE)
		return 0;
	*ret = look(l);
	l->step = CACHE;
	return strcmp(sb_buf_str(&l->name), l->module) == 0 ? 0 : -1;
}

static bool learn(struct learner *l, struct sb_opening *ret)
{
	struct pollfd ready = {l->listener, POLLIN, 0};
	int known = 0;

	while (known == 0 && poll(&ready, 1, PATIENCE_MS) > 0 && ready.revents & POLLIN &&
	       sb_listener_take(l->listener, &l->room) == 0)
		known = advance(l, ret);
	return known > 0;
}

static bool watch(int listener, const char *module, struct sb_opening *ret)
{
	struct learner l = {.listener = listener, .module = module, .name = SB_BUF_INIT};
	bool learned = sb_listener_room(&l.room) == 0;

	if (learned)
		learned = learn(&l, ret);
	sb_listener_room_free(&l.room);
	sb_buf_free(&l.name);
	return learned;
}

bool sb_opening_learn(const char *module, char *const *envp, struct sb_opening *ret)
{
	struct sb_listener_flags flags;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	auto_fd int ours = pair[0];
	pid_t pid = sb_fork_silent();
	if (pid == 0) {
		begin(pair[1], envp);
		_exit(0);
	}
	close(pair[1]);
	auto_fd int listener = pid < 0 ? -1 : sb_listener_receive(ours, &flags);
	bool learned = listener >= 0 && watch(listener, module, ret);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
			continue;
	}
	return learned;
}

/* --- what is missed --------------------------------------------------------------------------- */

/* A process's environment as it was started with; it shows none where that is closed to us. */
static void read_environment(pid_t pid, struct sb_buf *ret)
{
	char name[32];
	ssize_t n = 0;

	(void)snprintf(name, sizeof name, "/proc/%d/environ", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && sb_buf_reserve(ret, PIECE) == 0 &&
	       (n = read(fd, ret->s + ret->len, PIECE)) > 0) {
		ret->len += (size_t)n;
		ret->s[ret->len] = '\0';
	}
}

/* NULL: it is not there. */
static const char *value_of(const struct sb_buf *environment, const char *name)
{
	const char *end = environment->s + environment->len;
	size_t len = strlen(name);

	for (const char *s = environment->s; s && s < end; s += strlen(s) + 1)
		if (strncmp(s, name, len) == 0 && s[len] == '=')
			return s + len + 1;
	return NULL;
}

/* How many of a list there are that have a slash. */
static size_t count_of(const char *list, const char *between)
{
	size_t count = 0;

	for (const char *s = list; s && *s;) {
		size_t len = strcspn(s, between);

		count += memchr(s, '/', len) != NULL;
		s += len;
		s += strspn(s, between);
	}
	return count;
}

/* Whether one that is preloaded by a path may lie where our module's name would. */
static bool may_look_like_it(const char *preloads, const char *path)
{
	size_t objects = count_of(preloads, ": "), before = 0;

	if (!objects)
		return false;
	before = (objects - 1) * OBJECT_MOST + strlen(preloads) * CHARACTER_MOST;
	if (path)
		before += count_of(path, ":;") * DIRECTORY_MOST + strlen(path) * CHARACTER_MOST;
	return before >= LESS;
}

static bool lists(const char *list, const char *module)
{
	size_t len = strlen(module);

	for (const char *s = list ? strstr(list, module) : NULL; s; s = strstr(s + 1, module))
		if ((s == list || s[-1] == ':') && (!s[len] || s[len] == ':'))
			return true;
	return false;
}

/* Where it cannot be told, it may have one. */
static bool has_linker(pid_t pid)
{
	ElfW(auxv_t) auxv[AUXV_MOST];
	char name[32];

	(void)snprintf(name, sizeof name, "/proc/%d/auxv", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, auxv, sizeof auxv);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof *auxv; i++)
		if (auxv[i].a_type == AT_BASE)
			return auxv[i].a_un.a_val != 0;
	return true;
}

enum sb_missed sb_opening_missed(pid_t pid, const char *module, struct sb_buf *ret)
{
	auto_buf environment = SB_BUF_INIT;

	if (!has_linker(pid))
		return SB_MISSED_NOTHING;
	read_environment(pid, &environment);
	const char *auditors = value_of(&environment, "LD_AUDIT");
	if (lists(auditors, module))
		return SB_MISSED_NOTHING;
	if (auditors && *auditors) {
		size_t len = strcspn(auditors, ":");

		/* By a name without a slash it is searched for, and opened by another. */
		return memchr(auditors, '/', len) && sb_buf_add(ret, auditors, len) == 0
			       ? SB_MISSED_AUDITOR
			       : SB_MISSED_PERHAPS;
	}
	return may_look_like_it(value_of(&environment, "LD_PRELOAD"),
				value_of(&environment, "LD_LIBRARY_PATH"))
		       ? SB_MISSED_PERHAPS
		       : SB_MISSED_NOTHING;
}
