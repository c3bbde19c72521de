/* run: an entry of a bundle, as its launcher would start it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "tools/command.h"

struct run_options {
	const char *mode;
};

static const struct sb_option options[] = {
	{"run-mode", 0, SB_OPT_CHOICE, "MODE", "how the program sees the bundle's files",
	 "host|namespace|bwrap|chroot|auto", offsetof(struct run_options, mode)},
	{NULL, 0, SB_OPT_FLAG, NULL, NULL, NULL, 0},
};

/* The names in bin/, sorted. */
static int list_entries(const char *bundle, struct sb_map *ret, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;
	struct dirent *d;
	struct stat st;

	if (sb_buf_printf(&path, "%s/bin", bundle) < 0)
		return sb_fail(err, ENOMEM, "list the entries");
	auto_dir DIR *dir = opendir(path.s);
	if (!dir)
		return sb_fail(err, errno, "open '%s' (is '%s' a bundle?)", path.s, bundle);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && fstatat(dirfd(dir), d->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode) && !sb_map_adds(ret, d->d_name, NULL))
			return sb_fail(err, ENOMEM, "list the entries");
	if (!ret->count)
		return sb_fail(err, SB_ESAID, "'%s' has no entries: it is no bundle", path.s);
	sb_map_sort(ret);
	return 0;
}

/* Which one is left open: says which there are. */
static int ask(const struct sb_map *entries, const char *bundle, const char *wrong,
	       struct sb_err *err)
{
	auto_buf names = SB_BUF_INIT;

	for (size_t i = 0; i < entries->count; i++)
		if (sb_buf_printf(&names, "%s%s", i ? " " : "", entries->entries[i].key) < 0)
			return sb_fail(err, ENOMEM, "list the entries");
	if (wrong)
		return sb_fail(err, SB_EUSAGE, "'%s' has no entry '%s', but: %s", bundle, wrong,
			       names.s);
	return sb_fail(err, SB_EUSAGE, "'%s' has several entries, name one: %s", bundle, names.s);
}

static int start(const char *bundle, const char *entry, const char *mode, char **argv,
		 struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_buf_printf(&path, "%s/bin/%s", bundle, entry) < 0)
		return sb_fail(err, ENOMEM, "run '%s'", entry);
	if (mode && setenv("SIDEBUNDLE_RUN_MODE", mode, 1) < 0)
		return sb_fail(err, errno, "set SIDEBUNDLE_RUN_MODE");
	/* argv[0] is the last of what we were given, and nobody needs it any more. */
	argv[0] = path.s;
	(void)execv(path.s, argv);
	return sb_fail(err, errno, "run '%s'", path.s);
}

static int run(int argc, char **argv, struct sb_err *err);

const struct sb_command sb_cmd_run = {
	.name = "run",
	.args = "BUNDLE [--run-mode MODE] [ENTRY [ARG...]]",
	.summary = "run an entry of a bundle, as its launcher would",
	.options = options,
	.details = "A bundle with one entry needs no ENTRY. Exits as the program does; 125 the "
		   "launcher failed,\n"
		   "126 the program could not be executed, 127 it is not there.\n",
	.run = run,
};

static int run(int argc, char **argv, struct sb_err *err)
{
	struct run_options values = {NULL};
	auto_map entries = SB_MAP_INIT;
	int first;
	int rc = sb_options_parse(&sb_cmd_run, argc, argv, true, &values, &first, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (first >= argc)
		return sb_fail(err, SB_EUSAGE, "run: no bundle given (see run --help)");
	const char *bundle = argv[first];
	argc -= first;
	argv += first;
	rc = sb_options_parse(&sb_cmd_run, argc, argv, true, &values, &first, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = list_entries(bundle, &entries, err);
	if (rc < 0)
		return rc;
	if (first == argc && entries.count > 1)
		return ask(&entries, bundle, NULL, err);
	if (first < argc && !sb_map_finds(&entries, argv[first]))
		return ask(&entries, bundle, argv[first], err);
	/* Without ENTRY there are no arguments either: its place is the terminating NULL's. */
	char *none[] = {NULL, NULL};
	return start(bundle, first < argc ? argv[first] : entries.entries[0].key, values.mode,
		     first < argc ? argv + first : none, err);
}
