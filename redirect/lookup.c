/*
 * From a path to its entry, through the payload's own links, without asking the kernel. What is
 * done grows from the beginning of a buffer; what is to do is the caller's path, and after a link
 * lies at the buffer's end, which grows by what links hold.
 *
 * Every look-up stands before a system call: eight bytes are touched at once, which may be some
 * more than the path has, but never those of another page. What is on the way to an entry is found
 * by hash and length alone, and the whole is compared at the end.
 */
#include "preload/str.h"
#include "redirect/redirect.h"

#define MAX_HOPS 40
#define WORD	 sizeof(uint64_t)
#define PAGE	 4096
#define ONES	 0x0101010101010101u
#define TOPS	 0x8080808080808080u

struct walk {
	char *done;    /* canonical, "/a/b", without a NUL */
	size_t len;    /* of it; 0: the root */
	uint64_t hash; /* of it */
	const char *rest;
	char *end;			 /* of the buffer, behind which one word has room */
	const struct sb_index_entry *at; /* of `done` */
	unsigned hops;
	size_t tail; /* of what was not found: it stands behind `done` and a '/', and not in `rest`
		      */
};

static const char *string(uint32_t offset)
{
	return sb_here.base + offset;
}

static uint64_t word_at(const char *s)
{
	uint64_t word;

	__builtin_memcpy(&word, s, WORD);
	return word;
}

static bool same(const char *a, const char *b, size_t len)
{
	size_t at = 0;

	for (; at + WORD <= len; at += WORD)
		if (word_at(a + at) != word_at(b + at))
			return false;
	for (; at < len; at++)
		if (a[at] != b[at])
			return false;
	return true;
}

/* Of a string: what follows its end is not to be looked at. */
__attribute__((no_sanitize("address"))) static uint64_t next_word(const char *s)
{
	uint64_t word = 0;

	if ((uintptr_t)s % PAGE <= PAGE - WORD) {
		__builtin_memcpy(&word, s, WORD);
		return word;
	}
	for (unsigned i = 0; i < WORD && s[i]; i++)
		word |= (uint64_t)(uint8_t)s[i] << 8 * i;
	return word;
}

/* How many bytes of it stand before a '/' or a NUL. */
static unsigned length_in(uint64_t word)
{
	uint64_t slashes = word ^ ONES * '/';
	uint64_t ends = ((word - ONES) & ~word & TOPS) | ((slashes - ONES) & ~slashes & TOPS);

	/* What stands behind the first may be told wrongly. */
	return ends ? (unsigned)__builtin_ctzll(ends) / 8 : WORD;
}

static const struct sb_index_entry *find(size_t len, uint64_t state)
{
	uint32_t hash = sb_index_hash(state);
	uint32_t mask = sb_here.index->slot_count - 1;
	uint32_t slot = sb_index_slot(hash, mask + 1), i;

	for (; (i = sb_here.slots[slot]); slot = (slot + 1) & mask) {
		const struct sb_index_entry *e = &sb_here.entries[i - 1];

		if (e->hash == hash && e->path_len == len)
			return e;
	}
	return NULL;
}

/* Whether what was found is what was looked for. */
static bool is_right(const struct walk *w)
{
	return !w->at || !w->len || same(string(w->at->path), w->done, w->len);
}

static const struct sb_index_entry *find_root(void)
{
	return find(1, SB_INDEX_HASH_START);
}

static void to_root(struct walk *w)
{
	w->len = 0;
	w->hash = SB_INDEX_HASH_START;
	w->at = find_root();
}

/* Copies the component that begins at `from` (false: it does not fit), and adds to the hash. */
static bool take(const struct walk *w, const char *from, char *to, size_t *ret_len, uint64_t *hash)
{
	for (size_t n = 0;; n += WORD) {
		uint64_t word = next_word(from + n);
		unsigned len = length_in(word);

		if (to + n > w->end)
			return false;
		if (len < WORD)
			word &= ((uint64_t)1 << 8 * len) - 1;
		__builtin_memcpy(to + n, &word, WORD);
		if (len)
			*hash = sb_index_hash_word(*hash, word);
		if (len < WORD) {
			*ret_len = n + len;
			return true;
		}
	}
}

/* The component that stands behind `len` becomes part of it. */
static void add_done(struct walk *w)
{
	const char *from = w->done + w->len + 1;
	unsigned len;

	do {
		uint64_t word = word_at(from);

		len = length_in(word);
		if (len < WORD)
			word &= ((uint64_t)1 << 8 * len) - 1;
		if (len)
			w->hash = sb_index_hash_word(w->hash, word);
		from += len;
	} while (len == WORD);
	w->len = (size_t)(from - w->done);
}

static void up(struct walk *w)
{
	size_t len = w->len;

	while (len && w->done[--len] != '/')
		;
	to_root(w);
	if (!len)
		return;
	w->done[len] = 0;
	while (w->len < len)
		add_done(w);
	w->at = find(w->len, w->hash);
}

/* Puts what the link holds before the rest; the link itself is the last component done. */
static bool follow(struct walk *w)
{
	const struct sb_index_entry *link = w->at;
	size_t more = sb_strnlen(w->rest, SB_PATH_MAX);
	char *rest;

	if (!is_right(w) || ++w->hops > MAX_HOPS)
		return false;
	up(w);
	/* So far apart that what is read lies behind what is written. */
	if ((size_t)(w->end - w->done) < w->len + link->target_len + more + 2 * WORD + 2)
		return false;
	/* The caller's; or it lies there already. */
	if (w->rest + more != w->end) {
		sb_copy(w->end - more, w->rest, more);
		*w->end = 0;
	}
	rest = w->end - more - link->target_len;
	sb_copy(rest, string(link->target), link->target_len);
	w->rest = rest;
	if (*rest == '/')
		to_root(w);
	return true;
}

enum step { GONE, FOUND, END, LONG };

/* One component. */
static enum step step(struct walk *w)
{
	const struct sb_index_entry *next;
	const char *rest = w->rest;
	char *to = w->done + w->len + 1;
	uint64_t hash = w->hash;
	size_t n = 0;

	while (*rest == '/')
		rest++;
	w->rest = rest;
	if (!*rest)
		return END;
	if (rest[0] == '.' && (rest[1] == '/' || !rest[1])) {
		w->rest = rest + 1;
		return FOUND;
	}
	if (rest[0] == '.' && rest[1] == '.' && (rest[2] == '/' || !rest[2])) {
		w->rest = rest + 2;
		up(w);
		return FOUND;
	}
	if (!take(w, rest, to, &n, &hash))
		return LONG;
	to[-1] = '/';
	w->rest = rest + n;
	next = find(w->len + 1 + n, hash);
	if (!next) {
		w->tail = n;
		return GONE;
	}
	w->at = next;
	w->len += 1 + n;
	w->hash = hash;
	return FOUND;
}

bool sb_below(const char *path, const char *dir)
{
	size_t len = 0;

	/* Byte by byte: the path may be the shorter of the two, and end where its page does. */
	while (dir[len] && path[len] == dir[len])
		len++;
	return len > 1 && !dir[len] && (path[len] == '/' || !path[len]);
}

/*
 * The user's own directories, and the bundle's, are never hidden; nor are zones that TZ may name,
 * as who does not find one takes it for UTC.
 */
static bool is_open(const char *path)
{
	return sb_below(path, sb_here.home) || sb_below(path, sb_here.cwd) ||
	       sb_below(path, sb_here.bundle) || sb_below(path, "/usr/share/zoneinfo");
}

static bool give(struct walk *w, struct sb_place *ret)
{
	if (!is_right(w))
		return false;
	if (!w->len)
		w->done[w->len++] = '/';
	w->done[w->len] = 0;
	ret->entry = w->at;
	ret->path = w->done;
	ret->len = w->len;
	return true;
}

/* What is done is shorter than what it came from: the rest lies behind it, and moves down. */
static void lead_out(const struct walk *w, struct sb_place *ret)
{
	char *to = w->done + w->len + 1 + w->tail;

	for (const char *from = w->rest; (*to = *from); to++, from++)
		;
	ret->path = w->done;
	ret->len = (size_t)(to - w->done);
}

static bool give_gone(const struct walk *w, const char *path, struct sb_place *ret)
{
	bool right = is_right(w);
	const char *rest = w->rest;

	while (*rest == '/')
		rest++;
	ret->within = w->at && right && !*rest;
	ret->opaque = w->at && w->at->flags & SB_INDEX_OPAQUE && right && !is_open(path);
	if (w->hops && right)
		lead_out(w, ret);
	return true;
}

static bool goes_on(const struct walk *w)
{
	return *w->rest;
}

/* What the kernel would not take is not for us either. */
static bool is_long(const struct walk *w, const char *path)
{
	return !w->hops && w->rest - path >= SB_PATH_MAX;
}

bool sb_look(const char *path, bool follow_last, struct sb_place *ret)
{
	struct walk w = {.done = ret->room + sb_here.front, .rest = path};

	ret->entry = NULL;
	ret->path = NULL;
	ret->within = ret->opaque = ret->through = ret->full = false;
	w.end = ret->room + (ret->size ? ret->size : sizeof(ret->room)) - WORD;
	if (path[0] != '/')
		return false;
	to_root(&w);
	for (;;) {
		switch (step(&w)) {
		case END:
			return !is_long(&w, path) && give(&w, ret);
		case GONE:
			return give_gone(&w, path, ret);
		case LONG:
			ret->full = true;
			return false;
		case FOUND:
			break;
		}
		if (!w.at || w.at->type == SB_INDEX_DIR)
			continue;
		if (w.at->type == SB_INDEX_LINK && (follow_last || goes_on(&w)) && !follow(&w)) {
			ret->full = w.hops <= MAX_HOPS;
			return false;
		}
		if (w.at && w.at->type == SB_INDEX_FILE && goes_on(&w)) {
			ret->through = is_right(&w);
			return ret->through;
		}
	}
}

static const char *behind(struct sb_place *place, const char *prefix, size_t len)
{
	if (len > sb_here.front)
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

const char *sb_place_in_layer(struct sb_place *place)
{
	return behind(place, sb_here.layer, sb_here.layer_len);
}

const char *sb_strip(const char *path)
{
	if (sb_below(path, sb_here.root))
		path += sb_here.root_len;
	else if (sb_below(path, sb_here.payload))
		path += sb_here.payload_len;
	else if (sb_here.layer && sb_below(path, sb_here.layer))
		path += sb_here.layer_len;
	else
		return NULL;
	return *path ? path : "/";
}
