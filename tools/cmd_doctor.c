/* doctor: every way of watching and every run mode, really tried here. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/bwrap.h"
#include "common/cleanup.h"
#include "common/facts.h"
#include "common/json.h"
#include "common/path.h"
#include "common/probe.h"
#include "tools/command.h"
#include "tools/doctor_try.h"
#include "tools/print.h"
#include "tools/settings.h"
#include "tracer/backend.h"

extern const struct sb_command sb_cmd_doctor;

#define WAYS_MOST 16

struct options {
	const char *format;
};

static const struct sb_option table[] = {
	{"format", 'f', SB_OPT_CHOICE, NULL, "how to print (default table)", "table|json",
	 offsetof(struct options, format)},
	{0},
};

/* A backend or run mode, and what came of trying it. */
struct way {
	const char *name, *summary, *needs;
	bool usable;
	char why[sizeof((struct sb_err *)NULL)->msg +
		 256]; /* why not, and what to do; or what is in doubt */
};

struct findings {
	struct way backends[WAYS_MOST], modes[WAYS_MOST];
	size_t backend_count, mode_count;
	const char *backend; /* what auto takes; NULL nothing */
	const char *mode;
	struct sb_fact facts[SB_FACTS_MOST];
	size_t fact_count;
};

/* A bundle carries its launcher: where that is missing, none can be made. */
static int probe_launcher(struct sb_err *err)
{
	auto_buf launcher = SB_BUF_INIT;
	int rc = sb_libexec_dir(&launcher, err);

	if (rc < 0)
		return rc;
	if (sb_buf_puts(&launcher, "/launcher") < 0)
		return sb_fail(err, ENOMEM, "find the launcher");
	if (access(launcher.s, X_OK) < 0)
		return sb_fail(err, errno,
			       "run the launcher '%s' (install sidebundle whole, or set "
			       "SIDEBUNDLE_LIBEXEC)",
			       launcher.s);
	return 0;
}

static int probe_namespace(struct sb_err *err)
{
	int rc = probe_launcher(err);

	return rc < 0 ? rc : sb_probe_namespace(err);
}

static int probe_bwrap(struct sb_err *err)
{
	int rc = probe_launcher(err);

	return rc < 0 ? rc : sb_probe_bwrap(err);
}

static int probe_chroot(struct sb_err *err)
{
	int rc = probe_launcher(err);

	return rc < 0 ? rc : sb_probe_chroot(err);
}

/* Strictest first of those that auto takes; then the others. */
static const struct {
	const char *name, *summary, *needs;
	int (*probe)(struct sb_err *err);
	bool automatic;
} modes[] = {
	{"namespace", "the bundle as /, by namespaces of our own", "user namespaces",
	 probe_namespace, true},
	{"host", "this machine, with the bundle's libraries", NULL, probe_launcher, true},
	{"bwrap", "the bundle as /, through bubblewrap", "bubblewrap, user namespaces", probe_bwrap,
	 false},
	{"chroot", "the bundle as /, through chroot", "root, or CAP_SYS_CHROOT", probe_chroot,
	 false},
};

static void judge(struct way *way, int rc, const struct sb_err *err)
{
	way->usable = rc == 0;
	if (rc < 0)
		sb_err_line(err, way->why, sizeof way->why);
}

static const struct way *find_usable(const struct findings *f, const char *name)
{
	for (size_t i = 0; i < f->backend_count; i++)
		if (f->backends[i].usable && strcmp(f->backends[i].name, name) == 0)
			return &f->backends[i];
	return NULL;
}

static void examine(struct findings *f)
{
	const struct sb_backend *order[SB_AUTO_MOST];

	for (size_t i = 0; i < WAYS_MOST && sb_backends[i]; i++) {
		const struct sb_backend *b = sb_backends[i];
		struct way *way = &f->backends[f->backend_count++];
		struct sb_err why = SB_ERR_INIT;

		*way = (struct way){.name = b->name, .summary = b->summary, .needs = b->needs};
		judge(way, sb_doctor_try(b, &why), &why);
		if (way->usable && b->doubt && b->doubt(&why) < 0)
			sb_err_line(&why, way->why, sizeof way->why);
	}
	sb_backend_auto(order);
	for (size_t i = 0; order[i] && !f->backend; i++)
		if (find_usable(f, order[i]->name))
			f->backend = order[i]->name;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		struct way *way = &f->modes[f->mode_count++];
		struct sb_err why = SB_ERR_INIT;

		*way = (struct way){.name = modes[i].name,
				    .summary = modes[i].summary,
				    .needs = modes[i].needs};
		judge(way, modes[i].probe(&why), &why);
		if (way->usable && modes[i].automatic && !f->mode)
			f->mode = way->name;
	}
	f->fact_count = sb_facts(f->facts);
}

static void print_ways(const char *title, const struct way *ways, size_t count, const char *chosen)
{
	bool colored = sb_settings_colored(STDOUT_FILENO);

	printf("%-10s  HERE  %-38s  %s\n", title, "NEEDS", "WHAT IT IS");
	for (size_t i = 0; i < count; i++) {
		const struct way *w = &ways[i];
		const char *color = w->usable ? "\033[32m" : "\033[31m";

		printf("%-10s  %s%-4s%s  %-38s  %s\n", w->name, colored ? color : "",
		       w->usable ? "yes" : "no", colored ? "\033[0m" : "",
		       w->needs ? w->needs : "nothing", w->summary);
		if (*w->why) {
			fputs("            ", stdout);
			sb_print_name(w->why);
			putchar('\n');
		}
	}
	printf("%-10s  takes %s\n\n", "auto", chosen ? chosen : "nothing: none works");
}

static void print_fact(const struct sb_fact *fact)
{
	printf("  %-46s", fact->text);
	switch (fact->type) {
	case SB_FACT_NONE:
		puts("-");
		break;
	case SB_FACT_BOOL:
		puts(strcmp(fact->value, "1") == 0 ? "yes" : "no");
		break;
	case SB_FACT_TEXT:
		sb_print_name(*fact->value ? fact->value : "none");
		putchar('\n');
		break;
	case SB_FACT_NUMBER:
		puts(fact->value);
		break;
	}
}

static void print_table(const struct findings *f)
{
	print_ways("BACKEND", f->backends, f->backend_count, f->backend);
	print_ways("RUN MODE", f->modes, f->mode_count, f->mode);
	puts("This machine:");
	for (size_t i = 0; i < f->fact_count; i++)
		print_fact(&f->facts[i]);
}

static void put_ways(struct sb_json *json, const char *key, const struct way *ways, size_t count)
{
	sb_json_key(json, key);
	sb_json_open(json, '[');
	for (size_t i = 0; i < count; i++) {
		const struct way *w = &ways[i];

		sb_json_open(json, '{');
		sb_json_key(json, "name");
		sb_json_str(json, w->name);
		sb_json_key(json, "usable");
		sb_json_bool(json, w->usable);
		sb_json_key(json, "why");
		sb_json_str(json, *w->why ? w->why : NULL);
		sb_json_key(json, "needs");
		sb_json_str(json, w->needs);
		sb_json_key(json, "summary");
		sb_json_str(json, w->summary);
		sb_json_shut(json, '}');
	}
	sb_json_shut(json, ']');
}

static void put_facts(struct sb_json *json, const struct findings *f)
{
	sb_json_key(json, "machine");
	sb_json_open(json, '{');
	for (size_t i = 0; i < f->fact_count; i++) {
		const struct sb_fact *fact = &f->facts[i];

		sb_json_key(json, fact->key);
		switch (fact->type) {
		case SB_FACT_NONE:
			sb_json_null(json);
			break;
		case SB_FACT_BOOL:
			sb_json_bool(json, strcmp(fact->value, "1") == 0);
			break;
		case SB_FACT_TEXT:
			sb_json_str(json, fact->value);
			break;
		case SB_FACT_NUMBER:
			sb_json_int(json, atoll(fact->value));
			break;
		}
	}
	sb_json_shut(json, '}');
}

static int print_json(const struct findings *f, struct sb_err *err)
{
	auto_buf out = SB_BUF_INIT;
	struct sb_json json = {&out, 0};

	sb_json_open(&json, '{');
	sb_json_key(&json, "version");
	sb_json_str(&json, SB_VERSION);
	put_ways(&json, "backends", f->backends, f->backend_count);
	sb_json_key(&json, "auto");
	sb_json_str(&json, f->backend);
	put_ways(&json, "run_modes", f->modes, f->mode_count);
	sb_json_key(&json, "auto_run_mode");
	sb_json_str(&json, f->mode);
	put_facts(&json, f);
	sb_json_shut(&json, '}');
	if (json.rc < 0)
		return sb_fail(err, -json.rc, "print what was found");
	puts(sb_buf_str(&out));
	return 0;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct options o = {0};
	int first, rc = sb_options_parse(&sb_cmd_doctor, argc, argv, false, &o, &first, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (first < argc)
		return sb_fail(err, SB_EUSAGE, "doctor: takes no operands, and got '%s'",
			       argv[first]);
	auto_free struct findings *f = calloc(1, sizeof *f);
	if (!f)
		return sb_fail(err, ENOMEM, "look at this machine");
	examine(f);
	if (o.format && strcmp(o.format, "json") == 0)
		rc = print_json(f, err);
	else
		print_table(f);
	return rc < 0 ? rc : !(f->backend && f->mode);
}

const struct sb_command sb_cmd_doctor = {
	.name = "doctor",
	.args = "[OPTION...]",
	.summary = "try every backend and run mode here, and tell what to do where one fails",
	.options = table,
	.details =
		"Exits 0 where there is a way to watch and a way to run, 1 where there is none.\n",
	.run = run,
};
