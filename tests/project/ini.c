#include "shelf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* 0, or -1 for a line that is neither empty, comment, section nor pair. */
static int parse_line(struct shelf *s, char *line, char *section, size_t size)
{
	char key[512], *equals;

	line = trim(line);
	if (*line == '\0' || *line == '#' || *line == ';')
		return 0;
	if (*line == '[') {
		char *close = strchr(line, ']');

		if (!close || close[1] != '\0' || (size_t)(close - line) > size)
			return -1;
		*close = '\0';
		strcpy(section, line + 1);
		return 0;
	}
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return -1;
	*equals = '\0';
	snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", trim(line));
	return shelf_set(s, key, trim(equals + 1));
}

int shelf_parse(struct shelf *s, const char *text)
{
	char section[256] = "";
	int number = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);
		int bad = !line || parse_line(s, line, section, sizeof section) < 0;

		free(line);
		number++;
		if (bad)
			return number;
		text += length + (text[length] == '\n');
	}
	return 0;
}

static int by_section(const void *a, const void *b)
{
	const char *x = ((const struct item *)a)->key, *y = ((const struct item *)b)->key;
	int deeper = (strrchr(x, '.') != NULL) - (strrchr(y, '.') != NULL);

	return deeper ? deeper : strcmp(x, y);
}

int shelf_print(const struct shelf *s, FILE *to)
{
	const char *section = "";
	size_t length = 0;

	if (s->count)
		qsort(s->items, s->count, sizeof *s->items, by_section);
	for (size_t i = 0; i < s->count; i++) {
		const char *key = s->items[i].key, *dot = strrchr(key, '.');
		size_t own = dot ? (size_t)(dot - key) : 0;

		if (own != length || strncmp(section, key, own) != 0)
			fprintf(to, "[%.*s]\n", (int)own, key);
		section = key;
		length = own;
		fprintf(to, "%s = %s\n", dot ? dot + 1 : key, s->items[i].value);
	}
	return fflush(to) == 0 && !ferror(to) ? 0 : -1;
}

int shelf_load(struct shelf *s, const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	int rc = -1;

	if (!file)
		return errno == ENOENT ? 0 : -1;
	errno = 0;
	if (getdelim(&text, &size, '\0', file) >= 0)
		rc = shelf_parse(s, text);
	else if (feof(file))
		rc = 0;
	free(text);
	fclose(file);
	return rc;
}

int shelf_save(const struct shelf *s, const char *path)
{
	char part[4096];
	FILE *file;
	int rc;

	snprintf(part, sizeof part, "%s.part", path);
	file = fopen(part, "w");
	if (!file)
		return -1;
	rc = shelf_print(s, file);
	if (fclose(file) != 0)
		rc = -1;
	if (rc == 0 && rename(part, path) == 0)
		return 0;
	unlink(part);
	return -1;
}
