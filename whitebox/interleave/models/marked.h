/* What models of births, exits and whole cycles share: objects that tell whether they lived, and a recount. */
#ifndef MODELS_MARKED_H
#define MODELS_MARKED_H

#include <stdint.h>

#include "door.h"
#include "interleave.h"

/* A new object of 32 bytes with a mark in its first and last word. Not inlined: no copy of the pointer stays in the
 * caller's frame but what it keeps. */
uint64_t *marked(void);
/* It lives, and holds its mark. */
void expect_marked(const uint64_t *object);
/* A cycle; everything dead is free afterwards. */
void collect_and_sweep(void);
/* The statistics are equal to a count of the issued slots. No other thread allocates. */
void expect_statistics(void);

#endif
