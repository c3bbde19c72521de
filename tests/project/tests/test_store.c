#include "shelf.h"

#include <stdlib.h>
#include <string.h>

static int failures;

static void report(const char *name, int good)
{
	printf("%s - %s\n", good ? "ok" : "not ok", name);
	failures += !good;
}

static void test_set_and_get(void)
{
	struct shelf s = {NULL, 0, 0};

	report("a key that is missing has no value", shelf_get(&s, "a") == NULL);
	shelf_set(&s, "a", "1");
	shelf_set(&s, "a", "2");
	report("the last value counts", strcmp(shelf_get(&s, "a"), "2") == 0 && s.count == 1);
	report("what is removed is gone", shelf_remove(&s, "a") == 1 && !shelf_get(&s, "a"));
	report("removing it twice does nothing", shelf_remove(&s, "a") == 0);
	shelf_free(&s);
}

static void test_many(void)
{
	struct shelf s = {NULL, 0, 0};
	char key[32];
	int good = 1;

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		good &= shelf_set(&s, key, key) == 0;
	}
	report("a thousand keys stay", good && strcmp(shelf_get(&s, "key777"), "key777") == 0);
	shelf_free(&s);
}

static void test_parse(void)
{
	static const struct {
		const char *name, *text, *key, *value;
		int line;
	} cases[] = {
		{"a pair", "a = 1\n", "a", "1", 0},
		{"a section", "[s]\nb=2", "s.b", "2", 0},
		{"comments and empty lines", "# c\n\n; d\ne = f g \n", "e", "f g", 0},
		{"a line without an equals sign is named", "a = 1\nnonsense\n", "a", "1", 2},
		{"a section that is not closed is named", "[s\n", NULL, NULL, 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shelf s = {NULL, 0, 0};
		int line = shelf_parse(&s, cases[i].text);
		const char *value = cases[i].key ? shelf_get(&s, cases[i].key) : NULL;

		report(cases[i].name,
		       line == cases[i].line &&
			       (!cases[i].value || (value && strcmp(value, cases[i].value) == 0)));
		shelf_free(&s);
	}
}

int main(void)
{
	test_set_and_get();
	test_many();
	test_parse();
	return failures != 0;
}
