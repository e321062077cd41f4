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
  /* Finalizers. */
  uint64_t due, finalized;
  bool in_finalizer;
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
/* Checks a fresh object, of which bytes [0, filled) were given contents, and adds it to the shadow. */
bool adopt(struct run *, const char *what, void *address, size_t size, size_t filled, enum kind, uint32_t layout,
           struct object **);
/* Puts a new object into the handle, in place of what it held. */
bool put(struct run *, uint8_t handle, struct object *);
/* An allocation may fail only for want of memory, and programs that stay far below the machine's have no want unless
 * they chose a limit. */
bool failed_allocation(struct run *, const char *what, size_t size);

/* execute_finalize.c */
void finalizer_start(struct run *);
bool finalizer_set(struct run *, const struct operation *);
bool finalizer_take_off(struct run *, uint8_t handle);
/* Calls what is due, or all. */
bool finalizer_run(struct run *, bool all);
/* The hook: the world stands. */
void finalizer_due(void *run, void *object);
/* The library knows as many due finalizers as the shadow. */
bool finalizer_count_due(struct run *);
/* All that is marked in the shadow is alive and intact. */
bool verify_marked(struct run *, const char *why);

/* execute_special.c: weak links, ephemerons. */
void special_start(struct run *);
bool do_special(struct run *, const struct operation *);
/* Each link, and what finalizers keep; from the hook cycle_end, so that nothing has changed since. */
bool special_after_cycle(struct run *);
/* The object has just been freed. */
bool special_freed(struct run *, struct object *);
/* Removes the links that stand in an object beyond a size. */
bool special_cut(struct run *, const struct object *holder, size_t size);

/* execute_kinds.c */
bool kinds_start(struct run *);
bool kinds_allocate(struct run *, const struct operation *, size_t size);
/* The library knows the object's kind. */
bool kinds_check(struct run *, const struct object *);
/* From the hook cycle_end: what should have been disclaimed was, and what was is gone or kept. */
bool kinds_after_cycle(struct run *);

/* The word that n stands for: of two numbers one counts from the end, where a scan that stops early shows. */
size_t word_of(const struct object *, uint32_t n);

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
/* The displacement is registered; words of ranges and of objects are exact from now on. */
bool exact_start(struct run *);
bool do_exact(struct run *, uint32_t n);
const void *range_start(const struct run *, size_t range);
size_t range_size(size_t range);

#endif
