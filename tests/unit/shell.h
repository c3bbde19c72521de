/* What a test needs on disk, in the words of a shell. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs the lines in `dir`; the test fails where one of them does. */
static inline void shell(const char *dir, const char *script)
{
	char command[4096];

	(void)snprintf(command, sizeof command, "cd %s && { %s; }", dir, script);
	cr_assert_eq(system(command), 0, "%s", command);
}
