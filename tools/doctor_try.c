#include "tools/doctor_try.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/probe.h"
#include "tracer/trace.h"
#include "tracer/trace_run.h"

/* Starting a program and asking it for its version takes no longer than this anywhere. */
#define TIMEOUT_SECONDS 20.0

/* The exec, and the libraries that it brought along. */
static bool saw_it(const struct sb_trace *t)
{
	bool executed = false, opened = false;

	for (size_t i = 0; i < t->event_count; i++) {
		const struct sb_event *ev = &t->events[i];

		executed |= ev->kind == SB_EXEC && ev->outcome <= 0;
		opened |= (ev->kind == SB_OPEN || ev->kind == SB_LOAD) && ev->outcome <= 0;
	}
	return executed && opened;
}

static int run_it(const char *backend, const char *file, struct sb_err *err)
{
	char self[PATH_MAX], version[] = "--version";
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		return sb_fail(err, errno, "find ourselves in /proc (is it mounted?)");
	self[n] = '\0';
	char *argv[] = {self, version, NULL};
	struct sb_trace_result result;
	struct sb_trace_run run = {
		.backend = backend,
		.output = file,
		.spec = {.argv = argv, .envp = environ, .apart = 1, .timeout = TIMEOUT_SECONDS},
	};
	int rc = sb_trace_run(&run, &result, err);
	if (rc == 0 && result.status != 0)
		rc = sb_fail(err, SB_ESAID, "'%s' did not work while it was traced", self);
	return rc;
}

/* In a child: what it prints goes nowhere. */
static int try_it(void *arg, struct sb_err *err)
{
	const struct sb_backend *backend = arg;
	auto_fd int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_fd int memory = memfd_create("sidebundle-doctor", MFD_CLOEXEC);
	struct sb_trace *t = NULL;
	char file[64];

	if (nowhere >= 0)
		(void)dup2(nowhere, STDERR_FILENO);
	if (memory < 0)
		return sb_fail(err, errno, "make a file in memory");
	(void)snprintf(file, sizeof file, "/proc/self/fd/%d", memory);
	int rc = run_it(backend->name, file, err);
	if (rc == 0)
		rc = sb_trace_load(file, &t, err);
	if (rc == 0 && !saw_it(t))
		rc = sb_fail(err, SB_ESAID,
			     "tried on sidebundle itself, it saw nothing of what that opened: take "
			     "another one");
	sb_trace_free(t);
	return rc < 0 && err->code != SB_ESAID ? sb_wrap(err, "backend %s", backend->name) : rc;
}

int sb_doctor_try(const struct sb_backend *backend, struct sb_err *err)
{
	int rc = backend->probe(err);

	return rc < 0 ? rc : sb_probe_child(try_it, (void *)(uintptr_t)backend, err);
}
