/* 209 MB live, or what --size says in MB, under replacement: a table of objects of mixed sizes, of which each operation
 * frees a random one and puts a new one in its place. Every operation of a millisecond or more is a pause; with more
 * threads than processors, the scheduler's count among them. Threads share the table out among them.
 *
 * Of four neighbours the first three are scanned and point to the next; the last holds no pointers. Whoever replaces
 * one mends both links, so that only the table's objects are reachable. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

const char bench_operation[] = "replacement of an object";
const bool bench_in_step = false;

enum {
  MEGABYTES = 209,
  NEIGHBOURS = 4,
  SMALLEST = 16,
  LARGEST = 1000,
  LARGE = 64 * 1024,
  RARE = 1024, /* one in so many is large */
  AVERAGE = (SMALLEST + LARGEST) / 2 + LARGE / RARE,
  ROUND = 10000,
  PAGE = 4096,
  PAUSE = 1000000,
};

struct object {
  struct object *next; /* of one without pointers: nothing */
  uint64_t place;
};

/* A root, and each table an object of the system's own. */
static struct object **tables[BENCH_THREADS_MAX];

static struct object *make(struct bench_thread *thread, size_t place) {
  uint64_t random = bench_random(thread);
  size_t size = random % RARE == 0 ? LARGE : SMALLEST + (random >> 32) % (LARGEST - SMALLEST + 1);
  bool is_last = place % NEIGHBOURS == NEIGHBOURS - 1;
  struct object *object = is_last ? bench_alloc_noscan(size) : bench_alloc(size);
  object->place = place;
  for (size_t at = PAGE; at < size; at += PAGE) ((char *)object)[at] = 1; /* resident, as if it were used */
  return object;
}

static void replace(struct bench_thread *thread, size_t place) {
  struct object **table = tables[thread->index], *old = table[place];
  if (old && old->place != place) {
    fprintf(stderr, "replace: object %zu has become %llu\n", place, (unsigned long long)old->place);
    abort();
  }
  struct object *new = make(thread, place);
  if (place % NEIGHBOURS != NEIGHBOURS - 1) new->next = table[place + 1];
  if (place % NEIGHBOURS != 0) table[place - 1]->next = new;
  table[place] = new;
  if (old) bench_free(old);
}

/* Fills the table, and replaces as many objects as it holds: then a collector has met its first collections. */
static void begin(struct bench_thread *thread, size_t length) {
  struct object **table = bench_alloc(length * sizeof *table);
  for (size_t i = 0; i < length; i++) table[i] = NULL;
  tables[thread->index] = table;
  for (size_t i = 0; i < length; i++) replace(thread, i);
  for (size_t i = 0; i < length; i++) replace(thread, bench_random(thread) % length);
}

uint64_t bench_round(struct bench_thread *thread) {
  size_t length = bench_size_or(MEGABYTES) * 1000000 / AVERAGE / thread->count / NEIGHBOURS * NEIGHBOURS;
  if (!tables[thread->index]) begin(thread, length);
  for (uint64_t i = 0, before = bench_now(); i < ROUND; i++) {
    replace(thread, bench_random(thread) % length);
    uint64_t now = bench_now();
    if (now - before >= PAUSE) bench_pause(thread, now - before);
    before = now;
  }
  return ROUND;
}
