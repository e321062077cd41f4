#include "marked.h"

#define MARK UINT64_C(0xfeedfacecafebeef)

__attribute__((noinline)) uint64_t *marked(void) {
  uint64_t *object = vgc_malloc(32);
  interleave_assert(object);
  object[0] = object[3] = MARK;
  return object;
}

void expect_marked(const uint64_t *object) {
  interleave_assert(vgc_base_of(object) == object);
  interleave_assert(object[0] == MARK && object[3] == MARK);
}

void collect_and_sweep(void) {
  interleave_assert(vgc_collect() == 0);
  central_finish_sweep();
}

static void count_issued(struct span *span, void *count) {
  for (uint32_t word = 0; word < span->words; word++) *(uint64_t *)count += bitmap_count(span_issued(span, word));
}

void expect_statistics(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  uint64_t issued = 0;
  lock_acquire(&heap_lock);
  span_each(count_issued, &issued);
  lock_release(&heap_lock);
  if (stats.live_objects != issued)
    interleave_fail("%llu objects live, by the statistics %lld", (unsigned long long)issued,
                    (long long)stats.live_objects);
  interleave_assert(stats.live_objects == stats.objects_allocated - stats.objects_freed - stats.objects_swept);
}
