/* The one datum that the preload exports: the audit module hands its state over here, and has
 * libc's detours planted. */
#include "preload/plant.h"
#include "preload/state.h"

#include <stddef.h>

struct sb_share sidebundle_share
	__attribute__((visibility("default"))) = {NULL, sizeof(struct sb_recorder), sb_plant};

struct sb_recorder *sb_shared_state(void)
{
	return sidebundle_share.state;
}
