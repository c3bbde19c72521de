#include "auditor/audit.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "auditor/libctext.h"
#include "preload/environ.h"
#include "preload/inspect.h"
#include "preload/start.h"
#include "preload/str.h"
#include "preload/write.h"

/*
 * glibc 2.17 to 2.41 have 1,664 bytes to spare and more. Of it, 512 are for dlopen, as they are
 * untraced: so much later versions promise. A compiler's needs (libmpfr's 884 and libc's) fit: to
 * begin it again, or to leave it without us, would cost each file that is compiled.
 */
#define ROOM	(1664 - 512)
#define MEASURE (4u << 20)   /* more than any: to learn the sum */
#define MOST	(512u << 10) /* of every thread's stack: beyond it programs break */

static struct {
	uint64_t room; /* what this image may use */
	uint64_t sum;  /* of all that was opened */
	bool tried;
} tls;

/* What the environment grants: the value of the last setting, as ld.so took it. */
static uint64_t granted(void)
{
	static const char name[] = "glibc.rtld.optional_static_tls=";
	char *const *list = sb_env_find(sb_image.envp, "GLIBC_TUNABLES=");
	uint64_t value = 0;

	for (const char *p = list ? *list : ""; *p; p++) {
		if (!sb_starts(p, name))
			continue;
		value = 0;
		for (p += sizeof(name) - 1; *p >= '0' && *p <= '9'; p++)
			value = value * 10 + (uint64_t)(*p - '0');
		if (!*p)
			break;
	}
	return value;
}

void sb_tls_begin(void)
{
	tls.room = ROOM + granted();
}

static const ElfW(Phdr) * headers(const struct link_map *map, unsigned *ret_count)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)map->l_addr;

	*ret_count = 0;
	if (!e || !sb_starts((const char *)e->e_ident, ELFMAG))
		return NULL;
	*ret_count = e->e_phnum;
	return (const ElfW(Phdr) *)(map->l_addr + e->e_phoff);
}

static uint64_t size_of(const struct link_map *map)
{
	unsigned count;
	const ElfW(Phdr) *p = headers(map, &count);

	/* What the dynamic linker takes for it at most. */
	for (unsigned i = 0; i < count; i++)
		if (p[i].p_type == PT_TLS)
			return p[i].p_memsz + (p[i].p_align ? p[i].p_align - 1 : 0);
	return 0;
}

static const void *pointer(const struct link_map *map, const ElfW(Dyn) * d)
{
	return (const void *)(d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr
							  : d->d_un.d_ptr);
}

/* What an object demands of the static block: its own share, or another's, by a variable that it
 * does not define. */
static void demands(const struct link_map *map, bool program, bool *ret_own, bool *ret_others)
{
	const ElfW(Sym) *symbols = NULL;
	const uint32_t *gnu_hash = NULL, *hash = NULL;
	uint32_t count = 0;

	*ret_own = program;
	*ret_others = false;
	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag; d++) {
		if (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_STATIC_TLS)
			*ret_own = true;
		else if (d->d_tag == DT_SYMTAB)
			symbols = pointer(map, d);
		else if (d->d_tag == DT_GNU_HASH)
			gnu_hash = pointer(map, d);
		else if (d->d_tag == DT_HASH)
			hash = pointer(map, d);
	}
	/* What is undefined comes before the first that DT_GNU_HASH knows. */
	count = gnu_hash ? gnu_hash[1] : hash ? hash[1] : 0;
	for (uint32_t i = 1; *ret_own && symbols && i < count && !*ret_others; i++)
		*ret_others = symbols[i].st_shndx == SHN_UNDEF &&
			      ELF64_ST_TYPE(symbols[i].st_info) == STT_TLS;
}

/* What has to be in the static block, of all that is loaded; the program's own share is there from
 * the start. */
static uint64_t needed(const struct link_map *main)
{
	uint64_t all = 0, own = 0;
	bool any_others = false;

	for (const struct link_map *map = main; map; map = map->l_next) {
		bool is_own, others;

		demands(map, map == main, &is_own, &others);
		any_others |= others;
		if (map == main)
			continue;
		all += size_of(map);
		own += is_own ? size_of(map) : 0;
	}
	return any_others ? all : own;
}

static void again(uint64_t need, char flag, bool audit)
{
	sb_libctext_give_back();

	struct sb_recorder *st = sb_self();
	const struct sb_env_want want = {.modules = st->modules,
					 .log = st->log_path,
					 .flags = sb_flags_with(st, flag),
					 .token = st->token,
					 .static_tls = (uint32_t)need,
					 .preload =
						 sb_env_lists_preload(sb_image.envp, st->modules),
					 .audit = audit,
					 .trace = true};

	sb_again(&want);
}

/* A guard needs us for speed alone: no room is taken from the program's threads for that. */
static void leave(void)
{
	struct sb_recorder *st = sb_self();
	struct sb_program program;

	if (sb_inspect(st->log, AT_FDCWD, "/proc/self/exe", 0, &program) == 0)
		sb_inspect_note(st->log, program.key, SB_PROG_NO_AUDIT);
	again(0, 0, false);
}

void sb_tls_opened(const struct link_map *main, const struct link_map *map)
{
	tls.sum += size_of(map);
	if (tls.sum <= tls.room || tls.tried || needed(main) <= tls.room)
		return;
	tls.tried = true;
	if (sb_self()->guarded)
		leave();
	else
		again(MEASURE, 'm', true);
}

/* What was learned, for all who exec this program later; then once more, with what it needs. */
void sb_tls_settled(const struct link_map *main)
{
	struct sb_recorder *st = sb_self();
	struct sb_rec head = {.kind = SB_REC_BLIND,
			      .dirfd = AT_FDCWD,
			      .value = SB_BLIND_STATIC_TLS,
			      .arg = st->token};
	struct sb_program program = {0};
	const char *name = (const char *)sb_image_auxv(AT_EXECFN);
	uint64_t need;

	if (!sb_flag(st, 'm'))
		return;
	need = needed(main);
	(void)sb_inspect(st->log, AT_FDCWD, "/proc/self/exe", 0, &program);
	if (need <= MOST) {
		sb_inspect_note(st->log, program.key, need);
		again(need, 0, true);
		return;
	}
	sb_inspect_note(st->log, program.key, SB_PROG_NO_AUDIT);
	(void)sb_write(&head, (struct sb_text[]){{name, sb_strlen(name)}}, 1, NULL, 0, NULL);
	again(0, 0, false);
}
