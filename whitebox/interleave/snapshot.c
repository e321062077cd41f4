/* The oracle of the reset: a copy of all memory of the code under test as setup left it. Threads' stacks are not in it
 * (they are zeroed as far as they were used), nor is thread-local storage (it is copied at each start). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "sections.h"

struct snapshot_state {
  char *copy;
  size_t bytes;
};
static struct snapshot_state *state;

typedef void visitor(char *low, char *high, void *arg);

static void each_range(visitor *visit, void *arg) {
  for (size_t i = 0; i < interleave_sections_count; i++)
    visit(interleave_sections[i].low, interleave_sections[i].high, arg);
  uintptr_t low, high;
  world_kept(&low, &high);
  visit((char *)low, (char *)high, arg);
}

static void count(char *low, char *high, void *arg) { *(size_t *)arg += (size_t)(high - low); }

static void copy_range(char *low, char *high, void *arg) {
  char **to = arg;
  memcpy(*to, low, (size_t)(high - low));
  *to += high - low;
}

void snapshot_take(void) {
  if (!state) state = state_allocate(sizeof *state);
  state->bytes = 0;
  each_range(count, &state->bytes);
  free(state->copy);
  state->copy = malloc(state->bytes + 1);
  char *to = state->copy;
  if (to) each_range(copy_range, &to);
}

/* ---- Comparing ---- */

struct comparison {
  const char *copy;
  unsigned differences;
};

static void tell(struct comparison *comparison, const char *at, int was) {
  if (comparison->differences++ >= 8) return;
  fprintf(stderr, "interleave: the reset left %#x at %p, which held %#x after setup\n", *(const unsigned char *)at,
          (const void *)at, was);
}

static void compare_range(char *low, char *high, void *arg) {
  struct comparison *comparison = arg;
  size_t size = (size_t)(high - low);
  if (memcmp(low, comparison->copy, size) != 0)
    for (size_t i = 0; i < size; i++)
      if (low[i] != comparison->copy[i]) tell(comparison, &low[i], (unsigned char)comparison->copy[i]);
  comparison->copy += size;
}

bool run_reset_is_exact(void) {
  struct comparison comparison = {state->copy, 0};
  if (!comparison.copy) return true;
  each_range(compare_range, &comparison);
  /* What no setup has had is zero, however far runs have come. */
  uintptr_t low, high;
  world_fresh(&low, &high);
  for (; low < high; low += sizeof(uint64_t))
    if (*(const uint64_t *)low) tell(&comparison, (const char *)low, 0);
  return comparison.differences == 0;
}
