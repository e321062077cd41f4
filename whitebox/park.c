#include "park.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "door.h"
#include "test.h"

enum park_state { PARK_FREE, PARK_ARMED, PARK_REACHED, PARK_RELEASED };

enum { PARKS = 32 };

struct park {
  /* Written by the test before ARMED is published (release), read by threads that saw it (acquire): */
  const char *point;
  pthread_t thread;
  bool only_thread;    /* this thread, else any but this */
  bool each;           /* act at every passage */
  void (*act)(void *); /* NULL: park */
  void *arg;
  int arrived, released; /* eventfds */
  /* Atomic: */
  _Atomic int state;
  _Atomic unsigned skip;
  _Atomic unsigned passages;
  _Atomic bool await;
};

static struct park parks[PARKS];

static void token_put(int fd) {
  uint64_t one = 1;
  while (write(fd, &one, sizeof one) < 0) must(errno == EINTR);
}

static void token_take(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0) must(errno == EINTR);
}

static bool park_concerns_me(const struct park *park) {
  if (park->act && !park->only_thread) return true;
  return !!pthread_equal(park->thread, pthread_self()) == park->only_thread;
}

/* No cancellation point, as the shipped library has none there. */
static void park_enter(struct park *park) {
  int saved = errno, cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  if (park->act) {
    park->act(park->arg);
    token_put(park->arrived);
  } else {
    token_put(park->arrived);
    token_take(park->released);
  }
  pthread_setcancelstate(cancel, NULL);
  errno = saved;
}

static void park_hook(const char *point) {
  for (unsigned i = 0; i < PARKS; i++) {
    struct park *park = &parks[i];
    int state = atomic_load_explicit(&park->state, memory_order_acquire);
    if (state == PARK_FREE || strcmp(park->point, point) != 0) continue;
    atomic_fetch_add_explicit(&park->passages, 1, memory_order_relaxed);
    if (state != PARK_ARMED || !park_concerns_me(park)) continue;
    if (park->each) {
      int saved = errno;
      park->act(park->arg);
      errno = saved;
      continue;
    }
    unsigned skip = atomic_load_explicit(&park->skip, memory_order_relaxed);
    while (skip && !atomic_compare_exchange_weak_explicit(&park->skip, &skip, skip - 1, memory_order_relaxed,
                                                          memory_order_relaxed)) {
    }
    if (skip) continue;
    int armed = PARK_ARMED;
    if (atomic_compare_exchange_strong_explicit(&park->state, &armed, PARK_REACHED, memory_order_acq_rel,
                                                memory_order_relaxed))
      park_enter(park);
  }
}

static struct park *park_claim(const char *point) {
  for (unsigned i = 0; i < PARKS; i++) {
    struct park *park = &parks[i];
    if (atomic_load_explicit(&park->state, memory_order_acquire) != PARK_FREE) continue;
    park->point = point;
    park->thread = pthread_self();
    park->only_thread = park->each = false;
    park->act = NULL;
    park->arrived = eventfd(0, EFD_CLOEXEC);
    park->released = eventfd(0, EFD_CLOEXEC);
    must(park->arrived >= 0 && park->released >= 0);
    atomic_store_explicit(&park->skip, 0, memory_order_relaxed);
    atomic_store_explicit(&park->passages, 0, memory_order_relaxed);
    atomic_store_explicit(&park->await, false, memory_order_relaxed);
    return park;
  }
  must(false && "more parks than park.c has room for");
  return NULL;
}

static struct park *park_publish(struct park *park) {
  atomic_store_explicit(&park->state, PARK_ARMED, memory_order_release);
  atomic_store_explicit(&vgc_point_hook, park_hook, memory_order_release);
  return park;
}

struct park *park_arm(const char *point) {
  return park_publish(park_claim(point));
}

struct park *park_arm_after(const char *point, unsigned skip) {
  struct park *park = park_claim(point);
  atomic_store_explicit(&park->skip, skip, memory_order_relaxed);
  return park_publish(park);
}

struct park *park_arm_thread(const char *point, pthread_t thread) {
  struct park *park = park_claim(point);
  park->thread = thread;
  park->only_thread = true;
  return park_publish(park);
}

struct park *park_arm_call(const char *point, void (*act)(void *), void *arg) {
  struct park *park = park_claim(point);
  park->act = act;
  park->arg = arg;
  return park_publish(park);
}

struct park *park_arm_each(const char *point, void (*act)(void *), void *arg) {
  struct park *park = park_claim(point);
  park->act = act;
  park->arg = arg;
  park->each = true;
  return park_publish(park);
}

void park_await(struct park *park) {
  atomic_store_explicit(&park->await, true, memory_order_relaxed);
  token_take(park->arrived);
  atomic_store_explicit(&park->await, false, memory_order_relaxed);
  token_put(park->arrived); /* so that a second await, or none, finds the same */
}

bool park_reached(struct park *park) {
  return atomic_load_explicit(&park->state, memory_order_acquire) == PARK_REACHED;
}

void park_release(struct park *park) {
  int before = atomic_exchange_explicit(&park->state, PARK_RELEASED, memory_order_acq_rel);
  must(before == PARK_ARMED || before == PARK_REACHED);
  token_put(park->released);
}

unsigned park_passages(const struct park *park) { return atomic_load_explicit(&park->passages, memory_order_relaxed); }

int park_reset(void **state) {
  (void)state;
  atomic_store_explicit(&vgc_point_hook, NULL, memory_order_release);
  for (unsigned i = 0; i < PARKS; i++) {
    struct park *park = &parks[i];
    int now = atomic_load_explicit(&park->state, memory_order_acquire);
    if (now == PARK_FREE) continue;
    if (now != PARK_RELEASED) park_release(park);
    /* The eventfds stay open: a thread on its way out may still read its own. A process runs one group of tests. */
    atomic_store_explicit(&park->state, PARK_FREE, memory_order_release);
  }
  return 0;
}

void park_describe(void) {
  static const char *const names[] = {"free", "armed, not reached", "reached, not released", "released"};
  for (unsigned i = 0; i < PARKS; i++) {
    struct park *park = &parks[i];
    int state = atomic_load_explicit(&park->state, memory_order_acquire);
    if (state == PARK_FREE) continue;
    const char *const parts[] = {"point ", park->point, ": ", names[state],
                                 atomic_load_explicit(&park->await, memory_order_relaxed) ? ", awaited\n" : "\n"};
    for (unsigned part = 0; part < sizeof parts / sizeof *parts; part++)
      if (write(STDERR_FILENO, parts[part], strlen(parts[part])) < 0) return;
  }
}
