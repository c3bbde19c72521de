/* The reader of fanotify's queue, over events that the kernel did not make. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "tracer/fan_private.h"

static uint64_t lost_count;

static void lost(void *arg, uint64_t count)
{
	(void)arg;
	lost_count += count;
}

/* Its queue is a pipe, into *ret_in. */
static struct sb_fan *open_or_skip(int *ret_in)
{
	struct sb_fan *fan = calloc(1, sizeof *fan);
	struct sb_err err = SB_ERR_INIT;
	int pair[2];

	cr_assert(fan != NULL);
	cr_assert(eq(int, pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0));
	fan->spec.lost = lost;
	fan->group = pair[0];
	*ret_in = pair[1];
	if (sb_forks_open(&fan->forks, &err) < 0) {
		sb_fan_free(fan);
		cr_skip_test("needs CAP_PERFMON: %s", err.msg);
	}
	return fan;
}

static void put(int in, uint64_t mask, pid_t pid)
{
	struct fanotify_event_metadata m = {.event_len = sizeof m,
					    .vers = FANOTIFY_METADATA_VERSION,
					    .metadata_len = sizeof m,
					    .mask = mask,
					    .fd = FAN_NOFD,
					    .pid = pid};

	cr_assert(eq(sz, (size_t)write(in, &m, sizeof m), sizeof m));
}

/* How many were dropped is not told: that some were, is. */
Test(fan, an_overflow_is_lost)
{
	int in;
	struct sb_fan *fan = open_or_skip(&in);

	put(in, FAN_OPEN, getppid());
	sb_fan_turn(fan);
	cr_expect(eq(u64, lost_count, 0));
	put(in, FAN_Q_OVERFLOW, 0);
	put(in, FAN_OPEN, getppid());
	sb_fan_turn(fan);
	cr_expect(eq(u64, lost_count, 1));
	close(in);
	sb_fan_free(fan);
}

/* One whose file has no descriptor for us is none that was seen. */
Test(fan, without_a_file_it_is_lost)
{
	int in;
	struct sb_fan *fan = open_or_skip(&in);

	cr_assert(eq(int, fan_image_root(fan, getpid(), "/bin/sh"), 0));
	put(in, FAN_OPEN, getpid());
	sb_fan_turn(fan);
	cr_expect(eq(u64, lost_count, 1));
	close(in);
	sb_fan_free(fan);
}

/* --- which file is the linker ----------------------------------------------------------------- */

static bool is_linker(const char *named, const char *opened)
{
	struct fan_process process = {.pid = getpid(), .named = named};
	struct fan_seen seen = {
		.process = &process, .fd = open(opened, O_RDONLY | O_CLOEXEC), .path = opened};
	bool is = fan_is_linker(&process, &seen);

	close(seen.fd);
	return is;
}

Test(fan, the_linker_is_what_the_program_names)
{
	char link[] = "/tmp/sb-fan.XXXXXX";

	cr_assert(mkdtemp(link) != NULL);
	cr_assert(eq(int, rmdir(link), 0));
	cr_assert(eq(int, symlink("/bin/sh", link), 0));
	cr_expect(is_linker("/bin/sh", "/bin/sh"));
	cr_expect(is_linker(link, "/bin/sh"));
	cr_expect(not(is_linker("/bin/sh", "/bin/ls")));
	cr_expect(not(is_linker("/no/such/file", "/bin/ls")));
	cr_expect(not(is_linker(NULL, "/bin/ls")));
	/* In a root that is gone: by the last part of the name. */
	cr_expect(is_linker("/no/such/root/ls", "/bin/ls"));
	cr_assert(eq(int, unlink(link), 0));
}
