/*
 * What a manifest that was read lives in: manifest_read.c fills it from JSON, manifest.c keeps it.
 */
#pragma once

#include "bundler/manifest.h"
#include "common/map.h"

struct sb_manifest_store {
	struct sb_map strings;
	struct sb_map by_path; /* value: index + 1 */
	/* Every array handed out, to be freed. */
	void **arrays;
	size_t array_count, array_cap;
};

/* Zeroes that live as long as the manifest; NULL only when out of memory. */
void *manifest_array(struct sb_manifest *m, size_t count, size_t size);
