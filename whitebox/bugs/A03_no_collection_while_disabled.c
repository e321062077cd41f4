/* A03: a collection starts in a section in which the program has forbidden it.
 *
 * While vgc_disable is in force none starts, asked for or not, however deep the nesting and whatever thread asks. */
#include "bug.h"

#include <errno.h>

enum { MIB = 1 << 20 };

static void stream(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 8192; i++) must(vgc_malloc(2048));
  for (unsigned i = 0; i < 64; i++) must(vgc_malloc_noscan(MIB));
}

static void refused(void *arg) {
  (void)arg;
  must(vgc_collect() == -1 && errno == EBUSY);
}

static void none_starts_while_disabled(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.minimum_heap = MIB;
  assert_int_equal(vgc_init(&wanted), 0);
  static struct worker worker;
  worker_start(&worker);
  vgc_disable();
  vgc_disable();
  stream(NULL);
  worker_do(&worker, stream, NULL);
  refused(NULL);
  worker_do(&worker, refused, NULL);
  vgc_enable();
  stream(NULL);
  refused(NULL);
  assert_int_equal(stats_now().cycles, 0);
  vgc_enable();
  stream(NULL);
  assert_true(stats_now().cycles > 0);
  worker_stop(&worker);
}

BUG(A03) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(none_starts_while_disabled, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("A03", tests, NULL, NULL);
}
