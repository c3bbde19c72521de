/* From one image of a process to the next: what the kernel reads on the way. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/watch_private.h"

/* The kernel follows no more first lines than this. */
#define SCRIPTS_MOST 5
/* What it reads of a first line, since 5.1. */
#define LINE_MOST 256u
/* Where the program headers and the name of the linker are, in every program but odd ones. */
#define HEAD_MOST 4096u

struct head {
	char bytes[HEAD_MOST + 1];
	size_t len;
};

/* What a program names as its interpreter: by a first line, or by its ELF header. */
struct interpreter {
	char path[PATH_MAX];
	bool script;
};

static bool read_head(const char *path, struct head *ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	ssize_t n = pread(fd, ret->bytes, HEAD_MOST, 0);
	if (n < 0)
		return false;
	ret->len = (size_t)n;
	ret->bytes[n] = '\0';
	return true;
}

static bool first_line(const struct head *head, struct interpreter *ret)
{
	const char *p = head->bytes + 2, *end;
	size_t line = head->len < LINE_MOST ? head->len : LINE_MOST;

	if (head->len < 3 || head->bytes[0] != '#' || head->bytes[1] != '!')
		return false;
	end = memchr(head->bytes, '\n', line);
	if (!end)
		end = head->bytes + line;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	size_t len = strcspn(p, " \t\n");
	len = len < (size_t)(end - p) ? len : (size_t)(end - p);
	if (!len)
		return false;
	memcpy(ret->path, p, len);
	ret->path[len] = '\0';
	ret->script = true;
	return true;
}

/* A run of the head, as far as it is there. */
static bool piece(const struct head *head, uint64_t at, void *ret, size_t size)
{
	if (at > head->len || size > head->len - at)
		return false;
	memcpy(ret, head->bytes + at, size);
	return true;
}

static bool name_at(const struct head *head, uint64_t at, uint64_t size, struct interpreter *ret)
{
	if (size < 2 || size > sizeof ret->path || !piece(head, at, ret->path, size))
		return false;
	ret->path[size - 1] = '\0';
	ret->script = false;
	return true;
}

static bool elf64_interpreter(const struct head *head, struct interpreter *ret)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (!piece(head, 0, &eh, sizeof eh))
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (!piece(head, eh.e_phoff + (uint64_t)i * eh.e_phentsize, &ph, sizeof ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return name_at(head, ph.p_offset, ph.p_filesz, ret);
	}
	return false;
}

static bool elf32_interpreter(const struct head *head, struct interpreter *ret)
{
	Elf32_Ehdr eh;
	Elf32_Phdr ph;

	if (!piece(head, 0, &eh, sizeof eh))
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (!piece(head, eh.e_phoff + (uint64_t)i * eh.e_phentsize, &ph, sizeof ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return name_at(head, ph.p_offset, ph.p_filesz, ret);
	}
	return false;
}

static bool interpreter_of(const char *path, struct interpreter *ret)
{
	struct head head;

	if (!read_head(path, &head))
		return false;
	if (first_line(&head, ret))
		return true;
	if (head.len < EI_NIDENT || memcmp(head.bytes, ELFMAG, SELFMAG) != 0)
		return false;
	return head.bytes[EI_CLASS] == ELFCLASS64 ? elf64_interpreter(&head, ret)
						  : elf32_interpreter(&head, ret);
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell_path(struct sb_watch *w, const struct watch_name *name, const char *within,
		      enum sb_kind kind, int outcome, uint32_t number, pid_t pid)
{
	struct sb_event ev = {.kind = kind,
			      .existed = SB_TRI_UNKNOWN,
			      .outcome = outcome,
			      .process = number,
			      .count = 1,
			      .real = watch_real(w, name, within, pid),
			      .path = watch_shown(w, name, within),
			      .backend = w->spec.backend};

	if (ev.path)
		sb_sink_event(w->spec.sink, &ev);
}

void watch_tell_exec(struct sb_watch *w, struct sb_watch_call *call, int outcome,
		     struct watch_process *image)
{
	struct watch_name name = call->names[0];
	const char *within = call->text.s + name.at;
	struct interpreter next;
	char current[PATH_MAX];

	if (!name.there)
		return;
	for (int i = 0; i <= SCRIPTS_MOST; i++) {
		tell_path(w, &name, within, SB_EXEC, outcome, (uint32_t)call->number, call->pid);
		const char *reach = watch_reach(w, &name, within, call->pid);
		if (!reach || !interpreter_of(reach, &next) || next.path[0] != '/') {
			return;
		}
		name.nofollow = false;
		if (!next.script) {
			/* The kernel opens the program's linker. */
			if (image)
				tell_path(w, &name, next.path, SB_OPEN, 0,
					  watch_number(w, image, NULL), call->pid);
			return;
		}
		(void)snprintf(current, sizeof current, "%s", next.path);
		within = current;
	}
}

/* What no_new_privs takes away: the set-id bits, and the capabilities of a file. */
void watch_tell_privilege(struct sb_watch *w, struct sb_watch_call *call)
{
	const struct watch_name *name = &call->names[0];
	const char *path;
	struct stat st;

	if (!w->spec.no_new_privs || !name->there)
		return;
	path = watch_reach(w, name, call->text.s + name->at, call->pid);
	if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	bool gains = (st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
		     ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		      st.st_gid != getegid()) ||
		     getxattr(path, "security.capability", NULL, 0) > 0;
	if (gains)
		sb_sink_blind(w->spec.sink, SB_BLIND_PRIVILEGE_LOST,
			      watch_shown(w, name, call->text.s + name->at), 1);
}

/* --- the new image ---------------------------------------------------------------------------- */

/* Nothing is known of the call: what runs is what was started. */
static const char *running_program(struct sb_watch *w, pid_t pid, char text[PATH_MAX])
{
	char name[32];

	(void)snprintf(name, sizeof name, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(name, text, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	return watch_intern(w, text);
}

static void tell_unseen(struct sb_watch *w, struct watch_process *p, uint32_t before)
{
	char text[PATH_MAX];
	const char *exe = running_program(w, p->pid, text);
	struct sb_event ev = {.kind = SB_EXEC,
			      .existed = SB_TRI_UNKNOWN,
			      .process = before,
			      .count = 1,
			      .path = exe,
			      .real = exe,
			      .backend = w->spec.backend};

	p->exe = exe;
	if (exe)
		sb_sink_event(w->spec.sink, &ev);
}

/* The process has a number of its own for each image; the command keeps its first. */
static void begin_image(struct sb_watch *w, struct watch_process *p, char *const *argv)
{
	int64_t before = p->number;

	p->forked = p->closed = p->uring = p->apart = false;
	p->moving = p->execs = 0;
	if (p->first) {
		p->first = false;
		return;
	}
	p->parent = before;
	p->number = -1;
	(void)watch_number(w, p, argv);
	watch_done(w, before);
}

void sb_watch_exec(struct sb_watch *w, pid_t pid, pid_t tid)
{
	struct watch_thread *caller = watch_find_thread(w, tid), *leader = watch_thread(w, pid);

	if (!leader)
		return;
	struct watch_process *p = leader->process;
	struct sb_watch_call *call = caller ? caller->exec : NULL;
	if (caller)
		caller->exec = NULL;
	leader->exec = NULL;
	uint32_t before = watch_number(w, p, NULL);
	watch_only_leader(w, p);
	if (call && call->names[0].there) {
		call->number = before;
		watch_tell_privilege(w, call);
		const char *shown =
			watch_shown(w, &call->names[0], call->text.s + call->names[0].at);
		p->exe = p->first ? p->exe : watch_intern(w, shown);
		begin_image(w, p, call->touches.argv);
		watch_tell_exec(w, call, 0, p);
	} else {
		tell_unseen(w, p, before);
		begin_image(w, p, NULL);
	}
	watch_give_call(w, call);
}
