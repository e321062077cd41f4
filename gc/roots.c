#include "roots.h"

#include <errno.h>

#include "atomic.h"
#include "config.h"
#include "exclude.h"
#include "hash.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "span.h"
#include "special.h"
#include "thread.h"
#include "vgc.h"

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_ROOTS, 0);

/* ---- What the program adds ---- */

/* Of a range its start and size, of a callback itself and its argument: all of it key. Roots lock. */
struct added {
  uintptr_t what, with;
};

static size_t scanned COLLECTOR_DATA; /* collect lock: bytes given by the last scan */

static struct hash ranges COLLECTOR_DATA = {.words = 2, .keys = 2};
static struct hash callbacks COLLECTOR_DATA = {.words = 2, .keys = 2};

static int add(struct hash *hash, struct added added) {
  const uintptr_t key[] = {added.what, added.with};
  int error = 0;
  lock_acquire(&lock);
  if (hash_find(hash, key))
    error = EEXIST;
  else if (!hash_add(hash, key))
    error = ENOMEM;
  lock_release(&lock);
  if (error) errno = error;
  return error ? -1 : 0;
}

static int take_out(struct hash *hash, struct added added) {
  const uintptr_t key[] = {added.what, added.with};
  lock_acquire(&lock);
  void *entry = hash_find(hash, key);
  if (entry) hash_take_out(hash, entry);
  lock_release(&lock);
  if (!entry) errno = ENOENT;
  return entry ? 0 : -1;
}

int roots_add(const void *start, size_t size) {
  if (!start || size > UINTPTR_MAX - (uintptr_t)start) {
    errno = EINVAL;
    return -1;
  }
  return add(&ranges, (struct added){(uintptr_t)start, size});
}

int roots_remove(const void *start, size_t size) { return take_out(&ranges, (struct added){(uintptr_t)start, size}); }

int roots_add_callback(vgc_root_callback *callback, void *arg) {
  if (!callback) {
    errno = EINVAL;
    return -1;
  }
  return add(&callbacks, (struct added){(uintptr_t)callback, (uintptr_t)arg});
}

int roots_remove_callback(vgc_root_callback *callback, void *arg) {
  return take_out(&callbacks, (struct added){(uintptr_t)callback, (uintptr_t)arg});
}

/* ---- Which of the loaded objects' data ---- */

static _Atomic bool without_modules COLLECTOR_DATA; /* anyone; read in a stopped world */
static struct filter {
  vgc_root_filter *function;
  void *arg;
  uint64_t number;
} filter COLLECTOR_DATA; /* roots lock */

void roots_modules(bool on) { store_relaxed(&without_modules, !on); }

static int report(int error) {
  if (error) errno = error;
  return error ? -1 : 0;
}

int roots_exclude(const void *start, size_t size) {
  lock_acquire(&lock);
  int error = exclude_add(start, size);
  lock_release(&lock);
  return report(error);
}

int roots_include(const void *start, size_t size) {
  lock_acquire(&lock);
  int error = exclude_remove(start, size);
  lock_release(&lock);
  return report(error);
}

/* Roots lock. A filter has a number of its own, for the same one may answer otherwise. */
static void change_filter(vgc_root_filter *function, void *arg) {
  if (!function && !filter.function) return;
  filter = (struct filter){function, arg, filter.number + 1};
}

void roots_set_filter(vgc_root_filter *function, void *arg) {
  lock_acquire(&lock);
  change_filter(function, arg);
  lock_release(&lock);
}

void roots_lock(void) { lock_acquire(&lock); }
void roots_unlock(void) { lock_release(&lock); }

void roots_clear(void) {
  lock_acquire(&lock);
  hash_clear(&ranges);
  hash_clear(&callbacks);
  exclude_clear();
  roots_modules(true);
  change_filter(NULL, NULL);
  scanned = 0;
  lock_release(&lock);
}

size_t roots_bytes(void) {
  lock_acquire(&lock);
  size_t bytes = hash_bytes(&ranges) + hash_bytes(&callbacks) + exclude_bytes();
  lock_release(&lock);
  return bytes;
}

/* ---- Loaded objects ---- */

static struct platform_modules *modules COLLECTOR_DATA; /* roots lock */
static uint64_t filtered COLLECTOR_DATA;                /* roots lock: number of the filter that was asked about them */

static struct filter filter_now(void) {
  lock_acquire(&lock);
  struct filter now = filter;
  lock_release(&lock);
  return now;
}

/* Who lists them has the loader's lock, which a forked child must not inherit. They are counted, not kept out while a
 * fork waits: one that is inside may list again, in a filter. */
static struct lock listing_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_LISTING, 0);
static unsigned listing COLLECTOR_DATA; /* with the lock */

/* Who is counted, or has the lock, is not held there by vgc_thread_suspend: others would wait for it. */
static void count_own(unsigned more) {
  struct thread *self = thread_self();
  if (self) store_relaxed(&self->listing, load_relaxed(&self->listing) + more);
}

static void count_listing(unsigned more) {
  lock_acquire(&listing_lock);
  listing += more;
  lock_release(&listing_lock);
}

void roots_before_fork(void) {
  count_own(1);
  lock_acquire(&listing_lock);
  while (listing) {
    lock_release(&listing_lock);
    POINT(roots_fork_waits);
    lock_nap();
    lock_acquire(&listing_lock);
  }
  POINT(listing_kept);
}

void roots_after_fork(void) {
  lock_release(&listing_lock);
  count_own(-1u);
}

bool roots_list_modules(void) {
  struct filter asked = filter_now();
  count_own(1);
  count_listing(1);
  struct platform_modules *list = platform_modules_list(asked.function, asked.arg);
  count_listing(-1u);
  count_own(-1u);
  if (!list) return false;
  lock_acquire(&lock);
  struct platform_modules *before = modules;
  modules = list;
  filtered = asked.number;
  lock_release(&lock);
  platform_modules_release(before);
  return true;
}

bool roots_modules_listed(void) { return modules && filtered == filter.number; }

bool roots_modules_hold(void) { return platform_modules_hold(modules); }

/* ---- The scan; world stopped ---- */

struct scan {
  roots_range *range;
  void *context;
  struct thread *thread; /* whose memory is being given, or NULL */
  bool is_static;
};

/* At check level 3, what a scan gave: each range's thread, whether it is static, and number of words, then the words.
 */
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

static NO_SANITIZE const uintptr_t *copy_range(const struct scan *scan, const uintptr_t *low, size_t words) {
  copy_room(words + 3);
  copy_word((uintptr_t)scan->thread);
  copy_word(scan->is_static);
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
  scanned += high - low;
  if (config.check_level >= 3) words = copy_range(scan, words, count);
  scan->range(scan->context, words, words + count, scan->thread, scan->is_static);
}

static void give_platform(void *context, uintptr_t low, uintptr_t high) { give(context, low, high); }

static void give_data(void *context, uintptr_t low, uintptr_t high) { exclude_cut(low, high, give_platform, context); }

static void push(void *sink, const void *start, size_t size) { give(sink, (uintptr_t)start, (uintptr_t)start + size); }

static bool give_added(void *entry, void *scan) {
  const struct added *range = entry;
  exclude_cut(range->what, range->what + range->with, give_platform, scan);
  return false;
}

static bool call_added(void *entry, void *scan) {
  const struct added *callback = entry;
  ((vgc_root_callback *)callback->what)((void *)callback->with, push, scan);
  return false;
}

static void scan_added(struct scan *scan) {
  hash_each(&ranges, give_added, scan);
  scan->is_static = false; /* a finalizer's argument may point anywhere; what a callback gives may be a stack */
  special_roots(give_platform, scan);
  hash_each(&callbacks, call_added, scan);
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

/* A thread that tells where its stack ends is taken at its word only if the end lies above and all between may be read:
 * suspended in the middle of a switch it shows a pointer and an end that do not belong together. So does a thread that
 * collects if the program has missed a switch, and a fault in a stopped world would say less of that than a collection
 * that keeps too much; a look costs less than the scan, and this bounds both. */
#define FOLLOW_BYTES ((uintptr_t)1 << 30)

/* The end that it tells for the stack around sp, or 0. */
static uintptr_t told_end(const struct thread *thread, uintptr_t sp, bool own) {
  uintptr_t end = thread_bottom(thread);
  if (end <= sp) return 0;
  if (own) return end <= thread->stack_high ? end : 0;
  return end - sp <= FOLLOW_BYTES && platform_readable(sp, end - sp) ? end : 0;
}

/* The signal whose handler runs on the alternate stack came at a place that nobody knows, on a stack of which the
 * thread tells the end: all of that, from the start of the heap object that it is, else of what is mapped. */
static void give_interrupted(const struct scan *scan) {
  const struct thread *thread = scan->thread;
  uintptr_t end = thread_bottom(thread), low = end, high;
  if (!end || (end > thread->stack_low && end <= thread->stack_high)) return;
  const struct span *span = span_of(end - 1);
  if (span)
    low = span->base + (span->size ? span_slot(span, end - 1) * (uintptr_t)span->size : 0);
  else if (!platform_mapping(end - 1, &low, &high))
    return;
  give_stack(scan, low, end);
}

/* The thread is away from its own stack, at a place there that nobody knows: all that is mapped of it, be it in several
 * mappings. */
static void give_whole_stack(const struct scan *scan) {
  const struct thread *thread = scan->thread;
  uintptr_t mapped = thread->stack_high, low, high;
  while (mapped > thread->stack_low && platform_mapping(mapped - 1, &low, &high)) mapped = low;
  give_stack(scan, mapped > thread->stack_low ? mapped : thread->stack_low, thread->stack_high);
}

struct extent {
  uintptr_t low, high;
};

/* What has been given: a thread's storage may lie at the end of its own stack. */
static struct extent scan_stack(const struct scan *scan) {
  const struct thread *thread = scan->thread;
  const struct platform_position *position = thread->position;
  uintptr_t sp = position->sp;
  if (position->alternate_high) {
    give_stack(scan, sp, position->alternate_high);
    give_interrupted(scan);
  } else {
    bool own = sp >= thread->stack_low && sp < thread->stack_high;
    uintptr_t end = told_end(thread, sp, own);
    if (!end && own) end = thread->stack_high;
    give_stack(scan, sp, end ? end : stack_end(sp));
    if (end) return (struct extent){sp, end};
  }
  give_whole_stack(scan);
  return (struct extent){thread->stack_low, thread->stack_high};
}

static void give_word(const struct scan *scan, void *const *word) { push((void *)(uintptr_t)scan, word, sizeof *word); }

static void scan_thread(const struct scan *scan) {
  struct thread *thread = scan->thread;
  give_word(scan, &thread->argument);
  give_word(scan, &thread->result);
  if (thread->inherited) push((void *)(uintptr_t)scan, thread->inherited, THREAD_INHERITED_BYTES);
  if (!thread->position) return;
  struct extent given = scan_stack(scan);
  if (thread->position == &thread->blocked)
    give_stack(scan, (uintptr_t)thread->blocked_registers,
               (uintptr_t)(thread->blocked_registers + PLATFORM_SAVED_REGISTERS));
  platform_storage(modules, thread->thread_pointer, given.low, given.high, give_platform, (void *)(uintptr_t)scan);
}

void roots_scan(roots_range *range, void *context) {
  struct scan scan = {range, context, NULL, true};
  copy.used = scanned = 0;
  POINT(roots_modules_enumerated);
  if (!load_relaxed(&without_modules)) platform_modules_segments(modules, give_data, &scan);
  scan_added(&scan);
  scan.is_static = false;
  for (struct thread *thread = thread_first(); thread; thread = thread->next) {
    scan.thread = thread;
    scan_thread(&scan);
  }
}

size_t roots_scanned(void) { return scanned; }

void roots_scan_again(roots_range *range, void *context) {
  for (size_t at = 0; at < copy.used;) {
    struct thread *thread = (struct thread *)copy.words[at];
    const uintptr_t *low = copy.words + at + 3, *high = low + copy.words[at + 2];
    range(context, low, high, thread, copy.words[at + 1] != 0);
    at = (size_t)(high - copy.words);
  }
  if (copy.words) platform_release(copy.words, copy.size * sizeof *copy.words);
  copy.words = NULL;
  copy.used = copy.size = 0;
}
