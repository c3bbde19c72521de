#include "tracer/record.h"

#include <string.h>

bool record_take(struct record *ret, const struct sb_rec *rec, size_t size)
{
	if (size < sizeof ret->head || size > sizeof ret->bytes)
		return false;
	memcpy(&ret->head, rec, sizeof ret->head);
	size_t len = size - sizeof ret->head;
	memcpy(ret->bytes, rec->text, len);
	bool known = ret->head.kind < SB_KIND_COUNT ||
		     (ret->head.kind >= SB_REC_HELLO && ret->head.kind <= SB_REC_BLIND);
	if (!known || ret->head.op >= SB_OP_COUNT)
		return false;
	ret->string_count = 0;
	/* 255: as many as there are; what is left is padding. */
	size_t most = ret->head.strings == 255 ? RECORD_STRINGS : ret->head.strings;
	for (size_t at = 0; at < len && ret->string_count < most;) {
		const char *end = memchr(ret->bytes + at, '\0', len - at);

		/* Where no count tells, what no NUL ends is padding. */
		if (!end)
			return ret->head.strings == 255;
		ret->strings[ret->string_count++] = ret->bytes + at;
		at = (size_t)(end - ret->bytes) + 1;
	}
	return ret->head.strings == 255 || ret->string_count == most;
}

const char *record_string(const struct record *rec, size_t index)
{
	return index < rec->string_count ? rec->strings[index] : NULL;
}
