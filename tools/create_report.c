#include "tools/create_report.h"
#include "tools/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

/* So many of a kind are told one by one. */
#define TELL_MOST 10
#define LARGEST	  10

void sb_create_warn(const struct sb_remarks *remarks)
{
	for (int kind = 0; kind < SB_REMARK_WARNINGS; kind++) {
		size_t all = sb_remarks_count(remarks, (enum sb_remark_kind)kind), told = 0;

		for (size_t i = 0; i < remarks->count; i++) {
			const struct sb_remark *r = &remarks->items[i];

			if ((int)r->kind != kind)
				continue;
			sb_log(told++ < TELL_MOST ? SB_LOG_WARN : SB_LOG_INFO, "'%s': %s%s%s%s",
			       r->path, sb_remark_text(r->kind), r->detail ? " (" : "",
			       r->detail ? r->detail : "", r->detail ? ")" : "");
		}
		if (all > TELL_MOST)
			sb_log(SB_LOG_WARN, "and %zu more: %s (--log-level info names them)",
			       all - TELL_MOST, sb_remark_text((enum sb_remark_kind)kind));
	}
}

static uint64_t size_of(const struct sb_item *item)
{
	return item->type == SB_ITEM_FILE ? (uint64_t)item->st.st_size : 0;
}

static void print_reasons(const struct sb_draft *draft)
{
	uint64_t sizes[SB_WHY_COUNT] = {0}, all = 0;
	size_t counts[SB_WHY_COUNT] = {0}, files = 0;

	/* A file counts for its first reason. */
	for (size_t i = 0; i < draft->set->count; i++) {
		const struct sb_item *item = &draft->set->items[i];
		int why = item->reason_count ? (int)item->reasons[0].why : SB_WHY_PARENT;

		if (item->type != SB_ITEM_FILE)
			continue;
		counts[why]++;
		sizes[why] += size_of(item);
		all += size_of(item);
		files++;
	}
	puts("by reason:");
	for (int why = 0; why < SB_WHY_COUNT; why++) {
		if (!counts[why])
			continue;
		sb_print_size(sizes[why]);
		printf("  %7zu  %s\n", counts[why], sb_why_name((enum sb_why)why));
	}
	sb_print_size(all);
	printf("  %7zu  in all\n", files);
}

static int by_size(const void *a, const void *b)
{
	const struct sb_item *x = *(const struct sb_item *const *)a,
			     *y = *(const struct sb_item *const *)b;
	uint64_t size_x = size_of(x), size_y = size_of(y);

	return size_x != size_y ? (size_x < size_y) - (size_x > size_y) : strcmp(x->path, y->path);
}

static void print_largest(const struct sb_draft *draft)
{
	size_t count = draft->set->count;
	auto_free const struct sb_item **items = calloc(count + 1, sizeof *items);

	if (!items)
		return; /* the bundle is there; this list is a comfort */
	for (size_t i = 0; i < count; i++)
		items[i] = &draft->set->items[i];
	qsort(items, count, sizeof *items, by_size);
	puts("largest:");
	for (size_t i = 0; i < count && i < LARGEST && size_of(items[i]); i++) {
		sb_print_size(size_of(items[i]));
		fputs("  ", stdout);
		sb_print_name(items[i]->path);
		putchar('\n');
	}
}

static void print_left_out(const struct sb_remarks *remarks)
{
	bool headed = false;

	for (int kind = 0; kind < SB_REMARK_COUNT; kind++) {
		size_t all = sb_remarks_count(remarks, (enum sb_remark_kind)kind), told = 0;

		if (!all ||
		    (kind < SB_REMARK_WARNINGS && !sb_remark_leaves_out((enum sb_remark_kind)kind)))
			continue;
		if (!headed)
			puts("left out:");
		headed = true;
		printf("  %zu: %s\n", all, sb_remark_text((enum sb_remark_kind)kind));
		for (size_t i = 0; i < remarks->count && told < TELL_MOST; i++) {
			/* What no user would miss is counted, and not named. */
			if ((int)remarks->items[i].kind != kind ||
			    !sb_remark_leaves_out((enum sb_remark_kind)kind))
				continue;
			fputs("      ", stdout);
			sb_print_name(remarks->items[i].path);
			putchar('\n');
			told++;
		}
		if (told && told < all)
			printf("      and %zu more\n", all - told);
	}
}

void sb_create_summary(const struct sb_draft *draft, const char *place, bool dry_run)
{
	printf("%s: ", dry_run ? "would be made" : "bundle");
	sb_print_name(place);
	puts("\nentries:");
	for (size_t i = 0; i < draft->entry_count; i++) {
		fputs("  bin/", stdout);
		sb_print_name(draft->entries[i].name);
		fputs("  ", stdout);
		sb_print_name(draft->entries[i].exec);
		if (draft->entries[i].cwd) {
			fputs("  (replay, in ", stdout);
			sb_print_name(draft->entries[i].cwd);
			putchar(')');
		}
		putchar('\n');
	}
	print_reasons(draft);
	print_largest(draft);
	print_left_out(&draft->remarks);
	if (!dry_run)
		return;
	puts("files:");
	for (size_t i = 0; i < draft->set->count; i++) {
		const struct sb_item *item = &draft->set->items[i];

		sb_print_size(size_of(item));
		fputs("  ", stdout);
		sb_print_name(item->path);
		if (item->type == SB_ITEM_LINK) {
			fputs(" -> ", stdout);
			sb_print_name(item->target);
		} else if (item->type == SB_ITEM_DIR && item->path[1]) {
			putchar('/');
		}
		putchar('\n');
	}
}
