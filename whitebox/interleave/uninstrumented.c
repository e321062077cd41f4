/* Memory that is put back by copy, as code writes it that tells nobody. */
#include <string.h>

#include "process.h"

#define RANGES_MAX 8u
#define BYTES_MAX  (UINT64_C(1) << 20)

struct uninstrumented_state {
  unsigned ranges;
  size_t bytes; /* of copies */
  struct {
    char *start;
    size_t size;
  } range[RANGES_MAX];
  char copy[BYTES_MAX];
};
static struct uninstrumented_state *state;

void uninstrumented_initialize(void) { state = state_allocate(sizeof *state); }
void uninstrumented_forget_setup(void) { state->ranges = 0; }

void interleave_uninstrumented(void *start, size_t size) {
  if (!RT->setting_up) fail(INTERLEAVE_UNSUPPORTED, "interleave_uninstrumented outside of a setup");
  if (state->ranges == RANGES_MAX) fail(INTERLEAVE_UNSUPPORTED, "more than %u uninstrumented ranges", RANGES_MAX);
  state->range[state->ranges].start = start;
  state->range[state->ranges++].size = size;
}

void uninstrumented_keep(void) {
  state->bytes = 0;
  for (unsigned i = 0; i < state->ranges; i++) {
    size_t size = state->range[i].size;
    if (size > BYTES_MAX - state->bytes)
      fail(INTERLEAVE_UNSUPPORTED, "more than %zu bytes in uninstrumented ranges", (size_t)BYTES_MAX);
    memcpy(state->copy + state->bytes, state->range[i].start, size);
    state->bytes += size;
  }
}

void uninstrumented_put_back(void) {
  const char *from = state->copy;
  for (unsigned i = 0; i < state->ranges; from += state->range[i++].size)
    memcpy(state->range[i].start, from, state->range[i].size);
}
