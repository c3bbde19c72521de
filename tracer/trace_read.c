#include "tracer/trace.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/hex.h"
#include "tracer/trace_store.h"

#define NO_TRACE                                                                          \
	"not a sidebundle trace, or cut within its first line (sidebundle trace -o FILE " \
	"makes one)"

struct reader {
	struct sb_trace *trace;
	const cJSON *line;
	struct sb_err *err;
};

static int no_memory(struct reader *r)
{
	return sb_fail(r->err, ENOMEM, "read the trace");
}

static int wrong(struct reader *r, const char *key, const char *want)
{
	return sb_fail(r->err, SB_ESAID, "\"%s\" is not %s", key, want);
}

/* Sets *ret to the interned bytes of {"hex": "..."}. 0, or -EINVAL, -ENOMEM. */
static int from_hex(struct reader *r, const char *hex, const char **ret)
{
	auto_free char *bytes = malloc(strlen(hex) / 2 + 1);
	int rc = bytes ? sb_hex_bytes(hex, bytes) : -ENOMEM;

	if (rc < 0)
		return rc;
	*ret = sb_store_intern(r->trace, bytes);
	return *ret ? 0 : -ENOMEM;
}

static int bytes_of(struct reader *r, const cJSON *item, const char **ret)
{
	if (cJSON_IsObject(item)) {
		const cJSON *hex = cJSON_GetObjectItemCaseSensitive(item, "hex");

		return cJSON_IsString(hex) ? from_hex(r, hex->valuestring, ret) : -EINVAL;
	}
	if (!cJSON_IsString(item))
		return -EINVAL;
	*ret = sb_store_intern(r->trace, item->valuestring);
	return *ret ? 0 : -ENOMEM;
}

static const cJSON *get(struct reader *r, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->line, key);

	return cJSON_IsNull(item) ? NULL : item;
}

/* A byte string; where it is missing or null, *ret becomes NULL and `needed` decides. */
static int get_bytes(struct reader *r, const char *key, bool needed, const char **ret)
{
	const cJSON *item = get(r, key);
	int rc;

	*ret = NULL;
	if (!item)
		return needed ? sb_fail(r->err, SB_ESAID, "no \"%s\"", key) : 0;
	rc = bytes_of(r, item, ret);
	return rc == -ENOMEM ? no_memory(r) : rc < 0 ? wrong(r, key, "a byte string") : 0;
}

/* A path that is absolute. */
static int get_path(struct reader *r, const char *key, bool needed, const char **ret)
{
	int rc = get_bytes(r, key, needed, ret);

	return rc == 0 && *ret && **ret != '/' ? wrong(r, key, "an absolute path") : rc;
}

static int get_list(struct reader *r, const char *key, const char *const **ret)
{
	const cJSON *list = get(r, key), *item;
	size_t n = 0;

	*ret = NULL;
	if (!list)
		return 0;
	if (!cJSON_IsArray(list))
		return wrong(r, key, "a list");
	const char **copy =
		sb_store_keep(r->trace, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *copy);
	if (!copy)
		return no_memory(r);
	cJSON_ArrayForEach(item, list)
	{
		int rc = bytes_of(r, item, &copy[n++]);

		if (rc < 0)
			return rc == -ENOMEM ? no_memory(r)
					     : wrong(r, key, "a list of byte strings");
	}
	*ret = copy;
	return 0;
}

/* A whole number within [least, most]; `missing` where there is none. */
static int get_number(struct reader *r, const char *key, double least, double most, int64_t missing,
		      int64_t *ret)
{
	const cJSON *item = get(r, key);

	*ret = missing;
	if (!item)
		return 0;
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= least && item->valuedouble <= most) ||
	    floor(item->valuedouble) != item->valuedouble)
		return wrong(r, key, "a whole number in its range");
	*ret = (int64_t)item->valuedouble;
	return 0;
}

/* A decimal string: numbers that a double might not hold. */
static int get_u64(struct reader *r, const char *key, uint64_t *ret)
{
	const cJSON *item = get(r, key);
	char *end;

	if (!cJSON_IsString(item) || item->valuestring[0] < '0' || item->valuestring[0] > '9')
		return wrong(r, key, "a string of digits");
	errno = 0;
	*ret = strtoull(item->valuestring, &end, 10);
	return errno || *end ? wrong(r, key, "a string of digits") : 0;
}

/* "SECONDS.NNNNNNNNN" */
static int get_time(struct reader *r, const char *key, int64_t *ret_s, uint32_t *ret_ns)
{
	const cJSON *item = get(r, key);
	int end = 0;

	if (!cJSON_IsString(item) ||
	    sscanf(item->valuestring, "%" SCNd64 ".%9" SCNu32 "%n", ret_s, ret_ns, &end) != 2 ||
	    item->valuestring[end] || *ret_ns > 999999999)
		return wrong(r, key, "a time");
	return 0;
}

#define COUNT_MOST 9007199254740992.0 /* 2^53: what a double holds exactly */

static int process_index(struct reader *r, int64_t id, uint32_t *ret)
{
	return sb_store_process(r->trace, (uint32_t)id, ret) < 0 ? no_memory(r) : 0;
}

/* What stands there of one command. */
static int read_command(struct reader *r, struct sb_trace_header *h)
{
	int rc = get_bytes(r, "version", false, &h->version);
	if (rc == 0)
		rc = get_bytes(r, "backend", false, &h->backend);
	if (rc == 0)
		rc = get_bytes(r, "auto", false, &h->why);
	if (rc == 0)
		rc = get_bytes(r, "arch", false, &h->arch);
	if (rc == 0)
		rc = get_path(r, "cwd", true, &h->cwd);
	if (rc == 0)
		rc = get_number(r, "started", -COUNT_MOST, COUNT_MOST, 0, &h->started);
	if (rc == 0)
		rc = get_list(r, "argv", &h->argv);
	if (rc == 0)
		rc = get_list(r, "env", &h->env);
	if (rc == 0 && (!h->argv || !h->argv[0]))
		rc = sb_fail(r->err, SB_ESAID, "no command in \"argv\"");
	return rc;
}

/* Those of a merged trace; any other has one, that of the header. */
static int read_commands(struct reader *r)
{
	struct sb_trace *t = r->trace;
	const cJSON *list = get(r, "commands"), *item, *whole = r->line;
	int count = cJSON_GetArraySize(list);
	int rc = 0;

	if (list && (!cJSON_IsArray(list) || !count))
		return wrong(r, "commands", "a list");
	t->commands = sb_store_keep(t, (size_t)(list ? count : 1) * sizeof *t->commands);
	if (!t->commands)
		return no_memory(r);
	if (!list) {
		t->commands[t->command_count++] = (struct sb_trace_command){t->header, -1};
		return 0;
	}
	cJSON_ArrayForEach(item, list)
	{
		struct sb_trace_command *c = &t->commands[t->command_count++];
		int64_t status;

		if (!cJSON_IsObject(item))
			return wrong(r, "commands", "a list of objects");
		r->line = item;
		rc = read_command(r, &c->header);
		if (rc == 0)
			rc = get_number(r, "status", 0, 0xffff, -1, &status);
		r->line = whole;
		if (rc < 0)
			return sb_wrap(r->err, "command %zu", t->command_count);
		c->status = (int)status;
	}
	t->header.commands = t->commands;
	t->header.command_count = t->command_count;
	return 0;
}

static int read_header(struct reader *r)
{
	const cJSON *version = get(r, "sidebundle-trace");

	if (!cJSON_IsNumber(version))
		return sb_fail(r->err, SB_ESAID, NO_TRACE);
	if (version->valuedouble != 1)
		return sb_fail(r->err, SB_ESAID,
			       "a trace of format %g, which this sidebundle does not know",
			       version->valuedouble);
	int rc = read_command(r, &r->trace->header);
	return rc < 0 ? rc : read_commands(r);
}

static int read_process(struct reader *r)
{
	struct sb_trace_process p = {.parent = -1};
	int64_t id, parent, pid, ppid, command;
	uint32_t above;

	int rc = get_number(r, "process", 0, UINT32_MAX, -1, &id);
	if (rc == 0 && id < 0)
		rc = wrong(r, "process", "a number");
	if (rc == 0)
		rc = get_number(r, "parent", 0, UINT32_MAX, -1, &parent);
	if (rc == 0)
		rc = get_number(r, "pid", 0, INT32_MAX, 0, &pid);
	if (rc == 0)
		rc = get_number(r, "ppid", 0, INT32_MAX, 0, &ppid);
	if (rc == 0)
		rc = get_number(r, "command", 0, (double)r->trace->command_count - 1, 0, &command);
	if (rc == 0)
		rc = get_bytes(r, "exe", false, &p.exe);
	if (rc == 0)
		rc = get_bytes(r, "cwd", false, &p.cwd);
	if (rc == 0)
		rc = get_list(r, "argv", &p.argv);
	if (rc == 0)
		rc = process_index(r, id, &p.id);
	if (rc == 0 && parent >= 0) {
		rc = process_index(r, parent, &above);
		p.parent = rc == 0 ? (int64_t)above : -1;
	}
	if (rc < 0)
		return rc;
	p.pid = (pid_t)pid;
	p.ppid = (pid_t)ppid;
	p.command = (uint32_t)command;
	p.forked = cJSON_IsTrue(get(r, "forked"));
	return sb_store_describe(r->trace, &p) < 0
		       ? sb_fail(r->err, SB_ESAID, "process %" PRId64 " stands twice", id)
		       : 0;
}

static int read_event(struct reader *r)
{
	const cJSON *kind = get(r, "event"), *op = get(r, "op"), *existed = get(r, "existed");
	struct sb_event ev = {.existed = SB_TRI_UNKNOWN, .op = SB_OP_NONE};
	int64_t process, outcome, count;
	int code;

	code = cJSON_IsString(kind) ? sb_kind_parse(kind->valuestring) : -EINVAL;
	if (code < 0)
		return wrong(r, "event", "a kind of event");
	ev.kind = (enum sb_kind)code;
	if (op) {
		code = cJSON_IsString(op) ? sb_op_parse(op->valuestring) : -EINVAL;
		if (code < 0)
			return wrong(r, "op", "what a write does");
		ev.op = (enum sb_op)code;
	}
	if (existed && !cJSON_IsBool(existed))
		return wrong(r, "existed", "true, false or null");
	if (existed)
		ev.existed = cJSON_IsTrue(existed) ? SB_YES : SB_NO;
	int rc = get_number(r, "process", 0, UINT32_MAX, -1, &process);
	if (rc == 0 && process < 0)
		rc = wrong(r, "process", "a number");
	if (rc == 0)
		rc = get_number(r, "outcome", 0, 4095, SB_OUTCOME_UNKNOWN, &outcome);
	if (rc == 0)
		rc = get_number(r, "count", 0, COUNT_MOST, 1, &count);
	if (rc == 0)
		rc = get_path(r, "path", true, &ev.path);
	if (rc == 0)
		rc = get_path(r, "real", false, &ev.real);
	if (rc == 0)
		rc = get_bytes(r, ev.kind == SB_WRITE ? "target" : "by", false, &ev.by);
	if (rc == 0)
		rc = get_bytes(r, "backend", false, &ev.backend);
	if (rc == 0)
		rc = process_index(r, process, &ev.process);
	if (rc < 0)
		return rc;
	ev.outcome = (int)outcome;
	ev.count = (uint64_t)count;
	return sb_store_event(r->trace, &ev) < 0 ? no_memory(r) : 0;
}

static int read_file(struct reader *r)
{
	struct sb_trace_file f = {0};
	int64_t mode;

	int rc = get_path(r, "file", true, &f.path);
	if (rc == 0)
		rc = get_u64(r, "dev", &f.dev);
	if (rc == 0)
		rc = get_u64(r, "ino", &f.ino);
	if (rc == 0)
		rc = get_u64(r, "size", &f.size);
	if (rc == 0)
		rc = get_time(r, "mtime", &f.mtime, &f.mtime_ns);
	if (rc == 0)
		rc = get_number(r, "mode", 0, UINT32_MAX, 0, &mode);
	if (rc < 0)
		return rc;
	f.mode = (uint32_t)mode;
	return sb_store_file(r->trace, &f) < 0 ? no_memory(r) : 0;
}

static int read_blind(struct reader *r, const cJSON *item, struct sb_trace_blind *ret)
{
	const cJSON *whole = r->line;
	int64_t count;
	int rc;

	if (!cJSON_IsObject(item))
		return wrong(r, "blind", "a list of objects");
	r->line = item;
	const cJSON *why = get(r, "why");
	int code = cJSON_IsString(why) ? sb_blind_parse(why->valuestring) : -EINVAL;
	rc = code < 0 ? wrong(r, "why", "a kind of blind spot") : 0;
	if (rc == 0)
		rc = get_bytes(r, "path", false, &ret->path);
	if (rc == 0)
		rc = get_number(r, "count", 0, COUNT_MOST, 1, &count);
	r->line = whole;
	if (rc < 0)
		return rc;
	ret->blind = (enum sb_blind)code;
	ret->count = (uint64_t)count;
	return 0;
}

static int read_end(struct reader *r)
{
	struct sb_trace_end *end = &r->trace->end;
	const cJSON *list = get(r, "blind"), *item;
	int64_t status, lost;
	int rc = get_number(r, "status", 0, 0xffff, 0, &status);

	if (rc == 0)
		rc = get_number(r, "lost", 0, COUNT_MOST, 0, &lost);
	if (rc == 0 && list && !cJSON_IsArray(list))
		rc = wrong(r, "blind", "a list");
	if (rc < 0)
		return rc;
	if (list) {
		struct sb_trace_blind *blind = sb_store_keep(
			r->trace, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *blind);

		if (!blind)
			return no_memory(r);
		cJSON_ArrayForEach(item, list)
		{
			rc = read_blind(r, item, &blind[end->blind_count++]);
			if (rc < 0)
				return rc;
		}
		end->blind = blind;
	}
	end->status = (int)status;
	if (!r->trace->header.command_count)
		r->trace->commands[0].status = end->status;
	end->lost = (uint64_t)lost;
	end->closed = true;
	return 0;
}

/* Left by who stood by: nothing after it was seen. */
static int read_death(struct reader *r)
{
	static const struct sb_trace_blind blind = {.blind = SB_BLIND_DIED, .count = 1};

	r->trace->end.blind = &blind;
	r->trace->end.blind_count = 1;
	return get_number(r, "died", 0, COUNT_MOST, 0, &r->trace->end.died);
}

static int read_line(struct reader *r, size_t number)
{
	bool header = cJSON_HasObjectItem(r->line, "sidebundle-trace");

	if (number == 1)
		return header ? read_header(r) : sb_fail(r->err, SB_ESAID, NO_TRACE);
	if (header)
		return sb_fail(r->err, SB_ESAID, "a second header");
	if (r->trace->end.closed)
		return sb_fail(r->err, SB_ESAID, "more after the closing line");
	if (cJSON_HasObjectItem(r->line, "event"))
		return read_event(r);
	if (cJSON_HasObjectItem(r->line, "process"))
		return read_process(r);
	if (cJSON_HasObjectItem(r->line, "file"))
		return read_file(r);
	if (cJSON_HasObjectItem(r->line, "end"))
		return read_end(r);
	if (cJSON_HasObjectItem(r->line, "died"))
		return read_death(r);
	return 0; /* of a later writer */
}

/* An escaped NUL would cut a string short without a word. */
static bool has_nul(const char *line, size_t len)
{
	if (strlen(line) != len)
		return true;
	for (const char *p = line; (p = strchr(p, '\\')); p += 2) {
		if (strncmp(p + 1, "u0000", 5) == 0)
			return true;
		if (!p[1])
			return false;
	}
	return false;
}

static int read_text(struct reader *r, FILE *in)
{
	auto_free char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t got;

	while ((got = getline(&line, &cap, in)) > 0) {
		size_t len = (size_t)got;
		bool whole = line[len - 1] == '\n';

		number++;
		if (whole)
			line[--len] = '\0';
		cJSON *json = has_nul(line, len) ? NULL : cJSON_ParseWithOpts(line, NULL, true);
		if (!cJSON_IsObject(json)) {
			cJSON_Delete(json);
			/* Cut short while it was written: no damage, but for the header. */
			if (!whole && number > 1)
				return 0;
			return sb_fail(r->err, SB_ESAID, "line %zu: %s", number,
				       number == 1 ? NO_TRACE : "not a JSON object");
		}
		r->line = json;
		int rc = read_line(r, number);
		r->line = NULL;
		cJSON_Delete(json);
		if (rc < 0)
			return sb_wrap(r->err, "line %zu", number);
	}
	if (ferror(in))
		return sb_fail(r->err, errno, "read a trace (what trace -o wrote)");
	return number ? 0 : sb_fail(r->err, SB_ESAID, "empty: " NO_TRACE);
}

int sb_trace_load(const char *path, struct sb_trace **ret, struct sb_err *err)
{
	auto_file FILE *in = fopen(path, "re");

	if (!in)
		return sb_fail(err, errno, "open the trace '%s'", path);
	struct sb_trace *t = sb_store_new();
	if (!t)
		return sb_fail(err, ENOMEM, "read the trace '%s'", path);
	struct reader r = {.trace = t, .err = err};
	if (read_text(&r, in) < 0) {
		sb_trace_free(t);
		return sb_wrap(err, "%s", path);
	}
	*ret = t;
	return 0;
}
