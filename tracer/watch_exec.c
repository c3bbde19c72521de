/* From one image of a process to the next: what the kernel reads on the way. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "tracer/watch_private.h"

/* The kernel follows no more first lines than this. */
#define SCRIPTS_MOST 5
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
		tell_path(w, &name, within, SB_EXEC, outcome, (uint32_t)call->number, call->pid);
		const char *reach = watch_reach(w, &name, within, call->pid);
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
				tell_path(w, &name, within, SB_OPEN, 0,
					  watch_number(w, image, NULL), call->pid);
			return;
		}
	}
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
	watch_met(w, SB_WATCH_BECAME, p);
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
