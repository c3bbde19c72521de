#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/facts.h"
#include "tracer/ask.h"
#include "tracer/ptrace_private.h"
#include "tracer/quiet.h"

/* How soon others' signals are looked at, time-outs, and what fanotify has to tell. */
#define LOOK_SECONDS 0.02

/* --- the command ------------------------------------------------------------------------------ */

/* Without CAP_SYS_ADMIN only those filter themselves who gain nothing any more. */
static int put_under(const struct sock_fprog *prog)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0 ? -errno : 0;
}

/* In the child: waits until it is seized, and says under what it runs. */
static int enter(void *arg)
{
	struct sb_ptrace *p = arg;
	char byte = 0;

	if (read(p->child_end, &byte, 1) != 1)
		return -EPIPE;
	int rc = put_under(&p->filter.prog);
	byte = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	if (rc == 0 && write(p->child_end, &byte, 1) != 1)
		rc = -EPIPE;
	return rc;
}

static int seize(struct sb_ptrace *p, pid_t pid, struct sb_err *err)
{
	char byte = 0;

	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)PTRACE_OPTIONS) < 0)
		return sb_fail(err, errno, "trace the command");
	if (write(p->our_end, &byte, 1) != 1)
		return sb_fail(err, errno, "trace the command");
	return 0;
}

/* The child is about to put itself under the filter, or to say why it cannot. */
static int attend(void *arg, pid_t pid, int up, struct sb_err *err)
{
	struct sb_ptrace *p = arg;
	struct pollfd fds[] = {{p->our_end, POLLIN, 0}, {up, POLLIN, 0}};
	struct sb_watch_spec spec = {.sink = p->spec.sink,
				     .backend = "ptrace",
				     .met = p->spec.met,
				     .told = p->spec.told,
				     .arg = p->spec.arg};
	char unprivileged;
	int rc = seize(p, pid, err);

	if (rc < 0)
		return rc;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		continue;
	if (!(fds[0].revents & POLLIN) || read(p->our_end, &unprivileged, 1) != 1)
		return 0;
	/* A tracer without that right takes it from who is started with more, as well. */
	spec.no_new_privs = unprivileged || !sb_fact_capability(CAP_SYS_PTRACE);
	rc = sb_watch_new(&spec, &p->watch, err);
	if (rc < 0)
		return rc;
	p->command = pid;
	sb_watch_first(p->watch, pid, p->spec.trace->program, p->spec.trace->argv, p->cwd);
	if (p->spec.started)
		p->spec.started(p->spec.arg, pid);
	/* Until it has exec'd or ended, whatever it does is a stop. */
	int status;
	while (poll(&fds[1], 1, 0) == 0 && (pid = waitpid(-1, &status, __WALL)) > 0)
		ptrace_take(p, pid, status);
	p->deserted = pid < 0 && errno == ECHILD;
	return 0;
}

int sb_ptrace_new(const struct sb_ptrace_spec *spec, struct sb_ptrace **ret, struct sb_err *err)
{
	struct sb_ptrace *p = calloc(1, sizeof *p);
	struct sb_filter_spec filter = {
		.action = SECCOMP_RET_TRACE,
		.refuse_uring = !spec->trace->allow_uring,
		.with_tracers = true,
	};
	int pair[2] = {-1, -1};

	if (!p)
		return sb_fail(err, ENOMEM, "start the trace");
	p->spec = *spec;
	filter.quiet_count = sb_quiet_learn(filter.quiet);
	p->hooks = (struct sb_child_hooks){enter, attend, p, "put itself under a seccomp filter"};
	p->cwd = getcwd(NULL, 0);
	int rc = p->cwd ? sb_filter_make(&filter, &p->filter, err)
			: sb_fail(err, errno, "find the working directory");
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		rc = sb_fail(err, errno, "start the trace");
	p->child_end = pair[0];
	p->our_end = pair[1];
	if (rc < 0)
		sb_ptrace_free(p);
	else
		*ret = p;
	return rc;
}

void sb_ptrace_free(struct sb_ptrace *p)
{
	if (!p)
		return;
	ptrace_tick_end(p);
	sb_watch_free(p->watch);
	for (struct ptrace_pending *spare = p->spare, *next; spare; spare = next) {
		next = spare->next;
		free(spare);
	}
	sb_closep(&p->child_end);
	sb_closep(&p->our_end);
	free(p->cwd);
	free(p);
}

int sb_ptrace_start(struct sb_ptrace *p, struct sb_err *err)
{
	const struct sb_trace_spec *trace = p->spec.trace;
	/* As the user wrote it: a script is told this name, and may print it. */
	const char *file = strchr(trace->argv[0], '/') ? trace->argv[0] : trace->program;

	trace->child->hooks = &p->hooks;
	int rc = sb_child_start(trace->child, file, trace->argv, trace->envp, trace->apart, err);
	/* It may have ended before it was known as ours. */
	if (rc == 0 && p->ended)
		trace->child->pid = 0;
	/* Not before: neither the timer nor who hears it is to be the command's. */
	ptrace_tick(p, LOOK_SECONDS);
	sb_closep(&p->child_end);
	sb_closep(&p->our_end);
	return rc;
}

/* --- what this machine grants ----------------------------------------------------------------- */

/* In the child: the errno of what failed; ENOSYS: nobody traced it. */
static int ask(int socket)
{
	struct sock_filter code[SB_ASK_FILTER];
	struct sock_fprog prog;
	char byte;

	if (read(socket, &byte, 1) != 1)
		return ECANCELED;
	sb_ask_filter(SECCOMP_RET_TRACE, code, &prog);
	int rc = put_under(&prog);
	if (rc < 0)
		return -rc;
	return sb_ask();
}

struct probing {
	bool stopped, info, memory;
	int failed; /* of the child */
};

static void attend_probe(pid_t pid, struct probing *ret)
{
	struct sb_call call;
	int status;

	while (waitpid(pid, &status, __WALL) == pid) {
		if (!WIFSTOPPED(status)) {
			ret->failed = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
			return;
		}
		if (status >> 16 == PTRACE_EVENT_SECCOMP) {
			ret->stopped = true;
			ret->info = ptrace_entered(pid, &call) == 0;
			ret->memory = ret->info && sb_ask_heard(pid, call.args[1]);
		}
		(void)ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
}

/* Whether a child of ours is somebody's tracee from its birth. */
static bool traced_already(void)
{
	char line[64];
	bool traced = false;
	auto_file FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "TracerPid:", 10) == 0)
			traced = strtol(line + 10, NULL, 10) != 0;
	return traced;
}

static int refused(const char *who, int code, struct sb_err *err)
{
	if (code == EPERM && traced_already())
		return sb_fail(err, SB_ESAID,
			       "backend %s: we are traced ourselves (a trace within a trace, or a "
			       "debugger), and a process has one tracer only: take -b audit",
			       who);
	if (code == EPERM || code == EACCES || code == ENOSYS)
		return sb_fail(err, SB_ESAID,
			       "backend %s: ptrace(2) of a child is refused here (Yama: sysctl "
			       "kernel.yama.ptrace_scope=1; in a container: --cap-add SYS_PTRACE); "
			       "or take -b hybrid or -b audit",
			       who);
	return sb_fail(err, code, "backend %s: trace a child", who);
}

static int judge(const char *who, const struct probing *seen, struct sb_err *err)
{
	if (!seen->stopped && seen->failed)
		return sb_fail(err, SB_ESAID,
			       "backend %s: seccomp(2) is refused here: %s (in a container: "
			       "--security-opt seccomp=unconfined); or take -b audit",
			       who, strerror(seen->failed));
	if (!seen->stopped)
		return sb_fail(err, SB_ESAID,
			       "backend %s: a filter above us keeps its stops from us (a trace "
			       "within a trace): take -b audit",
			       who);
	if (!seen->info)
		return sb_fail(err, SB_ESAID,
			       "backend %s: this kernel lacks PTRACE_GET_SYSCALL_INFO (Linux 5.3): "
			       "take -b audit",
			       who);
	if (!seen->memory)
		return sb_fail(
			err, SB_ESAID,
			"backend %s: the memory of a child may not be read, where its paths are "
			"(in a container: --cap-add SYS_PTRACE); or take -b audit",
			who);
	return 0;
}

int sb_ptrace_probe(const char *who, struct sb_err *err)
{
	struct probing seen = {0};
	int pair[2], rc = 0;
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sb_fail(err, errno, "backend %s: make a socket", who);
	auto_fd int ours = pair[0];
	auto_fd int its = pair[1];
	pid_t pid = fork();
	if (pid < 0)
		return sb_fail(err, errno, "backend %s: try it in a child", who);
	if (pid == 0) {
		close(ours);
		_exit(ask(its));
	}
	close(sb_steal_fd(&its));
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)PTRACE_OPTIONS) < 0) {
		rc = refused(who, errno, err);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return rc;
	}
	(void)!write(ours, &byte, 1); /* it has ended: so it says */
	attend_probe(pid, &seen);
	return judge(who, &seen, err);
}
