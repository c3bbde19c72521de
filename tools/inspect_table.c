#include <stdio.h>
#include <string.h>

#include "tools/inspect.h"
#include "tools/print.h"
#include "tracer/event.h"

/* So many of a kind are named. */
#define NAME_MOST 20

static void print_entry(const struct sb_manifest_entry *e)
{
	fputs("  bin/", stdout);
	sb_print_name(e->name);
	fputs("  ", stdout);
	sb_print_name(e->path);
	if (e->argv) {
		fputs("  (replay of", stdout);
		for (const char *const *arg = e->argv; *arg; arg++) {
			putchar(' ');
			sb_print_name(*arg);
		}
		putchar(')');
	}
	if (e->cwd) {
		fputs("  in ", stdout);
		sb_print_name(e->cwd);
	}
	putchar('\n');
}

static void print_gaps(const struct inspect *in, enum sb_host_gap gap)
{
	static const char *const texts[SB_GAP_COUNT] = {
		[SB_GAP_STATIC] =
			"statically linked: started as they are, what they look up is not "
			"redirected",
		[SB_GAP_GO] = "written in Go: what they look up is not redirected",
		[SB_GAP_LINKER] = "started through their dynamic linker: only their libraries are "
				  "the bundle's",
	};
	size_t count = 0;

	for (size_t i = 0; i < in->m->file_count; i++)
		count += in->m->files[i].host_gap == gap;
	if (!count)
		return;
	printf("  %zu %s\n", count, texts[gap]);
	count = 0;
	for (size_t i = 0; i < in->m->file_count; i++) {
		if (in->m->files[i].host_gap != gap || count++ >= NAME_MOST)
			continue;
		fputs("      ", stdout);
		sb_print_name(in->m->files[i].path);
		putchar('\n');
	}
	if (count > NAME_MOST)
		printf("      and %zu more\n", count - NAME_MOST);
}

static void print_sum(const char *name, const struct inspect_sum *sum)
{
	sb_print_size(sum->bytes);
	printf("  %7llu  ", (unsigned long long)sum->files);
	sb_print_name(name);
	putchar('\n');
}

static void print_sums(const char *title, const struct sb_map *map)
{
	puts(title);
	for (size_t i = 0; i < map->count; i++)
		print_sum(map->entries[i].key, map->entries[i].value);
}

static void print_lacks(const struct sb_manifest *m)
{
	if (m->blind_count)
		puts("not seen into by the traces:");
	for (size_t i = 0; i < m->blind_count; i++) {
		const struct sb_manifest_blind *b = &m->blind[i];
		int blind = sb_blind_parse(b->name);

		printf("  %llu: %s", (unsigned long long)b->count,
		       blind < 0 ? b->name : sb_blind_text((enum sb_blind)blind));
		if (b->path) {
			fputs(": ", stdout);
			sb_print_name(b->path);
		}
		putchar('\n');
	}
	if (m->left_out_count)
		puts("left out:");
	for (size_t i = 0; i < m->left_out_count; i++) {
		printf("  %s: ", m->left_out[i].why);
		sb_print_name(m->left_out[i].path);
		putchar('\n');
	}
}

void sb_inspect_table(const struct inspect *in)
{
	const struct sb_manifest *m = in->m;

	fputs("bundle: ", stdout);
	sb_print_name(m->name);
	printf("\nrun mode: %s\nneeds: %s", m->run_mode, m->arch);
	if (m->kernel)
		printf(", Linux %s", m->kernel);
	if (m->cpu)
		printf(", %s", m->cpu);
	if (m->glibc)
		printf(", made for glibc %s", m->glibc);
	puts("\nentries:");
	for (size_t i = 0; i < m->entry_count; i++)
		print_entry(&m->entries[i]);
	puts("in host mode:");
	printf("  %zu started in their own place, and redirected\n", in->started);
	for (int gap = SB_GAP_NONE + 1; gap < SB_GAP_COUNT; gap++)
		print_gaps(in, (enum sb_host_gap)gap);
	puts("by reason:");
	for (int why = 0; why < SB_WHY_COUNT; why++)
		if (in->by_reason[why].files)
			print_sum(sb_why_name((enum sb_why)why), &in->by_reason[why]);
	print_sum("in all", &in->all);
	print_sums("by folder:", &in->folders);
	print_sums("by package:", &in->packages);
	print_lacks(m);
}
