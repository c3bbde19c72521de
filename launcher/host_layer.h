/*
 * Host mode, for the replay of a trace whose directories this machine does not have: copies of them
 * that may be written to, and are removed when the program has ended.
 */
#pragma once

#include "common/buf.h"
#include "launcher/mode.h"

/*
 * Copies the recorded directory and those that the traced run wrote in, as far as this machine
 * lacks them, and goes to the recorded one. *ret_told: a variable for the start (redirect/layer.c).
 */
int launch_host_layer(const struct launch_request *request, struct sb_buf *ret_told,
		      struct sb_err *err);
