/* Memory of the runs, and of the runtime itself: both at fixed addresses, so that a run sees the same ones in every
 * process. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime.h"

#define STATE_BYTES (UINT64_C(1) << 30)

struct world_state {
  uintptr_t next;  /* first free byte of the world */
  uintptr_t start; /* where each run starts */
  uintptr_t first; /* where setup starts */
  uintptr_t highest;
};

static uintptr_t state_next = RT_ADDRESS;
static struct world_state *world;

static void map(uintptr_t address, size_t bytes) {
  void *at = mmap((void *)address, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == (void *)address) return;
  fprintf(stderr,
          "interleave: cannot map %zu MiB of address space at %#zx, which replay needs; raise the limit on address "
          "space (ulimit -v unlimited)\n",
          bytes >> 20, (size_t)address);
  exit(3);
}

void *state_allocate(size_t bytes) {
  uintptr_t at = state_next;
  if (at + bytes > RT_ADDRESS + STATE_BYTES) {
    fprintf(stderr, "interleave: %zu bytes more of state than the runtime has room for\n", bytes);
    exit(3);
  }
  state_next = (at + bytes + 63) & ~(uintptr_t)63;
  return (void *)at;
}

void world_initialize(void) {
  map(RT_ADDRESS, STATE_BYTES);
  map(WORLD_ADDRESS, WORLD_BYTES);
  state_allocate(sizeof(struct runtime));
  world = state_allocate(sizeof *world);
  world->next = world->start = WORLD_ADDRESS;
}

void *world_allocate(size_t bytes, size_t alignment) {
  uintptr_t at = (world->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
  if (bytes > WORLD_BYTES || at + bytes > WORLD_ADDRESS + WORLD_BYTES) return NULL;
  world->next = at + bytes;
  return (void *)at;
}

void world_begin(void) {
  if (world->highest < world->next) world->highest = world->next;
  world->next = world->start;
}

void world_kept(uintptr_t *low, uintptr_t *high) {
  *low = RT->stacks_high;
  *high = world->start;
}

void world_fresh(uintptr_t *low, uintptr_t *high) {
  *low = (world->start + 7) & ~(uintptr_t)7;
  *high = world->highest > world->next ? world->highest : world->next;
}

void world_keep(void) { world->start = world->next; }

void world_forget_setup(void) {
  if (world->first) world->start = world->first;
  world->first = world->start;
}
