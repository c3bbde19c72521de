#include "launcher/bundle.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/path.h"

/* The kernel's own answer. A file that was unlinked or replaced since has a name that leads
 * nowhere. */
static int by_link(const char *link, struct sb_buf *ret)
{
	char path[PATH_MAX];
	struct stat st;
	ssize_t n = readlink(link, path, sizeof path - 1);

	if (n <= 0)
		return -1;
	path[n] = '\0';
	if (path[0] != '/' || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	return sb_buf_set(ret, path);
}

static int by_name(const char *execfn, struct sb_buf *ret)
{
	auto_buf path = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	char cwd[PATH_MAX];

	if (!execfn || (execfn[0] != '/' && !getcwd(cwd, sizeof cwd)))
		return -1;
	if (execfn[0] != '/' && (sb_buf_puts(&path, cwd) < 0 || sb_buf_putc(&path, '/') < 0))
		return -1;
	if (sb_buf_puts(&path, execfn) < 0)
		return -1;
	return sb_resolve("", path.s, 0, NULL, NULL, ret, &ignored);
}

int launch_bundle_find(const char *link, const char *execfn, struct sb_buf *ret_dir,
		       struct sb_buf *ret_entry, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (by_link(link, &path) < 0 && by_name(execfn, &path) < 0)
		return sb_fail(err, SB_ESAID,
			       "cannot find the bundle: '%s' does not tell (is /proc mounted?), "
			       "and neither "
			       "does the name '%s'; start the entry by its absolute path",
			       link, execfn ? execfn : "");
	char *slash = strrchr(path.s, '/');
	if (sb_buf_set(ret_entry, slash + 1) < 0)
		return sb_fail(err, ENOMEM, "find the bundle");
	*slash = '\0';
	slash = strrchr(path.s, '/');
	if (!slash || strcmp(slash, "/bin") != 0)
		return sb_fail(err, SB_ESAID, "'%s/%s' is not in the bin/ of a bundle", path.s,
			       ret_entry->s);
	*slash = '\0';
	if (sb_buf_set(ret_dir, *path.s ? path.s : "/") < 0)
		return sb_fail(err, ENOMEM, "find the bundle");
	return 0;
}
