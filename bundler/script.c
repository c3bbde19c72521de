#include "bundler/script.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int sb_shebang_parse(const char *head, size_t len, struct sb_shebang *ret)
{
	char line[SB_SCRIPT_HEAD + 1] = "";
	const size_t last = SB_SCRIPT_HEAD - 1;

	if (len < 2 || head[0] != '#' || head[1] != '!')
		return 0;
	memcpy(line, head, len < SB_SCRIPT_HEAD ? len : SB_SCRIPT_HEAD);
	char *name = line + 2 + strspn(line + 2, " \t");
	size_t end = strcspn(line, "\n");
	if (line[end] != '\n') {
		/* Arguments may be cut off, a name may not: something must follow it. */
		if (name > line + last || name + strcspn(name, " \t") > line + last)
			return -ENOEXEC;
		end = last;
	}
	while (end > 2 && is_blank(line[end - 1]))
		end--;
	line[end] = '\0';
	size_t name_len = strcspn(name, " \t");
	if (name >= line + end || !name_len)
		return -ENOEXEC;
	const char *arg = name + name_len + strspn(name + name_len, " \t");
	ret->has_arg = *arg != '\0';
	(void)memccpy(ret->arg, arg, '\0', sizeof ret->arg);
	name[name_len] = '\0';
	(void)memccpy(ret->interp, name, '\0', sizeof ret->interp);
	return 1;
}

/* env -S: one string on its way to be arguments (coreutils, "env invocation"). */
struct split {
	const char *p;
	struct sb_buf word;
	bool in_word;
	char quote; /* that we are in; 0 none */
	struct sb_env *env;
	size_t at; /* where the next argument goes */
	struct sb_err *err;
};

static int end_word(struct split *split)
{
	if (!split->in_word)
		return 0;
	split->in_word = false;
	if (sb_strv_insert(&split->env->argv, split->at, sb_buf_str(&split->word),
			   split->word.len) < 0)
		return sb_fail(split->err, ENOMEM, "split the arguments of env -S");
	split->at++;
	sb_buf_cut(&split->word, 0);
	return 0;
}

static int add_char(struct split *split, char c)
{
	split->in_word = true;
	return sb_buf_putc(&split->word, c) < 0
		       ? sb_fail(split->err, ENOMEM, "split the arguments of env -S")
		       : 0;
}

/* Behind a backslash. 1: the rest is to be ignored. */
static int split_escape(struct split *split)
{
	static const char letters[] = "fnrtv#$'\"\\", bytes[] = "\f\n\r\t\v#$'\"\\";
	char c = *split->p++;
	const char *known = c ? strchr(letters, c) : NULL;

	if (split->quote == '\'') {
		/* Only the two that could not stand there otherwise. */
		if (c == '\\' || c == '\'')
			return add_char(split, c);
		split->p--;
		return add_char(split, '\\');
	}
	if (known)
		return add_char(split, bytes[known - letters]);
	if (c == '_')
		return split->quote ? add_char(split, ' ') : end_word(split);
	if (c == 'c' && !split->quote)
		return 1;
	return sb_fail(split->err, SB_ESAID, "env -S: '\\%.1s' is no escape that it knows", &c);
}

/* ${NAME}: the value is that of whoever runs the script; it stays as it is written. */
static int split_variable(struct split *split)
{
	size_t len = *split->p == '{' ? strcspn(split->p, "}") : 0;

	if (len < 2 || split->p[len] != '}')
		return sb_fail(split->err, SB_ESAID,
			       "env -S: a variable is not written as ${NAME}");
	split->env->plain = false;
	int rc = add_char(split, '$');
	for (const char *end = split->p + len + 1; rc == 0 && split->p < end;)
		rc = add_char(split, *split->p++);
	return rc;
}

static int split_char(struct split *split)
{
	char c = *split->p++;

	if (c == '\\')
		return split_escape(split);
	if (c == split->quote) {
		split->quote = 0;
		return 0;
	}
	if (c == '$' && split->quote != '\'')
		return split_variable(split);
	if (split->quote)
		return add_char(split, c);
	if (c == '\'' || c == '"') {
		split->quote = c;
		split->in_word = true;
		return 0;
	}
	if (strchr(" \t\n\v\f\r", c))
		return end_word(split);
	if (c == '#' && !split->in_word)
		return 1;
	return add_char(split, c);
}

/* Puts the arguments that `text` makes at `at`. */
static int split_string(struct sb_env *env, const char *text, size_t at, struct sb_err *err)
{
	struct split split = {.p = text, .env = env, .at = at, .err = err};
	int rc = 0;

	while (rc == 0 && *split.p)
		rc = split_char(&split);
	if (rc == 0 && split.quote)
		rc = sb_fail(err, SB_ESAID, "env -S: a quote is not closed");
	if (rc >= 0)
		rc = end_word(&split);
	sb_buf_free(&split.word);
	return rc;
}

static void drop(struct sb_env *env, size_t from, size_t count)
{
	struct sb_strv *list = &env->argv;

	for (size_t i = 0; i < count; i++)
		free(list->items[from + i]);
	memmove(list->items + from, list->items + from + count,
		(list->count - from - count + 1) * sizeof *list->items);
	list->count -= count;
}

/* One option with its value (NULL: it has none). */
static int take_option(struct sb_env *env, char letter, const char *value, struct sb_err *err)
{
	if (letter == 'v')
		return 0;
	if (letter == 'S') {
		auto_free char *text = strdup(value);

		if (!text)
			return sb_fail(err, ENOMEM, "read the arguments of env");
		return split_string(env, text, 0, err);
	}
	env->plain = false;
	if (letter == 'i' || (letter == 'u' && strcmp(value, "PATH") == 0))
		env->no_path = true;
	return 0;
}

/* The first of argv is a cluster of short options. Takes it, and a value behind it. */
static int take_short(struct sb_env *env, struct sb_err *err)
{
	auto_free char *cluster = strdup(env->argv.items[0] + 1);

	if (!cluster)
		return sb_fail(err, ENOMEM, "read the arguments of env");
	drop(env, 0, 1);
	for (const char *p = cluster; *p; p++) {
		bool valued = strchr("SuCa", *p) != NULL;
		int rc;

		if (!valued && !strchr("iv0", *p))
			return sb_fail(err, SB_ESAID, "env: -%c is no option that it knows", *p);
		if (!valued) {
			rc = take_option(env, *p, NULL, err);
		} else if (p[1]) {
			return take_option(env, *p, p + 1, err);
		} else if (env->argv.count) {
			auto_free char *value = strdup(env->argv.items[0]);

			drop(env, 0, 1);
			return value ? take_option(env, *p, value, err)
				     : sb_fail(err, ENOMEM, "read the arguments of env");
		} else {
			/* The script's own path becomes the value: env has no command then. */
			return sb_fail(err, SB_ESAID, "env: -%c wants a value", *p);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_long(struct sb_env *env, struct sb_err *err)
{
	static const struct {
		const char *name;
		char letter;
	} known[] = {
		{"split-string=", 'S'}, {"ignore-environment", 'i'},
		{"unset=", 'u'},	{"chdir=", 'C'},
		{"debug", 'v'},		{"argv0=", 'a'},
	};
	auto_free char *option = strdup(env->argv.items[0] + 2);

	if (!option)
		return sb_fail(err, ENOMEM, "read the arguments of env");
	drop(env, 0, 1);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t len = strlen(known[i].name);

		if (strncmp(option, known[i].name, len) == 0)
			return take_option(env, known[i].letter, option + len, err);
	}
	env->plain = false;
	return 0;
}

static int take_assignments(struct sb_env *env, struct sb_err *err)
{
	size_t count = 0;

	for (; count < env->argv.count && strchr(env->argv.items[count], '='); count++) {
		const char *word = env->argv.items[count];

		env->plain = false;
		if (strncmp(word, "PATH=", 5) != 0)
			continue;
		free(env->path);
		env->path = strdup(word + 5);
		if (!env->path)
			return sb_fail(err, ENOMEM, "read the arguments of env");
		env->no_path = false;
	}
	if (count)
		drop(env, 0, count);
	return 0;
}

int sb_env_parse(const char *arg, struct sb_env *ret, struct sb_err *err)
{
	auto_env struct sb_env env = {.plain = true};
	int rc = 0;

	if (arg && sb_strv_add(&env.argv, arg) < 0)
		return sb_fail(err, ENOMEM, "read the arguments of env");
	while (rc == 0 && env.argv.count && env.argv.items[0][0] == '-') {
		const char *word = env.argv.items[0];

		if (strcmp(word, "--") == 0) {
			drop(&env, 0, 1);
			break;
		}
		if (strcmp(word, "-") == 0) {
			rc = take_option(&env, 'i', NULL, err);
			drop(&env, 0, 1);
		} else if (word[1] == '-') {
			rc = take_long(&env, err);
		} else {
			rc = take_short(&env, err);
		}
	}
	if (rc == 0)
		rc = take_assignments(&env, err);
	if (rc < 0)
		return rc;
	env.expands = env.argv.count && !env.plain && strstr(env.argv.items[0], "${");
	*ret = env;
	env = (struct sb_env){.plain = false};
	return 0;
}

void sb_env_free(struct sb_env *env)
{
	sb_strv_free(&env->argv);
	free(env->path);
	env->path = NULL;
}
