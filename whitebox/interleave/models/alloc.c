#include "alloc.h"

#include <semaphore.h>
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

unsigned errors_by(unsigned thread) { return reports[thread].count; }

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

void errors_expect(void) {
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .error = report}, NULL);
}

void heap_start(void) {
  struct vgc_config tiny;
  vgc_config_default(&tiny);
  tiny.page_bytes = 1024;
  tiny.arena_bytes = 256 * 1024;
  tiny.minimum_heap = 64 * 1024 * 1024;
  tiny.thread_table = 4;
  tiny.mark_stack = 256;
  tiny.mark_workers = 1;
  interleave_assert(vgc_init(&tiny) == 0);
  errors_expect();
}

static void *allocate(size_t size) {
  void *object = vgc_malloc_noscan(size);
  interleave_assert(object);
  return object;
}

void *take(void) { return allocate(SLOT); }
void *take_other(void) { return allocate(OTHER_SLOT); }
void *take_sole(void) { return allocate(SOLE_SLOT); }

void fill(void **objects, unsigned count) {
  for (unsigned i = 0; i < count; i++) objects[i] = take();
}

void disown(void) { interleave_assert(vgc_thread_detach() == 0); }

void disown_span(struct span *span) {
  struct span_list *list = span_state(span) == SPAN_FULL ? cache_current->full : cache_current->usable;
  span_list_remove(&list[span_index(span)], span);
  central_give(span);
}

/* ---- Threads ---- */

static const struct actor *cast;
static unsigned cast_size;
static sem_t prepared;

static void act(unsigned index) {
  interleave_meet(cast_size, true);
  cast[index].act();
  interleave_meet(cast_size, false);
  interleave_explored_all();
}

static void prepare(unsigned index) {
  interleave_assert(cache_ensure());
  if (cast[index].before) cast[index].before();
}

static void *actor(void *arg) {
  unsigned index = (unsigned)(uintptr_t)arg;
  prepare(index);
  sem_post(&prepared);
  act(index);
  return NULL;
}

void actors_run(const struct actor *actors, unsigned count) {
  pthread_t threads[ACTORS_MAX];
  interleave_meet(1, false);
  cast = actors;
  cast_size = count;
  for (unsigned i = 1; i < count; i++) {
    interleave_assert(pthread_create(&threads[i], NULL, actor, (void *)(uintptr_t)i) == 0);
    sem_wait(&prepared);
  }
  prepare(0);
  act(0);
  for (unsigned i = 1; i < count; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
}

/* ---- Oracles ---- */

struct walk {
  unsigned live, spans, slots;
};

static void look(struct span *span, void *arg) {
  struct walk *walk = arg;
  check_span(span);
  for (uint32_t page = 0; page < span->pages; page++)
    interleave_assert(span_of(span->base + page * config.page_bytes) == span);
  for (uint32_t word = 0; word < span->words; word++) walk->live += bitmap_count(span_issued(span, word));
  if (span->size == SLOT) walk->slots += span->slots;
}

static bool are_distinct(void *const *objects, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    for (unsigned j = 0; j < i; j++)
      if (objects[i] == objects[j]) return false;
  return true;
}

static unsigned slots_used(void *const *objects, unsigned count) {
  unsigned used = 0;
  for (unsigned i = 0; i < count; i++) {
    interleave_assert(vgc_base_of(objects[i]) == objects[i]);
    used += span_of((uintptr_t)objects[i])->size == SLOT;
  }
  return used;
}

/* Takes all that is free, and one more. */
static void drain(void *const *live, unsigned count, unsigned expected) {
  void *objects[OBJECTS_MAX];
  interleave_assert(count + expected < OBJECTS_MAX);
  memcpy(objects, live, count * sizeof *objects);
  size_t before = pages_taken_bytes();
  for (unsigned i = 0; i <= expected; i++) {
    objects[count + i] = take();
    bool slot_was_lost = i < expected && pages_taken_bytes() != before;
    bool slot_was_free_twice = i == expected && pages_taken_bytes() == before;
    interleave_assert(!slot_was_lost);
    interleave_assert(!slot_was_free_twice);
  }
  interleave_assert(are_distinct(objects, count + expected + 1));
}

void expect_live(void *const *objects, unsigned count) {
  struct walk walk = {0};
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0); /* sweeps what is left to sweep */
  interleave_assert(stats.live_objects == count);
  interleave_assert(are_distinct(objects, count));
  unsigned used = slots_used(objects, count);
  lock_acquire(&heap_lock);
  span_each(look, &walk);
  lock_release(&heap_lock);
  interleave_assert(walk.live == count);
  drain(objects, count, walk.slots - used);
}
