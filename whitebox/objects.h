/* What tests ask about the heap, and pointers that the collector must not see. */
#ifndef WHITEBOX_OBJECTS_H
#define WHITEBOX_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgc.h"

/* Counts reports to the error hook instead of aborting; replaces all hooks. */
void errors_record(void);
unsigned errors_count(void);
/* The last report; VGC_ERROR_NONE before the first. */
enum vgc_error errors_last(void);

struct vgc_stats stats_now(void);
/* A default configuration that never collects by itself. */
struct vgc_config config_quiet(void);

/* A pointer in a form that no conservative scan recognizes. */
uintptr_t hide(const void *ptr);
void *reveal(uintptr_t hidden);
/* Overwrites what dead frames left on the calling thread's stack below the caller. */
void stack_scrub(void);
/* The same as a worker's step. */
void scrub_stack(void *unused);

/* Whether no two of the pointers are equal; NULL counts as equal to NULL. */
bool all_distinct(void *const *objects, size_t count);
/* Whether ptr is among them. */
bool among(const void *ptr, void *const *objects, size_t count);

/* For worker steps: allocates count objects of size bytes into objects. */
struct batch {
  void *(*allocate)(size_t);
  size_t size, count;
  void **objects;
};
void batch_allocate(void *batch);
/* Frees *(uintptr_t *)hidden, which the freeing thread holds nowhere else. */
void free_hidden(void *hidden);

#endif
