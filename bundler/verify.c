#include "bundler/verify.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/closure.h"
#include "bundler/copy.h"
#include "bundler/manifest.h"
#include "bundler/plan.h"
#include "bundler/remark.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/tree.h"
#include "redirect/index.h"
#include "tracer/event.h"

struct verification {
	const struct sb_manifest *m;
	struct sb_copier copier;
	int bundle, payload;
	sb_finding_fn finding;
	void *arg;
	int findings;
	struct sb_map present; /* files whose names a library may be known by */
};

static void find(struct verification *v, const char *path, const char *what)
{
	v->findings++;
	v->finding(v->arg, path, what);
}

/* The manifest tells no size of what is not payload: all of it is far smaller than this. */
#define PART_MOST (256u << 20)

static int check_hash(struct verification *v, int dir, const char *name, const char *shown,
		      const char *want, uint64_t most, struct sb_err *err)
{
	/* Whatever lies there: no symlink is followed, no fifo waited for. */
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char hash[SB_SHA256_HEX];
	struct stat st;
	uint64_t size;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		find(v, shown, fd < 0 && errno == ENOENT ? "is missing" : "is no readable file");
		return 0;
	}
	if (most < (uint64_t)st.st_size) {
		/* It may be a hole of terabytes, and take hours. */
		find(v, shown, "is larger than anything that belongs there");
		return 0;
	}
	int rc = sb_copier_hash(&v->copier, fd, hash, &size);
	if (rc < 0)
		return sb_fail(err, -rc, "read '%s'", shown);
	if (strcmp(hash, want) != 0)
		find(v, shown, "has other content than the manifest says");
	return 0;
}

static int check_link(struct verification *v, const struct sb_tree_node *node,
		      const struct sb_manifest_file *f)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(node->dirfd, node->name, target, sizeof target - 1);

	target[n < 0 ? 0 : n] = '\0';
	if (n < 0 || strcmp(target, f->target) != 0)
		find(v, f->path, "leads elsewhere than the manifest says");
	return 0;
}

static int check_same(struct verification *v, const struct sb_manifest_file *f,
		      const struct stat *st)
{
	struct stat other;
	const char *name;
	auto_fd int dir = sb_open_parent(v->payload, f->same_as + 1, &name);

	if (dir < 0 || fstatat(dir, name, &other, AT_SYMLINK_NOFOLLOW) < 0 ||
	    other.st_ino != st->st_ino || other.st_dev != st->st_dev)
		find(v, f->path, "is not one file with the one that the manifest names");
	return 0;
}

/*
 * A bundle may be made read-only, as a whole or by somebody's umask: nothing that runs it writes to
 * it. Who may write to it beside its owner is no small matter.
 */
static bool fits_mode(mode_t mode, mode_t wanted)
{
	return (mode & 07777 & ~0222) == (wanted & ~0222) && !(mode & 0222 & ~wanted);
}

static int check_node(void *arg, const struct sb_tree_node *node, struct sb_err *err)
{
	static const mode_t types[] = {S_IFREG, S_IFDIR, S_IFLNK};
	struct verification *v = arg;
	const struct sb_manifest_file *f;
	auto_buf path = SB_BUF_INIT;

	if (node->leaving)
		return 0;
	if (sb_buf_printf(&path, "/%s", node->path) < 0)
		return sb_fail(err, ENOMEM, "verify");
	f = sb_manifest_find(v->m, path.s);
	struct sb_map_entry *seen = sb_map_adds(&v->present, path.s, NULL);
	if (!seen)
		return sb_fail(err, ENOMEM, "verify");
	if (!f) {
		find(v, path.s, "is not in the manifest");
		return 1; /* what is below it is not either */
	}
	if ((node->st->st_mode & S_IFMT) != types[f->type]) {
		find(v, path.s, "is of another type than the manifest says");
		return 1;
	}
	if (f->type != SB_ITEM_LINK && !fits_mode(node->st->st_mode, f->mode))
		find(v, path.s, "has another mode than the manifest says");
	if (node->st->st_mtim.tv_sec != f->mtime)
		find(v, path.s, "has another time than the manifest says");
	if (f->type == SB_ITEM_LINK)
		return check_link(v, node, f);
	if (f->type == SB_ITEM_DIR)
		return 0;
	if (f->same_as)
		return check_same(v, f, node->st);
	if ((uint64_t)node->st->st_size != f->size) {
		find(v, path.s, "has another size than the manifest says");
		return 0;
	}
	return check_hash(v, node->dirfd, node->name, path.s, f->sha256, f->size, err);
}

static bool is_entry(const struct sb_manifest *m, const char *name)
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (strcmp(m->entries[i].name, name) == 0)
			return true;
	return false;
}

/* What stands in a folder of the bundle that the payload is not. */
static bool belongs(const struct sb_manifest *m, const char *folder, const char *name)
{
	static const char *const top[] = {"bin", "libexec", "payload", SB_MANIFEST_PATH};

	if (strcmp(folder, "bin") == 0)
		return is_entry(m, name);
	if (strcmp(folder, "libexec") == 0)
		return strcmp(name, sb_path_base(SB_PLAN_PATH)) == 0 ||
		       (m->start_sha256[0] && strcmp(name, sb_path_base(SB_HOST_DIR)) == 0);
	for (size_t i = 0; i < sizeof top / sizeof *top; i++)
		if (strcmp(top[i], name) == 0)
			return true;
	return false;
}

/* Nothing more: what nobody put there might be run by somebody. */
static int check_more(struct verification *v, const char *folder, struct sb_err *err)
{
	auto_fd int fd = openat(v->bundle, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		find(v, folder, "is no readable directory");
		return 0;
	}
	fd = -1; /* the stream's now */
	while ((entry = readdir(dir))) {
		auto_buf path = SB_BUF_INIT;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    belongs(v->m, folder, entry->d_name))
			continue;
		if (sb_buf_printf(&path, "%s%s%s", strcmp(folder, ".") == 0 ? "" : folder,
				  strcmp(folder, ".") == 0 ? "" : "/", entry->d_name) < 0)
			return sb_fail(err, ENOMEM, "verify");
		find(v, path.s, "is no part of the bundle");
	}
	return 0;
}

static int check_parts(struct verification *v, struct sb_err *err)
{
	int rc = check_hash(v, v->bundle, SB_PLAN_PATH, SB_PLAN_PATH, v->m->plan_sha256,
			    SB_PLAN_MAX, err);

	for (size_t i = 0; i < v->m->entry_count && rc == 0; i++) {
		auto_buf path = SB_BUF_INIT;

		if (sb_buf_printf(&path, "bin/%s", v->m->entries[i].name) < 0)
			return sb_fail(err, ENOMEM, "verify");
		rc = check_hash(v, v->bundle, path.s, path.s, v->m->launcher_sha256, PART_MOST,
				err);
	}
	for (size_t i = 0; i < v->m->file_count && rc == 0; i++) {
		const char *path = v->m->files[i].path;

		if (path[1] && !sb_map_finds(&v->present, path))
			find(v, path, "is missing");
	}
	return rc;
}

/* What stands in the mirror: the start, or a rewritten library, where the manifest says so. */
static int check_host_node(void *arg, const struct sb_tree_node *node, struct sb_err *err)
{
	struct verification *v = arg;
	const struct sb_manifest_file *f;
	auto_buf shown = SB_BUF_INIT;

	if (S_ISDIR(node->st->st_mode))
		return 0;
	if (sb_buf_printf(&shown, SB_HOST_ROOT "/%s", node->path) < 0)
		return sb_fail(err, ENOMEM, "verify");
	f = sb_manifest_find(v->m, shown.s + strlen(SB_HOST_ROOT));
	if (!f || f->host == SB_HOST_NOTHING) {
		find(v, shown.s, "is no part of the bundle");
		return 0;
	}
	return check_hash(v, node->dirfd, node->name, shown.s,
			  f->host == SB_HOST_PROGRAM ? v->m->start_sha256 : f->host_sha256,
			  PART_MOST, err);
}

static int check_host(struct verification *v, struct sb_err *err)
{
	int rc = check_hash(v, v->bundle, SB_HOST_START, SB_HOST_START, v->m->start_sha256,
			    PART_MOST, err);

	if (rc == 0)
		rc = check_hash(v, v->bundle, SB_HOST_INDEX, SB_HOST_INDEX, v->m->index_sha256,
				PART_MOST, err);
	for (size_t i = 0; i < v->m->file_count && rc == 0; i++) {
		auto_buf path = SB_BUF_INIT;

		if (v->m->files[i].host == SB_HOST_NOTHING)
			continue;
		if (sb_buf_printf(&path, SB_HOST_ROOT "%s", v->m->files[i].path) < 0)
			return sb_fail(err, ENOMEM, "verify");
		if (faccessat(v->bundle, path.s, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			find(v, path.s, "is missing");
	}
	struct stat st;
	if (rc < 0 || fstatat(v->bundle, SB_HOST_ROOT, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return rc;
	return sb_tree_walk(v->bundle, SB_HOST_ROOT, check_host_node, v, err);
}

/* A driver's library that was left out on purpose is the target's to give. */
static bool was_left_out(const struct sb_manifest *m, const char *soname)
{
	for (size_t i = 0; i < m->left_out_count; i++)
		if (strcmp(m->left_out[i].why, sb_remark_name(SB_REMARK_GPU)) == 0 &&
		    strcmp(sb_path_base(m->left_out[i].path), soname) == 0)
			return true;
	return false;
}

static bool is_named(const struct verification *v, const char *soname)
{
	for (size_t i = 0; i < v->m->file_count; i++)
		if (v->m->files[i].type != SB_ITEM_DIR &&
		    strcmp(sb_path_base(v->m->files[i].path), soname) == 0)
			return true;
	return false;
}

static bool is_library(const struct sb_closure *c, const char *path)
{
	const struct sb_elf *elf = sb_closure_elf(c, path);

	return elf && elf->kind == SB_ELF_LIBRARY;
}

/*
 * A script is text until somebody runs it: git's sample hooks are read, and need no perl. The ones
 * that were run, or will be, need their interpreter. So it is with a program that a trace only has
 * as looked at: cmake asks for every tool of binutils, and what is never started needs no library.
 */
static bool is_idle(const struct verification *v, const struct sb_closure *c, const char *path)
{
	const struct sb_elf *elf = sb_closure_elf(c, path);
	const struct sb_manifest_file *f = sb_manifest_find(v->m, path);

	if (elf && (elf->kind == SB_ELF_LIBRARY || !f || f->reason_count == 0))
		return false;
	for (size_t i = 0; f && i < f->reason_count; i++) {
		const struct sb_reason *r = &f->reasons[i];

		if (r->why == SB_WHY_ENTRY || r->why == SB_WHY_SCRIPT ||
		    (elf && r->why != SB_WHY_TRACED) ||
		    (r->why == SB_WHY_TRACED && r->detail &&
		     strcmp(r->detail, sb_kind_name(SB_EXEC)) == 0))
			return false;
	}
	return true;
}

static int check_needs(struct verification *v, const char *bundle, struct sb_err *err)
{
	struct sb_closure_spec spec = {.library_path = v->m->library_path, .inside_only = true};
	struct sb_reason why = {.why = SB_WHY_INCLUDED};
	auto_buf root = SB_BUF_INIT;
	struct sb_fileset *set = NULL;
	struct sb_closure *c = NULL;
	int rc = sb_buf_printf(&root, "%s/payload", bundle) < 0 ? sb_fail(err, ENOMEM, "verify")
								: sb_fileset_new(root.s, &set, err);

	if (rc == 0)
		rc = sb_closure_new(set, &spec, &c, err);
	for (size_t i = 0; i < v->m->file_count && rc == 0; i++) {
		const struct sb_manifest_file *f = &v->m->files[i];
		struct sb_err ignored = SB_ERR_INIT;

		/* What is damaged or gone was told already. */
		if (f->type == SB_ITEM_FILE && f->size &&
		    (f->mode & 0111 || strstr(f->path, ".so")))
			(void)sb_closure_add(c, f->path, &why, &ignored);
	}
	for (size_t i = 0; c && i < c->missing_count && rc == 0; i++) {
		const struct sb_missing *m = &c->missing[i];
		char what[512];

		/* A plug-in's need may be what the program that loads it has loaded already. */
		if (m->optional || was_left_out(v->m, m->needed) || is_idle(v, c, m->by) ||
		    (is_library(c, m->by) && is_named(v, m->needed)))
			continue;
		(void)snprintf(what, sizeof what, "needs %.400s, which is not in the payload",
			       m->needed);
		find(v, m->by, what);
	}
	sb_closure_free(c);
	sb_fileset_free(set);
	return rc;
}

int sb_verify(const char *bundle, sb_finding_fn finding, void *arg, struct sb_err *err)
{
	auto_fd int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verification v = {.bundle = fd, .finding = finding, .arg = arg};
	struct sb_manifest *m = NULL;

	if (fd < 0)
		return sb_fail(err, errno, "open the bundle '%s'", bundle);
	int rc = sb_manifest_read(fd, &m, err);
	if (rc < 0)
		return sb_wrap(err, "'%s'", bundle);
	v.m = m;
	auto_fd int payload =
		openat(fd, "payload", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	v.payload = payload;
	if (payload < 0)
		rc = sb_fail(err, errno, "open '%s/payload'", bundle);
	else if (sb_copier_init(&v.copier) < 0)
		rc = sb_fail(err, ENOMEM, "verify");
	if (rc == 0)
		rc = sb_tree_walk(payload, ".", check_node, &v, err);
	if (rc == 0)
		rc = check_parts(&v, err);
	if (rc == 0)
		rc = check_more(&v, ".", err);
	if (rc == 0)
		rc = check_more(&v, "bin", err);
	if (rc == 0)
		rc = check_more(&v, "libexec", err);
	if (rc == 0 && m->start_sha256[0])
		rc = check_host(&v, err);
	if (rc == 0)
		rc = check_needs(&v, bundle, err);
	sb_copier_close(&v.copier);
	sb_map_free(&v.present);
	sb_manifest_free(m);
	return rc < 0 ? rc : v.findings;
}
