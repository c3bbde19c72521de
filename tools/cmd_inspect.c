/* inspect: what a bundle is, by its manifest. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tools/command.h"
#include "tools/inspect.h"

extern const struct sb_command sb_cmd_inspect;

struct inspect_options {
	const char *format;
};

static const struct sb_option options[] = {
	{"format", 'f', SB_OPT_CHOICE, "FORMAT", "how to print it (default: table)", "table|json",
	 offsetof(struct inspect_options, format)},
	{NULL, 0, SB_OPT_FLAG, NULL, NULL, NULL, 0},
};

static int print(const char *bundle, bool as_json, struct sb_err *err)
{
	auto_fd int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sb_manifest *m = NULL;
	struct inspect in;

	if (fd < 0)
		return sb_fail(err, errno, "open the bundle '%s'", bundle);
	int rc = sb_manifest_read(fd, &m, err);
	if (rc < 0)
		return sb_wrap(err, "'%s'", bundle);
	rc = sb_inspect_make(m, &in);
	if (rc == 0 && as_json)
		rc = sb_inspect_json(&in);
	else if (rc == 0)
		sb_inspect_table(&in);
	sb_inspect_free(&in);
	sb_manifest_free(m);
	return rc < 0 ? sb_fail(err, -rc, "inspect '%s'", bundle) : 0;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct inspect_options opts = {.format = "table"};
	int first, rc = sb_options_parse(&sb_cmd_inspect, argc, argv, false, &opts, &first, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (argc - first != 1)
		return sb_fail(err, SB_EUSAGE, "inspect: give one bundle (see inspect --help)");
	return print(argv[first], strcmp(opts.format, "json") == 0, err);
}

const struct sb_command sb_cmd_inspect = {
	.name = "inspect",
	.args = "BUNDLE",
	.summary =
		"tell what a bundle is: entries, needs, how programs start, sizes, what it lacks",
	.options = options,
	.details = "Reads the manifest alone; nothing is executed, and no file is looked at.\n",
	.run = run,
};
