#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: %s [--threads N] [--seconds S | --repeat N]\n"
    "\n"
    "Runs the benchmark on N threads (default 1) for S seconds (default 1) or N rounds, after one round that does not\n"
    "count, and prints the result as one line of JSON. ci/bench compares the systems.\n";

static unsigned threads = 1;
static double seconds = 1;
static uint64_t repeat; /* rounds; 0: by time */

static pthread_barrier_t barrier;
static atomic_bool stop; /* set by thread 0, before a barrier where the rounds are in step */
static struct timespec started;
static double cpu_before; /* processor time when the round that does not count was done */

void bench_barrier(void) { pthread_barrier_wait(&barrier); }

uint64_t bench_random(struct bench_thread *thread) {
  uint64_t x = thread->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  thread->random = x;
  return x * 0x2545f4914f6cdd1d;
}

static double elapsed(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - started.tv_sec) + 1e-9 * (double)(now.tv_nsec - started.tv_nsec);
}

static bool enough(struct bench_thread *thread, uint64_t rounds) {
  if (repeat) return rounds >= repeat;
  if (!bench_in_step) return elapsed() >= seconds;
  if (thread->index == 0 && elapsed() >= seconds) atomic_store(&stop, true);
  bench_barrier();
  return atomic_load(&stop);
}

/* The result is a number of operations in the guise of a pointer. */
static void *run(void *arg) {
  struct bench_thread *thread = arg;
  uint64_t operations = 0, rounds = 0;
  bench_round(thread);
  bench_barrier();
  if (thread->index == 0) {
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    cpu_before = (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec;
    clock_gettime(CLOCK_MONOTONIC, &started);
  }
  bench_barrier();
  do {
    operations += bench_round(thread);
    rounds++;
  } while (!enough(thread, rounds));
  return (void *)operations;
}

/* Peak resident memory in KiB, 0 if the system does not tell. Not getrusage's, which counts what the process was before
 * exec, too: the shell or the script that started it. */
static unsigned long peak_kib(void) {
  unsigned long peak = 0;
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  while (status && peak == 0 && fgets(line, sizeof line, status)) {
    if (strncmp(line, "VmHWM:", 6) == 0) peak = strtoul(line + 6, NULL, 10);
  }
  if (status) fclose(status);
  return peak;
}

static void report(uint64_t operations, double took) {
  struct timespec cpu;
  unsigned long peak = peak_kib();
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  printf("{\"operation\": \"%s\", \"threads\": %u, \"operations\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
         "\"rss_kib\": %lu}\n",
         bench_operation, threads, (unsigned long long)operations, took,
         (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec - cpu_before, peak);
}

static bool parse(int argc, char **argv) {
  for (int i = 1; i < argc; i += 2) {
    char *end = NULL, *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--help") == 0) {
      printf(usage, argv[0]);
      exit(0);
    }
    if (value && strcmp(argv[i], "--threads") == 0) {
      threads = (unsigned)strtoul(value, &end, 10);
    } else if (value && strcmp(argv[i], "--seconds") == 0) {
      seconds = strtod(value, &end);
    } else if (value && strcmp(argv[i], "--repeat") == 0) {
      repeat = strtoull(value, &end, 10);
    }
    if (!end || end == value || *end) {
      fprintf(stderr, "%s: bad argument '%s'; see --help\n", argv[0], argv[i]);
      return false;
    }
  }
  if (threads >= 1 && threads <= BENCH_THREADS_MAX) return true;
  fprintf(stderr, "%s: --threads: expected 1 to %d\n", argv[0], BENCH_THREADS_MAX);
  return false;
}

int main(int argc, char **argv) {
  static pthread_t handles[BENCH_THREADS_MAX];
  static struct bench_thread states[BENCH_THREADS_MAX];
  uint64_t operations = 0;
  bench_start();
  if (!parse(argc, argv)) return 2;
  pthread_barrier_init(&barrier, NULL, threads);
  for (unsigned i = 0; i < threads; i++) {
    states[i] = (struct bench_thread){.index = i, .count = threads, .random = 0x9e3779b97f4a7c15 * (i + 1)};
    int error = i ? pthread_create(&handles[i], NULL, run, &states[i]) : 0;
    if (error) {
      fprintf(stderr, "%s: pthread_create: %s\n", argv[0], strerror(error));
      return 1;
    }
  }
  operations += (uint64_t)run(&states[0]);
  for (unsigned i = 1; i < threads; i++) {
    void *result;
    pthread_join(handles[i], &result);
    operations += (uint64_t)result;
  }
  report(operations, elapsed());
  return 0;
}
