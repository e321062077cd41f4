/* The public variables, their setters and getters, and the environment: README.environment of libgc. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"

#define VERSION_8_2 ((8u << 16) | (2u << 8) | 2u)

unsigned GC_get_version(void) { return VERSION_8_2; }

/* ---- Variables ---- */

GC_word GC_gc_no;
int GC_parallel;
int GC_find_leak;
int GC_all_interior_pointers = 1;
int GC_finalize_on_demand;
int GC_java_finalization = 1;
int GC_dont_gc;
int GC_dont_expand;
int GC_use_entire_heap;
int GC_full_freq = 19;
GC_word GC_non_gc_bytes;
int GC_no_dls;
GC_word GC_free_space_divisor = 3;
GC_word GC_max_retries;
int GC_dont_precollect;
unsigned long GC_time_limit = GC_TIME_UNLIMITED;
GC_finalizer_notifier_proc GC_finalizer_notifier;

static void *out_of_memory(size_t bytes) { return (void)bytes, NULL; }
GC_oom_func GC_oom_fn = out_of_memory;

#define GETTER(type, name)                                                                                             \
  type GC_get_##name(void) { return GET(GC_##name); }
#define VARIABLE(type, name)                                                                                           \
  void GC_set_##name(type value) { SET(GC_##name, value); }                                                            \
  GETTER(type, name)
GETTER(GC_word, gc_no)
GETTER(int, parallel)
VARIABLE(int, find_leak)
VARIABLE(int, finalize_on_demand)
VARIABLE(int, java_finalization)
VARIABLE(int, dont_expand)
VARIABLE(int, full_freq)
VARIABLE(GC_word, non_gc_bytes)
VARIABLE(GC_word, max_retries)
VARIABLE(int, dont_precollect)
VARIABLE(GC_finalizer_notifier_proc, finalizer_notifier)
VARIABLE(GC_oom_func, oom_fn)
GETTER(int, no_dls)
GETTER(int, all_interior_pointers)
GETTER(GC_word, free_space_divisor)
GETTER(unsigned long, time_limit)

void GC_set_free_space_divisor(GC_word value) { SET(GC_free_space_divisor, value); }

void GC_set_no_dls(int value) {
  SET(GC_no_dls, value);
  if (!vgc_in_collection()) layer_roots_choose(); /* else the next one does */
}

/* What has no variable is held here. Incremental collection and what goes with it is not there, but its settings are
 * given back as they were set. */
#define HELD(type, name, standard)                                                                                     \
  static type name = standard;                                                                                         \
  void GC_set_##name(type value) { SET(name, value); }                                                                 \
  type GC_get_##name(void) { return GET(name); }
HELD(int, rate, 10)
HELD(int, max_prior_attempts, 3)
HELD(int, force_unmap_on_gcollect, 0)
HELD(int, manual_vdb_allowed, 0)
HELD(size_t, min_bytes_allocd, 1)
HELD(int, disable_automatic_collection, 0)

bool layer_may_begin(void) { return layer_asked || (!GET(disable_automatic_collection) && !layer_too_early()); }

/* Pages are never executable. */
void GC_set_pages_executable(int value) { (void)value; }
int GC_get_pages_executable(void) { return 0; }

static unsigned long limit_nanoseconds;

void GC_set_time_limit(unsigned long value) { SET(GC_time_limit, value); }

void GC_set_time_limit_tv(struct GC_timeval_s limit) {
  SET(GC_time_limit, limit.tv_ms);
  SET(limit_nanoseconds, limit.tv_nsec);
}

struct GC_timeval_s GC_get_time_limit_tv(void) {
  return (struct GC_timeval_s){GET(GC_time_limit), GET(limit_nanoseconds)};
}

/* ---- Incremental collection: there is none ---- */

void GC_enable_incremental(void) { layer_ensure(); }
int GC_is_incremental_mode(void) { return 0; }
int GC_incremental_protection_needs(void) { return GC_PROTECTS_NONE; }
void GC_start_incremental_collection(void) {}
/* Nothing is ever half done. */
int GC_collect_a_little(void) { return 0; }

/* ---- Interior pointers ---- */

static uint64_t displacements[1024]; /* a bit for each below 65536; set with atomic or */

bool layer_displacement(size_t displacement) {
  if (!displacement) return true;
  return displacement < 65536 && GET(displacements[displacement / 64]) >> displacement % 64 & 1;
}

void GC_register_displacement(size_t displacement) {
  layer_ensure();
  if (vgc_displacement_add(displacement)) layer_fatal("GC_register_displacement: expected a number below 65536");
  __atomic_fetch_or(&displacements[displacement / 64], UINT64_C(1) << displacement % 64, __ATOMIC_RELAXED);
}

void GC_set_all_interior_pointers(int value) {
  SET(GC_all_interior_pointers, value != 0);
  if (GC_is_init_called()) layer_tune();
}

/* ---- Markers ---- */

static unsigned markers;
static int suspend_signal;

void GC_set_markers_count(unsigned count) { SET(markers, count); }
void GC_set_suspend_signal(int signal) { SET(suspend_signal, signal); }

#define MOST_MARKERS 64u /* vgc's limit, */
#define MARKERS      8u  /* and how many it takes by itself */

static unsigned markers_wanted(void) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  unsigned count = GET(markers);
  if (count) return count < MOST_MARKERS ? count : MOST_MARKERS;
  return processors < 1 ? 1 : processors < (long)MARKERS ? (unsigned)processors : MARKERS;
}

void layer_mark_in_parallel(void) { SET(GC_parallel, (int)markers_wanted() - 1); }

/* ---- The environment ---- */

/* Most are on if they are there, whatever they say. */
static bool is_there(const char *name) { return getenv(name) != NULL; }

/* The procedure gets the text as its only argument. */
static void warn_of(const char *name, const char *text, const char *what) {
  char format[192];
  snprintf(format, sizeof format, "GC Warning: %s: '%%s' is not acceptable: %s\n", name, what);
  layer_warn(format, (GC_word)text);
}

/* A number with an optional k, M or G. False: it is not set, or is none, which is said. */
static bool number(const char *name, size_t *value) {
  const char *text = getenv(name);
  if (!text || !*text) return false;
  char *end;
  errno = 0;
  unsigned long long given = strtoull(text, &end, 10);
  unsigned shift = *end == 'k' || *end == 'K'   ? 10
                   : *end == 'm' || *end == 'M' ? 20
                   : *end == 'g' || *end == 'G' ? 30
                                                : 0;
  if (shift) end++;
  if (*text >= '0' && *text <= '9' && !*end && !errno && given <= SIZE_MAX >> shift) {
    *value = (size_t)given << shift;
    return true;
  }
  warn_of(name, text, "expected a number, with k, M or G for powers of 1024; it is ignored");
  return false;
}

static void read_flags(void) {
  static const struct {
    const char *name;
    int *variable;
    bool off_by_zero;
  } flags[] = {{"GC_FIND_LEAK", &GC_find_leak, false},
               {"GC_ALL_INTERIOR_POINTERS", &GC_all_interior_pointers, false},
               {"GC_DONT_GC", &GC_dont_gc, false},
               {"GC_USE_ENTIRE_HEAP", &GC_use_entire_heap, true},
               {"GC_FORCE_UNMAP_ON_GCOLLECT", &force_unmap_on_gcollect, true}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    const char *text = getenv(flags[i].name);
    if (text) SET(*flags[i].variable, !flags[i].off_by_zero || strcmp(text, "0") != 0);
  }
}

static void read_numbers(void) {
  size_t value;
  if (number("GC_FREE_SPACE_DIVISOR", &value) && value) SET(GC_free_space_divisor, value);
  if (number("GC_FULL_FREQUENCY", &value)) SET(GC_full_freq, (int)value);
  if (number("GC_PAUSE_TIME_TARGET", &value)) SET(GC_time_limit, value);
  if (number("GC_MAXIMUM_HEAP_SIZE", &value)) GC_set_max_heap_size(value);
  if (number("GC_NPROCS", &value) && value) SET(markers, (unsigned)value);
  if (number("GC_MARKERS", &value) && value) SET(markers, (unsigned)value);
}

static void open_log(void) {
  const char *name = getenv("GC_LOG_FILE");
  if (!name) return;
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0)
    warn_of("GC_LOG_FILE", name, "it cannot be opened; the log goes to standard error");
  else
    GC_set_log_fd(fd);
  if (fd >= 0 && !is_there("GC_ONLY_LOG_TO_FILE")) layer_redirect_to_log();
}

static struct { bool statistics, dump, address_map; } reports;

static void read_reports(void) {
  reports.statistics = is_there("GC_PRINT_STATS") || is_there("GC_PRINT_VERBOSE_STATS");
  reports.dump = is_there("GC_DUMP_REGULARLY");
  reports.address_map = is_there("GC_PRINT_ADDRESS_MAP");
  if (is_there("GC_LOOP_ON_ABORT")) layer_loop_on_abort();
}

bool layer_report_wanted(void) { return reports.statistics || reports.dump || reports.address_map; }

void layer_report_cycle(const struct vgc_stats *stats) {
  if (reports.statistics)
    layer_log("vgc: cycle %llu: heap %llu KiB, live %llu KiB, pause %llu us, of that %llu us until all threads stood\n",
              (unsigned long long)stats->cycles, (unsigned long long)stats->heap_bytes / 1024,
              (unsigned long long)stats->marked_bytes / 1024, (unsigned long long)stats->pause_ns_last / 1000,
              (unsigned long long)stats->stop_ns_last / 1000);
  if (reports.dump) GC_dump();
  if (reports.address_map) layer_print_address_map();
}

/* 0: pages are given back if the program asks for that. vgc's longest time, which a thread of its own keeps. Other
 * numbers count collections, which vgc does not. */
static unsigned trim_ms(void) {
  size_t threshold;
  return number("GC_UNMAP_THRESHOLD", &threshold) && !threshold ? 24 * 60 * 60 * 1000 : 0;
}

void layer_read_environment(struct vgc_config *config) {
  open_log();
  read_reports();
  read_flags();
  read_numbers();
  unsigned count = GET(markers);
  config->mark_workers = count > 64 ? 64 : count;
  config->suspend_signal = (unsigned)GET(suspend_signal);
  config->exact_pointers = !GET(GC_all_interior_pointers);
  config->page_bytes = 4096; /* libgc's: programs that hash addresses get long runs of one size in their tables else */
  config->trim_ms = trim_ms();
  config->finalize_on_demand = 1; /* when finalizers run is decided here */
  layer_pace_begins(config);
  SET(GC_parallel, 0);
}

void layer_heed_environment(void) {
  size_t initial;
  if (number("GC_INITIAL_HEAP_SIZE", &initial)) GC_expand_hp(initial);
  layer_limit_heap();
  if (reports.dump) GC_dump();
}
