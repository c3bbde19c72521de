/*
 * The fanotify backend: the kernel tells of every open and exec on the file systems that are
 * mounted, and those of the command and its descendants are kept. Nothing is changed in what it
 * watches: set-id programs keep their rights. Needs CAP_SYS_ADMIN.
 */
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/backend.h"
#include "tracer/child.h"
#include "tracer/fan.h"
#include "tracer/tend.h"

struct fanotify {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	struct sb_fan *fan;
	int signals; /* readable while one is pending */
	struct sb_tend tend;
};

static void process(void *arg, const struct sb_trace_process *p, const struct sb_fan_image *image)
{
	struct fanotify *f = arg;

	(void)image;
	sb_sink_process(f->sink, p);
}

static void event(void *arg, const struct sb_event *ev)
{
	struct fanotify *f = arg;

	sb_sink_event(f->sink, ev);
}

static void blind(void *arg, enum sb_blind why, const char *path)
{
	struct fanotify *f = arg;

	sb_sink_blind(f->sink, why, path, 1);
}

static void lost(void *arg, uint64_t count)
{
	struct fanotify *f = arg;

	sb_sink_lost(f->sink, count);
}

static int open_fan(struct fanotify *f, struct sb_err *err)
{
	const struct sb_fan_spec spec = {
		.process = process, .event = event, .blind = blind, .lost = lost, .arg = f};
	int rc = sb_fan_open(&spec, &f->fan, err);

	return rc < 0 ? sb_wrap(err, "backend fanotify") : 0;
}

static int probe(struct sb_err *err)
{
	struct fanotify f = {0};
	int rc = open_fan(&f, err);

	sb_fan_free(f.fan);
	return rc;
}

static bool turn(void *arg, double seconds)
{
	struct fanotify *f = arg;

	sb_fan_wait(f->fan, seconds, f->signals);
	if (sb_child_wait(f->spec->child, 0, &f->tend.status) > 0)
		f->tend.ended = true;
	sb_fan_turn(f->fan);
	return false; /* it waits by itself, for no longer than there is nothing */
}

static bool any(void *arg)
{
	struct fanotify *f = arg;

	return sb_fan_running(f->fan, NULL, 0) > 0;
}

static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct fanotify *f = arg;
	size_t count = sb_fan_running(f->fan, pids, cap);

	return count < cap ? count : cap;
}

static int start(struct fanotify *f, const char *cwd, struct sb_err *err)
{
	const struct sb_trace_spec *spec = f->spec;
	/* As the user wrote it: a script is told this name, and may print it. */
	const char *file = strchr(spec->argv[0], '/') ? spec->argv[0] : spec->program;
	sigset_t set;
	int rc = open_fan(f, err);

	if (rc == 0)
		rc = sb_child_start(spec->child, file, spec->argv, spec->envp, spec->apart, err);
	if (rc < 0)
		return rc;
	sb_fan_first(f->fan, spec->child->pid, spec->program, spec->argv, cwd);
	/* Without it, turns are as long as they can be. */
	sb_child_signals(&set);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return 0;
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct fanotify f = {.spec = spec, .sink = sink, .signals = -1};
	auto_free char *cwd = getcwd(NULL, 0);

	f.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.arg = &f,
	};
	*ret_status = -1;
	int rc = sb_tend_new(&f.tend, err);
	if (rc == 0)
		rc = start(&f, cwd, err);
	if (rc == 0) {
		rc = sb_tend_run(&f.tend, err);
		sb_fan_finish(f.fan);
		*ret_status = f.tend.status;
	}
	sb_closep(&f.signals);
	sb_fan_free(f.fan);
	sb_tend_free(&f.tend);
	return rc;
}

const struct sb_backend sb_backend_fanotify = {
	.name = "fanotify",
	.summary = "marks on the file systems: opens and execs, by whatever program",
	.needs = "CAP_SYS_ADMIN",
	.probe = probe,
	.run = run,
};
