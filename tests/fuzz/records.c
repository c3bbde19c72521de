/*
 * Hostile bytes for what reads our own files, which come from other machines and other hands: a
 * trace, a manifest, and the launcher's plan. What is read is then gone through, as commands do.
 */
#include "tests/fuzz/engine.h"

#include "bundler/manifest.h"
#include "common/buf.h"
#include "launcher/plan.h"
#include "tools/show.h"
#include "tracer/diff.h"
#include "tracer/trace.h"

static void try_trace(const uint8_t *data, size_t size)
{
	auto_fd int fd = fuzz_file(data, size);
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace = NULL;
	struct sb_diff *diff = NULL;
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (sb_trace_load(path, &trace, &err) < 0) {
		if (!err.msg[0] || trace)
			abort();
		return;
	}
	if (sb_show_table(trace, ~0u, false, &err) < 0 || sb_show_tree(trace, &err) < 0 ||
	    sb_diff_traces(trace, trace, ~0u, &diff, &err) < 0)
		abort();
	sb_diff_free(diff);
	sb_trace_free(trace);
}

/* What is read can be written, and is then read as the same. */
static void try_manifest(const uint8_t *data, size_t size)
{
	auto_buf once = SB_BUF_INIT, twice = SB_BUF_INIT;
	struct sb_manifest *m = NULL, *again = NULL;
	struct sb_err err = SB_ERR_INIT;

	if (sb_manifest_parse((const char *)data, size, &m, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	if (sb_manifest_write(m, &once, &err) < 0 ||
	    sb_manifest_parse(once.s, once.len, &again, &err) < 0 ||
	    sb_manifest_write(again, &twice, &err) < 0 || once.len != twice.len ||
	    memcmp(once.s, twice.s, once.len) != 0)
		abort();
	sb_manifest_free(m);
	sb_manifest_free(again);
}

static void try_plan(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct sb_err err = SB_ERR_INIT;
	struct launch_plan plan;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (launch_plan_parse(copy, size, &plan, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	for (size_t i = 0; i < plan.count; i++)
		if (!plan.entries[i].exec || !launch_plan_find(&plan, plan.entries[i].name))
			abort();
	launch_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool quiet;

	/* The views print. */
	if (!quiet && !freopen("/dev/null", "w", stdout))
		abort();
	quiet = true;
	try_trace(data, size);
	try_manifest(data, size);
	try_plan(data, size);
	return 0;
}

#ifndef SB_ENGINE
#define LARGEST 65536

static size_t fuzz_corpus(struct input *corpus)
{
	static const char plan[] = "sidebundle-plan\0"
				   "1\0"
				   "mode\0"
				   "host\0"
				   "kernel\0"
				   "5.10.0\0"
				   "bind\0"
				   "/a\0"
				   "bind-at\0"
				   "/b\0"
				   "home\0"
				   "no\0"
				   "net\0"
				   "no\0"
				   "set\0"
				   "A=1\0"
				   "entry\0"
				   "a\0"
				   "exec\0"
				   "/bin/a\0"
				   "interp\0"
				   "/lib/ld.so\0"
				   "program\0"
				   "/bin/p\0"
				   "prefix\0"
				   "-x\0"
				   "lib\0"
				   "/lib\0"
				   "arg\0"
				   "a\0"
				   "env\0"
				   "C=3\0"
				   "cwd\0"
				   "/w\0"
				   "writable\0"
				   "/w\0"
				   "entry\0"
				   "b\0"
				   "exec\0"
				   "/bin/b\0"
				   "end\0";

	corpus[0] = fuzz_from_file("tests/fuzz/corpus/trace", LARGEST);
	corpus[1] = fuzz_from_file("tests/fuzz/corpus/manifest", LARGEST);
	corpus[0].text = corpus[1].text = true;
	corpus[2] = fuzz_from_bytes(plan, sizeof plan, false);
	return 3;
}
#endif
