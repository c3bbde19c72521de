#include "tracer/quiet.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Shared with the child. */
struct learned {
	unsigned count;
	struct sb_quiet quiet[SB_QUIET_LEARN];
};

static struct learned *learned;

#if defined(__x86_64__)
#define SECOND(machine) ((machine)->gregs[REG_RSI])
#define FOURTH(machine) ((machine)->gregs[REG_R10])
#define RESULT(machine) ((machine)->gregs[REG_RAX])
#elif defined(__aarch64__)
#define SECOND(machine) ((machine)->regs[1])
#define FOURTH(machine) ((machine)->regs[3])
#define RESULT(machine) ((machine)->regs[0])
#else
#error "which registers hold a system call's arguments?"
#endif

/* The call is not made. */
static void on_call(int sig, siginfo_t *info, void *context)
{
	mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
	const char *path = (const char *)(uintptr_t)SECOND(machine);

	(void)sig;
	RESULT(machine) = -EPERM;
	if (FOURTH(machine) != AT_EMPTY_PATH || *path || learned->count == SB_QUIET_LEARN)
		return;
	learned->quiet[learned->count++] = (struct sb_quiet){
		(uint16_t)((uintptr_t)info->si_call_addr & SB_QUIET_MASK),
		(uint16_t)((uintptr_t)path & SB_QUIET_MASK),
	};
}

/* In the child. Whoever asks is told that it failed, and gives up. */
static void ask(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
	struct stat st;
	sigset_t none;

	sigemptyset(&none);
	if (sigaction(SIGSYS, &action, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return;
	(void)fstat(STDIN_FILENO, &st);
	/* The linker looks at what it has opened before it loads anything of it. */
	(void)dlopen("/proc/self/exe", RTLD_LAZY | RTLD_LOCAL);
}

unsigned sb_quiet_learn(struct sb_quiet ret[SB_QUIET_LEARN])
{
	unsigned count;

	learned = mmap(NULL, sizeof *learned, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (learned == MAP_FAILED)
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		ask();
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	count = pid > 0 ? learned->count : 0;
	memcpy(ret, learned->quiet, sizeof learned->quiet);
	(void)munmap(learned, sizeof *learned);
	return count;
}
