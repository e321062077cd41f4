#include "program.h"

#include <string.h>

#define PROGRAM_KIND(name, operands, help) {#name, operands, help},
const struct operation_kind program_operations[OP_COUNT] = {PROGRAM_OPERATIONS(PROGRAM_KIND)};
#undef PROGRAM_KIND

/* Zero is the library's default. Its own limits bound the small end; the large ends keep an input below a second. */
const struct program_field program_fields[PROGRAM_HEADER] = {
    {"page_bytes", 8, {0, 1024, 2048, 4096, 8192, 16384, 32768, 65536}},
    {"arena_bytes", 6, {0, 1 << 20, 2 << 20, 4 << 20, 16 << 20, 256 << 20}},
    {"thread_table", 3, {0, 1, 2}},
    {"mark_stack", 5, {0, 16, 64, 256, 4096}},
    {"mark_stack_max", 4, {0, 16, 64, 4096}},
    {"minimum_heap", 5, {0, 1, 4096, 65536, 1 << 20}},
    {"limit", 5, {0, 0, 0, 1 << 20, 8 << 20}},
    {"growth_percent", 4, {0, 1, 50, 1000}},
    {"check_level", 4, {1, 1, 2, 3}},
    {"collect_every", 6, {0, 0, 1, 3, 7, 50}},
    {"finalize_on_demand", 2, {0, 1}},
};

static size_t field(const struct program *program, size_t index) {
  return program_fields[index].values[program->header[index]];
}

void program_config(const struct program *program, struct vgc_config *config) {
  vgc_config_default(config);
  config->page_bytes = field(program, 0);
  config->arena_bytes = field(program, 1);
  config->thread_table = field(program, 2);
  config->mark_stack = field(program, 3);
  config->mark_stack_max = field(program, 4);
  config->minimum_heap = field(program, 5);
  config->hard_limit = field(program, 6);
  config->soft_limit = config->hard_limit / 2;
  config->growth_percent = (unsigned)field(program, 7);
  config->check_level = (unsigned)field(program, 8);
  config->collect_every = (unsigned)field(program, 9);
  config->finalize_on_demand = (unsigned)field(program, 10);
}

void program_decode(struct program *program, const uint8_t *bytes, size_t size) {
  memset(program->header, 0, sizeof program->header);
  for (size_t i = 0; i < PROGRAM_HEADER && i < size; i++) {
    program->header[i] = (uint8_t)(bytes[i] % program_fields[i].count);
  }
  program->count = 0;
  for (size_t at = PROGRAM_HEADER; at + PROGRAM_RECORD <= size && program->count < PROGRAM_OPS; at += PROGRAM_RECORD) {
    const uint8_t *record = bytes + at;
    program->ops[program->count++] = (struct operation){
        .opcode = (uint8_t)(record[0] % OP_COUNT),
        .a = record[1],
        .b = record[2],
        .n = (uint32_t)record[3] | (uint32_t)record[4] << 8 | (uint32_t)record[5] << 16,
    };
  }
}

size_t program_encode(const struct program *program, uint8_t *bytes) {
  memcpy(bytes, program->header, PROGRAM_HEADER);
  uint8_t *at = bytes + PROGRAM_HEADER;
  for (size_t i = 0; i < program->count; i++, at += PROGRAM_RECORD) {
    const struct operation *op = &program->ops[i];
    const uint8_t record[PROGRAM_RECORD] = {
        op->opcode, op->a, op->b, (uint8_t)op->n, (uint8_t)(op->n >> 8), (uint8_t)(op->n >> 16)};
    memcpy(at, record, PROGRAM_RECORD);
  }
  return (size_t)(at - bytes);
}

enum { SIZE_SMALL = 512, SIZE_GRAIN = 64 };

size_t program_size(uint32_t n) {
  size_t low = n & 0xffff;
  switch (n >> 16 & 3) {
  case 2:
    return SIZE_SMALL + 1 + low;
  case 3:
    return low * SIZE_GRAIN;
  default:
    return low % (SIZE_SMALL + 1);
  }
}

bool program_size_encode(size_t size, uint32_t *n) {
  if (size <= SIZE_SMALL) {
    *n = (uint32_t)size;
  } else if (size - SIZE_SMALL - 1 <= 0xffff) {
    *n = 2u << 16 | (uint32_t)(size - SIZE_SMALL - 1);
  } else if (size % SIZE_GRAIN == 0 && size / SIZE_GRAIN <= 0xffff) {
    *n = 3u << 16 | (uint32_t)(size / SIZE_GRAIN);
  } else {
    return false;
  }
  return true;
}
