#include "alloc.h"

#include <string.h>

/* Each thread writes its own. */
static struct {
  unsigned count;
  enum vgc_error last;
} reports[FIBERS];

static void report(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)ptr, (void)message;
  unsigned self = interleave_self();
  reports[self].count++;
  reports[self].last = error;
}

unsigned errors(void) {
  unsigned sum = 0;
  for (unsigned i = 0; i < FIBERS; i++) sum += reports[i].count;
  return sum;
}

enum vgc_error last_error(void) {
  enum vgc_error last = VGC_ERROR_NONE;
  for (unsigned i = 0; i < FIBERS; i++)
    if (reports[i].count) last = reports[i].last;
  return last;
}

/* ---- Setup ---- */

void heap_start(void) {
  struct vgc_config tiny;
  vgc_config_default(&tiny);
  tiny.page_bytes = 1024;
  tiny.arena_bytes = 256 * 1024;
  tiny.minimum_heap = 64 * 1024 * 1024;
  tiny.thread_table = 4;
  tiny.mark_stack = 256;
  interleave_assert(vgc_init(&tiny) == 0);
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .error = report}, NULL);
}

void *take(void) {
  void *object = vgc_malloc_noscan(SLOT);
  interleave_assert(object);
  return object;
}

void fill(void **objects, unsigned count) {
  for (unsigned i = 0; i < count; i++) objects[i] = take();
}

/* ---- Threads ---- */

static struct {
  unsigned count;
  void (*act[ACTORS_MAX])(void);
  void (*prepare)(void);
} actors;

static void act(unsigned index) {
  interleave_meet(actors.count, true);
  actors.act[index]();
  interleave_meet(actors.count, false);
}

static void *actor(void *arg) {
  unsigned index = (unsigned)(uintptr_t)arg;
  interleave_assert(cache_ensure());
  if (index == 1 && actors.prepare) actors.prepare();
  act(index);
  return NULL;
}

void actors_run(unsigned count, void (*const acts[])(void), void (*prepare)(void)) {
  pthread_t threads[ACTORS_MAX];
  interleave_meet(1, false);
  actors.count = count;
  actors.prepare = prepare;
  memcpy(actors.act, acts, count * sizeof *acts);
  for (unsigned i = 1; i < count; i++)
    interleave_assert(pthread_create(&threads[i], NULL, actor, (void *)(uintptr_t)i) == 0);
  act(0);
  for (unsigned i = 1; i < count; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
}

/* ---- Oracles ---- */

struct walk {
  void *const *objects;
  unsigned expected, found;
};

static void look(struct span *span, void *arg) {
  struct walk *walk = arg;
  check_span(span);
  for (uint32_t page = 0; page < span->pages; page++)
    interleave_assert(span_of(span->base + page * config.page_bytes) == span);
  for (uint32_t word = 0; word < span->words; word++) walk->found += bitmap_count(span_issued(span, word));
}

static bool is_live(const void *object) { return vgc_base_of(object) == object; }

static bool are_distinct(void *const *objects, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    for (unsigned j = 0; j < i; j++)
      if (objects[i] == objects[j]) return false;
  return true;
}

void expect_live(void *const *objects, unsigned count) {
  struct walk walk = {objects, count, 0};
  interleave_assert(are_distinct(objects, count));
  for (unsigned i = 0; i < count; i++) interleave_assert(is_live(objects[i]));
  lock_acquire(&heap_lock);
  span_each(look, &walk);
  lock_release(&heap_lock);
  interleave_assert(walk.found == count);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  interleave_assert(stats.live_objects == count);
  interleave_assert(stats.objects_allocated - stats.objects_freed - stats.objects_swept == count);
}

void expect_free(unsigned count) {
  void *objects[FREE_MAX + 1];
  interleave_assert(count <= FREE_MAX);
  size_t before = pages_taken_bytes();
  for (unsigned i = 0; i < count; i++) {
    objects[i] = take();
    /* A slot was lost if this fails. */
    interleave_assert(pages_taken_bytes() == before);
  }
  objects[count] = take();
  /* A slot was free that should not have been if this fails. */
  interleave_assert(pages_taken_bytes() > before);
  interleave_assert(are_distinct(objects, count + 1));
}
