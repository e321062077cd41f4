#include "roots.h"

#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "span.h"
#include "thread.h"
#include "vgc.h"

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_ROOTS, 0);

/* ---- What the program adds ---- */

struct added_range {
  const void *start;
  size_t size;
};
struct added_callback {
  vgc_root_callback *callback;
  void *arg;
};

/* A table that grows; roots lock. */
struct table {
  void *items;
  size_t count, bytes; /* bytes: of the mapping */
};

static struct table ranges COLLECTOR_DATA;
static struct table callbacks COLLECTOR_DATA;

/* Room for one more item of that size, or NULL. */
static void *table_room(struct table *table, size_t item) {
  size_t used = table->count * item;
  if (used + item > table->bytes) {
    size_t bytes = table->bytes ? table->bytes * 2 : 4096;
    void *items = platform_reserve(bytes, 4096);
    if (!items) return NULL;
    if (used) memcpy(items, table->items, used);
    if (table->items) platform_release(table->items, table->bytes);
    table->items = items;
    table->bytes = bytes;
  }
  return (char *)table->items + used;
}

static void *table_find(const struct table *table, const void *wanted, size_t item) {
  char *at = table->items;
  for (size_t i = 0; i < table->count; i++, at += item)
    if (memcmp(at, wanted, item) == 0) return at;
  return NULL;
}

static int table_add(struct table *table, const void *wanted, size_t item) {
  int error = 0;
  lock_acquire(&lock);
  if (table_find(table, wanted, item)) {
    error = EEXIST;
  } else {
    void *room = table_room(table, item);
    if (room) {
      memcpy(room, wanted, item);
      table->count++;
    } else {
      error = ENOMEM;
    }
  }
  lock_release(&lock);
  if (error) errno = error;
  return error ? -1 : 0;
}

static int table_remove(struct table *table, const void *wanted, size_t item) {
  lock_acquire(&lock);
  char *found = table_find(table, wanted, item);
  if (found) {
    table->count--;
    memmove(found, (char *)table->items + table->count * item, item);
  }
  lock_release(&lock);
  if (!found) errno = ENOENT;
  return found ? 0 : -1;
}

static void table_clear(struct table *table) {
  if (table->items) platform_release(table->items, table->bytes);
  *table = (struct table){0};
}

int roots_add(const void *start, size_t size) {
  if (!start || size > UINTPTR_MAX - (uintptr_t)start) {
    errno = EINVAL;
    return -1;
  }
  return table_add(&ranges, &(struct added_range){start, size}, sizeof(struct added_range));
}

int roots_remove(const void *start, size_t size) {
  return table_remove(&ranges, &(struct added_range){start, size}, sizeof(struct added_range));
}

int roots_add_callback(vgc_root_callback *callback, void *arg) {
  if (!callback) {
    errno = EINVAL;
    return -1;
  }
  return table_add(&callbacks, &(struct added_callback){callback, arg}, sizeof(struct added_callback));
}

int roots_remove_callback(vgc_root_callback *callback, void *arg) {
  return table_remove(&callbacks, &(struct added_callback){callback, arg}, sizeof(struct added_callback));
}

void roots_lock(void) { lock_acquire(&lock); }
void roots_unlock(void) { lock_release(&lock); }

void roots_clear(void) {
  lock_acquire(&lock);
  table_clear(&ranges);
  table_clear(&callbacks);
  lock_release(&lock);
}

/* ---- Loaded objects ---- */

static struct platform_modules *modules COLLECTOR_DATA; /* roots lock */

bool roots_list_modules(void) {
  struct platform_modules *list = platform_modules_list();
  if (!list) return false;
  lock_acquire(&lock);
  struct platform_modules *before = modules;
  modules = list;
  lock_release(&lock);
  platform_modules_release(before);
  return true;
}

bool roots_modules_listed(void) { return modules != NULL; }

bool roots_modules_hold(void) { return platform_modules_hold(modules); }

/* ---- The scan; world stopped ---- */

struct scan {
  roots_range *range;
  void *context;
  struct thread *thread; /* whose memory is being given, or NULL */
};

static void give(const struct scan *scan, uintptr_t low, uintptr_t high) {
  low = (low + sizeof(uintptr_t) - 1) & ~(uintptr_t)(sizeof(uintptr_t) - 1);
  high &= ~(uintptr_t)(sizeof(uintptr_t) - 1);
  if (low < high) scan->range(scan->context, (const void *)low, (const void *)high, scan->thread);
}

static void give_platform(void *context, uintptr_t low, uintptr_t high) { give(context, low, high); }

static void push(void *sink, const void *start, size_t size) { give(sink, (uintptr_t)start, (uintptr_t)start + size); }

static void scan_added(const struct scan *scan) {
  const struct added_range *range = ranges.items;
  for (size_t i = 0; i < ranges.count; i++) push((void *)(uintptr_t)scan, range[i].start, range[i].size);
  const struct added_callback *added = callbacks.items;
  for (size_t i = 0; i < callbacks.count; i++) added[i].callback(added[i].arg, push, (void *)(uintptr_t)scan);
}

/* Under AddressSanitizer a local may live in a heap-side frame, of which the stack holds only the address (X05). */
static NO_SANITIZE void give_stack(const struct scan *scan, uintptr_t low, uintptr_t high) {
  give(scan, low, high);
  void *fake_stack = scan->thread->position->fake_stack;
  if (!fake_stack) return;
  uintptr_t frame_low, frame_high, last = 0;
  for (uintptr_t at = low & ~(uintptr_t)7; at + sizeof at <= high; at += sizeof at) {
    uintptr_t word = *(const uintptr_t *)at;
    if (!platform_fake_frame(fake_stack, word, &frame_low, &frame_high) || frame_low == last) continue;
    last = frame_low;
    give(scan, frame_low, frame_high);
  }
}

/* End of the stack that a coroutine made for itself around sp: of the heap object that it is, else of the mapping. */
static uintptr_t stack_end(uintptr_t sp) {
  const struct span *span = span_of(sp);
  if (span) {
    if (span->size == 0) return span->base + span_slot_bytes(span);
    return span->base + (span_slot(span, sp) + 1) * (uintptr_t)span->size;
  }
  uintptr_t low, high;
  return platform_mapping(sp, &low, &high) ? high : sp;
}

/* The thread is away from its own stack, at a place there that nobody knows: all that is mapped of it, be it in several
 * mappings. */
static void give_whole_stack(const struct scan *scan) {
  const struct thread *thread = scan->thread;
  uintptr_t mapped = thread->stack_high, low, high;
  while (mapped > thread->stack_low && platform_mapping(mapped - 1, &low, &high)) mapped = low;
  give_stack(scan, mapped > thread->stack_low ? mapped : thread->stack_low, thread->stack_high);
}

static void scan_stack(const struct scan *scan) {
  const struct thread *thread = scan->thread;
  const struct platform_position *position = thread->position;
  bool alternate = position->alternate_high != 0;
  if (!alternate && position->sp >= thread->stack_low && position->sp < thread->stack_high) {
    give_stack(scan, position->sp, thread->stack_high);
    return;
  }
  give_stack(scan, position->sp, alternate ? position->alternate_high : stack_end(position->sp));
  give_whole_stack(scan);
}

static void give_word(const struct scan *scan, void *const *word) { push((void *)(uintptr_t)scan, word, sizeof *word); }

static void scan_thread(const struct scan *scan) {
  struct thread *thread = scan->thread;
  give_word(scan, &thread->argument);
  give_word(scan, &thread->result);
  if (thread->inherited) push((void *)(uintptr_t)scan, thread->inherited, THREAD_INHERITED_BYTES);
  if (!thread->position) return;
  scan_stack(scan);
  if (thread->position == &thread->blocked)
    give(scan, (uintptr_t)thread->blocked_registers, (uintptr_t)(thread->blocked_registers + PLATFORM_SAVED_REGISTERS));
  platform_storage(modules, thread->thread_pointer, thread->stack_low, thread->stack_high, give_platform,
                   (void *)(uintptr_t)scan);
}

void roots_scan(roots_range *range, void *context) {
  struct scan scan = {range, context, NULL};
  POINT(roots_modules_enumerated);
  platform_modules_segments(modules, give_platform, &scan);
  scan_added(&scan);
  for (struct thread *thread = thread_first(); thread; thread = thread->next) {
    scan.thread = thread;
    scan_thread(&scan);
  }
}
