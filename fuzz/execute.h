/* Runs a program on the library, from vgc_init to vgc_shutdown, against the shadow heap. */
#ifndef FUZZ_EXECUTE_H
#define FUZZ_EXECUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"

/* Written while the program runs, so that whoever shares the memory of a process that died sees how far it came. */
struct outcome {
  size_t at; /* operation; the program's count: the closing checks */
  bool failed;
  char message[512];  /* what was expected, and what was found */
  uint64_t allocated; /* objects */
  uint64_t dropped;   /* of these, objects that became unreachable without being freed */
  uint64_t collected; /* of these, objects that the collector was seen to reclaim */
  uint64_t cycles;
  uint64_t finalizable;   /* of the dropped, those with a finalizer */
  uint64_t finalized;     /* calls of finalizers because of that */
  uint64_t cleared, held; /* links to objects that became unreachable, seen after a cycle */
  uint64_t disclaimed;    /* calls of disclaim procedures */
};

/* Values that replace the program's own choice of geometry; 0: none. */
struct overrides {
  unsigned check_level;
  unsigned collect_every;
};

/* True if everything held. The library must not be in use by this process, and is not afterwards (if everything held).
 */
bool execute(const struct program *program, const struct overrides *overrides, struct outcome *outcome);

/* True unless a sample too large to be chance shows that the collector reclaims too little of what is dropped, calls
 * too few of the finalizers or clears too few links, in which case the programs prove nothing: a message is written to
 * stderr. Adds the outcome to the sums of the process.
 */
bool execute_account(const struct outcome *outcome);
/* One line of those sums. */
void execute_print_account(void);

#endif
