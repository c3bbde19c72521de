#include "tools/command.h"

/* The order is that of --help. */
extern const struct sb_command sb_cmd_trace, sb_cmd_show, sb_cmd_deps, sb_cmd_create, sb_cmd_run,
	sb_cmd_inspect, sb_cmd_verify, sb_cmd_merge, sb_cmd_diff, sb_cmd_doctor;

/* One a line: several hands add to it. */
/* clang-format off */
const struct sb_command *const sb_commands[] = {
	&sb_cmd_trace,
	&sb_cmd_show,
	&sb_cmd_diff,
	&sb_cmd_merge,
	&sb_cmd_deps,
	&sb_cmd_create,
	&sb_cmd_run,
	&sb_cmd_inspect,
	&sb_cmd_verify,
	&sb_cmd_doctor,
	NULL,
};
/* clang-format on */
