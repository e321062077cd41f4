/* What of a run is explored: meetings, and the words that threads share. */
#include <stdatomic.h>

#include "interleave.h"
#include "start.h"

static atomic_int x, y, own[2];
static int plain, seen[2];

/* ---- Meetings ---- */

static void *increment_prepared(void *unused) {
  (void)unused;
  /* Nobody comes between the two before the meeting. */
  atomic_store_explicit(&x, atomic_load_explicit(&x, memory_order_relaxed) + 1, memory_order_relaxed);
  interleave_meet(3, true);
  atomic_store_explicit(&y, atomic_load_explicit(&y, memory_order_relaxed) + 1, memory_order_relaxed);
  interleave_meet(3, false);
  return NULL;
}

static void meeting(void) {
  interleave_meet(1, false);
  pthread_t a = start(increment_prepared, NULL), b = start(increment_prepared, NULL);
  plain = 1;
  interleave_meet(3, true);
  interleave_meet(3, false);
  join(a);
  join(b);
  interleave_outcome("%d %d", x, y);
}
INTERLEAVE_MODEL(meeting, .run = meeting, .outcomes = "2 1|2 2",
                 .title = "what comes before a meeting is not explored, what comes after is");

static void *read_after(void *unused) {
  (void)unused;
  interleave_meet(2, true);
  seen[0] = plain;
  return NULL;
}

static void meeting_orders(void) {
  pthread_t thread = start(read_after, NULL);
  plain = 1;
  interleave_meet(2, true);
  join(thread);
  interleave_assert(seen[0] == 1);
}
INTERLEAVE_MODEL(meeting_orders, .run = meeting_orders, .preemptions = 3,
                 .title = "who meets knows what the others did before");

static void *write_between(void *unused) {
  (void)unused;
  interleave_meet(2, true);
  plain++;
  interleave_meet(2, false);
  return NULL;
}

static void meetings_in_a_row(void) {
  pthread_t thread = start(write_between, NULL);
  write_between(NULL);
  join(thread);
}
INTERLEAVE_MODEL(meetings_in_a_row, .run = meetings_in_a_row, .expect = INTERLEAVE_RACE,
                 .title = "who comes to the next meeting early orders nothing for who is late to leave the last");

static void meeting_alone(void) {
  pthread_t thread = start(read_after, NULL);
  plain = 1;
  interleave_point();
  interleave_meet(1, false);
  interleave_meet(1, true);
  interleave_meet(2, true);
  join(thread);
  interleave_assert(seen[0] == 1);
}
INTERLEAVE_MODEL(meeting_alone, .run = meeting_alone, .preemptions = 3,
                 .title = "who says alone what is explored is not taken for one that others wait for");

static void meeting_missed(void) { interleave_meet(2, true); }
INTERLEAVE_MODEL(meeting_missed, .run = meeting_missed, .expect = INTERLEAVE_DEADLOCK,
                 .title = "a meeting to which one does not come");

/* ---- What threads share ---- */

static void *store_buffering(void *arg) {
  bool other = arg != NULL;
  for (unsigned i = 0; i < 40; i++) atomic_fetch_add(&own[other], 1);
  atomic_store_explicit(other ? &y : &x, 1, memory_order_relaxed);
  for (unsigned i = 0; i < 40; i++) atomic_fetch_add(&own[other], 1);
  seen[other] = atomic_load_explicit(other ? &x : &y, memory_order_relaxed);
  return NULL;
}

static void learnt_store_buffering(void) {
  pthread_t a = start(store_buffering, NULL), b = start(store_buffering, &own);
  join(a);
  join(b);
  interleave_outcome("%d %d", seen[0], seen[1]);
}
INTERLEAVE_MODEL(learnt_store_buffering, .run = learnt_store_buffering, .outcomes = "0 0|0 1|1 0|1 1", .learn = 20,
                 .preemptions = 3, .title = "store buffering between much that each thread has for itself");

static void *race(void *unused) {
  (void)unused;
  atomic_fetch_add(&own[0], 1);
  plain++;
  return NULL;
}

static void learnt_race(void) {
  pthread_t thread = start(race, NULL);
  plain++;
  join(thread);
}
INTERLEAVE_MODEL(learnt_race, .run = learnt_race, .expect = INTERLEAVE_RACE, .learn = 20,
                 .title = "a race beside a word of one thread");

static void learnt_before_checks(void) {
  static bool checked;
  pthread_t a = start(store_buffering, NULL), b = start(store_buffering, &own);
  join(a);
  join(b);
  interleave_meet(1, false);
  interleave_explored_all();
  /* A second run that comes here without memory put back would find it true. */
  interleave_assert(!checked);
  checked = true;
  interleave_outcome("%d %d", seen[0], seen[1]);
}
INTERLEAVE_MODEL(learnt_before_checks, .run = learnt_before_checks, .outcomes = "0 0|0 1|1 0|1 1", .learn = 20,
                 .preemptions = 3, .title = "runs to learn from end before the checks, the others after");

static void explored_all(void) {
  interleave_meet(1, false);
  interleave_explored_all();
  interleave_meet(1, true);
}
INTERLEAVE_MODEL(explored_all, .run = explored_all, .expect = INTERLEAVE_UNSUPPORTED,
                 .title = "nothing is explored once that has been said");
