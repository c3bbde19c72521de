#include "common/json.h"

#include <inttypes.h>
#include <string.h>

#include "common/utf8.h"

static void add(struct sb_json *json, const char *bytes, size_t len)
{
	if (json->rc == 0)
		json->rc = sb_buf_add(json->out, bytes, len);
}

static void puts_(struct sb_json *json, const char *s)
{
	add(json, s, strlen(s));
}

/* A value follows another one unless something was just opened, named, or a new line begun. */
static void separate(struct sb_json *json)
{
	char last = json->out->len ? json->out->s[json->out->len - 1] : '\n';

	if (!strchr("{[:\n", last))
		puts_(json, ",");
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

static void escape(struct sb_json *json, const char *s, size_t len)
{
	static const char letters[] = "\b\t\n\f\r\"\\", words[] = "btnfr\"\\";
	size_t plain = 0;

	puts_(json, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char *known = c ? strchr(letters, c) : NULL;

		if (c >= 0x20 && c != 0x7f && !known)
			continue;
		add(json, s + plain, i - plain);
		plain = i + 1;
		if (known) {
			const char pair[2] = {'\\', words[known - letters]};

			add(json, pair, 2);
		} else if (json->rc == 0) {
			json->rc = sb_buf_printf(json->out, "\\u%04x", c);
		}
	}
	add(json, s + plain, len - plain);
	puts_(json, "\"");
}

void sb_json_key(struct sb_json *json, const char *key)
{
	separate(json);
	escape(json, key, strlen(key));
	puts_(json, ":");
}

void sb_json_bytes(struct sb_json *json, const char *s, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	separate(json);
	if (sb_utf8_valid(s, len)) {
		escape(json, s, len);
		return;
	}
	puts_(json, "{\"hex\":\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char pair[2] = {digits[c >> 4], digits[c & 15]};

		add(json, pair, 2);
	}
	puts_(json, "\"}");
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
	puts_(json, s);
}

void sb_json_int(struct sb_json *json, int64_t n)
{
	separate(json);
	if (json->rc == 0)
		json->rc = sb_buf_printf(json->out, "%" PRId64, n);
}

void sb_json_uint(struct sb_json *json, uint64_t n)
{
	separate(json);
	if (json->rc == 0)
		json->rc = sb_buf_printf(json->out, "%" PRIu64, n);
}

void sb_json_bool(struct sb_json *json, bool yes)
{
	literal(json, yes ? "true" : "false");
}

void sb_json_null(struct sb_json *json)
{
	literal(json, "null");
}
