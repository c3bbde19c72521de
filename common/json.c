#include "common/json.h"

#include <errno.h>
#include <string.h>

#include "common/utf8.h"

static void add(struct sb_json *json, const char *bytes, size_t len)
{
	if (json->rc == 0)
		json->rc = sb_buf_add(json->out, bytes, len);
}

/* A value follows another one unless something was just opened, named, or a new line begun. */
static void separate(struct sb_json *json)
{
	switch (json->out->len ? json->out->s[json->out->len - 1] : '\n') {
	case '{':
	case '[':
	case ':':
	case '\n':
		break;
	default:
		add(json, ",", 1);
	}
}

void sb_json_open(struct sb_json *json, char bracket)
{
	separate(json);
	add(json, &bracket, 1);
}

void sb_json_shut(struct sb_json *json, char bracket)
{
	add(json, &bracket, 1);
}

/* Of a control character, a quote or a backslash; returns where it ends. */
static char *escape_one(char *to, unsigned char c)
{
	static const char letters[] = "\b\t\n\f\r\"\\", words[] = "btnfr\"\\";
	static const char digits[] = "0123456789abcdef";
	const char *known = c ? strchr(letters, c) : NULL;

	*to++ = '\\';
	if (known) {
		*to++ = words[known - letters];
		return to;
	}
	memcpy(to, "u00", 3);
	to[3] = digits[c >> 4];
	to[4] = digits[c & 15];
	return to + 5;
}

/* One pass, into room for the worst of it: traces are long, and nearly all of them is paths. */
static void escape(struct sb_json *json, const char *s, size_t len)
{
	if (json->rc == 0)
		json->rc = len < SIZE_MAX / 8 ? sb_buf_reserve(json->out, len * 6 + 2) : -ENOMEM;
	if (json->rc < 0)
		return;
	char *to = json->out->s + json->out->len;
	*to++ = '"';
	for (const char *end = s + len; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
			*to++ = (char)c;
		else
			to = escape_one(to, c);
	}
	*to++ = '"';
	*to = '\0';
	json->out->len = (size_t)(to - json->out->s);
}

void sb_json_key(struct sb_json *json, const char *key)
{
	separate(json);
	escape(json, key, strlen(key));
	add(json, ":", 1);
}

void sb_json_bytes(struct sb_json *json, const char *s, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	separate(json);
	if (sb_utf8_valid(s, len)) {
		escape(json, s, len);
		return;
	}
	add(json, "{\"hex\":\"", 8);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char pair[2] = {digits[c >> 4], digits[c & 15]};

		add(json, pair, 2);
	}
	add(json, "\"}", 2);
}

void sb_json_str(struct sb_json *json, const char *s)
{
	if (s)
		sb_json_bytes(json, s, strlen(s));
	else
		sb_json_null(json);
}

static void literal(struct sb_json *json, const char *s)
{
	separate(json);
	add(json, s, strlen(s));
}

static void number(struct sb_json *json, bool negative, uint64_t n)
{
	char digits[24];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	if (negative)
		digits[--at] = '-';
	separate(json);
	add(json, digits + at, sizeof digits - at);
}

void sb_json_int(struct sb_json *json, int64_t n)
{
	number(json, n < 0, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void sb_json_uint(struct sb_json *json, uint64_t n)
{
	number(json, false, n);
}

void sb_json_bool(struct sb_json *json, bool yes)
{
	literal(json, yes ? "true" : "false");
}

void sb_json_null(struct sb_json *json)
{
	literal(json, "null");
}
