#include "tracer/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tracer/syscalls.h"
#include "tracer/wire.h"

#define X32_BIT	  0x40000000u
#define PAGE_MASK 0xfffu
/* So few numbers are compared one by one. */
#define LEAF_MOST  4u
#define CALLS_MOST 256u

#ifdef __aarch64__
#define ABI_NATIVE SB_ABI_AARCH64
#else
#define ABI_NATIVE SB_ABI_X86_64
#endif

#define NR_AT	offsetof(struct seccomp_data, nr)
#define ARCH_AT offsetof(struct seccomp_data, arch)
/* Words of a 64-bit field, on a little-endian machine. */
#define LOW_OF(field)  (offsetof(struct seccomp_data, field))
#define HIGH_OF(field) (LOW_OF(field) + 4)

/* What the filter does with a number of the table. */
enum deed {
	ACT, /* unless it passes */
	ACT_ALWAYS,
	ACT_FSTAT, /* as ACT; unless it is one of the quiet ones */
	ACT_OPEN,  /* as ACT; unless it is the opening of the module */
	ACT_PRCTL, /* where its first argument is PR_SET_SECCOMP */
	ACT_CLONE, /* where its flags have CLONE_UNTRACED or CLONE_NEWNS */
	REFUSE,	   /* ENOSYS */
	DEED_COUNT
};

struct number {
	uint32_t nr;
	enum deed deed;
};

struct maker {
	const struct sb_filter_spec *spec;
	struct sb_filter *filter;
	uint16_t len;
	bool full;
	/* Of the ABI in hand. */
	struct number numbers[CALLS_MOST];
	unsigned count;
	struct {
		uint16_t at; /* a jump whose true branch leads to a deed */
		enum deed deed;
	} waiting[CALLS_MOST];
	unsigned waiting_count;
};

static uint16_t put(struct maker *m, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (m->len == sizeof m->filter->code / sizeof *m->filter->code) {
		m->full = true;
		return 0;
	}
	m->filter->code[m->len] = (struct sock_filter){code, jt, jf, k};
	return m->len++;
}

static void load(struct maker *m, size_t offset)
{
	(void)put(m, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct maker *m, uint32_t action)
{
	(void)put(m, BPF_RET | BPF_K, action, 0, 0);
}

/* Conditional jumps reach 255 instructions ahead. */
static void land(struct maker *m, uint16_t from, bool when)
{
	unsigned distance = m->len - from - 1u;

	if (distance > 255)
		m->full = true;
	else if (when)
		m->filter->code[from].jt = (uint8_t)distance;
	else
		m->filter->code[from].jf = (uint8_t)distance;
}

static int by_number(const void *a, const void *b)
{
	const struct number *x = a, *y = b;

	return (x->nr > y->nr) - (x->nr < y->nr);
}

static bool wanted(const struct sb_filter_spec *spec, const struct sb_syscall *row)
{
	switch (row->act) {
	case SB_ACT_FILTER:
		return spec->with_tracers || spec->with_filters;
	case SB_ACT_PTRACE:
	case SB_ACT_CLONE:
		return spec->with_tracers;
	default:
		return true;
	}
}

static enum deed deed_of(const struct sb_filter_spec *spec, const struct sb_syscall *row,
			 enum sb_abi abi)
{
	switch (row->act) {
	/* Within which root who is must be known of everybody. */
	case SB_ACT_CHROOT:
		return ACT_ALWAYS;
	case SB_ACT_URING:
		return spec->refuse_uring ? REFUSE : ACT_ALWAYS;
	case SB_ACT_FILTER:
		return strcmp(row->name, "prctl") == 0 ? ACT_PRCTL : ACT_ALWAYS;
	case SB_ACT_CLONE:
		/* clone3 has its flags in memory, out of our reach here. */
		return strcmp(row->name, "clone") == 0 ? ACT_CLONE : ACT_ALWAYS;
	default:
		if (spec->quiet_count && strcmp(row->name, "newfstatat") == 0)
			return ACT_FSTAT;
		return spec->opening && abi == ABI_NATIVE && strcmp(row->name, "openat") == 0
			       ? ACT_OPEN
			       : ACT;
	}
}

/* The numbers of one ABI, in order. */
static void collect(struct maker *m, enum sb_abi abi)
{
	m->count = m->waiting_count = 0;
	for (unsigned i = 0; i < sb_syscall_count && m->count < CALLS_MOST; i++) {
		const struct sb_syscall *row = &sb_syscalls[i];

		if (row->nr[abi] >= 0 && wanted(m->spec, row))
			m->numbers[m->count++] = (struct number){
				(uint32_t)row->nr[abi] | (abi == SB_ABI_X32 ? X32_BIT : 0),
				deed_of(m->spec, row, abi)};
	}
	qsort(m->numbers, m->count, sizeof *m->numbers, by_number);
}

/*
 * A binary search. Until a number is found nothing but the number and the architecture is looked
 * at: so kernels from 5.11 on know beforehand which calls are always allowed, and run no filter.
 */
static void search(struct maker *m, unsigned first, unsigned count)
{
	if (count > LEAF_MOST) {
		unsigned half = count / 2;
		uint16_t split =
			put(m, BPF_JMP | BPF_JGE | BPF_K, m->numbers[first + half].nr, 0, 0);

		search(m, first, half);
		land(m, split, true);
		search(m, first + half, count - half);
		return;
	}
	for (unsigned i = first; i < first + count; i++) {
		uint16_t at = put(m, BPF_JMP | BPF_JEQ | BPF_K, m->numbers[i].nr, 0, 0);

		m->waiting[m->waiting_count].at = at;
		m->waiting[m->waiting_count++].deed = m->numbers[i].deed;
	}
	answer(m, SECCOMP_RET_ALLOW);
}

/* Whether the low bits of the word at `offset` are these; if not, on to where it is landed. */
static uint16_t unless_low(struct maker *m, size_t offset, uint16_t bits)
{
	load(m, offset);
	(void)put(m, BPF_ALU | BPF_AND | BPF_K, PAGE_MASK, 0, 0);
	return put(m, BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 0);
}

/* The instruction pointer is that of the next instruction. */
static void allow_passed(struct maker *m)
{
	if (m->spec->let_pass) {
		load(m, LOW_OF(args[5]));
		uint16_t low = put(m, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SB_PASS, 0, 0);
		load(m, HIGH_OF(args[5]));
		uint16_t high = put(m, BPF_JMP | BPF_JEQ | BPF_K, SB_PASS >> 32, 0, 0);
		uint16_t site = unless_low(m, LOW_OF(instruction_pointer), SB_PASS_SITE);
		answer(m, SECCOMP_RET_ALLOW);
		land(m, low, false);
		land(m, high, false);
		land(m, site, false);
	}
}

static void act_unless_passed(struct maker *m)
{
	allow_passed(m);
	answer(m, m->spec->action);
}

/* On where it is landed, unless the word at `offset` is this. */
static uint16_t unless_word(struct maker *m, size_t offset, uint32_t word)
{
	load(m, offset);
	return put(m, BPF_JMP | BPF_JEQ | BPF_K, word, 0, 0);
}

/* Negative distances count, too: modulo 2^32, and within 4 GiB, as the high halves are equal. */
static void act_unless_module(struct maker *m)
{
	const struct sb_opening *o = m->spec->opening;

	allow_passed(m);
	uint16_t site = unless_low(m, LOW_OF(instruction_pointer), o->site);
	uint16_t dirfd = unless_word(m, LOW_OF(args[0]), (uint32_t)AT_FDCWD);
	uint16_t flags = unless_word(m, LOW_OF(args[2]), O_RDONLY | O_CLOEXEC);
	uint16_t sixth = unless_word(m, LOW_OF(args[5]), o->sixth);
	load(m, HIGH_OF(instruction_pointer));
	(void)put(m, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(m, HIGH_OF(args[1]));
	uint16_t high = put(m, BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 0);
	load(m, LOW_OF(instruction_pointer));
	(void)put(m, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(m, LOW_OF(args[1]));
	(void)put(m, BPF_ALU | BPF_SUB | BPF_X, 0, 0, 0);
	(void)put(m, BPF_ALU | BPF_SUB | BPF_K, o->distance, 0, 0);
	uint16_t beyond = put(m, BPF_JMP | BPF_JGE | BPF_K, SB_OPENING_SPAN, 0, 0);
	answer(m, SECCOMP_RET_ALLOW);
	land(m, site, false);
	land(m, dirfd, false);
	land(m, flags, false);
	land(m, sixth, false);
	land(m, high, false);
	land(m, beyond, true);
	answer(m, m->spec->action);
}

static void act_unless_quiet(struct maker *m)
{
	load(m, LOW_OF(args[3]));
	uint16_t other = put(m, BPF_JMP | BPF_JEQ | BPF_K, AT_EMPTY_PATH, 0, 0);

	for (unsigned i = 0; i < m->spec->quiet_count; i++) {
		const struct sb_quiet *q = &m->spec->quiet[i];
		uint16_t elsewhere = unless_low(m, LOW_OF(instruction_pointer), q->instruction);
		uint16_t something = unless_low(m, LOW_OF(args[1]), q->path);

		answer(m, SECCOMP_RET_ALLOW);
		land(m, elsewhere, false);
		land(m, something, false);
	}
	land(m, other, false);
	act_unless_passed(m);
}

static void act_where_filtering(struct maker *m)
{
	load(m, LOW_OF(args[0]));
	(void)put(m, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 1, 0);
	answer(m, SECCOMP_RET_ALLOW);
	answer(m, m->spec->action);
}

static void act_where_it_matters(struct maker *m)
{
	load(m, LOW_OF(args[0]));
	(void)put(m, BPF_JMP | BPF_JSET | BPF_K, CLONE_UNTRACED | CLONE_NEWNS, 1, 0);
	answer(m, SECCOMP_RET_ALLOW);
	answer(m, m->spec->action);
}

static void do_deed(struct maker *m, enum deed deed)
{
	switch (deed) {
	case ACT:
		act_unless_passed(m);
		break;
	case ACT_FSTAT:
		act_unless_quiet(m);
		break;
	case ACT_OPEN:
		act_unless_module(m);
		break;
	case ACT_PRCTL:
		act_where_filtering(m);
		break;
	case ACT_CLONE:
		act_where_it_matters(m);
		break;
	case REFUSE:
		answer(m, SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA));
		break;
	case ACT_ALWAYS:
	case DEED_COUNT:
		answer(m, m->spec->action);
	}
}

/* The number is loaded; every way through ends in an answer. */
static void make_abi(struct maker *m, enum sb_abi abi)
{
	collect(m, abi);
	search(m, 0, m->count);
	for (enum deed deed = 0; deed < DEED_COUNT; deed++) {
		bool any = false;

		for (unsigned i = 0; i < m->waiting_count; i++)
			if (m->waiting[i].deed == deed) {
				land(m, m->waiting[i].at, true);
				any = true;
			}
		if (any)
			do_deed(m, deed);
	}
}

#ifdef __aarch64__
static void make_machine(struct maker *m)
{
	(void)put(m, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0);
	answer(m, SECCOMP_RET_ALLOW);
	load(m, NR_AT);
	make_abi(m, SB_ABI_AARCH64);
}
#else
/* A jump over more than a conditional one can reach. */
static uint16_t jump_far(struct maker *m)
{
	return put(m, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void land_far(struct maker *m, uint16_t from)
{
	m->filter->code[from].k = m->len - from - 1u;
}

static void make_machine(struct maker *m)
{
	(void)put(m, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	uint16_t other = jump_far(m);
	load(m, NR_AT);
	(void)put(m, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	uint16_t x32 = jump_far(m);
	make_abi(m, SB_ABI_X86_64);
	land_far(m, x32);
	make_abi(m, SB_ABI_X32);
	land_far(m, other);
	(void)put(m, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0);
	answer(m, SECCOMP_RET_ALLOW);
	load(m, NR_AT);
	make_abi(m, SB_ABI_I386);
}
#endif

int sb_filter_make(const struct sb_filter_spec *spec, struct sb_filter *ret, struct sb_err *err)
{
	struct maker m = {.spec = spec, .filter = ret};

	load(&m, ARCH_AT);
	make_machine(&m);
	if (m.full)
		return sb_fail(err, SB_ESAID, "the seccomp filter has outgrown its room");
	ret->prog = (struct sock_fprog){.len = m.len, .filter = ret->code};
	return 0;
}
