/*
 * What `strace -f -y -o FILE` writes, line by line: "PID call(arguments) = result", where a call
 * that was interrupted by another process's is told in two halves.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"

/* Takes a string up to `end`, escapes resolved, into to; returns what follows `end`. */
static inline const char *strace_string(const char *s, char end, char *to, size_t size)
{
	static const char letters[] = "n\nt\tr\rv\vf\f";
	size_t len = 0;

	for (; *s && *s != end; s++) {
		char c = *s;

		if (c == '\\' && s[1] >= '0' && s[1] <= '7') {
			char *after;
			char digits[4] = {0};

			memcpy(digits, s + 1, strnlen(s + 1, 3));
			c = (char)strtol(digits, &after, 8);
			s += after - digits;
		} else if (c == '\\' && s[1]) {
			const char *letter = strchr(letters, *++s);

			c = letter ? letter[1] : *s;
		}
		if (len + 1 < size)
			to[len++] = c;
	}
	to[len] = '\0';
	return *s ? s + 1 : s;
}

/* "AT_FDCWD</dir>, " or "5</dir>, ": the directory that a relative path is relative to. */
static inline void strace_dir(const char *args, const char *cwd, char *dir, size_t size)
{
	const char *open_mark = strchr(args, '<');
	const char *comma = strchr(args, ',');

	if (open_mark && comma && open_mark < comma && *args != '"')
		strace_string(open_mark + 1, '>', dir, size);
	else
		snprintf(dir, size, "%s", cwd);
}

/* "PID name(args) = result", cut apart; false for signals, exits and halves. */
static inline bool strace_cut(char *line, long *ret_id, char **ret_name, char **ret_args,
			      char **ret_result)
{
	char *s, *open_mark, *equals = NULL;

	*ret_id = strtol(line, &s, 10);
	s += strspn(s, " ");
	open_mark = strchr(s, '(');
	if (!open_mark || *s == '-' || *s == '+')
		return false;
	for (char *at = open_mark; (at = strstr(at, " = ")); at++)
		if (at[-1] == ')' || at[-1] == ' ')
			equals = at;
	if (!equals)
		return false;
	*open_mark = *equals = '\0';
	*ret_name = s;
	*ret_args = open_mark + 1;
	*ret_result = equals + 3;
	return true;
}

/* Joins "<unfinished ...>" with "<... resumed>": the whole line in *whole, or false. */
static inline bool strace_join(struct sb_map *pending, const char *line, struct sb_buf *whole)
{
	static const char unfinished[] = " <unfinished ...>", resumed[] = " resumed>";
	long id = strtol(line, NULL, 10);
	size_t len = strlen(line);
	const char *rest = strstr(line, "<... ");
	struct sb_map_entry *half;

	half = sb_map_add(pending, (char *)&id, sizeof(id), NULL);
	if (!half)
		return false;
	sb_buf_cut(whole, 0);
	if (len > sizeof(unfinished) && !strcmp(line + len - sizeof(unfinished) + 1, unfinished)) {
		free(half->value);
		half->value = strndup(line, len - sizeof(unfinished) + 1);
		return false;
	}
	if (rest && strtol(line, NULL, 10) == id && (rest = strstr(rest, resumed)) && half->value) {
		sb_buf_puts(whole, half->value);
		sb_buf_puts(whole, rest + sizeof(resumed) - 1);
		free(half->value);
		half->value = NULL;
		return true;
	}
	return sb_buf_puts(whole, line) == 0;
}

/* A call that was told whole; its strings are cut out of a line that does not last. */
typedef void (*strace_call_fn)(void *arg, long id, const char *name, const char *args,
			       const char *result);

/* Hands over each call of the file in order. False: it cannot be read. */
static inline bool strace_each(const char *file, struct sb_map *pending, strace_call_fn fn,
			       void *arg)
{
	auto_file FILE *f = fopen(file, "re");
	auto_free char *line = NULL;
	auto_buf whole = SB_BUF_INIT;
	size_t size = 0;
	ssize_t len;

	if (!f)
		return false;
	while ((len = getline(&line, &size, f)) > 0) {
		char *name, *args, *result;
		long id;

		line[len - 1] = '\0';
		if (strace_join(pending, line, &whole) &&
		    strace_cut(whole.s, &id, &name, &args, &result))
			fn(arg, id, name, args, result);
	}
	return true;
}

/* Makes a process, or a thread of one. */
static inline bool strace_is_birth(const char *name)
{
	return !strcmp(name, "clone") || !strcmp(name, "clone3") || strstr(name, "fork");
}
