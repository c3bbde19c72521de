#include "common/facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/probe.h"

/* Capabilities that open a way; capability.h's numbers. */
static const struct {
	int number;
	const char *name;
} capabilities[] = {
	{18, "SYS_CHROOT"},
	{19, "SYS_PTRACE"},
	{21, "SYS_ADMIN"},
	{40, "CHECKPOINT_RESTORE"},
};

struct list {
	struct sb_fact *facts;
	size_t count;
};

static struct sb_fact *add(struct list *l, const char *key, const char *text,
			   enum sb_fact_type type)
{
	struct sb_fact *fact = &l->facts[l->count++];

	*fact = (struct sb_fact){.key = key, .text = text, .type = type};
	return fact;
}

static void add_text(struct list *l, const char *key, const char *text, const char *value)
{
	struct sb_fact *fact = add(l, key, text, value ? SB_FACT_TEXT : SB_FACT_NONE);

	(void)snprintf(fact->value, sizeof fact->value, "%s", value ? value : "");
}

static void add_number(struct list *l, const char *key, const char *text, int64_t value)
{
	struct sb_fact *fact = add(l, key, text, value < 0 ? SB_FACT_NONE : SB_FACT_NUMBER);

	(void)snprintf(fact->value, sizeof fact->value, "%lld", (long long)value);
}

static void add_bool(struct list *l, const char *key, const char *text, bool value)
{
	struct sb_fact *fact = add(l, key, text, SB_FACT_BOOL);

	(void)snprintf(fact->value, sizeof fact->value, "%d", value);
}

/* The first line of a file, without its end; false where there is none. */
static bool read_line(const char *path, char *ret, size_t size)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

int64_t sb_fact_number(const char *path)
{
	char line[64], *end;

	if (!read_line(path, line, sizeof line))
		return -1;
	long long value = strtoll(line, &end, 10);
	return end == line || value < 0 ? -1 : value;
}

/* Of /proc/self/status; NULL where it is not there. */
static const char *status_line(const char *name, char *ret, size_t size)
{
	auto_file FILE *in = fopen("/proc/self/status", "re");
	size_t len = strlen(name);

	while (in && fgets(ret, (int)size, in)) {
		if (strncmp(ret, name, len) != 0 || ret[len] != ':')
			continue;
		ret[strcspn(ret, "\n")] = '\0';
		return ret + len + 1 + strspn(ret + len + 1, "\t ");
	}
	return NULL;
}

static unsigned long long capability_bits(void)
{
	char line[128];
	const char *value = status_line("CapEff", line, sizeof line);

	return value ? strtoull(value, NULL, 16) : 0;
}

bool sb_fact_capability(int number)
{
	return capability_bits() >> number & 1;
}

static void add_capabilities(struct list *l)
{
	char names[128] = "";
	unsigned long long bits = capability_bits();
	size_t n = 0;

	for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
		if (bits >> capabilities[i].number & 1)
			n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? " " : "",
					      capabilities[i].name);
	add_text(l, "capabilities", "capabilities that matter here", names);
}

/* Engines leave a file for whoever wants to know. */
static void add_container(struct list *l)
{
	const char *engine = NULL;

	if (access("/run/.containerenv", F_OK) == 0)
		engine = "podman";
	else if (access("/.dockerenv", F_OK) == 0)
		engine = "docker";
	else if (getenv("container"))
		engine = getenv("container");
	add_text(l, "container", "inside a container of", engine);
}

static void add_shared_memory(struct list *l)
{
	struct statvfs st;
	bool usable = access("/dev/shm", W_OK | X_OK) == 0;

	add_bool(l, "dev_shm_writable", "/dev/shm is writable", usable);
	add_number(l, "dev_shm_free", "bytes free there",
		   usable && statvfs("/dev/shm", &st) == 0
			   ? (int64_t)(st.f_bavail * (uint64_t)st.f_frsize)
			   : -1);
}

static void add_seccomp(struct list *l)
{
	char line[256];
	const char *value;

	add_text(l, "seccomp_actions", "seccomp can",
		 read_line("/proc/sys/kernel/seccomp/actions_avail", line, sizeof line) ? line
											: NULL);
	value = status_line("Seccomp_filters", line, sizeof line);
	add_number(l, "seccomp_filters", "seccomp filters above us", value ? atoll(value) : -1);
	add_bool(l, "no_new_privs", "no_new_privs is set already",
		 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

size_t sb_facts(struct sb_fact ret[SB_FACTS_MOST])
{
	struct list l = {ret, 0};
	struct sb_err ignored = SB_ERR_INIT;
	struct utsname machine;

	if (uname(&machine) == 0) {
		add_text(&l, "kernel", "Linux", machine.release);
		add_text(&l, "arch", "machine", machine.machine);
	}
	add_number(&l, "uid", "user", (int64_t)geteuid());
	add_capabilities(&l);
	add_container(&l);
	add_number(&l, "yama_ptrace_scope", "kernel.yama.ptrace_scope",
		   sb_fact_number("/proc/sys/kernel/yama/ptrace_scope"));
	add_bool(&l, "memory_readable", "a child's memory can be read",
		 sb_probe_memory(&ignored) == 0);
	add_seccomp(&l);
	add_number(&l, "max_user_namespaces", "user.max_user_namespaces",
		   sb_fact_number("/proc/sys/user/max_user_namespaces"));
	add_number(&l, "unprivileged_userns_clone", "kernel.unprivileged_userns_clone",
		   sb_fact_number("/proc/sys/kernel/unprivileged_userns_clone"));
	add_number(&l, "apparmor_restrict_userns", "kernel.apparmor_restrict_unprivileged_userns",
		   sb_fact_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"));
	add_number(&l, "io_uring_disabled", "kernel.io_uring_disabled",
		   sb_fact_number("/proc/sys/kernel/io_uring_disabled"));
	add_shared_memory(&l);
	return l.count;
}
