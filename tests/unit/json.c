#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "common/json.h"

static const struct {
	const char *bytes;
	size_t len;
	const char *want;
} strings[] = {
	{"", 0, "\"\""},
	{"plain", 5, "\"plain\""},
	{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	{"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
	{"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\\u007f\""},
	{"a\0b", 3, "\"a\\u0000b\""},
	{"/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10, "\"/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	{"/\xff", 2, "{\"hex\":\"2fff\"}"},
	{"\xc0\x80", 2, "{\"hex\":\"c080\"}"},
	{"\xed\xa0\x80", 3, "{\"hex\":\"eda080\"}"},
	{"\xf4\x90\x80\x80", 4, "{\"hex\":\"f4908080\"}"},
	{"\xe2\x82", 2, "{\"hex\":\"e282\"}"},
	{"\xf5\x80\x80\x80", 4, "{\"hex\":\"f5808080\"}"},
};

Test(json, strings_survive)
{
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
		auto_buf out = SB_BUF_INIT;
		struct sb_json json = {.out = &out};

		sb_json_bytes(&json, strings[i].bytes, strings[i].len);
		cr_expect(eq(int, json.rc, 0));
		cr_expect(eq(str, (char *)sb_buf_str(&out), (char *)strings[i].want));
	}
}

Test(json, commas_come_by_themselves)
{
	auto_buf out = SB_BUF_INIT;
	struct sb_json json = {.out = &out};

	sb_json_open(&json, '{');
	sb_json_key(&json, "a");
	sb_json_int(&json, -5);
	sb_json_key(&json, "b");
	sb_json_open(&json, '[');
	sb_json_str(&json, "x{");
	sb_json_str(&json, NULL);
	sb_json_bool(&json, true);
	sb_json_open(&json, '{');
	sb_json_shut(&json, '}');
	sb_json_uint(&json, UINT64_MAX);
	sb_json_shut(&json, ']');
	sb_json_key(&json, "c");
	sb_json_bool(&json, false);
	sb_json_shut(&json, '}');
	cr_expect(eq(int, json.rc, 0));
	cr_expect(eq(
		str, (char *)sb_buf_str(&out),
		(char *)"{\"a\":-5,\"b\":[\"x{\",null,true,{},18446744073709551615],\"c\":false}"));
}
