#include "preload/next.h"

#include <elf.h>
#include <link.h>

#include "preload/recorder.h"
#include "preload/str.h"

#define HIDDEN_VERSION 0x8000

/* glibc's list of objects is reached from _r_debug, musl's from _dl_debug_addr. */
extern struct r_debug _r_debug __attribute__((weak, visibility("default")));
extern struct r_debug *_dl_debug_addr __attribute__((weak, visibility("default")));

struct object {
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint16_t *versions;
	const uint32_t *gnu_hash;
	const uint32_t *hash;
	uintptr_t base;
};

/* glibc relocates the pointers of the dynamic section in place, musl does not, nor does anybody in
 * a vdso. */
static const void *at(const struct link_map *map, const ElfW(Dyn) * d)
{
	return (const void *)(d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr
							  : d->d_un.d_ptr);
}

static void read_dynamic(const struct link_map *map, struct object *o)
{
	*o = (struct object){.base = map->l_addr};
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag; d++) {
		if (d->d_tag == DT_SYMTAB)
			o->symbols = at(map, d);
		else if (d->d_tag == DT_STRTAB)
			o->strings = at(map, d);
		else if (d->d_tag == DT_VERSYM)
			o->versions = at(map, d);
		else if (d->d_tag == DT_GNU_HASH)
			o->gnu_hash = at(map, d);
		else if (d->d_tag == DT_HASH)
			o->hash = at(map, d);
	}
}

static const ElfW(Sym) * matches(const struct object *o, uint32_t index, const char *name)
{
	const ElfW(Sym) *s = &o->symbols[index];

	if (s->st_shndx == SHN_UNDEF || (o->versions && o->versions[index] & HIDDEN_VERSION))
		return NULL;
	return sb_streq(o->strings + s->st_name, name) ? s : NULL;
}

/* The layout of DT_GNU_HASH: four words, the bloom filter, buckets, chains; a chain ends with an
 * odd hash. */
static const ElfW(Sym) * find_gnu(const struct object *o, const char *name)
{
	uint32_t buckets = o->gnu_hash[0], first = o->gnu_hash[1], bloom = o->gnu_hash[2];
	const ElfW(Addr) *filter = (const ElfW(Addr) *)(o->gnu_hash + 4);
	const uint32_t *bucket = (const uint32_t *)(filter + bloom);
	const uint32_t *chain = bucket + buckets;
	uint32_t hash = 5381, index;

	for (const char *p = name; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	index = buckets ? bucket[hash % buckets] : 0;
	if (index < first || !index)
		return NULL;
	for (;; index++) {
		uint32_t here = chain[index - first];
		const ElfW(Sym) *s = (here | 1) == (hash | 1) ? matches(o, index, name) : NULL;

		if (s)
			return s;
		if (here & 1)
			return NULL;
	}
}

static const ElfW(Sym) * find_sysv(const struct object *o, const char *name)
{
	uint32_t count = o->hash[1];

	for (uint32_t i = 1; i < count; i++) {
		const ElfW(Sym) *s = matches(o, i, name);

		if (s)
			return s;
	}
	return NULL;
}

static const ElfW(Sym) * find(const struct link_map *map, const char *name)
{
	struct object o;

	if (!map->l_ld)
		return NULL;
	read_dynamic(map, &o);
	if (!o.symbols || !o.strings)
		return NULL;
	if (o.gnu_hash)
		return find_gnu(&o, name);
	return o.hash ? find_sysv(&o, name) : NULL;
}

void *sb_map_symbol(const struct link_map *map, const char *name)
{
	const ElfW(Sym) *s = find(map, name);

	if (!s)
		return NULL;
	if (ELF64_ST_TYPE(s->st_info) == STT_GNU_IFUNC) {
		void *(*choose)(unsigned long, const void *) =
			(void *(*)(unsigned long, const void *))(map->l_addr + s->st_value);

		return choose(0, NULL);
	}
	return (void *)(map->l_addr + s->st_value);
}

void *sb_map_function(const struct link_map *map, const char *name, size_t *ret_size)
{
	const ElfW(Sym) *s = find(map, name);

	if (!s || ELF64_ST_TYPE(s->st_info) != STT_FUNC)
		return NULL;
	*ret_size = s->st_size;
	return (void *)(map->l_addr + s->st_value);
}

const struct link_map *sb_maps(void)
{
	if (&_r_debug && _r_debug.r_map)
		return _r_debug.r_map;
	return &_dl_debug_addr && _dl_debug_addr ? _dl_debug_addr->r_map : NULL;
}

static const struct link_map *only_in;

void sb_next_in(const struct link_map *map)
{
	only_in = map;
}

void *sb_next(const char *name)
{
	const struct link_map *map = sb_maps();

	if (only_in)
		return sb_map_symbol(only_in, name);
	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	for (map = map ? map->l_next : NULL; map; map = map->l_next) {
		void *found = sb_map_symbol(map, name);

		if (found)
			return found;
	}
	return NULL;
}
