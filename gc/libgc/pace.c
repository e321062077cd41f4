/* When to collect, and how far the heap may grow: what the program's settings, and how it goes, tell vgc. */
#include <stdlib.h>
#include <time.h>

#include "layer.h"

#define NO_LIMIT (SIZE_MAX / 2)
/* Pages that may be there at least: vgc's smallest limit. */
#define LEAST_LIMIT 65536u

/* Twice vgc's own: what links libgc is most often a language's runtime, with some MiB of its own. */
#define MINIMUM_HEAP ((size_t)8 << 20)

/* What vgc has been told last. What the user says of its own in the environment stands. */
static struct {
  GC_word divisor, retries;
  size_t minimum, soft_limit;
  size_t least;        /* of `minimum`: what the program has expanded the heap to */
  uint64_t minimum_ns; /* when `minimum` was told */
  unsigned share;
  int interior, no_dls;
  bool users_minimum, users_soft_limit, users_growth; /* immutable */
} told = {.minimum = MINIMUM_HEAP, .least = MINIMUM_HEAP, .soft_limit = NO_LIMIT, .interior = 1};

/* ---- How much the heap grows ---- */

/* Nanoseconds that collections take that nobody asks for, and from end to end of them: means that forget an eighth at
 * each. */
static uint64_t collecting_ns, passing_ns, began_ns, ended_ns;
static uint64_t total_ns; /* of collections, with nothing forgotten */

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void layer_collection_begins(void) { began_ns = now_ns(); }

void layer_collection_ends(void) {
  uint64_t end = now_ns();
  SET(total_ns, total_ns + end - began_ns);
  if (layer_asked) return; /* memory would not spare it */
  if (ended_ns) {
    SET(collecting_ns, collecting_ns / 8 * 7 + (end - began_ns) / 8);
    SET(passing_ns, passing_ns / 8 * 7 + (end - ended_ns) / 8);
  }
  ended_ns = end;
}

uint64_t layer_collecting_ns(void) { return GET(total_ns); }

/* Of the time, in eighths: the more goes into collections, the more memory buys. */
static unsigned share_of_collections(void) {
  uint64_t passing = GET(passing_ns), share = passing ? GET(collecting_ns) * 8 / passing : 0;
  return share < 8 ? (unsigned)share : 8;
}

/* libgc collects when at least N / divisor bytes have been allocated, where N is twice what was traced: a fifth more,
 * and up to three times that. */
static unsigned growth_percent(GC_word divisor, unsigned share) {
  if (!divisor) divisor = 1;
  return divisor > 240 ? 1 : (unsigned)(240 / divisor) * (4 + share) / 4;
}

#define FADING_NS UINT64_C(1000000000)

/* As a heap that does not shrink, half of the largest of late is used before the next collection, or as much as all of
 * it. An eighth of it is forgotten, a second at least after the last time, or what it needed once would never
 * be given back. 0: no news. */
static size_t new_minimum(unsigned share) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  size_t minimum = GET(told.minimum), least = GET(told.least);
  if (told.users_minimum) return 0;
  vgc_peek_stats(&stats);
  size_t most = stats.heap_bytes / 8 * (share < 4 ? 4 + share : 8);
  if (most / 8 * 7 > minimum) return most;
  if (minimum <= least || now_ns() - GET(told.minimum_ns) < FADING_NS) return 0;
  size_t faded = minimum / 8 * 7;
  if (faded < most) faded = most;
  return faded > least ? faded : least;
}

/* Where the heap is not to grow it counts for nothing. */
bool layer_too_early(void) {
  if (vgc_collection_reason() != VGC_REASON_PACE || GET(GC_dont_expand) || told.users_soft_limit) return false;
  return layer_bytes_since_collection() < GC_get_min_bytes_allocd();
}

/* ---- Whether it grows at all ---- */

#define LOOK_AGAIN 256u
static GC_word bytes_per_finalizer = 10000;
/* Since the last collection: set, and not taken back (older ones are taken back, too); made due by this one. */
static int64_t finalizers, finalizers_due;
static bool fruitless; /* the last collection made none due, though some had been set */

void GC_set_allocd_bytes_per_finalizer(GC_word value) { SET(bytes_per_finalizer, value); }
GC_word GC_get_allocd_bytes_per_finalizer(void) { return GET(bytes_per_finalizer); }

void layer_finalizer_is_due(void) { finalizers_due++; }

void layer_learn_of_finalizers(void) {
  if (GET(finalizers) > 0) SET(fruitless, !finalizers_due);
  SET(finalizers, 0);
  finalizers_due = 0;
}

/* So many that collecting frees more than growing gives. */
static bool many_finalizers(void) {
  int64_t set = GET(finalizers);
  return set > 0 && !GET(fruitless) && GET(bytes_per_finalizer) > layer_bytes_since_collection() / (uint64_t)set;
}

/* What vgc exceeds only if collections get it too little: the largest heap that there was, if it is not to be expanded.
 */
static size_t new_soft_limit(void) {
  size_t bytes = GC_get_heap_size(), before = GET(told.soft_limit), minimum = GET(told.minimum);
  if (told.users_soft_limit) return before;
  if (!GET(GC_dont_expand) && !many_finalizers()) return NO_LIMIT;
  if (bytes < minimum) bytes = minimum;
  return before != NO_LIMIT && before > bytes ? before : bytes;
}

/* ---- Telling ---- */

/* vgc tries once by itself. */
static unsigned retries(GC_word wanted) { return wanted < 1000000 ? (unsigned)wanted + 1 : 1000000; }

/* What is new: zero leaves a setting as it is. */
static void tune(GC_word divisor, unsigned share, size_t minimum, size_t soft_limit, GC_word max_retries) {
  struct vgc_config config;
  vgc_config_default(&config);
  if (!told.users_growth) config.growth_percent = growth_percent(divisor, share);
  if (soft_limit != GET(told.soft_limit)) config.soft_limit = soft_limit;
  if (max_retries != GET(told.retries)) config.memory_retries = retries(max_retries);
  config.minimum_heap = minimum;
  vgc_tune(&config);
  SET(told.divisor, divisor);
  SET(told.share, share);
  SET(told.soft_limit, soft_limit);
  SET(told.retries, max_retries);
  if (!minimum) return;
  SET(told.minimum, minimum);
  SET(told.minimum_ns, now_ns());
}

void layer_tune(void) {
  GC_word divisor = GET(GC_free_space_divisor), max_retries = GET(GC_max_retries);
  int interior = GET(GC_all_interior_pointers) != 0, no_dls = GET(GC_no_dls) != 0;
  unsigned share = share_of_collections();
  size_t minimum = new_minimum(share), soft_limit = new_soft_limit();
  if (LIKELY(divisor == GET(told.divisor) && share == GET(told.share) && interior == GET(told.interior) &&
             no_dls == GET(told.no_dls) && !minimum && soft_limit == GET(told.soft_limit) &&
             max_retries == GET(told.retries)))
    return;
  bool taken = layer_exclude();
  tune(divisor, share, minimum, soft_limit, max_retries);
  vgc_exact_pointers(!interior);
  SET(told.interior, interior);
  if (no_dls != GET(told.no_dls) && !vgc_in_collection()) {
    layer_roots_choose();
    SET(told.no_dls, no_dls);
  }
  layer_admit(taken);
}

/* What vgc has been told is looked at again now and then, for the heap may have room to grow. */
void layer_count_finalizer(int more) {
  int64_t set = __atomic_add_fetch(&finalizers, more, __ATOMIC_RELAXED);
  if (more > 0 && set % LOOK_AGAIN == 0 && !layer_locked && !vgc_in_collection()) layer_tune();
}

/* What the user says in the environment stands. */
void layer_catch_up(const struct vgc_config *wanted) {
  struct vgc_config config;
  vgc_config_default(&config);
  config.finalize_on_demand = wanted->finalize_on_demand;
  if (!told.users_minimum) config.minimum_heap = wanted->minimum_heap;
  if (!told.users_growth) config.growth_percent = wanted->growth_percent;
  if (!getenv("VGC_MEMORY_RETRIES")) config.memory_retries = wanted->memory_retries;
  vgc_tune(&config);
  if (wanted->exact_pointers) vgc_exact_pointers(true);
}

void layer_pace_begins(struct vgc_config *config) {
  SET(told.divisor, GET(GC_free_space_divisor));
  SET(told.interior, GET(GC_all_interior_pointers) != 0);
  SET(told.no_dls, GET(GC_no_dls) != 0);
  SET(told.retries, GET(GC_max_retries));
  told.users_minimum = getenv("VGC_MINIMUM_HEAP");
  told.users_soft_limit = getenv("VGC_SOFT_LIMIT");
  told.users_growth = getenv("VGC_GROWTH_PERCENT");
  config->minimum_heap = MINIMUM_HEAP;
  config->growth_percent = growth_percent(GET(told.divisor), 0);
  config->memory_retries = retries(GET(told.retries));
}

/* ---- Limits that the program names ---- */

static GC_word maximum_heap;

static void limit_heap(GC_word bytes) {
  struct vgc_config config;
  vgc_config_default(&config);
  config.hard_limit = bytes && bytes < NO_LIMIT ? (bytes < LEAST_LIMIT ? LEAST_LIMIT : bytes) : NO_LIMIT;
  vgc_tune(&config);
}

void layer_limit_heap(void) {
  if (GET(maximum_heap)) limit_heap(GET(maximum_heap));
}

void GC_set_max_heap_size(GC_word bytes) {
  SET(maximum_heap, bytes);
  if (GC_is_init_called()) limit_heap(bytes);
}

/* By so many bytes over all that it has been expanded to. */
int GC_expand_hp(size_t bytes) {
  layer_ensure();
  struct vgc_stats stats = {.struct_size = sizeof stats};
  size_t before = GC_get_heap_size(), more;
  vgc_peek_stats(&stats);
  size_t beyond = before > stats.heap_bytes ? before - stats.heap_bytes : 0; /* pages with objects: vgc counts these */
  if (__builtin_add_overflow(beyond, bytes, &more) || vgc_reserve(more)) return 0;
  layer_heap_reserved(before + bytes);
  if (before + bytes > GET(told.minimum)) SET(told.minimum, before + bytes);
  if (before + bytes > GET(told.least)) SET(told.least, before + bytes);
  if (GET(GC_on_heap_resize)) {
    bool taken = layer_exclude();
    layer_tell_of_resize();
    layer_admit(taken);
  }
  layer_tune();
  return 1;
}
