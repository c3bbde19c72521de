#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <errno.h>
#include <sys/syscall.h>

#include "preload/entry.h"
#include "tracer/retext_move.h"
#include "tracer/retext_number.h"
#include "tracer/retext_work.h"

#define SITE	 7 /* bytes of mov $number, %eax; syscall */
#define SYSCALL	 2
#define ASKED	 8 /* bytes of the question whether there are threads */
#define TRAP	 0xcc
#define LOOK_END 17 /* bytes that fstat64 ends in */
#define ENDBR64	 0xfa1e0ff3u

/* Functions that are entered by a jump, and the call that each is there for. */
static const struct entry {
	const char *name;
	uint32_t number;
	enum sb_libctext_slot slot;
	bool may_lack;
} entries[SB_RETEXT_ENTRIES] = {
	{"open64", SYS_openat, SB_SLOT_OPEN, false},
	{"openat64", SYS_openat, SB_SLOT_OPENAT, false},
	{"creat64", SYS_creat, SB_SLOT_CREAT, false},
	{"connect", SYS_connect, SB_SLOT_CONNECT, false},
	{"__open64_nocancel", SYS_openat, SB_SLOT_OPEN_NOCANCEL, false},
	{"openat2", SYS_openat2, SB_SLOT_OPENAT2, true}, /* from 2.43 on */
};

/* Without one of these it is no libc as we know them. */
static const uint32_t expected[] = {
	SYS_newfstatat, SYS_statx,  SYS_access, SYS_readlink, SYS_readlinkat, SYS_getdents64,
	SYS_chdir,	SYS_fchdir, SYS_rename, SYS_unlink,   SYS_unlinkat,   SYS_mkdir,
	SYS_rmdir,	SYS_execve, SYS_bind,	SYS_execveat, SYS_prctl,      SYS_openat,
};

static void put_distance(uint8_t *p, uint64_t from, uint64_t to)
{
	int32_t far = (int32_t)(to - from);

	memcpy(p, &far, sizeof far);
}

/* jmp there, at that address of the copy. */
static void jump(const struct sb_retext *w, uint64_t address, uint64_t to)
{
	uint8_t *p = sb_retext_copy(w, address);

	p[0] = 0xe9;
	put_distance(p + 1, address + SB_RETEXT_JUMP, to);
}

/* jmp *slot(%rip), for each of them. */
static bool write_stubs(struct sb_retext *w)
{
	for (unsigned i = 0; i < SB_SLOTS; i++) {
		uint64_t address = sb_retext_room(w, 6);

		if (!address)
			return false;
		uint8_t *p = sb_retext_copy(w, address);
		p[0] = 0xff;
		p[1] = 0x25;
		put_distance(p + 2, address + 6, w->table.slots + i * sizeof(uint64_t));
		w->stubs[i] = address;
	}
	return true;
}

static void done(struct sb_retext *w, struct sb_range range)
{
	w->done[w->done_count++] = range;
}

/*
 * cmpb $0, __libc_single_threaded(%rip), or mov %fs:0x18, %eax up to glibc 2.34: so begin some
 * cancellation points, and make the call then. *ret_at: behind an endbr64.
 */
static bool asks_for_threads(const uint8_t *code, size_t size, uint32_t number, size_t *ret_at)
{
	static const uint8_t in_thread[] = {0x64, 0x8b, 0x04, 0x25, 0x18, 0x00, 0x00, 0x00};
	size_t at = size > ASKED && sb_retext_word(code) == ENDBR64 ? 4 : 0;

	if (size < at + ASKED + SITE)
		return false;
	if ((code[at] != 0x80 || code[at + 1] != 0x3d || code[at + 6] != 0) &&
	    memcmp(code + at, in_thread, sizeof in_thread) != 0)
		return false;
	for (size_t i = at + ASKED; i + SITE <= size; i++)
		if (code[i] == 0xb8 && sb_retext_word(code + i + 1) == number) {
			*ret_at = at;
			return true;
		}
	return false;
}

static bool rewrite_entry(struct sb_retext *w, const struct entry *entry)
{
	struct sb_range f;
	size_t at = 0;

	if (!sb_retext_function(w, entry->name, &f))
		return entry->may_lack;
	const uint8_t *code = sb_retext_code(w, f.from);
	if (!sb_entry_find(code, f.to - f.from, entry->number, &at) &&
	    !asks_for_threads(code, f.to - f.from, entry->number, &at))
		return false;
	jump(w, f.from + at, w->stubs[entry->slot]);
	done(w, f);
	return true;
}

/* The last argument from the stack, and the call: the one call in it. */
static bool rewrite_syscall(struct sb_retext *w)
{
	static const uint8_t last[SITE] = {0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05};
	struct sb_range f;

	if (!sb_retext_function(w, "syscall", &f))
		return false;
	for (uint64_t a = f.from; a + SITE <= f.to; a++) {
		if (memcmp(sb_retext_code(w, a), last, SITE) != 0)
			continue;
		jump(w, a, w->stubs[SB_SLOT_SYSCALL]);
		w->table.after_syscall = a + SITE;
		done(w, f);
		return true;
	}
	return false;
}

static bool is_site(const uint8_t *code, uint32_t number)
{
	return code[0] == 0xb8 && sb_retext_word(code + 1) == number && code[5] == 0x0f &&
	       code[6] == 0x05;
}

/* In place of mov $number, %eax; syscall: what is left of eax is for the stub. */
static void jump_from_site(const struct sb_retext *w, uint64_t at, uint8_t al, uint64_t to)
{
	memcpy(sb_retext_copy(w, at), (uint8_t[]){0xb0, al}, 2);
	jump(w, at + 2, to);
}

/* It returns twice, on two stacks: so the call is made here, after we were told of it. */
static bool rewrite_clone(struct sb_retext *w)
{
	uint64_t stub = sb_retext_room(w, 2 + SB_RETEXT_JUMP);
	struct sb_range f;

	if (!stub || !sb_retext_function(w, "clone", &f))
		return false;
	for (uint64_t a = f.from; a + SITE <= f.to; a++) {
		if (!is_site(sb_retext_code(w, a), SYS_clone))
			continue;
		jump_from_site(w, a, 0, w->stubs[SB_SLOT_CLONE]);
		memcpy(sb_retext_copy(w, stub), (uint8_t[]){0x0f, 0x05}, 2);
		jump(w, stub + 2, a + SITE);
		w->table.clone = stub;
		done(w, f);
		return true;
	}
	return false;
}

/* Its first instructions are moved, and the rest is done where it is. */
static bool rewrite_dlmopen(struct sb_retext *w)
{
	struct sb_range f;

	if (!sb_retext_function(w, "dlmopen", &f))
		return false;
	if (sb_retext_word(sb_retext_code(w, f.from)) == ENDBR64)
		f.from += 4;
	size_t len = sb_retext_movable(w, f.from);
	uint64_t stub = sb_retext_room(w, len + SB_RETEXT_JUMP);
	if (!len || !stub)
		return false;
	sb_retext_move(w, f.from, len, stub);
	jump(w, stub + len, f.from + len);
	jump(w, f.from, w->stubs[SB_SLOT_DLMOPEN]);
	w->table.dlmopen = stub;
	done(w, f);
	return true;
}

/* mov $AT_EMPTY_PATH, %ecx; lea ""(%rip), %rsi; jmp `to`: as fstat64 ends in glibc 2.33 to 2.38. */
static bool looks_at_nothing(const struct sb_retext *w, uint64_t address, uint64_t to,
			     uint64_t *ret_path)
{
	const uint8_t *code = sb_retext_code(w, address);
	uint64_t path;

	if (memcmp(code, (uint8_t[]){0xb9, 0x00, 0x10, 0x00, 0x00, 0x48, 0x8d, 0x35}, 8) != 0 ||
	    code[12] != 0xe9)
		return false;
	/* What can be read only lies in the file as in memory. */
	path = address + 12 + (uint64_t)(int32_t)sb_retext_word(code + 8);
	*ret_path = path;
	return address + LOOK_END + (uint64_t)(int32_t)sb_retext_word(code + 13) == to &&
	       path >= w->text->p_vaddr + w->text->p_filesz && path < w->data->p_offset &&
	       w->text->p_vaddr == w->text->p_offset && w->bytes[path] == 0;
}

/*
 * fstat names nothing, and is the most frequent of all: it gets the call that it shares with
 * fstatat for itself, and nobody is told. Where it is made otherwise there is nothing to do, or
 * fstatat's place tells of it.
 */
static void rewrite_fstat(struct sb_retext *w)
{
	static const uint8_t call[] = {0x41, 0x89, 0xca, 0xb8, 0x06, 0x01, 0x00, 0x00, 0x0f, 0x05};
	struct sb_range f, at;
	uint64_t begin, stub, path;

	if (!sb_retext_function(w, "fstat64", &f) || !sb_retext_function(w, "fstatat64", &at))
		return;
	begin = at.from + (sb_retext_word(sb_retext_code(w, at.from)) == ENDBR64 ? 4 : 0);
	if (begin + sizeof call > at.to || memcmp(sb_retext_code(w, begin), call, sizeof call) != 0)
		return;
	for (uint64_t a = f.from; a + LOOK_END <= f.to; a++) {
		if (!looks_at_nothing(w, a, at.from, &path))
			continue;
		stub = sb_retext_room(w, sizeof call + SB_RETEXT_JUMP);
		if (!stub)
			return;
		memcpy(sb_retext_copy(w, stub), call, sizeof call);
		jump(w, stub + sizeof call, begin + sizeof call);
		jump(w, a + LOOK_END - SB_RETEXT_JUMP, stub);
		w->table.fstat = stub + sizeof call;
		w->table.fstat_path = path;
		return;
	}
}

/* False: there are as many as there is room for. */
static bool add_site(struct sb_retext *w, uint64_t address, uint32_t number)
{
	struct sb_libctext *t = &w->table;

	if (t->sites == SB_LIBCTEXT_SITES)
		return false;
	t->site[t->sites].back = (uint32_t)(address + SYSCALL);
	t->site[t->sites++].number = number;
	return true;
}

/* What stands between the number and the call goes along. */
static bool rewrite_gap(struct sb_retext *w, uint64_t address)
{
	struct sb_retext_gap gap;
	uint8_t number = (uint8_t)w->table.sites;

	if (!sb_retext_gap(w, address, &gap))
		return false;
	if (!sb_retext_watched(gap.number))
		return true;
	if (!add_site(w, address, gap.number))
		return false;
	size_t len = address - gap.from;
	uint64_t stub = sb_retext_room(w, len + SITE);
	if (!stub)
		return false;
	sb_retext_move(w, gap.from, len, stub);
	jump_from_site(w, stub + len, number, w->stubs[SB_SLOT_SITE]);
	memset(sb_retext_copy(w, gap.from), TRAP, address + SYSCALL - gap.from);
	jump(w, gap.from, stub);
	return true;
}

/* `address` is the system call's. False: it names a path, and cannot be rewritten. */
static bool rewrite_site(struct sb_retext *w, uint64_t address)
{
	uint64_t at = address - (SITE - SYSCALL);
	uint32_t number;

	if (sb_retext_is_done(w, address))
		return true;
	if (at <= w->text->p_vaddr)
		return false;
	const uint8_t *code = sb_retext_code(w, at);
	number = sb_retext_word(code + 1);
	/* A prefix with B set would mean another register. */
	if (!is_site(code, number) || (code[-1] & 0xf1) == 0x41)
		return !sb_retext_suspect(w, address) || rewrite_gap(w, address);
	if (!sb_retext_watched(number))
		return true;
	if (!add_site(w, address, number))
		return false;
	jump_from_site(w, at, (uint8_t)(w->table.sites - 1), w->stubs[SB_SLOT_SITE]);
	return true;
}

static int rewrite_sites(struct sb_retext *w, struct sb_err *err)
{
	const uint8_t *code = w->bytes + w->text->p_offset, *end = code + w->text->p_filesz;

	/* By its second byte, which is the rarer one: all of libc is searched at each start. */
	for (const uint8_t *p = code + SITE; (p = memchr(p, 0x05, (size_t)(end - p))); p++) {
		uint64_t address = w->text->p_vaddr + (uint64_t)(p - 1 - code);

		if (p[-1] == 0x0f && !rewrite_site(w, address))
			return sb_fail(err, SB_ESAID, "a system call at %#llx is made otherwise",
				       (unsigned long long)address);
	}
	uint64_t where;
	if (!sb_retext_unreached(w, &where))
		return sb_fail(err, SB_ESAID, "at %#llx is a jump to what had to be moved",
			       (unsigned long long)where);
	if (!sb_retext_cancellable(w, &where))
		return sb_fail(err, SB_ESAID, "a cancellable call at %#llx is made otherwise",
			       (unsigned long long)where);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		bool found = false;

		for (unsigned k = 0; k < w->table.sites && !found; k++)
			found = w->table.site[k].number == expected[i];
		if (!found)
			return sb_fail(err, SB_ESAID, "nowhere in it is system call %u made",
				       expected[i]);
	}
	return 0;
}

int sb_retext(const void *bytes, size_t size, struct sb_buf *ret, struct sb_err *err)
{
	struct sb_retext w = {.bytes = bytes, .size = size};
	size_t start = ret->len;
	struct sb_range f;
	int rc = sb_retext_look(&w, err);

	if (rc < 0)
		return rc;
	if (sb_buf_add(ret, w.bytes + w.text->p_offset, w.table.size) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	w.to = (uint8_t *)ret->s + start;
	if (!write_stubs(&w))
		return sb_fail(err, SB_ESAID, "the last page of its text is full");
	for (unsigned i = 0; i < SB_RETEXT_ENTRIES; i++)
		if (!rewrite_entry(&w, &entries[i]))
			return sb_fail(err, SB_ESAID, "%s begins otherwise", entries[i].name);
	/* Up to glibc 2.33, where libpthread has an open64 of its own, too. */
	if (!sb_retext_function(&w, "dlmopen", &f))
		return sb_fail(err, SB_ESAID, "libpthread and libdl do a part of its work");
	if (!rewrite_syscall(&w) || !rewrite_clone(&w) || !rewrite_dlmopen(&w) ||
	    !sb_retext_function(&w, "__errno_location", &f))
		return sb_fail(err, SB_ESAID, "syscall, clone or dlmopen is made otherwise");
	w.table.errno_at = f.from;
	rewrite_fstat(&w);
	rc = rewrite_sites(&w, err);
	if (rc == 0 && sb_buf_add(ret, &w.table, sizeof w.table) < 0)
		rc = sb_fail(err, ENOMEM, "copy libc's text");
	return rc;
}

#else

int sb_retext(const void *bytes, size_t size, struct sb_buf *ret, struct sb_err *err)
{
	(void)bytes;
	(void)size;
	(void)ret;
	return sb_fail(err, SB_ESAID, "not on this machine");
}

#endif
