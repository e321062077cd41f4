/* Every public call once, in one thread, with one collection: what must still work when a bug is put back on purpose,
 * so that a test which then fails has seen the bug and not a wreck. Prints the line that fails and exits with 1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgc.h"

#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: smoke: %s\n", __FILE__, __LINE__, #condition);                                           \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static unsigned errors;

static void count_error(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)error, (void)ptr, (void)message;
  errors++;
}

static void count_call(void *arg) { ++*(unsigned *)arg; }

static void push_nothing(void *arg, vgc_root_push *push, void *sink) { (void)arg, (void)push, (void)sink; }

static void start(void) {
  struct vgc_config config;
  vgc_config_default(&config);
  EXPECT(config.struct_size == sizeof config);
  EXPECT(vgc_init(&config) == 0);
  EXPECT(vgc_init(NULL) == -1 && errno == EALREADY);
}

static void allocate(void) {
  char *plain = vgc_malloc(40);
  EXPECT(plain && plain[0] == 0 && plain[39] == 0);
  memset(plain, 1, 40);
  plain = vgc_realloc(plain, 4000);
  EXPECT(plain && plain[39] == 1 && plain[3999] == 0);
  EXPECT(vgc_usable_size(plain) >= 4000);
  EXPECT(vgc_base_of(plain + 1234) == plain);
  char *copy = vgc_memdup(plain, 40);
  EXPECT(copy && memcmp(copy, plain, 40) == 0);
  vgc_free(copy);
  vgc_free(plain);
  char *large = vgc_malloc(100000);
  EXPECT(large && large[99999] == 0);
  vgc_free(large);
  char *noscan = vgc_malloc_noscan(24);
  EXPECT(noscan);
  vgc_free(noscan);
  int *numbers = vgc_calloc(10, sizeof *numbers);
  EXPECT(numbers && numbers[9] == 0);
  vgc_free(numbers);
  void *aligned = vgc_aligned_alloc(256, 100);
  EXPECT(aligned && (uintptr_t)aligned % 256 == 0);
  vgc_free(aligned);
  char *text = vgc_strdup("text");
  EXPECT(text && strcmp(text, "text") == 0);
  vgc_free(text);
  vgc_free(NULL);
}

static void lay_out(void) {
  const uint64_t words[] = {2};
  vgc_layout_id id = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = words, .name = "pair"});
  EXPECT(id != 0);
  void **pair = vgc_malloc_typed(id, 3);
  EXPECT(pair && !pair[5]);
  vgc_free(pair);
}

static void mark_first(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)size, (void)arg;
  vgc_mark(marker, *(void **)object);
}

static void *of_kind; /* its only word leads to an object that is looked at after the collection */

static void make_kind(void) {
  struct vgc_kind kind = {.struct_size = sizeof kind, .scan = VGC_SCAN_PROCEDURE, .mark = mark_first};
  vgc_layout_id id = vgc_kind_register(&kind);
  EXPECT(id != 0);
  EXPECT(vgc_kind_set_disclaim(id, NULL, 0) == 0);
  of_kind = vgc_malloc_kind(id, 64);
  EXPECT(of_kind);
  (void)vgc_kind_of(of_kind);
  *(void **)of_kind = vgc_strdup("of a kind");
  void *noscan = vgc_malloc_uncollectable_noscan(64);
  struct vgc_object known = {.struct_size = sizeof known};
  EXPECT(vgc_inspect(noscan, &known) == 0 && known.uncollectable && !known.scanned);
  EXPECT(vgc_is_reached(noscan));
  vgc_free(noscan);
}

static void never(void *object, void *arg) { (void)object, (void)arg; }

static void attach(void) {
  static void *link, *other;
  vgc_finalizer *old = NULL;
  void *object = vgc_malloc(64);
  EXPECT(vgc_set_finalizer(object, never, NULL, VGC_ORDERED) == 0);
  EXPECT(vgc_get_finalizer(object, NULL) == never);
  EXPECT(vgc_exchange_finalizer(object, never, NULL, VGC_UNORDERED, &old, NULL) == 0 && old == never);
  EXPECT(vgc_finalizers_due() == 0 && vgc_finalize() == 0 && vgc_finalize_all() > 0);
  EXPECT(vgc_weak_add(&link, object, VGC_WEAK_SHORT) == 0 && vgc_weak_get(&link) == object);
  EXPECT(vgc_weak_move(&link, &other) == 0 && vgc_weak_remove(&other) == 0);
  EXPECT(vgc_weak_watch(&link, object, VGC_WEAK_LONG) == 0);
  EXPECT(vgc_weak_move_watch(&link, &other, VGC_WEAK_LONG) == 0);
  EXPECT(vgc_weak_unwatch(&other, VGC_WEAK_LONG) == 0);
  struct vgc_ephemeron *ephemeron = vgc_ephemeron_new(object, NULL);
  EXPECT(ephemeron && vgc_ephemeron_key(ephemeron) == object && !vgc_ephemeron_value(ephemeron));
  VGC_DEAD(object);
  vgc_clear_registers();
  vgc_clear_stack();
}

static void steer(void) {
  struct vgc_config config;
  vgc_config_default(&config);
  config.minimum_heap = 8 << 20;
  EXPECT(vgc_tune(&config) == 0);
  EXPECT(vgc_reserve(1 << 20) == 0);
  EXPECT(vgc_displacement_add(8) == 0);
  vgc_exact_pointers(0);
  vgc_lock();
  vgc_unlock();
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  EXPECT(low < of_kind && of_kind < high);
  EXPECT(vgc_heap_bytes() > 0);
}

static void *root[4];

static void count_object(void *object, size_t size, int reached, void *count) {
  (void)object, (void)size;
  *(unsigned *)count += reached != 0;
}

static void collect(void) {
  unsigned starts = 0, objects = 0;
  struct vgc_hooks hooks = {.struct_size = sizeof hooks, .arg = &starts, .cycle_start = count_call}, none;
  vgc_set_hooks(&hooks, &none);
  char *kept = vgc_malloc_uncollectable(64);
  EXPECT(kept);
  root[1] = vgc_malloc(64);
  EXPECT(root[1]);
  *(void **)root[1] = vgc_strdup("child");
  vgc_disable();
  EXPECT(vgc_collect() == -1 && errno == EBUSY);
  vgc_enable();
  EXPECT(vgc_collect_and_visit(count_object, &objects) == 0);
  EXPECT(starts == 1 && objects > 0);
  EXPECT(strcmp(*(char **)of_kind, "of a kind") == 0);
  EXPECT(strcmp(*(char **)root[1], "child") == 0);
  vgc_set_hooks(&none, NULL);
  vgc_free(kept);
  (void)vgc_trim();
}

static void add_roots(void) {
  static void *extra[2];
  EXPECT(vgc_root_add(extra, sizeof extra) == 0);
  EXPECT(vgc_root_remove(extra, sizeof extra) == 0);
  EXPECT(vgc_root_remove(extra, sizeof extra) == -1 && errno == ENOENT);
  EXPECT(vgc_root_add_callback(push_nothing, extra) == 0);
  EXPECT(vgc_root_remove_callback(push_nothing, extra) == 0);
  vgc_root_modules(1);
  EXPECT(vgc_root_exclude(extra, sizeof extra) == 0);
  EXPECT(vgc_root_include(extra, sizeof extra) == 0);
  vgc_root_set_filter(NULL, NULL);
}

static void *pass(void *arg) { return arg; }

static void wait_and_leave(void) {
  EXPECT(vgc_thread_attach() == -1 && errno == EALREADY);
  vgc_blocking_enter();
  vgc_blocking_leave();
  EXPECT(vgc_call_blocking(pass, root) == root);
  EXPECT(vgc_call_active(pass, root) == root);
  EXPECT(vgc_stack_follow(NULL) == 0);
  EXPECT(vgc_stack_bottom() != NULL);
  vgc_stop_world();
  vgc_resume_world();
  vgc_poll();
  EXPECT(vgc_thread_suspended(pthread_self()) == 0);
  EXPECT(vgc_thread_suspend((pthread_t)0) == -1 && vgc_thread_resume(pthread_self()) == 0);
  EXPECT(vgc_thread_attached() && vgc_suspend_signal() > 0);
  EXPECT(vgc_thread_detach() == 0);
  EXPECT(vgc_thread_attach() == 0);
}

static void misuse(void) {
  struct vgc_hooks hooks = {.struct_size = sizeof hooks, .error = count_error};
  vgc_set_hooks(&hooks, NULL);
  int local = 0;
  vgc_free(&local);
  EXPECT(errors == 1);
  vgc_set_hooks(NULL, NULL);
}

static void finish(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  EXPECT(vgc_get_stats(&stats) == 0);
  EXPECT(vgc_allocated_bytes() > 0);
  EXPECT(stats.cycles == 1 && stats.threads == 1 && stats.objects_allocated > 0);
  EXPECT(vgc_shutdown() == 0);
}

int main(void) {
  start();
  allocate();
  lay_out();
  make_kind();
  attach();
  steer();
  collect();
  add_roots();
  wait_and_leave();
  misuse();
  finish();
  return 0;
}
