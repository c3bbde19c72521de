/* Opening: by descriptor, by stream, under a name that is made up. */
#include "tests/targets/every_call/calls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Declared by no header, or only where the compiler fortifies. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
FILE *_IO_fopen(const char *path, const char *mode);

static char *bad = (char *)16;

void try_opens(void)
{
	CALL(closed(open("file", O_RDONLY)), "open", "file");
	CALL(closed(open("none", O_RDONLY)), "open", "none");
	CALL(closed(open("file", O_WRONLY)), "write", "file");
	CALL(closed(open("file", O_RDWR)), "open write", "file");
	CALL(closed(open("file", O_RDONLY | O_TRUNC)), "open write", "file");
	CALL(closed(open("new", O_WRONLY | O_CREAT | O_EXCL, 0600)), "write", "new");
	CALL(closed(open("new", O_WRONLY | O_CREAT | O_EXCL, 0600)), "write", "new");
	CALL(closed(open("none/new", O_RDWR | O_CREAT, 0600)), "open write", "none/new");
	CALL(closed(open("link", O_RDONLY | O_NOFOLLOW)), "open", "link");
	CALL(closed(open("link", O_PATH | O_NOFOLLOW)), "open", "link");
	CALL(closed(open(".", O_RDWR | O_TMPFILE, 0600)), "open", "");
	CALL(closed(open("file", O_RDONLY | O_DIRECTORY)), "open", "file");
	CALL(closed(openat(at, "inner", O_RDONLY)), "open", "sub/inner");
	CALL(closed(openat(at, "none", O_RDONLY)), "open", "sub/none");
	CALL(closed(openat(at, "../file", O_RDONLY)), "open", "sub/../file");
	CALL(closed(openat(-2, "none", O_RDONLY)), "", "none");
	CALL(closed(creat("new", 0644)), "write", "new");
	CALL(closed(creat("none/new", 0644)), "write", "none/new");
	QUIET(closed(open(bad, O_RDONLY)));
	QUIET(closed(open("", O_RDONLY)));
#ifdef __GLIBC__
	CALL(closed(open64("file", O_RDONLY)), "open", "file");
	CALL(closed(openat64(at, "inner", O_RDONLY)), "open", "sub/inner");
	CALL(closed(creat64("new", 0644)), "write", "new");
	CALL(closed(__open("file", O_RDONLY)), "open", "file");
	CALL(closed(__open64("file", O_RDONLY)), "open", "file");
	CALL(closed(__open_2("file", O_RDONLY)), "open", "file");
	CALL(closed(__open64_2("none", O_RDONLY)), "open", "none");
	CALL(closed(__openat_2(at, "inner", O_RDONLY)), "open", "sub/inner");
	CALL(closed(__openat64_2(at, "none", O_RDONLY)), "open", "sub/none");
#endif
}

void try_streams(void)
{
	CALL(fclosed(fopen("file", "r")), "open", "file");
	CALL(fclosed(fopen("none", "re")), "open", "none");
	CALL(fclosed(fopen("file", "r+")), "open write", "file");
	CALL(fclosed(fopen("new", "w")), "write", "new");
	CALL(fclosed(fopen("new", "a+")), "open write", "new");
	CALL(fclosed(fopen("new", "wx")), "write", "new");
	CALL(fclosed(fopen("none/new", "wb")), "write", "none/new");
	QUIET(fclosed(fopen("unheard", "?")));
	QUIET(fclosed(fopen("unheard", "")));
	QUIET(fclosed(freopen("unheard", "?", fopen("/dev/null", "r"))));
	CALL(fclosed(freopen("new", "r", fopen("file", "r"))), "open", "new");
	CALL(fclosed(freopen("none", "r", fopen("file", "r"))), "open", "none");
	QUIET(fclosed(freopen(NULL, "r", fopen("file", "r"))));
#ifdef __GLIBC__
	CALL(fclosed(fopen("file", "r,ccs=UTF-8")), "open", "file");
	CALL(fclosed(fopen64("file", "r")), "open", "file");
	CALL(fclosed(_IO_fopen("file", "r")), "open", "file");
	CALL(fclosed(freopen64("new", "r", fopen("file", "r"))), "open", "new");
#endif
}

/* A template that can be written to; its name holds until the next. */
static char name[64];

static char *template(const char *text)
{
	strcpy(name, text);
	return name;
}

/* The name is known only afterwards, and removed again. */
#define TEMPORARY(outcome, kinds)                                  \
	do {                                                       \
		int outcome_ = said(#outcome, outcome);            \
		wanted(kinds, outcome_, name);                     \
		if (!outcome_)                                     \
			wanted("write", told(remove(name)), name); \
	} while (0)

void try_temporaries(void)
{
	TEMPORARY(closed(mkstemp(template("tXXXXXX"))), "open write");
	TEMPORARY(closed(mkostemp(template("tXXXXXX"), O_CLOEXEC)), "open write");
	TEMPORARY(closed(mkstemps(template("tXXXXXX.c"), 2)), "open write");
	TEMPORARY(closed(mkostemps(template("tXXXXXX.c"), 2, O_APPEND)), "open write");
	TEMPORARY(made(mkdtemp(template("tXXXXXX"))), "write");
	QUIET(closed(mkstemp(template("none/tXXX"))));
	TEMPORARY(closed(mkstemp(template("none/tXXXXXX"))), "open write");
	TEMPORARY(made(mkdtemp(template("none/tXXXXXX"))), "write");
#ifdef __GLIBC__
	TEMPORARY(closed(mkstemp64(template("tXXXXXX"))), "open write");
	TEMPORARY(closed(mkostemp64(template("tXXXXXX"), O_CLOEXEC)), "open write");
	TEMPORARY(closed(mkstemps64(template("tXXXXXX.c"), 2)), "open write");
	TEMPORARY(closed(mkostemps64(template("tXXXXXX.c"), 2, 0)), "open write");
#endif
	QUIET(fclosed(tmpfile()));
}
