/* The state of an exhaustive search, for exhaustive.c and what saves it. */
#ifndef INTERLEAVE_EXHAUSTIVE_H
#define INTERLEAVE_EXHAUSTIVE_H

#include "strategy_random.h"

/* A decision that is being explored: alternatives below `taken` are done. */
struct node {
  uint16_t n, taken;
  uint16_t skip; /* CHOICE_THREAD: alternatives that were asleep */
  uint8_t kind;
};

struct exhaustive {
  struct strategy base;
  unsigned bound;
  bool reduce;
  bool exhausted;
  uint32_t depth;    /* of the stack */
  uint32_t position; /* in it, of the run */
  uint32_t asleep;   /* bit of each fiber whose next operation has been explored from here in another order */
  bool cut;          /* this run */
  uint64_t redundant;
  struct node *stack;
  char name[24];
};

#endif
