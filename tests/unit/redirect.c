#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bundler/host.h"
#include "redirect/redirect.h"

struct sb_here sb_here;

#define FILE_ROW(name)                             \
	{                                          \
		.path = name, .type = SB_ITEM_FILE \
	}
#define DIR_ROW(name)                             \
	{                                         \
		.path = name, .type = SB_ITEM_DIR \
	}
#define LINK_ROW(name, leads)                                       \
	{                                                           \
		.path = name, .type = SB_ITEM_LINK, .target = leads \
	}

static struct sb_buf bytes;

static const struct sb_reason for_target = {.why = SB_WHY_TARGET};

static const struct sb_manifest_file rows[] = {
	DIR_ROW("/"),
	LINK_ROW("/bin", "usr/bin"),
	DIR_ROW("/etc"),
	{.path = "/etc/hosts", .type = SB_ITEM_FILE, .reasons = &for_target, .reason_count = 1},
	LINK_ROW("/etc/loop", "loop"),
	DIR_ROW("/etc/alternatives"),
	LINK_ROW("/etc/alternatives/awk", "/usr/bin/mawk"),
	DIR_ROW("/lib64"),
	DIR_ROW("/libs"),
	DIR_ROW("/opt"),
	DIR_ROW("/opt/8letters"),
	DIR_ROW("/opt/8letters/of-a-longer-name"),
	FILE_ROW("/opt/8letters/of-a-longer-name/x"),
	LINK_ROW("/opt/8letters/x", "/opt/8letters/of-a-longer-name/x"),
	DIR_ROW("/opt/app"),
	DIR_ROW("/usr"),
	DIR_ROW("/usr/bin"),
	LINK_ROW("/usr/bin/awk", "/etc/alternatives/awk"),
	LINK_ROW("/usr/bin/gone", "../nowhere"),
	FILE_ROW("/usr/bin/mawk"),
	LINK_ROW("/usr/bin/up", "../../etc"),
	DIR_ROW("/usrdata"),
};
#define ROWS (sizeof rows / sizeof *rows)

static void set_up(void)
{
	static const bool script[ROWS];
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int,
		     sb_host_index(rows, ROWS, script, NULL, "/opt/app/lib:/srv/lib", &bytes, &err),
		     0));
	sb_here.base = bytes.s;
	sb_here.index = (const struct sb_index_head *)bytes.s;
	sb_here.slots = (const uint32_t *)(bytes.s + sb_here.index->slots);
	sb_here.entries = (const struct sb_index_entry *)(bytes.s + sb_here.index->entries);
	sb_here.bundle = "/usr/local/b";
	sb_here.payload = "/usr/local/b/payload";
	sb_here.payload_len = strlen(sb_here.payload);
	sb_here.root = "/usr/local/b/libexec/host/root";
	sb_here.root_len = strlen(sb_here.root);
	sb_here.front = sb_here.root_len;
	sb_here.home = "/usr/people/me";
	sb_here.cwd = "/";
}

TestSuite(lookup, .init = set_up);

static const struct {
	const char *path,
		*want; /* want: NULL absent, "!" hidden, "?" for the kernel, "/" goes through */
	bool nofollow;
} looks[] = {
	{"/", "/", false},
	{"//", "/", false},
	{"/usr/bin/mawk", "/usr/bin/mawk", false},
	{"/usr//./bin/../bin/mawk", "/usr/bin/mawk", false},
	{"/bin/mawk", "/usr/bin/mawk", false},
	{"/bin/awk", "/usr/bin/mawk", false},
	{"/bin/awk", "/usr/bin/awk", true},
	{"/bin", "/bin", true},
	{"/bin/", "/usr/bin", true},
	{"/../bin/up/alternatives/awk", "/usr/bin/mawk", false},
	{"/usr/bin/mawk/..", "through", false},
	{"/usr/bin/mawk/", "through", false},
	{"/etc/hosts", NULL, false},
	{"/etc/shadow", NULL, false},
	{"/etc/loop", "?", false},
	{"/etc/loop", "/etc/loop", true},
	{"/usr/share", "!", false},
	{"/bin/vi", "!", false},
	{"/usr/bin/gone", "!", false},
	{"/usr/bin/gone", "/usr/bin/gone", true},
	{"/lib64/libx.so", "!", false},
	{"/libs/x", NULL, false},
	{"/opt/other", NULL, false},
	{"/opt/app/x", "!", false},
	{"/usrdata/x", NULL, false},
	{"/usr/people/me/x", NULL, false},
	{"/usr/people/you/x", "!", false},
	{"/usr/local/b/payload/x", NULL, false},
	{"/proc/self/exe", NULL, false},
	{"relative", "?", false},
	{"/opt/8letters/of-a-longer-name/x", "/opt/8letters/of-a-longer-name/x", false},
	{"/opt/8letters/of-a-longer-name/../of-a-longer-name/./x",
	 "/opt/8letters/of-a-longer-name/x", false},
	{"/opt/8letters/of-a-longer-nam", "!", false},
	{"/opt/8letters/of-a-longer-namer", "!", false},
	{"/opt/8letter", NULL, false},
	{"/opt/8letters/x", "/opt/8letters/of-a-longer-name/x", false},
};

Test(lookup, finds_through_links)
{
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		struct sb_place place = {.size = 0};
		bool told = sb_look(looks[i].path, !looks[i].nofollow, &place);
		const char *got = !told		  ? "?"
				  : place.through ? "through"
				  : place.entry	  ? place.path
				  : place.opaque  ? "!"
						  : NULL;

		cr_expect(eq(str, (char *)(got ? got : "absent"),
			     (char *)(looks[i].want ? looks[i].want : "absent")),
			  "%s", looks[i].path);
	}
}

Test(lookup, tells_where_links_lead_out)
{
	static const char *const outs[][2] = {
		{"/usr/bin/gone", "/usr/nowhere"},   {"/bin/gone/../x", "/usr/nowhere/../x"},
		{"/usr/bin/up/hosts", "/etc/hosts"}, {"/bin/nothing//x", "/usr/bin/nothing//x"},
		{"/usr/bin/nothing", NULL},	     {"/etc/hosts", NULL},
	};

	for (size_t i = 0; i < sizeof outs / sizeof *outs; i++) {
		struct sb_place place = {.size = 0};

		cr_assert(sb_look(outs[i][0], true, &place) && !place.entry);
		cr_expect(eq(str, place.path ? place.path : "none",
			     (char *)(outs[i][1] ? outs[i][1] : "none")));
	}
}

Test(lookup, puts_the_bundle_before)
{
	struct sb_place place = {.size = 0};

	cr_assert(sb_look("/bin/awk", true, &place) && place.entry);
	cr_expect(
		eq(str, (char *)sb_place_in_payload(&place), "/usr/local/b/payload/usr/bin/mawk"));
	cr_expect(eq(str, (char *)sb_place_in_root(&place),
		     "/usr/local/b/libexec/host/root/usr/bin/mawk"));
	cr_expect(eq(str, (char *)sb_strip(sb_place_in_root(&place)), "/usr/bin/mawk"));
	cr_expect(eq(str, (char *)sb_strip("/usr/local/b/payload"), "/"));
	cr_expect(sb_strip("/usr/local/b/payloads") == NULL);
}

Test(lookup, leaves_long_paths_to_the_kernel)
{
	static char path[SB_PATH_MAX + 10];
	struct sb_place place = {.size = 0};

	memset(path, '/', sizeof path - 1);
	cr_expect(eq(int, sb_look(path, true, &place), false));
	memset(path, 'x', sizeof path - 1);
	path[0] = '/';
	path[SB_PATH_MAX - 200] = '\0';
	cr_assert(eq(int, sb_look(path, true, &place), true));
	cr_expect(place.entry == NULL);
}

/* At each distance from the end of the last page that may be read, and of whatever length. */
Test(lookup, reads_no_further_than_a_name_goes)
{
	const size_t page = 4096;
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(pages != MAP_FAILED);
	cr_assert(eq(int, mprotect(pages + page, page, PROT_NONE), 0));
	for (size_t i = 0; i < ROWS; i++) {
		struct sb_place place = {.size = 0};
		size_t len = strlen(rows[i].path) + 1;
		char *path = memcpy(pages + page - len, rows[i].path, len);

		if (rows[i].reason_count)
			continue;
		cr_assert(sb_look(path, false, &place) && place.entry, "%s", path);
		cr_expect(eq(str, place.path, (char *)rows[i].path));
	}
	for (size_t len = 1; len < 64; len++) {
		struct sb_place place = {.size = 0};
		char *path = pages + page - len - 1;

		memset(path, 'x', len);
		path[0] = '/';
		path[len] = '\0';
		cr_expect(sb_look(path, false, &place) && (len == 1 || !place.entry), "%zu", len);
	}
	munmap(pages, 2 * page);
}

/* What is read lies behind what is written, also where a link leaves little between them. */
Test(lookup, leads_out_in_a_narrow_room)
{
	char path[300] = "/usr/bin/gone/", want[300] = "/usr/nowhere/";
	unsigned led = 0;

	memset(path + strlen(path), 'y', 150);
	memset(want + strlen(want), 'y', 150);
	for (size_t size = 150; size < 400; size++) {
		char room[sizeof(struct sb_place)];
		struct sb_place *place = (struct sb_place *)room;

		place->size = sb_here.front + size;
		if (!sb_look(path, true, place)) {
			cr_expect(eq(int, place->full, true), "%zu", size);
			continue;
		}
		led++;
		cr_expect(eq(str, place->path, want), "%zu", size);
	}
	cr_expect(gt(uint, led, 100));
}

Test(lookup, tells_of_a_room_that_does_not_do)
{
	struct sb_place place = {.size = sb_here.front + 8};

	cr_assert(eq(int, sb_look("/bin/mawk", true, &place), false));
	cr_expect(eq(int, place.full, true));
	place.size = sb_here.front + 64;
	cr_assert(eq(int, sb_look("/bin/mawk", true, &place), true));
	cr_expect(eq(str, place.path, "/usr/bin/mawk"));
}

Test(layer, ends_where_a_name_climbs_out)
{
	static const struct {
		const char *path;
		bool in;
	} names[] = {
		{"/opt/app", true},
		{"/opt/app/", true},
		{"/opt/app/a/../b", true},
		{"/opt/app/a/..", true},
		{"/opt/app/./a//../..x", true},
		{"/opt/application", false},
		{"/opt/app/..", false},
		{"/opt/app/../app/a", false},
		{"/opt/app/a/../../b", false},
		{"/opt/app/./../b", false},
		{"/opt", false},
	};

	sb_here.dirs[0] = "/opt/app";
	sb_here.dir_count = 1;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_expect(eq(int, sb_is_layered(names[i].path), names[i].in), "%s", names[i].path);
}
