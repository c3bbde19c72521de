/*
 * The launch plan: what the launcher needs to know, in a form that needs no parser worth the name.
 *
 * libexec/plan holds NUL-terminated strings in pairs, key then value; the first pair is
 * "sidebundle-plan" "1", the last one is "end" "". Unknown keys are an error: a launcher and its
 * plan are written together. All paths are payload paths: absolute, as the program sees them.
 *
 *   mode M               default run mode, before the first entry
 *   kernel X.Y.Z       what the programs need at least, as uname(2) has it
 *   cpu x86-64-vN      and the processor's level
 *   bind SRC           a directory or file of the target to bind, and
 *   bind-at DST        where (both repeated, one after the other)
 *   private DIR          a directory that was its owner's alone, as some programs want it: so is
 *                        a replay's, where it lies in what the program may write to (repeated)
 *   home no            the user's home is not bound, unless asked for at launch
 *   net no             no network, unless asked for at launch
 *   set K=V              environment that every entry gets, replacing the user's
 *   entry NAME           starts an entry: what follows is its own
 *     exec PATH          what to execute: an ELF program or a script
 *     interp PATH        the program's dynamic linker (host mode runs through it); none: static
 *     program PATH       host mode, where `exec` is a script: the interpreter's ELF, with its
 *     prefix ARG         arguments that come before the script's path (repeated, in order)
 *     lib DIR            library directories for host mode (repeated, in search order)
 *     arg ARG            recorded arguments, argv[0] first (repeated); none: the caller's argv[0]
 *     env K=V            recorded environment, given where the user has not set K
 *     cwd DIR            recorded directory: the entry replays a trace. Starts there, binds nothing
 *     writable DIR       directory where the traced run wrote: copied where overlay is refused
 */
#pragma once

#define SB_PLAN_MAGIC	"sidebundle-plan"
#define SB_PLAN_VERSION "1"
#define SB_PLAN_PATH	"libexec/plan"

/* The largest plan that a launcher reads. */
#define SB_PLAN_MAX (4u << 20)
