/* An exhaustive search goes on another day: the stack of decisions is all there is to keep. */
#include <inttypes.h>
#include <string.h>

#include "exhaustive.h"

bool exhaustive_save(const struct strategy *strategy, FILE *out) {
  const struct exhaustive *x = (const struct exhaustive *)strategy;
  fprintf(out, "search %s exhausted %d redundant %" PRIu64 " depth %u\n", x->name, x->exhausted, x->redundant,
          x->depth);
  for (uint32_t i = 0; i < x->depth; i++)
    fprintf(out, "%u %u %u %u\n", x->stack[i].kind, x->stack[i].n, x->stack[i].taken, x->stack[i].skip);
  return !ferror(out);
}

static bool damaged(const char *what) {
  fprintf(stderr, "the saved search is damaged: %s; start again without --resume\n", what);
  return false;
}

bool exhaustive_load(struct strategy *strategy, FILE *in) {
  struct exhaustive *x = (struct exhaustive *)strategy;
  char name[24];
  int exhausted;
  uint64_t redundant;
  uint32_t depth;
  if (fscanf(in, " search %23s exhausted %d redundant %" SCNu64 " depth %u", name, &exhausted, &redundant, &depth) != 4)
    return damaged("expected 'search NAME exhausted 0|1 redundant N depth N'");
  if (strcmp(name, x->name) != 0) {
    fprintf(stderr, "the saved search is '%s', this one would be '%s'; give the same --strategy and --preemptions\n",
            name, x->name);
    return false;
  }
  if (depth > DECISIONS_MAX) return damaged("its stack is too deep");
  for (uint32_t i = 0; i < depth; i++) {
    unsigned kind, n, taken, skip;
    if (fscanf(in, "%u %u %u %u", &kind, &n, &taken, &skip) != 4) return damaged("a line of the stack is missing");
    if (kind >= CHOICE_KINDS || n < 2 || n > UINT16_MAX || taken >= n || skip > UINT16_MAX)
      return damaged("a line of the stack makes no sense");
    x->stack[i] = (struct node){(uint16_t)n, (uint16_t)taken, (uint16_t)skip, (uint8_t)kind};
  }
  x->exhausted = exhausted;
  x->redundant = redundant;
  x->depth = depth;
  return true;
}
