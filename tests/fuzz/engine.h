/*
 * What all fuzzers share. Each offers LLVMFuzzerTestOneInput() for a fuzzing engine (clang
 * -fsanitize=fuzzer,address -DSB_ENGINE), and fuzz_corpus() for its own main, which changes sound
 * inputs at random, always the same way, for FUZZ_SECONDS (5 where it is not set).
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *bytes; /* from malloc; NULL is none */
	size_t len;
	bool text; /* changed by words, too: few of a text's bytes matter by themselves */
};

#define FUZZ_MOST 16

/* A file that lives in memory: what reads files gets "/proc/self/fd/N". */
static inline int fuzz_file(const void *bytes, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

#ifndef SB_ENGINE
/* Fills `corpus`, of FUZZ_MOST, and says how many there are. */
static size_t fuzz_corpus(struct input *corpus);

static uint64_t fuzz_state = 88172645463325252u;

/* xorshift: the same inputs on every machine. */
static uint64_t fuzz_next(void)
{
	fuzz_state ^= fuzz_state << 13;
	fuzz_state ^= fuzz_state >> 7;
	fuzz_state ^= fuzz_state << 17;
	return fuzz_state;
}

static uint64_t fuzz_odd_value(void)
{
	static const uint64_t values[] = {0,	  1,	      0x7f,	  0x80,	      0xff,
					  0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX, 1u << 20};

	return values[fuzz_next() % (sizeof values / sizeof *values)];
}

/* A few places, most of them in the headers; now and then cuts the end off. */
static size_t fuzz_bytes(uint8_t *bytes, size_t len)
{
	for (unsigned n = 1 + fuzz_next() % 6; n; n--) {
		size_t size = (size_t)1 << fuzz_next() % 4;
		size_t room = fuzz_next() % 2 && len > 1024 ? 1024 : len;
		uint64_t value = fuzz_next() % 2 ? fuzz_odd_value() : fuzz_next();

		if (room > size)
			memcpy(bytes + fuzz_next() % (room - size), &value, size);
	}
	return fuzz_next() % 8 ? len : fuzz_next() % len;
}

/* The place of `bytes[*at]`'s word: what holds together, from the separator before it on. */
static size_t fuzz_word(const uint8_t *bytes, size_t len, size_t *at)
{
	size_t from = *at, to = *at;

	while (from > 0 && !strchr(" \n,:[]{}", bytes[from - 1]))
		from--;
	while (to < len && !strchr(" \n,:[]{}", bytes[to]))
		to++;
	*at = from;
	return to - from;
}

/* One word in another's place, or an odd one. `bytes` has room for 64 more. */
static size_t fuzz_words(uint8_t *bytes, size_t len)
{
	static const char *const odd[] = {
		"-1",	"0",	      "4294967295",  "1e308", "9007199254740993",
		"null", "\"\"",	      "\"/\"",	     "[]",    "{\"hex\":\"00\"}",
		"true", "\"..\"",     "\"/a/../b\"", "{",     "\"\\u0000\"",
		"",	"\"\\ud800\""};

	for (unsigned n = 1 + fuzz_next() % 3; n && len > 4; n--) {
		char word[64];
		size_t at = fuzz_next() % len, from = fuzz_next() % len;
		size_t old = fuzz_word(bytes, len, &at), size = fuzz_word(bytes, len, &from);

		if (fuzz_next() % 2 || size >= sizeof word) {
			strcpy(word, odd[fuzz_next() % (sizeof odd / sizeof *odd)]);
			size = strlen(word);
		} else {
			memcpy(word, bytes + from, size);
		}
		/* No more than one word's growth: room is for that. */
		if (size > old && n > 1)
			continue;
		memmove(bytes + at + size, bytes + at + old, len - at - old);
		memcpy(bytes + at, word, size);
		len = len - old + size;
	}
	return len;
}

/* A copy of just that size, so that a sanitizer sees the first byte behind it. */
static void fuzz_once(const struct input *in)
{
	uint8_t *bytes = malloc(in->len + 64);

	if (!bytes)
		abort();
	memcpy(bytes, in->bytes, in->len);
	size_t len = in->text && fuzz_next() % 4 ? fuzz_words(bytes, in->len)
						 : fuzz_bytes(bytes, in->len);
	uint8_t *exact = malloc(len ? len : 1);
	if (!exact)
		abort();
	memcpy(exact, bytes, len);
	free(bytes);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

int main(void)
{
	struct input corpus[FUZZ_MOST] = {{0}};
	size_t count = fuzz_corpus(corpus);
	const char *seconds = getenv("FUZZ_SECONDS"), *skip = getenv("FUZZ_SEED");
	time_t end = time(NULL) + (seconds ? atoi(seconds) : 5);
	unsigned long runs = 0;

	fuzz_state ^= skip ? strtoull(skip, NULL, 0) : 0;
	for (size_t i = 0; i < count; i++)
		if (corpus[i].len) /* as they are, once */
			LLVMFuzzerTestOneInput(corpus[i].bytes, corpus[i].len);
	for (; time(NULL) < end; runs++)
		if (corpus[runs % count].len)
			fuzz_once(&corpus[runs % count]);
	for (size_t i = 0; i < count; i++)
		free(corpus[i].bytes);
	fprintf(stderr, "%lu inputs\n", runs);
	return runs < count;
}

/* At most `most` bytes of the file; none where it is not there. */
static inline struct input fuzz_from_file(const char *path, size_t most)
{
	struct input in = {malloc(most), 0, false};
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !in.bytes ? 0 : read(fd, in.bytes, most);

	in.len = n > 0 ? (size_t)n : 0;
	return in;
}

static inline struct input fuzz_from_bytes(const void *bytes, size_t len, bool text)
{
	struct input in = {malloc(len), len, text};

	if (!in.bytes)
		abort();
	memcpy(in.bytes, bytes, len);
	return in;
}

static inline struct input fuzz_from_text(const char *text)
{
	return fuzz_from_bytes(text, strlen(text), true);
}
#endif
