#include "bundler/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/path.h"

int sb_owners_ask(struct sb_owners *owners, const char *path)
{
	return sb_map_adds(&owners->paths, path, NULL) ? 0 : -ENOMEM;
}

const char *sb_owners_of(const struct sb_owners *owners, const char *path)
{
	const struct sb_map_entry *e = sb_map_finds(&owners->paths, path);

	return e ? e->value : NULL;
}

void sb_owners_free(struct sb_owners *owners)
{
	sb_map_free(&owners->paths);
	sb_map_free(&owners->strings);
}

/*
 * Where /bin, /sbin and /lib* are links into /usr, packages still list some files by their old
 * names.
 */
static struct sb_map_entry *asked(const struct sb_owners *owners, const char *path)
{
	static const char *const moved[] = {"/bin/", "/sbin/", "/lib"};
	struct sb_map_entry *e = sb_map_finds(&owners->paths, path);

	for (size_t i = 0; !e && i < sizeof moved / sizeof *moved; i++) {
		char real[PATH_MAX];

		if (strncmp(path, moved[i], strlen(moved[i])) == 0 &&
		    snprintf(real, sizeof real, "/usr%s", path) < (int)sizeof real)
			e = sb_map_finds(&owners->paths, real);
	}
	return e;
}

/* The text of a file, NULL where there is none. */
static char *read_text(int dirfd, const char *name)
{
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	auto_buf text = SB_BUF_INIT;
	char piece[65536];
	ssize_t n = 0;

	while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
		if (sb_buf_add(&text, piece, (size_t)n) < 0)
			return NULL;
	return fd < 0 || n < 0 ? NULL : sb_buf_steal(&text);
}

/* Every line that was asked for belongs to `package`, unless another one had it first. */
static int match_list(struct sb_owners *owners, char *list, const char *package)
{
	char *state, *line = strtok_r(list, "\n", &state);

	for (; line; line = strtok_r(NULL, "\n", &state)) {
		struct sb_map_entry *e = asked(owners, line);

		if (!e || e->value)
			continue;
		e->value = (void *)sb_map_intern(&owners->strings, package);
		if (!e->value)
			return -ENOMEM;
	}
	return 0;
}

static int is_list(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".list") == 0;
}

static int match_lists(struct sb_owners *owners, int info)
{
	struct dirent **entries = NULL;
	/* In order of names: a directory that many packages share has a first owner. */
	int n = scandirat(info, ".", &entries, is_list, alphasort), rc = 0;

	for (int i = 0; i < n; i++) {
		auto_free char *list = rc == 0 ? read_text(info, entries[i]->d_name) : NULL;

		entries[i]->d_name[strlen(entries[i]->d_name) - 5] = '\0';
		if (list)
			rc = match_list(owners, list, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* "Package: x\nArchitecture: amd64\nVersion: 1\n\n": the value of a field, cut out in place. */
static char *field(char *paragraph, const char *name)
{
	size_t len = strlen(name);

	for (char *line = paragraph; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0)
			return line + len;
	}
	return NULL;
}

static int add_version(struct sb_owners *owners, char *paragraph, struct sb_map *versions)
{
	char *name = field(paragraph, "Package: "), *arch = field(paragraph, "Architecture: ");
	char *version = field(paragraph, "Version: ");
	auto_buf owner = SB_BUF_INIT, qualified = SB_BUF_INIT;
	struct sb_map_entry *e;

	if (!name || !arch || !version)
		return 0;
	name[strcspn(name, "\n")] = arch[strcspn(arch, "\n")] = version[strcspn(version, "\n")] =
		'\0';
	if (sb_buf_printf(&qualified, "%s:%s", name, arch) < 0)
		return -ENOMEM;
	/* A list has the architecture in its name only where several may be installed together. */
	const char *names[] = {name, qualified.s};
	for (size_t i = 0; i < 2; i++) {
		if (!sb_map_finds(&owners->strings, names[i]))
			continue;
		sb_buf_cut(&owner, 0);
		e = sb_map_adds(versions, names[i], NULL);
		if (!e || sb_buf_printf(&owner, "%s=%s", names[i], version) < 0)
			return -ENOMEM;
		e->value = (void *)sb_map_intern(&owners->strings, owner.s);
		if (!e->value)
			return -ENOMEM;
	}
	return 0;
}

/* Makes "name" "name=version". */
static int add_versions(struct sb_owners *owners, char *status)
{
	auto_map versions = SB_MAP_INIT;
	int rc = 0;

	for (char *paragraph = status, *end; paragraph && rc == 0; paragraph = end) {
		end = strstr(paragraph, "\n\n");
		if (end) {
			*end = '\0';
			end += 2;
		}
		rc = add_version(owners, paragraph, &versions);
	}
	for (size_t i = 0; i < owners->paths.count; i++) {
		struct sb_map_entry *path = &owners->paths.entries[i];
		const struct sb_map_entry *e =
			path->value ? sb_map_finds(&versions, path->value) : NULL;

		if (e && e->value)
			path->value = e->value;
	}
	return rc;
}

int sb_owners_look_up(struct sb_owners *owners, const char *root, struct sb_err *err)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_in_root(&path, root, "/var/lib/dpkg") < 0)
		return sb_fail(err, ENOMEM, "look for packages");
	auto_fd int dpkg = open(path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int info = dpkg < 0 ? -1 : openat(dpkg, "info", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (info < 0)
		return 0;
	int rc = match_lists(owners, info);
	auto_free char *status = rc == 0 ? read_text(dpkg, "status") : NULL;
	if (status)
		rc = add_versions(owners, status);
	return rc < 0 ? sb_fail(err, -rc, "look for packages") : 0;
}
