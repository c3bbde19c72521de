/*
 * From a path to its entry, through the payload's own links, without asking the kernel. Both what
 * is done and what is to do lie in one buffer: the former grows from its beginning, the latter
 * shrinks towards its end and grows by what links hold.
 */
#include "preload/str.h"
#include "redirect/redirect.h"

/* Before the path is room for the bundle's own: the longest that can be put before anything. */
#define FRONT	 512
#define MAX_HOPS 40

struct walk {
	struct sb_place *place;
	char *done;    /* canonical, "/a/b", without a NUL */
	size_t len;    /* of it; 0: the root */
	uint32_t hash; /* of it */
	char *rest, *end;
	const struct sb_index_entry *at; /* of `done` */
	unsigned hops;
};

static const char *string(uint32_t offset)
{
	return sb_here.base + offset;
}

static bool same(const char *a, const char *b, size_t len)
{
	while (len && *a == *b)
		a++, b++, len--;
	return !len;
}

static const struct sb_index_entry *find(const char *path, size_t len, uint32_t hash)
{
	uint32_t mask = sb_here.index->slot_count - 1;
	uint32_t slot = sb_index_slot(hash, mask + 1), i;

	for (; (i = sb_here.slots[slot]); slot = (slot + 1) & mask) {
		const struct sb_index_entry *e = &sb_here.entries[i - 1];

		if (e->hash == hash && e->path_len == len && same(string(e->path), path, len))
			return e;
	}
	return NULL;
}

static const struct sb_index_entry *find_root(void)
{
	return find("/", 1, sb_index_hash_byte(SB_INDEX_HASH_START, '/'));
}

static void to_root(struct walk *w)
{
	w->len = 0;
	w->hash = SB_INDEX_HASH_START;
	w->at = find_root();
}

static void up(struct walk *w)
{
	while (w->len && w->done[--w->len] != '/')
		;
	if (!w->len) {
		to_root(w);
		return;
	}
	w->hash = SB_INDEX_HASH_START;
	for (size_t i = 0; i < w->len; i++)
		w->hash = sb_index_hash_byte(w->hash, w->done[i]);
	w->at = find(w->done, w->len, w->hash);
}

/* Puts what the link holds before the rest; the link itself is the last component done. */
static bool follow(struct walk *w)
{
	const struct sb_index_entry *link = w->at;

	up(w);
	if (++w->hops > MAX_HOPS ||
	    (size_t)(w->rest - w->done) < w->len + link->target_len + FRONT / 8)
		return false;
	w->rest -= link->target_len;
	sb_copy(w->rest, string(link->target), link->target_len);
	if (*w->rest == '/')
		to_root(w);
	return true;
}

enum step { GONE, FOUND, END };

/* One component. */
static enum step step(struct walk *w)
{
	const struct sb_index_entry *next;
	const char *start;
	uint32_t hash = sb_index_hash_byte(w->hash, '/');
	size_t n;

	while (w->rest < w->end && *w->rest == '/')
		w->rest++;
	if (w->rest == w->end)
		return END;
	start = w->rest;
	for (; w->rest < w->end && *w->rest != '/'; w->rest++)
		hash = sb_index_hash_byte(hash, *w->rest);
	n = (size_t)(w->rest - start);
	if (n == 1 && start[0] == '.')
		return FOUND;
	if (n == 2 && start[0] == '.' && start[1] == '.') {
		up(w);
		return FOUND;
	}
	/* Done is always shorter than what it came from: it moves towards the beginning. */
	w->done[w->len] = '/';
	for (size_t i = 0; i < n; i++)
		w->done[w->len + 1 + i] = start[i];
	next = find(w->done, w->len + 1 + n, hash);
	if (!next)
		return GONE;
	w->at = next;
	w->len += 1 + n;
	w->hash = hash;
	return FOUND;
}

static bool below(const char *path, const char *dir)
{
	size_t len = sb_strlen(dir);

	return len > 1 && same(path, dir, len) && (path[len] == '/' || !path[len]);
}

/* The user's own directories, and the bundle's, are never hidden. */
static bool is_open(const char *path)
{
	return below(path, sb_here.home) || below(path, sb_here.cwd) || below(path, sb_here.bundle);
}

static bool give(struct walk *w, struct sb_place *ret)
{
	if (!w->len)
		w->done[w->len++] = '/';
	w->done[w->len] = 0;
	ret->entry = w->at;
	ret->path = w->done;
	ret->len = w->len;
	return true;
}

bool sb_look(const char *path, bool follow_last, struct sb_place *ret)
{
	struct walk w = {.place = ret, .done = ret->room + FRONT};
	size_t len = sb_strnlen(path, SB_PATH_MAX);

	ret->entry = NULL;
	ret->opaque = ret->through = false;
	w.end = ret->room + sizeof(ret->room) - 1;
	if (path[0] != '/' || len >= (size_t)(w.end - w.done) - 1)
		return false;
	w.rest = w.end - len;
	sb_copy(w.rest, path, len);
	*w.end = 0;
	to_root(&w);
	for (;;) {
		switch (step(&w)) {
		case END:
			return give(&w, ret);
		case GONE:
			ret->opaque = w.at && w.at->flags & SB_INDEX_OPAQUE && !is_open(path);
			return true;
		case FOUND:
			break;
		}
		if (w.at && w.at->type == SB_INDEX_LINK && (follow_last || w.rest < w.end) &&
		    !follow(&w))
			return false;
		if (w.at && w.at->type == SB_INDEX_FILE && w.rest < w.end) {
			ret->through = true;
			return true;
		}
	}
}

static const char *behind(struct sb_place *place, const char *prefix, size_t len)
{
	if (len > FRONT)
		return NULL;
	sb_copy(place->path - len, prefix, len);
	return place->path - len;
}

const char *sb_place_in_payload(struct sb_place *place)
{
	return behind(place, sb_here.payload, sb_here.payload_len);
}

const char *sb_place_in_root(struct sb_place *place)
{
	return behind(place, sb_here.root, sb_here.root_len);
}

const char *sb_strip(const char *path)
{
	if (below(path, sb_here.root))
		path += sb_here.root_len;
	else if (below(path, sb_here.payload))
		path += sb_here.payload_len;
	else
		return NULL;
	return *path ? path : "/";
}
