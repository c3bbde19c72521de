#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "tracer/fan_private.h"
#include "tracer/interpreter.h"

/* Opens held back until their descriptor is closed; beyond it they are told as they are. */
#define HELD_MOST (1u << 16)
/* Of a command line. */
#define ARGS_MOST 65536

/* How often a path was opened; the key is the image's address and the path. */
struct fan_held {
	uint64_t opens, writes;
	const char *real;
};

static void out_of_memory(struct sb_fan *fan)
{
	fan->spec.lost(fan->spec.arg, 1);
}

/* A process is born with that number. */
static uint32_t count_birth(struct sb_fan *fan, pid_t pid)
{
	struct sb_map_entry *e = sb_map_add(&fan->births, (const char *)&pid, sizeof pid, NULL);

	if (!e)
		return 0;
	e->value = (char *)e->value + 1;
	return (uint32_t)(uintptr_t)e->value;
}

static struct fan_image *new_image(struct sb_fan *fan, struct fan_image *from, pid_t pid,
				   pid_t ppid, bool forked)
{
	struct fan_image *image = calloc(1, sizeof *image);

	if (!image) {
		out_of_memory(fan);
		return NULL;
	}
	bool born = forked || !from;
	*image = (struct fan_image){.number = -1,
				    .parent = from,
				    .older = fan->images,
				    .pid = pid,
				    .ppid = ppid,
				    .births = born ? count_birth(fan, pid) : from->births,
				    .execs = born ? 0 : from->execs + 1,
				    .forked = forked};
	fan->images = image;
	return image;
}

struct fan_process *fan_process(struct sb_fan *fan, pid_t pid)
{
	const struct sb_map_entry *e = sb_map_find(&fan->processes, (const char *)&pid, sizeof pid);

	return e ? e->value : NULL;
}

/* A number may be given to another process before we have read the last of the first. */
static struct fan_process *new_process(struct sb_fan *fan, pid_t pid, struct fan_image *image)
{
	struct sb_map_entry *e = sb_map_add(&fan->processes, (const char *)&pid, sizeof pid, NULL);
	struct fan_process *p = calloc(1, sizeof *p);

	if (!e || !p || !image) {
		free(p);
		out_of_memory(fan);
		return NULL;
	}
	free(e->value);
	*p = (struct fan_process){.pid = pid, .now = image, .latest = image};
	e->value = p;
	return p;
}

int fan_image_root(struct sb_fan *fan, pid_t pid, const char *program)
{
	fan->root = new_image(fan, NULL, pid, getpid(), false);
	if (!fan->root || !new_process(fan, pid, fan->root))
		return -ENOMEM;
	fan->root->exe = program;
	return 0;
}

void fan_image_free(struct sb_fan *fan)
{
	while (fan->images) {
		struct fan_image *older = fan->images->older;

		free(fan->images);
		fan->images = older;
	}
	for (size_t i = 0; i < fan->processes.count; i++)
		free(fan->processes.entries[i].value);
	sb_map_free(&fan->processes);
	sb_map_free(&fan->births);
	for (size_t i = 0; i < fan->held.count; i++)
		free(fan->held.entries[i].value);
	sb_map_free(&fan->held);
	sb_map_free(&fan->strings);
	free(fan->touched);
}

/* --- what is told ---------------------------------------------------------------------------- */

/* The command line of a process; what it points to is in *ret_text. */
static char **read_args(pid_t pid, struct sb_buf *ret_text)
{
	char name[64], piece[4096];
	size_t count = 0, n = 0;
	ssize_t got;

	(void)snprintf(name, sizeof name, "/proc/%d/cmdline", (int)pid);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && ret_text->len < ARGS_MOST && (got = read(fd, piece, sizeof piece)) > 0)
		if (sb_buf_add(ret_text, piece, (size_t)got) < 0)
			return NULL;
	for (size_t i = 0; i < ret_text->len; i++)
		count += ret_text->s[i] == '\0';
	char **args = count ? calloc(count + 1, sizeof *args) : NULL;
	for (size_t i = 0; args && n < count; i += strlen(ret_text->s + i) + 1)
		args[n++] = ret_text->s + i;
	return args;
}

/* /proc tells of what a process is now: it must not have become anything else in the meantime. */
static bool still(struct sb_fan *fan, const struct fan_image *image)
{
	const struct fan_process *p = fan_process(fan, image->pid);

	return p && p->latest == image && !p->ended;
}

static void introduce(struct sb_fan *fan, struct fan_image *image);
static void settle(struct sb_fan *fan, struct fan_process *p);

/* A number in the trace for it, and for all that it comes from. True: it is new. */
static bool number(struct sb_fan *fan, struct fan_image *image)
{
	struct fan_process *p = fan_process(fan, image->pid);

	/* Its child may be heard of first. */
	if (image->number < 0 && p && p->now->next == image)
		settle(fan, p);
	if (image->number >= 0)
		return false;
	if (image->parent)
		introduce(fan, image->parent);
	image->number = fan->next_number++;
	if (!image->exe && image->parent)
		image->exe = image->parent->exe;
	return true;
}

/* With number and line in the trace. */
static void introduce(struct sb_fan *fan, struct fan_image *image)
{
	char name[64], cwd[PATH_MAX];
	auto_buf text = SB_BUF_INIT;
	auto_free char **args = NULL;
	ssize_t n = -1;

	if (!number(fan, image))
		return;
	if (still(fan, image) && image != fan->root) {
		(void)snprintf(name, sizeof name, "/proc/%d/cwd", (int)image->pid);
		n = readlink(name, cwd, sizeof cwd - 1);
		args = image->forked ? NULL : read_args(image->pid, &text);
		sb_forks_poll(fan->forks, fan_image_fork, fan);
	}
	bool known = still(fan, image);
	cwd[n > 0 ? n : 0] = '\0';
	struct sb_trace_process line = {
		.id = (uint32_t)image->number,
		.parent = image->parent ? image->parent->number : -1,
		.pid = image->pid,
		.ppid = image->ppid,
		.forked = image->forked,
		.exe = image->exe,
		.cwd = known && n > 0 ? cwd : NULL,
		.argv = known ? (const char *const *)args : NULL,
	};
	if (image == fan->root) {
		line.cwd = fan->cwd;
		line.argv = (const char *const *)fan->argv;
	}
	fan->spec.process(fan->spec.arg, &line,
			  &(struct sb_fan_image){image->pid, image->births, image->execs});
}

static void tell(struct sb_fan *fan, const struct fan_image *image, enum sb_kind kind, int outcome,
		 const char *path, const char *real, uint64_t count)
{
	struct sb_event ev = {
		.kind = kind,
		.op = kind == SB_WRITE ? SB_OP_OPEN : SB_OP_NONE,
		.existed = SB_TRI_UNKNOWN,
		.outcome = outcome,
		.process = (uint32_t)image->number,
		.count = count,
		.path = path,
		.real = real,
	};

	if (count)
		fan->spec.event(fan->spec.arg, &ev);
}

void fan_image_flush(struct sb_fan *fan)
{
	for (size_t i = 0; i < fan->held.count; i++) {
		const struct sb_map_entry *e = &fan->held.entries[i];
		auto_free struct fan_held *held = e->value;
		const struct fan_image *image;

		memcpy(&image, e->key, sizeof image);
		if (!held)
			continue;
		tell(fan, image, SB_OPEN, 0, e->key + sizeof image, held->real, held->opens);
		tell(fan, image, SB_WRITE, 0, e->key + sizeof image, held->real, held->writes);
	}
	fan->flushed |= fan->held.count > 0;
	sb_map_free(&fan->held);
}

/* --- opens ----------------------------------------------------------------------------------- */

/* NULL: nothing is held of it. `add`: then it is from now on; NULL is no memory. */
static struct fan_held *find_held(struct sb_fan *fan, const struct fan_image *image,
				  const char *path, bool add)
{
	auto_buf key = SB_BUF_INIT;
	struct sb_map_entry *e;

	if (sb_buf_add(&key, &image, sizeof image) < 0 || sb_buf_puts(&key, path) < 0)
		return NULL;
	e = add ? sb_map_add(&fan->held, key.s, key.len, NULL)
		: sb_map_find(&fan->held, key.s, key.len);
	if (e && !e->value && add)
		e->value = calloc(1, sizeof(struct fan_held));
	return e ? e->value : NULL;
}

/* NULL where it is told as lost. */
static struct fan_held *hold(struct sb_fan *fan, struct fan_image *image, const char *path,
			     const char *real)
{
	introduce(fan, image);
	if (fan->held.count > HELD_MOST)
		fan_image_flush(fan);
	struct fan_held *held = find_held(fan, image, path, true);
	if (held && real && !held->real)
		held->real = sb_map_intern(&fan->strings, real);
	if (!held)
		out_of_memory(fan);
	return held;
}

static void opened(struct sb_fan *fan, struct fan_image *image, const char *path, const char *real)
{
	struct fan_held *held = hold(fan, image, path, real);

	if (held)
		held->opens++;
}

/*
 * A descriptor for writing was closed, by whoever had it last: the process that opened it, what it
 * became, or a child of one of those. One that none of them opened is the caller's, and no event.
 */
static void written(struct sb_fan *fan, struct fan_image *image, const struct fan_seen *seen)
{
	struct fan_held *held = NULL;

	for (const struct fan_image *i = image; i && !(held && held->opens); i = i->parent)
		held = find_held(fan, i, seen->path, false);
	if (held && held->opens) {
		held->opens--;
		held->writes++;
	} else if (fan->flushed) {
		held = hold(fan, image, seen->path, seen->real);
		if (held)
			held->writes++;
	}
}

/* --- execs ----------------------------------------------------------------------------------- */

/* The chain is complete: it worked where the kernel says that the process is another program. */
static void settle(struct sb_fan *fan, struct fan_process *p)
{
	struct fan_image *caller = p->now;
	bool first = caller == fan->root && !fan->root_runs;
	bool worked = first || caller->next;

	if (!p->chain_count)
		return;
	introduce(fan, caller);
	for (size_t i = 0; i < p->chain_count; i++) {
		const char *named = first && i == 0 ? fan->root->exe : p->chain[i];

		tell(fan, caller, SB_EXEC, worked ? 0 : SB_OUTCOME_UNKNOWN, named, p->chain[i], 1);
	}
	if (first)
		fan->root_runs = true;
	else if (worked)
		p->now = caller->next;
	if (worked && !first)
		p->now->exe = p->chain[0];
	if (worked)
		introduce(fan, p->now);
	if (worked && p->linker)
		opened(fan, p->now, p->linker, p->linker);
	p->chain_count = 0;
	p->linker = NULL;
	p->more = false;
	p->named = NULL;
}

/* The kernel opened a file to execute it, or what it names as its interpreter. */
static void executed(struct sb_fan *fan, struct fan_process *p, const struct fan_seen *seen)
{
	struct sb_interpreter next;
	char magic[SELFMAG];
	const char *path = sb_map_intern(&fan->strings, seen->path);

	if (!path) {
		out_of_memory(fan);
		return;
	}
	if (fan_is_linker(p, seen)) {
		p->linker = path;
		p->named = NULL;
		return;
	}
	if (!p->more || p->chain_count == FAN_CHAIN_MOST)
		settle(fan, p);
	p->chain[p->chain_count++] = path;
	/* A script, or what binfmt_misc may name an interpreter for. */
	p->more = pread(seen->fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
		  memcmp(magic, ELFMAG, sizeof magic) != 0;
	if (!p->more && sb_interpreter_of(seen->fd, &next) > 0)
		p->named = sb_map_intern(&fan->strings, next.path);
}

void fan_image_seen(struct sb_fan *fan, const struct fan_seen *seen)
{
	struct fan_process *p = seen->process;

	if (seen->exec) {
		executed(fan, p, seen);
		return;
	}
	settle(fan, p);
	/* Our own doing, between fork and exec. */
	if (p->now == fan->root && !fan->root_runs)
		return;
	if (seen->opened)
		opened(fan, p->now, seen->path, seen->real);
	if (seen->written)
		written(fan, p->now, seen);
}

/* --- the kernel's records -------------------------------------------------------------------- */

static void touch(struct sb_fan *fan, pid_t pid)
{
	if (fan->touched_count == fan->touched_cap) {
		size_t cap = fan->touched_cap ? fan->touched_cap * 2 : 64;
		pid_t *grown = reallocarray(fan->touched, cap, sizeof *grown);

		if (!grown) {
			out_of_memory(fan);
			return;
		}
		fan->touched = grown;
		fan->touched_cap = cap;
	}
	fan->touched[fan->touched_count++] = pid;
}

void fan_image_fork(void *arg, const struct sb_fork *what)
{
	struct sb_fan *fan = arg;
	struct fan_process *from =
		fan_process(fan, what->kind == SB_FORK_BORN ? what->parent : what->pid);

	if (!from)
		return;
	switch (what->kind) {
	case SB_FORK_BORN:
		(void)new_process(fan, what->pid,
				  new_image(fan, from->latest, what->pid, what->parent, true));
		break;
	case SB_FORK_EXEC: {
		/* The command's first one made it what it is. */
		bool first = from->latest == fan->root && !fan->root_started;
		struct fan_image *image =
			first ? NULL
			      : new_image(fan, from->latest, what->pid, from->latest->ppid, false);

		fan->root_started |= first;
		if (image)
			from->latest = from->latest->next = image;
		if (from->away)
			fan_mounts_renew(&fan->mounts, from->away, what->pid);
		touch(fan, what->pid);
		break;
	}
	case SB_FORK_MOUNTS:
		from->away = fan_mounts_own(&fan->mounts, what->mounts) ? 0 : what->mounts;
		if (from->away)
			fan_mounts_enter(&fan->mounts, what->mounts, what->pid);
		break;
	case SB_FORK_ENDED:
		from->ended = true;
		touch(fan, what->pid);
		break;
	}
}

/* All that it did is told: nothing of it is in the queue. */
static void settle_all(struct sb_fan *fan, struct fan_process *p)
{
	/* An exec under way is not settled by the one before it. */
	if (p->over || p->now != p->upto)
		settle(fan, p);
	/* Events of one process and file merge: an exec may not have shown. */
	while (!p->chain_count && p->now != p->upto && p->now->next)
		p->now = p->now->next;
	if (p->over) {
		struct sb_map_entry *e =
			sb_map_find(&fan->processes, (const char *)&p->pid, sizeof p->pid);

		e->value = NULL;
		free(p);
	}
}

void fan_image_settle(struct sb_fan *fan)
{
	size_t count = fan->touched_count;

	/*
	 * To tell of one reads the records again: what they tell then has its events in the queue
	 * still, and waits for the next time.
	 */
	for (size_t i = 0; i < count; i++) {
		struct fan_process *p = fan_process(fan, fan->touched[i]);

		if (!p)
			continue;
		p->over = p->ended;
		p->upto = p->latest;
	}
	for (size_t i = 0; i < count; i++) {
		struct fan_process *p = fan_process(fan, fan->touched[i]);

		/* Without it, another process has got the number meanwhile. */
		if (p && p->upto)
			settle_all(fan, p);
	}
	fan->touched_count -= count;
	if (fan->touched_count)
		memmove(fan->touched, fan->touched + count,
			fan->touched_count * sizeof *fan->touched);
}
