#include "common/json.h"

#include <inttypes.h>
#include <string.h>

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

/* Length of the well-formed sequence at `s`, 0 where there is none. */
static size_t sequence(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool sb_utf8_valid(const char *s, size_t len)
{
	while (len) {
		size_t n = sequence((const unsigned char *)s, len);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
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
