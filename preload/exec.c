#include "preload/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/arch.h"
#include "preload/chunk.h"
#include "preload/inspect.h"
#include "preload/readable.h"
#include "preload/room.h"
#include "preload/start.h"
#include "preload/str.h"
#include "preload/write.h"

/* Of a 16 KiB stack there must be left what the call itself needs. */
#define STACK_ROOM 6144
/* What we read of an argument, and of a variable that may be one of ours. */
#define ARGUMENT_MOST 8192
#define NAME_MOST     64

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

/* --- what is started -------------------------------------------------------------------------- */

static void record_file(struct sb_exec *x, int dirfd, const char *path, char *const *argv)
{
	const struct sb_access access = {.kind = SB_EXEC, .dirfd = dirfd, .path = path};
	uint64_t place = sb_write_exec(&access, argv, &x->refs[x->files]);

	if (!x->files)
		x->want.token = place;
	x->files += place ? 1 : 0;
}

/* Apart, for its large buffer: a blind spot is rare. */
static __attribute__((noinline)) void record_blind(struct sb_exec *x, enum sb_blind blind,
						   int dirfd, const char *path)
{
	struct sb_recorder *st = sb_self();
	struct sb_rec head = {
		.kind = SB_REC_BLIND,
		.where = sb_load(&st->where),
		.dirfd = AT_FDCWD,
		.value = blind,
		.arg = x->want.token,
	};
	char dir[PATH_MAX];
	struct sb_text text[2] = {{path, sb_strnlen(path, PATH_MAX)}, {dir, 0}};
	bool below = path[0] != '/' && dirfd != AT_FDCWD &&
		     sb_name_dir(dirfd, dir, sizeof(dir), &text[1].len);

	/* Executed by descriptor: that names the file itself. */
	if (below && text[0].len)
		head.flags = SB_REC_DIR;
	(void)sb_write(&head, below && !text[0].len ? text + 1 : text, head.flags ? 2 : 1, NULL, 0,
		       NULL);
}

/* From a chroot, or as another user, our files may be out of reach: then ld.so would complain. */
static bool reachable(const struct sb_recorder *st)
{
	return !failed(sb_raw(SYS_faccessat, AT_FDCWD, (long)st->modules, X_OK, 0, 0, 0)) &&
	       !failed(sb_raw(SYS_faccessat, AT_FDCWD, (long)st->log_path, R_OK | W_OK, 0, 0, 0));
}

static void decide(struct sb_exec *x, const struct sb_program *program, int dirfd, const char *path)
{
	x->want.static_tls = (uint32_t)program->info;
	if (program->gains) {
		x->want.trace = false;
		record_blind(x, SB_BLIND_SETID, dirfd, path);
	} else if (program->info & SB_PROG_FOREIGN) {
		x->want.trace = false;
		record_blind(x, SB_BLIND_FOREIGN, dirfd, path);
	} else if (!reachable(sb_self())) {
		x->want.trace = false;
		record_blind(x, SB_BLIND_UNREACHABLE, dirfd, path);
	} else if (program->info & SB_PROG_STATIC) {
		/* It ignores our variables, and hands them on to what it starts. */
		x->want.flags = sb_flags_with(sb_self(), 'x');
		record_blind(x, SB_BLIND_STATIC, dirfd, path);
	} else {
		if (program->info & SB_PROG_SANITIZER) {
			x->want.preload = false;
			/* Nothing would hide the rest of ours from it. */
			x->want.trace = x->want.audit && !sb_self()->guarded;
			record_blind(x, SB_BLIND_SANITIZER, dirfd, path);
		}
		if (program->info & SB_PROG_PRELOAD)
			x->want.flags = sb_flags_with(sb_self(), 'p');
		if (program->info & SB_PROG_NO_AUDIT) {
			x->want.audit = false;
			/* A guard sees what it would have told. */
			if (!sb_self()->guarded)
				record_blind(x, SB_BLIND_STATIC_TLS, dirfd, path);
		}
		if (program->info & SB_PROG_GO && !sb_self()->guarded) {
			/* It, too, hands them on past our hooks. */
			x->want.flags = sb_flags_with(sb_self(), 'x');
			record_blind(x, SB_BLIND_RAW, dirfd, path);
		}
	}
}

/* What needs no look of a guard: our modules come along, and tell of all that it does. */
#define ODD                                                                                        \
	(SB_PROG_STATIC | SB_PROG_SETID | SB_PROG_FOREIGN | SB_PROG_SANITIZER | SB_PROG_NO_AUDIT | \
	 SB_PROG_MUSL | SB_PROG_SCRIPT | SB_PROG_GO)

static bool is_ordinary(const struct sb_exec *x, const struct sb_program *program)
{
	return x->want.trace && x->want.preload && x->want.audit &&
	       (program->info & (SB_PROG_LINKED | ODD)) == SB_PROG_LINKED;
}

static void follow_interpreters(struct sb_exec *x, struct sb_program *program, int dirfd,
				const char *path)
{
	char name[SB_SHEBANG_MAX];

	while (program->info & SB_PROG_SCRIPT && x->files && x->files < SB_EXEC_FILES) {
		__builtin_memcpy(name, program->interpreter, sizeof(name));
		path = name;
		dirfd = AT_FDCWD;
		record_file(x, AT_FDCWD, path, NULL);
		if (sb_inspect(sb_self()->log, AT_FDCWD, path, 0, program) < 0)
			return;
	}
	decide(x, program, dirfd, path);
	x->passes = is_ordinary(x, program);
}

int sb_exec_begin(struct sb_exec *x, int dirfd, const char *path, char *const *argv, int flags)
{
	struct sb_recorder *st = sb_self();
	struct sb_program program;
	bool sandboxed = sb_load(&st->sandboxed);
	/* A guard would take what we look at for the program's own look: it tells of all, and of
	 * what the next image does as well, without our modules. */
	bool told = !sandboxed && st->guarded && !sb_load(&st->bypass);
	char *const named[] = {(char *)path, NULL};
	int looked = -EPERM;

	if (told && !sb_readable_list(named, PATH_MAX))
		looked = -EFAULT;
	else if (!sandboxed && !told)
		looked = sb_inspect(st->log, dirfd, path, flags, &program);

	if (looked == -EFAULT || !path || (!sandboxed && !sb_readable_list(argv, ARGUMENT_MOST)))
		return -EFAULT;
	*x = (struct sb_exec){.dirfd = dirfd,
			      .path = path,
			      .want = {.modules = st->modules,
				       .log = st->log_path,
				       .flags = sb_flags_with(st, sandboxed ? 's' : 0),
				       .preload = true,
				       .audit = !st->guarded || SB_GUARDED_AUDIT,
				       .trace = true}};
	record_file(x, dirfd, path, argv);
	if (told) {
		x->want.trace = false;
		record_blind(x, SB_BLIND_UNREACHABLE, dirfd, path);
	}
	if (looked >= 0)
		follow_interpreters(x, &program, dirfd, path);
	else if (looked == -ENOENT || looked == -ENOTDIR || looked == -EACCES)
		x->passes =
			true; /* one of many, on the way through PATH: nothing will come of it */
	/* Where this image takes the audit module, the next one will. */
	x->passes &= x->files && sb_load(&st->bypass) && sb_recorder_audited() &&
		     dirfd == AT_FDCWD && !flags;
	return 0;
}

void sb_exec_end(struct sb_exec *x, int outcome)
{
	for (unsigned i = 0; i < x->files; i++)
		sb_settle(x->refs[i], outcome);
}

/* --- the environment -------------------------------------------------------------------------- */

/* Apart: what it takes from the stack is given back before the next attempt. */
static __attribute__((noinline)) long run_on_stack(struct sb_exec *x, char *const *envp,
						   size_t size, sb_exec_run *run, void *context)
{
	void *buf = __builtin_alloca(size);

	return run(sb_env_compose(envp, &x->want, buf), context);
}

static long run_in_memory(struct sb_exec *x, char *const *envp, size_t size, sb_exec_run *run,
			  void *context)
{
	long ret, p = sb_raw(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (failed(p))
		return run(envp, context);
	ret = run(sb_env_compose(envp, &x->want, (void *)p), context);
	(void)sb_raw(SYS_munmap, p, (long)size, 0, 0, 0, 0);
	return ret;
}

/*
 * What is no start like another. valgrind, at a program's end, has libc give back all it has, and
 * takes for an error what ld.so had from elsewhere, as it does under any audit module. ldd is told
 * what ld.so would load: our preload is not to be listed.
 */
static void decide_by_env(struct sb_exec *x, char *const *envp)
{
	char *const *listing = sb_env_find(envp, "LD_TRACE_LOADED_OBJECTS=");

	if (sb_env_find(envp, "VALGRIND_LAUNCHER="))
		x->want.audit = x->passes = false;
	if (listing && (*listing)[sizeof("LD_TRACE_LOADED_OBJECTS=") - 1])
		x->want.preload = x->passes = false;
}

long sb_exec_env(struct sb_exec *x, char *const *envp, sb_exec_run *run, void *context)
{
	struct sb_room *room;
	void *memory;
	size_t size;
	long ret;

	if (!sb_recorder_sandboxed() && !sb_readable_list(envp, NAME_MOST)) {
		x->passes = false;
		return run(envp, context);
	}
	decide_by_env(x, envp);
	size = sb_env_size(envp, &x->want);
	/* A trace within ours: one program, one log, and theirs was asked for nearest to it. */
	if (sb_env_nested(envp, x->want.log)) {
		record_blind(x, SB_BLIND_NESTED, x->dirfd, x->path);
		x->passes = false;
		return run(envp, context);
	}
	if (size <= STACK_ROOM)
		return run_on_stack(x, envp, size, run, context);
	room = sb_room_take(size, &memory);
	if (!room)
		return run_in_memory(x, envp, size, run, context);
	ret = run(sb_env_compose(envp, &x->want, memory), context);
	sb_room_give(room);
	return ret;
}

/* --- execve ----------------------------------------------------------------------------------- */

struct call {
	int dirfd;
	const char *path;
	char *const *argv;
	int flags;
	const struct sb_exec *exec; /* NULL: it was not recorded */
};

static void pass(struct sb_slot *slot)
{
	(void)__atomic_fetch_or(&slot->rec->flags, SB_REC_PASSED, __ATOMIC_SEQ_CST);
	sb_release(slot);
}

/* The records say so before it happens. */
static long exec_by_bypass(const char *path, char *const *argv, char *const *envp)
{
	(void)sb_add(&sb_self()->log->execs, 1);
	return sb_raw(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0);
}

static long run_execveat(char *const *envp, void *context)
{
	const struct call *c = context;
	struct sb_slot slot;

	if (c->exec && c->exec->passes) {
		for (unsigned i = 0; i < c->exec->files; i++)
			if (sb_find(c->exec->refs[i], &slot))
				pass(&slot);
		return exec_by_bypass(c->path, c->argv, envp);
	}
	/* Not by the bypass, whose execs nobody reports. */
	if (c->dirfd == AT_FDCWD && !c->flags)
		return sb_arch_syscall(SYS_execve, (long)c->path, (long)c->argv, (long)envp, 0, 0,
				       0);
	return sb_arch_syscall(SYS_execveat, c->dirfd, (long)c->path, (long)c->argv, (long)envp,
			       c->flags, 0);
}

long sb_execveat(int dirfd, const char *path, char *const *argv, char *const *envp, int flags)
{
	struct call call = {dirfd, path, argv, flags, NULL};
	struct sb_exec x;
	long raw;

	if (!sb_recorder_on() || sb_exec_begin(&x, dirfd, path, argv, flags) < 0)
		return run_execveat(envp, &call);
	call.exec = &x;
	raw = sb_exec_env(&x, envp, run_execveat, &call);
	sb_exec_end(&x, (int)-raw);
	/* A guard that was told of it takes it for done until the process calls again; what is left
	 * of this image may be nothing but what passes. */
	if (sb_self()->guarded && !x.passes && !sb_recorder_sandboxed())
		(void)sb_arch_syscall(SYS_getdents64, -1, 0, 0, 0, 0, 0);
	return raw;
}

void sb_exec_allow(const struct sb_exec *x)
{
	struct sb_slot slot;

	/* A script's interpreters have records of their own, which the child does not know. */
	if (!x->passes || x->files != 1 || !sb_find(x->refs[0], &slot))
		return;
	sb_store(&slot.rec->value, 1);
	sb_release(&slot);
}

/* Whether the exec that the environment was made for is of this program, and its record is at hand.
 */
static bool find_told(const char *path, char *const *envp, struct sb_slot *ret_slot)
{
	char *const *ours = sb_env_find(envp, SB_ENV_TRACE "=");

	if (!ours || !sb_find_place(sb_env_token(*ours, NULL), ret_slot))
		return false;
	if (ret_slot->rec->kind == SB_EXEC && sb_load(&ret_slot->rec->value) == 1 &&
	    sb_load(&ret_slot->rec->outcome) == SB_OUTCOME_PENDING &&
	    sb_streq(ret_slot->rec->text, path))
		return true;
	sb_release(ret_slot);
	return false;
}

long sb_exec_below(const char *path, char *const *argv, char *const *envp)
{
	struct sb_slot slot;

	if (!sb_load(&sb_self()->bypass) || sb_recorder_sandboxed() ||
	    !find_told(path, envp, &slot))
		return sb_arch_syscall(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0);
	pass(&slot);
	return exec_by_bypass(path, argv, envp);
}
