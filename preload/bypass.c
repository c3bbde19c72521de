#include "preload/bypass.h"

#include "preload/arch.h"
#include "tracer/wire.h"

/*
 * At the beginning of a page (preload/module.ld): its guard knows where in it the instruction lies.
 * The number does not stay behind in its register, where a call of the program's own would take it
 * along.
 */
__asm__(".pushsection .text.sb_bypass, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl sb_bypass\n"
	".hidden sb_bypass\n"
	".type sb_bypass, @function\n"
	"sb_bypass:\n"
	".cfi_startproc\n" SB_ARCH_BYPASS(SB_PASS) ".cfi_endproc\n"
						   ".size sb_bypass, .-sb_bypass\n"
						   ".popsection\n");
