#include "common/path.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Nothing in it to be taken out: as nearly every path is. */
static bool is_clean(const char *path)
{
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		const char *name = *p == '/' ? p + 1 : p;

		if (*name == '/' || *name == '\0' ||
		    (*name == '.' && (name[1] == '/' || name[1] == '\0')))
			return false;
	}
	return true;
}

int sb_path_absolute(struct sb_buf *ret, const char *dir, const char *path)
{
	size_t start = ret->len;

	if (path[0] == '/' && is_clean(path))
		return sb_buf_puts(ret, path);
	for (int part = path[0] == '/'; part < 2; part++) {
		const char *p = part ? path : dir;

		while (*p) {
			size_t len = strcspn(p, "/");

			if (len && !(len == 1 && p[0] == '.') &&
			    (sb_buf_putc(ret, '/') < 0 || sb_buf_add(ret, p, len) < 0))
				return -ENOMEM;
			p += len;
			p += strspn(p, "/");
		}
	}
	return ret->len == start ? sb_buf_putc(ret, '/') : 0;
}

bool sb_path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len && dir[len - 1] == '/')
		len--;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

const char *sb_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Matches one component of each; both end at '/' or NUL. */
static bool component_match(const char *glob, size_t glob_len, const char *name, size_t name_len)
{
	char pattern[NAME_MAX + 1], text[NAME_MAX + 1];

	if (glob_len >= sizeof pattern || name_len >= sizeof text)
		return glob_len == name_len && memcmp(glob, name, name_len) == 0;
	memcpy(pattern, glob, glob_len);
	pattern[glob_len] = '\0';
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	return fnmatch(pattern, text, FNM_PATHNAME) == 0;
}

/* The start of the next component, or NULL after the last one. */
static const char *next_component(const char *p, size_t len)
{
	return p[len] == '/' ? p + len + 1 : NULL;
}

/*
 * Component by component, with the last double star as the only place to come back to: a later one
 * makes every earlier choice as good as any, so the work is at most length times length.
 */
bool sb_glob_match(const char *glob, const char *path)
{
	const char *g = glob, *p = path;
	const char *star = NULL, *star_path = NULL;

	while (p) {
		size_t path_len = strcspn(p, "/");
		size_t glob_len = g ? strcspn(g, "/") : 0;

		if (g && glob_len == 2 && g[0] == '*' && g[1] == '*') {
			g = next_component(g, glob_len);
			if (!g)
				return true;
			star = g;
			star_path = p;
			continue;
		}
		if (g && component_match(g, glob_len, p, path_len)) {
			g = next_component(g, glob_len);
			p = next_component(p, path_len);
			if (p || !g)
				continue;
			/* A trailing double star also matches nothing at all. */
			return strcmp(g, "**") == 0;
		}
		if (!star)
			return false;
		star_path = next_component(star_path, strcspn(star_path, "/"));
		if (!star_path)
			return false;
		p = star_path;
		g = star;
	}
	return !g;
}

int sb_in_root(struct sb_buf *ret, const char *root, const char *path)
{
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	sb_buf_cut(ret, 0);
	if (sb_buf_add(ret, root, len) < 0 || sb_buf_puts(ret, path) < 0)
		return -ENOMEM;
	return ret->len ? 0 : sb_buf_putc(ret, '/');
}

/* What is left to follow, and where we are. */
struct walk {
	const char *root;
	unsigned flags;
	sb_hop_fn hop;
	void *arg;
	struct sb_buf at;   /* real path so far, "" for the root */
	struct sb_buf rest; /* components still to take */
	struct sb_buf full; /* scratch */
	int hops;
};

static int follow(struct walk *w, const char *target, struct sb_err *err)
{
	auto_buf rest = SB_BUF_INIT;

	if (++w->hops > 40)
		return sb_fail(err, ELOOP, "follow '%s'", sb_buf_str(&w->at));
	if (w->hop) {
		int rc = w->hop(w->arg, sb_buf_str(&w->at), target, err);

		if (rc < 0)
			return rc;
	}
	if (sb_buf_puts(&rest, target) < 0 || sb_buf_putc(&rest, '/') < 0 ||
	    sb_buf_puts(&rest, sb_buf_str(&w->rest)) < 0)
		return sb_fail(err, ENOMEM, "follow a symlink");
	sb_buf_free(&w->rest);
	w->rest = rest;
	rest = (struct sb_buf)SB_BUF_INIT;
	/* The link's own name goes; an absolute target starts over at the root. */
	const char *slash = strrchr(w->at.s, '/');
	sb_buf_cut(&w->at, target[0] == '/' ? 0 : (size_t)(slash - w->at.s));
	return 0;
}

/* Looks at the component just appended to w->at. */
static int step(struct walk *w, bool last, struct sb_err *err)
{
	char target[PATH_MAX];

	if (sb_in_root(&w->full, w->root, w->at.s) < 0)
		return sb_fail(err, ENOMEM, "resolve '%s'", w->at.s);
	ssize_t n = readlink(w->full.s, target, sizeof target - 1);
	if (n >= 0) {
		target[n] = '\0';
		if (last && w->flags & SB_RESOLVE_NOFOLLOW)
			return 0;
		return follow(w, target, err);
	}
	if (errno == EINVAL) /* there, and no symlink */
		return 0;
	if (errno == ENOENT && w->flags & SB_RESOLVE_MISSING)
		return 0;
	return sb_fail(err, errno, "resolve '%s'", w->full.s);
}

static int walk_all(struct walk *w, struct sb_err *err)
{
	for (;;) {
		char *rest = w->rest.s;
		size_t skip = rest ? strspn(rest, "/") : 0;
		size_t len = rest ? strcspn(rest + skip, "/") : 0;

		if (!len)
			return 0;
		auto_free char *name = strndup(rest + skip, len);
		if (!name)
			return sb_fail(err, ENOMEM, "resolve a path");
		size_t after = skip + len;
		bool last = rest[after + strspn(rest + after, "/")] == '\0';
		memmove(rest, rest + after, w->rest.len - after + 1);
		w->rest.len -= after;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			const char *slash = w->at.len ? strrchr(w->at.s, '/') : NULL;

			if (slash)
				sb_buf_cut(&w->at, (size_t)(slash - w->at.s));
			continue;
		}
		if (sb_buf_putc(&w->at, '/') < 0 || sb_buf_puts(&w->at, name) < 0)
			return sb_fail(err, ENOMEM, "resolve a path");
		int rc = step(w, last, err);
		if (rc < 0)
			return rc;
	}
}

int sb_resolve(const char *root, const char *path, unsigned flags, sb_hop_fn hop, void *arg,
	       struct sb_buf *ret_real, struct sb_err *err)
{
	struct walk w = {.root = root, .flags = flags, .hop = hop, .arg = arg};
	int rc = sb_buf_puts(&w.rest, path) < 0 ? sb_fail(err, ENOMEM, "resolve '%s'", path) : 0;

	if (rc == 0)
		rc = walk_all(&w, err);
	if (rc == 0 && sb_buf_set(ret_real, w.at.len ? w.at.s : "/") < 0)
		rc = sb_fail(err, ENOMEM, "resolve '%s'", path);
	sb_buf_free(&w.at);
	sb_buf_free(&w.rest);
	sb_buf_free(&w.full);
	return rc;
}

int sb_libexec_dir(struct sb_buf *ret, struct sb_err *err)
{
	const char *given = getenv("SIDEBUNDLE_LIBEXEC");
	char exe[PATH_MAX];

	if (given && *given)
		return sb_buf_set(ret, given) < 0 ? sb_fail(err, ENOMEM, "find libexec") : 0;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n < 0)
		return sb_fail(err, errno,
			       "find our own parts: read '/proc/self/exe' (is /proc mounted? else "
			       "set SIDEBUNDLE_LIBEXEC)");
	exe[n] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(exe, '/');

		if (slash)
			*slash = '\0';
	}
	sb_buf_cut(ret, 0);
	return sb_buf_printf(ret, "%s/libexec/sidebundle", exe) < 0
		       ? sb_fail(err, ENOMEM, "find libexec")
		       : 0;
}

/* Behind the last ".." of `path`; NULL: there is none. */
static const char *behind_dots(const char *path)
{
	const char *behind = NULL;

	for (const char *s = strstr(path, "/.."); s; s = strstr(s + 1, "/.."))
		if (s[3] == '/' || !s[3])
			behind = s + 3;
	return behind;
}

int sb_path_without_dots(const char *root, const char *dir, const char *path, struct sb_buf *ret,
			 struct sb_err *err)
{
	auto_buf whole = SB_BUF_INIT, front = SB_BUF_INIT, real = SB_BUF_INIT;

	if (sb_path_absolute(&whole, dir, path) < 0)
		return sb_fail(err, ENOMEM, "read '%s'", path);
	const char *behind = behind_dots(whole.s);
	if (!behind)
		return sb_buf_puts(ret, whole.s) < 0 ? sb_fail(err, ENOMEM, "read '%s'", path) : 0;
	if (sb_buf_add(&front, whole.s, (size_t)(behind - whole.s)) < 0)
		return sb_fail(err, ENOMEM, "read '%s'", path);
	int rc = sb_resolve(root, front.s, SB_RESOLVE_MISSING, NULL, NULL, &real, err);
	if (rc < 0)
		return rc;
	/* Nothing but the root has a slash at its end. */
	if (*behind && strcmp(real.s, "/") == 0)
		sb_buf_cut(&real, 0);
	return sb_buf_puts(ret, sb_buf_str(&real)) < 0 || sb_buf_puts(ret, behind) < 0
		       ? sb_fail(err, ENOMEM, "read '%s'", path)
		       : 0;
}
