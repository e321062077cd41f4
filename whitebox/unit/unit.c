#include "unit.h"

struct unit_errors unit_errors;

static struct {
  void **words;
  size_t count;
  bool only, modules_fail;
} shape;

struct vgc_config unit_config(size_t page_bytes) {
  struct vgc_config shaped = config_quiet();
  shaped.page_bytes = page_bytes;
  return shaped;
}

void unit_start(const struct vgc_config *given) { assert_int_equal(vgc_init(given), 0); }

int unit_setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  unit_start(&given);
  return 0;
}

int unit_teardown(void **state) {
  fault_reset(state);
  park_reset(state);
  vgc_set_hooks(NULL, NULL);
  shape.words = NULL;
  shape.count = 0;
  shape.only = shape.modules_fail = false;
  memset(&unit_errors, 0, sizeof unit_errors);
  int result = vgc_shutdown();
  return result && errno == EPERM ? 0 : result;
}

/* ---- Roots ---- */

void unit_roots(void **words, size_t count) {
  shape.words = words;
  shape.count = count;
  shape.only = true;
}

void unit_fail_modules(bool on) { shape.modules_fail = on; }

struct scan {
  roots_range *range;
  void *context;
};

static void give_own(void *scan, uintptr_t low, uintptr_t high) {
  const struct scan *to = scan;
  to->range(to->context, (const void *)low, (const void *)high, NULL, true);
}

/* The test's words, and what the library keeps for finalizers. */
static void give(roots_range *range, void *context) {
  struct scan scan = {range, context};
  range(context, shape.words, shape.words + shape.count, NULL, true);
  special_roots(give_own, &scan);
}

void __real_roots_scan(roots_range *range, void *context);
void __wrap_roots_scan(roots_range *range, void *context);
void __wrap_roots_scan(roots_range *range, void *context) {
  if (shape.only)
    give(range, context);
  else
    __real_roots_scan(range, context);
}

void __real_roots_scan_again(roots_range *range, void *context);
void __wrap_roots_scan_again(roots_range *range, void *context);
void __wrap_roots_scan_again(roots_range *range, void *context) {
  if (shape.only)
    give(range, context);
  else
    __real_roots_scan_again(range, context);
}

/* In a stopped world the list turns out to be old, and no other can be had. */
bool __real_roots_modules_hold(void);
bool __wrap_roots_modules_hold(void);
bool __wrap_roots_modules_hold(void) { return !shape.modules_fail && __real_roots_modules_hold(); }

bool __real_roots_list_modules(void);
bool __wrap_roots_list_modules(void);
bool __wrap_roots_list_modules(void) { return !shape.modules_fail && __real_roots_list_modules(); }

void unit_collect(void) {
  assert_int_equal(vgc_collect(), 0);
  (void)stats_now();
}

bool unit_alive(const void *p) { return vgc_base_of(p) == p; }

/* ---- Errors ---- */

static void keep_error(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg;
  unit_errors.count++;
  unit_errors.last = error;
  unit_errors.ptr = ptr;
  snprintf(unit_errors.message, sizeof unit_errors.message, "%s", message);
}

void unit_keep_errors(void) {
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .error = keep_error};
  vgc_set_hooks(&hooks, NULL);
  unit_errors = (struct unit_errors){0};
}

/* ---- The process ---- */

unsigned unit_mappings(void) {
  FILE *file = fopen("/proc/self/maps", "r");
  must(file != NULL);
  unsigned lines = 0;
  for (int c; (c = getc(file)) != EOF;) lines += c == '\n';
  fclose(file);
  return lines;
}

size_t unit_mapped_bytes(void) {
  FILE *file = fopen("/proc/self/maps", "r");
  must(file != NULL);
  size_t bytes = 0, low, high;
  while (fscanf(file, "%zx-%zx%*[^\n]", &low, &high) == 2) bytes += high - low;
  fclose(file);
  return bytes;
}

uint64_t unit_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

struct span *unit_span(const void *p) {
  struct span *span = span_of((uintptr_t)p);
  assert_non_null(span);
  return span;
}
