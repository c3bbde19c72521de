#include "bundler/payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/copy.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/tree.h"

/* From this size on a file is copied before the small ones, so that no thread ends up alone with
 * it. */
#define LARGE_FILE   (8u << 20)
#define MOST_THREADS 8

struct job {
	const struct sb_payload_spec *spec;
	struct sb_manifest_file *rows; /* one for each item */
	int *failed;		       /* for each item: why it is not there, an errno */
	size_t *order;		       /* indices of the files to copy */
	size_t *same_as;	       /* for each item: index + 1 of its other name */
	size_t order_count;
	atomic_size_t next;
	atomic_int stop;
	pthread_mutex_t lock; /* of err */
	struct sb_err err;
};

/* What one thread keeps between files: most neighbours share a directory. */
struct worker {
	struct job *job;
	struct sb_copier copier;
	int fd;		/* of the directory below */
	const char *in; /* path of a file in it */
	size_t in_len;	/* of its directory's part */
	bool calls_back;
};

mode_t sb_payload_mode(mode_t found)
{
	mode_t mode = (found & 01777) | 0444;

	if (!S_ISDIR(found))
		mode &= 0777;
	return S_ISDIR(found) || found & 0111 ? mode | 0111 : mode;
}

/* A payload path as openat() takes it. */
static const char *relative(const char *path)
{
	return path[1] ? path + 1 : ".";
}

/* The directory that `path` is in, and its last component. -errno. */
static int enter(struct worker *w, const char *path, const char **ret_name)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	if (w->fd >= 0 && len == w->in_len && memcmp(path, w->in, len) == 0) {
		*ret_name = path + len + 1;
		return w->fd;
	}
	if (w->fd >= 0)
		close(w->fd);
	w->fd = sb_open_parent(w->job->spec->dirfd, relative(path), ret_name);
	w->in = path;
	w->in_len = len;
	return w->fd;
}

/* Opened without waiting for a writer, should it have become a fifo. */
static int open_source(const struct sb_item *item, struct stat *ret_st)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = open(item->source, flags);

	if (fd < 0 && errno == ENAMETOOLONG) {
		const char *name;
		auto_fd int dir = sb_open_parent(AT_FDCWD, item->source, &name);

		fd = dir < 0 ? dir : openat(dir, name, flags);
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static void set_row(struct sb_manifest_file *row, const struct stat *st)
{
	row->original = st->st_mode & 07777;
	row->mode = sb_payload_mode(st->st_mode);
	row->mtime = st->st_mtim.tv_sec;
	row->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
}

static int finish(int fd, const struct sb_manifest_file *row)
{
	struct timespec times[2] = {{.tv_sec = row->mtime, .tv_nsec = row->mtime_ns},
				    {.tv_sec = row->mtime, .tv_nsec = row->mtime_ns}};

	return fchmod(fd, row->mode) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

/* Copies one file. What is wrong with the source alone is remembered, and no failure. */
static int copy_file(struct worker *w, size_t index, struct sb_err *err)
{
	const struct sb_item *item = &w->job->spec->set->items[index];
	struct sb_manifest_file *row = &w->job->rows[index];
	struct stat st = item->st;
	const char *name;
	bool reading = true;
	/* A file that is made up is an empty one. */
	auto_fd int from =
		item->source ? open_source(item, &st) : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (from < 0 && from != -EMFILE && from != -ENFILE && from != -ENOMEM) {
		w->job->failed[index] = -from;
		return 0;
	}
	int dir = enter(w, item->path, &name);
	if (from < 0 || dir < 0)
		return sb_fail(err, from < 0 ? -from : -dir, "copy '%s'", item->path);
	auto_fd int to =
		openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return sb_fail(err, errno, "make '%s' in the payload", item->path);
	set_row(row, &st);
	int rc = sb_copy(&w->copier, from, &st, to, row->sha256, &row->size, &reading);
	if (rc < 0 && reading && rc != -EINTR) {
		(void)unlinkat(dir, name, 0); /* a piece of a file is worse than none */
		w->job->failed[index] = -rc;
		return 0;
	}
	if (rc == 0)
		rc = finish(to, row);
	return rc < 0 ? sb_fail(err, -rc, "copy '%s' into the payload", item->path) : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *job = w->job;
	struct sb_err err = SB_ERR_INIT;
	int rc = 0;

	while (rc == 0 && !job->stop) {
		size_t n = job->next++;

		if (n >= job->order_count)
			break;
		rc = copy_file(w, job->order[n], &err);
		if (w->calls_back && job->spec->progress)
			job->spec->progress(job->spec->progress_arg, n + 1, job->order_count);
	}
	if (rc < 0) {
		pthread_mutex_lock(&job->lock);
		if (!job->err.code)
			job->err = err;
		pthread_mutex_unlock(&job->lock);
		job->stop = 1;
	}
	return NULL;
}

static int processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > MOST_THREADS ? MOST_THREADS : n;
}

static int copy_files(struct job *job, struct sb_err *err)
{
	struct worker workers[MOST_THREADS];
	pthread_t threads[MOST_THREADS];
	int wanted = processors(), started = 0, ready = 0;

	if ((size_t)wanted > job->order_count)
		wanted = job->order_count ? (int)job->order_count : 1;
	for (; ready < wanted; ready++) {
		struct worker *w = &workers[ready];

		*w = (struct worker){.job = job, .fd = -1, .calls_back = ready == 0};
		if (sb_copier_init(&w->copier) < 0)
			break;
		w->copier.stop = job->spec->stop;
	}
	if (ready) {
		/* One that cannot be started is no loss: the others take its files. */
		while (started + 1 < ready &&
		       pthread_create(&threads[started], NULL, work, &workers[started + 1]) == 0)
			started++;
		work(&workers[0]);
	}
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < ready; i++) {
		sb_copier_close(&workers[i].copier);
		if (workers[i].fd >= 0)
			close(workers[i].fd);
	}
	if (!ready)
		return sb_fail(err, ENOMEM, "copy files");
	if (job->err.code)
		*err = job->err;
	return -job->err.code;
}

/* Directories and symlinks, parents first; which files are to be copied, which are other names. */
static int make_frame(struct job *job, struct sb_err *err)
{
	const struct sb_fileset *set = job->spec->set;
	struct worker w = {.job = job, .fd = -1};
	auto_map inodes = SB_MAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < set->count && rc == 0; i++) {
		const struct sb_item *item = &set->items[i];
		const char *name = ".";
		int dir = item->path[1] ? enter(&w, item->path, &name) : job->spec->dirfd;

		set_row(&job->rows[i], &item->st);
		if (dir < 0) {
			rc = sb_fail(err, -dir, "open the directory of '%s' in the payload",
				     item->path);
		} else if (item->type == SB_ITEM_DIR) {
			if (item->path[1] && mkdirat(dir, name, 0700) < 0)
				rc = sb_fail(err, errno, "make directory '%s' in the payload",
					     item->path);
		} else if (item->type == SB_ITEM_LINK) {
			struct timespec times[2] = {item->st.st_mtim, item->st.st_mtim};

			if (symlinkat(item->target, dir, name) < 0 ||
			    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
				rc = sb_fail(err, errno, "make symlink '%s' in the payload",
					     item->path);
		} else {
			struct sb_map_entry *e = NULL;
			uint64_t key[2] = {item->st.st_dev, item->st.st_ino};

			if (item->source && item->st.st_nlink > 1) {
				e = sb_map_add(&inodes, (const char *)key, sizeof key, NULL);
				if (!e)
					rc = sb_fail(err, ENOMEM, "copy files");
			}
			if (e && e->value)
				job->same_as[i] = (uintptr_t)e->value;
			else
				job->order[job->order_count++] = i;
			if (e && !e->value)
				e->value = (void *)(uintptr_t)(i + 1);
		}
	}
	if (w.fd >= 0)
		close(w.fd);
	return rc;
}

static int large_first(const void *a, const void *b, void *arg)
{
	const struct sb_fileset *set = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	off_t size_x = set->items[x].st.st_size, size_y = set->items[y].st.st_size;
	bool large_x = size_x >= LARGE_FILE, large_y = size_y >= LARGE_FILE;

	if (large_x != large_y)
		return large_x ? -1 : 1;
	if (large_x && size_x != size_y)
		return size_x > size_y ? -1 : 1;
	return (x > y) - (x < y);
}

static int make_hard_links(struct job *job, struct sb_err *err)
{
	const struct sb_fileset *set = job->spec->set;

	for (size_t i = 0; i < set->count; i++) {
		size_t first = job->same_as[i] - 1;
		const char *old_name, *new_name;

		if (!job->same_as[i])
			continue;
		job->failed[i] = job->failed[first];
		if (job->failed[i])
			continue;
		auto_fd int old_dir = sb_open_parent(job->spec->dirfd,
						     relative(set->items[first].path), &old_name);
		auto_fd int new_dir =
			sb_open_parent(job->spec->dirfd, relative(set->items[i].path), &new_name);
		if (old_dir < 0 || new_dir < 0 ||
		    linkat(old_dir, old_name, new_dir, new_name, 0) < 0)
			return sb_fail(err, errno, "link '%s' in the payload", set->items[i].path);
		job->rows[i] = job->rows[first];
		job->rows[i].same_as = set->items[first].path;
	}
	return 0;
}

/* Last, and from the deepest up: each name made in a directory changes the directory's time. */
static int finish_directories(const struct job *job, struct sb_err *err)
{
	const struct sb_fileset *set = job->spec->set;

	for (size_t i = set->count; i-- > 0;) {
		const char *name = ".";

		if (set->items[i].type != SB_ITEM_DIR)
			continue;
		auto_fd int parent =
			sb_open_parent(job->spec->dirfd, relative(set->items[i].path), &name);
		auto_fd int dir = parent < 0
					  ? -1
					  : openat(parent, name,
						   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return sb_fail(err, errno, "open '%s' in the payload", set->items[i].path);
		int rc = finish(dir, &job->rows[i]);
		if (rc < 0)
			return sb_fail(err, -rc, "set mode and time of '%s' in the payload",
				       set->items[i].path);
	}
	return 0;
}

/* Notes what is not there, closes the gaps, and hands the rows out. */
static int collect(struct job *job, struct sb_remarks *remarks, size_t *ret_count,
		   struct sb_err *err)
{
	const struct sb_fileset *set = job->spec->set;
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct sb_item *item = &set->items[i];
		struct sb_manifest_file *row = &job->rows[i];
		int rc = 0;

		if (job->failed[i]) {
			bool gone = job->failed[i] == ENOENT || job->failed[i] == ENOTDIR ||
				    job->failed[i] == ELOOP;

			rc = sb_remark(remarks, gone ? SB_REMARK_GONE : SB_REMARK_UNREADABLE,
				       item->path, strerror(job->failed[i]));
		} else {
			if (item->type == SB_ITEM_FILE && row->original & 06000)
				rc = sb_remark(remarks, SB_REMARK_SETID, item->path, NULL);
			row->path = item->path;
			row->type = item->type;
			row->target = item->target;
			row->reasons = item->reasons;
			row->reason_count = item->reason_count;
			job->rows[n++] = *row;
		}
		if (rc < 0)
			return sb_fail(err, ENOMEM, "copy files");
	}
	*ret_count = n;
	return 0;
}

int sb_payload_write(const struct sb_payload_spec *spec, struct sb_remarks *remarks,
		     struct sb_manifest_file **ret_files, size_t *ret_count, struct sb_err *err)
{
	size_t count = spec->set->count ? spec->set->count : 1;
	struct job job = {.spec = spec, .lock = PTHREAD_MUTEX_INITIALIZER};
	auto_free struct sb_manifest_file *rows = calloc(count, sizeof *rows);
	auto_free int *failed = calloc(count, sizeof *failed);
	auto_free size_t *order = calloc(count, sizeof *order);
	auto_free size_t *same_as = calloc(count, sizeof *same_as);

	if (!rows || !failed || !order || !same_as)
		return sb_fail(err, ENOMEM, "copy files");
	job.rows = rows;
	job.failed = failed;
	job.order = order;
	job.same_as = same_as;
	int rc = make_frame(&job, err);
	if (rc == 0 && job.order_count) {
		qsort_r(order, job.order_count, sizeof *order, large_first, (void *)spec->set);
		rc = copy_files(&job, err);
	}
	if (rc == 0)
		rc = make_hard_links(&job, err);
	if (rc == 0)
		rc = finish_directories(&job, err);
	if (rc == 0)
		rc = collect(&job, remarks, ret_count, err);
	if (rc == 0)
		*ret_files = sb_steal_ptr(rows);
	return rc;
}
