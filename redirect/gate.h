/*
 * What the gates of each machine (gate_x86_64.c, gate_aarch64.c) need of index.h, as assembler
 * text.
 */
#pragma once

#include "redirect/index.h"

#define STRING(x) #x
#define NUMBER(x) STRING(x)
#define GATE	  ".balign " NUMBER(SB_GATE_STEP) "\n"
#define NUMBERS	  NUMBER(SB_GATE_NUMBERS)
#define PASS	  NUMBER(SB_GATE_PASS)
#define AGAIN	  NUMBER(SB_GATE_AGAIN)
#define ROOM	  NUMBER(SB_GATE_ROOM)
