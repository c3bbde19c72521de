#include "preload/room.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/state.h"

#define ROOMS 8u

/*
 * `owner` is a robust futex: the kernel marks it when its owner execs or ends, at a moment when the
 * memory is still the parent's.
 */
struct sb_room {
	uint32_t owner; /* 0, a thread's number, or one with FUTEX_OWNER_DIED */
	void *memory;
	size_t size;
	struct robust_list_head head;
	struct robust_list entry;
};

static struct sb_room rooms[ROOMS];

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

static long set_list(struct robust_list_head *head)
{
	return sb_raw(SYS_set_robust_list, (long)head, sizeof(*head), 0, 0, 0, 0);
}

/* A vfork child has no list of its own; whoever has one was made otherwise, and keeps it. */
static bool has_list(void)
{
	void *head = NULL;
	size_t len;

	return failed(sb_raw(SYS_get_robust_list, 0, (long)&head, (long)&len, 0, 0, 0)) || head;
}

static bool make_large(struct sb_room *room, size_t size)
{
	long p;

	if (room->size >= size)
		return true;
	if (room->size)
		(void)sb_raw(SYS_munmap, (long)room->memory, (long)room->size, 0, 0, 0, 0);
	room->size = 0;
	p = sb_raw(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	if (failed(p))
		return false;
	room->memory = (void *)p;
	room->size = size;
	return true;
}

static struct sb_room *free_room(uint32_t self)
{
	for (struct sb_room *room = rooms; room < rooms + ROOMS; room++) {
		uint32_t owner = sb_load(&room->owner);

		if ((!owner || owner & FUTEX_OWNER_DIED) && sb_cas(&room->owner, &owner, self))
			return room;
	}
	return NULL;
}

struct sb_room *sb_room_take(size_t size, void **ret_memory)
{
	struct sb_recorder *st = sb_self();
	struct sb_room *room;
	long self;

	if (sb_load(&st->sandboxed) || sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0) == st->pid ||
	    has_list())
		return NULL;
	self = sb_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
	room = free_room((uint32_t)self);
	if (!room)
		return NULL;
	room->entry.next = &room->head.list;
	room->head = (struct robust_list_head){
		.list.next = &room->entry,
		.futex_offset = (long)((char *)&room->owner - (char *)&room->entry),
	};
	if (!make_large(room, size) || failed(set_list(&room->head))) {
		sb_store(&room->owner, 0);
		return NULL;
	}
	*ret_memory = room->memory;
	return room;
}

void sb_room_give(struct sb_room *room)
{
	(void)set_list(NULL);
	sb_store(&room->owner, 0);
}
