#include "mark_team.h"

#include <pthread.h>

#include "config.h"
#include "heap.h"
#include "lock.h"
#include "pages.h"
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
  bool ending;            /* helpers are to end; false again, without the lock, once none is left */
  bool asleep;            /* somebody may sleep on `news` */
  unsigned joined;        /* markers that take part */
  unsigned chunks;        /* of the pool, filled */
  _Atomic uint32_t news;  /* changes when there is work, marking is over, or the last marker has left */
  _Atomic uint32_t calls; /* changes when marking begins, or helpers are to end */
  void (*help)(unsigned number);
  struct chunk pool[CHUNKS];
} team COLLECTOR_DATA;

/* 1 while a thread starts or ends helpers: acquire by who begins, release by who is done; slept on. */
static _Atomic uint32_t hiring COLLECTOR_DATA;
/* Whoever has `hiring`: */
static pthread_t threads[MARK_TEAM_MAX] COLLECTOR_DATA;
static _Atomic unsigned helpers COLLECTOR_DATA; /* relaxed: the collector asks how many there are, no more */

/* Wakes who sleeps on the word. With the lock. */
static void tell(_Atomic uint32_t *word) {
  store_relaxed(word, load_relaxed(word) + 1);
  platform_futex_wake_all(word);
}

/* Sleeps until the word changes, or for so long (0: no limit). Called and left with the lock held, given up meanwhile.
 */
static void sleep_on(_Atomic uint32_t *word, uint64_t nanoseconds) {
  uint32_t seen = load_relaxed(word);
  lock_release(&lock);
  POINT(mark_team_sleeps);
  platform_futex_wait(word, seen, nanoseconds);
  lock_acquire(&lock);
}

/* Wakes who waits for news. With the lock. */
static void tell_news(void) {
  if (team.asleep)
    tell(&team.news);
  else
    store_relaxed(&team.news, load_relaxed(&team.news) + 1);
  team.asleep = false;
}

/* Called and left with the lock held, given up meanwhile. News that come soon need no system
 * call. */
static void await_news(void) {
  uint32_t seen = load_relaxed(&team.news);
  lock_release(&lock);
  platform_spin(&team.news, seen);
  lock_acquire(&lock);
  if (load_relaxed(&team.news) != seen) return;
  team.asleep = true;
  sleep_on(&team.news, 0);
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
    tell_news();
  }
  lock_release(&lock);
  return count;
}

size_t mark_team_take(struct mark_range *ranges, size_t room) {
  size_t count = 0;
  lock_acquire(&lock);
  store_relaxed(&mark_team_waiting, load_relaxed(&mark_team_waiting) + 1);
  while (team.open && !team.chunks && load_relaxed(&mark_team_waiting) < team.joined) {
    POINT(mark_team_waits);
    await_news();
  }
  if (team.chunks) {
    struct chunk *chunk = &team.pool[team.chunks - 1];
    count = chunk->count < room ? chunk->count : room;
    chunk->count -= (unsigned)count;
    __builtin_memcpy(ranges, chunk->ranges + chunk->count, count * sizeof *ranges);
    if (!chunk->count) team.chunks--;
  } else if (team.open) {
    team.open = false;
    tell_news();
  }
  store_relaxed(&mark_team_waiting, load_relaxed(&mark_team_waiting) - 1);
  lock_release(&lock);
  return count;
}

/* With the lock. Who waits for work may be the last now. */
static void leave(void) {
  team.joined--;
  tell_news();
}

void mark_team_close(void) {
  lock_acquire(&lock);
  leave();
  while (team.joined) await_news();
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

/* The first helper gives back what has been idle. With the lock, given up meanwhile. */
static void trim(void) {
  lock_release(&lock);
  lock_acquire(&heap_lock);
  pages_trim(false, 0);
  lock_release(&heap_lock);
  POINT(mark_team_trimmed);
  lock_acquire(&lock);
}

static void *helper(void *arg) {
  unsigned number = (unsigned)(uintptr_t)arg;
  uint64_t limit = number == 1 ? config.trim_ms * UINT64_C(1000000) : 0;
  lock_acquire(&lock);
  for (uint32_t answered = 0; !team.ending; answered = load_relaxed(&team.calls)) {
    while (load_relaxed(&team.calls) == answered && !team.ending) {
      sleep_on(&team.calls, limit);
      if (limit && load_relaxed(&team.calls) == answered) trim();
    }
    if (team.open) help(number);
  }
  lock_release(&lock);
  return NULL;
}

unsigned mark_team_helpers(void) { return load_relaxed(&helpers); }

/* Acquire: threads and helpers as the last one left them, by hiring_end's release. */
static bool hiring_begin(void) { return !exchange_acquire(&hiring, 1); }

static void hiring_end(void) {
  store_release(&hiring, 0); /* release: threads and helpers; acquire in hiring_begin */
  platform_futex_wake_all(&hiring);
}

void mark_team_start(unsigned wanted) {
  if (load_relaxed(&helpers) >= wanted || !hiring_begin()) return;
  unsigned count = load_relaxed(&helpers);
  while (count < wanted && spawn_service(&threads[count], helper, (void *)(uintptr_t)(count + 1)) == 0)
    store_relaxed(&helpers, ++count);
  hiring_end();
}

static void end_all(void) {
  lock_acquire(&lock);
  team.ending = true;
  tell(&team.calls);
  lock_release(&lock);
  for (unsigned i = load_relaxed(&helpers); i-- > 0;) spawn_service_join(threads[i]);
  store_relaxed(&helpers, 0);
  team.ending = false;
}

void mark_team_end(void) {
  if (!load_relaxed(&helpers) || !hiring_begin()) return;
  end_all();
  hiring_end();
}

void mark_team_stop(void) {
  while (!hiring_begin()) platform_futex_wait(&hiring, 1, 0);
  end_all();
  hiring_end();
}

void mark_team_before_fork(void) { lock_acquire(&lock); }

void mark_team_after_fork(bool child) {
  if (child) {
    store_relaxed(&helpers, 0);
    store_relaxed(&hiring, 0);
    team.ending = false;
  }
  lock_release(&lock);
}
