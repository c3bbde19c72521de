#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/ldconf.h"
#include "bundler/search.h"
#include "tests/unit/mini_elf.h"

static char root[] = "/tmp/sb-search.XXXXXX";

static void make_root(void)
{
	cr_assert(mkdtemp(root) != NULL);
}

static void drop_root(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", root);
	cr_expect(eq(int, system(command), 0));
}

static void put(const char *path, const char *text)
{
	cr_assert(eq(int, mini_write(root, path, text, strlen(text), 0644), 0), "%s", path);
}

static void join(const struct sb_map *map, struct sb_buf *ret)
{
	for (size_t i = 0; i < map->count; i++)
		sb_buf_printf(ret, "%s%s%s", i ? "|" : "", map->entries[i].key,
			      map->entries[i].value ? "?" : "");
}

static const struct {
	enum sb_libc libc;
	const char *list, *separators, *want; /* variants end with '?' */
} lists[] = {
	{SB_LIBC_GLIBC, "/a:/b/:/a", ":", "/a|/b"},
	{SB_LIBC_GLIBC, "$ORIGIN/../lib:${ORIGIN}", ":", "/o/../lib|/o"},
	{SB_LIBC_GLIBC, "/x/$LIB/y:/x/${LIB}", ":", "/x/lib/t/y|/x/lib/t"},
	{SB_LIBC_GLIBC, "/x/$LIBRARY:/x/$LIB_A:/x/$LIB9:/x/$LIBz", ":",
	 "/x/$LIBRARY|/x/$LIB_A|/x/lib/t9|/x/lib/tz"},
	{SB_LIBC_GLIBC, "/p/$PLATFORM", ":", "/p/haswell?|/p/xeon_phi?|/p/x86_64"},
	{SB_LIBC_GLIBC, "/x/$UNKNOWN:/x/$:/x/${ORIGIN", ":", "/x/$UNKNOWN|/x/$|/x/${ORIGIN"},
	{SB_LIBC_GLIBC, "", ":", ""},
	{SB_LIBC_GLIBC, ":/a::rel:./b", ":", "/a"},
	{SB_LIBC_GLIBC, "/a;/b:/c", ":;", "/a|/b|/c"},
	{SB_LIBC_GLIBC, "/a;/b:/c", ":", "/a;/b|/c"},
	{SB_LIBC_MUSL, "/a::/b:$ORIGIN/x", ":", "/a|/b|/o/x"},
	{SB_LIBC_MUSL, "/a/$LIB:/b", ":", "/b"},
};

Test(search, lists_are_expanded)
{
	const struct sb_arch *arch = sb_arch_find(EM_X86_64, ELFCLASS64, ELFDATA2LSB, 0);

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const struct sb_linker linker = {.libc = lists[i].libc, .lib = "lib/t"};
		struct sb_err err = SB_ERR_INIT;
		auto_map dirs = SB_MAP_INIT;
		auto_buf got = SB_BUF_INIT;

		cr_assert(eq(int,
			     sb_search_expand(&linker, arch, lists[i].list, lists[i].separators,
					      "/o", "x", &dirs, &err),
			     0));
		join(&dirs, &got);
		cr_expect(eq(str, (char *)sb_buf_str(&got), (char *)lists[i].want), "%s",
			  lists[i].list);
	}
}

Test(search, ld_so_conf_includes, .init = make_root, .fini = drop_root)
{
	struct sb_err err = SB_ERR_INIT;
	auto_map dirs = SB_MAP_INIT;
	auto_buf got = SB_BUF_INIT;
	char link[256];

	put("/etc/ld.so.conf",
	    "# comment\n/first # why\ninclude ld.so.conf.d/*.conf\n"
	    "include /etc/ld.so.conf\nrelative\n/last/=libc6 \nhwcap 0 nosegneg\n"
	    "include /abs/x*/?.conf /nowhere\n");
	put("/etc/ld.so.conf.d/b.conf", "/b\n/b2");
	put("/etc/ld.so.conf.d/a.conf", "\t/a\r\n");
	put("/etc/ld.so.conf.d/.hidden.conf", "/hidden\n");
	put("/etc/ld.so.conf.d/other", "/other\n");
	put("/real/x1/y.conf", "/linked\n");
	/* An absolute link is followed inside the root. */
	(void)snprintf(link, sizeof link, "%s/abs", root);
	cr_assert(eq(int, symlink("/real", link), 0));
	cr_expect(eq(int, sb_ldconf_read(root, "/etc/ld.so.conf", &dirs, &err), 0));
	join(&dirs, &got);
	cr_expect(eq(str, (char *)sb_buf_str(&got), (char *)"/first|/a|/b|/b2|/last|/linked"));
}

static const struct {
	const char *bytes;
	size_t len;
	const char *dirs, *cache, *lib;
	bool legacy;
} linkers[] = {
#define BYTES(s) s, sizeof s
	{BYTES("x\0/lib/a-b-c/\0/usr/lib/a-b-c/\0/lib/\0/usr/lib/\0\0glibc-hwcaps/\0/etc/"
	       "ld.so.cache"),
	 "/lib/a-b-c|/usr/lib/a-b-c|/lib|/usr/lib", "/etc/ld.so.cache", "lib/a-b-c", false},
	{BYTES("/lib64/\0/usr/lib64/\0y\0/lib64/\0/usr/lib64/\0/etc/ld.so.cache"),
	 "/lib64|/usr/lib64", "/etc/ld.so.cache", "lib64", true},
	{BYTES("\0/nix/store/h-glibc-2.38/lib/\0glibc-hwcaps\0/nix/store/h-glibc-2.38/etc/"
	       "ld.so.cache"),
	 "/nix/store/h-glibc-2.38/lib", "/nix/store/h-glibc-2.38/etc/ld.so.cache", "lib", false},
	{BYTES("glibc-hwcaps Legacy HWCAP subdirectories"), "", "", "", true},
	{BYTES("/var/tmp/\0/dev/null"), "", "", "", true},
};

Test(search, a_linker_tells_its_directories)
{
	for (size_t i = 0; i < sizeof linkers / sizeof *linkers; i++) {
		struct sb_linker linker = {.libc = SB_LIBC_GLIBC};
		auto_buf got = SB_BUF_INIT;

		cr_assert(eq(int, sb_linker_scan(&linker, linkers[i].bytes, linkers[i].len), 0));
		join(&linker.system_dirs, &got);
		cr_expect(eq(str, (char *)sb_buf_str(&got), (char *)linkers[i].dirs));
		cr_expect(eq(str, (char *)(linker.cache ? linker.cache : ""),
			     (char *)linkers[i].cache));
		cr_expect(eq(str, (char *)(linker.lib ? linker.lib : ""), (char *)linkers[i].lib));
		cr_expect(eq(int, linker.legacy_hwcaps, linkers[i].legacy));
		sb_map_free(&linker.system_dirs);
		sb_map_free(&linker.strings);
	}
}

static const struct {
	const char *interp, *file, *text, *want;
} musls[] = {
	{"/lib/ld-musl-x86_64.so.1", NULL, NULL, "/lib|/usr/local/lib|/usr/lib"},
	{"/lib/ld-musl-x86_64.so.1", "/etc/ld-musl-x86_64.path", "/a\n/b:/c\n\n", "/a|/b|/c"},
	{"/lib/ld-musl-x86_64.so.1", "/etc/ld-musl-x86_64.path", "", ""},
	{"/opt/m/lib/ld-musl-aarch64.so.1", "/opt/m/etc/ld-musl-aarch64.path", "/d", "/d"},
};

Test(search, musl_has_its_path_file, .init = make_root, .fini = drop_root)
{
	for (size_t i = 0; i < sizeof musls / sizeof *musls; i++) {
		struct sb_linker *linker = NULL;
		struct sb_err err = SB_ERR_INIT;
		auto_buf got = SB_BUF_INIT;

		if (musls[i].file)
			put(musls[i].file, musls[i].text);
		cr_assert(eq(int, sb_linker_read(root, musls[i].interp, NULL, &linker, &err), 0));
		join(&linker->system_dirs, &got);
		cr_expect(eq(int, linker->libc, SB_LIBC_MUSL));
		cr_expect(eq(str, (char *)sb_buf_str(&got), (char *)musls[i].want), "row %zu", i);
		sb_linker_free(linker);
	}
}
