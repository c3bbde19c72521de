/* Before main: says hello where no audit module did, and hides how we came in. */
#include <elf.h>
#include <stddef.h>

#include "preload/exec.h"
#include "preload/hide.h"
#include "preload/plant.h"
#include "preload/recorder.h"

extern unsigned long getauxval(unsigned long type) __attribute__((weak, visibility("default")));

__attribute__((constructor)) static void begin(void)
{
	if (!sb_recorder_on() || !sb_environ())
		return;
	sb_plant();
	if (getauxval)
		sb_hide(sb_environ(), (const void *)getauxval(AT_PHDR), getauxval(AT_PHNUM));
	else
		sb_hide(sb_environ(), NULL, 0);
}
