/* Before main: says hello where no audit module did. */
#include "preload/recorder.h"

__attribute__((constructor)) static void begin(void)
{
	(void)sb_recorder_on();
}
