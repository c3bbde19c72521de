/* What paths and backends tell about why something was not seen. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/path.h"
#include "tracer/diff_private.h"

/* Random names have at least so many letters. */
#define RANDOM_LEAST 6

#define ALL_KINDS (~0u)

static const struct {
	const char *name;
	struct diff_sight sight;
} backends[] = {
	{"audit", {ALL_KINDS, true, true, false}},
	{"fanotify", {1u << SB_EXEC | 1u << SB_OPEN, false, false, true}},
	{"combined", {ALL_KINDS, true, false, true}},
};

struct diff_sight diff_sight_of(const struct sb_trace *t)
{
	struct diff_sight sight = {ALL_KINDS, true, false, true};

	/* What all commands of a merged trace were watched for. */
	for (size_t c = 0; c < t->command_count; c++) {
		const char *name = t->commands[c].header.backend;
		struct diff_sight one = {ALL_KINDS, true, false, false};

		for (size_t i = 0; name && i < sizeof backends / sizeof *backends; i++)
			if (strcmp(backends[i].name, name) == 0)
				one = backends[i].sight;
		sight.kinds &= one.kinds;
		sight.failures &= one.failures;
		sight.symbols |= one.symbols;
		sight.files &= one.files;
	}
	return sight;
}

bool diff_is_libc(const char *path)
{
	static const char *const globs[] = {
		/* the dynamic linker */
		"/etc/ld.so.cache",
		"/etc/ld.so.preload",
		"**/glibc-hwcaps",
		"**/glibc-hwcaps/**",
		"**/ld-linux*.so.*",
		"**/ld-musl-*",
		/* locales, messages, character sets, time zones */
		"/etc/locale.alias",
		"**/share/locale/locale.alias",
		"**/usr/lib/locale",
		"**/usr/lib/locale/**",
		"**/share/locale/**",
		"**/share/locale-langpack/**",
		"**/gconv/**",
		"**/gconv-modules*",
		"/etc/localtime",
		"**/zoneinfo/**",
		/* name services, and whether the root is another one since */
		"/",
		"/etc/nsswitch.conf",
		"/etc/passwd",
		"/etc/group",
		"/etc/shadow",
		"/etc/gshadow",
		"/etc/hosts",
		"/etc/host.conf",
		"/etc/resolv.conf",
		"/etc/gai.conf",
		"/etc/services",
		"/etc/protocols",
		"/etc/networks",
		"/etc/netgroup",
		"/etc/aliases",
		"/etc/ethers",
		"/etc/rpc",
		"**/libnss_*.so*",
		"**/run/nscd/**",
		"**/run/systemd/userdb/**",
		"/run/systemd/machines",
		/* what the machine is */
		"/sys/devices/system/cpu/**",
		"/sys/devices/system/node/**",
		"/sys/kernel/mm/transparent_hugepage/**",
		"/proc/stat",
		"/proc/meminfo",
		"/proc/cpuinfo",
		"/proc/mounts",
		"/proc/sys/**",
		"/proc/*/maps",
		"/proc/*/fd",
		"/proc/*/task/**",
		/* terminals, the system log */
		"/dev/tty",
		"/dev/ptmx",
		"/dev/pts/ptmx",
		"/dev/log",
		"/run/systemd/journal/dev-log",
		"/etc/shells",
		"/etc/ttys",
		"/run/utmp",
		"/var/log/wtmp",
	};

	for (size_t i = 0; i < sizeof globs / sizeof *globs; i++)
		if (sb_glob_match(globs[i], path))
			return true;
	return false;
}

bool diff_is_process(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 && isdigit((unsigned char)path[6]);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* A word as mkstemp(3) and its like make them: long, and with a digit or a capital in it. */
static bool is_random(const char *word, size_t len)
{
	bool digit = false, upper = false, lower = false;

	for (size_t i = 0; i < len; i++) {
		digit |= isdigit((unsigned char)word[i]) != 0;
		upper |= isupper((unsigned char)word[i]) != 0;
		lower |= islower((unsigned char)word[i]) != 0;
	}
	return len >= RANDOM_LEAST && (lower || upper) && (digit || (upper && lower));
}

/* Python's and gcc's, one in twelve and one in two hundred of which are small letters alone. */
static bool is_temporary(const char *word, size_t len)
{
	static const char *const fronts[] = {"tmp", "cc"};

	for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) {
		size_t front = strlen(fronts[i]);

		if ((len == front + 6 || len == front + 8) && strncmp(word, fronts[i], front) == 0)
			return true;
	}
	return false;
}

static int add_word(struct sb_buf *ret, const char *word, size_t len)
{
	if (is_random(word, len) || is_temporary(word, len))
		return sb_buf_printf(ret, "?%zu", len);
	for (size_t i = 0; i < len; i++) {
		bool digit = isdigit((unsigned char)word[i]) != 0;

		if (digit && i && isdigit((unsigned char)word[i - 1]))
			continue;
		if (sb_buf_putc(ret, digit ? '#' : word[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

int diff_skeleton(const char *path, struct sb_buf *ret)
{
	sb_buf_cut(ret, 0);
	while (*path) {
		size_t len = 0;

		while (is_word(path[len]))
			len++;
		if (len ? add_word(ret, path, len) < 0 : sb_buf_putc(ret, *path) < 0)
			return -ENOMEM;
		path += len ? len : 1;
	}
	return 0;
}

const char *sb_diff_why_name(const struct sb_diff_item *item, char *ret, size_t size)
{
	static const char *const names[SB_DIFF_WHY_COUNT] = {
		[SB_DIFF_NOT_DONE] = "not done",     [SB_DIFF_OUTCOME] = "outcome",
		[SB_DIFF_UNWATCHED] = "not watched", [SB_DIFF_NOT_RUN] = "not run",
		[SB_DIFF_TIMING] = "timing",	     [SB_DIFF_INCOMPLETE] = "incomplete",
		[SB_DIFF_LIBC] = "inside libc",	     [SB_DIFF_RAW] = "raw system call",
		[SB_DIFF_IO_URING] = "io_uring",     [SB_DIFF_BLIND] = NULL,
	};

	if (item->why != SB_DIFF_BLIND)
		return names[item->why];
	if (item->blind == SB_BLIND_URING)
		return names[SB_DIFF_IO_URING];
	if (item->blind == SB_BLIND_SETID)
		return "set-id program";
	(void)snprintf(ret, size, "%s program", sb_blind_name(item->blind));
	return ret;
}
