#include "pace.h"

#include "atomic.h"
#include "config.h"
#include "pages.h"
#include "platform.h"

/* Relaxed throughout: a thread that reads an old goal collects a little early or late, nothing else follows. Written
 * with the collect lock, and by a cycle with the world stopped, so no thread that was stopped can see the old cycle's.
 */
static _Atomic size_t goal COLLECTOR_DATA;
static _Atomic size_t marked COLLECTOR_DATA;
static _Atomic size_t work COLLECTOR_DATA;   /* what the last cycle had to do, in bytes of scanned objects */
static _Atomic size_t issued COLLECTOR_DATA; /* since the last cycle */

static size_t recent COLLECTOR_DATA; /* pages lock: most bytes of pages in late cycles */

static size_t growth(void) {
  size_t bytes;
  if (__builtin_mul_overflow(load_relaxed(&work) / 100, (size_t)CONFIG(growth_percent), &bytes)) bytes = SIZE_MAX / 4;
  return bytes;
}

static void set_goal(size_t live) {
  size_t wish;
  if (__builtin_add_overflow(live, growth(), &wish)) wish = SIZE_MAX;
  if (wish < CONFIG(minimum_heap)) wish = CONFIG(minimum_heap);
  if (wish > CONFIG(soft_limit)) wish = CONFIG(soft_limit);
  store_relaxed(&goal, wish);
}

void pace_initialize(void) {
  store_relaxed(&marked, 0);
  store_relaxed(&work, 0);
  store_relaxed(&issued, 0);
  recent = 0;
  set_goal(0);
}

bool pace_may_take(size_t bytes) {
  size_t taken = pages_taken_bytes(), sum;
  return !__builtin_add_overflow(taken, bytes, &sum) && sum <= load_relaxed(&goal) && sum <= CONFIG(hard_limit);
}

bool pace_within_hard_limit(size_t bytes) {
  size_t sum;
  return !__builtin_add_overflow(pages_taken_bytes(), bytes, &sum) && sum <= CONFIG(hard_limit);
}

bool pace_should_collect(size_t bytes) {
  size_t enough = growth();
  if (enough < CONFIG(minimum_heap) / 2) enough = CONFIG(minimum_heap) / 2;
  if (enough > CONFIG(soft_limit) / 8) enough = CONFIG(soft_limit) / 8;
  size_t sum;
  return __builtin_add_overflow(load_relaxed(&issued), bytes, &sum) || sum >= enough;
}

void pace_tune(void) { set_goal(pace_marked()); }

int pace_reserve(size_t bytes) {
  size_t wish;
  if (__builtin_add_overflow(pages_taken_bytes(), bytes, &wish) || wish > CONFIG(hard_limit)) return -1;
  config_raise_minimum_heap(wish);
  pace_tune();
  return 0;
}

void pace_count_issued(size_t bytes) { fetch_add_relaxed(&issued, bytes); }

void pace_after_cycle(size_t marked_bytes, size_t unscanned_bytes, size_t root_bytes) {
  store_relaxed(&marked, marked_bytes);
  store_relaxed(&work, marked_bytes - unscanned_bytes / 2 + root_bytes / 2);
  store_relaxed(&issued, 0);
  set_goal(marked_bytes);
}

void pace_after_nothing(void) {
  size_t taken = pages_taken_bytes();
  store_relaxed(&work, taken);
  store_relaxed(&issued, 0);
  set_goal(taken);
}

size_t pace_room(void) {
  size_t high = pages_high_bytes(), taken = pages_taken_bytes();
  recent -= recent / 4;
  if (recent < high) recent = high;
  size_t until = recent > load_relaxed(&goal) ? recent : load_relaxed(&goal);
  return until > taken ? until - taken : 0;
}

size_t pace_goal(void) { return load_relaxed(&goal); }
size_t pace_marked(void) { return load_relaxed(&marked); }
