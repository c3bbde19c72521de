/* Intel SDM volume 2, chapter 2; what gcc begins libc's leaf functions with, from 2.31 to 2.43. */
#include "preload/entry.h"

#define LEAST 16u  /* of a function that does anything */
#define MOST  512u /* none of them is larger */

static uint32_t word(const uint8_t *p)
{
	uint32_t value;

	__builtin_memcpy(&value, p, sizeof(value));
	return value;
}

static bool is_endbr64(const uint8_t *p)
{
	return word(p) == 0xfa1e0ff3;
}

/* Of one instruction that works on registers and the stack alone; 0: another one. */
static size_t length(const uint8_t *p)
{
	bool wide = false;
	size_t prefix = 0;

	/* mov %fs:0x28, reg: the stack's canary */
	if (p[0] == 0x64 && (p[1] & 0xfb) == 0x48 && p[2] == 0x8b && (p[3] & 0xc7) == 0x04 &&
	    p[4] == 0x25)
		return 9;
	if ((p[0] & 0xf0) == 0x40) {
		wide = p[0] & 8;
		prefix = 1;
		p++;
	}
	if ((p[0] & 0xf8) == 0x50) /* push */
		return prefix + 1;
	if ((p[0] & 0xf8) == 0xb8) /* mov $number, reg */
		return prefix + (wide ? 9 : 5);
	switch (p[0]) {
	case 0x89: /* mov; to the stack too, with a displacement of a byte */
		if ((p[1] & 0xc7) == 0x44 && p[2] == 0x24)
			return prefix + 4;
		return p[1] >= 0xc0 ? prefix + 2 : 0;
	case 0x8b: /* mov */
	case 0x31: /* xor */
	case 0x33:
	case 0x63: /* movslq */
	case 0x85: /* test */
		return p[1] >= 0xc0 ? prefix + 2 : 0;
	case 0x83: /* sub, and, cmp...: by a byte */
		return p[1] >= 0xc0 ? prefix + 3 : 0;
	case 0x81: /* the same by four */
		return p[1] >= 0xc0 ? prefix + 6 : 0;
	default:
		return 0;
	}
}

/*
 * The number goes into eax before a system call, or on the stack for __syscall_cancel (2.41). An
 * accident would have to look like it in a function of that very name.
 */
static bool passes_number(const uint8_t *code, size_t size, uint32_t nr)
{
	for (size_t i = 0; i + 5 <= size; i++) {
		if ((code[i] == 0xb8 || code[i] == 0x68) && word(code + i + 1) == nr)
			return true;
		if (code[i] == 0x6a && nr < 0x80 && code[i + 1] == nr)
			return true;
	}
	return false;
}

/* Whatever could be a jump to behind the first byte of what is overwritten. */
static bool jumps_inside(const uint8_t *code, size_t size, size_t at)
{
	for (size_t i = at; i + 2 <= size; i++) {
		size_t to = 0, left = size - i;

		if (code[i] == 0xeb || (code[i] & 0xf0) == 0x70)
			to = i + 2 + (size_t)(int8_t)code[i + 1];
		else if (left >= 5 && code[i] == 0xe9)
			to = i + 5 + (size_t)(int32_t)word(code + i + 1);
		else if (left >= 6 && code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80)
			to = i + 6 + (size_t)(int32_t)word(code + i + 2);
		if (to > at && to < at + SB_ENTRY_JUMP)
			return true;
	}
	return false;
}

bool sb_entry_find(const uint8_t *code, size_t size, uint32_t nr, size_t *ret_at)
{
	size_t at, end;

	if (size < LEAST || size > MOST)
		return false;
	at = is_endbr64(code) ? 4 : 0;
	for (end = at; end < at + SB_ENTRY_JUMP;) {
		size_t len = length(code + end);

		if (!len || end + len > size)
			return false;
		end += len;
	}
	if (!passes_number(code + at, size - at, nr) || jumps_inside(code, size, at))
		return false;
	*ret_at = at;
	return true;
}

bool sb_entry_jump(uintptr_t at, uintptr_t to, uint8_t ret_jump[SB_ENTRY_JUMP])
{
	int64_t distance = (int64_t)(to - (at + SB_ENTRY_JUMP));
	int32_t near = (int32_t)distance;

	if (near != distance)
		return false;
	ret_jump[0] = 0xe9;
	__builtin_memcpy(ret_jump + 1, &near, sizeof(near));
	return true;
}
