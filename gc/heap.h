/* Getting pages for spans: reuse what is free, sweep, collect, grow, in an order that the pace decides. */
#ifndef VGC_HEAP_H
#define VGC_HEAP_H

#include <stddef.h>

#include "lock.h"
#include "platform.h"
#include "span.h"

extern INTERNAL struct lock heap_lock; /* the pages lock */

/* A fresh CURRENT span owned by cache, or NULL. May collect; no locks held, cache not busy. */
struct span *heap_make_span(unsigned class_index, enum kind, struct cache *);
/* Takes pages for a large object and calls made(span, arg) with the pages lock held; NULL if there is no memory. May
 * collect; no locks held. align: pages. */
struct span *heap_make_large(size_t pages, size_t align, enum kind, void (*made)(struct span *, void *), void *arg);

#endif
