/* X108: a forked child inherits the loader's lock from a thread that listed the loaded objects.
 *
 * The list is made with none of the collector's locks, but with the loader's. A fork beside it copies that lock as it
 * is, and the child's first collection that lists them waits for a thread that it does not have. */
#include "bug.h"
#include "forked.h"
#include "probe.h"

static void a_child_can_list_them(void **state) {
  (void)state;
  forked_while_at("modules_listing", probe_collect_with_list, probe_collect_with_list);
}

BUG(X108) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(a_child_can_list_them, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X108", tests, NULL, NULL);
}
