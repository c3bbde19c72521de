#include "bundler/manifest.h"

#include <stdio.h>

#include "common/json.h"

static void member(struct sb_json *json, const char *key, const char *value)
{
	if (!value)
		return;
	sb_json_key(json, key);
	sb_json_str(json, value);
}

static void octal(struct sb_json *json, const char *key, mode_t mode)
{
	char digits[16];

	(void)snprintf(digits, sizeof digits, "%04o", (unsigned)mode);
	member(json, key, digits);
}

static void strings(struct sb_json *json, const char *key, const char *const *items)
{
	if (!items)
		return;
	sb_json_key(json, key);
	sb_json_open(json, '[');
	for (; *items; items++)
		sb_json_str(json, *items);
	sb_json_shut(json, ']');
}

static void write_reasons(struct sb_json *json, const struct sb_manifest_file *f)
{
	sb_json_key(json, "reasons");
	sb_json_open(json, '[');
	for (size_t i = 0; i < f->reason_count; i++) {
		const struct sb_reason *r = &f->reasons[i];

		sb_json_open(json, '[');
		sb_json_str(json, sb_why_name(r->why));
		if (r->from || r->detail)
			sb_json_str(json, r->from);
		if (r->detail)
			sb_json_str(json, r->detail);
		sb_json_shut(json, ']');
	}
	sb_json_shut(json, ']');
}

static void write_file(struct sb_json *json, const struct sb_manifest_file *f)
{
	static const char *const types[] = {"file", "dir", "link"};
	char mtime[48];

	/* A string: nanoseconds do not survive in the numbers of most JSON readers. */
	(void)snprintf(mtime, sizeof mtime, "%lld.%09u", (long long)f->mtime, f->mtime_ns);
	sb_json_open(json, '{');
	member(json, "path", f->path);
	member(json, "type", types[f->type]);
	if (f->type == SB_ITEM_FILE) {
		member(json, "sha256", f->sha256);
		sb_json_key(json, "size");
		sb_json_uint(json, f->size);
	}
	if (f->type != SB_ITEM_LINK) {
		octal(json, "mode", f->mode);
		if (f->original != f->mode)
			octal(json, "original_mode", f->original);
	}
	member(json, "mtime", mtime);
	member(json, "target", f->target);
	member(json, "same_as", f->same_as);
	if (f->host == SB_HOST_PROGRAM)
		member(json, "host", "start");
	if (f->host == SB_HOST_LIBRARY)
		member(json, "host_sha256", f->host_sha256);
	member(json, "host_gap", sb_host_gap_name(f->host_gap));
	member(json, "package", f->package);
	write_reasons(json, f);
	sb_json_shut(json, '}');
}

static void write_entries(struct sb_json *json, const struct sb_manifest *m)
{
	sb_json_key(json, "entries");
	sb_json_open(json, '[');
	for (size_t i = 0; i < m->entry_count; i++) {
		const struct sb_manifest_entry *e = &m->entries[i];

		sb_json_open(json, '{');
		member(json, "name", e->name);
		member(json, "path", e->path);
		strings(json, "argv", e->argv);
		member(json, "cwd", e->cwd);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

static void write_needs(struct sb_json *json, const struct sb_manifest *m)
{
	sb_json_key(json, "needs");
	sb_json_open(json, '{');
	member(json, "arch", m->arch);
	member(json, "kernel", m->kernel);
	member(json, "cpu", m->cpu);
	member(json, "glibc", m->glibc);
	sb_json_shut(json, '}');
}

void sb_manifest_write_gaps(const struct sb_manifest *m, struct sb_json *json)
{
	sb_json_key(json, "blind");
	sb_json_open(json, '[');
	for (size_t i = 0; i < m->blind_count; i++) {
		sb_json_open(json, '{');
		member(json, "why", m->blind[i].name);
		member(json, "path", m->blind[i].path);
		sb_json_key(json, "count");
		sb_json_uint(json, m->blind[i].count);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
	sb_json_key(json, "left_out");
	sb_json_open(json, '[');
	for (size_t i = 0; i < m->left_out_count; i++) {
		sb_json_open(json, '{');
		member(json, "path", m->left_out[i].path);
		member(json, "why", m->left_out[i].why);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

int sb_manifest_write(const struct sb_manifest *m, struct sb_buf *ret, struct sb_err *err)
{
	struct sb_json json = {.out = ret};
	int rc = 0;

	sb_json_open(&json, '{');
	sb_json_key(&json, "sidebundle-manifest");
	sb_json_int(&json, SB_MANIFEST_VERSION);
	member(&json, "name", m->name);
	member(&json, "run_mode", m->run_mode);
	write_entries(&json, m);
	write_needs(&json, m);
	member(&json, "library_path", m->library_path);
	member(&json, "launcher_sha256", m->launcher_sha256);
	member(&json, "plan_sha256", m->plan_sha256);
	if (m->start_sha256[0]) {
		member(&json, "start_sha256", m->start_sha256);
		member(&json, "index_sha256", m->index_sha256);
	}
	sb_manifest_write_gaps(m, &json);
	sb_json_key(&json, "files");
	sb_json_open(&json, '[');
	for (size_t i = 0; i < m->file_count && rc == 0; i++) {
		rc = sb_buf_puts(ret, i ? ",\n" : "\n");
		write_file(&json, &m->files[i]);
	}
	sb_json_shut(&json, ']');
	sb_json_shut(&json, '}');
	if (rc < 0 || json.rc < 0 || sb_buf_putc(ret, '\n') < 0)
		return sb_fail(err, ENOMEM, "write the manifest");
	return 0;
}
