/* Page runs: best fit from bins, split, coalesced with both neighbours, reused at every size (N29). All functions:
 * pages lock, but pages_taken_bytes and pages_free_bytes. Accounting for pace and limits is done here, in pages, so
 * that every kind of allocation counts (N06). */
#ifndef VGC_PAGES_H
#define VGC_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum run_state { RUN_NONE, RUN_FREE };

/* One a page; only those of the first and last page of a free run mean anything (boundary tags, Knuth 2.5). */
struct run_tag {
  uint32_t length : 31;    /* pages of the run */
  uint32_t state : 1;      /* enum run_state */
  uint32_t dirty : 31;     /* of its pages, so many at most hold memory; 0: every byte of the run is zero */
  uint32_t idle : 1;       /* has been free since the last pages_trim */
  uint32_t next, previous; /* page + 1 of its neighbours in the bin, same arena; 0 ends the list */
};

struct run {
  struct arena *arena; /* NULL: none */
  size_t page;         /* first */
  size_t pages;
  bool zero;
};

/* Pages of an arena at most: what lengths can tell. */
#define PAGES_MAX (UINT32_MAX / 2)

/* A free run of exactly `pages`, its first page a multiple of `align` pages, from the bins only. */
struct run pages_take(size_t pages, size_t align);
/* As pages_take, from address space that was never used; adds an arena if need be. */
struct run pages_carve(size_t pages, size_t align);
/* Gives a run back. The page map no longer shows a span there. */
void pages_give(struct run);
/* Discards free runs: all, or only those idle since the last call beyond `keep` bytes. Marks the others idle. Returns
 * bytes. */
size_t pages_trim(bool all, size_t keep);

/* Bytes in taken runs, in free runs that hold memory, and the most ever taken. */
size_t pages_taken_bytes(void);
size_t pages_free_bytes(void);
size_t pages_peak_bytes(void);
/* Most bytes taken since the last call. */
size_t pages_high_bytes(void);
/* Forgets everything (shutdown, before the arenas go). */
void pages_reset(void);

#endif
