/*
 * What a freestanding compiler may call on its own account. Hidden: the program's are the
 * program's. The empty asm keeps the compiler from seeing a memcpy in the loop and calling itself.
 */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *t = to;
	const char *f = from;

	for (; n >= sizeof(long); n -= sizeof(long), t += sizeof(long), f += sizeof(long)) {
		long word;

		__builtin_memcpy(&word, f, sizeof(word));
		__builtin_memcpy(t, &word, sizeof(word));
		__asm__("" : "+r"(t));
	}
	for (; n; n--) {
		*t++ = *f++;
		__asm__("" : "+r"(t));
	}
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f) {
		for (; n; n--) {
			*t++ = *f++;
			__asm__("" : "+r"(t));
		}
		return to;
	}
	while (n--) {
		t[n] = f[n];
		__asm__("" : "+r"(n));
	}
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	char *t = to;

	for (; n; n--) {
		*t++ = (char)byte;
		__asm__("" : "+r"(t));
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
