#include "tracer/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/proc.h"
#include "tracer/watch_private.h"

double watch_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

const char *watch_intern(struct sb_watch *w, const char *s)
{
	const char *kept = s ? sb_map_intern(&w->strings, s) : NULL;

	if (s && !kept)
		sb_sink_lost(w->spec.sink, 1);
	return kept;
}

int sb_watch_new(const struct sb_watch_spec *spec, struct sb_watch **ret, struct sb_err *err)
{
	struct sb_watch *w = calloc(1, sizeof *w);

	if (!w)
		return sb_fail(err, ENOMEM, "start the watch");
	w->spec = *spec;
	w->moves = w->roots = w->moment = 1;
	w->user = geteuid();
	ssize_t n = readlink("/proc/self/ns/mnt", w->namespace, sizeof w->namespace - 1);
	w->namespace[n < 0 ? 0 : n] = '\0';
	w->here = watch_mount_of("/");
	w->swept = watch_now();
	int rc = sb_real_new(&w->real, err);
	if (rc < 0) {
		free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

void watch_deliver(struct sb_watch *w, const struct sb_event *ev)
{
	sb_sink_event(w->spec.sink, ev);
	if (w->spec.told)
		w->spec.told(w->spec.arg, ev);
}

void watch_met(struct sb_watch *w, enum sb_watch_step step, const struct watch_process *p)
{
	if (w->spec.met)
		w->spec.met(w->spec.arg, step, p->pid, p->number < 0 ? 0 : (uint32_t)p->number);
}

/* --- calls ------------------------------------------------------------------------------------ */

struct sb_watch_call *watch_take_call(struct sb_watch *w)
{
	struct sb_watch_call *call = w->spare;

	if (!call)
		return calloc(1, sizeof *call);
	w->spare = call->next;
	struct sb_buf text = call->text;
	*call = (struct sb_watch_call){.text = text};
	sb_buf_cut(&call->text, 0);
	return call;
}

void watch_give_call(struct sb_watch *w, struct sb_watch_call *call)
{
	if (!call)
		return;
	sb_touches_free(&call->touches);
	call->next = w->spare;
	w->spare = call;
}

/* --- who there is ----------------------------------------------------------------------------- */

static unsigned bucket(pid_t pid)
{
	return (unsigned)pid & (WATCH_BUCKETS - 1);
}

struct watch_process *watch_find_process(const struct sb_watch *w, pid_t pid)
{
	struct watch_process *p = w->processes[bucket(pid)];

	while (p && p->pid != pid)
		p = p->next;
	return p;
}

struct watch_thread *watch_find_thread(const struct sb_watch *w, pid_t tid)
{
	struct watch_thread *t = w->threads[bucket(tid)];

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

const struct sb_proc *watch_look(struct sb_watch *w, struct watch_process *p)
{
	if (p->seen_at != w->moment) {
		if (sb_proc_look(p->pid, &p->seen) < 0)
			return NULL;
		p->seen_at = w->moment;
	}
	return &p->seen;
}

static struct watch_process *enter_process(struct sb_watch *w, struct watch_process *p)
{
	p->next = w->processes[bucket(p->pid)];
	w->processes[bucket(p->pid)] = p;
	watch_met(w, SB_WATCH_BORN, p);
	return p;
}

static void inherit(struct sb_watch *w, struct watch_process *p, struct watch_process *parent)
{
	p->parent = watch_number(w, parent, NULL);
	p->ppid = parent->pid;
	p->forked = true;
	p->exe = parent->exe;
	/* They may have parted since: it is looked at when it is needed. */
	p->place = parent->place;
}

/* `seen` is what /proc says of it; NULL: that is still to be asked. */
static struct watch_process *add_process(struct sb_watch *w, pid_t pid, const struct sb_proc *seen,
					 struct watch_process *parent)
{
	struct watch_process *p = calloc(1, sizeof *p);

	if (!p) {
		sb_sink_lost(w->spec.sink, 1);
		return NULL;
	}
	*p = (struct watch_process){.pid = pid, .number = -1, .parent = -1};
	p->place.root = p->place.cwd = "";
	if (seen) {
		p->seen = *seen;
		p->seen_at = w->moment;
	}
	seen = watch_look(w, p);
	if (seen) {
		p->started = seen->started;
		p->ppid = seen->ppid;
	}
	if (parent)
		inherit(w, p, parent);
	return enter_process(w, p);
}

/* It is told of as it is born: nothing is to be asked for, least of all of /proc, which makes files
 * for every process that is looked for there. */
static struct watch_process *add_child(struct sb_watch *w, pid_t pid, struct watch_process *parent,
				       bool same)
{
	struct watch_process *p = calloc(1, sizeof *p);

	if (!p) {
		sb_sink_lost(w->spec.sink, 1);
		return NULL;
	}
	p->pid = pid;
	p->number = -1;
	inherit(w, p, parent);
	/* Alone, it cannot have moved while it made the child. */
	if (same && parent->threads == 1 && !parent->apart) {
		p->root_stamp = parent->root_stamp;
		p->cwd_stamp = parent->cwd_stamp;
	}
	return enter_process(w, p);
}

static struct watch_thread *add_thread(struct sb_watch *w, pid_t tid, struct watch_process *p)
{
	struct watch_thread *t = p ? calloc(1, sizeof *t) : NULL;

	if (!t)
		return NULL;
	*t = (struct watch_thread){.tid = tid, .process = p, .next = w->threads[bucket(tid)]};
	w->threads[bucket(tid)] = t;
	p->threads++;
	return t;
}

void watch_done(struct sb_watch *w, int64_t number)
{
	if (number < 0)
		return;
	if (w->spec.done)
		w->spec.done(w->spec.arg, (uint32_t)number);
	else
		sb_sink_done(w->spec.sink, (uint32_t)number);
}

static void remove_process(struct sb_watch *w, struct watch_process *p)
{
	struct watch_process **link = &w->processes[bucket(p->pid)];

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	watch_done(w, p->number);
	free(p);
}

/* Out of the table, with what it had open. */
static void remove_thread(struct sb_watch *w, struct watch_thread *t)
{
	struct watch_thread **link = &w->threads[bucket(t->tid)];

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	t->process->threads--;
	if (t->exec && t->exec->guessed)
		watch_give_call(w, t->exec);
	watch_give_call(w, t->later);
	free(t);
}

void watch_only_leader(struct sb_watch *w, struct watch_process *p)
{
	if (p->threads == 1 && watch_find_thread(w, p->pid))
		return;
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (struct watch_thread *t = w->threads[i], *next; t; t = next) {
			next = t->next;
			if (t->process == p && t->tid != p->pid)
				remove_thread(w, t);
		}
}

/* The process of a thread that has others beside it; 0: it is gone. */
static pid_t leader_of(pid_t tid)
{
	/* The process's name comes first, and has no line of its own within: it is in so much. */
	static const char field[] = "\nTgid:";
	char name[32], text[512];

	(void)snprintf(name, sizeof name, "/proc/%d/status", (int)tid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	const char *at = strstr(text, field);
	return at ? (pid_t)strtol(at + strlen(field), NULL, 10) : 0;
}

struct watch_thread *watch_thread(struct sb_watch *w, pid_t tid)
{
	struct watch_thread *t = watch_find_thread(w, tid);
	struct sb_proc seen;

	if (t)
		return t;
	if (sb_proc_look(tid, &seen) < 0)
		return NULL;
	pid_t pid = seen.threads == 1 ? tid : leader_of(tid);
	if (pid <= 0)
		return NULL;
	struct watch_process *p = watch_find_process(w, pid);
	if (!p)
		p = add_process(w, pid, pid == tid ? &seen : NULL,
				watch_find_process(w, seen.ppid));
	return add_thread(w, tid, p);
}

void watch_tell_process(struct sb_watch *w, struct watch_process *p, const char *cwd,
			const char *const *argv)
{
	p->number = w->counted++;
	sb_sink_process(w->spec.sink, &(struct sb_trace_process){
					      .id = (uint32_t)p->number,
					      .parent = p->parent,
					      .pid = p->pid,
					      .ppid = p->ppid,
					      .forked = p->forked,
					      .exe = p->exe,
					      .cwd = cwd,
					      .argv = argv,
				      });
}

uint32_t watch_number(struct sb_watch *w, struct watch_process *p, char *const *argv)
{
	if (p->number >= 0)
		return (uint32_t)p->number;
	struct watch_thread *t = watch_find_thread(w, p->pid);
	struct watch_place place = p->place;
	if (t)
		watch_place(w, t, true, &place);
	watch_tell_process(w, p, *place.cwd ? place.cwd : NULL, (const char *const *)argv);
	watch_met(w, SB_WATCH_NUMBER, p);
	return (uint32_t)p->number;
}

/* Who says hello; NULL: it is gone, or cannot be told by its number. */
static struct watch_thread *who_greets(struct sb_watch *w, const struct sb_watch_image *image)
{
	struct watch_thread *t = image->pid ? watch_find_thread(w, image->pid) : NULL;
	const struct sb_proc told = {.ppid = image->ppid, .threads = 1, .started = image->started};

	if (t || !image->pid || image->gone)
		return t;
	if (!image->started)
		return watch_thread(w, image->pid);
	struct watch_process *p = watch_find_process(w, image->pid);
	if (!p)
		p = add_process(w, image->pid, &told, watch_find_process(w, image->ppid));
	if (p)
		p->seen_at = 0; /* that was not all that there is to see */
	return add_thread(w, image->pid, p);
}

uint32_t sb_watch_image(struct sb_watch *w, const struct sb_watch_image *image)
{
	w->moment++;
	struct watch_thread *t = who_greets(w, image);

	if (image->passed)
		return watch_passed(w, image, t);
	if (t && image->executed)
		watch_settle_hello(w, t);
	t = t ? watch_find_thread(w, image->pid) : NULL;
	if (t) {
		struct watch_process *p = t->process;

		if (p->number < 0 && p->parent < 0)
			p->parent = image->parent;
		if (p->number < 0 && !p->exe)
			p->exe = watch_intern(w, image->exe);
		return watch_number(w, p, NULL);
	}
	uint32_t number = w->counted++;
	sb_sink_process(w->spec.sink, &(struct sb_trace_process){
					      .id = number,
					      .parent = image->parent,
					      .pid = image->pid,
					      .ppid = image->ppid,
					      .forked = image->forked,
					      .exe = image->exe,
					      .cwd = image->cwd,
				      });
	return number;
}

void sb_watch_stale(struct sb_watch *w)
{
	w->moves++;
	sb_real_forget(w->real);
}

void sb_watch_passes(struct sb_watch *w, uint64_t count)
{
	w->passes = count;
}

void sb_watch_first(struct sb_watch *w, pid_t pid, const char *program, char *const *argv,
		    const char *cwd)
{
	struct watch_process *p = add_process(w, pid, NULL, NULL);

	if (!p || !add_thread(w, pid, p))
		return;
	p->first = true;
	p->exe = watch_intern(w, program);
	if (cwd)
		p->place.cwd = watch_intern(w, cwd);
	(void)watch_number(w, p, argv);
}

void sb_watch_fork(struct sb_watch *w, pid_t parent_tid, pid_t child_tid, bool thread, bool same)
{
	struct watch_thread *parent = watch_thread(w, parent_tid);

	/* It was heard of before its parent came to tell. */
	if (watch_find_thread(w, child_tid))
		return;
	if (thread && parent)
		(void)add_thread(w, child_tid, parent->process);
	else if (parent)
		(void)add_thread(w, child_tid, add_child(w, child_tid, parent->process, same));
	else
		(void)add_thread(w, child_tid, add_process(w, child_tid, NULL, NULL));
}

void sb_watch_gone(struct sb_watch *w, pid_t tid)
{
	struct watch_thread *t = watch_find_thread(w, tid);

	if (!t)
		return;
	w->moment++;
	watch_settle(w, t);
	/* An exec of another thread may have taken it off. */
	t = watch_find_thread(w, tid);
	if (!t)
		return;
	struct watch_process *p = t->process;
	remove_thread(w, t);
	if (!p->threads)
		remove_process(w, p);
}

int64_t sb_watch_number(struct sb_watch *w, pid_t tid)
{
	struct watch_thread *t = watch_find_thread(w, tid);

	return t ? t->process->number : -1;
}

void sb_watch_free(struct sb_watch *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < WATCH_BUCKETS; i++) {
		while (w->threads[i])
			remove_thread(w, w->threads[i]);
		for (struct watch_process *p = w->processes[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	}
	for (struct sb_watch_call *call = w->spare, *next; call; call = next) {
		next = call->next;
		sb_buf_free(&call->text);
		free(call);
	}
	sb_map_free(&w->strings);
	watch_forget_programs(w);
	sb_real_free(w->real);
	sb_buf_free(&w->path);
	sb_buf_free(&w->real_path);
	free(w);
}
