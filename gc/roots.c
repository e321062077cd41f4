#include "roots.h"

#include <errno.h>

#include "atomic.h"
#include "config.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "span.h"
#include "thread.h"
#include "vgc.h"

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_ROOTS, 0);

/* ---- What the program adds ---- */

/* A range's start and size, or a callback and its argument. */
struct added {
  uintptr_t what, with; /* what 0: none */
};

/* A set with open addressing, at most half full: as fast with many roots as with few. Roots lock. */
struct table {
  struct added *slots;
  size_t count, size; /* size: slots, a power of two, or 0 */
};

static struct table ranges COLLECTOR_DATA;
static struct table callbacks COLLECTOR_DATA;

static size_t home_of(const struct table *table, struct added added) {
  uint64_t mixed = (added.what + added.with * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(mixed >> 32) & (table->size - 1);
}

/* Where it is, or the free slot where it would be. */
static size_t slot_of(const struct table *table, struct added added) {
  size_t at = home_of(table, added);
  while (table->slots[at].what && (table->slots[at].what != added.what || table->slots[at].with != added.with))
    at = (at + 1) & (table->size - 1);
  return at;
}

static bool grow(struct table *table) {
  struct table larger = {.count = table->count, .size = table->size ? table->size * 2 : 256};
  larger.slots = platform_reserve(larger.size * sizeof *larger.slots, 4096);
  if (!larger.slots) return false;
  for (size_t i = 0; i < table->size; i++)
    if (table->slots[i].what) larger.slots[slot_of(&larger, table->slots[i])] = table->slots[i];
  if (table->slots) platform_release(table->slots, table->size * sizeof *table->slots);
  *table = larger;
  return true;
}

static bool holds(const struct table *table, struct added added) {
  return table->size && table->slots[slot_of(table, added)].what;
}

/* What follows moves up, so that no search ends at the gap before it. */
static void take_out(struct table *table, size_t gap) {
  size_t mask = table->size - 1;
  for (size_t at = (gap + 1) & mask; table->slots[at].what; at = (at + 1) & mask) {
    if (((at - home_of(table, table->slots[at])) & mask) < ((at - gap) & mask)) continue; /* its search begins later */
    table->slots[gap] = table->slots[at];
    gap = at;
  }
  table->slots[gap] = (struct added){0, 0};
  table->count--;
}

static int table_add(struct table *table, struct added added) {
  int error = 0;
  lock_acquire(&lock);
  if (holds(table, added)) {
    error = EEXIST;
  } else if (table->count * 2 >= table->size && !grow(table)) {
    error = ENOMEM;
  } else {
    table->slots[slot_of(table, added)] = added;
    table->count++;
  }
  lock_release(&lock);
  if (error) errno = error;
  return error ? -1 : 0;
}

static int table_remove(struct table *table, struct added added) {
  lock_acquire(&lock);
  bool found = holds(table, added);
  if (found) take_out(table, slot_of(table, added));
  lock_release(&lock);
  if (!found) errno = ENOENT;
  return found ? 0 : -1;
}

static void table_clear(struct table *table) {
  if (table->slots) platform_release(table->slots, table->size * sizeof *table->slots);
  *table = (struct table){0};
}

int roots_add(const void *start, size_t size) {
  if (!start || size > UINTPTR_MAX - (uintptr_t)start) {
    errno = EINVAL;
    return -1;
  }
  return table_add(&ranges, (struct added){(uintptr_t)start, size});
}

int roots_remove(const void *start, size_t size) {
  return table_remove(&ranges, (struct added){(uintptr_t)start, size});
}

int roots_add_callback(vgc_root_callback *callback, void *arg) {
  if (!callback) {
    errno = EINVAL;
    return -1;
  }
  return table_add(&callbacks, (struct added){(uintptr_t)callback, (uintptr_t)arg});
}

int roots_remove_callback(vgc_root_callback *callback, void *arg) {
  return table_remove(&callbacks, (struct added){(uintptr_t)callback, (uintptr_t)arg});
}

void roots_lock(void) { lock_acquire(&lock); }
void roots_unlock(void) { lock_release(&lock); }

void roots_clear(void) {
  lock_acquire(&lock);
  table_clear(&ranges);
  table_clear(&callbacks);
  lock_release(&lock);
}

size_t roots_bytes(void) {
  lock_acquire(&lock);
  size_t bytes = (ranges.size + callbacks.size) * sizeof(struct added);
  lock_release(&lock);
  return bytes;
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

/* At check level 3, what a scan gave: each range's thread and number of words, then the words. */
static struct {
  uintptr_t *words;
  size_t used, size;
} copy COLLECTOR_DATA;

static void copy_room(size_t more) {
  if (copy.size - copy.used >= more) return;
  size_t size = copy.size ? copy.size : 65536;
  while (size - copy.used < more) size *= 2;
  uintptr_t *words = platform_reserve(size * sizeof *words, 4096);
  if (!words) {
    platform_print("vgc: check level 3: no memory for a copy of the roots; lower VGC_CHECK_LEVEL\n");
    platform_abort();
  }
  if (copy.used) __builtin_memcpy(words, copy.words, copy.used * sizeof *words);
  if (copy.words) platform_release(copy.words, copy.size * sizeof *words);
  copy.words = words;
  copy.size = size;
}

/* What is written is left to a function that is instrumented: the caller is not. */
static NOINLINE void copy_word(uintptr_t word) { copy.words[copy.used++] = word; }

static NO_SANITIZE const uintptr_t *copy_range(const uintptr_t *low, size_t words, const struct thread *thread) {
  copy_room(words + 2);
  copy_word((uintptr_t)thread);
  copy_word(words);
  for (size_t i = 0; i < words; i++) copy_word(low[i]);
  return copy.words + copy.used - words;
}

static void give(const struct scan *scan, uintptr_t low, uintptr_t high) {
  low = (low + sizeof(uintptr_t) - 1) & ~(uintptr_t)(sizeof(uintptr_t) - 1);
  high &= ~(uintptr_t)(sizeof(uintptr_t) - 1);
  if (low >= high) return;
  const uintptr_t *words = (const uintptr_t *)low;
  size_t count = (high - low) / sizeof *words;
  if (config.check_level >= 3) words = copy_range(words, count, scan->thread);
  scan->range(scan->context, words, words + count, scan->thread);
}

static void give_platform(void *context, uintptr_t low, uintptr_t high) { give(context, low, high); }

static void push(void *sink, const void *start, size_t size) { give(sink, (uintptr_t)start, (uintptr_t)start + size); }

static void scan_added(const struct scan *scan) {
  for (size_t i = 0; i < ranges.size; i++)
    if (ranges.slots[i].what) give(scan, ranges.slots[i].what, ranges.slots[i].what + ranges.slots[i].with);
  for (size_t i = 0; i < callbacks.size; i++)
    if (callbacks.slots[i].what)
      ((vgc_root_callback *)callbacks.slots[i].what)((void *)callbacks.slots[i].with, push, (void *)(uintptr_t)scan);
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

/* End of the stack that a coroutine made for itself around sp: of the heap object that it is, else of what is mapped.
 */
static uintptr_t stack_end(uintptr_t sp) {
  const struct span *span = span_of(sp);
  if (span) {
    if (span->size == 0) return span->base + span_slot_bytes(span);
    return span->base + (span_slot(span, sp) + 1) * (uintptr_t)span->size;
  }
  uintptr_t end = platform_mapping_end(sp);
  return end ? end : sp;
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
    give_stack(scan, (uintptr_t)thread->blocked_registers,
               (uintptr_t)(thread->blocked_registers + PLATFORM_SAVED_REGISTERS));
  platform_storage(modules, thread->thread_pointer, thread->stack_low, thread->stack_high, give_platform,
                   (void *)(uintptr_t)scan);
}

void roots_scan(roots_range *range, void *context) {
  struct scan scan = {range, context, NULL};
  copy.used = 0;
  POINT(roots_modules_enumerated);
  platform_modules_segments(modules, give_platform, &scan);
  scan_added(&scan);
  for (struct thread *thread = thread_first(); thread; thread = thread->next) {
    scan.thread = thread;
    scan_thread(&scan);
  }
}

void roots_scan_again(roots_range *range, void *context) {
  for (size_t at = 0; at < copy.used;) {
    struct thread *thread = (struct thread *)copy.words[at];
    const uintptr_t *low = copy.words + at + 2, *high = low + copy.words[at + 1];
    range(context, low, high, thread);
    at = (size_t)(high - copy.words);
  }
  if (copy.words) platform_release(copy.words, copy.size * sizeof *copy.words);
  copy.words = NULL;
  copy.used = copy.size = 0;
}
