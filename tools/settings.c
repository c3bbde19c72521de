#include "tools/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

static int level = SB_LOG_WARN;
static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;

int sb_settings_level(void)
{
	return level;
}

int sb_settings_log_level(const char *word, struct sb_err *err)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};

	for (int i = 0; i < 5; i++) {
		if (strcmp(word, levels[i]) == 0) {
			level = i;
			return 0;
		}
	}
	return sb_fail(err, SB_EUSAGE, "--log-level: '%s' is none of error|warn|info|debug|trace",
		       word);
}

int sb_settings_color(const char *word, struct sb_err *err)
{
	static const char *const words[] = {"auto", "always", "never"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(word, words[i]) == 0) {
			color = i;
			return 0;
		}
	}
	return sb_fail(err, SB_EUSAGE, "--color: '%s' is none of auto|always|never", word);
}

bool sb_settings_colored(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (color != COLOR_AUTO)
		return color == COLOR_ALWAYS;
	return !(no && *no) && !(term && strcmp(term, "dumb") == 0) && isatty(fd);
}
