#include "stopping.h"

#include <pthread.h>

static void report(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)ptr;
  interleave_fail("error %d reported: %s", (int)error, message);
}

struct vgc_config tiny_config(void) {
  struct vgc_config tiny;
  vgc_config_default(&tiny);
  tiny.page_bytes = 1024;
  tiny.arena_bytes = 256 * 1024;
  tiny.thread_table = 4;
  tiny.mark_stack = 256;
  tiny.mark_workers = 1;
  return tiny;
}

void strict_start(const struct vgc_config *given) {
  interleave_assert(vgc_init(given) == 0);
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .error = report}, NULL);
  /* The marker is exempt from sanitizers; it writes its own data, and marks. */
  interleave_uninstrumented(__start_vgc_data, (size_t)(__stop_vgc_data - __start_vgc_data));
  interleave_uninstrumented(arenas[0].descriptors, 4096);
}

void stopping_start(void) {
  struct vgc_config tiny = tiny_config();
  strict_start(&tiny);
}

/* ---- Threads ---- */

static unsigned parts;
static bool caches;

static void *do_part(void *arg) {
  void (*const *part)(void) = arg;
  if (caches) interleave_assert(cache_ensure());
  interleave_meet(parts, true);
  (*part)();
  interleave_meet(parts, false);
  interleave_explored_all();
  return NULL;
}

static void run_parts(unsigned count, void (*const part[])(void)) {
  pthread_t threads[PARTS_MAX];
  interleave_meet(1, false);
  parts = count;
  for (unsigned i = 1; i < count; i++)
    interleave_assert(pthread_create(&threads[i], NULL, do_part, (void *)(uintptr_t)&part[i]) == 0);
  do_part((void *)(uintptr_t)&part[0]);
  for (unsigned i = 1; i < count; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
}

void together(unsigned count, void (*const part[])(void)) {
  caches = true;
  run_parts(count, part);
}

void together_bare(unsigned count, void (*const part[])(void)) {
  caches = false;
  run_parts(count, part);
}

/* ---- Work ---- */

static struct {
  _Atomic uint32_t busy;
  uint64_t left, right;
  unsigned done, looked;
} shared;

static void busy_set(uint32_t busy) {
  signal_order();
  store_relaxed(&shared.busy, busy);
  signal_order();
}

void work(void) {
  busy_set(1);
  shared.left++;
  signal_order();
  shared.right++;
  shared.done++;
  busy_set(0);
}

void work_look(void) {
  if (load_relaxed(&shared.busy)) return;
  interleave_assert(shared.left == shared.right);
  shared.left++;
  shared.right++;
  shared.looked++;
}

unsigned work_done(void) { return shared.done; }
unsigned work_looked(void) { return shared.looked; }

void work_expect_whole(void) {
  interleave_assert(shared.left == shared.right);
  interleave_assert(shared.left == shared.done + shared.looked);
}

/* ---- Stopping ---- */

/* Keeps the reads. */
static uintptr_t registers_seen;

/* As the collector reads what a thread published. */
static void look_at(const struct thread *thread) {
  interleave_assert(thread->position && thread->position->sp);
  if (thread->position != &thread->blocked) return;
  for (unsigned i = 0; i < PLATFORM_SAVED_REGISTERS; i++) registers_seen ^= thread->blocked_registers[i];
}

void world_look(void) {
  interleave_assert(world_is_stopped());
  for (struct thread *thread = thread_first(); thread; thread = thread->next) {
    uint32_t state = load_relaxed(&thread->state);
    bool present = state == THREAD_RUNNING || state == THREAD_BLOCKING || state == THREAD_HELD;
    if (thread == thread_self() || !present) continue;
    look_at(thread);
  }
  work_look();
}

void world_stops(unsigned others) {
  thread_registry_lock();
  interleave_assert(world_stop() == others);
  world_look();
}

void world_goes_on(void) {
  world_resume();
  thread_registry_unlock();
}

void world_stops_for_a_moment(unsigned others) {
  world_stops(others);
  world_goes_on();
}
