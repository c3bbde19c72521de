/*
 * JSON as it is written (RFC 8259), compact, on one line.
 *
 * Order: a struct sb_json over a buffer, sb_json_open() and sb_json_shut() around members, inside
 * an object sb_json_key() before each value; commas come by themselves. Errors stick: look at `rc`
 * once, at the end (0, or -ENOMEM). The writer trusts its caller to nest properly.
 *
 * Byte strings that are not UTF-8 are written as {"hex": "..."}, so that any path survives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct sb_json {
	struct sb_buf *out;
	int rc;
};

void sb_json_open(struct sb_json *json, char bracket); /* '{' or '[' */
void sb_json_shut(struct sb_json *json, char bracket); /* '}' or ']' */
void sb_json_key(struct sb_json *json, const char *key);
/* NULL is written as null. */
void sb_json_str(struct sb_json *json, const char *s);
void sb_json_bytes(struct sb_json *json, const char *s, size_t len);
void sb_json_int(struct sb_json *json, int64_t n);
void sb_json_uint(struct sb_json *json, uint64_t n);
void sb_json_bool(struct sb_json *json, bool yes);
void sb_json_null(struct sb_json *json);
