#include "tracer/forks.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/map.h"
#include "tracer/proc.h"

/* Of each processor's ring: what an ordinary user may lock (perf_event_mlock_kb). */
#define RING_BYTES (512u << 10)
#define CPUS_MOST  4096

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* the data follows it */
};

/* One record, whoever it is about. */
struct raw {
	uint64_t time;
	size_t order;	/* in which it was read: one processor's are in order */
	unsigned looks; /* it was nobody's that we know, so often */
	enum sb_fork_kind kind;
	pid_t pid, parent;
	uint64_t mounts;
};

struct member {
	pid_t pid;
	unsigned threads;
};

struct sb_forks {
	struct ring *rings;
	size_t ring_count, page;
	struct raw *raws;
	size_t raw_count, raw_cap, order;
	struct sb_map members; /* pid_t -> struct member *, NULL for one that has ended */
	pid_t *ending;	       /* all their threads have said so */
	size_t ending_count, ending_cap;
	size_t living;
	uint64_t lost;
};

/* As the kernel lays them out, linux/perf_event.h; the time that we ask for comes last. */
struct task_record {
	struct perf_event_header header;
	uint32_t pid, ppid, tid, ptid;
	uint64_t time;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

struct spaces_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t count;
	struct perf_ns_link_info link[NR_NAMESPACES];
};

static int open_ring(struct sb_forks *f, int cpu, struct ring *ret)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof attr,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.namespaces = 1,
		/* One clock for all processors: their records are put in one order. */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	struct ring ring;

	ring.fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring.fd < 0)
		return -errno;
	ring.page =
		mmap(NULL, f->page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	if (ring.page == MAP_FAILED) {
		int failed = errno;

		close(ring.fd);
		return -failed;
	}
	*ret = ring;
	return 0;
}

static int refused(int code, struct sb_err *err)
{
	const char *help = "";

	if (code == EPERM || code == EACCES)
		help = " (needs CAP_PERFMON or CAP_SYS_ADMIN, and in a container a seccomp profile "
		       "that allows it)";
	else if (code == ENOSYS || code == ENOENT || code == EOPNOTSUPP)
		help = " (the kernel is built without CONFIG_PERF_EVENTS)";
	return sb_fail(err, code, "follow processes by perf_event_open%s", help);
}

int sb_forks_open(struct sb_forks **ret, struct sb_err *err)
{
	struct sb_forks *f = calloc(1, sizeof *f);
	int cpus = 0, rc = 0;

	if (f)
		f->rings = calloc(CPUS_MOST, sizeof *f->rings);
	if (!f || !f->rings) {
		free(f);
		return sb_fail(err, ENOMEM, "follow processes");
	}
	f->page = (size_t)sysconf(_SC_PAGESIZE);
	/* Numbers may have gaps, and a processor that is off refuses: nothing runs there. */
	cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	for (int cpu = 0; cpu < cpus && cpu < CPUS_MOST && (rc == 0 || rc == -ENODEV); cpu++) {
		rc = open_ring(f, cpu, &f->rings[f->ring_count]);
		f->ring_count += rc == 0 ? 1 : 0;
	}
	if (f->ring_count == 0 || (rc < 0 && rc != -ENODEV)) {
		sb_forks_free(f);
		return refused(rc < 0 ? -rc : ENODEV, err);
	}
	*ret = f;
	return 0;
}

void sb_forks_free(struct sb_forks *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->ring_count; i++) {
		(void)munmap(f->rings[i].page, f->page + RING_BYTES);
		close(f->rings[i].fd);
	}
	for (size_t i = 0; i < f->members.count; i++)
		free(f->members.entries[i].value);
	sb_map_free(&f->members);
	free(f->rings);
	free(f->raws);
	free(f->ending);
	free(f);
}

/* --- who is known ---------------------------------------------------------------------------- */

static struct member *find(const struct sb_forks *f, pid_t pid)
{
	const struct sb_map_entry *e = sb_map_find(&f->members, (const char *)&pid, sizeof pid);

	return e ? e->value : NULL;
}

static void forget(struct sb_forks *f, pid_t pid)
{
	struct sb_map_entry *e = sb_map_find(&f->members, (const char *)&pid, sizeof pid);

	if (!e || !e->value)
		return;
	free(e->value);
	e->value = NULL;
	f->living--;
}

static void add(struct sb_forks *f, pid_t pid)
{
	struct member *m = calloc(1, sizeof *m);
	struct sb_map_entry *e = NULL;

	forget(f, pid);
	if (m)
		e = sb_map_add(&f->members, (const char *)&pid, sizeof pid, NULL);
	if (!e) {
		free(m);
		f->lost++;
		return;
	}
	*m = (struct member){.pid = pid, .threads = 1};
	e->value = m;
	f->living++;
}

void sb_forks_root(struct sb_forks *f, pid_t pid)
{
	add(f, pid);
}

void sb_forks_adopt(struct sb_forks *f, pid_t pid)
{
	if (!find(f, pid))
		add(f, pid);
}

bool sb_forks_has(const struct sb_forks *f, pid_t pid)
{
	return find(f, pid);
}

size_t sb_forks_living(const struct sb_forks *f, pid_t *pids, size_t cap)
{
	size_t count = 0;

	for (size_t i = 0; i < f->members.count && count < cap; i++) {
		const struct member *m = f->members.entries[i].value;

		if (m)
			pids[count++] = m->pid;
	}
	return f->living;
}

uint64_t sb_forks_lost(const struct sb_forks *f)
{
	return f->lost;
}

/* --- the rings ------------------------------------------------------------------------------- */

static void copy_out(const char *data, uint64_t at, void *to, size_t size)
{
	size_t start = (size_t)(at % RING_BYTES);
	size_t first = size < RING_BYTES - start ? size : RING_BYTES - start;

	memcpy(to, data + start, first);
	memcpy((char *)to + first, data, size - first);
}

static void keep(struct sb_forks *f, struct raw raw)
{
	if (f->raw_count == f->raw_cap) {
		size_t cap = f->raw_cap ? f->raw_cap * 2 : 256;
		struct raw *grown = reallocarray(f->raws, cap, sizeof *grown);

		if (!grown) {
			f->lost++;
			return;
		}
		f->raws = grown;
		f->raw_cap = cap;
	}
	raw.order = f->order++;
	f->raws[f->raw_count++] = raw;
}

/* `size` bytes of a record stand at `at`. */
static void take(struct sb_forks *f, const char *data, uint64_t at,
		 const struct perf_event_header *header)
{
	struct task_record task = {0};
	struct lost_record lost = {0};
	struct spaces_record spaces = {0};
	struct raw raw;

	if (header->type == PERF_RECORD_LOST) {
		copy_out(data, at, &lost, sizeof lost);
		f->lost += lost.lost;
		return;
	}
	/* Those of COMM and NAMESPACES begin the same way: pid, tid. */
	copy_out(data, at, &task, header->size < sizeof task ? header->size : sizeof task);
	raw = (struct raw){.pid = (pid_t)task.pid};
	copy_out(data, at + header->size - sizeof raw.time, &raw.time, sizeof raw.time);
	switch (header->type) {
	case PERF_RECORD_FORK:
		raw.kind = SB_FORK_BORN;
		raw.parent = (pid_t)task.ppid;
		break;
	case PERF_RECORD_EXIT:
		raw.kind = SB_FORK_ENDED;
		break;
	case PERF_RECORD_NAMESPACES:
		copy_out(data, at, &spaces,
			 header->size < sizeof spaces ? header->size : sizeof spaces);
		if (spaces.count <= MNT_NS_INDEX)
			return;
		raw.kind = SB_FORK_MOUNTS;
		raw.mounts = spaces.link[MNT_NS_INDEX].ino;
		break;
	case PERF_RECORD_COMM:
		if (!(header->misc & PERF_RECORD_MISC_COMM_EXEC))
			return;
		raw.kind = SB_FORK_EXEC;
		break;
	default:
		return;
	}
	keep(f, raw);
}

static void read_ring(struct sb_forks *f, const struct ring *ring)
{
	const char *data = (const char *)ring->page + f->page;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;

	while (tail < head) {
		struct perf_event_header header;

		copy_out(data, tail, &header, sizeof header);
		if (header.size < sizeof header + sizeof(uint64_t))
			break; /* no such record: the ring is not what we take it for */
		take(f, data, tail, &header);
		tail += header.size;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

static int by_time(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static void note_ending(struct sb_forks *f, pid_t pid)
{
	if (f->ending_count == f->ending_cap) {
		size_t cap = f->ending_cap ? f->ending_cap * 2 : 64;
		pid_t *grown = reallocarray(f->ending, cap, sizeof *grown);

		if (!grown) {
			f->lost++;
			return;
		}
		f->ending = grown;
		f->ending_cap = cap;
	}
	f->ending[f->ending_count++] = pid;
}

/* Since Linux 6.16 the record comes before the last descriptors are closed. */
static void look_at_ending(struct sb_forks *f, sb_fork_fn tell, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->ending_count; i++) {
		pid_t pid = f->ending[i];
		const struct member *m = find(f, pid);
		struct sb_proc proc;

		/* The number may be another process's by now. */
		if (!m || m->threads)
			continue;
		if (sb_proc_look(pid, &proc) == 0 &&
		    ((proc.state != 'Z' && proc.state != 'X') || proc.threads > 1)) {
			f->ending[kept++] = pid;
			continue;
		}
		forget(f, pid);
		tell(arg, &(struct sb_fork){.kind = SB_FORK_ENDED, .pid = pid});
	}
	f->ending_count = kept;
}

/* What a record means for the tree. False: it is not of the tree, as far as is known. */
static bool apply(struct sb_forks *f, const struct raw *raw, struct sb_fork *ret, bool *ret_tell)
{
	struct member *m = find(f, raw->kind == SB_FORK_BORN ? raw->parent : raw->pid);

	*ret = (struct sb_fork){raw->kind, raw->pid, raw->parent, raw->mounts};
	*ret_tell = true;
	if (!m)
		return false;
	if (raw->kind == SB_FORK_BORN && raw->pid == raw->parent) {
		m->threads++;
		*ret_tell = false;
	} else if (raw->kind == SB_FORK_BORN) {
		add(f, raw->pid);
	} else if (raw->kind == SB_FORK_ENDED) {
		*ret_tell = false;
		if (m->threads && --m->threads == 0)
			note_ending(f, raw->pid);
	}
	return true;
}

void sb_forks_poll(struct sb_forks *f, sb_fork_fn tell, void *arg)
{
	/*
	 * Rings are read one after the other: a child's record may be read before its parent's,
	 * which came to an earlier ring in the meantime. The second look finds that.
	 */
	for (int look = 0; look < 2; look++) {
		size_t kept = 0;

		for (size_t i = 0; i < f->ring_count; i++)
			read_ring(f, &f->rings[i]);
		if (f->raw_count)
			qsort(f->raws, f->raw_count, sizeof *f->raws, by_time);
		for (size_t i = 0; i < f->raw_count; i++) {
			struct raw raw = f->raws[i];
			struct sb_fork what;
			bool worth;

			if (apply(f, &raw, &what, &worth)) {
				if (worth)
					tell(arg, &what);
			} else if (raw.looks++ == 0) {
				f->raws[kept++] = raw;
			}
		}
		f->raw_count = kept;
	}
	look_at_ending(f, tell, arg);
}
