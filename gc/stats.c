#include "stats.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "cache.h"
#include "central.h"
#include "collect.h"
#include "heap.h"
#include "init.h"
#include "large.h"
#include "pace.h"
#include "pages.h"
#include "roots.h"
#include "special.h"
#include "thread.h"

static void add_slot(struct vgc_stats *stats, struct cache *cache, unsigned slot) {
  uint64_t size = sizeclass_table[slot % SIZECLASS_COUNT].size;
  uint64_t issued = load_relaxed(&cache->issued[slot]);
  issued -= bitmap_count(load_relaxed(&load_relaxed(&cache->current[slot])->avail));
  stats->objects_allocated += issued;
  stats->bytes_allocated += issued * size;
}

static void add_cache(struct vgc_stats *stats, struct cache *cache) {
  for (unsigned word = 0; word < sizeof cache->used / sizeof *cache->used; word++)
    for (uint64_t used = load_relaxed(&cache->used[word]); used; used &= used - 1)
      add_slot(stats, cache, word * 64 + bitmap_first(used));
  stats->objects_allocated += load_relaxed(&cache->issued_large);
  stats->bytes_allocated += load_relaxed(&cache->issued_large_bytes);
}

static void add_central(struct vgc_stats *stats) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    central_lock(i);
    stats->objects_swept += central[i].swept_objects;
    stats->bytes_swept += central[i].swept_objects * sizeclass_table[i].size;
    central_unlock(i);
  }
}

static void add_span(struct span *span, void *arg) {
  struct vgc_stats *stats = arg;
  uint64_t issued = 0;
  for (uint32_t w = 0; w < span->words; w++) issued += bitmap_count(span_issued(span, w));
  stats->live_objects += issued;
  stats->live_bytes += issued * span_slot_bytes(span);
}

static void add_pages(struct vgc_stats *stats) {
  lock_acquire(&heap_lock);
  span_each(add_span, stats);
  stats->objects_swept += large_swept_objects();
  stats->bytes_swept += large_swept_bytes();
  stats->heap_bytes = pages_taken_bytes();
  stats->free_bytes = pages_free_bytes();
  stats->peak_heap_bytes = pages_peak_bytes();
  stats->metadata_bytes += arena_metadata_bytes();
  lock_release(&heap_lock);
}

/* What is no more, and was not swept, was freed. More may be than was counted: threads go on issuing, and one that a
 * fork left behind never counts what it had issued. */
static uint64_t freed(uint64_t *allocated, uint64_t swept, uint64_t live) {
  if ((int64_t)(*allocated - live - swept) < 0) *allocated = live + swept;
  return *allocated - swept - live;
}

uint64_t vgc_allocated_bytes(void) {
  struct vgc_stats stats = {0};
  for (struct cache *cache = cache_all(); cache; cache = cache->next) add_cache(&stats, cache);
  return stats.bytes_allocated;
}

void stats_fill(struct vgc_stats *stats) {
  large_finish_sweep();
  central_finish_sweep();
  struct collect_totals totals = collect_totals();
  stats->cycles = totals.cycles;
  stats->cycles_given_up = totals.given_up;
  stats->stops = totals.stops;
  stats->suspensions = totals.suspensions;
  stats->pause_ns_last = totals.pause_last;
  stats->pause_ns_max = totals.pause_max;
  stats->pause_ns_total = totals.pause_total;
  stats->stop_ns_last = totals.stop_last;
  stats->stop_ns_max = totals.stop_max;
  for (struct cache *cache = cache_all(); cache; cache = cache->next) {
    add_cache(stats, cache);
    stats->metadata_bytes += sizeof *cache;
  }
  add_central(stats);
  stats->metadata_bytes += totals.mark_stack_bytes + thread_table_bytes() + roots_bytes() + special_bytes();
  add_pages(stats);
  stats->objects_freed = freed(&stats->objects_allocated, stats->objects_swept, stats->live_objects);
  stats->bytes_freed = freed(&stats->bytes_allocated, stats->bytes_swept, stats->live_bytes);
  stats->marked_bytes = pace_marked();
  stats->trigger_bytes = pace_goal();
  stats->arenas = load_relaxed(&arenas_count);
  stats->threads = thread_count();
}

static bool is_sized(const struct vgc_stats *out) {
  if (out && out->struct_size >= sizeof out->struct_size) return true;
  errno = EINVAL;
  return false;
}

static int give(struct vgc_stats *out, struct vgc_stats *stats) {
  stats->struct_size = out->struct_size;
  memcpy(out, stats, out->struct_size < sizeof *stats ? out->struct_size : sizeof *stats);
  return 0;
}

int vgc_get_stats(struct vgc_stats *out) {
  if (!is_sized(out) || !cache_ensure()) return -1;
  struct vgc_stats stats = {0};
  stats_fill(&stats);
  return give(out, &stats);
}

int vgc_peek_stats(struct vgc_stats *out) {
  if (!is_sized(out)) return -1;
  struct vgc_stats stats = {.bytes_allocated = vgc_allocated_bytes(),
                            .marked_bytes = pace_marked(),
                            .heap_bytes = pages_taken_bytes(),
                            .free_bytes = pages_free_bytes(),
                            .trigger_bytes = pace_goal()};
  return give(out, &stats);
}
