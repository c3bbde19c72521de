#include "bundler/remark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

static const struct {
	const char *name, *text;
} words[SB_REMARK_COUNT] = {
	[SB_REMARK_CHANGED] = {"changed", "changed since the trace: taken as it is now"},
	[SB_REMARK_REWRITTEN] = {"rewritten", "changed by the traced run: taken as it is now"},
	[SB_REMARK_GONE] = {"gone", "seen by the trace, and gone since: not in the bundle"},
	[SB_REMARK_UNREADABLE] = {"unreadable", "may not be read by you: not in the bundle"},
	[SB_REMARK_SPECIAL] = {"special", "is a fifo, socket or device: not in the bundle"},
	[SB_REMARK_LONG] = {"long", "has a name of more than 4,095 bytes: not in the bundle"},
	[SB_REMARK_SETID] = {"set-id", "its set-user-ID or set-group-ID bit is not kept"},
	[SB_REMARK_SECRET] = {"secret", "looks like a secret: left out (--allow-secrets takes it)"},
	[SB_REMARK_GPU] = {"gpu", "belongs to the target's GPU driver: left out "
				  "(--allow-gpu-libs takes it)"},
	[SB_REMARK_MISSING] = {"missing", "needed, and not found"},
	[SB_REMARK_ODD] = {"odd", "was executed, and cannot be read as a program"},
	[SB_REMARK_UNMATCHED] = {"unmatched", "matches nothing"},
	[SB_REMARK_RUN] = {"run", "this run did not succeed"},
	[SB_REMARK_TRACE] = {"trace", "this trace is not whole"},
	[SB_REMARK_BLIND] = {"blind", "was not seen into"},
	[SB_REMARK_STATIC] =
		{"static",
		 "is static, or written in Go: what it looks up itself is not redirected into "
		 "the bundle in host mode"},
	[SB_REMARK_LINKER] = {"linker",
			      "has a dynamic linker that cannot be prepared: in host mode "
			      "its paths are not redirected"},
	[SB_REMARK_MADE] = {"made", "made by the traced run itself"},
	[SB_REMARK_SYSTEM] = {"system", "below /proc, /sys, /dev or /run"},
	[SB_REMARK_TARGET] = {"target", "provided by the target"},
	[SB_REMARK_EXCLUDED] = {"excluded", "excluded by name"},
	[SB_REMARK_SUGGESTED] = {"suggested", "only suggested by a program that may load it"},
};

const char *sb_remark_name(enum sb_remark_kind kind)
{
	return words[kind].name;
}

const char *sb_remark_text(enum sb_remark_kind kind)
{
	return words[kind].text;
}

bool sb_remark_leaves_out(enum sb_remark_kind kind)
{
	switch (kind) {
	case SB_REMARK_GONE:
	case SB_REMARK_UNREADABLE:
	case SB_REMARK_SPECIAL:
	case SB_REMARK_LONG:
	case SB_REMARK_SECRET:
	case SB_REMARK_GPU:
	case SB_REMARK_MISSING:
	case SB_REMARK_EXCLUDED:
		return true;
	default:
		return false;
	}
}

int sb_remark(struct sb_remarks *remarks, enum sb_remark_kind kind, const char *path,
	      const char *detail)
{
	auto_buf key = SB_BUF_INIT;
	int is_new;

	if (sb_buf_printf(&key, "%d ", (int)kind) < 0 || sb_buf_puts(&key, path) < 0 ||
	    sb_buf_putc(&key, '\0') < 0 || sb_buf_puts(&key, detail ? detail : "") < 0 ||
	    !sb_map_add(&remarks->seen, key.s, key.len, &is_new))
		return -ENOMEM;
	if (!is_new)
		return 0;
	if (remarks->count == remarks->cap) {
		size_t cap = remarks->cap ? remarks->cap * 2 : 32;
		void *grown = reallocarray(remarks->items, cap, sizeof *remarks->items);

		if (!grown)
			return -ENOMEM;
		remarks->items = grown;
		remarks->cap = cap;
	}
	struct sb_remark *remark = &remarks->items[remarks->count];
	remark->kind = kind;
	remark->path = sb_map_intern(&remarks->strings, path);
	remark->detail = detail ? sb_map_intern(&remarks->strings, detail) : NULL;
	if (!remark->path || (detail && !remark->detail))
		return -ENOMEM;
	remarks->count++;
	return 0;
}

size_t sb_remarks_count(const struct sb_remarks *remarks, enum sb_remark_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < remarks->count; i++)
		n += remarks->items[i].kind == kind;
	return n;
}

size_t sb_remarks_warnings(const struct sb_remarks *remarks)
{
	size_t n = 0;

	for (size_t i = 0; i < remarks->count; i++)
		n += remarks->items[i].kind < SB_REMARK_WARNINGS;
	return n;
}

void sb_remarks_free(struct sb_remarks *remarks)
{
	free(remarks->items);
	sb_map_free(&remarks->seen);
	sb_map_free(&remarks->strings);
	*remarks = (struct sb_remarks)SB_REMARKS_INIT;
}
