/*
 * Measures one command against another: pair ROUNDS[,SHORT] A... --- B...
 *
 * Runs A B A B..., after one of each to warm up, with output to /dev/null; SHORT rounds, where A
 * takes less than half a second, and B no more than a few: what disturbs those is a larger part of
 * them. Prints the medians
 * of wall time, and the medians of the rounds' own ratios B/A of wall and of CPU time (the command
 * and what it waited for): a machine that slows down for a while slows both halves of a round.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS    99
#define SHORT_SECONDS 0.5
#define LONG_SECONDS  4.0

extern char **environ;

struct cost {
	double wall, cpu;
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cost run(char **argv)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	double start = now();
	int status, code;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	code = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code != 0)
		errx(1, "%s: %s", argv[0], strerror(code));
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			err(1, "wait");
	if (status != 0)
		errx(1, "%s ... %s: wait status 0x%x", argv[0], argv[1] ? argv[1] : "", status);
	return (struct cost){now() - start, seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* 0: not a number of rounds. */
static int parse_rounds(const char *text, int *ret_short)
{
	const char *comma = strchr(text, ',');
	int rounds = atoi(text);

	*ret_short = comma ? atoi(comma + 1) : rounds;
	return rounds <= MAX_ROUNDS && *ret_short >= 1 && *ret_short <= MAX_ROUNDS ? rounds : 0;
}

int main(int argc, char **argv)
{
	double a_wall[MAX_ROUNDS], b_wall[MAX_ROUNDS], wall[MAX_ROUNDS], cpu[MAX_ROUNDS];
	int when_short = 0, rounds = argc > 1 ? parse_rounds(argv[1], &when_short) : 0, split = 2;

	while (split < argc && strcmp(argv[split], "---") != 0)
		split++;
	if (rounds < 1 || split == 2 || split + 1 >= argc)
		errx(2, "usage: pair ROUNDS[,SHORT] A... --- B...");
	argv[split] = NULL;
	char **a = argv + 2, **b = argv + split + 1;

	double first = run(a).wall, second = run(b).wall;
	if (first < SHORT_SECONDS && second < LONG_SECONDS)
		rounds = when_short;
	for (int i = 0; i < rounds; i++) {
		struct cost x = run(a), y = run(b);

		a_wall[i] = x.wall;
		b_wall[i] = y.wall;
		wall[i] = y.wall / x.wall;
		cpu[i] = y.cpu / x.cpu;
	}
	double a_median = median(a_wall, rounds), b_median = median(b_wall, rounds);
	double ratio = median(wall, rounds);

	printf("%7.2f  %7.2f  %5.2f .. %5.2f  %8.3f s  %8.3f s\n", ratio, median(cpu, rounds),
	       wall[0], wall[rounds - 1], a_median, b_median);
	return 0;
}
