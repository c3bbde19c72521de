#include "bundler/manifest_state.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/hex.h"

/* What is being read, for the words of an error. */
struct reader {
	struct sb_manifest *m;
	struct sb_err *err;
	const char *what; /* the file's path, or the part of the manifest */
};

static int bad(struct reader *r, const char *key, const char *wanted)
{
	return sb_fail(r->err, SB_ESAID, "%s: '%s' is %s", r->what, key, wanted);
}

static int no_memory(struct reader *r)
{
	return sb_fail(r->err, ENOMEM, "read the manifest");
}

/* Bytes that are not UTF-8. NULL: these are none, or there is no memory. */
static char *unhex(const char *hex)
{
	char *bytes = malloc(strlen(hex) / 2 + 1);

	if (bytes && sb_hex_bytes(hex, bytes) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

/* A byte string value; `key` is for the error. */
static int take_string(struct reader *r, const cJSON *value, const char *key, const char **ret)
{
	auto_free char *bytes = NULL;
	const char *s = cJSON_GetStringValue(value);

	if (cJSON_IsObject(value)) {
		const char *hex =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(value, "hex"));

		bytes = hex ? unhex(hex) : NULL;
		s = bytes;
	}
	if (!s)
		return bad(r, key, "no string");
	*ret = sb_map_intern(&r->m->store->strings, s);
	return *ret ? 0 : no_memory(r);
}

/* A member that may be missing: *ret is then left as it is. */
static int optional(struct reader *r, const cJSON *object, const char *key, const char **ret)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	return value ? take_string(r, value, key, ret) : 0;
}

static int required(struct reader *r, const cJSON *object, const char *key, const char **ret)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	return value ? take_string(r, value, key, ret) : bad(r, key, "missing");
}

static int count_of(struct reader *r, const cJSON *object, const char *key, uint64_t *ret)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	/* Doubles are exact up to 2^53: no file is larger. */
	if (!cJSON_IsNumber(value) || value->valuedouble < 0 || value->valuedouble > 0x1p53 ||
	    value->valuedouble != (double)(uint64_t)value->valuedouble)
		return bad(r, key, "no count");
	*ret = (uint64_t)value->valuedouble;
	return 0;
}

static int take_hash(struct reader *r, const cJSON *object, const char *key, char *ret)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	if (!s || strlen(s) != SB_SHA256_HEX - 1)
		return bad(r, key, "no SHA-256");
	for (const char *p = s; *p; p++)
		if (sb_hex_digit(*p) < 0 || isupper((unsigned char)*p))
			return bad(r, key, "no SHA-256");
	memcpy(ret, s, SB_SHA256_HEX);
	return 0;
}

static int take_mode(struct reader *r, const cJSON *object, const char *key, mode_t *ret)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
	size_t digits = s ? strspn(s, "01234567") : 0;

	if (digits < 3 || digits > 4 || s[digits])
		return bad(r, key, "no octal mode");
	*ret = (mode_t)strtoul(s, NULL, 8);
	return 0;
}

static int take_time(struct reader *r, const cJSON *object, struct sb_manifest_file *f)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "mtime"));
	char *end = NULL;

	if (!s)
		return bad(r, "mtime", "missing");
	errno = 0;
	f->mtime = strtoll(s, &end, 10);
	if (errno || end == s || *end != '.' || strspn(end + 1, "0123456789") != 9 || end[10])
		return bad(r, "mtime", "no time (seconds, a point, nine digits)");
	f->mtime_ns = (uint32_t)strtoul(end + 1, NULL, 10);
	return 0;
}

/* Absolute, clean, and without a way out: what is below the payload when appended to it. */
static bool is_payload_path(const char *path)
{
	if (path[0] != '/')
		return false;
	if (!path[1])
		return true;
	for (const char *p = path; *p;) {
		size_t len = strcspn(++p, "/");

		if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && memcmp(p, "..", 2) == 0))
			return false;
		p += len;
	}
	return true;
}

static int take_path(struct reader *r, const cJSON *object, const char *key, const char **ret)
{
	int rc = required(r, object, key, ret);

	if (rc == 0 && !is_payload_path(*ret))
		rc = bad(r, key, "no absolute path inside the payload");
	return rc;
}

static int take_reason(struct reader *r, const cJSON *value, struct sb_reason *ret)
{
	const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(value, 0));
	const cJSON *from = cJSON_GetArrayItem(value, 1), *detail = cJSON_GetArrayItem(value, 2);
	int why = 0, rc = 0;

	while (name && why < SB_WHY_COUNT && strcmp(name, sb_why_name((enum sb_why)why)) != 0)
		why++;
	if (!name || why == SB_WHY_COUNT)
		return bad(r, "reasons", "no list of known reasons");
	ret->why = (enum sb_why)why;
	if (from && !cJSON_IsNull(from))
		rc = take_string(r, from, "reasons", &ret->from);
	if (rc == 0 && detail)
		rc = take_string(r, detail, "reasons", &ret->detail);
	return rc;
}

static int take_reasons(struct reader *r, const cJSON *object, struct sb_manifest_file *f)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "reasons"), *value;
	struct sb_reason *reasons;
	size_t n = 0;

	if (!cJSON_IsArray(list))
		return bad(r, "reasons", "no list of known reasons");
	reasons = manifest_array(r->m, (size_t)cJSON_GetArraySize(list), sizeof *reasons);
	if (!reasons)
		return no_memory(r);
	cJSON_ArrayForEach(value, list)
	{
		int rc = take_reason(r, value, &reasons[n++]);

		if (rc < 0)
			return rc;
	}
	f->reasons = reasons;
	f->reason_count = n;
	return 0;
}

static int take_gap(struct reader *r, const cJSON *object, enum sb_host_gap *ret)
{
	const char *name = NULL;
	int rc = optional(r, object, "host_gap", &name);

	if (rc < 0 || !name)
		return rc;
	for (int gap = SB_GAP_NONE + 1; gap < SB_GAP_COUNT; gap++)
		if (strcmp(name, sb_host_gap_name((enum sb_host_gap)gap)) == 0) {
			*ret = (enum sb_host_gap)gap;
			return 0;
		}
	return bad(r, "host_gap", "of no kind that is known");
}

static int take_host(struct reader *r, const cJSON *object, struct sb_manifest_file *f)
{
	const char *start = NULL;
	int rc = take_gap(r, object, &f->host_gap);

	if (rc == 0)
		rc = optional(r, object, "host", &start);
	if (rc == 0 && start) {
		f->host = SB_HOST_PROGRAM;
		return strcmp(start, "start") == 0 ? 0 : bad(r, "host", "not 'start'");
	}
	if (rc < 0 || !cJSON_GetObjectItemCaseSensitive(object, "host_sha256"))
		return rc;
	f->host = SB_HOST_LIBRARY;
	return take_hash(r, object, "host_sha256", f->host_sha256);
}

static int take_file(struct reader *r, const cJSON *object, struct sb_manifest_file *f)
{
	const char *type = NULL;
	int rc = take_path(r, object, "path", &f->path);

	if (rc == 0) {
		r->what = f->path;
		rc = required(r, object, "type", &type);
	}
	if (rc < 0)
		return rc;
	if (strcmp(type, "file") == 0)
		f->type = SB_ITEM_FILE;
	else if (strcmp(type, "dir") == 0)
		f->type = SB_ITEM_DIR;
	else if (strcmp(type, "link") == 0)
		f->type = SB_ITEM_LINK;
	else
		return bad(r, "type", "none of file, dir, link");
	rc = take_time(r, object, f);
	if (rc == 0 && f->type == SB_ITEM_FILE)
		rc = take_hash(r, object, "sha256", f->sha256);
	if (rc == 0 && f->type == SB_ITEM_FILE)
		rc = count_of(r, object, "size", &f->size);
	if (rc == 0 && f->type != SB_ITEM_LINK)
		rc = take_mode(r, object, "mode", &f->mode);
	f->original = f->mode;
	if (rc == 0 && cJSON_GetObjectItemCaseSensitive(object, "original_mode"))
		rc = take_mode(r, object, "original_mode", &f->original);
	if (rc == 0 && f->type == SB_ITEM_LINK)
		rc = required(r, object, "target", &f->target);
	if (rc == 0 && cJSON_GetObjectItemCaseSensitive(object, "same_as"))
		rc = take_path(r, object, "same_as", &f->same_as);
	if (rc == 0)
		rc = optional(r, object, "package", &f->package);
	if (rc == 0 && f->type == SB_ITEM_FILE)
		rc = take_host(r, object, f);
	return rc < 0 ? rc : take_reasons(r, object, f);
}

/* The array under `key`, and room for its members in *ret. */
static int array_of(struct reader *r, const cJSON *object, const char *key, size_t size,
		    const cJSON **ret_list, void *ret_array)
{
	*ret_list = cJSON_GetObjectItemCaseSensitive(object, key);
	r->what = "manifest";
	if (!cJSON_IsArray(*ret_list))
		return bad(r, key, "no list");
	*(void **)ret_array = manifest_array(r->m, (size_t)cJSON_GetArraySize(*ret_list), size);
	return *(void **)ret_array ? 0 : no_memory(r);
}

static int take_files(struct reader *r, const cJSON *root)
{
	struct sb_manifest_file *files;
	const cJSON *list, *value;
	size_t n = 0;
	int rc = array_of(r, root, "files", sizeof *files, &list, &files);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach(value, list)
	{
		struct sb_map_entry *e;
		int is_new;

		r->what = "manifest: a file";
		rc = take_file(r, value, &files[n]);
		if (rc < 0)
			return rc;
		e = sb_map_adds(&r->m->store->by_path, files[n].path, &is_new);
		if (!e)
			return no_memory(r);
		if (!is_new)
			return bad(r, "path", "given twice");
		e->value = (void *)(uintptr_t)++n;
	}
	r->m->files = files;
	r->m->file_count = n;
	return 0;
}

static int take_argv(struct reader *r, const cJSON *entry, struct sb_manifest_entry *ret)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(entry, "argv"), *value;
	const char **argv;
	size_t n = 0;

	if (!list)
		return 0;
	argv = manifest_array(r->m, (size_t)cJSON_GetArraySize(list) + 1, sizeof *argv);
	if (!argv)
		return no_memory(r);
	cJSON_ArrayForEach(value, list)
	{
		int rc = take_string(r, value, "argv", &argv[n++]);

		if (rc < 0)
			return rc;
	}
	ret->argv = argv;
	return 0;
}

static int take_entries(struct reader *r, const cJSON *root)
{
	struct sb_manifest_entry *entries;
	const cJSON *list, *value;
	size_t n = 0;
	int rc = array_of(r, root, "entries", sizeof *entries, &list, &entries);

	if (rc < 0)
		return rc;
	r->what = "manifest: an entry";
	cJSON_ArrayForEach(value, list)
	{
		struct sb_manifest_entry *e = &entries[n++];

		rc = required(r, value, "name", &e->name);
		if (rc == 0 && (!*e->name || strchr(e->name, '/') || strcmp(e->name, ".") == 0 ||
				strcmp(e->name, "..") == 0))
			rc = bad(r, "name", "no plain file name");
		if (rc == 0)
			rc = take_path(r, value, "path", &e->path);
		if (rc == 0)
			rc = take_argv(r, value, e);
		if (rc == 0)
			rc = optional(r, value, "cwd", &e->cwd);
		if (rc < 0)
			return rc;
	}
	r->m->entries = entries;
	r->m->entry_count = n;
	return 0;
}

static int take_gaps(struct reader *r, const cJSON *root)
{
	struct sb_manifest_blind *blind;
	struct sb_manifest_left_out *left_out;
	const cJSON *list, *value;
	size_t n = 0;
	int rc = array_of(r, root, "blind", sizeof *blind, &list, &blind);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach(value, list)
	{
		rc = required(r, value, "why", &blind[n].name);
		if (rc == 0)
			rc = optional(r, value, "path", &blind[n].path);
		if (rc == 0)
			rc = count_of(r, value, "count", &blind[n++].count);
		if (rc < 0)
			return rc;
	}
	r->m->blind = blind;
	r->m->blind_count = n;
	n = 0;
	rc = array_of(r, root, "left_out", sizeof *left_out, &list, &left_out);
	if (rc < 0)
		return rc;
	cJSON_ArrayForEach(value, list)
	{
		rc = required(r, value, "path", &left_out[n].path);
		if (rc == 0)
			rc = required(r, value, "why", &left_out[n++].why);
		if (rc < 0)
			return rc;
	}
	r->m->left_out = left_out;
	r->m->left_out_count = n;
	return 0;
}

static int take_head(struct reader *r, const cJSON *root)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "sidebundle-manifest");
	const cJSON *needs = cJSON_GetObjectItemCaseSensitive(root, "needs");
	struct sb_manifest *m = r->m;
	int rc;

	r->what = "manifest";
	if (!cJSON_IsNumber(version))
		return sb_fail(r->err, SB_ESAID, "this is no manifest of a bundle");
	if (version->valuedouble != SB_MANIFEST_VERSION)
		return sb_fail(r->err, SB_ESAID,
			       "the manifest has version %g, this program reads version %d",
			       version->valuedouble, SB_MANIFEST_VERSION);
	if (!cJSON_IsObject(needs))
		return bad(r, "needs", "missing");
	rc = required(r, root, "name", &m->name);
	if (rc == 0)
		rc = required(r, root, "run_mode", &m->run_mode);
	if (rc == 0)
		rc = required(r, needs, "arch", &m->arch);
	if (rc == 0)
		rc = optional(r, needs, "kernel", &m->kernel);
	if (rc == 0)
		rc = optional(r, needs, "cpu", &m->cpu);
	if (rc == 0)
		rc = optional(r, needs, "glibc", &m->glibc);
	if (rc == 0)
		rc = optional(r, root, "library_path", &m->library_path);
	if (rc == 0)
		rc = take_hash(r, root, "launcher_sha256", m->launcher_sha256);
	if (rc == 0)
		rc = take_hash(r, root, "plan_sha256", m->plan_sha256);
	if (rc < 0 || !cJSON_GetObjectItemCaseSensitive(root, "start_sha256"))
		return rc;
	rc = take_hash(r, root, "start_sha256", m->start_sha256);
	return rc < 0 ? rc : take_hash(r, root, "index_sha256", m->index_sha256);
}

int sb_manifest_parse(const char *text, size_t len, struct sb_manifest **ret, struct sb_err *err)
{
	struct sb_manifest *m = calloc(1, sizeof *m);
	struct reader r = {.m = m, .err = err};
	int rc;

	if (m)
		m->store = calloc(1, sizeof *m->store);
	if (!m || !m->store) {
		free(m);
		return sb_fail(err, ENOMEM, "read the manifest");
	}
	cJSON *root = cJSON_ParseWithLength(text, len);
	if (!cJSON_IsObject(root))
		rc = sb_fail(err, SB_ESAID,
			     "the manifest is not JSON, or damaged (make the bundle again)");
	else
		rc = take_head(&r, root);
	if (rc == 0)
		rc = take_entries(&r, root);
	if (rc == 0)
		rc = take_gaps(&r, root);
	if (rc == 0)
		rc = take_files(&r, root);
	cJSON_Delete(root);
	if (rc < 0)
		sb_manifest_free(m);
	else
		*ret = m;
	return rc;
}
