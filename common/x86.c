#include "common/x86.h"

#include <string.h>

enum shape {
	NO,    /* no such instruction */
	PLAIN, /* nothing follows */
	MODRM, /* a modrm byte and what it asks for */
	IMM8 = 4,
	IMM16 = 8,
	IMMZ = 16, /* 4 bytes, 2 with an operand size prefix */
	REL8 = 32,
	REL32 = 64,
	FLOW = 128, /* ends or leaves the straight line */
};

/* Which table an opcode is of. */
enum map { ONE, TWO, OTHER };

struct decoder {
	enum map map;
	const uint8_t *code;
	size_t size, at;
	bool operand16, wide;
	uint8_t modrm;
};

static bool take(struct decoder *d, uint8_t *ret)
{
	if (d->at >= d->size)
		return false;
	*ret = d->code[d->at++];
	return true;
}

/* Opcodes of one byte, but for prefixes and escapes. */
static unsigned one_byte(uint8_t op)
{
	static const uint8_t alu[8] = {MODRM, MODRM, MODRM, MODRM, IMM8, IMMZ, NO, NO};

	if (op < 0x40)
		return alu[op & 7];
	switch (op) {
	case 0x50 ... 0x5f:
	case 0x6c ... 0x6f:
	case 0x90 ... 0x99:
	case 0x9b ... 0x9f:
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
	case 0xc9:
	case 0xd7:
	case 0xec ... 0xef:
	case 0xf5:
	case 0xf8 ... 0xfd:
		return PLAIN;
	case 0xc3:
	case 0xcb:
	case 0xcc:
	case 0xcf:
	case 0xf1:
	case 0xf4:
		return PLAIN | FLOW;
	case 0x63:
	case 0x84 ... 0x8f:
	case 0xd0 ... 0xd3:
	case 0xd8 ... 0xdf:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return MODRM;
	case 0x6b:
	case 0x80:
	case 0x83:
	case 0xc0:
	case 0xc1:
	case 0xc6:
		return MODRM | IMM8;
	case 0x69:
	case 0x81:
	case 0xc7:
		return MODRM | IMMZ;
	case 0x6a:
	case 0xa8:
	case 0xb0 ... 0xb7:
	case 0xe4 ... 0xe7:
		return IMM8;
	case 0x68:
	case 0xa9:
	case 0xb8 ... 0xbf:
		return IMMZ;
	case 0xc8:
		return IMM16 | IMM8;
	case 0xc2:
	case 0xca:
		return IMM16 | FLOW;
	case 0xcd:
		return IMM8 | FLOW;
	case 0x70 ... 0x7f:
	case 0xe0 ... 0xe3:
	case 0xeb:
		return REL8 | FLOW;
	case 0xe8:
	case 0xe9:
		return REL32 | FLOW;
	default:
		return NO;
	}
}

/* After 0x0f, and the first map of VEX and EVEX. */
static unsigned two_bytes(uint8_t op)
{
	switch (op) {
	case 0x05:
	case 0x07:
	case 0x0b:
	case 0x34:
	case 0x35:
		return PLAIN | FLOW;
	case 0x06:
	case 0x08:
	case 0x09:
	case 0x0e:
	case 0x30 ... 0x33:
	case 0x37:
	case 0x77:
	case 0xa0 ... 0xa2:
	case 0xa8 ... 0xaa:
	case 0xc8 ... 0xcf:
		return PLAIN;
	case 0x04:
	case 0x0a:
	case 0x0c:
	case 0x24 ... 0x27:
	case 0x36:
	case 0x39:
	case 0x3b ... 0x3f:
		return NO;
	case 0x0f:
	case 0x70 ... 0x73:
	case 0xa4:
	case 0xac:
	case 0xba:
	case 0xc2:
	case 0xc4 ... 0xc6:
		return MODRM | IMM8;
	case 0x80 ... 0x8f:
		return REL32 | FLOW;
	default:
		return MODRM;
	}
}

static unsigned in_map(unsigned map, uint8_t op)
{
	switch (map) {
	case 1:
		return two_bytes(op);
	case 2:
	case 5:
	case 6:
		return MODRM;
	case 3:
		return MODRM | IMM8;
	default:
		return NO;
	}
}

static bool prefixes(struct decoder *d)
{
	for (; d->at < d->size; d->at++) {
		switch (d->code[d->at]) {
		case 0x66:
			d->operand16 = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x67:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		case 0x40 ... 0x4f:
			/* Only what stands right before the opcode counts. */
			d->wide = d->code[d->at] & 8;
			d->at++;
			return true;
		default:
			return true;
		}
	}
	return false;
}

/* VEX and EVEX: their bytes, then an opcode of the map that they name. */
static bool vector(struct decoder *d, uint8_t first, uint8_t *op, unsigned *shape)
{
	uint8_t map, more;

	if (!take(d, &map))
		return false;
	if (first == 0xc5) {
		map = 1;
	} else {
		map &= first == 0x62 ? 7 : 0x1f;
		for (int i = first == 0x62 ? 2 : 1; i; i--)
			if (!take(d, &more))
				return false;
	}
	if (!take(d, op))
		return false;
	*shape = in_map(map, *op);
	return true;
}

static bool opcode(struct decoder *d, uint8_t *op, unsigned *shape)
{
	uint8_t first;

	if (!take(d, op))
		return false;
	first = *op;
	d->map = OTHER;
	if (first == 0xc4 || first == 0xc5 || first == 0x62)
		return vector(d, first, op, shape);
	if (first != 0x0f) {
		d->map = ONE;
		*shape = one_byte(first);
		return true;
	}
	if (!take(d, op))
		return false;
	if (*op == 0x38 || *op == 0x3a) {
		*shape = *op == 0x38 ? MODRM : MODRM | IMM8;
		return take(d, op);
	}
	d->map = TWO;
	*shape = two_bytes(*op);
	return true;
}

static bool memory(struct decoder *d, struct sb_x86 *ret)
{
	uint8_t mode, low, sib = 0;

	if (!take(d, &d->modrm))
		return false;
	mode = d->modrm >> 6;
	low = d->modrm & 7;
	if (mode == 3)
		return true;
	if (low == 4 && !take(d, &sib))
		return false;
	if (mode == 0 && low == 5)
		ret->placed = true;
	if (mode == 1)
		d->at += 1;
	else if (mode == 2 || (mode == 0 && (low == 5 || (low == 4 && (sib & 7) == 5))))
		d->at += 4;
	return true;
}

static void immediate(struct decoder *d, unsigned shape, uint8_t op)
{
	size_t z = d->operand16 ? 2 : 4;

	if (d->map == ONE && op >= 0xb8 && op <= 0xbf && d->wide)
		z = 8;
	/* test has an immediate, its neighbours (not, neg, mul...) have none. */
	if (d->map == ONE && (op == 0xf6 || op == 0xf7) && !(d->modrm & 0x30))
		d->at += op == 0xf6 ? 1 : z;
	if (shape & IMM8)
		d->at += 1;
	if (shape & IMM16)
		d->at += 2;
	if (shape & IMMZ)
		d->at += z;
}

static void relative(struct decoder *d, unsigned shape, struct sb_x86 *ret)
{
	int32_t far = 0;

	if (shape & REL8)
		far = d->at < d->size ? (int8_t)d->code[d->at] : 0;
	else if (d->at + 4 <= d->size)
		memcpy(&far, d->code + d->at, 4);
	d->at += shape & REL8 ? 1 : 4;
	ret->has_target = true;
	ret->target = (int64_t)d->at + far;
}

/* call and jmp through a register or memory. */
static bool is_indirect(const struct decoder *d, uint8_t op)
{
	return d->map == ONE && op == 0xff && (d->modrm & 0x38) >= 0x10 &&
	       (d->modrm & 0x38) <= 0x28;
}

bool sb_x86_decode(const uint8_t *code, size_t size, struct sb_x86 *ret)
{
	struct decoder d = {.code = code, .size = size < 15 ? size : 15};
	unsigned shape = NO;
	uint8_t op = 0;

	memset(ret, 0, sizeof *ret);
	if (!prefixes(&d) || !opcode(&d, &op, &shape))
		return false;
	/* Moves between rax and an address of 8 bytes: libraries have none. */
	if (shape == NO || (shape & MODRM && !memory(&d, ret)))
		return false;
	immediate(&d, shape, op);
	if (shape & (REL8 | REL32))
		relative(&d, shape, ret);
	ret->moves = shape & FLOW || is_indirect(&d, op);
	ret->is_syscall = d.map == TWO && op == 0x05;
	ret->is_return = d.map == ONE && op == 0xc3;
	ret->is_nop = (d.map == TWO && op == 0x1f) || (d.map == ONE && (op == 0x90 || op == 0xcc));
	ret->len = (uint8_t)d.at;
	return d.at <= d.size;
}
