/* gc.h: checked pointer arithmetic, whose failures are given to procedures that a program may set. */
#include "client.h"

static unsigned same, displaced, invisible;
static void *first, *second;

static void not_same(void *p, void *q) {
  same++;
  first = p;
  second = q;
}
static void not_valid(void *p) { displaced += p != NULL; }
static void not_visible(void *p) { invisible += p != NULL; }

static void start(void) {
  GC_same_obj_print_proc = not_same;
  GC_is_valid_displacement_print_proc = not_valid;
  GC_is_visible_print_proc = not_visible;
  GC_INIT();
}

TEST(same_object) {
  start();
  char *object = GC_malloc(1000), *other = GC_malloc(5000);
  char outside[2];
  must(GC_same_obj(object, object + 999) == object && GC_same_obj(object + 999, object) == object + 999);
  must(GC_same_obj(&outside[0], &outside[1]) == &outside[0]);
  must(GC_same_obj(other + 4999, other + 10) == other + 4999);
  must(!same);
  must(GC_same_obj(object, other) == object && same == 1 && first == object && second == other);
  must(GC_same_obj(object, outside) == object && same == 2);
}

TEST(increments) {
  start();
  char *object = GC_malloc(1000), *at = object;
  must(GC_pre_incr((void **)&at, 10) == object + 10 && at == object + 10);
  must(GC_post_incr((void **)&at, 20) == object + 10 && at == object + 30);
  must(GC_post_incr((void **)&at, -30) == object + 30 && at == object);
  must(GC_pre_incr((void **)&at, 999) == object + 999 && !same);
  at = object;
  GC_pre_incr((void **)&at, 1 << 20);
  must(same == 1);
  at = object;
  GC_post_incr((void **)&at, -(1 << 20));
  must(same == 2);
}

static void *in_static_data;

TEST(visible) {
  start();
  void **object = GC_malloc(100), *on_stack = NULL;
  must(GC_is_visible(&object[3]) == &object[3]);
  must(GC_is_visible(&in_static_data) == &in_static_data);
  must(GC_is_visible(&on_stack) == &on_stack);
  must(!invisible);
}

TEST(displacements) {
  start();
  char *object = GC_malloc(100), outside;
  must(GC_is_valid_displacement(object) == object && GC_is_valid_displacement(object + 50) == object + 50);
  must(GC_is_valid_displacement(&outside) == &outside);
  must(!displaced);
}

TEST(displacements_without_interior_pointers) {
  GC_set_all_interior_pointers(0);
  start();
  GC_register_displacement(24);
  char *object = GC_malloc(100);
  must(GC_is_valid_displacement(object) == object && GC_is_valid_displacement(object + 24) == object + 24);
  must(!displaced);
  must(GC_is_valid_displacement(object + 50) == object + 50 && displaced == 1);
}

/* Without a procedure of the program's it ends conspicuously. */
static void fail_by_default(void) {
  GC_INIT();
  GC_same_obj(GC_malloc(1000), GC_malloc(5000));
}

static void default_procedure(void **state) {
  (void)state;
  const struct client_end *end = client_run(fail_by_default, NULL);
  assert_true(client_aborted(end) && *end->text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_object),
      cmocka_unit_test(increments),
      cmocka_unit_test(visible),
      cmocka_unit_test(displacements),
      cmocka_unit_test(displacements_without_interior_pointers),
      cmocka_unit_test(default_procedure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
