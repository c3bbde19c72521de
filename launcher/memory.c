/*
 * malloc(3) for a process that lives for a millisecond: from mappings, upwards,
 * and back only what was taken last. libc's own is a tenth of the launcher.
 *
 * One thread; fork(2) copies it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 16, STEP = 128 << 10 };

/* In front of every block. */
struct head {
	size_t size;
	size_t unused; /* keeps blocks aligned */
};

static char *top, *end;

/* At `top`, `size` bytes. Nothing is given back when a new piece is not beside the old one. */
static int grow(size_t size)
{
	size_t step = (size + STEP) & ~(size_t)(STEP - 1);
	char *piece = mmap(end, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (piece == MAP_FAILED)
		return -1;
	if (piece != end)
		top = piece;
	end = piece + step;
	return 0;
}

/* Not malloc itself: a compiler makes calloc of malloc and memset, also here. */
static void *take(size_t size)
{
	if (size > PTRDIFF_MAX - STEP - sizeof(struct head)) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + sizeof(struct head) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if ((size_t)(end - top) < size && grow(size) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	struct head *head = (struct head *)top;
	head->size = size;
	top += size;
	return head + 1;
}

void *malloc(size_t size)
{
	return take(size);
}

void free(void *block)
{
	struct head *head = block;

	if (!head)
		return;
	head--;
	if ((char *)head + head->size == top)
		top = (char *)head;
}

void *calloc(size_t count, size_t size)
{
	if (size && count > PTRDIFF_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	void *block = take(count * size);
	/* It may have been somebody else's before. */
	return block ? memset(block, 0, count * size) : NULL;
}

void *realloc(void *block, size_t size)
{
	if (!block)
		return take(size);
	size_t have = ((struct head *)block)[-1].size - sizeof(struct head);
	if (size <= have)
		return block;
	void *grown = take(size);
	if (grown) {
		memcpy(grown, block, have);
		free(block);
	}
	return grown;
}
