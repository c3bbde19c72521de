#include <stdlib.h>
#include <string.h>

#include "bundler/host.h"
#include "common/cleanup.h"
#include "redirect/index.h"

/* Directories of a payload that hide this machine's: where programs keep what belongs together. */
static bool is_opaque(const char *path)
{
	if (strncmp(path, "/opt/", 5) == 0)
		return true;
	if (strncmp(path, "/usr", 4) == 0)
		return path[4] == '/' || !path[4];
	/* /lib, /lib32, /lib64, /libx32 */
	return strncmp(path, "/lib", 4) == 0 &&
	       (strspn(path + 4, "x0123456789") == strcspn(path + 4, "/"));
}

/* An empty file to mount the target's over: the target's own is the one. */
static bool is_for_target(const struct sb_manifest_file *f)
{
	for (size_t i = 0; i < f->reason_count; i++)
		if (f->reasons[i].why == SB_WHY_TARGET)
			return true;
	return false;
}

static uint8_t flags_of(const struct sb_manifest_file *f, bool script)
{
	if (f->type == SB_ITEM_DIR)
		return is_opaque(f->path) ? SB_INDEX_OPAQUE : 0;
	return (uint8_t)((f->host == SB_HOST_PROGRAM ? SB_INDEX_PROGRAM : 0) |
			 (f->host == SB_HOST_LIBRARY ? SB_INDEX_LIBRARY : 0) |
			 (script ? SB_INDEX_SCRIPT : 0));
}

static uint64_t hash_component(uint64_t state, const char *name, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, name + at, len - at < sizeof word ? len - at : sizeof word);
		state = sb_index_hash_word(state, word);
	}
	return state;
}

static uint32_t hash_of(const char *path)
{
	uint64_t state = SB_INDEX_HASH_START;
	size_t len;

	for (; *path; path += len) {
		path += *path == '/';
		len = strcspn(path, "/");
		state = hash_component(state, path, len);
	}
	return sb_index_hash(state);
}

struct builder {
	struct sb_buf strings;
	struct sb_index_entry *entries;
	uint32_t *slots, slot_count;
	uint32_t count;
	uint32_t library_path, library_path_len, searched, searched_len;
};

static int add_string(struct builder *b, const char *s, uint32_t *ret, uint32_t *ret_len)
{
	*ret = (uint32_t)b->strings.len;
	*ret_len = (uint32_t)strlen(s);
	return sb_buf_add(&b->strings, s, *ret_len + 1);
}

static int add(struct builder *b, const struct sb_manifest_file *f, bool script)
{
	static const uint8_t types[] = {SB_INDEX_FILE, SB_INDEX_DIR, SB_INDEX_LINK};
	struct sb_index_entry *e = &b->entries[b->count];
	uint32_t slot;

	*e = (struct sb_index_entry){
		.hash = hash_of(f->path), .type = types[f->type], .flags = flags_of(f, script)};
	if (add_string(b, f->path, &e->path, &e->path_len) < 0 ||
	    (f->target && add_string(b, f->target, &e->target, &e->target_len) < 0))
		return -ENOMEM;
	slot = sb_index_slot(e->hash, b->slot_count);
	while (b->slots[slot])
		slot = (slot + 1) & (b->slot_count - 1);
	b->slots[slot] = ++b->count;
	return 0;
}

static int finish(struct builder *b, struct sb_buf *ret)
{
	struct sb_index_head head = {.magic = SB_INDEX_MAGIC,
				     .slot_count = b->slot_count,
				     .entry_count = b->count,
				     .slots = sizeof head};

	head.entries = head.slots + b->slot_count * (uint32_t)sizeof *b->slots;
	head.strings = head.entries + b->count * (uint32_t)sizeof *b->entries;
	head.library_path = head.strings + b->library_path;
	head.searched = head.strings + b->searched;
	head.size = head.strings + (uint32_t)b->strings.len;
	for (uint32_t i = 0; i < b->count; i++) {
		b->entries[i].path += head.strings;
		b->entries[i].target += head.strings;
	}
	if (sb_buf_add(ret, &head, sizeof head) < 0 ||
	    sb_buf_add(ret, b->slots, b->slot_count * sizeof *b->slots) < 0 ||
	    sb_buf_add(ret, b->entries, b->count * sizeof *b->entries) < 0)
		return -ENOMEM;
	return sb_buf_add(ret, sb_buf_str(&b->strings), b->strings.len);
}

int sb_host_index(const struct sb_manifest_file *files, size_t count, const bool *script,
		  const char *library_path, const char *searched, struct sb_buf *ret,
		  struct sb_err *err)
{
	struct builder b = {.slot_count = 16};
	int rc = 0;

	if (count > UINT32_MAX / 4)
		return sb_fail(err, EFBIG, "index the payload");
	while (b.slot_count < 2 * count)
		b.slot_count *= 2;
	b.entries = calloc(count + 1, sizeof *b.entries);
	b.slots = calloc(b.slot_count, sizeof *b.slots);
	if (!b.entries || !b.slots)
		rc = -ENOMEM;
	if (rc == 0)
		rc = add_string(&b, library_path ? library_path : "", &b.library_path,
				&b.library_path_len);
	if (rc == 0)
		rc = add_string(&b, searched ? searched : "", &b.searched, &b.searched_len);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (!is_for_target(&files[i]))
			rc = add(&b, &files[i], script[i]);
	if (rc == 0)
		rc = finish(&b, ret);
	sb_buf_free(&b.strings);
	free(b.entries);
	free(b.slots);
	return rc < 0 ? sb_fail(err, ENOMEM, "index the payload") : 0;
}
