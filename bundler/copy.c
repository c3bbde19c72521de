#include "bundler/copy.h"

#include <linux/fs.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Large enough to make system calls cheap, small enough to stay in the second-level cache. */
#define BUFFER_SIZE (256u << 10)
/* Holes are found in steps of a page: no file system has finer ones. */
#define HOLE_SIZE 4096u

int sb_copier_init(struct sb_copier *c)
{
	*c = (struct sb_copier){.buffer = aligned_alloc(HOLE_SIZE, BUFFER_SIZE),
				.digest = EVP_MD_CTX_new()};
	if (c->buffer && c->digest)
		return 0;
	sb_copier_close(c);
	return -ENOMEM;
}

void sb_copier_close(struct sb_copier *c)
{
	free(c->buffer);
	EVP_MD_CTX_free(c->digest);
	c->buffer = c->digest = NULL;
}

static bool stopped(const struct sb_copier *c)
{
	return c->stop && *c->stop;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool all_zero(const char *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Writes runs of pages, and skips the ones without a bit set: they become holes. */
static int write_sparse(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t end = done;
		bool hole = false;

		while (end < len) {
			size_t step = len - end < HOLE_SIZE ? len - end : HOLE_SIZE;
			bool zero = all_zero(bytes + end, step);

			if (end == done)
				hole = zero;
			else if (zero != hole)
				break;
			end += step;
		}
		int rc = hole ? (lseek(fd, (off_t)(end - done), SEEK_CUR) < 0 ? -errno : 0)
			      : write_all(fd, bytes + done, end - done);
		if (rc < 0)
			return rc;
		done = end;
	}
	return 0;
}

static int to_hex(const unsigned char *digest, unsigned len, char ret_hex[SB_SHA256_HEX])
{
	if (len * 2 + 1 != SB_SHA256_HEX)
		return -EIO;
	for (unsigned i = 0; i < len; i++) {
		ret_hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	ret_hex[SB_SHA256_HEX - 1] = '\0';
	return 0;
}

int sb_hash_bytes(const void *bytes, size_t len, char ret_hex[SB_SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return EVP_Digest(bytes, len, digest, &n, EVP_sha256(), NULL) ? to_hex(digest, n, ret_hex)
								      : -EIO;
}

static int finish_hash(struct sb_copier *c, char ret_hex[SB_SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return EVP_DigestFinal_ex(c->digest, digest, &len) ? to_hex(digest, len, ret_hex) : -EIO;
}

/* Reads, hashes, and (to >= 0) writes. */
static int pump(struct sb_copier *c, int from, int to, bool sparse, char ret_hex[SB_SHA256_HEX],
		uint64_t *ret_size, bool *ret_reading)
{
	uint64_t size = 0;

	if (!EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL))
		return -EIO;
	for (;;) {
		if (stopped(c))
			return -EINTR;
		ssize_t n = read(from, c->buffer, BUFFER_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		*ret_reading = n < 0;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (!EVP_DigestUpdate(c->digest, c->buffer, (size_t)n))
			return -EIO;
		size += (uint64_t)n;
		int rc = to < 0	  ? 0
			 : sparse ? write_sparse(to, c->buffer, (size_t)n)
				  : write_all(to, c->buffer, (size_t)n);
		if (rc < 0)
			return rc;
	}
	if (to >= 0 && sparse && ftruncate(to, (off_t)size) < 0)
		return -errno;
	*ret_size = size;
	return finish_hash(c, ret_hex);
}

int sb_copier_hash(struct sb_copier *c, int from, char ret_hex[SB_SHA256_HEX], uint64_t *ret_size)
{
	bool reading = false;

	return pump(c, from, -1, false, ret_hex, ret_size, &reading);
}

int sb_copy(struct sb_copier *c, int from, const struct stat *st, int to,
	    char ret_hex[SB_SHA256_HEX], uint64_t *ret_size, bool *ret_reading)
{
	bool reading = false;
	int rc;

	if (!c->no_reflink && st->st_size) {
		/* The clone is read, not the source: it cannot change under us. */
		if (ioctl(to, FICLONE, from) == 0) {
			rc = pump(c, to, -1, false, ret_hex, ret_size, &reading);
			goto out;
		}
		c->no_reflink = errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS ||
				errno == EXDEV || errno == EINVAL;
	}
	rc = pump(c, from, to, st->st_blocks * 512 < st->st_size, ret_hex, ret_size, &reading);
out:
	if (ret_reading)
		*ret_reading = reading;
	return rc;
}
