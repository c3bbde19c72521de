/*
 * What a guard took for the opening of our module, by where the name of it lies
 * (tracer/opening.h), and was something else: an auditor that comes before ours, or what the
 * dynamic linker opens first where it is run as a program itself.
 */
#pragma once

#include <link.h>
#include <stdbool.h>

/* Tells of it. Once, when all that the program `main` needs at its start is loaded. `planted`: the
 * linker's own calls were told by themselves since we are here. */
void sb_passed_tell(const struct link_map *main, bool planted);
