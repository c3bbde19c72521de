#include "tracer/retext.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#include <errno.h>
#include <sys/syscall.h>

#include "preload/entry.h"
#include "tracer/retext_work.h"
#include "tracer/syscalls.h"

#define SITE	  7 /* bytes of mov $number, %eax; syscall */
#define LOOK_BACK 48
#define LOOK_END  17 /* bytes that fstat64 ends in */
#define ENDBR64	  0xfa1e0ff3u

/* Functions that are entered by a jump, and the call that each is there for. */
static const struct entry {
	const char *name;
	uint32_t number;
	enum sb_libctext_slot slot;
} entries[SB_RETEXT_ENTRIES] = {
	{"open64", SYS_openat, SB_SLOT_OPEN},
	{"openat64", SYS_openat, SB_SLOT_OPENAT},
	{"creat64", SYS_creat, SB_SLOT_CREAT},
	{"connect", SYS_connect, SB_SLOT_CONNECT},
	{"__open64_nocancel", SYS_openat, SB_SLOT_OPEN_NOCANCEL},
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
	put_distance(p + 1, address + SB_ENTRY_JUMP, to);
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

static bool is_done(const struct sb_retext *w, uint64_t address)
{
	for (unsigned i = 0; i < w->done_count; i++)
		if (address >= w->done[i].from && address < w->done[i].to)
			return true;
	return false;
}

/* cmpb $0, __libc_single_threaded(%rip): so begin some cancellation points, and make the call then.
 */
static bool asks_for_threads(const uint8_t *code, size_t size, uint32_t number)
{
	if (size < SITE + 7 || code[0] != 0x80 || code[1] != 0x3d || code[6] != 0)
		return false;
	for (size_t i = 7; i + SITE <= size; i++)
		if (code[i] == 0xb8 && sb_retext_word(code + i + 1) == number)
			return true;
	return false;
}

static bool rewrite_entry(struct sb_retext *w, const struct entry *entry)
{
	struct sb_range f;
	size_t at = 0;

	if (!sb_retext_function(w, entry->name, &f))
		return false;
	const uint8_t *code = sb_retext_code(w, f.from);
	if (!sb_entry_find(code, f.to - f.from, entry->number, &at) &&
	    !asks_for_threads(code, f.to - f.from, entry->number))
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
	uint64_t stub = sb_retext_room(w, 2 + SB_ENTRY_JUMP);
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

/* push %rbx; sub $..., %rsp: moved, and the rest is done where it is. */
static bool rewrite_dlmopen(struct sb_retext *w)
{
	uint64_t stub = sb_retext_room(w, 2 * SB_ENTRY_JUMP);
	struct sb_range f;

	if (!stub || !sb_retext_function(w, "dlmopen", &f) ||
	    memcmp(sb_retext_code(w, f.from), (uint8_t[]){0x53, 0x48, 0x83, 0xec}, 4) != 0)
		return false;
	memcpy(sb_retext_copy(w, stub), sb_retext_code(w, f.from), SB_ENTRY_JUMP);
	jump(w, stub + SB_ENTRY_JUMP, f.from + SB_ENTRY_JUMP);
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
		stub = sb_retext_room(w, sizeof call + SB_ENTRY_JUMP);
		if (!stub)
			return;
		memcpy(sb_retext_copy(w, stub), call, sizeof call);
		jump(w, stub + sizeof call, begin + sizeof call);
		jump(w, a + LOOK_END - SB_ENTRY_JUMP, stub);
		w->table.fstat = stub + sizeof call;
		w->table.fstat_path = path;
		return;
	}
}

static bool is_watched(uint32_t number)
{
	const struct sb_syscall *call = sb_syscall_find(SB_ABI_X86_64, number);

	if (!call)
		return false;
	switch (call->act) {
	case SB_ACT_HANDLE:
	case SB_ACT_URING:
	case SB_ACT_PTRACE:
	case SB_ACT_CLONE:
		return false;
	default:
		return true;
	}
}

/* Before a system call whose number does not stand right before it. */
static bool names_path(const struct sb_retext *w, uint64_t address)
{
	const uint8_t *code = sb_retext_code(w, address);
	uint64_t most = address - w->text->p_vaddr;

	for (unsigned i = 5; i <= LOOK_BACK && i <= most; i++)
		if (code[-(int)i] == 0xb8 && sb_retext_word(code - i + 1) < 0x1000)
			return is_watched(sb_retext_word(code - i + 1));
	return false;
}

/* `address` is the system call's. False: it names a path, and cannot be rewritten. */
static bool rewrite_site(struct sb_retext *w, uint64_t address)
{
	struct sb_libctext *t = &w->table;
	uint64_t at = address - (SITE - 2);
	const uint8_t *code = sb_retext_code(w, at);
	uint32_t number = sb_retext_word(code + 1);

	if (is_done(w, address))
		return true;
	if (at < w->text->p_vaddr || !is_site(code, number))
		return !names_path(w, address);
	if (!is_watched(number))
		return true;
	/* A REX prefix with B set would mean another register; and there are as many as there is
	 * room for. */
	if ((code[-1] & 0xf1) == 0x41 || t->sites == SB_LIBCTEXT_SITES)
		return false;
	jump_from_site(w, at, (uint8_t)t->sites, w->stubs[SB_SLOT_SITE]);
	t->site[t->sites].back = (uint32_t)(at + SITE);
	t->site[t->sites++].number = number;
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
