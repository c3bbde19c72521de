/* Filters that a program puts itself under, for somebody else to be told of its calls. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "tracer/watch_private.h"

#define PER_READ 128u

/* The program, as the kernel takes it: its length, and where it is. */
static bool find_program(pid_t tid, enum sb_abi abi, uint64_t at, unsigned short *ret_len,
			 uint64_t *ret_code)
{
	struct {
		uint16_t len, pad;
		uint32_t code;
	} narrow;
	struct {
		uint16_t len, pad[3];
		uint64_t code;
	} wide;

	if (abi == SB_ABI_I386 || abi == SB_ABI_X32) {
		if (sb_read_memory(tid, at, &narrow, sizeof narrow) < 0)
			return false;
		*ret_len = narrow.len;
		*ret_code = narrow.code;
		return true;
	}
	if (sb_read_memory(tid, at, &wide, sizeof wide) < 0)
		return false;
	*ret_len = wide.len;
	*ret_code = wide.code;
	return true;
}

static bool answers_trace(pid_t tid, unsigned short len, uint64_t where)
{
	struct sock_filter code[PER_READ];

	for (unsigned done = 0, some; done < len && done < BPF_MAXINSNS; done += some) {
		some = len - done < PER_READ ? len - done : PER_READ;
		if (sb_read_memory(tid, where + done * sizeof *code, code, some * sizeof *code) < 0)
			return false;
		for (unsigned i = 0; i < some; i++)
			if (code[i].code == (BPF_RET | BPF_K) &&
			    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE)
				return true;
	}
	return false;
}

/* Libraries ask without a program whether the kernel would know the flag. */
bool watch_filters_for_a_tracer(const struct sb_watch_call *call)
{
	const struct sb_call *c = &call->call;
	bool listens = false;
	unsigned short len;
	uint64_t where;

	if (strcmp(call->touches.row->name, "prctl") == 0) {
		if (c->args[0] != PR_SET_SECCOMP || c->args[1] != SECCOMP_MODE_FILTER)
			return false;
	} else {
		if (c->args[0] != SECCOMP_SET_MODE_FILTER)
			return false;
		listens = c->args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	}
	return find_program(call->tid, c->abi, c->args[2], &len, &where) && len &&
	       (listens || answers_trace(call->tid, len, where));
}
