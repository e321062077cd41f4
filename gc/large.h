/* Large objects: each a span of its own. All state under the pages lock. */
#ifndef VGC_LARGE_H
#define VGC_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

/* A large object of at least size bytes, zeroed unless noscan, aligned to `alignment` (power of two). NULL without
 * memory. */
void *large_allocate(enum kind, size_t size, size_t alignment);
/* Of a typed object not zeroed: all but the word of its id. */
void *large_allocate_as(enum kind, bool zeroed, size_t size, size_t alignment);
/* Frees the object; false if it is free already. */
bool large_free(struct span *, void *ptr) __attribute__((nonnull));
void large_finish_sweep(void);
/* World stopped, pages lock held: all are unswept now. */
void large_flip(void);
uint64_t large_swept_objects(void);
uint64_t large_swept_bytes(void);
void large_reset(void);

#endif
