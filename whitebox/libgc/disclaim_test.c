/* gc_disclaim.h: objects of which the program hears before they are reclaimed. */
#include "client.h"

#include <gc/gc_disclaim.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>

static unsigned disclaimed, refused, wrong;
static int kind;

struct object {
  GC_word number;
  struct object *next;
  GC_word check;
};

/* Not what has just been allocated, or is in a list of free ones. */
static int is_whole(const struct object *object) { return object->number && object->check == ~object->number; }

static int count(void *object) {
  disclaimed += (unsigned)is_whole(object);
  return 0;
}

static int refuse_once(void *object) {
  struct object *known = object;
  if (!is_whole(known)) return 0;
  if (known->number & 1) {
    known->check = ~--known->number;
    refused++;
    return 1;
  }
  disclaimed++;
  return 0;
}

/* When an object of that number was disclaimed. */
static GC_word cycles[2 * MANY + 1];

static int note_cycle(void *object) {
  const struct object *known = object;
  if (!is_whole(known)) return 0;
  disclaimed++;
  cycles[known->number] = GC_get_gc_no();
  if (known->next && !is_whole(known->next)) wrong++;
  return 0;
}

static void new_kind(GC_disclaim_proc procedure, int all) {
  GC_INIT();
  kind = (int)GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
  GC_register_disclaim_proc(kind, procedure, all);
}

static struct object *make(unsigned number) {
  struct object *object = GC_generic_malloc(sizeof *object, kind);
  object->number = number;
  object->check = ~object->number;
  return object;
}

static void drop(void *arg) {
  for (unsigned i = 1; i <= MANY; i++) {
    struct object *object = make(2 * i + (arg != NULL));
    if (i % 2) object->next = make(2 * i);
  }
}

/* What a lazy sweep has not looked at yet is, when memory is asked for. */
static void sweep(void) {
  client_collect();
  for (unsigned i = 0; i < 2000; i++) GC_reachable_here(GC_generic_malloc(sizeof(struct object), kind));
  client_collect();
}

TEST(asked_before_reclaim) {
  new_kind(count, 0);
  client_below(drop, NULL);
  sweep();
  must(disclaimed >= MOST && disclaimed <= MANY * 3 / 2);
}

TEST(not_asked_of_reachable) {
  new_kind(count, 0);
  for (unsigned i = 0; i < MANY; i++) client_roots[i] = make(i + 1);
  sweep();
  must(!disclaimed);
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = client_roots[i];
    must(object->number == i + 1);
  }
}

TEST(not_asked_by_free) {
  new_kind(count, 0);
  for (unsigned i = 0; i < MANY; i++) GC_free(make(i + 1));
  must(!disclaimed);
}

/* Not zero: not in this cycle. */
TEST(refused_by_the_procedure) {
  new_kind(refuse_once, 0);
  client_below(drop, &kind);
  sweep();
  sweep();
  must(refused >= MOST && refused <= MANY && disclaimed >= MOST);
}

static void drop_pairs(void *arg) {
  (void)arg;
  for (unsigned i = 1; i <= MANY; i++) make(i)->next = make(MANY + i);
}

/* What an object reaches is protected for the procedure, so a chain takes many cycles. */
TEST_OURS(what_it_reaches, "a quarter of them is reclaimed before") {
  new_kind(note_cycle, 1);
  client_below(drop_pairs, NULL);
  for (int i = 0; i < 3; i++) sweep();
  must(disclaimed >= 2 * MOST && !wrong);
  for (unsigned i = 1; i <= MANY; i++) must(!cycles[MANY + i] || cycles[i] < cycles[MANY + i]);
}

TEST(another_procedure) {
  new_kind(count, 0);
  client_below(drop, NULL);
  GC_register_disclaim_proc(kind, refuse_once, 0);
  sweep();
  sweep();
  must(disclaimed >= MOST);
}

/* ---- GC_finalized_malloc ---- */

static unsigned finalized;
static char data;

static void finalize(void *object, void *arg) {
  const struct object *known = object;
  if (known->check != ~known->number) wrong++;
  if (known->next && known->next->check != ~known->next->number) wrong++;
  if (arg != &data) wrong++;
  finalized++;
}

static const struct GC_finalizer_closure closure = {finalize, &data};

static struct object *make_finalized(unsigned number, const struct GC_finalizer_closure *with) {
  struct object *object = GC_finalized_malloc(sizeof *object, with);
  must(object && !object->number && !object->next && !object->check);
  must(GC_size(GC_base(object)) >= sizeof *object);
  char *base = GC_base(object);
  must(base < (char *)object && base + 16 >= (char *)object);
  object->number = number;
  object->check = ~object->number;
  return object;
}

static void drop_finalized(void *arg) {
  for (unsigned i = 1; i <= MANY; i++) {
    struct GC_finalizer_closure *own = NULL;
    if (arg) {
      own = GC_malloc(sizeof *own);
      *own = closure;
    }
    struct object *object = make_finalized(i, own ? own : &closure);
    if (i % 2) {
      object->next = GC_malloc(sizeof *object->next);
      object->next->check = ~object->next->number;
    }
  }
}

static void sweep_finalized(void) {
  client_collect();
  for (unsigned i = 0; i < 2000; i++) GC_reachable_here(GC_malloc(sizeof(struct object) + 8));
  for (unsigned i = 0; i < 2000; i++) make_finalized(0, &closure);
  client_collect();
}

TEST(finalized_when_unreachable) {
  GC_INIT();
  GC_init_finalized_malloc();
  client_below(drop_finalized, NULL);
  sweep_finalized();
  must(finalized >= MOST && !wrong);
}

/* The closure may itself be an object that nothing else holds. */
TEST(finalized_by_a_closure_of_the_heap) {
  GC_INIT();
  GC_init_finalized_malloc();
  GC_init_finalized_malloc();
  client_below(drop_finalized, &data);
  sweep_finalized();
  must(finalized >= MOST && !wrong);
}

TEST(finalized_not_while_reachable) {
  GC_INIT();
  GC_init_finalized_malloc();
  for (unsigned i = 0; i < MANY; i++) client_roots[i] = make_finalized(i, &closure);
  client_collect();
  must(!finalized);
}

/* What the program is given is not the base, and keeps the object even so. */
TEST(finalized_not_while_reachable_without_interior_pointers) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
  GC_init_finalized_malloc();
  for (unsigned i = 0; i < MANY; i++) client_roots[i] = make_finalized(i, &closure);
  client_collect();
  must(!finalized);
}

/* By its base, which lies a word before, as the header has it. */
TEST(finalized_with_displacements) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
  GC_init_finalized_malloc();
  GC_register_displacement(sizeof(GC_word) + 16);
  for (unsigned i = 0; i < MANY; i++) {
    struct object *object = make_finalized(i, &closure);
    must((GC_word *)GC_base(object) + 1 == (GC_word *)object);
    client_roots[i] = &object->check;
  }
  client_collect();
  must(!finalized);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(asked_before_reclaim),
      cmocka_unit_test(not_asked_of_reachable),
      cmocka_unit_test(not_asked_by_free),
      cmocka_unit_test(refused_by_the_procedure),
      cmocka_unit_test(what_it_reaches),
      cmocka_unit_test(another_procedure),
      cmocka_unit_test(finalized_when_unreachable),
      cmocka_unit_test(finalized_by_a_closure_of_the_heap),
      cmocka_unit_test(finalized_not_while_reachable),
      cmocka_unit_test(finalized_not_while_reachable_without_interior_pointers),
      cmocka_unit_test(finalized_with_displacements),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
