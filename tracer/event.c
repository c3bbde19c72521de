#include "tracer/event.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const kinds[SB_KIND_COUNT] = {
	[SB_EXEC] = "exec",	[SB_OPEN] = "open",   [SB_LOAD] = "load",
	[SB_SEARCH] = "search", [SB_STAT] = "stat",   [SB_READLINK] = "readlink",
	[SB_LIST] = "list",	[SB_WRITE] = "write", [SB_CONNECT] = "connect",
};

static const char *const ops[SB_OP_COUNT] = {
	[SB_OP_NONE] = "none",	   [SB_OP_OPEN] = "open",	[SB_OP_MKDIR] = "mkdir",
	[SB_OP_MKNOD] = "mknod",   [SB_OP_SYMLINK] = "symlink", [SB_OP_LINK] = "link",
	[SB_OP_RENAME] = "rename", [SB_OP_MOVED] = "moved",	[SB_OP_REMOVE] = "remove",
	[SB_OP_CHANGE] = "change",
};

static const struct {
	const char *name, *text;
} blinds[SB_BLIND_COUNT] = {
	[SB_BLIND_STATIC] = {"static", "statically linked: its file accesses were not seen"},
	[SB_BLIND_SETID] = {"setid",
			    "set-id or file capabilities: its file accesses were not seen"},
	[SB_BLIND_FOREIGN] = {"foreign", "other architecture: its file accesses were not seen"},
	[SB_BLIND_SANITIZER] = {"sanitizer",
				"sanitized: only its libraries were seen, not its file accesses"},
	[SB_BLIND_STATIC_TLS] =
		{"static-tls",
		 "too much static TLS for an audit module: library searches were not seen"},
	[SB_BLIND_UNREACHABLE] =
		{"unreachable",
		 "our modules or the log were out of its reach: its file accesses were not seen"},
	[SB_BLIND_SILENT] = {"silent",
			     "started and never heard of: its file accesses were not seen"},
	[SB_BLIND_OUTLIVED] = {"outlived", "still running when the trace ended"},
	[SB_BLIND_LOST] = {"lost", "records found no room"},
	[SB_BLIND_SANDBOX] = {"sandbox",
			      "its own seccomp filter kept later events from being recorded"},
	[SB_BLIND_PRIVILEGE_LOST] = {"privilege-lost",
				     "ran without the privilege of its set-id bit"},
	[SB_BLIND_URING] = {"io_uring",
			    "used io_uring: what it did that way was not seen, or its opens alone"},
	[SB_BLIND_MEMORY] = {"memory",
			     "its memory may not be read: the paths that it named were not seen"},
	[SB_BLIND_DEBUGGER] =
		{"debugger",
		 "wanted to trace what is traced already: it was refused, or shown less"},
	[SB_BLIND_NESTED] = {"nested",
			     "traced by another sidebundle: what it did is in that trace"},
	[SB_BLIND_LIBC] = {"libc", "what its libc opened for itself was not seen"},
	[SB_BLIND_MOUNTED] = {"mounted", "a file system that was mounted under way, or cannot be "
					 "watched: not all that was opened there was seen"},
	[SB_BLIND_DIED] = {"died", "the tracer was killed: what was done since was not seen, and "
				   "of what was done before, not all is told"},
	[SB_BLIND_UNNAMED] = {"unnamed",
			      "named files from a directory whose own name could not be told "
			      "(over 4,095 bytes, or no /proc): they were not seen"},
	[SB_BLIND_RAW] = {"raw", "makes system calls past its libc, as Go programs do: what it did "
				 "so was not seen"},
};

const char *sb_kind_name(enum sb_kind kind)
{
	return kind < SB_KIND_COUNT ? kinds[kind] : "?";
}

const char *sb_op_name(enum sb_op op)
{
	return op < SB_OP_COUNT ? ops[op] : "?";
}

const char *sb_blind_name(enum sb_blind blind)
{
	return blind < SB_BLIND_COUNT ? blinds[blind].name : "?";
}

const char *sb_blind_text(enum sb_blind blind)
{
	return blind < SB_BLIND_COUNT ? blinds[blind].text : "?";
}

static int look_up(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

int sb_kind_parse(const char *name)
{
	return look_up(kinds, SB_KIND_COUNT, name);
}

int sb_op_parse(const char *name)
{
	return look_up(ops, SB_OP_COUNT, name);
}

int sb_blind_parse(const char *name)
{
	for (int i = 0; i < SB_BLIND_COUNT; i++)
		if (strcmp(blinds[i].name, name) == 0)
			return i;
	return -EINVAL;
}
