/*
 * Starts the program in whose place the kernel started us: finds the bundle by our own name, maps
 * the payload's program and its dynamic linker as the kernel would have, and tells the linker so in
 * the auxiliary vector. All else that the kernel gave (arguments, environment, stack) is the
 * program's.
 */
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/map.h"
#include "redirect/redirect.h"

struct sb_here sb_here;

static char self[SB_PATH_MAX], payload[SB_PATH_MAX], root[SB_PATH_MAX], cwd[SB_PATH_MAX];

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	return sb_arch_syscall(nr, a, b, c, d, e, f);
}

static __attribute__((noreturn)) void fail(const char *what, const char *path)
{
	char line[SB_PATH_MAX + 200];
	size_t at = 0;

	line[0] = 0;
	(void)sb_puts(line, sizeof(line), &at, "sidebundle: host mode: ");
	(void)sb_puts(line, sizeof(line), &at, what);
	(void)sb_puts(line, sizeof(line), &at, " '");
	(void)sb_puts(line, sizeof(line), &at, path);
	(void)sb_puts(line, sizeof(line), &at, "'; SIDEBUNDLE_RUN_MODE=namespace may do\n");
	(void)call(__NR_write, 2, (long)line, (long)at, 0, 0, 0);
	for (;;)
		(void)call(__NR_exit_group, 125, 0, 0, 0, 0, 0);
}

static struct sb_aux *find_aux(struct sb_aux *aux, uint64_t type)
{
	for (; aux->type != AT_NULL; aux++)
		if (aux->type == type)
			return aux;
	return NULL;
}

static void set_aux(struct sb_aux *aux, uint64_t type, uint64_t value)
{
	aux = find_aux(aux, type);
	if (aux)
		aux->value = value;
}

/* Where /proc is missing, the name as execve(2) had it. */
static void find_self(const struct sb_aux *execfn)
{
	long n = call(__NR_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)self,
		      sizeof(self) - 1, 0, 0);
	size_t at = 0;

	if (n > 0 && self[0] == '/') {
		self[n] = 0;
		return;
	}
	if (!execfn)
		fail("cannot tell where the bundle is:", "/proc/self/exe");
	if (((const char *)execfn->value)[0] != '/') {
		n = call(__NR_getcwd, (long)self, sizeof(self) - 1, 0, 0, 0, 0);
		at = n > 1 ? (size_t)n - 1 : 0;
		(void)sb_puts(self, sizeof(self), &at, "/");
	}
	(void)sb_puts(self, sizeof(self), &at, (const char *)execfn->value);
}

/* The last place where `mark` stands: a bundle may lie in a bundle. 0: nowhere. */
static size_t find_mark(const char *mark)
{
	size_t at = 0;

	for (size_t i = 0; self[i]; i++)
		if (sb_starts(self + i, mark))
			at = i + 1;
	return at;
}

static void name_part(const char *what, char *buf, const char **ret, size_t *ret_len)
{
	size_t at = 0;

	(void)sb_put(buf, SB_PATH_MAX, &at, self, sb_here.bundle_len);
	(void)sb_puts(buf, SB_PATH_MAX, &at, what);
	*ret = buf;
	*ret_len = at;
}

/* `program`: told by who started us; empty: the one in whose place we are. */
static void find_bundle(const char *program)
{
	size_t at = find_mark(*program ? "/" SB_HOST_START : "/" SB_HOST_ROOT "/");

	if (!at)
		fail("started outside of a bundle, as", self);
	sb_here.bundle_len = at - 1;
	sb_here.by_name = *program;
	sb_here.program = *program ? program : self + at - 1 + sizeof("/" SB_HOST_ROOT) - 1;
	name_part("/payload", payload, &sb_here.payload, &sb_here.payload_len);
	name_part("/" SB_HOST_ROOT, root, &sb_here.root, &sb_here.root_len);
	sb_here.front = sb_here.root_len > sb_here.layer_len ? sb_here.root_len : sb_here.layer_len;
	if (sb_here.front > SB_FRONT)
		fail("the bundle's own path is too long:", self);
}

static void read_index(void)
{
	char path[SB_PATH_MAX];
	size_t at = 0;
	long fd, at_mem;
	uint32_t size = 0;
	struct sb_index_head head;

	(void)sb_put(path, sizeof(path), &at, self, sb_here.bundle_len);
	(void)sb_puts(path, sizeof(path), &at, "/" SB_HOST_INDEX);
	fd = call(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0 || call(__NR_read, fd, (long)&head, sizeof(head), 0, 0, 0) != sizeof(head))
		fail("cannot read", path);
	size = head.size;
	for (size_t i = 0; i < sizeof(head.magic); i++)
		if (head.magic[i] != SB_INDEX_MAGIC[i])
			size = 0;
	if (!size)
		fail("of another version is", path);
	at_mem = call(__NR_mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)call(__NR_close, fd, 0, 0, 0, 0, 0);
	if (at_mem < 0 && at_mem > -4096)
		fail("cannot map", path);
	sb_here.base = (const char *)at_mem;
	sb_here.index = (const struct sb_index_head *)at_mem;
	sb_here.slots = (const uint32_t *)(sb_here.base + head.slots);
	sb_here.entries = (const struct sb_index_entry *)(sb_here.base + head.entries);
}

static void note_places(char **env)
{
	long n = call(__NR_getcwd, (long)cwd, sizeof(cwd) - 1, 0, 0, 0, 0);

	if (n <= 0 || cwd[0] != '/')
		cwd[0] = 0;
	sb_here.real_cwd = cwd;
	sb_here.inside = sb_here.entered = sb_strip(cwd) != NULL;
	sb_here.cwd = sb_here.inside ? "" : cwd;
	sb_here.home = "";
	for (; *env; env++)
		if (sb_starts(*env, "HOME=/"))
			sb_here.home = *env + 5;
	sb_here.bundle = self;
}

/* Whether names that begin where we stand may be the payload's. */
static void note_shared(void)
{
	struct sb_place place = {.size = 0};

	sb_here.shares = cwd[0] && !sb_here.inside && sb_look(cwd, true, &place) && place.entry &&
			 place.entry->type == SB_INDEX_DIR;
}

/*
 * Libraries come from the payload: what the user's environment says of others is for programs of
 * this machine. It is out of the dynamic linker's sight until that has read it.
 */
static void hide_environment(char **env)
{
	static const char library_path[] = "LD_LIBRARY_PATH=";
	static const char *const names[] = {library_path,
					    "LD_PRELOAD=", "LD_AUDIT=", "LD_ORIGIN_PATH="};

	sb_here.environment = env;
	for (; *env; env++)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			if (!sb_starts(*env, names[i]))
				continue;
			sb_here.environment_hidden = true;
			if (i || !sb_library_filter(*env + sizeof(library_path) - 1))
				(*env)[0] = 1;
			break;
		}
}

/* As /proc/self/exe would have it, without the dots and links that it was named by. */
static const char *canonical(const char *path)
{
	static char real[SB_PATH_MAX];
	char link[40];
	size_t at = 0;
	long n, fd = call(__NR_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC, 0, 0, 0);

	if (fd < 0)
		return path;
	(void)sb_puts(link, sizeof(link), &at, "/proc/self/fd/");
	(void)sb_put_number(link, sizeof(link), &at, (uint64_t)fd, 10);
	n = call(__NR_readlinkat, AT_FDCWD, (long)link, (long)real, sizeof(real) - 1, 0, 0);
	(void)call(__NR_close, fd, 0, 0, 0, 0, 0);
	return n > 0 && real[0] == '/' ? real : path;
}

/* The program's file, and its name as it knows it; in buffers that stay. */
static const char *real_program(void)
{
	static struct sb_place place;
	const char *path = NULL;

	if (sb_here.by_name) {
		const char *real = canonical(sb_here.program), *known = sb_strip(real);
		const char *name = sb_basename(sb_here.program);

		path = sb_here.program;
		sb_here.program = known ? known : real;
		/* The kernel named us by what it was given. */
		(void)call(__NR_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
		return path;
	}
	if (sb_look(sb_here.program, true, &place) && place.entry) {
		path = sb_place_in_payload(&place);
		sb_here.program = place.path;
	}
	if (!path)
		fail("the bundle lacks", sb_here.program);
	return path;
}

static const char *real_linker(const char *interp)
{
	static struct sb_place place;
	const char *path = NULL;

	if (sb_look(interp, true, &place) && place.entry && place.entry->flags & SB_INDEX_LIBRARY)
		path = sb_place_in_root(&place);
	if (!path)
		fail("the bundle lacks the dynamic linker", interp);
	return path;
}

/*
 * What was told to us is the environment's last: it goes, and the auxiliary vector moves up to the
 * end of what is left. Returns the program to start, "" for the one in whose place we are.
 */
static const char *take_transit(char **env, struct sb_aux **aux)
{
	char **last = (char **)*aux - 2;
	const char *program = last >= env ? sb_transit_take(*last) : NULL;
	uintptr_t *to = (uintptr_t *)last + 1, *from = (uintptr_t *)*aux;

	if (!program) {
		sb_here.layer_text = "";
		return "";
	}
	*last = NULL;
	*aux = (struct sb_aux *)to;
	do {
		to[0] = from[0];
		to[1] = from[1];
		from += 2;
		to += 2;
	} while (to[-2] != AT_NULL);
	return program;
}

static void tell_linker(struct sb_aux *aux, const struct sb_image *program, uintptr_t base)
{
	set_aux(aux, AT_PHDR, program->headers);
	set_aux(aux, AT_PHNUM, program->header_count);
	set_aux(aux, AT_PHENT, sizeof(struct sb_program_header));
	set_aux(aux, AT_ENTRY, program->entry);
	set_aux(aux, AT_BASE, base);
	set_aux(aux, AT_EXECFN, (uintptr_t)sb_here.program);
}

/* The kernel's stack, from its top: returns where to go on. */
uintptr_t sb_start(uintptr_t *stack);
uintptr_t sb_start(uintptr_t *stack)
{
	char **env = (char **)(stack + 1 + stack[0] + 1), **end = env;
	struct sb_image program = {.base = 0}, linker = {.base = 0};
	const struct sb_aux *page;
	struct sb_aux *aux;
	const char *told, *path;
	int rc;

	while (*end)
		end++;
	aux = (struct sb_aux *)(end + 1);
	told = take_transit(env, &aux);
	if (told[0] == ':') {
		(void)call(__NR_prctl, PR_SET_NAME, (long)(told + 1), 0, 0, 0, 0);
		told = "";
	}
	find_self(find_aux(aux, AT_EXECFN));
	sb_layer_begin();
	find_bundle(told);
	read_index();
	note_places(env);
	note_shared();
	sb_here.real_program = real_program();
	page = find_aux(aux, AT_PAGESZ);
	rc = sb_map_image(sb_here.real_program, page ? page->value : 4096, &program);
	if (rc < 0 || !program.interp[0])
		fail("cannot map the program", sb_here.real_program);
	path = real_linker(program.interp);
	rc = sb_map_image(path, page ? page->value : 4096, &linker);
	if (rc < 0)
		fail("cannot map", path);
	tell_linker(aux, &program, linker.base);
	hide_environment(env);
	return linker.entry;
}
