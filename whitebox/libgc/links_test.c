/* gc.h: disappearing links, short and long, and toggle references. */
#include "client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

struct object {
  struct object *next;
  struct object *link;
  unsigned number;
};

static struct object *make(unsigned number) {
  struct object *object = GC_malloc(sizeof *object);
  object->number = number;
  return object;
}

static GC_hidden_pointer words[MANY], others[MANY];

static void **place(GC_hidden_pointer *word) { return (void **)(void *)word; }

static unsigned cleared(const GC_hidden_pointer *of) {
  unsigned count = 0;
  for (unsigned i = 0; i < MANY; i++) count += !of[i];
  return count;
}

static int hold; /* The objects are roots, too. */
static int (*link_to)(void **, const void *);

static void link_many(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(i);
    words[i] = GC_HIDE_POINTER(object);
    must(link_to(place(&words[i]), object) == GC_SUCCESS);
    must(link_to(place(&words[i]), object) == GC_DUPLICATE);
    if (hold) client_roots[i] = object;
  }
}

static void clears(int (*with)(void **, const void *)) {
  GC_INIT();
  link_to = with;
  hold = 1;
  client_below(link_many, NULL);
  client_collect();
  must(cleared(words) == 0);
  for (unsigned i = 0; i < MANY; i++) must(((struct object *)GC_REVEAL_POINTER(words[i]))->number == i);
  memset(client_roots, 0, sizeof client_roots);
  client_collect();
  must(cleared(words) >= MOST);
}

TEST(short_links) { clears(GC_general_register_disappearing_link); }
TEST(long_links) { clears(GC_register_long_link); }

/* A link that has been cleared is none any more, and may be set anew. */
TEST(set_anew) {
  GC_INIT();
  link_to = GC_general_register_disappearing_link;
  client_below(link_many, NULL);
  client_collect();
  struct object *object = make(1);
  for (unsigned i = 0; i < MANY; i++) {
    if (words[i]) continue;
    must(GC_unregister_disappearing_link(place(&words[i])) == 0);
    words[i] = GC_HIDE_POINTER(object);
    must(link_to(place(&words[i]), object) == GC_SUCCESS);
  }
  client_collect();
  unsigned kept = 0;
  for (unsigned i = 0; i < MANY; i++) kept += words[i] == GC_HIDE_POINTER(object);
  must(kept >= MOST);
  GC_reachable_here(object);
}

TEST(unregister) {
  GC_INIT();
  struct object *object = make(1);
  words[0] = words[1] = GC_HIDE_POINTER(object);
  must(GC_unregister_disappearing_link(place(&words[0])) == 0);
  must(GC_unregister_long_link(place(&words[0])) == 0);
  must(GC_general_register_disappearing_link(place(&words[0]), object) == GC_SUCCESS);
  must(GC_register_long_link(place(&words[1]), object) == GC_SUCCESS);
  must(GC_unregister_long_link(place(&words[0])) == 0);
  must(GC_unregister_disappearing_link(place(&words[1])) == 0);
  must(GC_unregister_disappearing_link(place(&words[0])) == 1);
  must(GC_unregister_long_link(place(&words[1])) == 1);
  must(GC_unregister_disappearing_link(place(&words[0])) == 0);
  must(words[0] == GC_HIDE_POINTER(object));
}

static void drop_unregistered(void *arg) {
  link_many(arg);
  for (unsigned i = 0; i < MANY; i++) must(GC_unregister_disappearing_link(place(&words[i])) == 1);
}

TEST(unregistered_stays) {
  GC_INIT();
  link_to = GC_general_register_disappearing_link;
  client_below(drop_unregistered, NULL);
  client_collect();
  must(cleared(words) == 0);
}

static int (*move)(void **, void **);

static void move_many(void *arg) {
  link_many(arg);
  for (unsigned i = 0; i < MANY; i++) {
    others[i] = words[i];
    must(move(place(&words[i]), place(&words[i])) == GC_SUCCESS);
    must(move(place(&words[i]), place(&others[i])) == GC_SUCCESS);
    must(others[i] == words[i]);
    must(move(place(&words[i]), place(&others[i])) == GC_NOT_FOUND);
    must(move(place(&words[i]), place(&words[i])) == GC_NOT_FOUND);
    if (i) must(move(place(&others[i - 1]), place(&others[i])) == GC_DUPLICATE);
  }
}

static void moves(int (*with)(void **, const void *), int (*by)(void **, void **)) {
  GC_INIT();
  link_to = with;
  move = by;
  client_below(move_many, NULL);
  client_collect();
  must(cleared(words) == 0 && cleared(others) >= MOST);
}

TEST(moved_short_links) { moves(GC_general_register_disappearing_link, GC_move_disappearing_link); }
TEST(moved_long_links) { moves(GC_register_long_link, GC_move_long_link); }

static void register_with_two(void *arg) {
  struct object *kept = arg;
  for (unsigned i = 0; i < MANY; i++) {
    words[i] = 1;
    must(GC_general_register_disappearing_link(place(&words[i]), i % 2 ? kept : make(i)) == GC_SUCCESS);
    must(GC_general_register_disappearing_link(place(&words[i]), i % 2 ? make(i) : kept) == GC_DUPLICATE);
  }
}

/* The last object counts. */
TEST(registered_with_another) {
  GC_INIT();
  struct object *kept = make(1);
  client_below(register_with_two, kept);
  client_collect();
  unsigned odd = 0;
  for (unsigned i = 0; i < MANY; i++) {
    if (i % 2)
      odd += !words[i];
    else
      must(words[i] == 1);
  }
  must(odd >= MOST / 2);
  GC_reachable_here(kept);
}

/* ---- Links in objects ---- */

static void drop_holders(void *arg) {
  struct object *kept = arg;
  for (unsigned i = 0; i < 10000; i++) {
    GC_hidden_pointer *holder = GC_malloc_atomic(32);
    holder[1] = GC_HIDE_POINTER(kept);
    must(GC_general_register_disappearing_link(place(&holder[1]), kept) == GC_SUCCESS);
  }
}

/* A link goes with the object that contains it: what is there later is left alone. */
TEST(link_of_an_object_that_is_gone) {
  GC_INIT();
  struct object *kept = make(1);
  client_below(drop_holders, kept);
  client_collect();
  unsigned **held = GC_malloc(10000 * sizeof *held);
  for (unsigned i = 0; i < 10000; i++) {
    held[i] = GC_malloc_atomic(32);
    memset(held[i], 0x5a, 32);
  }
  GC_reachable_here(kept);
  kept = NULL;
  client_collect();
  for (unsigned i = 0; i < 10000; i++)
    for (unsigned w = 0; w < 8; w++) must(held[i][w] == 0x5a5a5a5a);
}

static unsigned finalized, followed;

static void finalize(void *object, void *arg) {
  const struct object *known = object;
  (void)arg;
  finalized++;
  if (known->link) followed++;
}

static void drop_rings(void *arg) {
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(i);
    object->link = make(i);
    object->link->next = object;
    if (arg) must(GC_register_disappearing_link((void **)&object->link) == GC_SUCCESS);
    GC_register_finalizer(object, finalize, NULL, NULL, NULL);
  }
}

/* Cleared before the order of finalizers is decided, so it breaks cycles. */
TEST(breaks_cycles) {
  GC_INIT();
  client_below(drop_rings, &finalized);
  client_collect();
  GC_invoke_finalizers();
  must(finalized >= MOST && !followed);
}

TEST(cycles_stay_without) {
  GC_INIT();
  client_below(drop_rings, NULL);
  client_collect();
  GC_invoke_finalizers();
  must(!finalized);
}

static unsigned short_alive, long_alive;

static void look(void *object, void *arg) {
  unsigned number = ((struct object *)object)->number;
  (void)arg;
  finalized++;
  short_alive += words[number] != 0;
  long_alive += others[number] != 0;
}

static void drop_linked(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(i);
    words[i] = others[i] = GC_HIDE_POINTER(object);
    must(GC_general_register_disappearing_link(place(&words[i]), object) == GC_SUCCESS);
    must(GC_register_long_link(place(&others[i]), object) == GC_SUCCESS);
    GC_register_finalizer(object, look, NULL, NULL, NULL);
  }
}

/* Short ones are gone when the finalizer is called, long ones when the object is. */
TEST(short_before_and_long_after_finalizers) {
  GC_set_finalize_on_demand(1);
  GC_INIT();
  client_below(drop_linked, NULL);
  client_scrub();
  GC_gcollect();
  GC_invoke_finalizers();
  must(finalized >= MOST && !short_alive && long_alive == finalized);
  client_collect();
  must(cleared(others) >= MOST);
}

/* ---- Toggle references ---- */

static GC_ToggleRefStatus answer;
static unsigned asked, bad;

static GC_ToggleRefStatus status_of(void *object) {
  asked++;
  if (((struct object *)object)->number != 77) bad++;
  return answer;
}

static void toggle_many(void *arg) {
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make(77);
    client_watch(i, object);
    must(GC_toggleref_add(object, arg != NULL) == GC_SUCCESS);
  }
}

static void toggle_start(GC_ToggleRefStatus first) {
  GC_INIT();
  must(GC_toggleref_add(make(77), 1) == GC_SUCCESS); /* no callback yet */
  GC_set_toggleref_func(status_of);
  must(GC_get_toggleref_func() == status_of);
  answer = first;
}

TEST(strong_references_keep) {
  toggle_start(GC_TOGGLE_REF_STRONG);
  client_below(toggle_many, NULL);
  client_collect();
  must(client_gone(MANY) == 0 && asked >= MANY && !bad);
  answer = GC_TOGGLE_REF_WEAK;
  for (int i = 0; i < 2; i++) client_collect();
  must(client_gone(MANY) >= MOST && !bad);
  asked = 0;
  client_collect();
  must(asked <= 2 * (MANY - MOST)); /* not for what is gone */
}

TEST(dropped_references_are_not_asked_for) {
  toggle_start(GC_TOGGLE_REF_DROP);
  client_below(toggle_many, &asked);
  client_collect();
  must(asked >= MANY && !bad);
  asked = 0;
  client_collect();
  must(asked == 0 && client_gone(MANY) >= MOST);
}

static atomic_bool over;

static void *collect(void *arg) {
  while (!atomic_load(&over)) GC_gcollect();
  return arg;
}

TEST_UNLESS(references_do_not_hinder_forks, UNDER_TSAN, "its runtime does not follow a fork of many threads") {
  GC_set_handle_fork(1);
  toggle_start(GC_TOGGLE_REF_STRONG);
  client_below(toggle_many, NULL);
  pthread_t thread;
  must(!pthread_create(&thread, NULL, collect, NULL));
  for (unsigned i = 0; i < 300; i++) {
    pid_t child = fork();
    if (!child) _exit(0);
    must(waitpid(child, NULL, 0) == child);
  }
  atomic_store(&over, true);
  must(!pthread_join(thread, NULL));
}

TEST(many_references_come_and_go) {
  toggle_start(GC_TOGGLE_REF_WEAK);
  for (int round = 0; round < 200; round++) {
    for (int i = 0; i < 4000; i++) must(GC_toggleref_add(make(77), i % 2) == GC_SUCCESS);
    answer = round % 2 ? GC_TOGGLE_REF_DROP : GC_TOGGLE_REF_WEAK;
    GC_gcollect();
  }
  answer = GC_TOGGLE_REF_DROP;
  client_collect();
  must(GC_get_heap_size() < 16u << 20);
  asked = 0;
  client_collect();
  must(asked == 0 && !bad);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_links),
      cmocka_unit_test(long_links),
      cmocka_unit_test(set_anew),
      cmocka_unit_test(unregister),
      cmocka_unit_test(unregistered_stays),
      cmocka_unit_test(moved_short_links),
      cmocka_unit_test(moved_long_links),
      cmocka_unit_test(registered_with_another),
      cmocka_unit_test(link_of_an_object_that_is_gone),
      cmocka_unit_test(breaks_cycles),
      cmocka_unit_test(cycles_stay_without),
      cmocka_unit_test(short_before_and_long_after_finalizers),
      cmocka_unit_test(strong_references_keep),
      cmocka_unit_test(dropped_references_are_not_asked_for),
      cmocka_unit_test(references_do_not_hinder_forks),
      cmocka_unit_test(many_references_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
