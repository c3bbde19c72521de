#include "bundler/bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "bundler/copy.h"
#include "bundler/host.h"
#include "bundler/owner.h"
#include "bundler/payload.h"
#include "bundler/plan.h"
#include "common/cleanup.h"

static int make_directory(int parent, const char *name, struct sb_err *err)
{
	if (mkdirat(parent, name, 0755) < 0)
		return sb_fail(err, errno, "make '%s' in the bundle", name);
	/* Whatever the umask: any user may run the bundle. */
	if (fchmodat(parent, name, 0755, 0) < 0)
		return sb_fail(err, errno, "set the mode of '%s' in the bundle", name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? sb_fail(err, errno, "open '%s' in the bundle", name) : fd;
}

static int set_time(int fd, const char *name, const struct timespec *when, struct sb_err *err)
{
	struct timespec times[2] = {*when, *when};

	return futimens(fd, times) < 0 ? sb_fail(err, errno, "set the time of '%s'", name) : 0;
}

static int write_file(int dir, const char *name, const struct sb_buf *bytes,
		      const struct timespec *when, struct sb_err *err)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t done = 0;

	if (fd < 0)
		return sb_fail(err, errno, "make '%s' in the bundle", name);
	while (done < bytes->len) {
		ssize_t n = write(fd, bytes->s + done, bytes->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_fail(err, errno, "write '%s' in the bundle", name);
		done += (size_t)n;
	}
	if (fchmod(fd, 0644) < 0)
		return sb_fail(err, errno, "set the mode of '%s' in the bundle", name);
	return set_time(fd, name, when, err);
}

/* One file, and a hard link to it for each entry but the first. */
static int write_entries(const struct sb_draft *draft, const char *launcher, int bin,
			 struct sb_copier *copier, char *ret_hash, struct sb_err *err)
{
	const char *first = draft->entries[0].name;
	struct stat st;
	uint64_t size;
	auto_fd int from = open(launcher, O_RDONLY | O_CLOEXEC);

	if (from < 0 || fstat(from, &st) < 0)
		return sb_fail(err, errno,
			       "open the launcher '%s' (is sidebundle installed whole? "
			       "SIDEBUNDLE_LIBEXEC names the directory)",
			       launcher);
	auto_fd int to = openat(bin, first, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (to < 0)
		return sb_fail(err, errno, "make 'bin/%s' in the bundle", first);
	int rc = sb_copy(copier, from, &st, to, ret_hash, &size, NULL);
	if (rc == 0 && fchmod(to, 0755) < 0)
		rc = -errno;
	if (rc < 0)
		return sb_fail(err, -rc, "copy the launcher to 'bin/%s'", first);
	for (size_t i = 1; i < draft->entry_count; i++)
		if (linkat(bin, first, bin, draft->entries[i].name, 0) < 0)
			return sb_fail(err, errno, "make 'bin/%s' in the bundle",
				       draft->entries[i].name);
	return set_time(to, first, &draft->newest, err);
}

/*
 * Directories that the user keeps from others. The bundle's own can be entered by all, as it is for
 * any user; but sockets, keys and databases are refused by their programs in such ones.
 */
static const char **private_dirs(const struct sb_fileset *set)
{
	const char **list = calloc(set->count + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; list && i < set->count; i++) {
		const struct sb_item *item = &set->items[i];

		if (item->type == SB_ITEM_DIR && item->source && item->path[1] &&
		    item->st.st_uid == geteuid() && !(item->st.st_mode & 07))
			list[n++] = item->path;
	}
	return list;
}

static int write_plan(const struct sb_draft *draft, const struct sb_bundle_spec *spec, int libexec,
		      char *ret_hash, struct sb_err *err)
{
	auto_free const char **private = private_dirs(draft->set);
	struct sb_plan plan = {.mode = spec->run_mode,
			       .private_dirs = private,
			       .kernel = draft->kernel,
			       .cpu = draft->cpu,
			       .binds = spec->binds,
			       .binds_at = spec->binds_at,
			       .no_home = spec->no_home,
			       .no_net = spec->no_net,
			       .set = spec->set_env,
			       .entries = draft->entries,
			       .count = draft->entry_count};
	auto_buf bytes = SB_BUF_INIT;
	int rc = private ? sb_plan_write(&plan, &bytes, err)
			 : sb_fail(err, ENOMEM, "write the launch plan");

	if (rc < 0)
		return rc;
	if (sb_hash_bytes(bytes.s, bytes.len, ret_hash) < 0)
		return sb_fail(err, EIO, "hash the launch plan");
	return write_file(libexec, strrchr(SB_PLAN_PATH, '/') + 1, &bytes, &draft->newest, err);
}

static int find_owners(struct sb_owners *owners, const struct sb_draft *draft,
		       struct sb_manifest_file *files, size_t count, struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		if (files[i].type != SB_ITEM_DIR)
			rc = sb_owners_ask(owners, files[i].path);
	if (rc < 0)
		return sb_fail(err, ENOMEM, "look for packages");
	rc = sb_owners_look_up(owners, draft->set->root, err);
	for (size_t i = 0; i < count && rc == 0; i++)
		files[i].package = sb_owners_of(owners, files[i].path);
	return rc;
}

/* Only what a user could miss: not what the target or the kernel provides, or the run made. */
static struct sb_manifest_left_out *left_out(const struct sb_remarks *remarks, size_t *ret_count)
{
	struct sb_manifest_left_out *list = calloc(remarks->count + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; list && i < remarks->count; i++) {
		const struct sb_remark *r = &remarks->items[i];

		if (sb_remark_leaves_out(r->kind))
			list[n++] = (struct sb_manifest_left_out){r->path, sb_remark_name(r->kind)};
	}
	*ret_count = n;
	return list;
}

static int write_manifest(const struct sb_draft *draft, struct sb_manifest *m,
			  const struct sb_site *site, struct sb_err *err)
{
	auto_buf bytes = SB_BUF_INIT;
	struct utsname machine;
	size_t left_out_count;
	auto_free struct sb_manifest_left_out *list = left_out(&draft->remarks, &left_out_count);

	if (!list)
		return sb_fail(err, ENOMEM, "write the manifest");
	if (uname(&machine) < 0)
		return sb_fail(err, errno, "ask for the machine's name");
	m->arch = draft->arch ? draft->arch : machine.machine;
	m->kernel = draft->kernel;
	m->cpu = draft->cpu;
	m->glibc = draft->glibc;
	m->library_path = draft->library_path;
	m->entries = draft->listed;
	m->entry_count = draft->entry_count;
	m->blind = draft->blind;
	m->blind_count = draft->blind_count;
	m->left_out = list;
	m->left_out_count = left_out_count;
	int rc = sb_manifest_write(m, &bytes, err);
	return rc < 0 ? rc : write_file(site->fd, SB_MANIFEST_PATH, &bytes, &draft->newest, err);
}

/* After everything in them is made. */
static int finish_directories(const struct sb_draft *draft, int bin, int libexec,
			      const struct sb_site *site, struct sb_err *err)
{
	int rc = set_time(bin, "bin", &draft->newest, err);

	if (rc == 0)
		rc = set_time(libexec, "libexec", &draft->newest, err);
	if (rc == 0 && fchmod(site->fd, 0755) < 0)
		rc = sb_fail(err, errno, "set the mode of the bundle");
	return rc < 0 ? rc : set_time(site->fd, "the bundle", &draft->newest, err);
}

static uint64_t size_of(const struct sb_manifest_file *files, size_t count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (files[i].type == SB_ITEM_FILE && !files[i].same_as)
			size += files[i].size;
	return size;
}

static int write_payload(struct sb_draft *draft, const struct sb_bundle_spec *spec, int payload,
			 struct sb_manifest_file **ret_files, size_t *ret_count, struct sb_err *err)
{
	struct sb_payload_spec payload_spec = {.set = draft->set,
					       .dirfd = payload,
					       .stop = spec->stop,
					       .progress = spec->progress,
					       .progress_arg = spec->progress_arg};
	struct timespec times[2] = {draft->newest, draft->newest};
	int rc = sb_payload_write(&payload_spec, &draft->remarks, ret_files, ret_count, err);

	/* The root itself is in the set wherever anything is. */
	if (rc == 0 && !sb_fileset_find(draft->set, "/") && futimens(payload, times) < 0)
		rc = sb_fail(err, errno, "set the time of the payload");
	return rc;
}

static int write_host(struct sb_draft *draft, const struct sb_bundle_spec *spec, int payload,
		      int libexec, struct sb_manifest_file *files, struct sb_manifest *m,
		      struct sb_err *err)
{
	bool is_for_it = strcmp(spec->run_mode, "host") == 0 || strcmp(spec->run_mode, "auto") == 0;
	struct sb_host_spec host = {.set = draft->set,
				    .payload = payload,
				    .libexec = libexec,
				    .library_path = draft->library_path,
				    .start = spec->start,
				    .arch = draft->arch,
				    .when = &draft->newest,
				    .remarks = is_for_it ? &draft->remarks : NULL};

	return sb_host_write(&host, files, m->file_count, m, err);
}

int sb_bundle_write(struct sb_draft *draft, const struct sb_bundle_spec *spec,
		    const struct sb_site *site, uint64_t *ret_size, struct sb_err *err)
{
	struct sb_manifest m = {.name = spec->name, .run_mode = spec->run_mode};
	auto_free struct sb_manifest_file *files = NULL;
	auto_owners owners = SB_OWNERS_INIT;
	struct sb_copier copier;
	auto_fd int bin = make_directory(site->fd, "bin", err);
	auto_fd int libexec = bin < 0 ? -1 : make_directory(site->fd, "libexec", err);
	auto_fd int payload = libexec < 0 ? -1 : make_directory(site->fd, "payload", err);

	if (payload < 0)
		return -err->code;
	int rc = write_payload(draft, spec, payload, &files, &m.file_count, err);
	m.files = files;
	if (rc == 0)
		rc = find_owners(&owners, draft, files, m.file_count, err);
	if (rc == 0 && sb_copier_init(&copier) < 0)
		rc = sb_fail(err, ENOMEM, "copy the launcher");
	if (rc < 0)
		return rc;
	rc = write_entries(draft, spec->launcher, bin, &copier, m.launcher_sha256, err);
	sb_copier_close(&copier);
	if (rc == 0)
		rc = write_plan(draft, spec, libexec, m.plan_sha256, err);
	if (rc == 0)
		rc = write_host(draft, spec, payload, libexec, files, &m, err);
	if (rc == 0)
		rc = write_manifest(draft, &m, site, err);
	if (rc == 0)
		rc = finish_directories(draft, bin, libexec, site, err);
	if (rc == 0)
		*ret_size = size_of(files, m.file_count);
	return rc;
}
