// libs: -lpthread
/*
 * listens FILE: puts itself under a seccomp filter with a listener of its own, opens FILE, and lets
 * the call go on. Where somebody listens already, it says so and opens FILE all the same.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/targets/expect.h"

static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static int listener;
static pthread_barrier_t listening;

static void *answer(void *taken)
{
	struct seccomp_notif notif = {0};
	struct seccomp_notif_resp resp = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	pthread_barrier_wait(&listening);
	if (listener < 0)
		return NULL;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		fail("ioctl", "RECV");
	*(int *)taken = notif.data.nr;
	resp.id = notif.id;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp))
		fail("ioctl", "SEND");
	return NULL;
}

int main(int argc, char **argv)
{
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
	pthread_t thread;
	int taken = 0, fd;
	char byte;

	if (argc != 2)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail("prctl", "PR_SET_NO_NEW_PRIVS");
	/* Before the filter: whoever answers is not under it. */
	pthread_barrier_init(&listening, NULL, 2);
	if (pthread_create(&thread, NULL, answer, &taken))
		fail("pthread_create", argv[1]);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0 && errno == EBUSY)
		puts("somebody listens");
	else if (listener < 0)
		fail("seccomp", "NEW_LISTENER");
	pthread_barrier_wait(&listening);
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || read(fd, &byte, 1) != 1)
		fail("open", argv[1]);
	pthread_join(thread, NULL);
	if (listener >= 0)
		puts(taken == SYS_openat ? "listened" : "heard another call");
	return 0;
}
