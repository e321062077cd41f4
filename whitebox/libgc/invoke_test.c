/* gc.h: by whom finalizers are called, and when. */
#include "client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>

static unsigned calls;

static void count(void *object, void *data) {
  (void)object, (void)data;
  calls++;
}

static GC_finalization_proc finalizer;

static void drop(void *number) {
  for (unsigned i = 0; i < *(unsigned *)number; i++) GC_register_finalizer(GC_malloc(16), finalizer, NULL, NULL, NULL);
}

static void drop_many(GC_finalization_proc with, unsigned number) {
  finalizer = with;
  client_below(drop, &number);
}

/* ---- Those that have waited ---- */

static void let_wait(void) {
  GC_INIT();
  GC_set_finalize_on_demand(1);
  drop_many(count, MANY);
  client_collect();
  must(!calls && GC_should_invoke_finalizers());
  GC_set_finalize_on_demand(0);
}

TEST(the_next_collection_calls_those_that_waited) {
  let_wait();
  GC_gcollect();
  must(calls >= MOST);
}

TEST(allocations_call_those_that_waited) {
  let_wait();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(1000));
  must(calls >= MOST);
}

static unsigned notices;
static void notice(void) { notices++; }

TEST(each_collection_tells_of_those_that_wait) {
  GC_INIT();
  GC_set_finalize_on_demand(1);
  GC_set_finalizer_notifier(notice);
  GC_gcollect();
  must(notices == 0);
  drop_many(count, MANY);
  client_scrub();
  for (unsigned i = 1; i <= 3; i++) {
    GC_gcollect();
    must(notices == i);
  }
  GC_invoke_finalizers();
  GC_gcollect();
  must(notices == 3);
}

/* ---- From within one ---- */

static int nested;

static void call_the_others(void *object, void *data) {
  count(object, data);
  if (calls == 1) nested = GC_invoke_finalizers();
}

TEST(one_may_call_the_others) {
  GC_INIT();
  GC_set_finalize_on_demand(1);
  drop_many(call_the_others, MANY);
  client_collect();
  GC_invoke_finalizers();
  must(nested >= (int)MOST - 1 && nested == (int)calls - 1);
}

static unsigned depth, deepest;

static void collect(void *object, void *data) {
  count(object, data);
  if (++depth > deepest) deepest = depth;
  GC_gcollect();
  depth--;
}

TEST(collections_do_not_pile_them_up) {
  GC_INIT();
  drop_many(collect, 10 * MANY);
  for (int i = 0; i < 3; i++) client_collect();
  must(calls >= 10 * MOST && deepest <= 10);
}

static jmp_buf out;

static void leave(void *object, void *data) {
  count(object, data);
  if (calls % 10 == 1) longjmp(out, 1);
}

TEST(one_may_be_left_by_longjmp) {
  GC_INIT();
  GC_set_finalize_on_demand(1);
  drop_many(leave, MANY);
  client_collect();
  for (volatile int i = 0; i < 40; i++)
    if (!setjmp(out)) GC_invoke_finalizers();
  must(calls >= MOST);
}

/* ---- Beside other threads ---- */

static atomic_bool over;

static void *collect_beside(void *arg) {
  while (!atomic_load(&over)) GC_gcollect();
  return arg;
}

/* Whose cycle it was that served this collection. */
TEST(none_wait_when_a_collection_returns) {
  enum { ROUNDS = 400 };
  GC_INIT();
  GC_allow_register_threads();
  pthread_t threads[2];
  for (unsigned i = 0; i < 2; i++) must(!pthread_create(&threads[i], NULL, collect_beside, NULL));
  unsigned late = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    drop_many(count, 1);
    GC_gcollect();
    late += GC_should_invoke_finalizers() != 0;
  }
  atomic_store(&over, true);
  for (unsigned i = 0; i < 2; i++) must(!pthread_join(threads[i], NULL));
  must(late <= ROUNDS / 20); /* another cycle may have ended meanwhile */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_next_collection_calls_those_that_waited),
      cmocka_unit_test(allocations_call_those_that_waited),
      cmocka_unit_test(each_collection_tells_of_those_that_wait),
      cmocka_unit_test(one_may_call_the_others),
      cmocka_unit_test(collections_do_not_pile_them_up),
      cmocka_unit_test(one_may_be_left_by_longjmp),
      cmocka_unit_test(none_wait_when_a_collection_returns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
