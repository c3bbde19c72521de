/*
 * What to execute: arguments and environment, the same for every run mode but where a mode says so.
 *
 * Elements of both lists belong to the plan and to the process, but for a PATH.
 */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "launcher/plan.h"

/*
 * The program's arguments after argv[0]: the recorded ones, then the user's. `argv` is main's own.
 */
int launch_command_args(const struct launch_entry *entry, char *const *argv, struct sb_strings *ret,
			struct sb_err *err);
/* argv[0]: recorded, or the one that we were given. */
const char *launch_command_name(const struct launch_entry *entry, char *const *argv);

/*
 * What to execute: a replay does what the traced command did, by the same name from the same
 * directory: a script is told this name, and may print it.
 */
const char *launch_command_file(const struct launch_entry *entry);

/*
 * HOME as the program is to see it: a replay has the recorded home, since the user's is not there,
 * unless SIDEBUNDLE_BIND asks for it. NULL: none.
 */
const char *launch_command_home(const struct launch_entry *entry, char *const *environment);

/*
 * The user's environment, with the plan's `set` replacing and the entry's recorded variables where
 * the user has none; of a replay PWD and HOME are the recorded ones, and PATH begins with the
 * recorded one, since everybody has one: it is kept in *ret_path, as long as the list.
 * `host_libraries`: the program starts others of this machine, which the recorded variables of the
 * dynamic linker would lead astray: they are left out.
 */
int launch_command_env(const struct launch_plan *plan, const struct launch_entry *entry,
		       char *const *environment, bool host_libraries, struct sb_buf *ret_path,
		       struct sb_strings *ret, struct sb_err *err);
