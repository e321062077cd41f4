#include "stops.h"

#include "door.h"
#include "park.h"
#include "test.h"

/* The stopping thread, in its hooks; and the test, which is the same thread. */
static struct {
  struct thread *thread;
  unsigned rounds, act_at;
  bool acted, went_on;
  void (*act)(void *);
  void *arg;
} watch;

static void act_once(void) {
  if (watch.acted) return;
  watch.acted = true;
  watch.act(watch.arg);
}

static void waits(void *unused) {
  (void)unused;
  if (++watch.rounds >= watch.act_at) act_once();
}

static void stopped(void *unused) {
  (void)unused;
  bool runs = load_relaxed(&watch.thread->state) == THREAD_RUNNING;
  if (runs && load_relaxed(&watch.thread->stop_epoch) != world_epoch()) {
    watch.went_on = true;
    act_once();
  }
}

void stops_watch(struct thread *thread, unsigned round, void (*act)(void *), void *arg) {
  watch.thread = thread;
  watch.rounds = 0;
  watch.act_at = round;
  watch.acted = watch.went_on = false;
  watch.act = act;
  watch.arg = arg;
  park_arm_each("world_waits", waits, NULL);
  park_arm_each("collect_stopped", stopped, NULL);
}

bool stops_went_on_without(void) { return watch.went_on; }
unsigned stops_rounds(void) { return watch.rounds; }
