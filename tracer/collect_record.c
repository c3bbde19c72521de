#include "tracer/collect_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/path.h"

/* A string that is kept with the chunk: its offset, 0 where there is none or no memory. */
static uint32_t put_text(struct sb_collector *c, struct chunk *k, const char *s)
{
	size_t at;

	if (!s)
		return 0;
	if (!k->text.len && sb_buf_putc(&k->text, '\0') < 0)
		goto lost;
	at = k->text.len;
	if (sb_buf_add(&k->text, s, strlen(s) + 1) < 0)
		goto lost;
	return (uint32_t)at;
lost:
	sb_sink_lost(c->sink, 1);
	return 0;
}

static const char *intern(struct sb_collector *c, const char *s)
{
	const char *kept = s ? sb_map_intern(&c->images.strings, s) : NULL;

	if (s && !kept)
		sb_sink_lost(c->sink, 1);
	return kept;
}

static const struct image_where *where_of(const struct chunk *k, const struct record *rec)
{
	const struct image_where *w = image_where(k->image, rec->head.where);

	return w ? w : image_where_near(k->image, rec->head.where);
}

bool collect_ready(const struct chunk *k, const struct record *rec)
{
	return rec->head.kind == SB_REC_HELLO || rec->head.kind == SB_REC_WHERE ||
	       image_where(k->image, rec->head.where);
}

/*
 * The path within the process's root, made absolute. False: it names nothing, as below a descriptor
 * that is no directory, or in a working directory that was never told.
 */
static bool within_root(struct sb_buf *ret, const struct chunk *k, const struct record *rec,
			const char *path)
{
	const struct image_where *w = where_of(k, rec);
	const char *base = w ? w->cwd : "";

	sb_buf_cut(ret, 0);
	if (path[0] == '/')
		base = "/";
	else if (rec->head.flags & SB_REC_DIR)
		base = record_string(rec, 1);
	if (!base || base[0] != '/')
		return false;
	return sb_path_absolute(ret, base, path) == 0;
}

/* It has moved under a filter of its own: what it named from there is not told by another name. */
static bool is_nowhere(const struct chunk *k, const struct record *rec, const char *path)
{
	const struct image_where *w = where_of(k, rec);

	return path && path[0] != '/' && !(rec->head.flags & SB_REC_DIR) && w &&
	       strcmp(w->cwd, SB_NOWHERE) == 0;
}

static const char *root_of(const struct chunk *k, const struct record *rec)
{
	const struct image_where *w = where_of(k, rec);

	return w ? w->root : k->image->root;
}

/* root + path as one name of this machine. */
static uint32_t put_rooted(struct sb_collector *c, struct chunk *k, const char *root,
			   const char *path)
{
	auto_buf full = SB_BUF_INIT;

	if (!path || !*root)
		return put_text(c, k, path);
	if (sb_in_root(&full, root, strcmp(path, "/") == 0 ? "" : path) < 0) {
		sb_sink_lost(c->sink, 1);
		return 0;
	}
	return put_text(c, k, full.s);
}

static void note_birth(struct sb_collector *c, const struct record *rec, const char *real)
{
	if (c->birth_count == c->birth_cap) {
		size_t cap = c->birth_cap ? c->birth_cap * 2 : 64;
		void *grown = reallocarray(c->births, cap, sizeof *c->births);

		if (!grown)
			return; /* then it is not known whether the file was there */
		c->births = grown;
		c->birth_cap = cap;
	}
	c->births[c->birth_count] = (struct birth){
		.tick = rec->head.tick,
		.order = c->birth_count,
		.existed = rec->head.flags & SB_REC_EXISTED ? SB_YES : SB_NO,
		.real = intern(c, real),
	};
	if (c->births[c->birth_count].real)
		c->birth_count++;
}

static int by_time(const void *a, const void *b)
{
	const struct birth *x = a, *y = b;
	int32_t order = (int32_t)(x->tick - y->tick); /* the counter wraps */

	if (order)
		return order < 0 ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

void collect_births(struct sb_collector *c)
{
	if (c->birth_count)
		qsort(c->births, c->birth_count, sizeof *c->births, by_time);
	for (size_t i = 0; i < c->birth_count; i++)
		sb_sink_existed(c->sink, c->births[i].real, c->births[i].existed);
	c->birth_count = 0;
}

static void note_exec(struct sb_collector *c, const struct chunk *k, const struct held *held,
		      const char *root)
{
	struct image_exec *exec = images_add_exec(&c->images, SB_PLACE(k->number, held->offset));
	const struct image_where *w = where_of(k, &c->record);

	if (!exec) {
		sb_sink_lost(c->sink, 1);
		return;
	}
	exec->image = k->image->id;
	exec->path = intern(c, collect_text(k, held->path));
	exec->real = c->number ? intern(c, collect_text(k, held->real)) : NULL;
	exec->root = root;
	exec->cwd = w ? w->cwd : "";
	exec->record = (const struct sb_rec *)((const char *)k->memory + held->offset);
	/* Only the program comes with its arguments. */
	exec->expected = c->record.head.strings == 255;
}

/*
 * Loads and searches name the object that asked as the linker knows it: "" is the program. A
 * symlink holds what it holds.
 */
static uint32_t put_by(struct sb_collector *c, struct chunk *k, const struct record *rec)
{
	auto_buf by = SB_BUF_INIT;
	const char *name = record_string(rec, 1);

	if (rec->head.kind != SB_LOAD && rec->head.kind != SB_SEARCH)
		return put_text(c, k, collect_target(rec));
	if (!name || !*name)
		return put_text(c, k, k->image->exe);
	if (!within_root(&by, k, rec, name))
		return put_text(c, k, name);
	return put_rooted(c, k, root_of(k, rec), by.s);
}

static void take_event(struct sb_collector *c, struct chunk *k, uint32_t offset)
{
	const struct record *rec = &c->record;
	const char *given = record_string(rec, 0), *root = root_of(k, rec);
	struct held held = {.offset = offset,
			    .kind = rec->head.kind,
			    .op = rec->head.op,
			    .outcome = rec->head.outcome};
	auto_buf path = SB_BUF_INIT;

	if (!given || !within_root(&path, k, rec, given)) {
		/* No event; but who shares the trace may learn from its image what it was. */
		if (given && held.kind == SB_EXEC && c->number && collect_hold(c, k, &held))
			note_exec(c, k, &held, root);
		if (is_nowhere(k, rec, given)) {
			sb_sink_blind(c->sink, SB_BLIND_SANDBOX, k->image->exe, 1);
			sb_sink_lost(c->sink, 1);
		}
		return;
	}
	/* A trailing slash makes the kernel follow. */
	bool nofollow =
		rec->head.flags & SB_REC_NOFOLLOW && given[0] && given[strlen(given) - 1] != '/';
	sb_real_trim(c->real);
	const char *real = collect_real(c, k, &held, root, path.s, nofollow);
	held.path = put_rooted(c, k, root, path.s);
	held.real = put_rooted(c, k, root, real);
	held.by = put_by(c, k, rec);
	if (!held.path || !collect_hold(c, k, &held))
		return;
	collect_renamed(c, k, &held, root, path.s);
	if (held.kind == SB_EXEC)
		note_exec(c, k, &held, root);
	if (held.kind == SB_WRITE && held.outcome == 0 && held.real &&
	    rec->head.flags & (SB_REC_EXISTED | SB_REC_NEW))
		note_birth(c, rec, collect_text(k, held.real));
}

static struct image *fork_parent(struct sb_collector *c, struct image *image, uint64_t id)
{
	struct image *parent = images_find(&c->images, id);

	if (!parent || parent == image)
		return NULL;
	image->exe = parent->exe;
	image->birth = parent->birth;
	image->root = parent->root;
	return parent;
}

/* The exec that nobody saw, as its hello tells of it: its file is needed all the same. */
static void take_unseen_exec(struct sb_collector *c, struct image *image)
{
	const char *exe = c->record.head.flags & SB_REC_DIR ? record_string(&c->record, 1) : NULL;

	image->exe = exe && exe[0] == '/' ? intern(c, exe) : NULL;
	if (image->exe)
		sb_sink_event(c->sink, &(struct sb_event){.kind = SB_EXEC,
							  .existed = SB_TRI_UNKNOWN,
							  .process = image->process,
							  .count = 1,
							  .path = image->exe,
							  .real = image->exe});
}

/*
 * The image that this one came from by exec; and whether it is new: the audit module may start an
 * image once more, with other tunables, before the program has run.
 */
static struct image *exec_parent(struct sb_collector *c, struct image *image, uint64_t place,
				 bool *ret_again)
{
	struct image_exec *exec = place ? images_exec(&c->images, place) : &c->root;

	*ret_again = false;
	if (!exec)
		return NULL;
	struct image *before = exec->heard;
	bool unseen = exec->unseen || (exec->raw && before);
	image->exe = exec->path;
	if (unseen && !c->number)
		take_unseen_exec(c, image);
	image->birth = image->root = exec->root;
	if (!exec->raw || !before)
		exec->heard = image;
	if (before && before->pid == image->pid && !unseen && !c->number) {
		*ret_again = true;
		image->process = before->process;
		before->continued = true;
		return before;
	}
	if (!place && !exec->unseen && !before)
		image->process = 0;
	if (exec->raw && before)
		return before;
	return place ? images_find(&c->images, exec->image) : before;
}

/* Under a filter of its own nobody asks where it is: where it was when it was exec'd. */
static const char *cwd_of(struct sb_collector *c, uint64_t place)
{
	const struct image_exec *exec = place ? images_exec(&c->images, place) : NULL;
	const char *told = record_string(&c->record, 0);

	if (told && *told)
		told = intern(c, told);
	else
		told = c->record.head.dirfd != 1 && exec ? exec->cwd : NULL;
	return told ? told : "";
}

static void tell_process(struct sb_collector *c, const struct image *image,
			 const struct image *parent)
{
	const struct record *rec = &c->record;
	const struct image_where *w = image_where(image, rec->head.where);
	size_t first = rec->head.flags & SB_REC_DIR ? 2 : 1; /* of argv */

	struct sb_trace_process p = {
		.id = image->process,
		.parent = parent ? (int64_t)parent->process : -1,
		.pid = image->pid,
		.ppid = rec->head.value,
		.forked = rec->head.dirfd == 1,
		.exe = image->exe,
		.cwd = w && w->cwd[0] == '/' ? w->cwd : NULL,
		.argv = rec->string_count > first ? &rec->strings[first] : NULL,
	};
	/* Whatever a static command started hangs below it. */
	if (!parent && c->root.unseen)
		p.parent = 0;
	sb_sink_process(c->sink, &p);
}

/* `passed`: the exec that made it, where nobody else tells of that. */
static void number_greeted(struct sb_collector *c, struct image *image, const struct image *parent,
			   const struct image_exec *passed)
{
	const struct record *rec = &c->record;
	size_t first = rec->head.flags & SB_REC_DIR ? 2 : 1; /* of argv */

	collect_number(c, image, parent,
		       (struct sb_watch_image){
			       .ppid = rec->head.value,
			       .forked = rec->head.dirfd == 1,
			       .passed = passed,
			       .real = passed ? passed->real : NULL,
			       .argv = rec->string_count > first ? &rec->strings[first] : NULL,
		       });
}

static bool same_directory(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/*
 * What it executed stands elsewhere than it stood itself, for all that is known: it has moved by a
 * system call of its own, and what it named since is told by where it was before. Not so where the
 * directory was renamed or removed, nor of a vfork child, which may have moved alone.
 */
static void note_stray(struct sb_collector *c, const struct image_exec *exec,
		       const struct image *image, const char *cwd)
{
	struct image *caller = images_find(&c->images, exec->image);
	struct stat st;

	if (!caller || caller->pid != image->pid || caller->strayed || *exec->root ||
	    exec->cwd[0] != '/' || cwd[0] != '/' || strcmp(exec->cwd, cwd) == 0)
		return;
	if (stat(exec->cwd, &st) < 0 || same_directory(exec->cwd, cwd))
		return;
	caller->strayed = true;
	sb_sink_blind(c->sink, SB_BLIND_RAW, caller->exe, 1);
}

static void take_hello(struct sb_collector *c, struct chunk *k)
{
	struct record *rec = &c->record;
	struct image *image = k->image;
	bool again = false;

	if (image->greeted)
		return;
	const struct image_exec *made_by =
		rec->head.arg ? images_exec(&c->images, rec->head.arg) : &c->root;
	struct image *before = rec->head.dirfd != 1 && made_by ? made_by->heard : NULL;
	/* One image was made so; more that bear its token were given its environment. */
	const struct image_exec *exec =
		rec->head.dirfd != 1 ? images_exec(&c->images, rec->head.arg) : NULL;
	bool passed_by = exec && !exec->heard && collect_passed(exec);
	/* By what is in between nothing is known of where it stands. */
	bool direct = exec && !exec->heard && !exec->unseen && !exec->raw && !c->number;
	struct image *parent = rec->head.dirfd == 1 ? fork_parent(c, image, rec->head.arg)
						    : exec_parent(c, image, rec->head.arg, &again);
	if (rec->head.value < 0) /* scribbled over, as all may be */
		rec->head.value = 0;
	images_greet(&c->images, image, parent == image ? NULL : parent, rec->head.value);
	const char *cwd = cwd_of(c, rec->head.arg);
	if (image_set_where(image, rec->head.where, cwd, image->root) < 0)
		sb_sink_lost(c->sink, 1);
	if (direct)
		note_stray(c, exec, image, cwd);
	/* The strings end with the list that argv is. */
	rec->strings[rec->string_count < RECORD_STRINGS ? rec->string_count : RECORD_STRINGS - 1] =
		NULL;
	if (c->number) {
		number_greeted(c, image, parent == image ? NULL : parent, passed_by ? exec : NULL);
		/* Who shares the trace knows it for the image that it was. */
		if (before && before->numbered && before->process == image->process)
			before->continued = true;
	} else if (!again)
		tell_process(c, image, parent == image ? NULL : parent);
}

static void take_where(struct sb_collector *c, struct chunk *k)
{
	const struct record *rec = &c->record;
	const char *cwd = record_string(rec, 0), *root = record_string(rec, 1);
	auto_buf full = SB_BUF_INIT;
	const char *now = NULL;

	/* All that is told within it is to be a path: whatever stood there was no root. */
	if (root && *root && *root != '/') {
		sb_sink_lost(c->sink, 1);
		return;
	}
	/* A program knows of the changes of root since it was exec'd, and of none before. */
	if (sb_buf_puts(&full, k->image->birth) == 0 && sb_buf_puts(&full, root ? root : "") == 0)
		now = intern(c, sb_buf_str(&full));
	if (!now)
		return;
	/* A working directory that was removed keeps the name that it had. */
	if (!cwd || (cwd[0] != '/' && strcmp(cwd, SB_NOWHERE) != 0)) {
		const struct image_where *before = image_where_near(k->image, rec->head.where);

		cwd = before ? before->cwd : "";
	}
	k->image->root = now;
	if (image_set_where(k->image, rec->head.where, intern(c, cwd), now) < 0)
		sb_sink_lost(c->sink, 1);
}

static void take_blind(struct sb_collector *c, struct chunk *k)
{
	const struct record *rec = &c->record;
	const char *given = record_string(rec, 0);
	struct image_exec *exec = rec->head.arg ? images_exec(&c->images, rec->head.arg) : NULL;
	auto_buf path = SB_BUF_INIT, full = SB_BUF_INIT;
	bool named = given && *given && within_root(&path, k, rec, given) &&
		     sb_in_root(&full, root_of(k, rec), path.s) == 0;

	if (exec) {
		exec->blind = true;
		exec->unseen = rec->head.value == SB_BLIND_STATIC;
		exec->raw = rec->head.value == SB_BLIND_RAW;
	}
	if (rec->head.value < 0 || rec->head.value >= SB_BLIND_COUNT) {
		sb_sink_lost(c->sink, 1);
		return;
	}
	/* Who shares the trace sees into it. */
	if (!c->number)
		sb_sink_blind(c->sink, (enum sb_blind)rec->head.value,
			      named ? full.s : k->image->exe, 1);
}

void collect_record(struct sb_collector *c, struct chunk *k, uint32_t offset)
{
	switch (c->record.head.kind) {
	case SB_REC_HELLO:
		take_hello(c, k);
		break;
	case SB_REC_WHERE:
		take_where(c, k);
		break;
	case SB_REC_BLIND:
		take_blind(c, k);
		break;
	default:
		take_event(c, k, offset);
	}
}
