/*
 * The two modules as they were built: what they show, and what they ask of the libc that they
 * meet.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/map.h"
#include "preload/state.h"

#define LEAF(type, name, ...)	#name,
#define AROUND(type, name, ...) #name,
#define NEXT(type, name, ...)	#name,
#define ELSEWHERE(name)		#name,
static const char *const hooked[] = {
#include "preload/hooks.def"
};

struct module {
	int fd;
	Elf *elf;
};

/* A test lies one folder deeper in the build than the program. */
static struct module opened(const char *name)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct module module;

	cr_assert(len > 0);
	path[len] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	len = (ssize_t)strlen(path);
	snprintf(path + len, sizeof(path) - (size_t)len, "/libexec/sidebundle/%s/%s", SB_LIBDIR,
		 name);
	elf_version(EV_CURRENT);
	module.fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(module.fd >= 0, "%s: not built", path);
	module.elf = elf_begin(module.fd, ELF_C_READ, NULL);
	cr_assert(module.elf != NULL);
	return module;
}

static void closed(struct module *module)
{
	elf_end(module->elf);
	close(module->fd);
}

static Elf_Scn *section(const struct module *module, uint32_t type, GElf_Shdr *ret_header)
{
	Elf_Scn *found = NULL;

	while ((found = elf_nextscn(module->elf, found)) != NULL)
		if (gelf_getshdr(found, ret_header) && ret_header->sh_type == type)
			return found;
	return NULL;
}

/* Names that the module defines and others can see. */
static void exported(const struct module *module, struct sb_map *ret)
{
	GElf_Shdr header;
	Elf_Scn *found = section(module, SHT_DYNSYM, &header);
	Elf_Data *data = found ? elf_getdata(found, NULL) : NULL;
	GElf_Sym symbol;

	cr_assert(data != NULL);
	for (int i = 1; gelf_getsym(data, i, &symbol); i++)
		if (symbol.st_shndx != SHN_UNDEF)
			cr_assert(
				sb_map_adds(ret,
					    elf_strptr(module->elf, header.sh_link, symbol.st_name),
					    NULL) != NULL);
}

/* Nothing is needed: a libc of its own, in an auditor's namespace, would be a second one. */
static void check_needs(const struct module *module)
{
	GElf_Shdr header;
	Elf_Scn *found = section(module, SHT_DYNAMIC, &header);
	Elf_Data *data = found ? elf_getdata(found, NULL) : NULL;
	GElf_Dyn entry;

	cr_assert(data != NULL);
	for (int i = 0; gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++)
		cr_expect(entry.d_tag != DT_NEEDED, "needs %s",
			  elf_strptr(module->elf, header.sh_link, entry.d_un.d_val));
}

/* Two segments, the written one from a page's beginning on, and nothing made read-only later. */
static void check_layout(const struct module *module)
{
	size_t count = 0, loads = 0;
	GElf_Phdr header;

	cr_assert(eq(int, elf_getphdrnum(module->elf, &count), 0));
	for (size_t i = 0; i < count && gelf_getphdr(module->elf, (int)i, &header); i++) {
		cr_expect(header.p_type != PT_GNU_RELRO);
		cr_expect(header.p_type != PT_GNU_STACK || (header.p_flags & PF_X) == 0);
		if (header.p_type != PT_LOAD)
			continue;
		loads++;
		cr_expect(header.p_vaddr % header.p_align == 0);
		if (header.p_flags & PF_W) {
			/* One page, with all that is not initialised. */
			cr_expect(le(u64, header.p_memsz, 4096));
			cr_expect(ne(int, header.p_flags &PF_X, PF_X));
		}
	}
	cr_expect(eq(sz, loads, 2));
}

/* Whether a needed version is one that glibc 2.17 has. */
static bool old_enough(const char *version)
{
	int major, minor;

	return sscanf(version, "GLIBC_%d.%d", &major, &minor) == 2 && major == 2 && minor <= 17;
}

static void check_versions(const struct module *module)
{
	GElf_Shdr header;
	Elf_Scn *found = section(module, SHT_GNU_verneed, &header);
	Elf_Data *data = found ? elf_getdata(found, NULL) : NULL;
	GElf_Verneed need;
	GElf_Vernaux version;

	if (!data)
		return;
	for (int at = 0; gelf_getverneed(data, at, &need); at += (int)need.vn_next) {
		for (int in = at + (int)need.vn_aux; gelf_getvernaux(data, in, &version);
		     in += (int)version.vna_next) {
			const char *name =
				elf_strptr(module->elf, header.sh_link, version.vna_name);

			cr_expect(old_enough(name), "needs %s", name);
			if (!version.vna_next)
				break;
		}
		if (!need.vn_next)
			break;
	}
}

Test(modules, preload_shows_its_hooks_and_nothing_else)
{
	struct module module = opened(SB_PRELOAD_NAME);
	auto_map seen = SB_MAP_INIT, rows = SB_MAP_INIT;
	int fresh;

	exported(&module, &seen);
	cr_assert(sb_map_adds(&rows, SB_SHARE_NAME, NULL) != NULL);
	for (size_t i = 0; i < sizeof(hooked) / sizeof(hooked[0]); i++) {
		cr_assert(sb_map_adds(&rows, hooked[i], &fresh) != NULL);
		cr_expect(fresh, "%s stands twice in hooks.def", hooked[i]);
		cr_expect(sb_map_finds(&seen, hooked[i]) != NULL, "%s is not exported", hooked[i]);
	}
	for (size_t i = 0; i < seen.count; i++)
		cr_expect(sb_map_finds(&rows, seen.entries[i].key) != NULL,
			  "%s is exported and not in hooks.def", seen.entries[i].key);
	closed(&module);
}

Test(modules, auditor_shows_its_entries_and_nothing_else)
{
	struct module module = opened(SB_AUDIT_NAME);
	auto_map seen = SB_MAP_INIT;

	exported(&module, &seen);
	cr_expect(seen.count > 0);
	for (size_t i = 0; i < seen.count; i++) {
		const char *name = seen.entries[i].key;

		cr_expect(strncmp(name, "la_", 3) == 0, "%s is exported", name);
		/* It makes every call through a PLT slower. */
		cr_expect(strstr(name, "plt") == NULL, "%s is exported", name);
	}
	closed(&module);
}

Test(modules, cost_few_pages)
{
	static const char *const names[] = {SB_PRELOAD_NAME, SB_AUDIT_NAME};

	for (size_t i = 0; i < 2; i++) {
		struct module module = opened(names[i]);

		check_layout(&module);
		closed(&module);
	}
}

Test(modules, run_with_glibc_2_17_and_with_none)
{
	static const char *const names[] = {SB_PRELOAD_NAME, SB_AUDIT_NAME};

	for (size_t i = 0; i < 2; i++) {
		struct module module = opened(names[i]);

		check_needs(&module);
		check_versions(&module);
		closed(&module);
	}
}
