#include "mark_team.h"

#include <pthread.h>

#include "lock.h"
#include "point.h"
#include "spawn.h"

#define CHUNKS 32u /* given and not taken yet; more than that stays where it is */

struct chunk {
  unsigned count;
  struct mark_range ranges[MARK_TEAM_CHUNK];
};

_Atomic uint32_t mark_team_waiting COLLECTOR_DATA;

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_MARK, 0);
/* Under the lock. The two words that are slept on are read by the kernel, too; nobody decides by them but under the
 * lock. */
static struct {
  bool open;              /* marking goes on */
  bool ending;            /* helpers are to end */
  unsigned joined;        /* markers that take part */
  unsigned chunks;        /* of the pool, filled */
  _Atomic uint32_t news;  /* changes when there is work, marking is over, or the last marker has left */
  _Atomic uint32_t calls; /* changes when marking begins, or helpers are to end */
  void (*help)(unsigned number);
  struct chunk pool[CHUNKS];
} team COLLECTOR_DATA;

/* Whoever starts and stops them. */
static pthread_t threads[MARK_TEAM_MAX] COLLECTOR_DATA;
static _Atomic unsigned helpers COLLECTOR_DATA; /* relaxed: the collector asks how many there are, no more */
/* One thread at a time starts helpers. */
static _Atomic bool starting COLLECTOR_DATA;

/* Wakes who sleeps on the word. With the lock. */
static void tell(_Atomic uint32_t *word) {
  store_relaxed(word, load_relaxed(word) + 1);
  platform_futex_wake_all(word);
}

/* Sleeps until the word changes. Called and left with the lock held, given up meanwhile. */
static void sleep_on(_Atomic uint32_t *word) {
  uint32_t seen = load_relaxed(word);
  lock_release(&lock);
  POINT(mark_team_sleeps);
  platform_futex_wait(word, seen, 0);
  lock_acquire(&lock);
}

/* ---- Sharing ---- */

void mark_team_open(void (*help)(unsigned number)) {
  lock_acquire(&lock);
  team.open = true;
  team.help = help;
  team.joined = 1;
  tell(&team.calls);
  lock_release(&lock);
}

size_t mark_team_give(const struct mark_range *ranges, size_t count) {
  if (count > MARK_TEAM_CHUNK) count = MARK_TEAM_CHUNK;
  lock_acquire(&lock);
  if (team.chunks == CHUNKS) count = 0;
  if (count) {
    struct chunk *chunk = &team.pool[team.chunks++];
    chunk->count = (unsigned)count;
    __builtin_memcpy(chunk->ranges, ranges, count * sizeof *ranges);
    tell(&team.news);
  }
  lock_release(&lock);
  return count;
}

size_t mark_team_take(struct mark_range *ranges, size_t room) {
  size_t count = 0;
  lock_acquire(&lock);
  store_relaxed(&mark_team_waiting, load_relaxed(&mark_team_waiting) + 1);
  while (team.open && !team.chunks && load_relaxed(&mark_team_waiting) < team.joined) sleep_on(&team.news);
  if (team.chunks) {
    struct chunk *chunk = &team.pool[team.chunks - 1];
    count = chunk->count < room ? chunk->count : room;
    chunk->count -= (unsigned)count;
    __builtin_memcpy(ranges, chunk->ranges + chunk->count, count * sizeof *ranges);
    if (!chunk->count) team.chunks--;
  } else if (team.open) {
    team.open = false;
    tell(&team.news);
  }
  store_relaxed(&mark_team_waiting, load_relaxed(&mark_team_waiting) - 1);
  lock_release(&lock);
  return count;
}

/* With the lock. */
static void leave(void) {
  team.joined--;
  if (!team.joined) tell(&team.news);
}

void mark_team_close(void) {
  lock_acquire(&lock);
  leave();
  while (team.joined) sleep_on(&team.news);
  lock_release(&lock);
}

/* ---- Threads ---- */

/* With the lock, given up meanwhile. */
static void help(unsigned number) {
  team.joined++;
  lock_release(&lock);
  POINT(mark_team_joined);
  team.help(number);
  lock_acquire(&lock);
  leave();
}

static void *helper(void *arg) {
  unsigned number = (unsigned)(uintptr_t)arg;
  lock_acquire(&lock);
  for (uint32_t answered = 0; !team.ending; answered = load_relaxed(&team.calls)) {
    while (load_relaxed(&team.calls) == answered && !team.ending) sleep_on(&team.calls);
    if (team.open) help(number);
  }
  lock_release(&lock);
  return NULL;
}

unsigned mark_team_helpers(void) { return load_relaxed(&helpers); }

void mark_team_start(unsigned wanted) {
  if (load_relaxed(&helpers) >= wanted) return;
  /* Acquire: what the last one wrote into threads, by its release below. */
  if (exchange_acquire(&starting, true)) return;
  unsigned count = load_relaxed(&helpers);
  while (count < wanted && spawn_service(&threads[count], helper, (void *)(uintptr_t)(count + 1)) == 0)
    store_relaxed(&helpers, ++count);
  store_release(&starting, false); /* release: threads; acquire above */
}

void mark_team_stop(void) {
  lock_acquire(&lock);
  team.ending = true;
  tell(&team.calls);
  lock_release(&lock);
  for (unsigned i = load_relaxed(&helpers); i-- > 0;) spawn_service_join(threads[i]);
  store_relaxed(&helpers, 0);
  team.ending = false;
}

void mark_team_before_fork(void) { lock_acquire(&lock); }

void mark_team_after_fork(bool child) {
  if (child) {
    store_relaxed(&helpers, 0);
    store_relaxed(&starting, false);
  }
  lock_release(&lock);
}
