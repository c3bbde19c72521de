/* From one image of a process to the next: what the kernel reads on the way. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracer/watch_private.h"
#include "tracer/wire.h"

/* The kernel follows no more first lines than this. */
#define SCRIPTS_MOST 5
/* --- telling ---------------------------------------------------------------------------------- */

/* `real`: NULL where it is to be looked up. */
static void tell_path(struct sb_watch *w, const struct watch_name *name, const char *within,
		      const char *real, enum sb_kind kind, int outcome, uint32_t number, pid_t pid)
{
	struct sb_event ev = {.kind = kind,
			      .existed = SB_TRI_UNKNOWN,
			      .outcome = outcome,
			      .process = number,
			      .count = 1,
			      .real = real ? real : watch_real(w, name, within, pid),
			      .path = watch_shown(w, name, within),
			      .backend = w->spec.backend};

	if (ev.path)
		watch_deliver(w, &ev);
}

void watch_tell_exec(struct sb_watch *w, struct sb_watch_call *call, int outcome,
		     struct watch_process *image)
{
	struct watch_name name = call->names[0];
	const char *within = call->text.s + name.at;

	if (!name.there)
		return;
	for (int i = 0; i <= SCRIPTS_MOST; i++) {
		const char *known = i ? NULL : call->real;

		tell_path(w, &name, within, known, SB_EXEC, outcome, (uint32_t)call->number,
			  call->pid);
		const char *reach = known ? known : watch_reach(w, &name, within, call->pid);
		struct watch_program program = {0};

		if (reach)
			watch_program(w, reach, &program);
		if (!program.interpreter || program.interpreter[0] != '/')
			return;
		name.nofollow = false;
		within = program.interpreter;
		if (!program.script) {
			/* The kernel opens the program's linker. */
			if (image)
				tell_path(w, &name, within, NULL, SB_OPEN, 0,
					  watch_number(w, image, NULL), call->pid);
			return;
		}
	}
}

bool watch_runs(struct sb_watch *w, const struct sb_watch_call *call)
{
	struct watch_name name = call->names[0];
	const char *within = call->text.s + name.at;
	struct stat running, its;
	char exe[32];

	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)call->pid);
	if (!name.there || stat(exe, &running) < 0)
		return false;
	for (int i = 0; i <= SCRIPTS_MOST; i++) {
		const char *reach = watch_reach(w, &name, within, call->pid);
		struct watch_program program = {0};

		if (!reach || stat(reach, &its) < 0)
			return false;
		watch_program(w, reach, &program);
		if (!program.script)
			break;
		name.nofollow = false;
		within = program.interpreter;
	}
	return its.st_dev == running.st_dev && its.st_ino == running.st_ino;
}

/* What no_new_privs takes away. */
void watch_tell_privilege(struct sb_watch *w, struct sb_watch_call *call)
{
	const struct watch_name *name = &call->names[0];
	struct watch_program program = {0};

	if (!w->spec.no_new_privs || !name->there)
		return;
	const char *path = watch_reach(w, name, call->text.s + name->at, call->pid);
	if (path)
		watch_program(w, path, &program);
	if (program.gains)
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
		watch_deliver(w, &ev);
}

static void forget_image(struct watch_process *p)
{
	p->forked = p->closed = p->uring = p->apart = p->begins = p->audited = false;
	p->moving = p->execs = 0;
}

/* The process has a number of its own for each image; the command keeps its first. */
static void begin_image(struct sb_watch *w, struct watch_process *p, char *const *argv)
{
	int64_t before = p->number;

	forget_image(p);
	if (p->first) {
		p->first = false;
		return;
	}
	p->parent = before;
	p->number = -1;
	watch_met(w, SB_WATCH_BECAME, p);
	(void)watch_number(w, p, argv);
	watch_done(w, before);
}

/* Who begins without our module, and a name that lies where that would. */
struct watch_missed {
	struct sb_watch *w;
	const struct watch_thread *t;
	struct sb_buf text;
	struct watch_name name;
};

/* What the linker has opened by its path, and kept, is mapped. */
static bool is_mapped(void *arg, const char *path)
{
	struct watch_missed *m = arg;
	pid_t pid = m->t->process->pid;
	const char *real;

	sb_buf_cut(&m->text, 0);
	m->name = (struct watch_name){0};
	watch_absolute(m->w, m->t, AT_FDCWD, path, &m->text, &m->name);
	real = m->name.there ? watch_real(m->w, &m->name, m->text.s + m->name.at, pid) : NULL;
	return real && sb_opening_maps(pid, real);
}

/* A call before which the linker asks for no file but an auditor. */
static bool begins_on(const struct sb_call *made)
{
	const struct sb_syscall *row = sb_syscall_find(made->abi, made->nr);

	if (!row || row->kind == SB_READLINK)
		return true;
	return row->act == SB_ACT_OPEN && row->flags >= 0 &&
	       made->args[row->flags] & (O_ACCMODE | O_CREAT);
}

static bool opens(const struct sb_call *made)
{
	const struct sb_syscall *row = sb_syscall_find(made->abi, made->nr);

	return row && row->act == SB_ACT_OPEN;
}

void watch_tell_missed(struct sb_watch *w, const struct watch_thread *t, const struct sb_call *made)
{
	struct watch_missed missed = {.w = w, .t = t, .text = SB_BUF_INIT};
	struct watch_process *p = t->process;
	auto_buf file = SB_BUF_INIT;

	p->begins = begins_on(made);
	if (sb_opening_missed(p->pid, w->spec.opening, is_mapped, &missed, &file)) {
		tell_path(w, &missed.name, missed.text.s + missed.name.at, NULL, SB_OPEN, 0,
			  watch_number(w, p, NULL), p->pid);
		p->begins = p->audited = false;
	}
	/* One that could not be loaded leaves no name behind; but the linker looks for
	 * /etc/ld.so.preload before it opens others, so this may be the very one. */
	if (!p->begins && p->audited && !opens(made))
		sb_sink_lost(w->spec.sink, 1);
	sb_buf_free(&missed.text);
}

static void begin_without(struct sb_watch *w, struct watch_process *p)
{
	enum sb_beginning beginning = sb_opening_begins(p->pid, w->spec.module, w->spec.opening);

	p->begins = beginning != SB_BEGINS_WITH_US;
	p->audited = beginning == SB_BEGINS_AUDITED;
	if (beginning == SB_BEGINS_PRELOADED)
		sb_sink_lost(w->spec.sink, 1);
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
	if (call && w->spec.with_modules && call->call.args[5] == SB_AGAIN) {
		forget_image(p);
		watch_give_call(w, call);
		return;
	}
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
	if (w->spec.module)
		begin_without(w, p);
}

/* What it was executed by, and each interpreter on the way, and its linker. */
static void tell_passed(struct sb_watch *w, const struct sb_watch_image *image,
			struct watch_process *p)
{
	struct sb_watch_call *call = watch_take_call(w);
	const char *root = watch_intern(w, image->root);

	if (!call || !root || sb_buf_puts(&call->text, image->exe + strlen(root)) < 0) {
		sb_sink_lost(w->spec.sink, 1);
		watch_give_call(w, call);
		return;
	}
	call->pid = p->pid;
	call->number = p->parent < 0 ? p->number : p->parent;
	call->names[0] = (struct watch_name){.place = {.root = root, .cwd = ""}, .there = true};
	/* Its name may mean another file by now, or none. */
	call->real = image->real;
	watch_tell_exec(w, call, 0, p);
	watch_give_call(w, call);
}

/* The child that made the exec, before it did: it had nothing to tell but this. */
static void tell_child(struct sb_watch *w, struct watch_process *p,
		       const struct sb_watch_image *image)
{
	p->parent = image->parent;
	p->forked = true;
	p->exe = watch_intern(w, image->parent_exe);
	watch_tell_process(w, p, image->cwd, NULL);
}

uint32_t watch_passed(struct sb_watch *w, const struct sb_watch_image *image,
		      struct watch_thread *t)
{
	struct watch_process gone = {.pid = image->pid, .number = -1}, *p = &gone;

	if (t) {
		p = t->process;
		watch_settle_passed(w, t, image->parent);
		watch_only_leader(w, p);
	}
	p->ppid = image->ppid;
	if (image->by_child && p->number < 0)
		tell_child(w, p, image);
	int64_t before = p->number;
	p->parent = before < 0 ? image->parent : before;
	forget_image(p);
	p->exe = watch_intern(w, image->exe);
	watch_tell_process(w, p, image->cwd, image->argv);
	if (t) {
		watch_met(w, SB_WATCH_BECAME, p);
		watch_met(w, SB_WATCH_NUMBER, p);
	}
	if (p->exe)
		tell_passed(w, image, p);
	else
		tell_unseen(w, p, (uint32_t)(p->parent < 0 ? p->number : p->parent));
	watch_done(w, before);
	return (uint32_t)p->number;
}
