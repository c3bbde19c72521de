/* What the module shows to programs: nothing but the hooks. */
#pragma once

#define SB_EXPORTED __attribute__((visibility("default")))
