#include "preload/environ.h"

#include "preload/start.h"
#include "preload/str.h"

#define TLS_NAME "glibc.rtld.optional_static_tls="
/* What glibc grants without being asked: dlopen may still count on it. */
#define TLS_DEFAULT 512
#define TOKEN_ROOM  40

enum variable { PRELOAD, AUDIT, TUNABLES, VARIABLES };

static const char *const names[] = {"LD_PRELOAD=", "LD_AUDIT=", "GLIBC_TUNABLES="};
static const char *const modules_of[] = {SB_PRELOAD_NAME, SB_AUDIT_NAME};

char *const *sb_env_find(char *const *envp, const char *name)
{
	char *const *found = NULL;

	for (; envp && *envp; envp++)
		if (sb_starts(*envp, name))
			found = envp;
	return found;
}

static bool wanted(const struct sb_env_want *want, int variable)
{
	if (!want->trace)
		return false;
	if (variable == TUNABLES)
		return want->static_tls && want->audit;
	return variable == PRELOAD ? want->preload : want->audit;
}

static bool is_module(const char *s, size_t len, const char *modules, const char *name)
{
	size_t dir = sb_strlen(modules);

	return len == dir + 1 + sb_strlen(name) && sb_starts(s, modules) && s[dir] == '/' &&
	       sb_starts(s + dir + 1, name);
}

/*
 * The length of the user's own part of a value, separator excluded; -1 where all of it is ours. Of
 * GLIBC_TUNABLES a last setting of ours counts when `tunables` says that we put one there.
 */
static long own_part(const char *value, int variable, const char *modules, bool tunables)
{
	size_t len = sb_strlen(value), start = 0;

	for (size_t i = 0; i < len; i++)
		if (value[i] == ':' || (value[i] == ' ' && variable == PRELOAD))
			start = i + 1;
	if (variable == TUNABLES
		    ? !tunables || !sb_starts(value + start, TLS_NAME)
		    : !is_module(value + start, len - start, modules, modules_of[variable]))
		return (long)len;
	return (long)start - 1;
}

static int variable_of(const char *entry)
{
	for (int i = 0; i < VARIABLES; i++)
		if (sb_starts(entry, names[i]))
			return i;
	return -1;
}

bool sb_env_flag(const char *trace, char flag)
{
	const char *p = sb_strchr(trace, '.');
	const char *log = sb_strchr(trace, ':');

	for (; p && log && p < log; p++)
		if (*p == flag)
			return true;
	return false;
}

uint64_t sb_env_token(const char *trace, const char **ret_end)
{
	const char *p = trace + sizeof(SB_ENV_TRACE);
	uint64_t token = 0;

	for (; *p && *p != ':' && *p != '.'; p++)
		token = token << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	if (ret_end)
		*ret_end = p;
	return token;
}

/* Whether the environment says that our setting is in its GLIBC_TUNABLES. */
static bool has_tunables(char *const *envp)
{
	char *const *ours = sb_env_find(envp, SB_ENV_TRACE "=");

	return ours && sb_env_flag(*ours, 't');
}

static size_t addition_size(const struct sb_env_want *want, int variable)
{
	if (variable == TUNABLES)
		return sizeof(TLS_NAME) + TOKEN_ROOM;
	return sb_strlen(want->modules) + 1 + sb_strlen(modules_of[variable]);
}

size_t sb_env_entries(char *const *envp)
{
	size_t entries = VARIABLES + 2;

	for (; envp && *envp; envp++)
		entries++;
	return entries;
}

size_t sb_env_size(char *const *envp, const struct sb_env_want *want)
{
	size_t entries = sb_env_entries(envp), bytes = 0;

	for (; envp && *envp; envp++) {
		int variable = variable_of(*envp);

		if (variable >= 0)
			bytes += sb_strlen(*envp) + 2 + addition_size(want, variable);
	}
	for (int i = 0; i < VARIABLES; i++)
		bytes += sb_strlen(names[i]) + 2 + addition_size(want, i);
	bytes += sizeof(SB_ENV_TRACE) + TOKEN_ROOM + sb_strlen(want->flags) + sb_strlen(want->log);
	return entries * sizeof(char *) + bytes;
}

static void put_addition(char *buf, size_t size, size_t *at, const struct sb_env_want *want,
			 int variable)
{
	if (variable == TUNABLES) {
		(void)sb_puts(buf, size, at, TLS_NAME);
		(void)sb_put_number(buf, size, at, want->static_tls + TLS_DEFAULT, 10);
		return;
	}
	(void)sb_puts(buf, size, at, want->modules);
	(void)sb_puts(buf, size, at, "/");
	(void)sb_puts(buf, size, at, modules_of[variable]);
}

/* NAME=OWN:OURS at *p, which moves past it. Own may be NULL: there was no such variable. */
static char *merge(char **p, const char *own, size_t own_len, const struct sb_env_want *want,
		   int variable)
{
	char *entry = *p;
	size_t size = sb_strlen(names[variable]) + own_len + 2 + addition_size(want, variable);
	size_t at = 0;

	(void)sb_puts(entry, size, &at, names[variable]);
	if (own) {
		(void)sb_put(entry, size, &at, own, own_len);
		if (wanted(want, variable))
			(void)sb_puts(entry, size, &at, ":");
	}
	if (wanted(want, variable))
		put_addition(entry, size, &at, want, variable);
	*p += at + 1;
	return entry;
}

static char *put_trace(char *p, const struct sb_env_want *want)
{
	size_t size =
		sizeof(SB_ENV_TRACE) + TOKEN_ROOM + sb_strlen(want->flags) + sb_strlen(want->log);
	size_t at = 0;

	(void)sb_puts(p, size, &at, SB_ENV_TRACE "=");
	(void)sb_put_number(p, size, &at, want->token, 16);
	if (want->flags[0] || wanted(want, TUNABLES)) {
		(void)sb_puts(p, size, &at, ".");
		(void)sb_puts(p, size, &at, want->flags);
		if (wanted(want, TUNABLES))
			(void)sb_puts(p, size, &at, "t");
	}
	(void)sb_puts(p, size, &at, ":");
	(void)sb_puts(p, size, &at, want->log);
	return p;
}

char **sb_env_compose(char *const *envp, const struct sb_env_want *want, void *buf)
{
	char **array = buf;

	return sb_env_compose_apart(envp, want, array, (char *)(array + sb_env_entries(envp)));
}

char **sb_env_compose_apart(char *const *envp, const struct sb_env_want *want, char **out, char *p)
{
	bool tunables = has_tunables(envp);
	bool have[VARIABLES] = {false};
	size_t n = 0;

	for (; envp && *envp; envp++) {
		int variable = variable_of(*envp);
		const char *value;
		long own;

		if (sb_starts(*envp, SB_ENV_TRACE "="))
			continue;
		if (variable < 0) {
			out[n++] = *envp;
			continue;
		}
		value = *envp + sb_strlen(names[variable]);
		own = own_part(value, variable, want->modules, tunables);
		if (own < 0)
			continue;
		have[variable] = true;
		out[n++] = merge(&p, value, (size_t)own, want, variable);
	}
	for (int i = 0; i < VARIABLES; i++)
		if (!have[i] && wanted(want, i))
			out[n++] = merge(&p, NULL, 0, want, i);
	if (want->trace)
		out[n++] = put_trace(p, want);
	out[n] = NULL;
	return out;
}

void sb_env_hide(char **envp, const char *modules)
{
	bool tunables = has_tunables(envp);
	char **kept = envp;

	for (; *envp; envp++) {
		int variable = variable_of(*envp);
		char *value;
		long own;

		if (sb_starts(*envp, SB_ENV_TRACE "="))
			continue;
		if (variable >= 0) {
			value = *envp + sb_strlen(names[variable]);
			own = own_part(value, variable, modules, tunables);
			if (own < 0)
				continue;
			if (value[own])
				value[own] = 0;
		}
		*kept++ = *envp;
	}
	/* What follows the old end is left as it is: nobody reads past the first NULL. */
	*kept = NULL;
}

bool sb_env_nested(char *const *envp, const char *log)
{
	char *const *theirs = sb_env_find(envp, SB_ENV_TRACE "=");
	const char *colon = theirs ? sb_strchr(*theirs, ':') : NULL;

	return colon && !(sb_starts(colon + 1, log) && !colon[1 + sb_strlen(log)]);
}

char *sb_env_preload_part(char *const *envp, const char *modules)
{
	char *const *list = sb_env_find(envp, names[PRELOAD]);
	char *value = list ? *list + sb_strlen(names[PRELOAD]) : NULL;
	long own = value ? own_part(value, PRELOAD, modules, false) : 0;

	if (!value || own == (long)sb_strlen(value))
		return NULL;
	return own < 0 ? value : value + own;
}

bool sb_env_lists_preload(char *const *envp, const char *modules)
{
	return sb_env_preload_part(envp, modules) != NULL;
}
