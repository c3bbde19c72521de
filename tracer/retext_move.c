/* Intel SDM volume 2; what gcc puts between a system call's number and the call. */
#include "tracer/retext_move.h"

#ifdef __x86_64__

#include <emmintrin.h>

#include "common/x86.h"

#define BACK	96u	/* bytes from a number to its call at most */
#define REACH	128u	/* bytes that a short jump reaches back */
#define NUMBERS 0x1000u /* there are not so many */
#define FAR	0x8000u /* the beginning of the function is not sought farther away */
#define BLOCK	16u	/* bytes searched at once */
#define LONGEST 6u	/* of a jump */
#define REX_R	4
#define REX_B	1

/* Without prefixes: the operation, what REX says, and what may be a ModRM byte. */
struct operation {
	uint8_t rex, op, more; /* `more` is 0x0f before an operation of two bytes */
	const uint8_t *rest;
};

static struct operation operation(const uint8_t *p)
{
	struct operation o = {0};

	while (*p == 0x64 || *p == 0x66 || *p == 0x2e)
		p++;
	if ((*p & 0xf0) == 0x40)
		o.rex = *p++;
	if (*p == 0x0f)
		o.more = *p++;
	o.op = *p++;
	o.rest = p;
	return o;
}

/* The register that ModRM names first, and what it names second: 0 is rax. */
static bool is_rax(const struct operation *o)
{
	return !(o->rest[0] & 0x38) && !(o->rex & REX_R);
}

static bool is_rax_too(const struct operation *o)
{
	return o->rest[0] >= 0xc0 && !(o->rest[0] & 7) && !(o->rex & REX_B);
}

/* Of the instructions that are known here: whether the number stays where it is. */
static bool leaves_number(const uint8_t *p)
{
	struct operation o = operation(p);

	if (o.more)
		switch (o.op) {
		case 0x10: /* movups, movaps */
		case 0x11:
		case 0x28:
		case 0x29:
		case 0x1f: /* nop */
			return true;
		case 0xb6: /* movzx, movsx */
		case 0xb7:
		case 0xbe:
		case 0xbf:
			return !is_rax(&o);
		default:
			return false;
		}
	if ((o.op & 0xf8) == 0x50) /* push */
		return true;
	if ((o.op & 0xf8) == 0xb8) /* mov $number */
		return o.op != 0xb8 || o.rex & REX_B;
	switch (o.op) {
	case 0x39: /* cmp, test */
	case 0x3b:
	case 0x85:
	case 0x90:
		return true;
	case 0x01: /* add, or, and, sub, xor, mov */
	case 0x09:
	case 0x21:
	case 0x29:
	case 0x31:
	case 0x89:
	case 0xc7:
		return !is_rax_too(&o);
	case 0x03: /* the other way round; movslq, lea */
	case 0x0b:
	case 0x23:
	case 0x2b:
	case 0x33:
	case 0x8b:
	case 0x63:
	case 0x8d:
		return !is_rax(&o);
	case 0x81:
	case 0x83:
		return !is_rax_too(&o) || (o.rest[0] & 0x38) == 0x38;
	default:
		return false;
	}
}

/* An address relative to the instruction stands in the last four bytes of mov and lea. */
static bool can_move(const uint8_t *p, const struct sb_x86 *insn)
{
	struct operation o = operation(p);

	return !insn->moves && !insn->is_syscall &&
	       (!insn->placed || (!o.more && (o.op == 0x8b || o.op == 0x8d)));
}

static uint64_t address_of(const struct sb_retext *w, const uint8_t *p)
{
	return w->text->p_vaddr + (uint64_t)(p - (w->bytes + w->text->p_offset));
}

static size_t left(const struct sb_retext *w, uint64_t address)
{
	return (size_t)(w->text->p_vaddr + w->text->p_filesz - address);
}

/* movslq (table,index,4), reg: so begins the jump of a switch, whose targets stand elsewhere. */
static bool reads_table(const uint8_t *p)
{
	struct operation o = operation(p);

	return !o.more && o.op == 0x63 && o.rest[0] < 0x40 && (o.rest[0] & 7) == 4 &&
	       (o.rest[1] & 0xc0) == 0x80;
}

/*
 * From the beginning of a function on, as the processor would: the range begins with an
 * instruction, and nobody jumps into it, as far as jumps to short distances go.
 */
static bool is_straight(const struct sb_retext *w, struct sb_range range)
{
	struct sb_range f;
	struct sb_x86 insn;
	bool met = false;

	if (!sb_retext_function_at(w, range.from, &f) || range.from - f.from > FAR)
		return false;
	for (uint64_t a = f.from; a < range.to + REACH && left(w, a); a += insn.len) {
		const uint8_t *code = sb_retext_code(w, a);

		met |= a == range.from;
		if (!sb_x86_decode(code, left(w, a), &insn) || reads_table(code))
			return false;
		uint64_t to = a + (uint64_t)insn.target;
		if (insn.has_target && to > range.from && to < range.to)
			return false;
	}
	return met;
}

static bool take(struct sb_retext *w, struct sb_range range)
{
	unsigned at = w->moved_count;

	if (at == sizeof w->moved / sizeof *w->moved || !is_straight(w, range))
		return false;
	for (; at && w->moved[at - 1].from > range.from; at--)
		w->moved[at] = w->moved[at - 1];
	w->moved[at] = range;
	w->moved_count++;
	return true;
}

/* Where the last instructions begin that leave room for a jump; 0: one of them is not known. */
static uint64_t last_room(const struct sb_retext *w, uint64_t mov, uint64_t address)
{
	uint64_t a = mov + 5, from = mov;
	struct sb_x86 insn;

	while (a < address) {
		const uint8_t *code = sb_retext_code(w, a);

		if (!sb_x86_decode(code, (size_t)(address - a), &insn) || !can_move(code, &insn) ||
		    !leaves_number(code))
			return 0;
		if (address + 2 - a >= SB_RETEXT_JUMP)
			from = a;
		a += insn.len;
	}
	return from;
}

bool sb_retext_gap(struct sb_retext *w, uint64_t address, struct sb_retext_gap *ret)
{
	for (unsigned i = 5; i <= BACK && address - i > w->text->p_vaddr; i++) {
		uint64_t mov = address - i;
		const uint8_t *code = sb_retext_code(w, mov);

		/* A prefix with B set would mean another register. */
		if (code[0] != 0xb8 || (code[-1] & 0xf1) == 0x41 ||
		    sb_retext_word(code + 1) >= NUMBERS)
			continue;
		*ret = (struct sb_retext_gap){last_room(w, mov, address), sb_retext_word(code + 1)};
		if (ret->from && take(w, (struct sb_range){mov, address + 2}))
			return true;
	}
	return false;
}

size_t sb_retext_movable(const struct sb_retext *w, uint64_t address)
{
	struct sb_x86 insn;
	size_t len = 0;

	while (len < SB_RETEXT_JUMP) {
		const uint8_t *code = sb_retext_code(w, address + len);

		if (!sb_x86_decode(code, left(w, address + len), &insn) || !can_move(code, &insn))
			return 0;
		len += insn.len;
	}
	return is_straight(w, (struct sb_range){address, address + len}) ? len : 0;
}

void sb_retext_move(const struct sb_retext *w, uint64_t from, size_t len, uint64_t to)
{
	uint8_t *copy = sb_retext_copy(w, to);
	struct sb_x86 insn;

	memcpy(copy, sb_retext_code(w, from), len);
	for (size_t at = 0; at < len && sb_x86_decode(copy + at, len - at, &insn); at += insn.len) {
		uint8_t *distance = copy + at + insn.len - 4;
		uint32_t far;

		if (!insn.placed)
			continue;
		far = sb_retext_word(distance) + (uint32_t)(from - to);
		memcpy(distance, &far, sizeof far);
	}
}

static bool is_inside(const struct sb_retext *w, uint64_t address)
{
	unsigned first = 0, end = w->moved_count;

	/* Most jumps lead elsewhere. */
	if (address <= w->moved[0].from || address >= w->moved[end - 1].to)
		return false;
	while (first < end) {
		unsigned middle = (first + end) / 2;

		if (address <= w->moved[middle].from)
			end = middle;
		else if (address >= w->moved[middle].to)
			first = middle + 1;
		else
			return true;
	}
	return false;
}

/* Whether what may be a jump at this byte leads there. */
static bool leads_inside(const struct sb_retext *w, const uint8_t *p)
{
	unsigned len = *p == 0xe9 ? 1 : 2;
	uint64_t after = address_of(w, p) + len + 4;

	return is_inside(w, after + (uint64_t)(int32_t)sb_retext_word(p + len));
}

/* One bit for each of the 16 bytes that begins e9, or 0f 80 to 0f 8f. */
static unsigned jumps_among(const uint8_t *p)
{
	__m128i first = _mm_loadu_si128((const __m128i *)p);
	__m128i second = _mm_loadu_si128((const __m128i *)(p + 1));
	__m128i high = _mm_and_si128(second, _mm_set1_epi8((char)0xf0));
	__m128i is_long = _mm_cmpeq_epi8(first, _mm_set1_epi8((char)0xe9));
	__m128i is_two = _mm_cmpeq_epi8(first, _mm_set1_epi8(0x0f));
	__m128i is_near = _mm_cmpeq_epi8(high, _mm_set1_epi8((char)0x80));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(is_long, _mm_and_si128(is_two, is_near)));
}

/* All of libc is searched at each start of a trace: sixteen bytes at a time. */
bool sb_retext_unreached(const struct sb_retext *w, uint64_t *ret_address)
{
	const uint8_t *code = w->bytes + w->text->p_offset;
	const uint8_t *end = code + w->text->p_filesz;

	if (!w->moved_count)
		return true;
	for (const uint8_t *p = code; p + BLOCK + LONGEST <= end; p += BLOCK)
		for (unsigned found = jumps_among(p); found; found &= found - 1) {
			const uint8_t *at = p + __builtin_ctz(found);

			if (!leads_inside(w, at))
				continue;
			*ret_address = address_of(w, at);
			return false;
		}
	return true;
}

#endif
