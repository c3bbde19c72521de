#include "tracer/image.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tracer/proc.h"

struct image *images_find(const struct images *images, uint64_t id)
{
	const struct sb_map_entry *e = sb_map_find(&images->by_id, (const char *)&id, sizeof id);

	return e ? e->value : NULL;
}

struct image *images_get(struct images *images, uint64_t id, pid_t pid)
{
	struct sb_map_entry *e = sb_map_add(&images->by_id, (const char *)&id, sizeof id, NULL);
	struct sb_proc proc;

	if (!e || e->value)
		return e ? e->value : NULL;
	struct image *image = calloc(1, sizeof *image);
	if (!image)
		return NULL;
	*image = (struct image){.id = id,
				.process = images->process_count++,
				.pid = pid,
				.birth = "",
				.root = "",
				.next = images->living};
	/* An older process with this number is another namespace's namesake. */
	bool found = pid > 1 && sb_proc_look(pid, &proc) == 0;
	if (pid <= 1 || (found && proc.started < images->began))
		image->life = LIFE_UNSURE;
	else if (found)
		image->started = proc.started;
	images->living = image;
	e->value = image;
	return image;
}

struct image_exec *images_exec(const struct images *images, uint64_t place)
{
	const struct sb_map_entry *e =
		sb_map_find(&images->execs, (const char *)&place, sizeof place);

	return e ? e->value : NULL;
}

struct image_exec *images_add_exec(struct images *images, uint64_t place)
{
	struct sb_map_entry *e =
		sb_map_add(&images->execs, (const char *)&place, sizeof place, NULL);

	if (!e || e->value)
		return e ? e->value : NULL;
	struct image_exec *exec = calloc(1, sizeof *exec);
	if (exec)
		*exec = (struct image_exec){.place = place, .root = "", .cwd = "", .worked = true};
	e->value = exec;
	return exec;
}

void images_greet(struct images *images, struct image *image, struct image *before, pid_t ppid)
{
	image->greeted = true;
	/* A parent of number 0 is outside of the namespace; inside, pids tell us nothing. */
	if (ppid == 0 || (before && before->life == LIFE_UNSURE))
		image->life = LIFE_UNSURE;
	if (before && before != image && before->pid == image->pid)
		before->life = LIFE_GONE;
	if (image->life == LIFE_UNSURE)
		return;
	struct sb_map_entry *e =
		sb_map_add(&images->by_pid, (const char *)&image->pid, sizeof image->pid, NULL);
	struct image *namesake = e ? e->value : NULL;
	if (namesake && namesake != image)
		namesake->life = LIFE_GONE;
	if (e)
		e->value = image;
}

/* How many are of this generation or of one before: the place of the next. */
static size_t wheres_up_to(const struct image *image, uint32_t generation)
{
	size_t low = 0, high = image->where_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (image->wheres[middle].generation <= generation)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int image_set_where(struct image *image, uint32_t generation, const char *cwd, const char *root)
{
	/* At the end, but for threads that told out of their order. */
	size_t n = image->where_count, at = wheres_up_to(image, generation);

	if (at && image->wheres[at - 1].generation == generation)
		return 0;
	/* Doubled at powers of two: the count tells what was allocated. */
	if ((n & (n - 1)) == 0) {
		void *grown = reallocarray(image->wheres, n ? n * 2 : 1, sizeof *image->wheres);

		if (!grown)
			return -ENOMEM;
		image->wheres = grown;
	}
	memmove(&image->wheres[at + 1], &image->wheres[at], (n - at) * sizeof *image->wheres);
	image->wheres[at] = (struct image_where){generation, cwd, root};
	image->where_count++;
	return 0;
}

const struct image_where *image_where_near(const struct image *image, uint32_t generation)
{
	size_t n = wheres_up_to(image, generation);

	return n ? &image->wheres[n - 1] : NULL;
}

const struct image_where *image_where(const struct image *image, uint32_t generation)
{
	const struct image_where *w = image_where_near(image, generation);

	return w && w->generation == generation ? w : NULL;
}

/* By the signal that does nothing: cheap, but blind to zombies and to a pid's next owner. */
static bool answers(const struct image *image)
{
	return kill(image->pid, 0) == 0 || errno == EPERM;
}

void images_look(struct images *images, bool thoroughly)
{
	for (struct image *image = images->living; image; image = image->next) {
		/* Before its hello it may yet turn out to be of another namespace. */
		if (image->life != LIFE_RUNS || (!image->greeted && !thoroughly))
			continue;
		if (!answers(image))
			image->life = LIFE_GONE;
		else if (thoroughly && !sb_proc_runs(image->pid, image->started))
			image->life = LIFE_GONE;
	}
}

void images_sweep(struct images *images, void (*done)(void *arg, uint32_t process), void *arg)
{
	struct image **link = &images->living;

	while (*link) {
		struct image *image = *link;

		if (image->life != LIFE_GONE || image->chunks) {
			link = &image->next;
			continue;
		}
		*link = image->next;
		free(image->wheres);
		image->wheres = NULL;
		image->where_count = 0;
		/* What its successor does is counted together with what it did. */
		if (!image->continued)
			done(arg, image->process);
	}
}

static void free_values(struct sb_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		free(map->entries[i].value);
	sb_map_free(map);
}

void images_free(struct images *images)
{
	for (size_t i = 0; i < images->by_id.count; i++)
		free(((struct image *)images->by_id.entries[i].value)->wheres);
	free_values(&images->by_id);
	free_values(&images->execs);
	sb_map_free(&images->by_pid);
	sb_map_free(&images->strings);
}
