/*
 * oracle STRACE TRACE LIBEXEC: holds an audit trace against what strace saw of the very same run:
 *
 *	strace -f -y -s 8192 -e trace=%file,fchdir,clone,clone3,fork,vfork -o STRACE \
 *		sidebundle trace -b audit -o TRACE -- COMMAND...
 *
 * Compared are opens and execs, process by process, as pairs of a path and whether it worked; by
 *real path where it did. What only strace saw is a miss, unless it is of a class that symbol hooks
 *cannot see (internal_class()) or was done by a program that was reported as a blind spot. What
 *only the trace has is an extra, unless the kernel did it (interpreters). Our own process, modules
 *and log are left out. Prints a line of sums and the misses, extras and classes below it; exits 1
 *when there is a miss or an extra.
 */
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"
#include "tests/tools/strace_lines.h"
#include "tracer/trace.h"
#include "tracer/wire.h"

/* One thread or process as strace numbers them. */
struct proc {
	struct proc *parent;
	bool thread, vforked; /* until it execs it is its parent, to the recorder */
	bool ours;	      /* sidebundle itself, and its child until that execs */
	bool blind;	      /* runs a program that the audit backend cannot look into */
	bool loading;	      /* ld.so is fetching our audit module and what that needs */
	const char *last[2];  /* what its calls named before, the latest last */
	long id;
	char cwd[4096];
};

struct access {
	bool worked, exec, matched;
	const char *named, *real; /* real is NULL where nothing was opened */
	const char *class;	  /* why a miss is allowed, or NULL */
};

struct state {
	struct sb_map procs, pending; /* by number; half a line that waits for the rest */
	struct sb_map strings;
	struct sb_map index; /* "PID OK PATH" -> struct access */
	struct access *accesses;
	size_t count, cap;
	struct sb_map classes; /* name -> count in the pointer */
	struct proc *first;
	const char *libexec;
};

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "oracle: %s\n", what);
	exit(2);
}

static const char *intern(struct state *st, const char *s)
{
	const char *kept = sb_map_intern(&st->strings, s);

	if (!kept)
		die("out of memory");
	return kept;
}

static struct proc *proc_of(struct state *st, long id)
{
	struct sb_map_entry *entry = sb_map_add(&st->procs, (char *)&id, sizeof(id), NULL);
	struct proc *p;

	if (entry && !entry->value && (entry->value = calloc(1, sizeof(struct proc))))
		((struct proc *)entry->value)->id = id;
	p = entry ? entry->value : NULL;
	if (!p)
		die("out of memory");
	return p;
}

/* --- what strace writes ----------------------------------------------------------------------- */

/* The path among the arguments, made absolute. False where there is none. */
static bool take_path(const struct proc *p, const char *args, struct sb_buf *ret)
{
	char dir[4200], path[8400];
	const char *quote = strchr(args, '"');

	if (!quote)
		return false;
	strace_dir(args, p->cwd, dir, sizeof(dir));
	strace_string(quote + 1, '"', path, sizeof(path));
	sb_buf_cut(ret, 0);
	return path[0] && sb_path_absolute(ret, dir, path) == 0;
}

/* --- who can be looked into ------------------------------------------------------------------- */

static bool has_interp(FILE *f)
{
	Elf64_Ehdr head;
	Elf64_Phdr seg;

	if (fread(&head, sizeof(head), 1, f) != 1 || head.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned i = 0; i < head.e_phnum; i++)
		if (fseek(f, (long)(head.e_phoff + i * sizeof(seg)), SEEK_SET) == 0 &&
		    fread(&seg, sizeof(seg), 1, f) == 1 && seg.p_type == PT_INTERP)
			return true;
	return false;
}

/* Static, set-id or foreign; a script is what its interpreter is. */
static bool is_blind(const char *path, int depth)
{
	auto_file FILE *f = fopen(path, "re");
	char line[256] = "", interp[256];
	struct stat st;

	if (!f || depth > 5)
		return true;
	if (fgets(line, sizeof(line), f) && !strncmp(line, "#!", 2))
		return sscanf(line + 2, " %255s", interp) != 1 || is_blind(interp, depth + 1);
	rewind(f);
	return fstat(fileno(f), &st) || (st.st_mode & (S_ISUID | S_ISGID)) ||
	       getxattr(path, "security.capability", line, sizeof(line)) > 0 || !has_interp(f);
}

/* --- misses that are allowed ------------------------------------------------------------------ */

/*
 * What libc opens for itself, not through its public functions: symbol hooks cannot see it. Each
 * row is a directory or a file, as narrow as it can be.
 */
static const struct {
	const char *path, *class;
} internal[] = {
	{"/usr/lib/locale", "locale"},
	{"/usr/share/locale/locale.alias", "locale"},
	{"/etc/locale.alias", "locale"},
	{"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", "gconv"},
	{"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules", "gconv"},
	{"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d", "gconv"},
	{"/etc/nsswitch.conf", "nss"},
	{"/etc/passwd", "nss"},
	{"/etc/group", "nss"},
	{"/etc/shadow", "nss"},
	{"/etc/hosts", "nss"},
	{"/etc/host.conf", "nss"},
	{"/etc/resolv.conf", "nss"},
	{"/etc/services", "nss"},
	{"/etc/protocols", "nss"},
	{"/etc/gai.conf", "nss"},
	{"/etc/localtime", "time"},
	{"/usr/share/zoneinfo", "time"},
	{"/proc/self/maps", "libc"},
	{"/proc/cpuinfo", "libc"},
	{"/proc/stat", "libc"},
	{"/proc/meminfo", "libc"},
	{"/sys/devices/system/cpu", "libc"},
	{"/dev/urandom", "libc"},
};

static const char *internal_class(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(internal) / sizeof(*internal); i++)
		if (sb_path_below(path, internal[i].path))
			return internal[i].class;
	/* gettext looks for a catalogue in every directory it was told of, by category. */
	if ((strstr(path, "/LC_MESSAGES/") || strstr(path, "/LC_TIME/")) && len > 3 &&
	    !strcmp(path + len - 3, ".mo"))
		return "catalogue";
	return NULL;
}

/* The recorder's own: its modules, the log, libc's text, and what it asks /proc for. */
static bool is_own(const struct state *st, const char *path)
{
	return sb_path_below(path, st->libexec) || strstr(path, "/sidebundle-log-") ||
	       strstr(path, "/sidebundle-libc-") || !strcmp(path, "/proc/self/environ") ||
	       !strcmp(path, "/proc/self/cmdline");
}

/* What ld.so opens for the audit module, between the module itself and the log. */
static bool is_for_module(struct proc *p, const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	if (!strcmp(base, SB_AUDIT_NAME))
		p->loading = true;
	else if (strstr(path, "/sidebundle-log-"))
		p->loading = false;
	return p->loading && (!strcmp(path, "/etc/ld.so.cache") || !strncmp(base, "ld-linux", 8));
}

/* The audit module starts an image again that needs more static TLS, after it made sure that the
 * program's name still means this very file. */
static bool is_again(const struct proc *p, const char *path)
{
	return p->last[0] && !strcmp(p->last[0], "/proc/self/exe") && !strcmp(p->last[1], path);
}

/* --- what strace saw -------------------------------------------------------------------------- */

static void put_index(struct state *st, long id, bool worked, const char *path, size_t at)
{
	auto_buf key = SB_BUF_INIT;
	struct sb_map_entry *entry;

	if (sb_buf_printf(&key, "%ld %d %s", id, worked, path) < 0 ||
	    !(entry = sb_map_adds(&st->index, sb_buf_str(&key), NULL)))
		die("out of memory");
	if (!entry->value)
		entry->value = (void *)(at + 1);
}

static void add_access(struct state *st, struct proc *p, const char *named, const char *real,
		       bool worked, bool exec)
{
	const char *shown = real ? real : named;
	struct proc *owner = p;
	struct access *a;

	if (is_own(st, named) || is_own(st, shown))
		return;
	while (owner->parent && (owner->thread || owner->vforked))
		owner = owner->parent;
	if (st->count == st->cap) {
		st->cap = st->cap ? st->cap * 2 : 1024;
		st->accesses = realloc(st->accesses, st->cap * sizeof(*a));
		if (!st->accesses)
			die("out of memory");
	}
	a = &st->accesses[st->count];
	*a = (struct access){.worked = worked, .exec = exec, .named = intern(st, named)};
	a->real = real ? intern(st, real) : NULL;
	a->class = p->ours ? "command" : p->blind ? "blind" : internal_class(named);
	if (!a->class && real)
		a->class = internal_class(real);
	put_index(st, owner->id, worked, a->named, st->count);
	if (a->real)
		put_index(st, owner->id, worked, a->real, st->count);
	st->count++;
}

static void on_exec(struct state *st, struct proc *p, const char *path, bool worked)
{
	char real[4096];

	p->loading = false;
	if (worked && is_again(p, path))
		return;
	if (p != st->first && !(p->ours && !worked))
		add_access(st, p, path, worked && realpath(path, real) ? real : NULL, worked, true);
	if (!worked || p == st->first)
		return;
	p->ours = p->thread = p->vforked = false;
	p->blind = is_blind(path, 0);
}

static void on_child(struct state *st, struct proc *p, const char *name, const char *args, long id)
{
	struct proc *child = proc_of(st, id);

	child->parent = p;
	child->thread = strstr(args, "CLONE_THREAD") != NULL;
	child->vforked = !strcmp(name, "vfork") || strstr(args, "CLONE_VFORK") != NULL;
}

/* A child starts as its parent is; it may be seen before its parent's call returns. */
static void inherit(struct proc *p)
{
	if (p->cwd[0] || !p->parent)
		return;
	inherit(p->parent);
	memcpy(p->cwd, p->parent->cwd, sizeof(p->cwd));
	p->ours = p->parent->ours;
	p->blind = p->parent->blind;
}

static void on_call(struct state *st, struct proc *p, const char *name, const char *args,
		    const char *result)
{
	auto_buf path = SB_BUF_INIT;
	bool worked = result[0] != '-';
	char real[4200] = "";

	inherit(p);
	if (!strncmp(result, "? ", 2) || !strcmp(result, "?") || strstr(result, "EFAULT"))
		return;
	if (!strcmp(name, "fchdir")) {
		strace_dir(args, p->cwd, real, sizeof(real));
		if (worked && strchr(args, '<'))
			strace_string(strchr(args, '<') + 1, '>', p->cwd, sizeof(p->cwd));
	}
	if (!take_path(p, args, &path))
		return;
	if (!strcmp(name, "chdir") && worked) {
		if (!realpath(sb_buf_str(&path), p->cwd))
			snprintf(p->cwd, sizeof(p->cwd), "%s", sb_buf_str(&path));
	} else if (!strcmp(name, "execve") || !strcmp(name, "execveat")) {
		on_exec(st, p, sb_buf_str(&path), worked);
	} else if (!strncmp(name, "open", 4) || !strcmp(name, "creat")) {
		const char *mark = worked ? strchr(result, '<') : NULL;

		if (mark)
			strace_string(mark + 1, '>', real, sizeof(real));
		if (!p->ours && !is_for_module(p, sb_buf_str(&path)))
			add_access(st, p, sb_buf_str(&path), mark ? real : NULL, worked, false);
	}
	p->last[0] = p->last[1];
	p->last[1] = intern(st, sb_buf_str(&path));
}

static struct proc *begin(struct state *st, long id)
{
	struct proc *p = proc_of(st, id);

	if (!st->first) {
		st->first = p;
		p->ours = true;
		if (!getcwd(p->cwd, sizeof(p->cwd)))
			die("no working directory");
	}
	return p;
}

/* Twice over the file: who is whose child must be known before what a child does. */
static void take_birth(void *arg, long id, const char *call, const char *args, const char *result)
{
	struct proc *p = begin(arg, id);

	if (strace_is_birth(call) && atol(result) > 0)
		on_child(arg, p, call, args, atol(result));
}

static void take_call(void *arg, long id, const char *call, const char *args, const char *result)
{
	struct proc *p = begin(arg, id);

	if (!strace_is_birth(call))
		on_call(arg, p, call, args, result);
}

static void read_strace(struct state *st, const char *name)
{
	if (!strace_each(name, &st->pending, take_birth, st) ||
	    !strace_each(name, &st->pending, take_call, st))
		die("the strace output cannot be read");
}

/* --- what the trace has ----------------------------------------------------------------------- */

static bool match(struct state *st, const struct sb_trace *trace, const struct sb_event *ev,
		  bool worked, const char *path)
{
	auto_buf key = SB_BUF_INIT;
	const struct sb_map_entry *entry;
	struct access *a;

	if (!path || sb_buf_printf(&key, "%ld %d %s", (long)trace->processes[ev->process].pid,
				   worked, path) < 0)
		return false;
	entry = sb_map_finds(&st->index, sb_buf_str(&key));
	if (!entry)
		return false;
	a = &st->accesses[(size_t)entry->value - 1];
	a->matched = true;
	/* A real path that is not the one the kernel opened is as bad as a miss. */
	if (ev->real && a->real && !sb_path_below(a->real, "/proc") &&
	    !sb_path_below(a->named, "/dev") && strcmp(ev->real, a->real) &&
	    !strstr(a->real, " (deleted)"))
		printf("  real path: %s, the trace says %s\n", a->real, ev->real);
	return true;
}

static bool is_compared(const struct sb_event *ev)
{
	return ev->kind == SB_OPEN || ev->kind == SB_EXEC || ev->kind == SB_LOAD ||
	       ev->kind == SB_SEARCH || (ev->kind == SB_WRITE && ev->op == SB_OP_OPEN);
}

/* The kernel opens a program's interpreter, and a script's, without a call of the process. */
static bool by_kernel(const struct sb_event *ev)
{
	return ev->kind == SB_EXEC || (ev->kind == SB_LOAD && strstr(ev->path, "/ld-linux"));
}

static size_t compare_trace(struct state *st, const struct sb_trace *trace, size_t *ret_extra)
{
	size_t events = 0, extra = 0;

	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];
		bool found = false;

		if (!is_compared(ev))
			continue;
		events++;
		for (int worked = 0; worked < 2; worked++)
			if (ev->outcome < 0 || (ev->outcome == 0) == worked)
				found |= match(st, trace, ev, worked, ev->path) ||
					 match(st, trace, ev, worked, ev->real);
		if (found || by_kernel(ev))
			continue;
		extra++;
		printf("  extra: %s %d %s, process %d\n", sb_kind_name(ev->kind), ev->outcome,
		       ev->path, (int)trace->processes[ev->process].pid);
	}
	*ret_extra = extra;
	return events;
}

/* Every path of a process counts once, whichever of its calls was matched. */
static size_t report(struct state *st, size_t events, size_t extra)
{
	size_t seen = 0, both = 0, missed = 0;

	for (size_t i = 0; i < st->index.count; i++) {
		const struct access *a = &st->accesses[(size_t)st->index.entries[i].value - 1];
		struct sb_map_entry *class;

		if (strcmp(strchr(strchr(st->index.entries[i].key, ' ') + 1, ' ') + 1, a->named))
			continue;
		if (!a->matched && a->class) {
			class = sb_map_adds(&st->classes, a->class, NULL);
			if (class)
				class->value = (void *)((uintptr_t) class->value + 1);
			continue;
		}
		seen++;
		both += a->matched;
		if (a->matched)
			continue;
		missed++;
		printf("  miss: %s %s %s\n", a->exec ? "exec" : "open",
		       a->worked ? "worked" : "failed", a->named);
	}
	printf("recall %zu/%zu (%.1f%%), precision %zu/%zu (%.1f%%); not seen by class:", both,
	       seen, seen ? 100.0 * (double)both / (double)seen : 100.0, events - extra, events,
	       events ? 100.0 * (double)(events - extra) / (double)events : 0.0);
	for (size_t i = 0; i < st->classes.count; i++)
		printf(" %s %zu", st->classes.entries[i].key, (size_t)st->classes.entries[i].value);
	printf("\n");
	return missed;
}

int main(int argc, char **argv)
{
	struct state st = {.procs = SB_MAP_INIT, .pending = SB_MAP_INIT, .strings = SB_MAP_INIT};
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace = NULL;
	size_t events, extra, missed;

	if (argc != 4) {
		fprintf(stderr, "usage: oracle STRACE TRACE LIBEXEC\n");
		return 2;
	}
	if (sb_trace_load(argv[2], &trace, &err) < 0)
		die(err.msg);
	st.libexec = argv[3];
	read_strace(&st, argv[1]);
	events = compare_trace(&st, trace, &extra);
	missed = report(&st, events, extra);
	if (!trace->end.closed || trace->end.lost || !events)
		die("the trace is cut short, empty, or lost events");
	/* What st holds lives as long as the process. */
	sb_trace_free(trace);
	return missed || extra;
}
