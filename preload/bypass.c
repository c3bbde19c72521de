#include "preload/gate.h"

#include "preload/arch.h"
#include "tracer/wire.h"

/*
 * At the beginning of a page (preload/module.ld): its guard knows where in it the instruction lies.
 * The number does not stay behind in its register, where a call of the program's own would take it
 * along.
 */
__asm__(".pushsection .text.sb_gate, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl sb_gate\n"
	".hidden sb_gate\n"
	".type sb_gate, @function\n"
	"sb_gate:\n"
	".cfi_startproc\n" SB_ARCH_GATE(SB_PASS) ".cfi_endproc\n"
						 ".size sb_gate, .-sb_gate\n"
						 ".popsection\n");
