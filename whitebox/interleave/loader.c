/* dl_iterate_phdr: the loader's lock is held over the callbacks, which may be preempted: so it must be one of ours. The
 * list is that of the start: code under test neither loads nor unloads. */
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "process.h"

#define OBJECTS_MAX 64u

struct loader_state {
  unsigned count;
  struct dl_phdr_info object[OBJECTS_MAX];
  struct fiber *owner;
  unsigned depth;
  struct clock clock;
};
static struct loader_state *state;

static int note(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size, (void)arg;
  if (state->count == OBJECTS_MAX) {
    fprintf(stderr, "interleave: the program has more than %u loaded objects; link fewer\n", OBJECTS_MAX);
    exit(3);
  }
  state->object[state->count] = *info;
  state->object[state->count++].dlpi_tls_data = NULL; /* differs from thread to thread */
  return 0;
}

void loader_initialize(void) {
  state = state_allocate(sizeof *state);
  dl_iterate_phdr(note, NULL);
}

void loader_begin(void) {
  state->owner = NULL;
  state->depth = 0;
  state->clock = (struct clock){0};
}

/* The child's loader is usable, whoever held its lock. */
void loader_forked(void) {
  if (state->owner != self()) loader_begin();
}

static void lock(void) {
  schedule_point(OP_LOCK, (uintptr_t)state, true, false);
  while (state->owner && state->owner != self()) schedule_block((uintptr_t)state, UINT64_MAX);
  state->owner = self();
  state->depth++;
  schedule_reblock((uintptr_t)state);
  memory_acquire(&state->clock);
  schedule_executed(OP_LOCK, (uintptr_t)state, 0, state->depth);
}

static void unlock(void) {
  schedule_point(OP_UNLOCK, (uintptr_t)state, true, false);
  memory_release(&state->clock);
  if (--state->depth == 0) {
    state->owner = NULL;
    schedule_wake_all((uintptr_t)state);
  }
  schedule_executed(OP_UNLOCK, (uintptr_t)state, 0, state->depth);
}

typedef int visit(struct dl_phdr_info *, size_t, void *);

int interleave_wrap_dl_iterate_phdr(visit *, void *);
int interleave_wrap_dl_iterate_phdr(visit *callback, void *arg) {
  lock();
  int result = 0;
  for (unsigned i = 0; i < state->count && result == 0; i++) {
    struct dl_phdr_info info = state->object[i];
    result = callback(&info, sizeof info, arg);
  }
  unlock();
  return result;
}
