/* Full collections beside one array of pointers, of 1 GiB or what --size says in MiB: whether one object is marked in
 * pieces, and how fast words are that point to what is marked already. The first thread collects. */
#include "bench.h"

const char bench_operation[] = "pointer of one array, scanned";
const bool bench_in_step = false;

enum { MEBIBYTES = 1024, OBJECTS = 1 << 16, SIZE = 64 };

static uint64_t **array, **objects;
static size_t length;

static void build(struct bench_thread *thread) {
  objects = bench_alloc(OBJECTS * sizeof *objects);
  for (size_t i = 0; i < OBJECTS; i++) objects[i] = bench_alloc(SIZE);
  length = bench_size_or(MEBIBYTES) * 1024 * 1024 / sizeof *array;
  array = bench_alloc(length * sizeof *array);
  for (size_t i = 0; i < length; i++) array[i] = objects[bench_random(thread) % OBJECTS];
}

uint64_t bench_round(struct bench_thread *thread) {
  if (thread->index) return 0;
  if (!array) build(thread);
  bench_collect_timed(thread);
  return length;
}
