#include "preload/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/chunk.h"
#include "preload/repeats.h"
#include "preload/start.h"
#include "preload/str.h"
#include "preload/write.h"

#define TEXT_MAX       (PATH_MAX + 256) /* longer names cannot have meant a file */
#define SHORT_DIR      512
#define EXEC_ARGV_ROOM 8192

static struct sb_recorder own_state;

struct sb_recorder *sb_self(void)
{
	return sb_shared_state() ? sb_shared_state() : &own_state;
}

bool sb_recorder_on(void)
{
	struct sb_recorder *st = sb_self();
	uint32_t phase = sb_load(&st->phase);

	return phase == SB_ON || (phase == SB_UNTOUCHED && sb_start_late());
}

bool sb_recorder_sandboxed(void)
{
	return sb_load(&sb_self()->sandboxed);
}

/* --- what is a repeat ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product =
		(__uint128_t)(a ^ 0xa0761d6478bd642full) * (b ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix_text(uint64_t hash, const struct sb_text *text)
{
	size_t i = 0;
	uint64_t word;

	for (; i + 8 <= text->len; i += 8) {
		__builtin_memcpy(&word, text->s + i, 8);
		hash = mix(hash, word);
	}
	for (word = text->len; i < text->len; i++)
		word = word << 8 | (unsigned char)text->s[i];
	return mix(hash, word);
}

/* Whether it makes a name mean another file, or none. */
static bool renames(const struct sb_access *a)
{
	return a->kind == SB_WRITE && !a->outcome &&
	       (a->op == SB_OP_REMOVE || a->op == SB_OP_MOVED || a->op == SB_OP_RENAME ||
		a->op == SB_OP_SYMLINK || a->op == SB_OP_LINK);
}

/*
 * What makes two accesses the same. Names may come to mean another file when something was renamed
 * or removed: then they are told again, so that the collector resolves them again, and so is what
 * changes names; what was written is known by its name.
 */
static uint64_t identity(struct sb_recorder *st, const struct sb_access *a, uint32_t where,
			 const struct sb_text *text, unsigned texts)
{
	uint32_t epoch = renames(a) || a->kind != SB_WRITE ? sb_load(&st->epoch) : 0;
	uint64_t hash = mix(st->image, (uint64_t)where << 32 | epoch);

	hash = mix(hash, (uint64_t)(uint32_t)a->outcome << 32 | (uint64_t)a->kind << 16 |
				 (uint64_t)a->op << 8 | (a->flags & SB_REC_NOFOLLOW));
	for (unsigned i = 0; i < texts; i++)
		hash = mix_text(hash, &text[i]);
	return hash ? hash : 1;
}

/* --- records ---------------------------------------------------------------------------------- */

static char *put_text(char *p, char *end, const char *s, size_t len)
{
	if (p + len + 1 > end)
		return NULL;
	sb_copy(p, s, len);
	p[len] = 0;
	return p + len + 1;
}

static size_t argv_size(char *const *argv, size_t room, bool *ret_cut)
{
	size_t size = 0;

	for (; argv && *argv; argv++) {
		size_t len = sb_strnlen(*argv, room) + 1;

		if (size + len > room) {
			*ret_cut = true;
			return size;
		}
		size += len;
	}
	return size;
}

uint64_t sb_write(const struct sb_rec *head, const struct sb_text *text, unsigned texts,
		  char *const *argv, size_t argv_room, uint64_t *ret_ref)
{
	bool cut = false;
	size_t arguments = argv_size(argv, argv_room, &cut);
	size_t size = sizeof(*head) + arguments;
	struct sb_slot slot;
	char *p, *end;

	for (unsigned i = 0; i < texts; i++)
		size += text[i].len + 1;
	size = (size + 7) & ~(size_t)7;
	if (!sb_reserve((uint32_t)size, &slot))
		return 0;
	__builtin_memcpy(&slot.rec->kind, &head->kind, sizeof(*head) - sizeof(head->word));
	slot.rec->flags |= cut ? SB_REC_CUT : 0;
	slot.rec->strings = argv ? 255 : (uint8_t)texts;
	if (!slot.rec->count)
		slot.rec->count = 1;
	/* Seccomp's strict mode takes the counter away, with a signal. */
	if (!sb_recorder_sandboxed())
		slot.rec->tick = (uint32_t)(sb_arch_cycles() / 1024);
	p = slot.rec->text;
	end = (char *)slot.rec + sizeof(*head) + (size - sizeof(*head));
	for (unsigned i = 0; p && i < texts; i++)
		p = put_text(p, end, text[i].s, text[i].len);
	/* Another thread may change argv meanwhile: what was measured bounds what is copied. */
	for (; p && argv && *argv && arguments; argv++) {
		size_t len = sb_strnlen(*argv, arguments);

		if (len >= arguments)
			break;
		arguments -= len + 1;
		p = put_text(p, end, *argv, len);
	}
	/* A list has no count: padding that no NUL ends is no empty argument. */
	while (p && argv && p < end)
		*p++ = 1;
	if (ret_ref)
		*ret_ref = slot.ref;
	sb_publish(&slot, (uint32_t)size);
	return slot.place;
}

/* Names that mean another file now: to us, and to the guard, who was not told of the call. */
static void note_changes(struct sb_recorder *st, const struct sb_access *a)
{
	if (a->kind != SB_WRITE || a->outcome)
		return;
	switch (a->op) {
	case SB_OP_REMOVE:
	case SB_OP_MOVED:
		(void)sb_add(&st->epoch, 1);
		break;
	case SB_OP_RENAME:
	case SB_OP_SYMLINK:
	case SB_OP_LINK:
		break;
	default:
		return;
	}
	if (st->guarded)
		(void)sb_add(&st->log->moves, 1);
}

/* `text` has room for one more. */
static void record(struct sb_recorder *st, const struct sb_access *a, struct sb_text *text,
		   unsigned texts, uint8_t flags)
{
	uint32_t where = sb_load(&st->where);
	uint64_t hash;
	struct sb_rec head = {
		.kind = a->kind,
		.flags = a->flags | flags,
		.op = a->op,
		.outcome = a->outcome,
		.where = where,
		.dirfd = a->dirfd,
		.value = a->fd,
		.arg = a->arg,
	};
	uint64_t ref;

	if (a->target) {
		text[texts++] = (struct sb_text){a->target, sb_strnlen(a->target, PATH_MAX)};
		head.flags |= SB_REC_TARGET;
	}
	hash = identity(st, a, where, text, texts);
	note_changes(st, a);
	if (!sb_repeat_raise(st->passing, hash) && sb_write(&head, text, texts, NULL, 0, &ref))
		sb_repeat_remember(st->passing, hash, ref);
}

/* False: the directory's name is longer than the buffer, or not to be had. */
static bool try_relative(struct sb_recorder *st, const struct sb_access *a, size_t len, char *buf,
			 size_t size)
{
	struct sb_text text[3] = {{a->path, len}, {buf, 0}};

	if (!(a->dirfd == AT_FDCWD ? sb_name_cwd(buf, size, &text[1].len)
				   : sb_name_dir(a->dirfd, buf, size, &text[1].len)))
		return false;
	record(st, a, text, 2, SB_REC_DIR);
	return true;
}

/* Apart, so that the large buffer is on the stack for the deepest directories alone. */
static __attribute__((noinline)) bool try_relative_deep(struct sb_recorder *st,
							const struct sb_access *a, size_t len)
{
	char buf[PATH_MAX];

	return try_relative(st, a, len, buf, sizeof(buf));
}

/*
 * The directory has no name to us: there is no /proc in this root, it is too deep, or a sandboxed
 * process may not ask. Better not told than told by another name; a guard is told of everything
 * from now on, and can make it out.
 */
static void record_unnamed(struct sb_recorder *st, const struct sb_access *a)
{
	const struct sb_rec head = {
		.kind = SB_REC_BLIND, .dirfd = AT_FDCWD, .value = SB_BLIND_UNNAMED};

	if (a->outcome == EBADF || a->outcome == ENOTDIR)
		return;
	note_changes(st, a);
	if (sb_load(&st->sandboxed))
		sb_count_lost(st);
	else if (st->guarded)
		sb_store(&st->bypass, 0);
	else if (!sb_swap(&st->unnamed, 1))
		(void)sb_write(&head, &(struct sb_text){"", 0}, 1, NULL, 0, NULL);
}

static __attribute__((noinline)) void record_relative(struct sb_recorder *st,
						      const struct sb_access *a, size_t len)
{
	char buf[SHORT_DIR];

	if (!try_relative(st, a, len, buf, sizeof(buf)) && !try_relative_deep(st, a, len))
		record_unnamed(st, a);
}

void sb_record(const struct sb_access *a)
{
	struct sb_recorder *st = sb_self();
	struct sb_text text[2] = {{a->path, 0}, {a->by, 0}};
	bool relative;

	if (!a->path || !a->path[0] || !sb_recorder_on())
		return;
	/* What ld.so loads for whom is told here alone. */
	if (!a->by && !sb_recorder_tells())
		return;
	sb_fork_check(st);
	text[0].len = sb_strnlen(a->path, TEXT_MAX);
	if (text[0].len == TEXT_MAX)
		return;
	if (a->by) {
		text[1].len = sb_strnlen(a->by, PATH_MAX);
		record(st, a, text, 2, 0);
		return;
	}
	if (a->path[0] != '/' && a->dirfd == AT_FDCWD)
		sb_record_follow();
	relative = a->path[0] != '/';
	if (relative && sb_load(&st->sandboxed) &&
	    (a->dirfd != AT_FDCWD || sb_load(&st->wanders) || sb_load(&st->strayed)))
		record_unnamed(st, a);
	else if (relative && !sb_load(&st->sandboxed) && (a->dirfd != AT_FDCWD || sb_strayed(st)))
		record_relative(st, a, text[0].len);
	else
		record(st, a, text, 1, 0);
}

static uint64_t write_exec(const struct sb_access *a, char *const *argv, const struct sb_text *text,
			   unsigned texts, uint64_t *ret_ref)
{
	const struct sb_rec head = {
		.kind = SB_EXEC,
		.flags = texts > 1 ? SB_REC_DIR : 0,
		.outcome = SB_OUTCOME_PENDING,
		.where = sb_load(&sb_self()->where),
		.dirfd = a->dirfd,
		.value = -1,
	};

	return sb_write(&head, text, texts, argv, EXEC_ARGV_ROOM, ret_ref);
}

/* Apart, for its large buffer. */
static __attribute__((noinline)) uint64_t
write_exec_relative(const struct sb_access *a, char *const *argv, size_t len, uint64_t *ret_ref)
{
	char dir[PATH_MAX];
	struct sb_text text[2] = {{a->path, len}, {dir, 0}};

	if (!(a->dirfd == AT_FDCWD ? sb_name_cwd(dir, sizeof(dir), &text[1].len)
				   : sb_name_dir(a->dirfd, dir, sizeof(dir), &text[1].len)))
		return write_exec(a, argv, text, 1, ret_ref);
	/* Executed by descriptor: the file is what the descriptor names. */
	return len ? write_exec(a, argv, text, 2, ret_ref)
		   : write_exec(a, argv, text + 1, 1, ret_ref);
}

uint64_t sb_write_exec(const struct sb_access *a, char *const *argv, uint64_t *ret_ref)
{
	struct sb_recorder *st = sb_self();
	struct sb_text text = {a->path, sb_strnlen(a->path, TEXT_MAX)};

	sb_fork_check(st);
	/* What is started may rename, remove and link what this image has seen. */
	(void)sb_add(&st->epoch, 1);
	if (a->path[0] != '/' && a->dirfd == AT_FDCWD)
		sb_record_follow();
	if (a->path[0] != '/' && !sb_load(&st->sandboxed) &&
	    (a->dirfd != AT_FDCWD || sb_strayed(st)))
		return write_exec_relative(a, argv, text.len, ret_ref);
	return write_exec(a, argv, &text, 1, ret_ref);
}

void sb_settle(uint64_t ref, int outcome)
{
	struct sb_slot slot;

	if (!sb_find(ref, &slot))
		return;
	sb_store(&slot.rec->outcome, outcome);
	sb_release(&slot);
}

void sb_record_sandboxed(void)
{
	struct sb_recorder *st = sb_self();

	if (!sb_recorder_on() || sb_load(&st->sandboxed))
		return;
	sb_fork_check(st);
	sb_chunk_stock(st);
	sb_store(&st->sandboxed, 1);
}

uint8_t sb_record_existed(int dirfd, const char *path)
{
	long raw;

	if (!path || !sb_recorder_on() || sb_recorder_sandboxed() || !sb_recorder_tells())
		return 0;
	raw = sb_raw(SYS_faccessat, dirfd, (long)path, 0, 0, 0, 0);
	if (!raw)
		return SB_REC_EXISTED;
	return raw == -2 /* ENOENT */ ? SB_REC_NEW : 0;
}

bool sb_recorder_audited(void)
{
	return sb_shared_state() != NULL || sb_load(&sb_self()->alone);
}
