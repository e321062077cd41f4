#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"

struct vgc_config config COLLECTOR_DATA;
static bool markers_by_default COLLECTOR_DATA; /* immutable, as `config` */

#define KIB          UINT64_C(1024)
#define MIB          (UINT64_C(1024) * KIB)
#define GIB          (UINT64_C(1024) * MIB)
#define NO_LIMIT     (UINT64_MAX >> 1)
#define POWER_OF_TWO 1u
#define TUNABLE      2u /* while the program runs */

/* The one table: field, environment variable, least, most, default, help. */
struct knob {
  const char *variable, *field;
  size_t offset;
  size_t width;
  uint64_t least, most, standard;
  unsigned flags;
  const char *help;
};
#define KNOB(field, variable, least, most, standard, flags, help)                                                      \
  {                                                                                                                    \
    variable, "vgc_config." #field, offsetof(struct vgc_config, field), sizeof(((struct vgc_config *)0)->field),       \
        least, most, standard, flags, help                                                                             \
  }
static const struct knob knobs[] = {
    KNOB(page_bytes, "VGC_PAGE_BYTES", KIB, 64 * KIB, 8 * KIB, POWER_OF_TWO, "bytes of a page"),
    KNOB(arena_bytes, "VGC_ARENA_BYTES", 256 * KIB, 512 * GIB, 64 * GIB, POWER_OF_TWO,
         "address space reserved at a time"),
    KNOB(thread_table, "VGC_THREAD_TABLE", 1, 65536, 64, 0, "threads in the first table"),
    KNOB(mark_stack, "VGC_MARK_STACK", 16, NO_LIMIT, 8192, 0, "entries of the first mark stack"),
    KNOB(mark_stack_max, "VGC_MARK_STACK_MAX", 16, NO_LIMIT, NO_LIMIT, 0, "entries it may grow to"),
    KNOB(minimum_heap, "VGC_MINIMUM_HEAP", 1, NO_LIMIT, 4 * MIB, TUNABLE, "heap bytes before the first collection"),
    KNOB(soft_limit, "VGC_SOFT_LIMIT", 64 * KIB, NO_LIMIT, NO_LIMIT, TUNABLE,
         "heap bytes to stay below by collecting earlier"),
    KNOB(hard_limit, "VGC_HARD_LIMIT", 64 * KIB, NO_LIMIT, NO_LIMIT, TUNABLE,
         "heap bytes beyond which allocation fails"),
    KNOB(growth_percent, "VGC_GROWTH_PERCENT", 1, 10000, 100, TUNABLE,
         "heap growth between collections, percent of live"),
    KNOB(check_level, "VGC_CHECK_LEVEL", 0, 3, 1, 0,
         "0 none, 1 cheap, 2 each operation, 3 heap walk and second marker"),
    KNOB(mark_workers, "VGC_MARK_WORKERS", 1, 64, 0, 0,
         "threads that mark; default: as many as processors, at most 8, where that is faster"),
    KNOB(suspend_signal, "VGC_SUSPEND_SIGNAL", 1, 64, SIGPWR, 0, "signal that suspends threads"),
    KNOB(collect_every, "VGC_COLLECT_EVERY", 0, UINT32_MAX, 0, TUNABLE, "collect at every Nth allocation (0: off)"),
    KNOB(finalize_on_demand, "VGC_FINALIZE_ON_DEMAND", 0, 1, 0, TUNABLE, "1: finalizers run in vgc_finalize alone"),
    KNOB(exact_pointers, "VGC_EXACT_POINTERS", 0, 1, 0, 0,
         "1: words of the heap and of static data name objects by their starts alone"),
    KNOB(trim_ms, "VGC_TRIM_MS", 0, 86400000, 0, 0,
         "give memory that was idle for so many milliseconds back by a thread of its own (0: off)"),
    KNOB(memory_retries, "VGC_MEMORY_RETRIES", 1, 1000000, 1, TUNABLE, "collections before an allocation fails"),
    KNOB(pause_limit_us, "VGC_PAUSE_LIMIT_US", 1, NO_LIMIT, NO_LIMIT, TUNABLE,
         "microseconds of a pause after which a collection is given up"),
    KNOB(log, "VGC_LOG", 0, 1, 0, TUNABLE, "one line on standard error for each cycle"),
};
#define KNOBS (sizeof knobs / sizeof *knobs)

static uint64_t knob_get(const struct vgc_config *from, const struct knob *knob) {
  const char *field = (const char *)from + knob->offset;
  if (knob->width == sizeof(size_t)) return *(const size_t *)(const void *)field;
  return *(const unsigned *)(const void *)field;
}

static void knob_set(const struct knob *knob, uint64_t value) {
  char *field = (char *)&config + knob->offset;
  if (knob->width == sizeof(size_t))
    store_loose((size_t *)(void *)field, (size_t)value);
  else
    store_loose((unsigned *)(void *)field, (unsigned)value);
}

static void print_knobs(void) {
  platform_print("vgc: environment variables (decimal; K, M, G for powers of 1024):\n");
  for (size_t i = 0; i < KNOBS; i++) {
    platform_print("  %s=%llu  %s", knobs[i].variable, (unsigned long long)knob_get(&config, &knobs[i]), knobs[i].help);
    platform_print("; %llu to %llu%s\n", (unsigned long long)knobs[i].least, (unsigned long long)knobs[i].most,
                   knobs[i].flags & POWER_OF_TWO ? ", a power of two" : "");
  }
}

static int refuse(const char *name, const char *text, const struct knob *knob, const char *advice) {
  platform_print("vgc: %s: '%s' is not acceptable: expected a number from %llu to %llu%s; %s\n", name, text,
                 (unsigned long long)knob->least, (unsigned long long)knob->most,
                 knob->flags & POWER_OF_TWO ? ", a power of two" : "", advice);
  errno = EINVAL;
  return -1;
}

static bool acceptable(const struct knob *knob, uint64_t value) {
  if (value < knob->least || value > knob->most) return false;
  return !(knob->flags & POWER_OF_TWO) || !(value & (value - 1));
}

/* A decimal number with an optional K, M or G. */
static bool parse(const char *text, uint64_t *value) {
  if (*text < '0' || *text > '9') return false;
  uint64_t number = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    if (__builtin_mul_overflow(number, 10u, &number) ||
        __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
      return false;
  uint64_t unit = 1;
  if (*text == 'K' || *text == 'k') unit = KIB;
  if (*text == 'M' || *text == 'm') unit = MIB;
  if (*text == 'G' || *text == 'g') unit = GIB;
  if (unit != 1) text++;
  *value = number;
  return !*text && !__builtin_mul_overflow(number, unit, value);
}

/* What the program gave, 0 for the default. */
static int check_given(const struct knob *knob, uint64_t value) {
  if (acceptable(knob, value)) return 0;
  char text[24];
  char *digit = text + sizeof text - 1;
  *digit = 0;
  for (uint64_t rest = value; rest; rest /= 10) *--digit = (char)('0' + rest % 10);
  return refuse(knob->field, digit, knob, "correct it, or give 0 for the default");
}

static bool gives(const struct vgc_config *given, const struct knob *knob) {
  return given && knob->offset + knob->width <= given->struct_size && knob_get(given, knob);
}

static int load_one(const struct knob *knob, const struct vgc_config *given) {
  uint64_t value = knob->standard;
  if (gives(given, knob)) {
    value = knob_get(given, knob);
    if (check_given(knob, value)) return -1;
  }
  const char *text = getenv(knob->variable);
  if (text && (!parse(text, &value) || !acceptable(knob, value)))
    return refuse(knob->variable, text, knob, "correct or unset it");
  knob_set(knob, value);
  return 0;
}

static int check_size(const struct vgc_config *given) {
  if (!given || (given->struct_size >= sizeof given->struct_size && given->struct_size <= sizeof *given)) return 0;
  platform_print("vgc: vgc_config.struct_size is %zu: expected %zu; call vgc_config_default() first\n",
                 given->struct_size, sizeof *given);
  errno = EINVAL;
  return -1;
}

static int check_tunable(const struct knob *knob, uint64_t value) {
  if (knob->flags & TUNABLE) return check_given(knob, value);
  platform_print("vgc: %s cannot be changed while the program runs: give it to vgc_init, or set %s\n", knob->field,
                 knob->variable);
  errno = EINVAL;
  return -1;
}

int config_tune(const struct vgc_config *given) {
  if (check_size(given)) return -1;
  for (const struct knob *knob = knobs; knob < knobs + KNOBS; knob++)
    if (gives(given, knob) && check_tunable(knob, knob_get(given, knob))) return -1;
  for (const struct knob *knob = knobs; knob < knobs + KNOBS; knob++)
    if (gives(given, knob)) knob_set(knob, knob_get(given, knob));
  return 0;
}

void config_set_exact_pointers(bool on) { store_loose(&config.exact_pointers, on); }

void config_raise_minimum_heap(size_t bytes) {
  if (bytes > CONFIG(minimum_heap)) store_loose(&config.minimum_heap, bytes);
}

int config_load(const struct vgc_config *given) {
  if (check_size(given)) return -1;
  memset(&config, 0, sizeof config);
  config.struct_size = sizeof config;
  for (size_t i = 0; i < KNOBS; i++)
    if (load_one(&knobs[i], given)) return -1;
  markers_by_default = !config.mark_workers;
  if (markers_by_default) config.mark_workers = platform_processors() < 8 ? platform_processors() : 8;
  const char *help = getenv("VGC_HELP");
  if (help && strcmp(help, "0")) print_knobs();
  return 0;
}

bool config_markers_by_default(void) { return markers_by_default; }

unsigned config_suspend_signal(void) {
  uint64_t value;
  const struct knob *knob = knobs;
  while (knob->offset != offsetof(struct vgc_config, suspend_signal)) knob++;
  const char *text = getenv(knob->variable);
  return (unsigned)(text && parse(text, &value) && acceptable(knob, value) ? value : knob->standard);
}
