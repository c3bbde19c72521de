#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sys/mman.h>

#include "bundler/elf.h"
#include "bundler/elf_note.h"
#include "common/cleanup.h"
#include "tests/unit/mini_elf.h"

static unsigned char bytes[65536];

static int read_bytes(const void *from, size_t len, struct sb_elf **ret, struct sb_err *err)
{
	auto_fd int fd = memfd_create("elf", MFD_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, from, len) == (ssize_t)len);
	return sb_elf_read(fd, "/x", ret, err);
}

static int read_mini(const struct mini_elf *m, struct sb_elf **ret, struct sb_err *err)
{
	memset(bytes, 0, sizeof bytes);
	return read_bytes(bytes, mini_build(m, bytes, NULL), ret, err);
}

static const struct mini_tag tags[] = {
	{DT_NEEDED, "libb.so", 0},	   {DT_AUXILIARY, "libaux.so", 0},
	{DT_NEEDED, "libc.so.6", 0},	   {DT_FILTER, "libreal.so", 0},
	{DT_SONAME, "libme.so.1", 0},	   {DT_RPATH, "/r", 0},
	{DT_FLAGS_1, NULL, DF_1_NODEFLIB}, {0, NULL, 0},
};

Test(elf, the_dynamic_section_is_read_in_order)
{
	static const struct {
		uint8_t class;
		uint16_t machine;
		const char *name;
	} kinds[] = {
		{ELFCLASS64, EM_X86_64, "x86_64"},
		{ELFCLASS32, EM_386, "i686"},
		{ELFCLASS32, EM_X86_64, "x32"},
		{ELFCLASS64, EM_AARCH64, "aarch64"},
	};

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		const struct mini_elf m = {.class = kinds[k].class,
					   .machine = kinds[k].machine,
					   .interp = "/lib/ld.so",
					   .tags = tags,
					   .tls = 0x1234};
		struct sb_err err = SB_ERR_INIT;
		struct sb_elf *elf = NULL;

		cr_assert(eq(int, read_mini(&m, &elf, &err), 0), "%s", err.msg);
		cr_expect(eq(str, (char *)elf->arch->name, (char *)kinds[k].name));
		cr_expect(eq(int, elf->kind, SB_ELF_PROGRAM));
		cr_expect(eq(str, (char *)elf->interp, (char *)"/lib/ld.so"));
		cr_expect(eq(str, (char *)elf->soname, (char *)"libme.so.1"));
		cr_expect(eq(str, (char *)elf->rpath, (char *)"/r"));
		cr_expect(elf->nodeflib);
		cr_expect(eq(u64, elf->tls_size, 0x1234));
		cr_assert(eq(sz, elf->dep_count, 4));
		cr_expect(eq(str, (char *)elf->deps[1].name, (char *)"libaux.so"));
		cr_expect(eq(int, elf->deps[1].kind, SB_ELF_AUXILIARY));
		cr_expect(eq(int, elf->deps[2].kind, SB_ELF_NEEDED));
		cr_expect(eq(str, (char *)elf->deps[3].name, (char *)"libreal.so"));
		cr_expect(eq(int, elf->deps[3].kind, SB_ELF_FILTER));
		sb_elf_free(elf);
	}
}

Test(elf, a_runpath_silences_the_rpath)
{
	const struct mini_tag both[] = {{DT_RPATH, "/r", 0}, {DT_RUNPATH, "/rr", 0}, {0, NULL, 0}};
	const struct mini_elf m = {.tags = both};
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;

	cr_assert(eq(int, read_mini(&m, &elf, &err), 0));
	cr_expect(elf->rpath == NULL);
	cr_expect(eq(str, (char *)elf->runpath, (char *)"/rr"));
	sb_elf_free(elf);
}

Test(elf, kinds_are_told_apart)
{
	const struct mini_tag pie[] = {{DT_FLAGS_1, NULL, DF_1_PIE}, {0, NULL, 0}};
	const struct mini_tag plain[] = {{DT_SONAME, "x", 0}, {0, NULL, 0}};
	const struct {
		struct mini_elf m;
		enum sb_elf_kind want;
	} rows[] = {
		{{.type = ET_EXEC, .interp = "/i"}, SB_ELF_PROGRAM},
		{{.type = ET_EXEC}, SB_ELF_STATIC},
		{{.tags = pie}, SB_ELF_STATIC_PIE},
		{{.tags = plain}, SB_ELF_LIBRARY},
		{{.tags = pie, .interp = "/i"}, SB_ELF_PROGRAM},
		{{.type = ET_REL}, SB_ELF_OTHER},
		{{.type = ET_CORE}, SB_ELF_OTHER},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_elf *elf = NULL;

		cr_assert(eq(int, read_mini(&rows[i].m, &elf, &err), 0), "row %zu: %s", i, err.msg);
		cr_expect(eq(int, elf->kind, rows[i].want), "row %zu", i);
		sb_elf_free(elf);
	}
}

/* A note: owner, type, description. */
static size_t put_note(unsigned char *at, const char *owner, uint32_t type, const void *desc,
		       uint32_t len)
{
	const uint32_t head[] = {4, len, type};

	memcpy(at, head, sizeof head);
	memcpy(at + 12, owner, 4);
	memcpy(at + 16, desc, len);
	return 16 + ((len + 3) & ~3u);
}

Test(elf, notes_are_read)
{
	static const char json[] = "[{\"soname\":[\"libx.so.2\",\"libx.so.1\"],"
				   "\"feature\":\"zip\",\"priority\":\"suggested\"}]";
	const uint32_t abi[] = {ELF_NOTE_OS_LINUX, 3, 2, 1};
	const uint32_t property[] = {GNU_PROPERTY_X86_ISA_1_NEEDED, 4, 0x5, 0};
	unsigned char note[512] = {0};
	size_t len = put_note(note, "GNU", NT_GNU_ABI_TAG, abi, sizeof abi);

	len += put_note(note + len, "GNU", NT_GNU_PROPERTY_TYPE_0, property, sizeof property);
	len += put_note(note + len, "FDO", 0x407c0c0a, json, sizeof json);
	const struct mini_elf m = {.note = note, .note_len = len};
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;
	cr_assert(eq(int, read_mini(&m, &elf, &err), 0));
	cr_expect(eq(uint, elf->kernel[0], 3));
	cr_expect(eq(uint, elf->kernel[2], 1));
	cr_expect(eq(uint, elf->isa_level, 3));
	cr_assert(eq(sz, elf->dlopen_count, 1));
	cr_expect(eq(int, elf->dlopens[0].priority, SB_DLOPEN_SUGGESTED));
	cr_expect(eq(str, (char *)elf->dlopens[0].sonames[1], (char *)"libx.so.1"));
	cr_expect(elf->dlopens[0].sonames[2] == NULL);
	sb_elf_free(elf);
}

static const struct {
	const char *json;
	int rc;
	size_t count;
} notes[] = {
	{"[]", 0, 0},
	{" [ { \"soname\" : [ \"a\" ] } ] ", 0, 1},
	{"[{\"soname\":[\"a\"]},{\"soname\":[\"b\"],\"priority\":\"required\"}]", 0, 2},
	{"[{\"new\":{\"x\":[1,-2.5e3,null,true,\"]\"]},\"soname\":[\"a\"]}]", 0, 1},
	{"[{\"soname\":[\"\\u00e9\\\"\"]}]", 0, 1},
	{"", -EBADMSG, 0},
	{"[", -EBADMSG, 0},
	{"[{}]", -EBADMSG, 0},
	{"[{\"soname\":[]}]", -EBADMSG, 0},
	{"[{\"soname\":\"a\"}]", -EBADMSG, 0},
	{"[{\"soname\":[\"\"]}]", -EBADMSG, 0},
	{"[{\"soname\":[\"a\\u0000b\"]}]", -EBADMSG, 0},
	{"[{\"soname\":[\"a\"],\"priority\":\"dire\"}]", -EBADMSG, 0},
	{"[{\"soname\":[\"a\"]}] x", -EBADMSG, 0},
	{"[{\"soname\":[\"a\"]}", -EBADMSG, 0},
	{"[{\"soname\":[\"a\"],\"soname\":[\"b\"]}]", -EBADMSG, 0},
};

Test(elf, dlopen_notes_are_json)
{
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		auto_map strings = SB_MAP_INIT;
		struct sb_notes n = {.strings = &strings};

		cr_expect(eq(int, sb_dlopen_parse(&n, notes[i].json, strlen(notes[i].json)),
			     notes[i].rc),
			  "%s", notes[i].json);
		cr_expect(eq(sz, n.dlopen_count, notes[i].count), "%s", notes[i].json);
		sb_notes_free(&n);
	}
}

Test(elf, deep_json_ends)
{
	auto_map strings = SB_MAP_INIT;
	struct sb_notes n = {.strings = &strings};
	static char deep[100000] = "[{\"x\":";

	memset(deep + 6, '[', sizeof deep - 7);
	cr_expect(eq(int, sb_dlopen_parse(&n, deep, strlen(deep)), -EBADMSG));
	sb_notes_free(&n);
}

Test(elf, what_is_no_elf_is_told_so)
{
	/* \177: in hexadecimal, the E would be one more digit. */
	static const char *const rows[] = {"", "\177", "\177EL", "#!/bin/sh\n",
					   "GROUP ( libc.so.6 )"};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_elf *elf = NULL;

		cr_expect(eq(int, read_bytes(rows[i], strlen(rows[i]), &elf, &err), -ENOEXEC));
		cr_expect(err.msg[0] && elf == NULL);
	}
}

/* Every prefix of a sound file, and every byte of it changed: a line or a result, never a crash. */
Test(elf, damage_is_survived)
{
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	const struct mini_elf m = {.interp = "/lib/ld.so", .tags = tags};
	size_t len = mini_build(&m, bytes, NULL);

	for (size_t cut = 4; cut < len; cut++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_elf *elf = NULL;
		int rc = read_bytes(bytes, cut, &elf, &err);

		cr_expect(rc == 0 ? elf != NULL : err.msg[0] != '\0' && elf == NULL);
		sb_elf_free(elf);
	}
	for (size_t i = 4; i < len; i++) {
		for (size_t v = 0; v < sizeof values; v++) {
			unsigned char saved = bytes[i];
			struct sb_err err = SB_ERR_INIT;
			struct sb_elf *elf = NULL;

			bytes[i] = values[v];
			int rc = read_bytes(bytes, len, &elf, &err);
			bytes[i] = saved;
			cr_expect(rc == 0 ? elf != NULL : err.msg[0] != '\0' && elf == NULL);
			sb_elf_free(elf);
		}
	}
}

Test(elf, a_name_outside_of_the_file_is_one_line)
{
	const struct mini_tag lying[] = {{DT_NEEDED, NULL, 1 << 20}, {0, NULL, 0}};
	const struct mini_elf m = {.tags = lying};
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;

	cr_expect(eq(int, read_mini(&m, &elf, &err), -SB_ESAID));
	cr_expect(eq(str, err.msg,
		     (char *)"'/x' is a damaged ELF file: a name is not in its string table"));
}

Test(elf, the_running_program_is_read)
{
	auto_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;

	cr_assert(eq(int, sb_elf_read(fd, "self", &elf, &err), 0), "%s", err.msg);
	cr_expect(eq(int, elf->kind, SB_ELF_PROGRAM));
	cr_expect(elf->glibc[0] >= 2 && elf->glibc[1] >= 17);
	cr_expect(elf->dep_count > 0);
	sb_elf_free(elf);
}
