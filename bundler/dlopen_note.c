/*
 * Reads the JSON of a dlopen note: an array of objects with "soname" (an array of strings),
 * "feature", "description" and "priority". Members that we do not know are passed over. Our own
 * reader, because the bytes come from any file and everything but four members is to be skipped.
 */
#include "bundler/elf_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

#define MAX_DEPTH 32

struct input {
	const char *p, *end;
	struct sb_map *strings;
};

static char peek(struct input *in)
{
	while (in->p < in->end && *in->p && strchr(" \t\n\r", *in->p))
		in->p++;
	return in->p < in->end ? *in->p : '\0';
}

static bool accept(struct input *in, char c)
{
	if (peek(in) != c)
		return false;
	in->p++;
	return true;
}

static int put_code_point(struct sb_buf *out, unsigned code)
{
	char bytes[3];

	if (code < 0x80)
		return sb_buf_putc(out, (char)code);
	if (code < 0x800) {
		bytes[0] = (char)(0xc0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3f));
		return sb_buf_add(out, bytes, 2);
	}
	bytes[0] = (char)(0xe0 | code >> 12);
	bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
	bytes[2] = (char)(0x80 | (code & 0x3f));
	return sb_buf_add(out, bytes, 3);
}

static int escape(struct input *in, struct sb_buf *out)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *known;
	unsigned code = 0;

	if (in->p >= in->end)
		return -EBADMSG;
	char c = *in->p++;
	known = c ? strchr(letters, c) : NULL;
	if (known)
		return sb_buf_putc(out, bytes[known - letters]);
	if (c != 'u' || in->end - in->p < 4)
		return -EBADMSG;
	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = *in->p ? strchr(digits, *in->p | 0x20) : NULL;

		if (!digit)
			return -EBADMSG;
		code = code << 4 | (unsigned)(digit - digits);
		in->p++;
	}
	/* A NUL would cut the name; halves of a pair are no characters, and occur in no name. */
	if (code == 0 || (code >= 0xd800 && code < 0xe000))
		return -EBADMSG;
	return put_code_point(out, code);
}

static int read_string(struct input *in, const char **ret)
{
	auto_buf out = SB_BUF_INIT;

	if (!accept(in, '"'))
		return -EBADMSG;
	for (;;) {
		int rc;

		if (in->p >= in->end || (unsigned char)*in->p < 0x20)
			return -EBADMSG;
		char c = *in->p++;
		if (c == '"')
			break;
		rc = c == '\\' ? escape(in, &out) : sb_buf_putc(&out, c);
		if (rc < 0)
			return rc;
	}
	if (ret) {
		*ret = sb_map_intern(in->strings, sb_buf_str(&out));
		if (!*ret)
			return -ENOMEM;
	}
	return 0;
}

static int skip_value(struct input *in, int depth)
{
	char c = peek(in);

	if (depth > MAX_DEPTH)
		return -EBADMSG;
	if (c == '"')
		return read_string(in, NULL);
	if (c == '[' || c == '{') {
		char shut = c == '[' ? ']' : '}';

		in->p++;
		if (accept(in, shut))
			return 0;
		do {
			int rc = c == '{' ? read_string(in, NULL) : 0;

			if (rc == 0 && c == '{' && !accept(in, ':'))
				rc = -EBADMSG;
			if (rc == 0)
				rc = skip_value(in, depth + 1);
			if (rc < 0)
				return rc;
		} while (accept(in, ','));
		return accept(in, shut) ? 0 : -EBADMSG;
	}
	const char *start = in->p;
	while (in->p < in->end && *in->p && strchr("+-.0123456789aeflnrstuE", *in->p))
		in->p++;
	return in->p > start ? 0 : -EBADMSG;
}

static int read_sonames(struct input *in, const char ***ret, size_t *ret_count)
{
	if (!accept(in, '[') || *ret_count)
		return -EBADMSG;
	do {
		const char **grown = reallocarray(*ret, *ret_count + 2, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		*ret = grown;
		grown[*ret_count] = NULL;
		int rc = read_string(in, &grown[*ret_count]);
		if (rc < 0)
			return rc;
		if (!*grown[*ret_count])
			return -EBADMSG;
		grown[++*ret_count] = NULL;
	} while (accept(in, ','));
	return accept(in, ']') ? 0 : -EBADMSG;
}

static int priority_of(const char *word, enum sb_dlopen_priority *ret)
{
	static const char *const words[] = {"required", "recommended", "suggested"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum sb_dlopen_priority)i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int read_member(struct input *in, struct sb_dlopen *entry, const char ***sonames,
		       size_t *count)
{
	const char *key, *word;
	int rc = read_string(in, &key);

	if (rc < 0)
		return rc;
	if (!accept(in, ':'))
		return -EBADMSG;
	if (strcmp(key, "soname") == 0)
		return read_sonames(in, sonames, count);
	if (strcmp(key, "feature") == 0)
		return read_string(in, &entry->feature);
	if (strcmp(key, "description") == 0)
		return read_string(in, &entry->description);
	if (strcmp(key, "priority") == 0) {
		rc = read_string(in, &word);
		return rc < 0 ? rc : priority_of(word, &entry->priority);
	}
	return skip_value(in, 0);
}

static int read_entry(struct sb_notes *notes, struct input *in)
{
	/* Without a priority it is "recommended": so the specification. */
	struct sb_dlopen entry = {SB_DLOPEN_RECOMMENDED, NULL, "", ""};
	auto_free const char **sonames = NULL;
	size_t count = 0;

	if (!accept(in, '{'))
		return -EBADMSG;
	do {
		int rc = read_member(in, &entry, &sonames, &count);

		if (rc < 0)
			return rc;
	} while (accept(in, ','));
	if (!accept(in, '}') || !count)
		return -EBADMSG;
	struct sb_dlopen *grown =
		reallocarray(notes->dlopens, notes->dlopen_count + 1, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	notes->dlopens = grown;
	entry.sonames = sb_steal_ptr(sonames);
	grown[notes->dlopen_count++] = entry;
	return 0;
}

static int read_entries(struct sb_notes *notes, struct input *in)
{
	if (!accept(in, '['))
		return -EBADMSG;
	if (accept(in, ']'))
		return 0;
	do {
		int rc = read_entry(notes, in);

		if (rc < 0)
			return rc;
	} while (accept(in, ','));
	return accept(in, ']') && peek(in) == '\0' ? 0 : -EBADMSG;
}

int sb_dlopen_parse(struct sb_notes *notes, const char *json, size_t len)
{
	struct input in = {.p = json, .end = json + len, .strings = notes->strings};
	size_t before = notes->dlopen_count;

	/* Padding at the end is no part of the text. */
	while (in.end > in.p && in.end[-1] == '\0')
		in.end--;
	int rc = read_entries(notes, &in);
	/* All of a note or nothing. */
	while (rc < 0 && notes->dlopen_count > before)
		free((void *)notes->dlopens[--notes->dlopen_count].sonames);
	return rc;
}
