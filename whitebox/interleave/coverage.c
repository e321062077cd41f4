/* Named pairs and how often they occurred, over all runs of the process. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

struct pair {
  char name[COVER_NAME];
  uint64_t count;
};

#define BUCKETS (2 * COVER_MAX) /* a power of two */

struct cover_state {
  unsigned pairs;
  uint16_t bucket[BUCKETS]; /* index + 1 */
  struct pair pair[COVER_MAX];
};
static struct cover_state *state;

void cover_initialize(void) { state = state_allocate(sizeof *state); }

static uint32_t hash(const char *text) {
  uint32_t value = UINT32_C(2166136261); /* FNV-1a */
  for (; *text; text++) value = (value ^ (unsigned char)*text) * UINT32_C(16777619);
  return value;
}

/* NULL: the table is full. */
static struct pair *find(const char *name) {
  for (uint32_t at = hash(name);; at++) {
    uint16_t *bucket = &state->bucket[at % BUCKETS];
    if (*bucket && strcmp(state->pair[*bucket - 1].name, name) == 0) return &state->pair[*bucket - 1];
    if (*bucket) continue;
    if (state->pairs == COVER_MAX) return NULL;
    struct pair *pair = &state->pair[state->pairs++];
    *bucket = (uint16_t)state->pairs;
    strcpy(pair->name, name);
    return pair;
  }
}

void cover_add(const char *name, uint64_t count) {
  if (strlen(name) >= COVER_NAME)
    fail(INTERLEAVE_UNSUPPORTED, "interleave_cover: a name of more than %u characters: %s", COVER_NAME - 1, name);
  struct pair *pair = find(name);
  if (!pair)
    fail(INTERLEAVE_UNSUPPORTED, "interleave_cover: more than %u different pairs; the next is %s", COVER_MAX, name);
  pair->count += count;
}

void interleave_cover(const char *pair) { cover_add(pair, 1); }

unsigned cover_count(void) { return state->pairs; }

const char *cover_get(unsigned index, uint64_t *count) {
  if (index >= state->pairs) return NULL;
  *count = state->pair[index].count;
  return state->pair[index].name;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const struct pair *const *)a)->name, (*(const struct pair *const *)b)->name);
}

void cover_print(FILE *out) {
  static const struct pair *sorted[COVER_MAX];
  for (unsigned i = 0; i < state->pairs; i++) sorted[i] = &state->pair[i];
  qsort(sorted, state->pairs, sizeof *sorted, by_name);
  for (unsigned i = 0; i < state->pairs; i++)
    fprintf(out, "  %-40s %12" PRIu64 "\n", sorted[i]->name, sorted[i]->count);
}
