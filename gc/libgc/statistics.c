/* Figures about the heap, and dumps. */
#include <stdlib.h>
#include <string.h>

#include "layer.h"

/* Of bytes_allocated: before the last collection. */
static uint64_t allocated_before;

void layer_begin_count(void) { SET(allocated_before, vgc_allocated_bytes()); }

uint64_t layer_bytes_since_collection(void) {
  uint64_t all = vgc_allocated_bytes(), before = GET(allocated_before);
  return all > before ? all - before : 0;
}

static size_t since_collection(const struct vgc_stats *stats) {
  uint64_t before = GET(allocated_before);
  return stats->bytes_allocated > before ? stats->bytes_allocated - before : 0;
}

/* What only a walk over the heap tells: as the last one found it. */
static uint64_t swept, metadata;

/* Cheap, and in any context. Alive is taken to be what was found so, and what came since, as far as there is room. */
static struct vgc_stats glance(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  vgc_peek_stats(&stats);
  uint64_t most = stats.marked_bytes + since_collection(&stats);
  stats.live_bytes = most < stats.heap_bytes ? most : stats.heap_bytes;
  stats.bytes_swept = GET(swept);
  stats.metadata_bytes = GET(metadata);
  return stats;
}

/* Exact, with a walk over the heap, where that may be: not in procedures that a collection calls. */
static struct vgc_stats now(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  if (vgc_in_collection()) return glance();
  layer_ensure();
  if (vgc_get_stats(&stats)) return glance();
  SET(swept, stats.bytes_swept);
  SET(metadata, stats.metadata_bytes);
  return stats;
}

/* The heap are the pages that are there, and those that may be without a collection because the program said so. Cheap,
 * for programs that ask often. */
static size_t reserved;

void layer_heap_reserved(size_t bytes) { SET(reserved, bytes); }

static size_t heap_of(size_t bytes) { return bytes > GET(reserved) ? bytes : GET(reserved); }

size_t GC_get_heap_size(void) { return heap_of(vgc_heap_bytes()); }

static size_t heap_in(const struct vgc_stats *stats) { return heap_of(stats->heap_bytes + stats->free_bytes); }

static size_t free_in(const struct vgc_stats *stats) { return heap_in(stats) - stats->live_bytes; }

/* What was there, and has been added, and is there no more. */
static size_t freed_since_collection(const struct vgc_stats *stats) {
  uint64_t all = stats->marked_bytes + since_collection(stats);
  return all > stats->live_bytes ? all - stats->live_bytes : 0;
}

static size_t obtained(const struct vgc_stats *stats) {
  static size_t most;
  size_t before = GET(most), now = heap_in(stats) + stats->metadata_bytes;
  while (now > before && !__atomic_compare_exchange_n(&most, &before, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return now > before ? now : before;
}

size_t GC_get_free_bytes(void) {
  struct vgc_stats stats = glance();
  return free_in(&stats);
}

/* What is given back to the system is not of the heap any more. */
size_t GC_get_unmapped_bytes(void) { return 0; }

size_t GC_get_bytes_since_gc(void) { return layer_bytes_since_collection(); }

size_t GC_get_expl_freed_bytes_since_gc(void) {
  struct vgc_stats stats = now();
  return freed_since_collection(&stats);
}

size_t GC_get_total_bytes(void) { return vgc_allocated_bytes(); }

size_t GC_get_obtained_from_os_bytes(void) {
  struct vgc_stats stats = glance();
  return obtained(&stats);
}

size_t GC_get_memory_use(void) { return now().live_bytes; }

void GC_get_heap_usage_safe(GC_word *heap, GC_word *free_bytes, GC_word *unmapped, GC_word *since, GC_word *total) {
  struct vgc_stats stats = glance();
  if (heap) *heap = heap_in(&stats);
  if (free_bytes) *free_bytes = free_in(&stats);
  if (unmapped) *unmapped = 0;
  if (since) *since = since_collection(&stats);
  if (total) *total = stats.bytes_allocated;
}

size_t GC_get_prof_stats(struct GC_prof_stats_s *given, size_t size) {
  struct vgc_stats stats = now(), cheap = glance();
  GC_word since = since_collection(&cheap);
  struct GC_prof_stats_s all = {.heapsize_full = heap_in(&cheap),
                                .free_bytes_full = free_in(&cheap),
                                .bytes_allocd_since_gc = since,
                                .allocd_bytes_before_gc = cheap.bytes_allocated - since,
                                .non_gc_bytes = GET(GC_non_gc_bytes),
                                .gc_no = GET(GC_gc_no),
                                .markers_m1 = (GC_word)GET(GC_parallel),
                                .reclaimed_bytes_before_gc = stats.bytes_swept,
                                .expl_freed_bytes_since_gc = freed_since_collection(&stats),
                                .obtained_from_os_bytes = obtained(&stats)};
  memset(given, 0xff, size); /* -1 in what this version does not know */
  size_t filled = size < sizeof all ? size : sizeof all;
  memcpy(given, &all, filled);
  return filled;
}

size_t GC_get_prof_stats_unsafe(struct GC_prof_stats_s *given, size_t size) { return GC_get_prof_stats(given, size); }

#define SIZE_MAP_BYTES 2048 /* as far as libgc's has it */

size_t GC_get_size_map_at(int index) {
  if (index < 0 || index > SIZE_MAP_BYTES) return (size_t)-1;
  void *ptr = GC_malloc_atomic((size_t)index);
  size_t size = ptr ? GC_size(ptr) : (size_t)-1;
  GC_free(ptr);
  return size;
}

/* ---- Time ---- */

static uint64_t measured_from;

void GC_start_performance_measurement(void) { SET(measured_from, layer_collecting_ns()); }
unsigned long GC_get_full_gc_total_time(void) {
  return (unsigned long)((layer_collecting_ns() - GET(measured_from)) / 1000000);
}

/* ---- Dumps ---- */

void GC_dump_named(const char *name) {
  struct vgc_stats stats = now();
  if (name)
    GC_printf("***GC Dump %s\n", name);
  else
    GC_printf("***GC Dump collection #%lu\n", (unsigned long)GET(GC_gc_no));
  GC_printf("heap %llu KiB, free %llu KiB, live %llu objects of %llu KiB, %llu collections, longest pause %llu us\n",
            (unsigned long long)heap_in(&stats) / 1024, (unsigned long long)free_in(&stats) / 1024,
            (unsigned long long)stats.live_objects, (unsigned long long)stats.live_bytes / 1024,
            (unsigned long long)GET(GC_gc_no), (unsigned long long)stats.pause_ns_max / 1000);
}

void GC_dump(void) { GC_dump_named(NULL); }

void GC_dump_regions(void) {
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  GC_printf("***Regions: from %p to %p\n", low, high);
}

void GC_dump_finalization(void) { GC_printf("***Finalizers due: %zu\n", vgc_finalizers_due()); }

void GC_print_free_list(int kind, size_t granules) {
  GC_printf("***Free list of kind %d, size %zu: vgc keeps bitmaps\n", kind, granules * 16);
}

/* ---- Objects ---- */

struct enumeration {
  struct {
    void *object;
    size_t size;
  } * found;
  size_t count, room;
};

static void note_if_reached(void *object, size_t size, int reached, void *arg) {
  struct enumeration *all = arg;
  if (!reached || object == all->found) return;
  if (all->count < all->room) {
    all->found[all->count].object = object;
    all->found[all->count].size = size;
  }
  all->count++;
}

/* The caller holds the lock, which a collection needs. What was reached in this one is kept by the list of it, for the
 * procedure is not called in the stopped world, where it could not even print. */
void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc procedure, void *data) {
  struct enumeration all = {0};
  GC_alloc_unlock();
  do {
    vgc_free(all.found);
    all.room = now().live_objects + all.count + 1024;
    all.count = 0;
    all.found = vgc_malloc_uncollectable(all.room * sizeof *all.found);
    if (!all.found) layer_fatal("no memory to enumerate the objects");
    if (!layer_visit(note_if_reached, &all)) all.count = 0;
  } while (all.count > all.room);
  GC_alloc_lock();
  for (size_t i = 0; i < all.count; i++) procedure(all.found[i].object, all.found[i].size, data);
  vgc_free(all.found);
}

int GC_is_marked(const void *object) { return vgc_is_reached(object); }

/* libgc's own accounting, for files that it would be compiled with. */
void GC_incr_bytes_allocd(size_t bytes) { (void)bytes; }
void GC_incr_bytes_freed(size_t bytes) { (void)bytes; }
