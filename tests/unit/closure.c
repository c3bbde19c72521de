/* What programs and libraries need, as the dynamic linker finds it. */
#include "tests/unit/closure_root.h"

/* One library in each place; `gone` names those taken away, best first. */
Test(closure, the_order_of_places, .init = begin, .fini = end)
{
	const struct mini_tag rpath[] = {
		{DT_RPATH, "/rpath", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag runpath[] = {
		{DT_RUNPATH, "/rpath", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag lib[] = {{DT_SONAME, "liba.so", 0}, {0, NULL, 0}};
	static const char *const places[] = {"/rpath/liba.so",	"/env/liba.so",
					     "/conf/liba.so",	"/lib/x86_64-linux-gnu/liba.so",
					     "/lib64/liba.so",	"/lib/liba.so",
					     "/usr/lib/liba.so"};
	const size_t count = sizeof places / sizeof *places;
	const struct sb_closure_spec spec = {.library_path = "/env"};

	put_text("/etc/ld.so.conf", "/conf\n");
	put_elf("/bin/rp", LD, rpath);
	put_elf("/bin/runp", LD, runpath);
	for (size_t i = 0; i < count; i++)
		put_elf(places[i], NULL, lib);
	for (size_t i = 0; i < count; i++) {
		char full[512];

		start_with(&spec);
		cr_assert(eq(int, add("/bin/rp"), 0), "%s", err.msg);
		cr_assert(eq(int, add("/bin/runp"), 0), "%s", err.msg);
		cr_expect(eq(str, (char *)found("/bin/rp", "liba.so"), (char *)places[i]));
		/* A RUNPATH comes after the environment. */
		cr_expect(eq(str, (char *)found("/bin/runp", "liba.so"),
			     (char *)places[i == 0 ? 1 : i]));
		(void)snprintf(full, sizeof full, "%s%s", root, places[i]);
		cr_assert(eq(int, unlink(full), 0));
	}
	start_with(&spec);
	cr_assert(eq(int, add("/bin/rp"), 0));
	cr_expect(eq(str, (char *)found("/bin/rp", "liba.so"), (char *)""));
	cr_assert(eq(sz, closure->missing_count, 1));
	cr_expect(eq(str, (char *)closure->missing[0].needed, (char *)"liba.so"));
	cr_expect(eq(str, (char *)closure->missing[0].by, (char *)"/bin/rp"));
}

Test(closure, inside_only_asks_neither_cache_nor_conf, .init = begin, .fini = end)
{
	const struct mini_tag needs[] = {{DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct sb_closure_spec inside = {.inside_only = true};

	put_text("/etc/ld.so.conf", "/conf\n");
	put_elf("/bin/x", LD, needs);
	put_elf("/conf/liba.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)"/conf/liba.so"));
	start_with(&inside);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)""));
}

Test(closure, rpath_is_inherited_and_runpath_is_not, .init = begin, .fini = end)
{
	const struct mini_tag rp[] = {{DT_RPATH, "/d", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag runp[] = {
		{DT_RUNPATH, "/d", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag a[] = {{DT_NEEDED, "libb.so", 0}, {0, NULL, 0}};

	put_elf("/bin/rp", LD, rp);
	put_elf("/bin/runp", LD, runp);
	put_elf("/d/liba.so", NULL, a);
	put_elf("/d/libb.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/rp"), 0));
	cr_expect(eq(str, (char *)found("/d/liba.so", "libb.so"), (char *)"/d/libb.so"));
	start_with(&plain);
	cr_assert(eq(int, add("/bin/runp"), 0));
	cr_expect(eq(str, (char *)found("/d/liba.so", "libb.so"), (char *)""));
}

Test(closure, a_soname_is_searched_once_breadth_first, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {{DT_RPATH, "/d", 0},
					{DT_NEEDED, "liba.so", 0},
					{DT_NEEDED, "libz-real.so", 0},
					{0, NULL, 0}};
	const struct mini_tag a[] = {
		{DT_RUNPATH, "/other", 0}, {DT_NEEDED, "libz.so.1", 0}, {0, NULL, 0}};
	const struct mini_tag z[] = {{DT_SONAME, "libz.so.1", 0}, {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_elf("/d/liba.so", NULL, a);
	put_elf("/d/libz-real.so", NULL, z);
	put_elf("/other/libz.so.1", NULL, z);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/d/liba.so", "libz.so.1"), (char *)"/d/libz-real.so"));
	cr_expect(sb_fileset_find(set, "/other/libz.so.1") == NULL);
}

Test(closure, origin_is_real_for_the_program_and_named_for_libraries, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {
		{DT_RUNPATH, "$ORIGIN/../lib", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag a[] = {
		{DT_RUNPATH, "$ORIGIN/plug", 0}, {DT_NEEDED, "libp.so", 0}, {0, NULL, 0}};

	put_elf("/opt/x/bin/x", LD, main);
	put_elf("/store/liba.so", NULL, a);
	put_elf("/store/plug/libp.so", NULL, NULL);
	put_elf("/opt/x/lib/plug/libp.so", NULL, NULL);
	put_text("/usr/bin/none", "");
	put_link("/usr/bin/x", "/opt/x/bin/x");
	put_link("/opt/x/lib/liba.so", "/store/liba.so");
	start_with(&plain);
	cr_assert(eq(int, add("/usr/bin/x"), 0), "%s", err.msg);
	cr_expect(eq(str, (char *)found("/opt/x/bin/x", "liba.so"),
		     (char *)"/opt/x/bin/../lib/liba.so"));
	cr_expect(sb_fileset_find(set, "/opt/x/lib/plug/libp.so") != NULL);
	cr_expect(sb_fileset_find(set, "/store/plug/libp.so") == NULL);
	cr_expect(sb_fileset_find(set, "/opt/x/lib/liba.so")->type == SB_ITEM_LINK);
	cr_expect(sb_fileset_find(set, "/store/liba.so")->type == SB_ITEM_FILE);
}

Test(closure, other_machines_files_are_passed_over, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {
		{DT_RPATH, "/a:/b", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_elf arm = {.machine = EM_AARCH64},
			      i386 = {.machine = EM_386, .class = ELFCLASS32};

	put_elf("/bin/x", LD, main);
	cr_assert(eq(int, mini_file(root, "/a/liba.so", &i386), 0));
	put_elf("/b/liba.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)"/b/liba.so"));
	cr_assert(eq(int, mini_file(root, "/b/liba.so", &arm), 0));
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)""));
	cr_expect(closure->missing[0].detail && strstr(closure->missing[0].detail, "machine"));
}

Test(closure, a_file_that_cannot_be_loaded_ends_the_search, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {
		{DT_RPATH, "/a:/b", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_text("/a/liba.so", "INPUT ( liba.so.1 )");
	put_elf("/b/liba.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)""));
	cr_expect(closure->missing[0].detail && strstr(closure->missing[0].detail, "/a/liba.so"));
}

Test(closure, variants_come_along, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {
		{DT_NEEDED, "liba.so", 0}, {DT_NEEDED, "libv.so", 0}, {0, NULL, 0}};
	const struct mini_tag fast[] = {{DT_NEEDED, "libextra.so", 0}, {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_elf("/lib/liba.so", NULL, NULL);
	put_elf("/lib/libextra.so", NULL, NULL);
	put_elf("/lib/glibc-hwcaps/x86-64-v3/liba.so", NULL, fast);
	put_elf("/lib/glibc-hwcaps/x86-64-v9/liba.so", NULL, NULL);
	put_elf("/lib/glibc-hwcaps/x86-64-v2/libv.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)"/lib/liba.so"));
	cr_expect(sb_fileset_find(set, "/lib/glibc-hwcaps/x86-64-v3/liba.so") != NULL);
	cr_expect(sb_fileset_find(set, "/lib/glibc-hwcaps/x86-64-v9/liba.so") == NULL);
	cr_expect(sb_fileset_find(set, "/lib/libextra.so") != NULL);
	cr_expect(eq(sz, closure->missing_count, 0));
}

Test(closure, nodeflib_leaves_the_defaults_out, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {
		{DT_FLAGS_1, NULL, DF_1_NODEFLIB}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_elf("/lib/liba.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "liba.so"), (char *)""));
}

Test(closure, filters, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {{DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag a[] = {{DT_AUXILIARY, "libaux.so", 0},
				     {DT_AUXILIARY, "libnone.so", 0},
				     {DT_FILTER, "libfil.so", 0},
				     {DT_FILTER, "libgone.so", 0},
				     {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_elf("/lib/liba.so", NULL, a);
	put_elf("/lib/libaux.so", NULL, NULL);
	put_elf("/lib/libfil.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/lib/liba.so", "libaux.so"), (char *)"/lib/libaux.so"));
	cr_expect(eq(str, (char *)found("/lib/liba.so", "libfil.so"), (char *)"/lib/libfil.so"));
	cr_assert(eq(sz, closure->missing_count, 2));
	cr_expect(closure->missing[0].optional);
	cr_expect(not(closure->missing[1].optional));
}

Test(closure, cycles_and_loops_end, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {{DT_RPATH, "/loop:$ORIGIN/../lib:/lib", 0},
					{DT_NEEDED, "liba.so", 0},
					{0, NULL, 0}};
	const struct mini_tag a[] = {
		{DT_NEEDED, "libb.so", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag b[] = {{DT_NEEDED, "liba.so", 0}, {DT_NEEDED, "x", 0}, {0, NULL, 0}};

	put_elf("/bin/x", LD, main);
	put_elf("/lib/liba.so", NULL, a);
	put_elf("/lib/libb.so", NULL, b);
	put_link("/loop", "loop");
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(sz, closure->missing_count, 1)); /* x */
}

Test(closure, a_missing_interpreter_is_missed, .init = begin, .fini = end)
{
	put_elf("/bin/x", "/lib/ld-none.so.1", NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_assert(eq(sz, closure->missing_count, 1));
	cr_expect(eq(str, (char *)closure->missing[0].needed, (char *)"/lib/ld-none.so.1"));
}

Test(closure, a_damaged_program_is_one_line, .init = begin, .fini = end)
{
	put_text("/bin/x", "\177ELF\2\1\1");
	start_with(&plain);
	cr_expect(lt(int, add("/bin/x"), 0));
	cr_expect(strstr(err.msg, "/bin/x") != NULL);
	cr_expect(eq(int, add("/bin/none"), -ENOENT));
}

Test(closure, dlopen_notes, .init = begin, .fini = end)
{
	static const char json[] =
		"[{\"soname\":[\"libnew.so\",\"libold.so\"],\"priority\":\"required\"},"
		"{\"soname\":[\"libmaybe.so\"],\"priority\":\"suggested\"},"
		"{\"soname\":[\"libwish.so\"]}]";
	unsigned char note[512] = {0};
	const uint32_t head[] = {4, sizeof json, 0x407c0c0a};

	memcpy(note, head, sizeof head);
	memcpy(note + 12, "FDO", 4);
	memcpy(note + 16, json, sizeof json);
	const struct mini_elf m = {
		.interp = LD, .note = note, .note_len = 16 + ((sizeof json + 3) & ~3u)};
	cr_assert(eq(int, mini_file(root, "/bin/x", &m), 0));
	put_elf("/lib/libold.so", NULL, NULL);
	put_elf("/lib/libmaybe.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "libold.so"), (char *)"/lib/libold.so"));
	cr_expect(sb_fileset_find(set, "/lib/libmaybe.so") == NULL);
	cr_assert(eq(sz, closure->missing_count, 1));
	cr_expect(eq(str, (char *)closure->missing[0].needed, (char *)"libwish.so"));
	cr_expect(closure->missing[0].optional);
	cr_assert(eq(sz, closure->suggested_count, 1));
	cr_expect(eq(str, (char *)closure->suggested[0].soname, (char *)"libmaybe.so"));
	const struct sb_reason why = {SB_WHY_CONFIG, NULL, NULL};
	cr_expect(eq(int, sb_closure_add_soname(closure, "/bin/x", "libmaybe.so", &why, &err), 1));
	cr_expect(sb_fileset_find(set, "/lib/libmaybe.so") != NULL);
	cr_expect(eq(int, sb_closure_add_soname(closure, "/bin/x", "libno.so", &why, &err), 0));
}

Test(closure, musl, .init = begin, .fini = end)
{
	const char *ld = "/lib/ld-musl-x86_64.so.1";
	const struct mini_tag main[] = {{DT_RUNPATH, "/d", 0},
					{DT_NEEDED, "liba.so", 0},
					{DT_NEEDED, "libc.so", 0},
					{DT_NEEDED, "libm.so.6", 0},
					{0, NULL, 0}};
	const struct mini_tag a[] = {
		{DT_NEEDED, "libb.so", 0}, {DT_NEEDED, "libp.so", 0}, {0, NULL, 0}};

	put_elf(ld, NULL, NULL);
	put_elf("/bin/x", ld, main);
	put_elf("/d/liba.so", NULL, a);
	put_elf("/d/libb.so", NULL, NULL);
	put_elf("/p/libp.so", NULL, NULL);
	put_text("/etc/ld-musl-x86_64.path", "/p\n");
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_expect(eq(str, (char *)found("/bin/x", "libc.so"), (char *)ld));
	cr_expect(eq(str, (char *)found("/bin/x", "libm.so.6"), (char *)ld));
	/* musl inherits a RUNPATH. */
	cr_expect(eq(str, (char *)found("/d/liba.so", "libb.so"), (char *)"/d/libb.so"));
	cr_expect(eq(str, (char *)found("/d/liba.so", "libp.so"), (char *)"/p/libp.so"));
	cr_expect(eq(sz, closure->missing_count, 0));
}

/* Directories that a program's own paths told come before those of the machine. */
Test(closure, library_directories_are_in_search_order, .init = begin, .fini = end)
{
	const struct mini_tag main[] = {{DT_RPATH, "/own", 0},
					{DT_NEEDED, "libsys.so", 0},
					{DT_NEEDED, "libown.so", 0},
					{0, NULL, 0}};
	struct sb_program program;

	put_elf("/bin/x", LD, main);
	put_elf("/own/libown.so", NULL, NULL);
	put_elf("/lib/libsys.so", NULL, NULL);
	put_elf("/lib/glibc-hwcaps/x86-64-v3/libsys.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/x"), 0));
	cr_assert(eq(int, sb_closure_program(closure, "/bin/x", &program, &err), 0));
	cr_expect(eq(str, (char *)program.interp, (char *)LD));
	cr_assert(eq(str, (char *)program.libs[0], (char *)"/own"));
	cr_assert(eq(str, (char *)program.libs[1], (char *)"/lib"));
	cr_expect(program.libs[2] == NULL);
	cr_expect(not(program.script));
	cr_expect(lt(int, sb_closure_program(closure, "/bin/none", &program, &err), 0));
}

/* One library with two needs of it, in two programs that find it in different places. */
Test(closure, programs_are_apart, .init = begin, .fini = end)
{
	const struct mini_tag one[] = {
		{DT_RPATH, "/one", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};
	const struct mini_tag two[] = {
		{DT_RPATH, "/two", 0}, {DT_NEEDED, "liba.so", 0}, {0, NULL, 0}};

	put_elf("/bin/one", LD, one);
	put_elf("/bin/two", LD, two);
	put_elf("/one/liba.so", NULL, NULL);
	put_elf("/two/liba.so", NULL, NULL);
	start_with(&plain);
	cr_assert(eq(int, add("/bin/one"), 0));
	cr_assert(eq(int, add("/bin/two"), 0));
	cr_expect(eq(str, (char *)found("/bin/one", "liba.so"), (char *)"/one/liba.so"));
	cr_expect(eq(str, (char *)found("/bin/two", "liba.so"), (char *)"/two/liba.so"));
}
