#include "generate.h"

enum { OPERATIONS_LEAST = 20, OPERATIONS_MOST = 800 };

/* SplitMix64, Steele and others 2014. */
static uint64_t next(uint64_t *state) {
  uint64_t x = *state += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

static uint32_t below(uint64_t *state, uint32_t bound) { return (uint32_t)(next(state) % bound); }

/* Half of all operations allocate, link or free, an eighth attaches something; else a program is mostly rare calls on
 * an empty heap. */
static uint8_t pick_opcode(uint64_t *state) {
  static const uint8_t common[] = {OP_malloc, OP_malloc, OP_noscan, OP_typed,       OP_calloc, OP_realloc, OP_free,
                                   OP_drop,   OP_link,   OP_link,   OP_link_inside, OP_move,   OP_kind};
  static const uint8_t attach[] = {OP_finalizer, OP_finalizer, OP_weak_add, OP_weak_inside, OP_weak_get, OP_ephemeron};
  if (below(state, 2) == 0) return common[below(state, sizeof common)];
  if (below(state, 4) == 0) return attach[below(state, sizeof attach)];
  return (uint8_t)below(state, OP_COUNT);
}

/* Mostly small: one size in eight may be of any scale. */
static uint32_t pick_size(uint64_t *state) {
  uint32_t n = (uint32_t)next(state) & 0xffffff;
  return below(state, 8) ? n & 0xffff : n;
}

void program_generate(struct program *program, uint64_t seed) {
  uint64_t state = seed;
  for (uint32_t i = 0; i < PROGRAM_HEADER; i++) {
    program->header[i] = (uint8_t)below(&state, (uint32_t)program_fields[i].count);
  }
  program->count = OPERATIONS_LEAST + below(&state, OPERATIONS_MOST - OPERATIONS_LEAST);
  /* Few handles make deep structures and quick turnover, many a large heap. */
  uint32_t handles = 4u << below(&state, 7);
  for (size_t i = 0; i < program->count; i++) {
    struct operation *op = &program->ops[i];
    op->opcode = pick_opcode(&state);
    op->a = (uint8_t)below(&state, handles);
    op->b = (uint8_t)below(&state, handles);
    op->n = program_operations[op->opcode].operands[2] == 's' ? pick_size(&state) : (uint32_t)next(&state) & 0xffffff;
    /* Operands that are no handles take every value. */
    if (program_operations[op->opcode].operands[0] != 'h') op->a = (uint8_t)next(&state);
    if (program_operations[op->opcode].operands[1] != 'h') op->b = (uint8_t)next(&state);
  }
}
