/*
 * accesses WORK TRACE | accesses --strace WORK FILE: what a run opened, executed and looked at with
 * success, as sorted lines that two runs of the same workload share:
 *
 *	KNOWN<TAB>PROGRAM<TAB>KIND<TAB>PATH[<TAB>CALLER]
 *
 * KNOWN is "+", or "?" where the outcome is not known; PROGRAM is what the process was executed as,
 * of an exec "-", and CALLER that of a trace;
 * KIND is open, exec, stat, or link: asked whether it is a link, as realpath(3) does with every
 * component. PATH is real. FILE is what `strace -f -y -qq -s 8192` wrote with
 * -e trace=%file,fchdir,clone,clone3,fork,vfork, of a command started in the current directory. In
 * names, the directory WORK is called WORK, numbers of processes are PID, and what programs choose
 * by chance for temporary files is "*".
 */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"
#include "tests/tools/strace_lines.h"
#include "tracer/trace.h"

struct state {
	const char *work;
	struct sb_map lines;
	struct sb_map procs, pending; /* of strace: by number; half a line that waits */
	bool begun;
};

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "accesses: %s\n", what);
	exit(2);
}

/* --- names that runs share -------------------------------------------------------------------- */

/* What programs choose by chance for temporary files and keys: the group is told as "*". */
static const char *const chance[] = {
	"/tmp/([A-Za-z0-9_]{6,})(/|$)",
	"/cc([A-Za-z0-9]{6})(\\.|$)",
	"/tmp[._]?([A-Za-z0-9_]{8,})",
	"/tmp_(obj|pack|idx)_([A-Za-z0-9]{6})",
	"/t([A-Za-z0-9]{6})(/|$)",
	"/\\.tmp-([0-9]+)-",
	"/(refs|packs)_([A-Za-z0-9]{6})$",
	"/(sed|st|sort)([A-Za-z0-9]{6})$",
	"\\.pyc\\.([0-9]{8,})$",
	"-([0-9a-f]{6}(-[0-9a-f]{8})?)\\.[os]",
	"/go-(build|link-)([0-9]+)",
	"-([0-9]{5,})(/|$)",
	"\\.#lk0x([0-9a-f]+\\..*)",
	"/etilqs_([0-9a-f]{10,})",
	"([0-9A-F]{40})",
	"/TryCompile-([A-Za-z0-9]{6})",
	"/cmTC_([0-9a-f]{5})",
	"\\.tmp([0-9a-f]{4,5})$",
	"/sem\\.([A-Za-z0-9]{6})$",
};
#define CHANCES (sizeof(chance) / sizeof(*chance))

static void hide_chance(struct sb_buf *path)
{
	static regex_t compiled[CHANCES];
	static bool ready;

	for (size_t i = 0; i < CHANCES && !ready; i++)
		if (regcomp(&compiled[i], chance[i], REG_EXTENDED))
			die("a pattern is none");
	ready = true;
	for (size_t i = 0; i < CHANCES; i++) {
		regmatch_t match[3];
		size_t from = 0;

		while (from < path->len && !regexec(&compiled[i], path->s + from, 3, match, 0)) {
			/* Where there is an alternative in front, the second group is meant. */
			regmatch_t m = strchr(chance[i], '(')[1] != '[' && match[2].rm_so >= 0
					       ? match[2]
					       : match[1];
			size_t start = from + (size_t)m.rm_so, end = from + (size_t)m.rm_eo;

			memmove(path->s + start + 1, path->s + end, path->len - end + 1);
			path->s[start] = '*';
			path->len -= end - start - 1;
			from = start + 1;
		}
	}
}

static bool all_digits(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return len > 0;
}

static void put_name(const struct state *st, const char *path, struct sb_buf *ret)
{
	bool proc = !strncmp(path, "/proc/", 6);
	auto_buf name = SB_BUF_INIT;
	bool work = sb_path_below(path, st->work);

	if (work) {
		(void)sb_buf_puts(&name, "WORK");
		path += strlen(st->work);
	}
	while (*path) {
		size_t slash = strspn(path, "/"), len = strcspn(path + slash, "/");

		(void)sb_buf_add(&name, path, slash);
		path += slash;
		if (proc && (all_digits(path, len) || (len == 4 && !strncmp(path, "self", 4)) ||
			     (len == 11 && !strncmp(path, "thread-self", 11))))
			(void)sb_buf_puts(&name, "PID");
		else
			(void)sb_buf_add(&name, path, len);
		path += len;
	}
	if (name.len && (work || !strncmp(name.s, "/tmp/", 5) || !strncmp(name.s, "/dev/shm/", 9)))
		hide_chance(&name);
	(void)sb_buf_puts(ret, sb_buf_str(&name));
}

static void add(struct state *st, bool known, const char *program, const char *kind,
		const char *path)
{
	auto_buf line = SB_BUF_INIT;
	char real[PATH_MAX];

	/* Pipes and what was removed before its name could be read. */
	if (*path != '/' || strstr(path, " (deleted)"))
		return;
	(void)sb_buf_printf(&line, "%c\t", known ? '+' : '?');
	/* Whose doing an exec is, the old image's or the new one's, is a matter of words. */
	bool exec = !strcmp(kind, "exec");

	if (program && realpath(program, real))
		program = real;
	put_name(st, !program || exec ? "-" : program, &line);
	(void)sb_buf_printf(&line, "\t%s\t", kind);
	put_name(st, path, &line);
	if (exec && program) {
		(void)sb_buf_putc(&line, '\t');
		put_name(st, program, &line);
	}
	if (!line.s || strchr(line.s, '\n'))
		return;
	if (!sb_map_adds(&st->lines, line.s, NULL))
		die("out of memory");
}

/* Below /proc a name says more than what it leads to. */
static bool as_named(const char *path)
{
	return !strncmp(path, "/proc/", 6) || !strncmp(path, "/dev/", 5);
}

/* --- a trace ---------------------------------------------------------------------------------- */

static const char *kind_of(const struct sb_event *ev)
{
	switch (ev->kind) {
	case SB_EXEC:
		return "exec";
	case SB_OPEN:
	case SB_LOAD:
		return "open";
	case SB_STAT:
		return "stat";
	case SB_READLINK:
		return "link";
	case SB_WRITE:
		return ev->op == SB_OP_OPEN ? "open" : NULL;
	default:
		return NULL;
	}
}

/* Who executed /proc/self/exe is what that was. */
static const char *program_of(const struct sb_trace *trace, uint32_t process)
{
	const struct sb_trace_process *p = trace->processes + process;

	if (process >= trace->process_count)
		return NULL;
	if (!p->exe || strncmp(p->exe, "/proc/", 6) != 0)
		return p->exe;
	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];

		if (ev->kind == SB_EXEC && ev->process == p->parent && ev->real &&
		    !strcmp(ev->path, p->exe))
			return ev->real;
	}
	return p->exe;
}

static void read_trace(struct state *st, const char *name)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace;

	if (sb_trace_load(name, &trace, &err) < 0)
		die(err.msg);
	if (!trace->end.closed || trace->end.lost)
		die("the trace is cut short, or lost events");
	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];
		const char *kind = kind_of(ev);

		/* What is no link was looked at, too. */
		if (!kind ||
		    (ev->outcome > 0 && (ev->kind != SB_READLINK || ev->outcome != EINVAL)))
			continue;
		add(st, ev->outcome >= 0, program_of(trace, ev->process), kind,
		    ev->real && !as_named(ev->path) ? ev->real : ev->path);
	}
	sb_trace_free(trace);
}

/* --- what strace wrote ------------------------------------------------------------------------ */

struct proc {
	struct proc *parent;
	bool thread;
	char cwd[PATH_MAX], exe[PATH_MAX];
};

static struct proc *proc_of(struct state *st, long id)
{
	struct sb_map_entry *entry = sb_map_add(&st->procs, (char *)&id, sizeof(id), NULL);

	if (entry && !entry->value)
		entry->value = calloc(1, sizeof(struct proc));
	if (!entry || !entry->value)
		die("out of memory");
	return entry->value;
}

/* Threads share; a child starts as its parent is, and may be seen before its parent's call returns.
 */
static struct proc *owner_of(struct proc *p)
{
	while (p->thread && p->parent)
		p = p->parent;
	if (!p->cwd[0] && p->parent) {
		const struct proc *parent = owner_of(p->parent);

		memcpy(p->cwd, parent->cwd, sizeof(p->cwd));
		memcpy(p->exe, parent->exe, sizeof(p->exe));
	}
	return p;
}

/* Call names by what they do to their first path. */
static const char *kind_of_call(const char *name)
{
	static const char *const stats[] = {
		"stat",	      "lstat",	   "newfstatat", "statx",
		"access",     "faccessat", "faccessat2", "chdir",
		"statfs",     "getxattr",  "lgetxattr",	 "listxattr",
		"llistxattr", "link",	   "linkat",	 "inotify_add_watch"};

	if (!strncmp(name, "open", 4) || !strcmp(name, "creat"))
		return "open";
	if (!strncmp(name, "readlink", 8))
		return "link";
	if (!strncmp(name, "exec", 4))
		return "exec";
	for (size_t i = 0; i < sizeof(stats) / sizeof(*stats); i++)
		if (!strcmp(name, stats[i]))
			return "stat";
	return NULL;
}

static void real_name(const char *call, const char *args, const char *path, char real[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	bool nofollow =
		call[0] == 'l' || call[0] == 'r' || strstr(args, "AT_SYMLINK_NOFOLLOW") != NULL;

	snprintf(real, PATH_MAX, "%s", path);
	if (as_named(path))
		return;
	if (!nofollow || !slash || slash == path || !slash[1]) {
		if (!realpath(path, real))
			snprintf(real, PATH_MAX, "%s", path);
		return;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (realpath(parent, real))
		snprintf(real + strlen(real), PATH_MAX - strlen(real), "%s", slash);
	else
		snprintf(real, PATH_MAX, "%s", path);
}

static bool take_path(const struct proc *p, const char *args, struct sb_buf *ret)
{
	char dir[PATH_MAX], path[2 * PATH_MAX];
	const char *quote = strchr(args, '"');

	if (!quote)
		return false;
	strace_dir(args, p->cwd, dir, sizeof(dir));
	strace_string(quote + 1, '"', path, sizeof(path));
	sb_buf_cut(ret, 0);
	return path[0] && sb_path_absolute(ret, dir, path) == 0;
}

/* The kernel opens the linker that a program names. */
static void add_linker(struct state *st, const char *exe, FILE *f)
{
	char linker[PATH_MAX] = "", real[PATH_MAX];
	Elf64_Ehdr head;
	Elf64_Phdr seg;

	rewind(f);
	if (fread(&head, sizeof(head), 1, f) != 1 || memcmp(head.e_ident, ELFMAG, SELFMAG) ||
	    head.e_ident[EI_CLASS] != ELFCLASS64)
		return;
	for (unsigned i = 0; i < head.e_phnum; i++)
		if (fseek(f, (long)(head.e_phoff + i * sizeof(seg)), SEEK_SET) == 0 &&
		    fread(&seg, sizeof(seg), 1, f) == 1 && seg.p_type == PT_INTERP &&
		    fseek(f, (long)seg.p_offset, SEEK_SET) == 0 &&
		    fgets(linker, (int)sizeof(linker), f))
			break;
	if (!linker[0])
		return;
	real_name("open", "", linker, real);
	add(st, true, exe, "open", real);
}

/* The kernel opens what "#!" names, too. */
static void on_exec(struct state *st, struct proc *p, const char *path)
{
	char line[256] = "", interpreter[256], real[PATH_MAX];

	/* To itself, and not to us, it is what it was. */
	bool again = strcmp(path, "/proc/self/exe") == 0;

	p->thread = false;
	if (!again)
		snprintf(p->exe, sizeof(p->exe), "%s", path);
	for (int i = 0; i < 5; i++) {
		auto_file FILE *f = fopen(again ? p->exe : path, "re");

		real_name("exec", "", path, real);
		add(st, true, p->exe, "exec", real);
		if (!f || !fgets(line, sizeof(line), f) ||
		    sscanf(line, "#! %255s", interpreter) != 1) {
			if (f)
				add_linker(st, p->exe, f);
			return;
		}
		path = interpreter;
		again = false;
	}
}

static void on_call(struct state *st, struct proc *p, const char *name, const char *args,
		    const char *result)
{
	auto_buf path = SB_BUF_INIT;
	const char *kind = kind_of_call(name), *mark = strchr(result, '<');
	char real[PATH_MAX];

	if (result[0] == '?' ||
	    (result[0] == '-' && (strncmp(name, "readlink", 8) || !strstr(result, "EINVAL"))))
		return;
	if (!strcmp(name, "fchdir") && strchr(args, '<'))
		strace_string(strchr(args, '<') + 1, '>', p->cwd, sizeof(p->cwd));
	if (!kind || !take_path(p, args, &path))
		return;
	if (!strcmp(kind, "exec")) {
		on_exec(st, p, sb_buf_str(&path));
		return;
	}
	/* What never had a name (O_TMPFILE) is told by its directory. */
	if (mark && !as_named(sb_buf_str(&path)) && !strstr(mark, "(deleted)"))
		strace_string(mark + 1, '>', real, sizeof(real));
	else
		real_name(name, args, sb_buf_str(&path), real);
	if (!strcmp(name, "chdir"))
		snprintf(p->cwd, sizeof(p->cwd), "%s", real);
	add(st, true, p->exe, kind, real);
}

static void on_child(struct state *st, struct proc *p, const char *args, long id)
{
	struct proc *child = proc_of(st, id);

	child->parent = p;
	child->thread = strstr(args, "CLONE_THREAD") != NULL;
}

static struct proc *begin(struct state *st, long id)
{
	struct proc *p = proc_of(st, id);

	if (!st->begun && !getcwd(p->cwd, sizeof(p->cwd)))
		die("no working directory");
	st->begun = true;
	return p;
}

/* Twice over the file: who is whose child must be known before what a child does. */
static void take_birth(void *arg, long id, const char *call, const char *args, const char *result)
{
	struct proc *p = begin(arg, id);

	if (strace_is_birth(call) && atol(result) > 0)
		on_child(arg, p, args, atol(result));
}

static void take_call(void *arg, long id, const char *call, const char *args, const char *result)
{
	struct proc *p = begin(arg, id);

	if (!strace_is_birth(call))
		on_call(arg, owner_of(p), call, args, result);
}

int main(int argc, char **argv)
{
	struct state st = {.lines = SB_MAP_INIT, .procs = SB_MAP_INIT, .pending = SB_MAP_INIT};
	bool strace = argc == 4 && !strcmp(argv[1], "--strace");

	if (argc != 3 && !strace) {
		fprintf(stderr, "usage: accesses [--strace] WORK FILE\n");
		return 2;
	}
	st.work = argv[argc - 2];
	if (strace) {
		if (!strace_each(argv[3], &st.pending, take_birth, &st) ||
		    !strace_each(argv[3], &st.pending, take_call, &st))
			die("the strace output cannot be read");
	} else {
		read_trace(&st, argv[2]);
	}
	sb_map_sort(&st.lines);
	for (size_t i = 0; i < st.lines.count; i++)
		puts(st.lines.entries[i].key);
	/* What st holds lives as long as the process. */
	return 0;
}
