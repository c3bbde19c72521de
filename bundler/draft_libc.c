/*
 * What the C library of the payload needs without any program saying so: files that it reads
 * by itself, and names under which its dynamic linker finds libraries without a cache.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/draft_state.h"
#include "bundler/rootfile.h"
#include "common/cleanup.h"
#include "common/path.h"

#define NSSWITCH      "/etc/nsswitch.conf"
#define NSSWITCH_MOST (1u << 20)

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "plan the bundle");
}

static bool in_glibc_root(const struct sb_draft *draft)
{
	for (size_t i = 0; i < draft->state->closure_count; i++) {
		const struct sb_linker *linker = draft->state->closures[i].linker;

		if (linker && linker->libc == SB_LIBC_GLIBC)
			return true;
	}
	return false;
}

/* The dynamic linker of a closure's programs: that of the first one that has any. */
static int find_linker(struct sb_draft *draft, struct draft_closure *c, struct sb_err *err)
{
	struct sb_program program;
	const struct sb_elf *elf;
	int rc = c->program ? sb_closure_program(c->closure, c->program, &program, err) : 0;

	if (rc < 0 || !c->program || !program.interp || !program.elf)
		return rc;
	elf = sb_closure_elf(c->closure, program.elf);
	return sb_linker_read(draft->set->root, program.interp, elf ? elf->arch : NULL, &c->linker,
			      err);
}

/* --- name services: nsswitch.conf(5) ---------------------------------------------------------- */

static int add_service(struct sb_draft *draft, const char *service, size_t len, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_CONFIG, .from = NSSWITCH};
	auto_buf soname = SB_BUF_INIT;

	if (sb_buf_printf(&soname, "libnss_%.*s.so.2", (int)len, service) < 0)
		return no_memory(err);
	why.detail = soname.s;
	for (size_t i = 0; i < draft->state->closure_count; i++) {
		const struct draft_closure *c = &draft->state->closures[i];

		if (!c->linker || c->linker->libc != SB_LIBC_GLIBC)
			continue;
		int rc = sb_closure_add_soname(c->closure, c->program, soname.s, &why, err);
		if (rc < 0)
			return rc;
		if (rc > 0)
			break;
	}
	return 0;
}

/* "hosts: files mdns4_minimal [NOTFOUND=return] dns" */
static int add_services(struct sb_draft *draft, const char *line, struct sb_err *err)
{
	const char *colon = strchr(line, ':');

	for (const char *p = colon ? colon + 1 : ""; *p;) {
		p += strspn(p, " \t");
		size_t len = strcspn(p, *p == '[' ? "]" : " \t[");
		if (*p && *p != '[') {
			int rc = add_service(draft, p, len, err);

			if (rc < 0)
				return rc;
		}
		p += len + (p[len] == ']');
	}
	return 0;
}

static int add_name_services(struct sb_draft *draft, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_CONFIG, .from = "libc.so.6"};
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf text = SB_BUF_INIT;
	char *state, *line;
	int rc = 0;

	if (sb_root_read(draft->set->root, NSSWITCH, NSSWITCH_MOST, &text, &ignored) < 0 || !text.s)
		return 0; /* without one libc takes its defaults */
	rc = sb_fileset_add(draft->set, NSSWITCH, 0, &why, NULL, err);
	for (line = strtok_r(text.s, "\n", &state); line && rc >= 0;
	     line = strtok_r(NULL, "\n", &state)) {
		line[strcspn(line, "#")] = '\0';
		rc = add_services(draft, line, err);
	}
	return rc < 0 ? rc : 0;
}

/* --- locales and time zones ------------------------------------------------------------------- */

/* What is not there is not needed. */
static int add_if_there(struct sb_draft *draft, const char *path, const char *detail,
			bool *ret_there, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_CONFIG, .from = "libc.so.6", .detail = detail};
	struct sb_err failed = SB_ERR_INIT;
	int rc = sb_fileset_add(draft->set, path, 0, &why, NULL, &failed);

	*ret_there = rc >= 0;
	if (rc == -ENOMEM)
		return no_memory(err);
	return 0;
}

/* Every category of one locale's directory. */
static int add_locale_directory(struct sb_draft *draft, const char *name, const char *locale,
				bool *ret_there, struct sb_err *err)
{
	static const char *const categories[] = {
		"LC_ADDRESS",	  "LC_COLLATE",	  "LC_CTYPE", "LC_IDENTIFICATION",
		"LC_MEASUREMENT", "LC_MONETARY",  "LC_NAME",  "LC_NUMERIC",
		"LC_PAPER",	  "LC_TELEPHONE", "LC_TIME",  "LC_MESSAGES/SYS_LC_MESSAGES",
	};
	auto_buf dir = SB_BUF_INIT;
	bool there;
	int rc = 0;

	if (sb_buf_printf(&dir, "/usr/lib/locale/%s/", name) < 0)
		return no_memory(err);
	*ret_there = false;
	for (size_t i = 0; i < sizeof categories / sizeof *categories && rc == 0; i++) {
		size_t len = dir.len;

		if (sb_buf_puts(&dir, categories[i]) < 0)
			return no_memory(err);
		rc = add_if_there(draft, dir.s, locale, &there, err);
		*ret_there |= there;
		sb_buf_cut(&dir, len);
	}
	return rc;
}

/* "de_DE.UTF-8@euro" as localedef(1) names the directory: "de_DE.utf8@euro". */
static int normalized(const char *locale, struct sb_buf *ret)
{
	const char *dot = strchr(locale, '.');
	size_t head = dot ? (size_t)(dot - locale) : strlen(locale);
	int rc = sb_buf_add(ret, locale, head);

	if (dot && rc == 0)
		rc = sb_buf_putc(ret, '.');
	for (const char *p = locale + head + !!dot; *p && *p != '@' && rc == 0; p++)
		if (isalnum((unsigned char)*p))
			rc = sb_buf_putc(ret, (char)tolower((unsigned char)*p));
	const char *modifier = strchr(locale, '@');
	return rc == 0 && modifier && dot ? sb_buf_puts(ret, modifier) : rc;
}

static int add_locale(struct sb_draft *draft, const char *locale, struct sb_err *err)
{
	auto_buf other = SB_BUF_INIT;
	bool there = false;

	/* Built in; and no name is a path. */
	if (strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0 || strchr(locale, '/') ||
	    locale[0] == '.')
		return 0;
	if (normalized(locale, &other) < 0)
		return no_memory(err);
	int rc = add_locale_directory(draft, locale, locale, &there, err);
	if (rc == 0 && !there)
		rc = add_locale_directory(draft, other.s, locale, &there, err);
	if (rc == 0 && !there)
		rc = add_if_there(draft, "/usr/lib/locale/locale-archive", locale, &there, err);
	if (rc == 0)
		rc = add_if_there(draft, "/usr/share/locale/locale.alias", locale, &there, err);
	return rc;
}

static int add_zone(struct sb_draft *draft, const char *zone, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;
	bool there;

	zone += *zone == ':';
	if (sb_path_absolute(&path, "/usr/share/zoneinfo", zone) < 0)
		return no_memory(err);
	return strstr(zone, "..") ? 0 : add_if_there(draft, path.s, "TZ", &there, err);
}

int draft_add_libc_files(struct sb_draft *draft, struct sb_err *err)
{
	struct sb_draft_state *state = draft->state;
	int rc = 0;

	for (size_t i = 0; i < state->closure_count && rc == 0; i++)
		rc = find_linker(draft, &state->closures[i], err);
	if (rc < 0 || !in_glibc_root(draft))
		return rc;
	rc = add_name_services(draft, err);
	/* The one that every user has, whatever was set where the bundle was made. */
	if (rc == 0)
		rc = add_locale(draft, "C.UTF-8", err);
	for (size_t i = 0; i < state->locales.count && rc == 0; i++)
		rc = add_locale(draft, state->locales.entries[i].key, err);
	for (size_t i = 0; i < state->zones.count && rc == 0; i++)
		rc = add_zone(draft, state->zones.entries[i].key, err);
	return rc;
}

/* --- libraries that only a cache or a variable leads to --------------------------------------- */

static int real_directory(const struct sb_draft *draft, const char *dir, struct sb_buf *ret)
{
	struct sb_err ignored = SB_ERR_INIT;

	return sb_resolve(draft->set->root, dir, SB_RESOLVE_MISSING, NULL, NULL, ret, &ignored);
}

/*
 * A directory of the linker's own that the payload has, for this library: the one where libc is,
 * else any. Sets *ret_there where the library is in one of them already.
 */
static int choose_directory(const struct sb_draft *draft, const struct sb_linker *linker,
			    const char *soname, struct sb_buf *ret_dir, bool *ret_there)
{
	bool has_libc = false;

	*ret_there = false;
	sb_buf_cut(ret_dir, 0);
	for (size_t i = 0; i < linker->system_dirs.count; i++) {
		auto_buf dir = SB_BUF_INIT, file = SB_BUF_INIT;

		if (real_directory(draft, linker->system_dirs.entries[i].key, &dir) < 0 ||
		    !sb_fileset_find(draft->set, dir.s))
			continue;
		if (sb_buf_printf(&file, "%s/%s", dir.s, soname) < 0)
			return -ENOMEM;
		*ret_there |= sb_fileset_find(draft->set, file.s) != NULL;
		sb_buf_cut(&file, dir.len);
		if (sb_buf_puts(&file, "/libc.so.6") < 0)
			return -ENOMEM;
		if (has_libc || (ret_dir->len && !sb_fileset_find(draft->set, file.s)))
			continue;
		has_libc = sb_fileset_find(draft->set, file.s);
		if (sb_buf_set(ret_dir, dir.s) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_alias(struct sb_draft *draft, const struct sb_linker *linker,
		     const struct sb_edge *edge, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_LINK, .from = edge->path};
	auto_buf path = SB_BUF_INIT;
	bool there;

	if (choose_directory(draft, linker, edge->name, &path, &there) < 0)
		return no_memory(err);
	if (there || !path.len || strchr(edge->name, '/'))
		return 0;
	if (sb_buf_printf(&path, "/%s", edge->name) < 0)
		return no_memory(err);
	return sb_fileset_add_link(draft->set, path.s, edge->path, &why, err);
}

int draft_add_aliases(struct sb_draft *draft, struct sb_err *err)
{
	for (size_t i = 0; i < draft->state->closure_count; i++) {
		const struct draft_closure *c = &draft->state->closures[i];

		for (size_t n = 0; c->linker && n < c->closure->edge_count; n++) {
			const struct sb_edge *edge = &c->closure->edges[n];
			bool lost = edge->how == SB_FOUND_CACHE || edge->how == SB_FOUND_CONF ||
				    (edge->how == SB_FOUND_LIBRARY_PATH && !c->replay);
			int rc = lost && edge->path && !edge->variant
					 ? add_alias(draft, c->linker, edge, err)
					 : 0;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}
