#include "tracer/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/buf.h"
#include "tracer/decode.h"

static const char path[] = "/a path that only the probe asks for";

void sb_ask_filter(uint32_t action, struct sock_filter *ret, struct sock_fprog *prog)
{
	const struct sock_filter code[SB_ASK_FILTER] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_faccessat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	memcpy(ret, code, sizeof code);
	*prog = (struct sock_fprog){.len = SB_ASK_FILTER, .filter = ret};
}

int sb_ask(void)
{
	return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) < 0 && errno == ENOSYS ? ENOSYS : 0;
}

bool sb_ask_heard(pid_t tid, uint64_t address)
{
	auto_buf heard = SB_BUF_INIT;

	return sb_read_string(tid, address, sizeof path, &heard) == 0 && strcmp(heard.s, path) == 0;
}
