/* A bug test: deterministic, fails when the fix is taken out (the .ablation file beside it does so).
 *
 *     BUG(V05) {
 *       const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(name, fault_reset, park_reset)};
 *       return cmocka_run_group_tests_name("V05", tests, NULL, NULL);
 *     }
 *
 * It runs in a process of its own, whose main thread calls it before anything else has used the library. */
#ifndef WHITEBOX_BUG_H
#define WHITEBOX_BUG_H

#include "child.h"
#include "door.h"
#include "fault.h"
#include "objects.h"
#include "park.h"
#include "test.h"
#include "worker.h"

/* Defines the function that the runner calls; its result is the number of failed tests. */
#define BUG(id)                                                                                                        \
  int bug_##id(void);                                                                                                  \
  int bug_##id(void)

#endif
