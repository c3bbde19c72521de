/*
 * inside DIR: what libc opens for itself, asked for by variables that name DIR: a time zone, a
 * locale, a message catalogue, a converter; and a pattern. DIR is made by the caller, empty.
 */
#include <glob.h>
#include <iconv.h>
#include <locale.h>
#include <nl_types.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/targets/expect.h"

static const char *dir;

static const char *below(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void set(const char *variable, const char *value)
{
	if (setenv(variable, value, 1))
		fail("setenv", variable);
}

static void time_zone(void)
{
	char zone[512];

	snprintf(zone, sizeof(zone), ":%s", below("zone"));
	set("TZ", zone);
	expect("open", ENOENT, below("zone"));
	tzset();
}

static void locale(void)
{
	set("LOCPATH", dir);
	expect("open", ENOENT, below("xx_YY/LC_CTYPE"));
	if (setlocale(LC_CTYPE, "xx_YY"))
		fail("setlocale was to fail", dir);
}

static void catalogue(void)
{
	set("NLSPATH", below("%N"));
	expect("open", ENOENT, below("catalogue"));
	errno = 0;
	if (catopen("catalogue", 0) != (nl_catd)-1 || errno != ENOENT)
		fail("catopen was to fail", dir);
}

static void converter(void)
{
	set("GCONV_PATH", dir);
	expect("open", ENOENT, below("gconv-modules"));
	if (iconv_open("NOTHING-1", "NOTHING-2") != (iconv_t)-1)
		fail("iconv_open was to fail", dir);
}

static void pattern(void)
{
	glob_t found;
	char name[600];

	if (mkdir(below("sub"), 0700))
		fail("mkdir", dir);
	snprintf(name, sizeof(name), "%s/*", below("sub"));
	expect("open", 0, below("sub"));
	if (glob(name, 0, NULL, &found) != GLOB_NOMATCH)
		fail("glob was to find nothing", name);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	time_zone();
	locale();
	catalogue();
	converter();
	pattern();
	return 0;
}
