#include "event.h"

#include <stddef.h>

#include "atomic.h"
#include "platform.h"
#include "thread.h"

#define RING_EVENTS 64u
#define RING_COUNT  64u

/* Threads share rings, by their number, once there are more threads than rings; an event may then be torn or lost,
 * which a dump after a failure can live with. All fields relaxed, and no read-modify-write: nothing follows from an
 * event. */
static struct {
  _Atomic uint32_t next;
  struct {
    _Atomic uint64_t time;
    _Atomic uint32_t kind, thread;
    _Atomic uintptr_t a, b;
  } events[RING_EVENTS];
} rings[RING_COUNT] COLLECTOR_DATA;

static const char *const names[] = {"none",  "refill",    "span-taken", "span-made", "remote", "stop",
                                    "cycle", "surrender", "attach",     "leave",     "error"};

void event_record(enum event_kind kind, uintptr_t a, uintptr_t b) {
  const struct thread *self = thread_self();
  uint32_t number = self ? (uint32_t)self->birth : 0; /* 0: not registered */
  uint32_t ring = number % RING_COUNT;
  uint32_t next = load_relaxed(&rings[ring].next);
  store_relaxed(&rings[ring].next, next + 1);
  uint32_t slot = next % RING_EVENTS;
  store_relaxed(&rings[ring].events[slot].time, platform_now_ns());
  store_relaxed(&rings[ring].events[slot].kind, (uint32_t)kind);
  store_relaxed(&rings[ring].events[slot].thread, number);
  store_relaxed(&rings[ring].events[slot].a, a);
  store_relaxed(&rings[ring].events[slot].b, b);
}

void event_dump(void) {
  for (uint32_t ring = 0; ring < RING_COUNT; ring++)
    for (uint32_t slot = 0; slot < RING_EVENTS; slot++) {
      uint32_t kind = load_relaxed(&rings[ring].events[slot].kind);
      if (!kind || kind >= sizeof names / sizeof *names) continue;
      platform_print("vgc-event %llu %u %s 0x%lx 0x%lx\n",
                     (unsigned long long)load_relaxed(&rings[ring].events[slot].time),
                     load_relaxed(&rings[ring].events[slot].thread), names[kind],
                     (unsigned long)load_relaxed(&rings[ring].events[slot].a),
                     (unsigned long)load_relaxed(&rings[ring].events[slot].b));
    }
}
