/* The ring of recent events. */
#include "unit.h"

/* Events of this test carry the tag in their first number. */
#define TAG UINT64_C(0x5eed000000000000)

struct line {
  unsigned long long time;
  unsigned thread;
  char kind[16];
  unsigned long a, b;
};

/* The dump's lines with the tag; every line must have the documented form. */
static unsigned dump(struct line *lines, unsigned room) {
  fault_reset(NULL);
  fault_capture_print(true);
  event_dump();
  unsigned count = 0;
  for (const char *at = fault_printed(), *end; (end = strchr(at, '\n')); at = end + 1) {
    struct line line;
    assert_int_equal(
        sscanf(at, "vgc-event %llu %u %15s 0x%lx 0x%lx", &line.time, &line.thread, line.kind, &line.a, &line.b), 5);
    if ((line.a & TAG) == TAG && count < room) lines[count++] = line;
  }
  return count;
}

static void each_kind_has_its_name(void **state) {
  (void)state;
  static const char *const names[] = {"refill", "span-taken", "span-made", "remote", "stop",
                                      "cycle",  "surrender",  "attach",    "leave",  "error"};
  for (unsigned kind = EVENT_REFILL; kind <= EVENT_ERROR; kind++) event_record(kind, TAG | kind, kind * 3);
  event_record(EVENT_NONE, TAG, 0);
  struct line lines[64];
  assert_int_equal(dump(lines, 64), 10);
  for (unsigned i = 0; i < 10; i++) {
    assert_string_equal(lines[i].kind, names[i]);
    assert_int_equal(lines[i].a, TAG | (i + 1));
    assert_int_equal(lines[i].b, (i + 1) * 3);
    assert_int_equal(lines[i].thread, lines[0].thread);
    if (i) assert_true(lines[i].time >= lines[i - 1].time);
  }
}

static void the_ring_keeps_the_latest_of_a_thread(void **state) {
  (void)state;
  for (uintptr_t i = 0; i < 200; i++) event_record(EVENT_STOP, TAG | 0x1000 | i, 0);
  struct line lines[128];
  assert_int_equal(dump(lines, 128), 64);
  uint64_t seen[4] = {0};
  for (unsigned i = 0; i < 64; i++) seen[(lines[i].a & 0xff) / 64] |= UINT64_C(1) << (lines[i].a & 63);
  for (unsigned i = 200 - 64; i < 200; i++) assert_true(seen[i / 64] >> i % 64 & 1);
}

static void record_as_another(void *arg) { event_record(EVENT_ATTACH, TAG | 0x2000, *(uintptr_t *)arg); }

static void each_thread_has_its_own_number(void **state) {
  (void)state;
  uintptr_t numbers[] = {1, 2};
  for (unsigned i = 0; i < 2; i++) probe_in_thread(record_as_another, &numbers[i]);
  struct line lines[128], found[2] = {{0}, {0}};
  unsigned count = dump(lines, 128);
  for (unsigned i = 0; i < count; i++)
    if (lines[i].a == (TAG | 0x2000)) found[lines[i].b - 1] = lines[i];
  assert_true(found[0].thread != 0 && found[1].thread != 0);
  assert_true(found[0].thread != found[1].thread);
}

UNIT(event) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(each_kind_has_its_name, fault_reset),
      cmocka_unit_test_teardown(the_ring_keeps_the_latest_of_a_thread, fault_reset),
      cmocka_unit_test_teardown(each_thread_has_its_own_number, fault_reset),
  };
  return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
