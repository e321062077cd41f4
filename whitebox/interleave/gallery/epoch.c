/* Reclamation by epochs. `epoch` frees after one advance: a reader that announced the epoch before may still hold the
 * object. `epoch_late` lacks the fence after the announcement: the reader is late, its epoch is advanced over.
 * Source: K. Fraser, Practical lock-freedom, 2004, section 5.2.3; T. E. Hart et al., Performance of memory reclamation
 * for lockless synchronization, 2007. */
#include "gallery.h"

struct object {
  int value;
};

#define IDLE 0u /* epochs begin at 2 */

static bool twice, fences;
static struct object *_Atomic current;
static _Atomic unsigned epoch, announced;

static struct object *make(int value) {
  struct object *object = malloc(sizeof *object);
  if (object == NULL) abort();
  object->value = value;
  return object;
}

static void reader(void) {
  unsigned now = atomic_load_explicit(&epoch, memory_order_acquire);
  atomic_store_explicit(&announced, now, memory_order_relaxed);
  if (fences) atomic_thread_fence(memory_order_seq_cst);
  struct object *object = atomic_load_explicit(&current, memory_order_acquire);
  interleave_assert(object->value != 0);
  atomic_store_explicit(&announced, IDLE, memory_order_release);
}

static bool advance(void) {
  unsigned now = atomic_load_explicit(&epoch, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  unsigned reader_at = atomic_load_explicit(&announced, memory_order_acquire);
  if (reader_at != IDLE && reader_at != now) return false;
  atomic_store_explicit(&epoch, now + 1, memory_order_release);
  return true;
}

static struct object *kept;
static void replacer(void) {
  struct object *old = atomic_exchange_explicit(&current, make(2), memory_order_acq_rel);
  bool safe = advance() && (!twice || advance());
  if (safe)
    free(old);
  else
    kept = old;
}

static void run(void) {
  current = make(1);
  epoch = 2;
  announced = IDLE;
  kept = NULL;
  RUN(reader, replacer);
  free(kept);
  free(current);
}
static void run_once(bool with_fix) {
  twice = with_fix;
  fences = true;
  run();
}
static void run_late(bool with_fix) {
  twice = true;
  fences = with_fix;
  run();
}
GALLERY(epoch, "epoch reclamation after one advance", INTERLEAVE_MEMORY, run_once);
GALLERY(epoch_late, "epoch reclamation with a late reader", INTERLEAVE_MEMORY, run_late);
