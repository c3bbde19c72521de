/* Whether a backend does what it says: it is tried on a program that is known, ourselves. */
#pragma once

#include "common/err.h"
#include "tracer/backend.h"

/* 0, or why not. Takes a few hundredths of a second; prints nothing. */
int sb_doctor_try(const struct sb_backend *backend, struct sb_err *err);
