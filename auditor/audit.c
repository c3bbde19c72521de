#include "auditor/audit.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "auditor/libctext.h"
#include "auditor/linker.h"
#include "auditor/passed.h"
#include "preload/environ.h"
#include "preload/hide.h"
#include "preload/inspect.h"
#include "preload/next.h"
#include "preload/start.h"
#include "preload/str.h"

#define CACHE	 "/etc/ld.so.cache"
#define PRELOAD	 "/etc/ld.so.preload"
#define SHOWN	 __attribute__((visibility("default")))
#define SEARCHED 64u
/* What glibc offers since 2.35. */
#define GUARDED_LEAST 2u

SHOWN unsigned la_version(unsigned offered);
SHOWN char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag);
SHOWN unsigned la_objopen(struct link_map *map, Lmid_t ns, uintptr_t *cookie);
SHOWN void la_activity(uintptr_t *cookie, unsigned flag);

struct sb_image sb_image;

static struct {
	const struct link_map *main;
	const char *by; /* who asked for what is searched now; "" the program */
	bool cache_told;
	bool started; /* what the program needs at its start is loaded */
	bool preloaded;
	bool planted;		      /* the linker's own calls are told by themselves */
	const struct sb_share *share; /* the preload's */
	uint32_t searched[SEARCHED];  /* hashes of directories, 0 none */
} now;

struct sb_recorder *sb_shared_state(void)
{
	return NULL; /* the state is this module's own, see sb_self() */
}

uint64_t sb_image_auxv(uint64_t type)
{
	for (const ElfW(auxv_t) *a = sb_image.auxv; a && a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

static int look(const char *path)
{
	return (int)-sb_raw(SYS_faccessat, AT_FDCWD, (long)path, R_OK, 0, 0, 0);
}

/* To a guard a load is an open, and a search one that failed: who makes the calls has told. */
static bool tells(void)
{
	return !sb_self()->guarded;
}

static void tell(uint8_t kind, const char *path, const char *by, int outcome)
{
	const struct sb_access access = {.kind = kind,
					 .dirfd = AT_FDCWD,
					 .path = path,
					 .by = by,
					 .outcome = outcome,
					 .fd = -1};

	sb_record(&access);
}

/* --- the image -------------------------------------------------------------------------------- */

/*
 * A program that takes no preload (a sanitizer's) has its children inherit an environment without
 * one: they can take it, so they begin again with it.
 */
static void regain_preload(void)
{
	struct sb_recorder *st = sb_self();
	struct sb_env_want want = {.modules = st->modules,
				   .log = st->log_path,
				   .flags = sb_flags_with(st, 0),
				   .token = st->token,
				   .preload = true,
				   .audit = true,
				   .trace = true};
	struct sb_program program;

	if (!tells() || sb_load(&st->sandboxed) || sb_env_lists_preload(sb_image.envp, st->modules))
		return;
	if (sb_inspect(st->log, AT_FDCWD, "/proc/self/exe", 0, &program) == 0 &&
	    !(program.info & SB_PROG_SANITIZER))
		sb_again(&want);
}

/*
 * Up to 2.34 glibc counts every call from one object to another where there is an auditor, and
 * dlmopen crashes. Where a guard is told of everything anyhow, that is no price to pay.
 */
static bool declines(unsigned offered)
{
	char *const *ours = sb_env_find(sb_image.envp, SB_ENV_TRACE "=");

	return offered < GUARDED_LEAST && ours && sb_env_flag(*ours, 'g');
}

unsigned la_version(unsigned offered)
{
	/* 0: ld.so drops the module, and the process runs as if it had never been named. */
	if (!sb_image_find(__builtin_frame_address(0), &sb_image) || declines(offered) ||
	    !sb_start(sb_image.argv, sb_image.envp))
		return 0;
	now.planted = sb_linker_plant();
	regain_preload();
	sb_libctext_begin();
	sb_tls_begin();
	if (tells() && !sb_recorder_sandboxed())
		tell(SB_STAT, PRELOAD, NULL, look(PRELOAD));
	return offered < LAV_CURRENT ? offered : LAV_CURRENT;
}

/* --- searches and loads ----------------------------------------------------------------------- */

/* A candidate that is there, not mapped yet; "" none. */
static char *found(void)
{
	return sb_self()->passing->name;
}

/* A candidate that was there and was not mapped: loaded before by another name, or of another
 * class. */
static void flush_found(void)
{
	if (found()[0])
		tell(SB_OPEN, found(), NULL, 0);
	found()[0] = 0;
}

static void tell_cache(unsigned flag)
{
	if (now.cache_told || sb_recorder_sandboxed())
		return;
	now.cache_told = true;
	tell(SB_OPEN, CACHE, NULL, flag == LA_SER_CONFIG ? 0 : look(CACHE));
}

/* Whether ld.so has searched that directory before: then it knows that it is there, or is not. */
static bool known(const char *dir, size_t len)
{
	uint32_t hash = 5381, *slot;

	for (size_t i = 0; i < len; i++)
		hash = hash * 33 + (unsigned char)dir[i];
	hash += !hash;
	slot = &now.searched[hash % SEARCHED];
	if (*slot == hash)
		return true;
	*slot = hash;
	return false;
}

/* Where the first thing that it searches for is missing, ld.so looks whether there is such a
 * directory; but for one that is relative, which may be another one the next time. */
static void searched(const char *name, bool missing)
{
	size_t len = (size_t)(sb_basename(name) - name), at = 0;

	while (len > 1 && name[len - 1] == '/')
		len--;
	if (!len || len >= PATH_MAX || name[0] != '/' || known(name, len) || !missing)
		return;
	(void)sb_put(found(), PATH_MAX, &at, name, len);
	tell(SB_STAT, found(), NULL, look(found()));
	found()[0] = 0;
}

/* ld.so is about to open it. What it finds there we ask ourselves, but for the cache, which is
 * mostly right. */
static void candidate(const char *name, unsigned flag)
{
	int error = flag == LA_SER_CONFIG || sb_recorder_sandboxed() ? 0 : look(name);
	size_t at = 0;

	if (error)
		tell(SB_SEARCH, name, now.by, error);
	if (flag & (LA_SER_LIBPATH | LA_SER_RUNPATH | LA_SER_DEFAULT))
		searched(name, error != 0);
	if (!error)
		(void)sb_puts(found(), PATH_MAX, &at, name);
}

char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag)
{
	const struct link_map *asker = (const struct link_map *)*cookie;

	if (!tells())
		return (char *)name;
	flush_found();
	if (flag == LA_SER_ORIG) {
		now.by = asker && asker->l_name ? asker->l_name : "";
		if (sb_strchr(name, '/') && !sb_starts(name, sb_self()->modules))
			candidate(name, flag);
		return (char *)name;
	}
	if (flag == LA_SER_CONFIG || flag == LA_SER_DEFAULT)
		tell_cache(flag);
	candidate(name, flag);
	return (char *)name;
}

/* Both modules share this one's state; only where they are of one build. */
static bool hand_over(const struct link_map *map)
{
	struct sb_share *share;
	const char *base = sb_basename(map->l_name);

	if (!sb_streq(base, SB_PRELOAD_NAME))
		return false;
	share = sb_map_symbol(map, SB_SHARE_NAME);
	if (!share || share->size != sizeof(struct sb_recorder))
		return false;
	share->state = sb_self();
	now.share = share;
	return true;
}

unsigned la_objopen(struct link_map *map, Lmid_t ns, uintptr_t *cookie)
{
	const char *name = map->l_name ? map->l_name : "";

	*cookie = (uintptr_t)map;
	if (!now.main && ns == LM_ID_BASE)
		now.main = map;
	/* Without a slash it is no file: the program, whose exec was told, or the kernel's vdso. */
	if (!sb_strchr(name, '/'))
		return 0;
	if (ns == LM_ID_BASE)
		sb_libctext_opened(map);
	if (ns == LM_ID_BASE && !now.preloaded && hand_over(map)) {
		now.preloaded = true;
		return 0;
	}
	if (tells()) {
		if (sb_streq(found(), name))
			found()[0] = 0;
		flush_found();
		tell(SB_LOAD, name, now.by ? now.by : "", 0);
	}
	if (!now.started && ns == LM_ID_BASE)
		sb_tls_opened(now.main, map);
	return 0;
}

void la_activity(uintptr_t *cookie, unsigned flag)
{
	(void)cookie;
	if (flag != LA_ACT_CONSISTENT)
		return;
	if (tells())
		flush_found();
	if (now.started)
		return;
	now.started = true;
	sb_tls_settled(now.main);
	sb_passed_tell(now.main, now.planted);
	/* All is relocated, and nothing has run. */
	if (now.share)
		now.share->plant();
	/* Else nobody would put them back for the children. */
	if (sb_libctext_settled() || now.preloaded)
		sb_hide(sb_image.envp, (const void *)sb_image_auxv(AT_PHDR),
			sb_image_auxv(AT_PHNUM));
}
