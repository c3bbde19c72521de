/*
 * sockets PATH [connect]: binds a socket to PATH, connects to it, passes it a byte, removes it;
 * then the same with datagrams. Prints what each step says and which names it is told. With
 * `connect`, somebody else has made it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t length;

static long say(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "fine");
	return rc;
}

static void tell(const char *what, int (*ask)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_un told;
	socklen_t len = sizeof(told);
	char cut[12];

	memset(&told, 0, sizeof(told));
	if (ask(fd, (struct sockaddr *)&told, &len))
		say(what, -1);
	else
		printf("%s: %u '%s'\n", what, len, len > 2 ? told.sun_path : "");
	/* What has no room is cut, and its whole length told. */
	memset(cut, '!', sizeof(cut));
	len = 8;
	if (ask(fd, (struct sockaddr *)cut, &len) == 0)
		printf("%s: %u '%.6s' '%.4s'\n", what, len, len > 2 ? cut + 2 : "", cut + 8);
}

static int end_of(int type)
{
	return socket(AF_UNIX, type, 0);
}

static int streams(void)
{
	int to = end_of(SOCK_STREAM);

	if (say("connect", connect(to, (struct sockaddr *)&address, length)) < 0)
		return 1;
	tell("getpeername", getpeername, to);
	say("send", send(to, "x", 1, MSG_NOSIGNAL));
	close(to);
	return 0;
}

static int datagrams(void)
{
	int in = end_of(SOCK_DGRAM), out = end_of(SOCK_DGRAM);
	struct iovec bytes = {"b", 1};
	struct msghdr message = {&address, length, &bytes, 1, NULL, 0, 0};
	char got[3] = "";

	if (say("bind", bind(in, (struct sockaddr *)&address, length)) < 0)
		return 1;
	say("sendto", sendto(out, "a", 1, 0, (struct sockaddr *)&address, length));
	say("sendmsg", sendmsg(out, &message, 0));
	say("connect", connect(out, (struct sockaddr *)&address, length));
	say("send", send(out, "c", 1, 0));
	for (int i = 0; i < 3; i++)
		if (recv(in, got + i, 1, MSG_DONTWAIT) != 1)
			return say("recv", -1) < 0;
	printf("got %.3s\n", got);
	say("unlink", unlink(address.sun_path));
	return 0;
}

int main(int argc, char **argv)
{
	int in = end_of(SOCK_STREAM);

	if (argc < 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	strcpy(address.sun_path, argv[1]);
	length = (socklen_t)(sizeof(address.sun_family) + strlen(argv[1]) + 1);
	if (argc > 2)
		return streams();
	if (say("bind", bind(in, (struct sockaddr *)&address, length)) < 0)
		return 1;
	tell("getsockname", getsockname, in);
	listen(in, 1);
	if (streams())
		return 1;
	say("bind again", bind(end_of(SOCK_STREAM), (struct sockaddr *)&address, length));
	say("unlink", unlink(argv[1]));
	return datagrams();
}
