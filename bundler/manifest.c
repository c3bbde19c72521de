#include "bundler/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/manifest_state.h"
#include "common/cleanup.h"

void *manifest_array(struct sb_manifest *m, size_t count, size_t size)
{
	struct sb_manifest_store *store = m->store;
	void *array;

	if (store->array_count == store->array_cap) {
		size_t cap = store->array_cap ? store->array_cap * 2 : 32;
		void **grown = reallocarray(store->arrays, cap, sizeof *grown);

		if (!grown)
			return NULL;
		store->arrays = grown;
		store->array_cap = cap;
	}
	array = calloc(count ? count : 1, size);
	if (array)
		store->arrays[store->array_count++] = array;
	return array;
}

int sb_manifest_read(int bundle_fd, struct sb_manifest **ret, struct sb_err *err)
{
	/* O_NONBLOCK: a fifo in its place must not hold us up. */
	auto_fd int fd =
		openat(bundle_fd, SB_MANIFEST_PATH, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 && errno == ENOENT)
		return sb_fail(err, SB_ESAID,
			       "this is no bundle: it has no " SB_MANIFEST_PATH
			       " (give a directory that 'create' has made)");
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "open '" SB_MANIFEST_PATH "'");
	if (!S_ISREG(st.st_mode) || st.st_size > SB_MANIFEST_MAX)
		return sb_fail(err, SB_ESAID,
			       "'" SB_MANIFEST_PATH "' is no file of at most 256 MiB");
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return sb_fail(err, ENOMEM, "read the manifest");
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0)
			return sb_fail(err, errno, "read '" SB_MANIFEST_PATH "'");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return sb_manifest_parse(text, len, ret, err);
}

const struct sb_manifest_file *sb_manifest_find(const struct sb_manifest *m, const char *path)
{
	const struct sb_map_entry *e = sb_map_finds(&m->store->by_path, path);

	return e ? &m->files[(uintptr_t)e->value - 1] : NULL;
}

void sb_manifest_free(struct sb_manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->store->array_count; i++)
		free(m->store->arrays[i]);
	free(m->store->arrays);
	sb_map_free(&m->store->strings);
	sb_map_free(&m->store->by_path);
	free(m->store);
	free(m);
}

const char *sb_host_gap_name(enum sb_host_gap gap)
{
	static const char *const names[SB_GAP_COUNT] = {NULL, "static", "go", "linker"};

	return names[gap];
}
