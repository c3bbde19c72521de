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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fork.h"
#include "tracer/decode.h"
#include "tracer/listener.h"
#include "tracer/wire.h"

/* The instruction of a system call. */
#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
static const uint8_t instruction[] = {0x0f, 0x05};
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
static const uint8_t instruction[] = {0x01, 0x00, 0x00, 0xd4};
#else
#error "which architecture do its system calls have?"
#endif

#define PAGE_MASK 0xfffu
/* Far more than a program takes to begin. */
#define PATIENCE_MS 2000
#define AUXV_MOST   64u
#define PIECE	    65536u
#define LD_CACHE    "/etc/ld.so.cache"
#define NAME_STEP   16u /* what the linker makes room for begins at a multiple of it */

/* --- a process's memory ----------------------------------------------------------------------- */

struct where {
	uint64_t linker; /* is mapped; as the program itself, too; 0 not known */
	bool secure;	 /* it asks for nothing by a path from its environment */
};

static struct where where_is(pid_t pid)
{
	ElfW(auxv_t) auxv[AUXV_MOST];
	struct where ret = {0};
	uint64_t headers = 0;
	char name[32];

	(void)snprintf(name, sizeof name, "/proc/%d/auxv", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, auxv, sizeof auxv);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof *auxv; i++)
		switch (auxv[i].a_type) {
		case AT_BASE:
			ret.linker = auxv[i].a_un.a_val;
			break;
		case AT_PHDR:
			headers = auxv[i].a_un.a_val;
			break;
		case AT_SECURE:
			ret.secure = auxv[i].a_un.a_val != 0;
			break;
		default:
			break;
		}
	/* They stand behind the file's first header. */
	if (!ret.linker && headers)
		ret.linker = headers - sizeof(ElfW(Ehdr));
	return ret;
}

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

/* False: it is no open as the linker makes them. */
static bool opens(struct learner *l)
{
	const struct seccomp_data *data = &l->room.notif->data;

	sb_buf_cut(&l->name, 0);
	return data->arch == THIS_ARCH && data->nr == SYS_openat &&
	       (int)data->args[0] == AT_FDCWD && data->args[2] == (O_RDONLY | O_CLOEXEC) &&
	       sb_read_string((pid_t)l->room.notif->pid, data->args[1], PATH_MAX, &l->name) == 0;
}

static uint64_t base_of(const struct learner *l)
{
	return where_is((pid_t)l->room.notif->pid).linker;
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
	const struct seccomp_data *data = &l->room.notif->data;
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
	/* What the filter has of it is half of the distance. */
	bool near = data->args[1] >> 32 == data->instruction_pointer >> 32;
	uint32_t offset = (uint32_t)(data->instruction_pointer - base_of(l));
	/* The linker goes on without it, and without what is preloaded: neither is to trace us. */
	sb_listener_refuse(l->listener, &l->room, l->room.notif->id, ENOENT);
	if (l->step == CACHE)
		return 0;
	*ret = look(l);
	ret->offset = offset;
	l->step = CACHE;
	return near && strcmp(sb_buf_str(&l->name), l->module) == 0 ? 0 : -1;
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

/* A program of ours would be one more of an outer trace's. */
static bool is_traced(void)
{
	auto_file FILE *maps = fopen("/proc/self/maps", "re");
	auto_free char *line = NULL;
	size_t size = 0;

	while (maps && getline(&line, &size, maps) >= 0)
		if (strstr(line, "/" SB_AUDIT_NAME) || strstr(line, "/" SB_PRELOAD_NAME))
			return true;
	return false;
}

bool sb_opening_learn(const char *module, char *const *envp, struct sb_opening *ret)
{
	struct sb_listener_flags flags;
	int pair[2];

	if (is_traced() || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
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

static bool lists(const char *list, const char *module)
{
	size_t len = strlen(module);

	for (const char *s = strstr(list, module); s; s = strstr(s + 1, module))
		if ((s == list || s[-1] == ':') && (!s[len] || s[len] == ':'))
			return true;
	return false;
}

/* The linker takes each variable as often as it is there. */
static bool has(const struct sb_buf *environment, const char *name,
		bool (*says)(const char *value, const char *arg), const char *arg)
{
	const char *end = environment->s + environment->len;
	size_t len = strlen(name);

	for (const char *s = environment->s; s && s < end; s += strlen(s) + 1)
		if (strncmp(s, name, len) == 0 && says(s + len, arg))
			return true;
	return false;
}

/* Whether one of a list is named by its path; our own preload does not count. */
static bool has_path(const char *value, const char *between)
{
	for (const char *s = value; *s; s += strspn(s, between)) {
		size_t len = strcspn(s, between), own = strlen("/" SB_PRELOAD_NAME);

		if (memchr(s, '/', len) &&
		    (len < own || strncmp(s + len - own, "/" SB_PRELOAD_NAME, own) != 0))
			return true;
		s += len;
	}
	return false;
}

bool sb_opening_maps(pid_t pid, const char *path)
{
	auto_free char *line = NULL;
	size_t size = 0, len = strlen(path);
	char name[32];
	ssize_t n;

	(void)snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
	auto_file FILE *maps = fopen(name, "re");
	while (maps && (n = getline(&line, &size, maps)) > 0)
		if ((size_t)n > len + 1 && line[n - 1] == '\n' &&
		    strncmp(line + (size_t)n - 1 - len, path, len) == 0 &&
		    line[(size_t)n - 2 - len] == ' ')
			return true;
	return false;
}

/* Another linker has something else there. */
static bool is_linker(pid_t pid, uint64_t linker, const struct sb_opening *opening)
{
	uint8_t call[sizeof instruction];

	return linker &&
	       sb_read_memory(pid, linker + opening->offset - sizeof call, call, sizeof call) ==
		       0 &&
	       memcmp(call, instruction, sizeof call) == 0;
}

enum sb_beginning sb_opening_begins(pid_t pid, const char *module, const struct sb_opening *opening)
{
	auto_buf environment = SB_BUF_INIT;
	struct where where = where_is(pid);

	if (!is_linker(pid, where.linker, opening))
		return SB_BEGINS_WITH_US;
	if (where.secure)
		return SB_BEGINS_WITHOUT;
	read_environment(pid, &environment);
	if (has(&environment, "LD_AUDIT=", lists, module))
		return SB_BEGINS_WITH_US;
	if (has(&environment, "LD_PRELOAD=", has_path, ": "))
		return SB_BEGINS_PRELOADED;
	return has(&environment, "LD_AUDIT=", has_path, ":") ? SB_BEGINS_AUDITED
							     : SB_BEGINS_WITHOUT;
}

bool sb_opening_missed(pid_t pid, const struct sb_opening *opening,
		       bool (*is_file)(void *arg, const char *name), void *arg, struct sb_buf *ret)
{
	uint64_t name = where_is(pid).linker + opening->offset +
			(uint64_t)(int64_t)(int32_t)opening->distance;

	/* Before it there may be where the program lies, or what was searched before others. */
	for (unsigned i = 0; i < SB_OPENING_SPAN; i += NAME_STEP) {
		char before;

		sb_buf_cut(ret, 0);
		if (sb_read_memory(pid, name + i - 1, &before, 1) == 0 && !before &&
		    sb_read_string(pid, name + i, PATH_MAX, ret) == 0 &&
		    strchr(sb_buf_str(ret), '/') && is_file(arg, sb_buf_str(ret)))
			return true;
	}
	return false;
}
