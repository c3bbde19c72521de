#include "bundler/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bundler/copy.h"
#include "bundler/elf.h"
#include "bundler/patch.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"
#include "common/tree.h"
#include "redirect/index.h"

/* Libraries that ask the kernel themselves, by the name that the dynamic linker knows them by. */
static const char *const rewritten[] = {"libc.so.6", "libpthread.so.0"};

struct host {
	const struct sb_host_spec *spec;
	struct sb_manifest_file *files;
	size_t count;
	bool *script;
	const char **interps; /* by row, of programs; interned */
	bool *library;	      /* by row: one of the above */
	struct sb_map strings;
	struct sb_map searched; /* folders that RUNPATHs name */
	int dir;		/* libexec/host */
	struct sb_patch start;	/* where its gates are, and for which machine */
};

static const char *relative(const char *path)
{
	return path[1] ? path + 1 : ".";
}

/* A whole file in memory; unmapped by the caller. */
static int map_file(int dir, const char *name, void **ret, size_t *ret_size)
{
	struct stat st;
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!st.st_size)
		return -ENOEXEC;
	*ret_size = (size_t)st.st_size;
	*ret = mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return *ret == MAP_FAILED ? -errno : 0;
}

static bool is_rewritten(const struct sb_elf *elf)
{
	for (size_t i = 0; elf->soname && i < sizeof rewritten / sizeof *rewritten; i++)
		if (strcmp(elf->soname, rewritten[i]) == 0)
			return true;
	return false;
}

/* A note that the go command leaves near the beginning: its programs ask the kernel themselves. */
static bool is_go(int fd)
{
	static const char note[] = "\4\0\0\0Go\0";
	char head[4096];
	ssize_t n = pread(fd, head, sizeof head, 0);

	return n > 0 && memmem(head, (size_t)n, note, sizeof note) != NULL;
}

static enum sb_host_gap gap_of(const struct sb_elf *elf, int fd)
{
	if (elf->kind == SB_ELF_STATIC || elf->kind == SB_ELF_STATIC_PIE)
		return SB_GAP_STATIC;
	return elf->kind == SB_ELF_PROGRAM && is_go(fd) ? SB_GAP_GO : SB_GAP_NONE;
}

static int look_at_elf(struct host *h, size_t i, int fd, struct sb_err *err)
{
	struct sb_manifest_file *f = &h->files[i];
	struct sb_elf *elf = NULL;
	struct sb_err ignored = SB_ERR_INIT;
	int rc = 0;

	if (sb_elf_read(fd, f->path, &elf, &ignored) < 0)
		return 0; /* damaged: whoever starts it will hear so */
	h->library[i] = is_rewritten(elf);
	if (sb_host_runpath(elf, f->path, h->spec->set->root, &h->searched) < 0)
		rc = sb_fail(err, ENOMEM, "look at '%s'", f->path);
	if (rc == 0 && elf->kind == SB_ELF_PROGRAM && f->mode & 0111 && !h->library[i]) {
		h->interps[i] = sb_map_intern(&h->strings, elf->interp);
		rc = h->interps[i] ? 0 : sb_fail(err, ENOMEM, "look at '%s'", f->path);
	}
	if (f->mode & 0111)
		f->host_gap = gap_of(elf, fd);
	if (rc == 0 && f->host_gap && h->spec->remarks &&
	    sb_remark(h->spec->remarks, SB_REMARK_STATIC, f->path, NULL) < 0)
		rc = sb_fail(err, ENOMEM, "look at '%s'", f->path);
	sb_elf_free(elf);
	return rc;
}

static int look_at(struct host *h, size_t i, struct sb_err *err)
{
	const struct sb_manifest_file *f = &h->files[i];
	char head[4];

	if (f->type != SB_ITEM_FILE || !f->size || !(f->mode & 0111 || strstr(f->path, ".so")))
		return 0;
	auto_fd int fd =
		openat(h->spec->payload, relative(f->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sb_fail(err, errno, "open '%s' in the payload", f->path);
	ssize_t n = pread(fd, head, sizeof head, 0);
	h->script[i] = n > 2 && head[0] == '#' && head[1] == '!' && f->mode & 0111;
	return n == sizeof head && sb_elf_magic(head, (size_t)n) ? look_at_elf(h, i, fd, err) : 0;
}

/* --- what is written -------------------------------------------------------------------------- */

/* h->dir/root and the path, with the directories above. */
static int place_of(struct host *h, const char *path, struct sb_buf *ret, struct sb_err *err)
{
	if (sb_buf_set(ret, "root") < 0 || sb_buf_puts(ret, path) < 0)
		return sb_fail(err, ENOMEM, "make libexec/host");
	for (char *p = strchr(ret->s, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		int rc = mkdirat(h->dir, ret->s, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (rc < 0)
			return sb_fail(err, -rc, "make '" SB_HOST_DIR "/%s'", ret->s);
	}
	return 0;
}

static int write_bytes(struct host *h, const char *name, const struct sb_buf *bytes, mode_t mode,
		       char *ret_hash, struct sb_err *err)
{
	const struct timespec times[2] = {*h->spec->when, *h->spec->when};
	auto_fd int fd = openat(h->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t done = 0;

	if (fd < 0)
		return sb_fail(err, errno, "make '" SB_HOST_DIR "/%s'", name);
	while (done < bytes->len) {
		ssize_t n = write(fd, bytes->s + done, bytes->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_fail(err, errno, "write '" SB_HOST_DIR "/%s'", name);
		done += (size_t)n;
	}
	if (fchmod(fd, mode) < 0 || futimens(fd, times) < 0)
		return sb_fail(err, errno, "set the mode of '" SB_HOST_DIR "/%s'", name);
	return sb_hash_bytes(bytes->s, bytes->len, ret_hash) < 0
		       ? sb_fail(err, EIO, "hash '" SB_HOST_DIR "/%s'", name)
		       : 0;
}

/* 1 done, 0 it cannot be done to this one (another machine's, or of an unusual make). */
static int rewrite(struct host *h, size_t i, bool linker, struct sb_err *err)
{
	struct sb_manifest_file *f = &h->files[i];
	struct sb_patch patch = h->start;
	auto_buf bytes = SB_BUF_INIT, place = SB_BUF_INIT;
	struct sb_err why = SB_ERR_INIT;
	size_t size;
	void *from;
	int rc;

	if (f->host == SB_HOST_LIBRARY)
		return 1;
	rc = map_file(h->spec->payload, relative(f->path), &from, &size);
	if (rc < 0)
		return sb_fail(err, -rc, "read '%s' in the payload", f->path);
	patch.linker = linker;
	rc = sb_patch_library(from, size, &patch, &bytes, &why);
	(void)munmap(from, size); /* was mapped by us */
	if (rc == -ENOMEM)
		return sb_fail(err, ENOMEM, "rewrite '%s'", f->path);
	if (rc < 0)
		return 0;
	rc = place_of(h, f->path, &place, err);
	if (rc == 0)
		rc = write_bytes(h, place.s, &bytes, f->mode, f->host_sha256, err);
	if (rc < 0)
		return rc;
	f->host = SB_HOST_LIBRARY;
	return 1;
}

static size_t row_of(const struct host *h, const char *path)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(h->files[mid].path, path);

		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return h->count;
}

/* The start, in the place of a program whose dynamic linker could be rewritten. */
static int put_start(struct host *h, size_t i, struct sb_err *err)
{
	struct sb_manifest_file *f = &h->files[i];
	auto_buf real = SB_BUF_INIT, place = SB_BUF_INIT;
	struct sb_err absent = SB_ERR_INIT;
	int rc = sb_resolve(h->spec->set->root, h->interps[i], 0, NULL, NULL, &real, &absent);
	size_t linker = rc < 0 ? h->count : row_of(h, real.s);

	rc = linker < h->count ? rewrite(h, linker, true, err) : 0;
	if (rc == 0)
		f->host_gap = SB_GAP_LINKER;
	if (rc <= 0)
		return rc == 0 && h->spec->remarks &&
				       sb_remark(h->spec->remarks, SB_REMARK_LINKER, f->path,
						 NULL) < 0
			       ? sb_fail(err, ENOMEM, "start '%s'", f->path)
			       : rc;
	rc = place_of(h, f->path, &place, err);
	if (rc < 0)
		return rc;
	if (linkat(h->dir, "start", h->dir, place.s, 0) < 0)
		return sb_fail(err, errno, "make '" SB_HOST_DIR "/%s'", place.s);
	f->host = SB_HOST_PROGRAM;
	return 0;
}

static int open_dir(struct host *h, struct sb_err *err)
{
	const char *name = strrchr(SB_HOST_DIR, '/') + 1;

	if (mkdirat(h->spec->libexec, name, 0755) < 0)
		return sb_fail(err, errno, "make '" SB_HOST_DIR "'");
	h->dir = openat(h->spec->libexec, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return h->dir < 0 ? sb_fail(err, errno, "open '" SB_HOST_DIR "'") : 0;
}

static int write_start(struct host *h, const char *start, char *ret_hash, struct sb_err *err)
{
	auto_buf bytes = SB_BUF_INIT;
	size_t size;
	void *from;
	int rc = map_file(AT_FDCWD, start, &from, &size);

	if (rc < 0)
		return sb_fail(err, -rc, "read '%s'", start);
	bool known = sb_patch_start(from, size, &h->start);
	rc = sb_buf_add(&bytes, from, size);
	(void)munmap(from, size); /* was mapped by us */
	if (rc < 0 || !known)
		return sb_fail(err, rc < 0 ? ENOMEM : ENOEXEC, "read '%s'", start);
	return write_bytes(h, "start", &bytes, 0755, ret_hash, err);
}

static int finish_dir(void *arg, const struct sb_tree_node *node, struct sb_err *err)
{
	const struct sb_host_spec *spec = arg;
	const struct timespec times[2] = {*spec->when, *spec->when};

	if (!S_ISDIR(node->st->st_mode) || !node->leaving)
		return 0;
	if (fchmodat(node->dirfd, node->name, 0755, 0) < 0 ||
	    utimensat(node->dirfd, node->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return sb_fail(err, errno, "set the time of '" SB_HOST_DIR "/%s'", node->path);
	return 0;
}

static int make_index(struct host *h, struct sb_buf *ret, struct sb_err *err)
{
	auto_buf searched = SB_BUF_INIT;

	sb_map_sort(&h->searched);
	for (size_t i = 0; i < h->searched.count; i++)
		if ((i && sb_buf_putc(&searched, ':') < 0) ||
		    sb_buf_puts(&searched, h->searched.entries[i].key) < 0)
			return sb_fail(err, ENOMEM, "make '" SB_HOST_DIR "'");
	return sb_host_index(h->files, h->count, h->script, h->spec->library_path, searched.s, ret,
			     err);
}

static int write_all(struct host *h, const char *start, struct sb_manifest *m, struct sb_err *err)
{
	const struct timespec times[2] = {*h->spec->when, *h->spec->when};
	auto_buf index = SB_BUF_INIT;
	int rc = open_dir(h, err);

	if (rc == 0)
		rc = write_start(h, start, m->start_sha256, err);
	for (size_t i = 0; i < h->count && rc >= 0; i++)
		rc = look_at(h, i, err);
	for (size_t i = 0; i < h->count && rc >= 0; i++)
		if (h->interps[i])
			rc = put_start(h, i, err);
	for (size_t i = 0; i < h->count && rc >= 0; i++)
		if (h->library[i])
			rc = rewrite(h, i, false, err);
	if (rc >= 0)
		rc = make_index(h, &index, err);
	if (rc == 0)
		rc = write_bytes(h, "index", &index, 0644, m->index_sha256, err);
	if (rc == 0)
		rc = sb_tree_walk(h->dir, ".", finish_dir, (void *)h->spec, err);
	if (rc == 0 && (fchmod(h->dir, 0755) < 0 || futimens(h->dir, times) < 0))
		rc = sb_fail(err, errno, "set the time of '" SB_HOST_DIR "'");
	return rc;
}

/* Not made for this kind of machine: each program runs through its dynamic linker. */
static int tell_all(struct host *h, struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < h->count && rc == 0; i++) {
		rc = look_at(h, i, err);
		if (h->interps[i])
			h->files[i].host_gap = SB_GAP_LINKER;
		if (rc == 0 && h->interps[i] && h->spec->remarks &&
		    sb_remark(h->spec->remarks, SB_REMARK_LINKER, h->files[i].path, NULL) < 0)
			rc = sb_fail(err, ENOMEM, "make '" SB_HOST_DIR "'");
	}
	return rc;
}

static int find_start(const struct sb_host_spec *spec, struct sb_buf *ret)
{
	int rc = spec->arch ? sb_buf_printf(ret, "%s-%s", spec->start, spec->arch) : 0;

	if (rc == 0 && (!ret->len || access(ret->s, R_OK) < 0))
		rc = sb_buf_set(ret, spec->start);
	return rc;
}

int sb_host_write(const struct sb_host_spec *spec, struct sb_manifest_file *files, size_t count,
		  struct sb_manifest *m, struct sb_err *err)
{
	struct host h = {.spec = spec, .files = files, .count = count, .dir = -1};
	auto_buf start = SB_BUF_INIT;
	int rc = find_start(spec, &start);

	h.script = calloc(count + 1, sizeof *h.script);
	h.library = calloc(count + 1, sizeof *h.library);
	h.interps = calloc(count + 1, sizeof *h.interps);
	if (rc < 0 || !h.script || !h.library || !h.interps)
		rc = sb_fail(err, ENOMEM, "make '" SB_HOST_DIR "'");
	else
		rc = access(start.s, R_OK) == 0 ? write_all(&h, start.s, m, err)
						: tell_all(&h, err);
	sb_closep(&h.dir);
	free(h.script);
	free(h.library);
	free(h.interps);
	sb_map_free(&h.strings);
	sb_map_free(&h.searched);
	return rc;
}
