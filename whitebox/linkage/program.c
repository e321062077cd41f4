/* One program for every way of linking: threads made by pthread_create and by thrd_create get an object as their
 * argument and give one as their result. Nothing else refers to those objects, while others allocate and collect; each
 * holds a chain whose checksum is known to whoever looks at it. Prints "ok" and exits with status 0, or says what was
 * wrong. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>

#include "vgc.h"

enum { THREADS = 6, ROUNDS = 40, LINKS = 50 };

struct link {
  struct link *next;
  uint64_t value, check;
};

static uint64_t mix(uint64_t value) { return (value ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u; }

static struct link *chain_make(uint64_t seed) {
  struct link *chain = NULL;
  for (unsigned i = 0; i < LINKS; i++) {
    struct link *link = vgc_malloc(sizeof *link);
    if (!link) abort();
    link->next = chain;
    link->value = seed + i;
    link->check = mix(seed + i);
    chain = link;
  }
  return chain;
}

static void chain_check(const struct link *chain, uint64_t seed, const char *where) {
  unsigned length = 0;
  for (const struct link *link = chain; link; link = link->next, length++)
    if (link->value != seed + LINKS - 1 - length || link->check != mix(link->value)) {
      printf("link %u of chain %llu is damaged: %s\n", length, (unsigned long long)seed, where);
      exit(1);
    }
  if (length != LINKS) {
    printf("chain %llu has %u links, not %u: %s\n", (unsigned long long)seed, length, LINKS, where);
    exit(1);
  }
}

/* The seed travels inside the chain. */
static uint64_t chain_seed(const struct link *chain) { return chain->value - (LINKS - 1); }

static void churn(uint64_t seed) {
  for (unsigned i = 0; i < 20; i++) {
    chain_check(chain_make(seed + i * 1000), seed + i * 1000, "fresh");
    if (i % 8 == 0) vgc_collect();
  }
}

static void *worker(void *arg) {
  uint64_t seed = chain_seed(arg);
  chain_check(arg, seed, "start argument");
  churn(seed);
  if (seed % 2) pthread_exit(chain_make(seed + 7));
  return chain_make(seed + 7);
}

static _Atomic uint64_t sum;

static int worker_c11(void *arg) {
  uint64_t seed = chain_seed(arg);
  chain_check(arg, seed, "start argument, thrd");
  churn(seed);
  sum += seed;
  if (seed % 2) thrd_exit((int)(seed % 100));
  return (int)(seed % 100);
}

/* Not inlined: the chain's address is nowhere in the caller's frame. */
static __attribute__((noinline)) int start_pthread(pthread_t *thread, uint64_t seed) {
  return pthread_create(thread, NULL, worker, chain_make(seed));
}

static __attribute__((noinline)) int start_c11(thrd_t *thread, uint64_t seed) {
  return thrd_create(thread, worker_c11, chain_make(seed));
}

/* ---- Under a sanitizer that sees the program but not the library ---- */

enum { REUSED = 1000, REUSE_SIZE = 64, COLLECTS = 20 };

/* Writes to each object and frees it: what the library does to pass the slot on must count as an order. */
static void *write_and_free(void *arg) {
  uint64_t **objects = arg;
  for (unsigned i = 0; i < REUSED; i++) {
    *objects[i] = i;
    vgc_free(objects[i]);
  }
  return NULL;
}

static int among(const uintptr_t *addresses, const void *ptr) {
  for (unsigned i = 0; i < REUSED; i++)
    if (addresses[i] == ~(uintptr_t)ptr) return 1;
  return 0;
}

/* The slots that another thread freed come back to their owner, who writes to them while the other still runs. */
static int reuse(void) {
  uint64_t **objects = vgc_malloc_uncollectable(REUSED * sizeof *objects);
  static uintptr_t addresses[REUSED];
  for (unsigned i = 0; i < REUSED; i++) {
    objects[i] = vgc_malloc_noscan(REUSE_SIZE);
    addresses[i] = ~(uintptr_t)objects[i];
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, write_and_free, objects) != 0) return 1;
  unsigned reused = 0;
  for (unsigned long i = 0; i < 20000000 && reused < 10; i++) {
    uint64_t *object = vgc_malloc_noscan(REUSE_SIZE);
    *object = i;
    if (i % 16 == 0) reused += (unsigned)among(addresses, object);
  }
  pthread_join(thread, NULL);
  vgc_free(objects);
  if (reused < 10) printf("no slot came back\n");
  return reused < 10;
}

#if defined(__clang__)
#define UNSEEN __attribute__((no_sanitize("thread")))
#else
#define UNSEEN __attribute__((no_sanitize_thread))
#endif

static volatile int looping = 1;

/* No atomic, no call but the library's: nowhere else can a deferred signal be answered. */
UNSEEN static void *loop(void *arg) {
  while (looping) vgc_free(vgc_malloc_noscan(32));
  return arg;
}

UNSEEN static void end_loop(void) { looping = 0; }

static int stop_in_loop(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, loop, NULL) != 0) return 1;
  for (unsigned i = 0; i < COLLECTS; i++) vgc_collect();
  end_loop();
  return pthread_join(thread, NULL);
}

int main(void) {
  if (reuse() != 0 || stop_in_loop() != 0) return 1;
  uint64_t expected = 0, seed = 1;
  for (unsigned round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    thrd_t c11[THREADS];
    for (unsigned i = 0; i < THREADS / 2; i++) {
      if (start_pthread(&threads[i], seed + i) != 0) return 1;
      if (start_c11(&c11[i], seed + 100 + i) != thrd_success) return 1;
      expected += seed + 100 + i;
    }
    vgc_collect();
    for (unsigned i = 0; i < THREADS / 2; i++) {
      void *result;
      int code;
      if (pthread_join(threads[i], &result) != 0) return 1;
      vgc_collect();
      chain_check(result, seed + i + 7, "result");
      if (thrd_join(c11[i], &code) != thrd_success || code != (int)((seed + 100 + i) % 100)) return 1;
    }
    seed += 1000;
  }
  struct vgc_stats stats = {.struct_size = sizeof stats};
  if (vgc_get_stats(&stats) != 0) return 1;
  if (sum != expected || stats.cycles < ROUNDS || stats.suspensions < ROUNDS || stats.threads != 1) {
    printf("sum %llu, expected %llu; %llu cycles, %llu suspensions, %llu threads at the end\n", (unsigned long long)sum,
           (unsigned long long)expected, (unsigned long long)stats.cycles, (unsigned long long)stats.suspensions,
           (unsigned long long)stats.threads);
    return 1;
  }
  printf("ok: %llu cycles, %llu suspensions\n", (unsigned long long)stats.cycles,
         (unsigned long long)stats.suspensions);
  return 0;
}
