#include "tools/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"

#define UNKNOWN "(none)"

static int count_for(struct sb_map *map, const char *name, size_t len, uint64_t size)
{
	struct sb_map_entry *e = sb_map_add(map, name, len, NULL);

	if (!e)
		return -ENOMEM;
	if (!e->value)
		e->value = calloc(1, sizeof(struct inspect_sum));
	struct inspect_sum *sum = e->value;
	if (!sum)
		return -ENOMEM;
	sum->files++;
	sum->bytes += size;
	return 0;
}

/* The first two components, where there is something below them: "/usr/lib". */
static size_t folder_len(const char *path)
{
	size_t len = 0;

	for (int i = 0; i < 2; i++) {
		size_t next = len + 1 + strcspn(path + len + 1, "/");

		if (!path[next])
			break;
		len = next;
	}
	return len ? len : 1;
}

int sb_inspect_make(const struct sb_manifest *m, struct inspect *ret)
{
	int rc = 0;

	*ret = (struct inspect){.m = m};
	for (size_t i = 0; i < m->file_count && rc == 0; i++) {
		const struct sb_manifest_file *f = &m->files[i];
		enum sb_why why = f->reason_count ? f->reasons[0].why : SB_WHY_PARENT;
		const char *package = f->package ? f->package : UNKNOWN;

		ret->started += f->host == SB_HOST_PROGRAM;
		if (f->type != SB_ITEM_FILE)
			continue;
		ret->all.files++;
		ret->all.bytes += f->size;
		ret->by_reason[why].files++;
		ret->by_reason[why].bytes += f->size;
		rc = count_for(&ret->folders, f->path, folder_len(f->path), f->size);
		if (rc == 0)
			rc = count_for(&ret->packages, package, strlen(package), f->size);
	}
	sb_map_sort(&ret->folders);
	sb_map_sort(&ret->packages);
	return rc;
}

static void free_sums(struct sb_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		free(map->entries[i].value);
	sb_map_free(map);
}

void sb_inspect_free(struct inspect *in)
{
	free_sums(&in->folders);
	free_sums(&in->packages);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put(struct sb_json *json, const char *key, const char *value)
{
	sb_json_key(json, key);
	sb_json_str(json, value);
}

static void put_sum(struct sb_json *json, const char *name, const struct inspect_sum *sum)
{
	sb_json_open(json, '{');
	put(json, "name", name);
	sb_json_key(json, "files");
	sb_json_uint(json, sum->files);
	sb_json_key(json, "bytes");
	sb_json_uint(json, sum->bytes);
	sb_json_shut(json, '}');
}

static void put_sums(struct sb_json *json, const char *key, const struct sb_map *map)
{
	sb_json_key(json, key);
	sb_json_open(json, '[');
	for (size_t i = 0; i < map->count; i++)
		put_sum(json, map->entries[i].key, map->entries[i].value);
	sb_json_shut(json, ']');
}

static void put_sizes(struct sb_json *json, const struct inspect *in)
{
	sb_json_key(json, "sizes");
	sb_json_open(json, '{');
	sb_json_key(json, "files");
	sb_json_uint(json, in->all.files);
	sb_json_key(json, "bytes");
	sb_json_uint(json, in->all.bytes);
	sb_json_key(json, "reasons");
	sb_json_open(json, '[');
	for (int why = 0; why < SB_WHY_COUNT; why++)
		if (in->by_reason[why].files)
			put_sum(json, sb_why_name((enum sb_why)why), &in->by_reason[why]);
	sb_json_shut(json, ']');
	put_sums(json, "folders", &in->folders);
	put_sums(json, "packages", &in->packages);
	sb_json_shut(json, '}');
}

static void put_entries(struct sb_json *json, const struct sb_manifest *m)
{
	sb_json_key(json, "entries");
	sb_json_open(json, '[');
	for (size_t i = 0; i < m->entry_count; i++) {
		const struct sb_manifest_entry *e = &m->entries[i];

		sb_json_open(json, '{');
		put(json, "name", e->name);
		put(json, "path", e->path);
		sb_json_key(json, "argv");
		if (e->argv) {
			sb_json_open(json, '[');
			for (const char *const *arg = e->argv; *arg; arg++)
				sb_json_str(json, *arg);
			sb_json_shut(json, ']');
		} else {
			sb_json_null(json);
		}
		put(json, "cwd", e->cwd);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

static void put_host(struct sb_json *json, const struct inspect *in)
{
	sb_json_key(json, "host");
	sb_json_open(json, '{');
	sb_json_key(json, "started");
	sb_json_uint(json, in->started);
	sb_json_key(json, "gaps");
	sb_json_open(json, '[');
	for (size_t i = 0; i < in->m->file_count; i++) {
		const struct sb_manifest_file *f = &in->m->files[i];

		if (!f->host_gap)
			continue;
		sb_json_open(json, '{');
		put(json, "path", f->path);
		put(json, "gap", sb_host_gap_name(f->host_gap));
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
	sb_json_shut(json, '}');
}

int sb_inspect_json(const struct inspect *in)
{
	auto_buf out = SB_BUF_INIT;
	struct sb_json json = {.out = &out};

	sb_json_open(&json, '{');
	put(&json, "name", in->m->name);
	put(&json, "run_mode", in->m->run_mode);
	put(&json, "arch", in->m->arch);
	put(&json, "kernel", in->m->kernel);
	put(&json, "cpu", in->m->cpu);
	put(&json, "glibc", in->m->glibc);
	put_entries(&json, in->m);
	put_host(&json, in);
	put_sizes(&json, in);
	sb_manifest_write_gaps(in->m, &json);
	sb_json_shut(&json, '}');
	if (json.rc < 0)
		return json.rc;
	puts(out.s);
	return 0;
}
