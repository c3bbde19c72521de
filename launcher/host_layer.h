/*
 * Host mode, for the replay of a trace: copies of its directories that may be written to, and are
 * removed when the program has ended. What a replay changes it changes there, in this mode as in
 * the others: the machine's own files of these names may be somebody's work.
 */
#pragma once

#include "common/buf.h"
#include "launcher/mode.h"

/*
 * Copies the recorded directory, and of those that the traced run wrote in what this machine lacks
 * or the bundle has files in, and goes to the recorded one. *ret_told: a variable for the start
 * (redirect/layer.c).
 */
int launch_host_layer(const struct launch_request *request, struct sb_buf *ret_told,
		      struct sb_err *err);
