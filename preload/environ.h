/*
 * The environment that brings our modules into an image, and its way back out of the program's
 * sight.
 *
 * Ours stand last: appended to the user's own LD_PRELOAD, LD_AUDIT and GLIBC_TUNABLES, or variables
 * of their own after all others. So taking them away restores what the user gave, byte for byte.
 * Used in traced processes and, for the first image, by the program itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a guarded image gets the audit module: where that answers for the dynamic linker
 * (auditor/linker.h). */
#ifdef __x86_64__
#define SB_GUARDED_AUDIT true
#else
#define SB_GUARDED_AUDIT false
#endif

/* What an image is to be given. */
struct sb_env_want {
	const char *modules; /* the directory of our modules */
	const char *log;     /* the log's path */
	const char *flags;   /* see preload/start.h; "" none */
	uint64_t token;	     /* place of the exec record */
	uint32_t static_tls; /* bytes that the libraries need, 0: the default has room */
	bool preload;	     /* the modules that it gets */
	bool audit;
	bool trace; /* false: nothing of ours at all */
};

/* The last variable NAME= of the environment, NULL. `name` comes with its '='. */
char *const *sb_env_find(char *const *envp, const char *name);
/* Whether the variable SIDEBUNDLE_TRACE=... has this flag, see preload/start.h. */
bool sb_env_flag(const char *trace, char flag);
/* Its token, and in *ret_end (may be NULL) what follows that. */
uint64_t sb_env_token(const char *trace, const char **ret_end);
/* Bytes that sb_env_compose() needs. */
size_t sb_env_size(char *const *envp, const struct sb_env_want *want);
/* The new environment in `buf`; unchanged variables are shared with envp. envp may be NULL, or have
 * ours already. */
char **sb_env_compose(char *const *envp, const struct sb_env_want *want, void *buf);
/*
 * The same with the array and the text of ours apart, for who keeps both at their places: others
 * may be reading what was there before. Room: sb_env_entries() pointers; the rest of
 * sb_env_size().
 */
size_t sb_env_entries(char *const *envp);
char **sb_env_compose_apart(char *const *envp, const struct sb_env_want *want, char **array,
			    char *text);
/* Takes ours out of envp, in place. `modules` tells which are ours. */
void sb_env_hide(char **envp, const char *modules);
/* Whether it was made for another trace than `log`'s. */
bool sb_env_nested(char *const *envp, const char *log);
/* Where our part of the list begins that is to be preloaded, its separator included; NULL: ours
 * does not end it. */
char *sb_env_preload_part(char *const *envp, const char *modules);
/* Whether our preload ends the list that is to be preloaded. */
bool sb_env_lists_preload(char *const *envp, const char *modules);
