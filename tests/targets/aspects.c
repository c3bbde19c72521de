// What a program can know of itself and of its machine, one aspect a run: for the run modes, which
// are to change none of it.
//
//	aspects ASPECT [ARG...]
// cflags: -Wl,-rpath,$ORIGIN
// libs: -ldl
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char **arguments;

static void argv_of(void)
{
	for (char **a = arguments; *a; a++)
		printf("<%s>\n", *a);
}

static void exe_of(void)
{
	char path[4096], comm[64] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	int fd;

	if (n < 0)
		err(1, "/proc/self/exe");
	path[n] = '\0';
	printf("%s\n", strrchr(path, '/') + 1);
	prctl(PR_GET_NAME, comm);
	puts(comm);
	/* What it names can be opened, and is a program. */
	fd = open(path, O_RDONLY);
	puts(fd >= 0 && read(fd, comm, 4) == 4 && memcmp(comm, "\177ELF", 4) == 0 ? "ELF" : "none");
}

static void exe_path(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n > 0)
		printf("%.*s\n", (int)n, path);
}

static void environment(void)
{
	for (char **e = environ; *e; e++)
		puts(*e);
}

static void directory(void)
{
	char path[4096];

	puts(getcwd(path, sizeof path) ? path : strerror(errno));
	puts(getenv("PWD") ? getenv("PWD") : "-");
}

static void descriptors(void)
{
	for (int fd = 0; fd < 300; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && fstat(fd, &st) == 0)
			printf("%d %o %d %d\n", fd, (unsigned)(st.st_mode & S_IFMT), flags,
			       fcntl(fd, F_GETFL));
	}
}

static void process(void)
{
	sigset_t mask;
	struct rlimit limit;
	struct sigaction action;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 65; i++) {
		if (sigismember(&mask, i) == 1)
			printf("blocked %d\n", i);
		if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			printf("ignored %d\n", i);
	}
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit(i, &limit) == 0)
			printf("limit %d %llu %llu\n", i, (unsigned long long)limit.rlim_cur,
			       (unsigned long long)limit.rlim_max);
	mode_t old = umask(0);
	printf("umask %03o nice %d session %d group %d\n", old, getpriority(PRIO_PROCESS, 0),
	       getsid(0), getpgrp());
	printf("dumpable %d subreaper-free %d secure %lu\n", prctl(PR_GET_DUMPABLE),
	       waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, getauxval(AT_SECURE));
}

static void pid(void)
{
	printf("%d %d\n", getpid(), getppid());
}

static void terminal(void)
{
	struct winsize size;

	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) < 0)
			printf("%d: %s\n", fd, strerror(errno));
		else
			printf("%d: %s %d x %d\n", fd, ttyname(fd) ? "named" : "nameless",
			       size.ws_row, size.ws_col);
	}
	int fd = open("/dev/tty", O_RDWR);
	printf("/dev/tty %s\n", fd >= 0 ? "opens" : strerror(errno));
	printf("foreground %d\n", fd >= 0 && tcgetpgrp(fd) == getpgrp());
}

/* One of its own, as expect(1) and tmux(1) have them. */
static void own_terminal(void)
{
	char said[8] = "";
	int ours = posix_openpt(O_RDWR | O_NOCTTY);
	const char *name =
		ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0 ? ptsname(ours) : NULL;
	int theirs = name ? open(name, O_RDWR | O_NOCTTY) : -1;

	size_t len = 0;
	ssize_t n = theirs >= 0 && write(theirs, "x\n", 2) == 2 ? 1 : -1;

	/* It may come in two parts: the kernel hands it on by a worker. */
	while (n > 0 && !strchr(said, '\n') && len < sizeof said - 1) {
		n = read(ours, said + len, sizeof said - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		printf("%s\n", strerror(errno));
	printf("%s %s", theirs >= 0 && ttyname(theirs) ? "named" : "nameless", said);
}

static void users(void)
{
	struct passwd *user = getpwuid(getuid());
	struct group *group = getgrgid(getgid());

	printf("%d %d %s %s\n", getuid() == geteuid(), getgid() == getegid(),
	       user ? user->pw_name : "-", group ? group->gr_name : "-");
	user = getpwnam("root");
	puts(user ? user->pw_dir : "-");
}

static void hosts(void)
{
	struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	char text[64];
	int rc = getaddrinfo("localhost", "80", &hints, &found);

	if (rc) {
		puts(gai_strerror(rc));
		return;
	}
	inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text);
	puts(text);
	freeaddrinfo(found);
	gethostname(text, sizeof text);
	puts(text);
}

static void time_zones(void)
{
	time_t at = 1700000000;

	printf("here %s", ctime(&at));
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	printf("%s %s", tzname[0], ctime(&at));
	setenv("TZ", "America/New_York", 1);
	tzset();
	printf("%s %s", tzname[0], ctime(&at));
}

static void locales(void)
{
	const char *found = setlocale(LC_ALL, arguments[2] ? arguments[2] : "");
	char text[64];
	struct tm tm = {.tm_year = 126, .tm_mon = 2, .tm_mday = 1, .tm_wday = 0};

	strftime(text, sizeof text, "%A %B", &tm);
	printf("%s %s %s %s\n", found ? found : "-", nl_langinfo(CODESET), text,
	       localeconv()->decimal_point);
	printf("%d\n", strcoll("a", "B") < 0);
}

static void conversions(void)
{
	static const char *const sets[] = {"ISO-8859-1", "KOI8-R", "EUC-JP", "UTF-16"};

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		char in[] = "caf\xe9", out[64], *from = in, *to = out;
		size_t in_left = 4, out_left = sizeof out;
		iconv_t cd = iconv_open("UTF-8", sets[i]);

		if (cd == (iconv_t)-1) {
			printf("%s: %s\n", sets[i], strerror(errno));
			continue;
		}
		size_t n = iconv(cd, &from, &in_left, &to, &out_left);
		printf("%s: %zd %.*s\n", sets[i], (ssize_t)n, (int)(to - out), out);
		iconv_close(cd);
	}
}

static void plugins(void)
{
	void *math = dlopen("libm.so.6", RTLD_NOW);
	double (*root)(double) = math ? (double (*)(double))dlsym(math, "sqrt") : NULL;
	void *module = dlopen(arguments[2], RTLD_NOW);

	printf("%d\n", root ? (int)root(144) : -1);
	puts(module ? "plugin" : dlerror());
	puts(dlopen("libnone.so.9", RTLD_NOW) ? "?" : dlerror());
}

static void report(const char *how, int status)
{
	printf("%s: %s %d\n", how, WIFEXITED(status) ? "exit" : "signal",
	       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* A child by each way to start one: SELF is this program by its path. */
static void children(void)
{
	char *const child[] = {arguments[2], "status", "7", NULL};
	int status = 0, at;
	pid_t id = fork();
	char line[256], command[4096];

	if (id == 0) {
		execv(child[0], child);
		_exit(99);
	}
	waitpid(id, &status, 0);
	report("execv", status);
	if (posix_spawn(&id, child[0], NULL, NULL, child, environ) == 0)
		waitpid(id, &status, 0);
	report("posix_spawn", status);
	snprintf(command, sizeof command, "'%s' status 9", arguments[2]);
	report("system", system(command));
	snprintf(command, sizeof command, "'%s' argv x y | tail -n 1", arguments[2]);
	FILE *pipe = popen(command, "r");
	if (pipe && fgets(line, sizeof line, pipe))
		printf("popen: %s", line);
	report("pclose", pclose(pipe));
	id = fork();
	if (id == 0) {
		execlp("aspects-none", "aspects-none", NULL);
		_exit(errno == ENOENT ? 5 : 6);
	}
	waitpid(id, &status, 0);
	report("execlp of nothing", status);
	at = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	id = fork();
	if (id == 0) {
		fexecve(at, (char *[]){"again", "status", "11", NULL}, environ);
		_exit(98);
	}
	waitpid(id, &status, 0);
	report("fexecve of itself", status);
}

static void again(void)
{
	if (arguments[2] && strcmp(arguments[2], "done") == 0) {
		puts("again");
		return;
	}
	execv("/proc/self/exe", (char *[]){arguments[0], "again", "done", NULL});
	err(1, "execv");
}

static void files(void)
{
	struct stat st;
	char link[256];
	static const char *const paths[] = {"/",	 "/proc/self/status", "/dev/null",
					    "/dev/zero", "/dev/pts",	      "/dev/shm",
					    "/tmp",	 "/etc/hosts"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		printf("%s %o\n", paths[i], stat(paths[i], &st) < 0 ? 0 : st.st_mode & S_IFMT);
	ssize_t n = readlink("/dev/fd", link, sizeof link);
	printf("/dev/fd -> %.*s\n", n < 0 ? 1 : (int)n, n < 0 ? "-" : link);
	FILE *f = fopen("written-here", "w");
	puts(f && fputs("x", f) >= 0 && fclose(f) == 0 ? "writes here" : strerror(errno));
	unlink("written-here");
	puts(mkdtemp(strcpy(link, "/tmp/aspects.XXXXXX")) && rmdir(link) == 0 ? "writes in /tmp"
									      : strerror(errno));
}

static void copy(void)
{
	int c;

	while ((c = getchar()) != EOF)
		putchar(c);
	fputs("done\n", stderr);
}

static const struct {
	const char *name;
	void (*fn)(void);
} table[] = {
	{"argv", argv_of},	{"exe", exe_of},
	{"exe-path", exe_path}, {"environ", environment},
	{"cwd", directory},	{"descriptors", descriptors},
	{"process", process},	{"pid", pid},
	{"terminal", terminal}, {"own-terminal", own_terminal},
	{"users", users},	{"hosts", hosts},
	{"zones", time_zones},	{"locale", locales},
	{"iconv", conversions}, {"dlopen", plugins},
	{"children", children}, {"again", again},
	{"files", files},	{"copy", copy},
};

int main(int argc, char **argv)
{
	arguments = argv;
	if (argc < 2)
		errx(2, "which aspect?");
	if (strcmp(argv[1], "status") == 0 && argc > 2)
		return atoi(argv[2]);
	if (strcmp(argv[1], "signal") == 0 && argc > 2) {
		raise(atoi(argv[2]));
		return 99;
	}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strcmp(table[i].name, argv[1]) != 0)
			continue;
		table[i].fn();
		return fflush(stdout) ? 1 : 0;
	}
	errx(2, "no aspect '%s'", argv[1]);
}
