/* Every knob, through the structure and through the environment. */
#include <ctype.h>
#include <signal.h>

#include "unit.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* The documented table. */
#define BY_MACHINE UINT64_MAX
static const struct knob {
  const char *variable;
  size_t offset, width;
  uint64_t least, most, standard;
  bool power;
} knobs[] = {
#define KNOB(field, variable, ...)                                                                                     \
  { variable, offsetof(struct vgc_config, field), sizeof(((struct vgc_config *)0)->field), __VA_ARGS__ }
    KNOB(page_bytes, "VGC_PAGE_BYTES", KIB, 64 * KIB, 8 * KIB, true),
    KNOB(arena_bytes, "VGC_ARENA_BYTES", 256 * KIB, 512 * GIB, 64 * GIB, true),
    KNOB(thread_table, "VGC_THREAD_TABLE", 1, 65536, 64, false),
    KNOB(mark_stack, "VGC_MARK_STACK", 16, UINT64_MAX >> 1, 8192, false),
    KNOB(mark_stack_max, "VGC_MARK_STACK_MAX", 16, UINT64_MAX >> 1, UINT64_MAX >> 1, false),
    KNOB(minimum_heap, "VGC_MINIMUM_HEAP", 1, UINT64_MAX >> 1, 4 * MIB, false),
    KNOB(soft_limit, "VGC_SOFT_LIMIT", 64 * KIB, UINT64_MAX >> 1, UINT64_MAX >> 1, false),
    KNOB(hard_limit, "VGC_HARD_LIMIT", 64 * KIB, UINT64_MAX >> 1, UINT64_MAX >> 1, false),
    KNOB(growth_percent, "VGC_GROWTH_PERCENT", 1, 10000, 100, false),
    KNOB(check_level, "VGC_CHECK_LEVEL", 0, 3, 1, false),
    KNOB(mark_workers, "VGC_MARK_WORKERS", 1, 64, BY_MACHINE, false),
    KNOB(suspend_signal, "VGC_SUSPEND_SIGNAL", 1, 64, SIGPWR, false),
    KNOB(collect_every, "VGC_COLLECT_EVERY", 0, UINT32_MAX, 0, false),
    KNOB(finalize_on_demand, "VGC_FINALIZE_ON_DEMAND", 0, 1, 0, false),
    KNOB(exact_pointers, "VGC_EXACT_POINTERS", 0, 1, 0, false),
    KNOB(trim_ms, "VGC_TRIM_MS", 0, 86400000, 0, false),
    KNOB(memory_retries, "VGC_MEMORY_RETRIES", 1, 1000000, 1, false),
    KNOB(pause_limit_us, "VGC_PAUSE_LIMIT_US", 1, UINT64_MAX >> 1, UINT64_MAX >> 1, false),
    KNOB(log, "VGC_LOG", 0, 1, 0, false),
};
enum { KNOBS = sizeof knobs / sizeof *knobs };

static uint64_t standard(const struct knob *knob) {
  if (knob->standard != BY_MACHINE) return knob->standard;
  return platform_processors() < 8 ? platform_processors() : 8;
}

static uint64_t get(const struct vgc_config *from, const struct knob *knob) {
  uint64_t value = 0;
  memcpy(&value, (const char *)from + knob->offset, knob->width);
  return value;
}

static void put(struct vgc_config *to, const struct knob *knob, uint64_t value) {
  memcpy((char *)to + knob->offset, &value, knob->width);
}

static int setup(void **state) {
  fault_reset(state);
  fault_capture_print(true);
  return 0;
}

static int teardown(void **state) {
  for (unsigned i = 0; i < KNOBS; i++) unsetenv(knobs[i].variable);
  unsetenv("VGC_HELP");
  return unit_teardown(state);
}

/* The field, after the configuration has been accepted. */
static void expect(const struct vgc_config *given, const struct knob *knob, uint64_t value) {
  if (config_load(given)) fail_msg("%s: refused: %s", knob->variable, fault_printed());
  if (get(&config, knob) != value)
    fail_msg("%s: is %llu, expected %llu", knob->variable, (unsigned long long)get(&config, knob),
             (unsigned long long)value);
}

static void expect_refused(const struct vgc_config *given, const struct knob *knob, const char *text) {
  fault_reset(NULL);
  fault_capture_print(true);
  errno = 0;
  if (!config_load(given)) fail_msg("%s: '%s' was accepted", knob->variable, text);
  assert_int_equal(errno, EINVAL);
  char name[64]; /* what the user wrote: the variable, or the field of the same name */
  snprintf(name, sizeof name, given ? "vgc_config.%s:" : "VGC_%s:", knob->variable + 4);
  for (char *c = name + strlen("vgc_config."); given && *c; c++) *c = (char)tolower(*c);
  if (!strstr(fault_printed(), name)) fail_msg("%s is not named in: %s", name, fault_printed());
  if (!strstr(fault_printed(), text)) fail_msg("'%s' is not shown in: %s", text, fault_printed());
}

static void without_settings_each_knob_has_its_default(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  assert_int_equal(given.struct_size, sizeof given);
  for (unsigned i = 0; i < KNOBS; i++) {
    expect(NULL, &knobs[i], standard(&knobs[i]));
    expect(&given, &knobs[i], standard(&knobs[i]));
  }
}

static void fields_are_taken_from_least_to_most(void **state) {
  (void)state;
  for (unsigned i = 0; i < KNOBS; i++) {
    const struct knob *knob = &knobs[i];
    struct vgc_config given;
    vgc_config_default(&given);
    char text[24];
    put(&given, knob, knob->least);
    expect(&given, knob, knob->least ? knob->least : standard(knob));
    put(&given, knob, knob->most);
    expect(&given, knob, knob->most);
    put(&given, knob, knob->most + 1);
    snprintf(text, sizeof text, "'%llu'", (unsigned long long)knob->most + 1);
    if (get(&given, knob)) expect_refused(&given, knob, text);
    if (knob->least < 2) continue;
    put(&given, knob, knob->least - 1);
    snprintf(text, sizeof text, "'%llu'", (unsigned long long)knob->least - 1);
    expect_refused(&given, knob, text);
    if (!knob->power) continue;
    put(&given, knob, knob->least * 3);
    expect_refused(&given, knob, "power of two");
  }
}

static void set(const struct knob *knob, const char *format, uint64_t value) {
  char text[40];
  snprintf(text, sizeof text, format, (unsigned long long)value);
  setenv(knob->variable, text, 1);
}

static void variables_are_taken_from_least_to_most(void **state) {
  (void)state;
  for (unsigned i = 0; i < KNOBS; i++) {
    const struct knob *knob = &knobs[i];
    set(knob, "%llu", knob->least);
    expect(NULL, knob, knob->least);
    set(knob, "%llu", knob->most);
    expect(NULL, knob, knob->most);
    set(knob, "%llu", knob->most + 1);
    expect_refused(NULL, knob, "expected");
    if (knob->least) {
      set(knob, "%llu", knob->least - 1);
      expect_refused(NULL, knob, "expected");
    }
    if (knob->power) {
      set(knob, "%llu", knob->least * 3);
      expect_refused(NULL, knob, "a power of two");
    }
    unsetenv(knob->variable);
  }
}

static void garbage_is_refused_by_each_variable(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      " ",
                                      "x",
                                      "1x",
                                      "-1",
                                      "+1",
                                      "0x10",
                                      " 1",
                                      "1 ",
                                      "1KK",
                                      "K",
                                      "1.5M",
                                      "1KiB",
                                      "99999999999999999999",
                                      "1e3",
                                      "10,000",
                                      "1T",
                                      "auto",
                                      "18446744073709551616",
                                      "17179869185G"};
  for (unsigned i = 0; i < KNOBS; i++) {
    for (unsigned j = 0; j < sizeof texts / sizeof *texts; j++) {
      char quoted[40];
      snprintf(quoted, sizeof quoted, "'%s'", texts[j]);
      setenv(knobs[i].variable, texts[j], 1);
      expect_refused(NULL, &knobs[i], quoted);
    }
    unsetenv(knobs[i].variable);
  }
}

static void units_are_powers_of_1024(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t value;
  } rows[] = {{"65536", 65536}, {"64K", 65536}, {"64k", 65536},  {"1M", MIB},
              {"1m", MIB},      {"1G", GIB},    {"3g", 3 * GIB}, {"8589934591G", 8589934591 * GIB},
              {"00064K", 65536}};
  const struct knob *soft = &knobs[6];
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    setenv(soft->variable, rows[i].text, 1);
    expect(NULL, soft, rows[i].value);
  }
}

static void the_environment_overrides_the_program(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  given.growth_percent = 50;
  expect(&given, &knobs[8], 50);
  setenv("VGC_GROWTH_PERCENT", "70", 1);
  expect(&given, &knobs[8], 70);
  given.growth_percent = 20000; /* refused all the same: the program has a mistake */
  expect_refused(&given, &knobs[8], "'20000'");
}

static void structures_of_another_size(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  static const size_t refused[] = {0, 1, sizeof(size_t) - 1, sizeof given + 1, SIZE_MAX};
  for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
    given.struct_size = refused[i];
    errno = 0;
    assert_int_equal(config_load(&given), -1);
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(fault_printed(), "struct_size"));
  }
  /* An older program's structure ends before the newer fields. */
  given.struct_size = offsetof(struct vgc_config, growth_percent);
  given.page_bytes = 4096;
  given.growth_percent = 50;
  expect(&given, &knobs[0], 4096);
  expect(&given, &knobs[8], 100);
}

static void help_lists_each_knob_with_its_value_and_range(void **state) {
  (void)state;
  setenv("VGC_GROWTH_PERCENT", "70", 1);
  setenv("VGC_HELP", "1", 1);
  assert_int_equal(config_load(NULL), 0);
  const char *printed = fault_printed();
  for (unsigned i = 0; i < KNOBS; i++) {
    char line[80];
    snprintf(line, sizeof line, "%s=%llu ", knobs[i].variable, (unsigned long long)get(&config, &knobs[i]));
    const char *found = strstr(printed, line);
    if (!found) fail_msg("'%s' is not in:\n%s", line, printed);
    snprintf(line, sizeof line, "; %llu to %llu%s\n", (unsigned long long)knobs[i].least,
             (unsigned long long)knobs[i].most, knobs[i].power ? ", a power of two" : "");
    const char *range = strstr(found, line);
    assert_non_null(range);
    assert_true(strchr(found, '\n') + 1 == range + strlen(line));
  }
}

static void without_help_nothing_is_printed(void **state) {
  (void)state;
  assert_int_equal(config_load(NULL), 0);
  setenv("VGC_HELP", "0", 1);
  assert_int_equal(config_load(NULL), 0);
  assert_string_equal(fault_printed(), "");
}

static void initialisation_refuses_what_is_out_of_range(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  given.page_bytes = 3000;
  errno = 0;
  assert_int_equal(vgc_init(&given), -1);
  assert_int_equal(errno, EINVAL);
  assert_non_null(strstr(fault_printed(), "vgc_config.page_bytes"));
  setenv("VGC_LOG", "2", 1);
  assert_int_equal(vgc_init(NULL), -1);
  errno = 0;
  assert_null(vgc_malloc(16)); /* no default is silently used */
  assert_int_equal(vgc_collect(), -1);
  unsetenv("VGC_LOG");
  assert_int_equal(vgc_init(NULL), 0);
}

UNIT(config) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(without_settings_each_knob_has_its_default),
      TEST(fields_are_taken_from_least_to_most),
      TEST(variables_are_taken_from_least_to_most),
      TEST(garbage_is_refused_by_each_variable),
      TEST(units_are_powers_of_1024),
      TEST(the_environment_overrides_the_program),
      TEST(structures_of_another_size),
      TEST(help_lists_each_knob_with_its_value_and_range),
      TEST(without_help_nothing_is_printed),
      TEST(initialisation_refuses_what_is_out_of_range),
  };
  return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
