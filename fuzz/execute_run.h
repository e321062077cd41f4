/* What the files of the executor share. */
#ifndef FUZZ_EXECUTE_RUN_H
#define FUZZ_EXECUTE_RUN_H

#include "execute.h"
#include "shadow.h"

enum { OWED_MAX = 32 };

struct run {
  struct shadow *shadow;
  struct outcome *outcome;
  struct vgc_config config;
  vgc_layout_id layouts[LAYOUTS];
  unsigned disabled; /* vgc_disable not yet taken back */
  /* Written by the hooks. */
  unsigned errors; /* since the operation began */
  enum vgc_error last_error;
  uint64_t cycle_starts, cycle_ends;
  uint64_t verified_cycles; /* cycles after which the reachable objects were looked at */
  /* What the statistics must say. */
  uint64_t allocated, freed;
  /* Frees of objects that a collection had found dead, in spans of this thread: reported late, at the latest when the
   * slot is about to be issued again, and till then counted as freed. */
  uint32_t owed_count;
  uint32_t owed[OWED_MAX]; /* objects */
};

/* Fails the run with a message; the first one counts. Returns false. */
bool fail(struct run *, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define CHECK(run, condition, ...)                                                                                     \
  do {                                                                                                                 \
    if (!(condition)) return fail(run, __VA_ARGS__);                                                                   \
  } while (0)

/* The operation just made must have given exactly one error, one of the set (bits 1 << enum vgc_error), or with set 0
 * none. */
bool expect_error(struct run *, const char *what, unsigned set);
const char *error_name(enum vgc_error error);

/* Every reachable object holds what was written. */
bool verify_live(struct run *, bool thorough);
bool verify_object(struct run *, const struct object *, bool thorough);

/* execute_memory.c: allocation, free, realloc. Those that return an object of the library's choice first check it. */
bool do_allocate(struct run *, const struct operation *);
bool do_realloc(struct run *, const struct operation *);
bool do_free(struct run *, uint8_t handle);
bool do_grow_to_usable(struct run *, uint8_t handle);

/* execute_invalid.c: operations bad_*. */
bool do_invalid(struct run *, const struct operation *);
/* Whether a late report is owed for the address; index into owed. */
bool is_owed(const struct run *, const void *address, uint32_t *index);

/* execute_stats.c */
bool do_stats(struct run *);
bool do_base_of(struct run *, const struct operation *);
bool do_base_of_any(struct run *, const struct operation *);
/* An address picked by a and n: near a live object, or anywhere. */
void *any_address(struct run *, uint8_t handle, uint8_t how, uint32_t n);

/* execute_roots.c: ranges, callbacks. A range's bounds may be ragged, as they are rounded inwards. */
bool range_add(struct run *, size_t range);
bool range_remove(struct run *, size_t range);
bool callback_add(struct run *, size_t range);
bool callback_remove(struct run *, size_t range);
const void *range_start(const struct run *, size_t range);
size_t range_size(size_t range);

#endif
