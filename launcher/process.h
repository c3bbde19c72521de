/*
 * Descriptors below what libc offers.
 */
#pragma once

#include <stdbool.h>

/* Closes first..last where `any`; best effort before Linux 5.9. */
void launch_close_range(unsigned first, unsigned last, bool any);
