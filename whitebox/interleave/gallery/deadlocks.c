/* Lock orders.
 * Source: E. W. Dijkstra, Hierarchical ordering of sequential processes, 1971 (philosophers); POSIX,
 * pthread_rwlock_wrlock: "results are undefined if the calling thread holds the read-write lock". */
#include "gallery.h"

static bool fixed;

/* ---- Two readers that both want to write ---- */

static pthread_rwlock_t table_lock;
static int entries;
static void add_if_absent(void) {
  pthread_rwlock_rdlock(&table_lock);
  bool absent = entries == 0;
  if (!absent) {
    pthread_rwlock_unlock(&table_lock);
    return;
  }
  if (fixed) pthread_rwlock_unlock(&table_lock); /* and look again */
  pthread_rwlock_wrlock(&table_lock);
  if (!fixed || entries == 0) entries++;
  pthread_rwlock_unlock(&table_lock);
  if (!fixed) pthread_rwlock_unlock(&table_lock);
}
static void run_upgrade(bool with_fix) {
  fixed = with_fix;
  entries = 0;
  pthread_rwlock_init(&table_lock, NULL);
  RUN(add_if_absent, add_if_absent);
  interleave_assert(entries == 1);
}
GALLERY(rwlock_upgrade, "a writer lock asked for by who holds the reader lock", INTERLEAVE_DEADLOCK, run_upgrade);

/* ---- Philosophers ---- */

static pthread_mutex_t fork_of[3];
static int meals[3];
static void dine(int who) {
  int left = who, right = (who + 1) % 3;
  if (fixed && left > right) {
    left = right;
    right = who;
  }
  pthread_mutex_lock(&fork_of[left]);
  pthread_mutex_lock(&fork_of[right]);
  meals[who]++;
  pthread_mutex_unlock(&fork_of[right]);
  pthread_mutex_unlock(&fork_of[left]);
}
static void first(void) { dine(0); }
static void second(void) { dine(1); }
static void third(void) { dine(2); }
static void run_dine(bool with_fix) {
  fixed = with_fix;
  for (int i = 0; i < 3; i++) pthread_mutex_init(&fork_of[i], NULL);
  RUN(first, second, third);
}
GALLERY(philosophers, "three philosophers, each with the left fork first", INTERLEAVE_DEADLOCK, run_dine);
