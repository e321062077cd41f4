/* gc.h and javaxfc.h: finalizers, when they are called, and who is told. */
#include "client.h"

#include <gc/javaxfc.h>

struct object {
  struct object *next;
  unsigned number;
  unsigned finalized;
};

static unsigned calls, wrong, order[MANY * 4];
static struct object *saved; /* by a finalizer, which brings its object back */

static void count(void *object, void *arg) {
  const struct object *known = object;
  if (arg != &calls) wrong++;
  if (calls < MANY * 4) order[calls] = known->number;
  calls++;
}

static void save(void *object, void *arg) {
  count(object, arg);
  saved = object;
}

typedef void registration(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static registration *const registrations[] = {GC_register_finalizer, GC_register_finalizer_ignore_self,
                                              GC_register_finalizer_no_order, GC_register_finalizer_unreachable};

static struct object *make(registration *with, unsigned number) {
  struct object *object = GC_malloc(sizeof *object);
  object->number = number;
  if (with) with(object, count, &calls, NULL, NULL);
  return object;
}

/* ---- Once, when it is unreachable ---- */

static registration *chosen;

static void drop(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) make(chosen, i);
}

static void start(registration *with) {
  GC_set_java_finalization(1);
  GC_INIT();
  chosen = with;
}

static void once(registration *with) {
  start(with);
  client_below(drop, NULL);
  for (int i = 0; i < 3; i++) {
    client_collect();
    GC_invoke_finalizers();
  }
  must(calls >= MOST && calls <= MANY && !wrong);
  unsigned seen[MANY] = {0};
  for (unsigned i = 0; i < calls; i++) must(!seen[order[i]]++);
}

TEST(once_ordered) { once(GC_register_finalizer); }
TEST(once_ignoring_self) { once(GC_register_finalizer_ignore_self); }
TEST(once_unordered) { once(GC_register_finalizer_no_order); }
TEST(once_unreachable) { once(GC_register_finalizer_unreachable); }

TEST(not_while_reachable) {
  GC_INIT();
  for (unsigned i = 0; i < MANY; i++) client_roots[i] = make(registrations[i % 4], i);
  client_collect();
  must(!GC_invoke_finalizers() && !calls && !GC_should_invoke_finalizers());
}

/* ---- Orders ---- */

static void drop_chains(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *first = make(chosen, 2 * i);
    first->next = make(chosen, 2 * i + 1);
  }
}

/* What points to another is finalized in an earlier cycle. */
static void chains(registration *with) {
  start(with);
  GC_set_finalize_on_demand(1);
  client_below(drop_chains, NULL);
  client_scrub();
  GC_gcollect();
  GC_invoke_finalizers();
  must(calls >= MOST);
  for (unsigned i = 0; i < calls; i++) must(order[i] % 2 == 0);
  unsigned first = calls;
  for (int i = 0; i < 3; i++) { /* one collection at a time: Debian's forgets those that a second one finds due */
    client_scrub();
    GC_gcollect();
    GC_invoke_finalizers();
  }
  must(calls >= first + MOST);
}

TEST(chains_ordered) { chains(GC_register_finalizer); }
TEST(chains_ignoring_self) { chains(GC_register_finalizer_ignore_self); }

TEST(chains_unreachable) { chains(GC_register_finalizer_unreachable); }

TEST(chains_unordered) {
  start(GC_register_finalizer_no_order);
  GC_set_finalize_on_demand(1);
  client_below(drop_chains, NULL);
  client_scrub();
  GC_gcollect();
  GC_invoke_finalizers();
  must(calls >= 2 * MOST);
}

static void drop_under_unordered(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *first = make(GC_register_finalizer_no_order, 2 * i);
    first->next = make(GC_register_finalizer_unreachable, 2 * i + 1);
  }
}

/* Not while an unordered one reaches it. */
TEST(unreachable_after_unordered) {
  start(NULL);
  GC_set_finalize_on_demand(1);
  client_below(drop_under_unordered, NULL);
  client_scrub();
  GC_gcollect();
  GC_invoke_finalizers();
  must(calls >= MOST);
  for (unsigned i = 0; i < calls; i++) must(order[i] % 2 == 0);
  for (int i = 0; i < 3; i++) { /* one at a time: see chains */
    client_scrub();
    GC_gcollect();
    GC_invoke_finalizers();
  }
  must(calls >= 2 * MOST);
}

static void drop_selves(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(chosen, i);
    object->next = object;
  }
}

static void drop_rings(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(chosen, i);
    object->next = make(NULL, 0);
    object->next->next = object;
  }
}

static unsigned calls_of(registration *with, void (*body)(void *)) {
  start(with);
  client_below(body, NULL);
  for (int i = 0; i < 3; i++) {
    client_collect();
    GC_invoke_finalizers();
  }
  return calls;
}

TEST(selves_ordered) { must(calls_of(GC_register_finalizer, drop_selves) == 0); }
TEST(selves_ignored) { must(calls_of(GC_register_finalizer_ignore_self, drop_selves) >= MOST); }
TEST(selves_unordered) { must(calls_of(GC_register_finalizer_no_order, drop_selves) >= MOST); }
TEST(selves_unreachable) { must(calls_of(GC_register_finalizer_unreachable, drop_selves) == 0); }
TEST(rings_ordered) { must(calls_of(GC_register_finalizer, drop_rings) == 0); }
TEST(rings_ignoring_self) { must(calls_of(GC_register_finalizer_ignore_self, drop_rings) == 0); }
TEST(rings_unordered) { must(calls_of(GC_register_finalizer_no_order, drop_rings) >= MOST); }
TEST(rings_unreachable) { must(calls_of(GC_register_finalizer_unreachable, drop_rings) == 0); }

/* ---- Registration ---- */

static void other(void *object, void *arg) { (void)object, (void)arg, wrong++; }

TEST(old_finalizer_and_data) {
  GC_INIT();
  struct object *object = make(NULL, 0);
  char data[2];
  GC_finalization_proc old = other;
  void *old_data = data;
  GC_register_finalizer(object, other, &data[0], &old, &old_data);
  must(!old && !old_data);
  GC_register_finalizer_no_order(object, count, &data[1], &old, &old_data);
  must(old == other && old_data == &data[0]);
  GC_register_finalizer_ignore_self(object, NULL, NULL, &old, &old_data);
  must(old == count && old_data == &data[1]);
  GC_register_finalizer(object, NULL, NULL, &old, &old_data);
  must(!old && !old_data);
  GC_reachable_here(object);
}

/* Outside of the heap: ignored, and the old ones are none. */
TEST(no_object) {
  GC_INIT();
  static int outside;
  GC_finalization_proc old = other;
  void *old_data = &outside;
  GC_register_finalizer(&outside, other, NULL, &old, &old_data);
  must(!old && !old_data);
  old = other;
  old_data = &outside;
  void *foreign = malloc(10);
  GC_register_finalizer(foreign, other, NULL, &old, &old_data);
  must(!old && !old_data);
  free(foreign);
  client_collect();
  must(!wrong);
}

static void drop_overridden(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(NULL, i);
    GC_register_finalizer(object, other, NULL, NULL, NULL);
    GC_register_finalizer(object, i % 2 ? count : NULL, &calls, NULL, NULL);
  }
}

TEST(last_registration_counts) {
  GC_INIT();
  client_below(drop_overridden, NULL);
  client_collect();
  GC_invoke_finalizers();
  must(!wrong && calls >= MOST / 2 && calls <= MANY / 2);
}

static void drop_with_data(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *data = make(NULL, i);
    client_watch(i, data);
    struct object *object = make(NULL, i);
    client_roots[i] = object;
    GC_register_finalizer(object, other, data, NULL, NULL);
  }
}

/* What the data point to is reachable until the finalizer is called. */
TEST(data_are_kept) {
  GC_INIT();
  client_below(drop_with_data, NULL);
  client_collect();
  must(client_gone(MANY) == 0 && !wrong);
  memset(client_roots, 0, sizeof client_roots);
  for (int i = 0; i < 3; i++) {
    client_collect();
    GC_invoke_finalizers();
  }
  must(wrong >= MOST && client_gone(MANY) >= MOST);
}

static void drop_saver(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(NULL, i);
    GC_register_finalizer(object, save, &calls, NULL, NULL);
    object->next = saved;
    saved = object;
  }
}

/* Implicitly unregistered when it is due; the object may be brought back. */
TEST(resurrection) {
  GC_INIT();
  client_below(drop_saver, NULL);
  saved = NULL;
  for (int i = 0; i < 3; i++) client_collect();
  GC_invoke_finalizers();
  must(calls >= 1 && saved);
  unsigned before = calls;
  struct object *back = saved;
  unsigned number = back->number;
  GC_finalization_proc old = other;
  GC_register_finalizer(back, NULL, NULL, &old, NULL);
  must(!old);
  for (int i = 0; i < 10000; i++) memset(GC_malloc(sizeof *back), 0xff, sizeof *back);
  client_collect();
  must(back->number == number && calls >= before);
}

/* ---- When ---- */

TEST(on_demand) {
  GC_set_finalize_on_demand(1);
  GC_INIT();
  chosen = GC_register_finalizer;
  client_below(drop, NULL);
  client_collect();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  must(!calls && GC_should_invoke_finalizers());
  int run = GC_invoke_finalizers();
  must(run >= (int)MOST && (unsigned)run == calls);
  must(!GC_should_invoke_finalizers() && !GC_invoke_finalizers());
}

/* Without being asked, in some allocation. */
TEST(implicitly) {
  GC_INIT();
  chosen = GC_register_finalizer;
  client_below(drop, NULL);
  for (int i = 0; i < 1000000 && calls < MOST; i++) GC_reachable_here(GC_malloc(1000));
  must(calls >= MOST);
}

static unsigned notified, notified_in, twice;

static void notify(void) {
  if (notified && notified_in == GC_get_gc_no()) twice++;
  notified_in = (unsigned)GC_get_gc_no();
  notified++;
}

TEST(notifier) {
  GC_set_finalize_on_demand(1);
  GC_set_finalizer_notifier(notify);
  GC_INIT();
  must(GC_get_finalizer_notifier() == notify && GC_finalizer_notifier == notify);
  chosen = GC_register_finalizer;
  for (int round = 0; round < 3; round++) {
    unsigned before = notified;
    client_below(drop, NULL);
    client_collect();
    must(notified > before);
    GC_invoke_finalizers();
  }
  must(!twice && calls >= 3 * MOST);
}

TEST(notifier_only_on_demand) {
  GC_set_finalize_on_demand(0);
  GC_set_finalizer_notifier(notify);
  GC_INIT();
  chosen = GC_register_finalizer;
  client_below(drop, NULL);
  client_collect();
  must(!notified);
}

static unsigned awaited;

static void await(void *object) { awaited += object != NULL; }

TEST(await_finalize) {
  GC_set_finalize_on_demand(1);
  GC_INIT();
  GC_set_await_finalize_proc(await);
  must(GC_get_await_finalize_proc() == await);
  chosen = GC_register_finalizer;
  client_below(drop, NULL);
  client_collect();
  must(awaited >= MOST && awaited <= MANY && !calls);
  must((unsigned)GC_invoke_finalizers() == awaited);
}

/* Those of reachable objects, too. */
TEST(all) {
  GC_INIT();
  for (unsigned i = 0; i < MANY; i++) client_roots[i] = make(registrations[i % 4], i);
  client_collect();
  must(!calls);
  GC_finalize_all();
  must(calls == MANY && !wrong);
  GC_finalize_all();
  must(calls == MANY);
}

static void allocate_and_register(void *object, void *arg) {
  count(object, arg);
  for (int i = 0; i < 100; i++) GC_reachable_here(GC_malloc(500));
  if (calls < 50) make(GC_register_finalizer, 0);
  GC_gcollect();
}

TEST(finalizers_may_allocate_register_and_collect) {
  GC_INIT();
  for (int i = 0; i < 20; i++) GC_register_finalizer(make(NULL, 0), allocate_and_register, &calls, NULL, NULL);
  for (int i = 0; i < 5; i++) {
    client_collect();
    GC_invoke_finalizers();
  }
  must(calls >= 15 && !wrong);
}

static void drop_debugging(void *arg) {
  static registration *const debugging[] = {GC_debug_register_finalizer, GC_debug_register_finalizer_ignore_self,
                                            GC_debug_register_finalizer_no_order,
                                            GC_debug_register_finalizer_unreachable};
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = GC_debug_malloc(sizeof *object, __FILE__, __LINE__);
    object->number = i;
    GC_finalization_proc old = other;
    void *old_data = &calls;
    debugging[i % 4](object, other, NULL, &old, &old_data);
    must(!old && !old_data);
    debugging[i % 4](object, count, &calls, &old, &old_data);
    must(old == other && !old_data);
  }
}

/* Called with what the program knows, not with the base. */
TEST(debugging_objects) {
  GC_set_java_finalization(1);
  GC_INIT();
  client_below(drop_debugging, NULL);
  client_collect();
  GC_invoke_finalizers();
  must(calls >= MOST && !wrong);
}

static void *collect(void *arg) {
  GC_gcollect();
  return arg;
}

static void wait_for_collection(void *object, void *arg) {
  pthread_t thread;
  count(object, arg);
  GC_gcollect();
  must(!pthread_create(&thread, NULL, collect, NULL));
  must(!pthread_join(thread, NULL));
}

static void drop_waiting(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++)
    GC_debug_register_finalizer(GC_debug_malloc(40, __FILE__, __LINE__), wait_for_collection, &calls, NULL, NULL);
}

/* A collection that looks for overwritten objects calls them with no lock held, either. */
TEST(debugging_finalizers_may_collect) {
  GC_INIT();
  client_below(drop_waiting, NULL);
  client_collect();
  must(calls >= MOST && !wrong);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(once_ordered),
      cmocka_unit_test(once_ignoring_self),
      cmocka_unit_test(once_unordered),
      cmocka_unit_test(once_unreachable),
      cmocka_unit_test(not_while_reachable),
      cmocka_unit_test(chains_ordered),
      cmocka_unit_test(chains_ignoring_self),
      cmocka_unit_test(chains_unreachable),
      cmocka_unit_test(chains_unordered),
      cmocka_unit_test(unreachable_after_unordered),
      cmocka_unit_test(selves_ordered),
      cmocka_unit_test(selves_ignored),
      cmocka_unit_test(selves_unordered),
      cmocka_unit_test(selves_unreachable),
      cmocka_unit_test(rings_ordered),
      cmocka_unit_test(rings_ignoring_self),
      cmocka_unit_test(rings_unordered),
      cmocka_unit_test(rings_unreachable),
      cmocka_unit_test(old_finalizer_and_data),
      cmocka_unit_test(no_object),
      cmocka_unit_test(last_registration_counts),
      cmocka_unit_test(data_are_kept),
      cmocka_unit_test(resurrection),
      cmocka_unit_test(on_demand),
      cmocka_unit_test(implicitly),
      cmocka_unit_test(notifier),
      cmocka_unit_test(notifier_only_on_demand),
      cmocka_unit_test(await_finalize),
      cmocka_unit_test(all),
      cmocka_unit_test(finalizers_may_allocate_register_and_collect),
      cmocka_unit_test(debugging_objects),
      cmocka_unit_test(debugging_finalizers_may_collect),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
