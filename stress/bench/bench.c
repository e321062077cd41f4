#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: %s [--threads N] [--seconds S | --repeat N] [--size N]\n"
    "\n"
    "Runs the benchmark on N threads (default 1) for S seconds (default 1) or N rounds, after one round that does not\n"
    "count, and prints the result as one line of JSON. --size makes the programs larger or smaller that have a size;\n"
    "the head of each source says what it counts. ci/bench compares the systems.\n";

static unsigned threads = 1;
static double seconds = 1;
static uint64_t repeat; /* rounds; 0: by time */
static uint64_t size;   /* 0: the program's own */

static struct bench_thread states[BENCH_THREADS_MAX];
static pthread_barrier_t barrier;
static atomic_bool stop; /* set by thread 0, before a barrier where the rounds are in step */
static uint64_t started;
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

uint64_t bench_size_or(uint64_t usual) { return size ? size : usual; }

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t bench_now(void) { return nanoseconds(CLOCK_MONOTONIC); }

void bench_pause(struct bench_thread *thread, uint64_t took) {
  if (thread->pause_count == thread->pause_room) {
    thread->pause_room = thread->pause_room ? 2 * thread->pause_room : 1024;
    thread->pauses = realloc(thread->pauses, thread->pause_room * sizeof *thread->pauses);
    if (!thread->pauses) abort();
  }
  thread->pauses[thread->pause_count++] = took;
}

static double elapsed(void) { return 1e-9 * (double)(bench_now() - started); }

static double cpu_seconds(void) { return 1e-9 * (double)nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

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
  thread->pause_count = 0;
  bench_barrier();
  if (thread->index == 0) {
    cpu_before = cpu_seconds();
    started = bench_now();
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

static int ascending(const void *one, const void *other) {
  uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
  return (a > b) - (a < b);
}

static void report_pauses(void) {
  struct bench_thread all = {0};
  for (unsigned i = 0; i < threads; i++) {
    for (size_t k = 0; k < states[i].pause_count; k++) bench_pause(&all, states[i].pauses[k]);
  }
  if (all.pause_count) qsort(all.pauses, all.pause_count, sizeof *all.pauses, ascending);
  printf("\"pauses\": %zu, \"pause_median_us\": %.3f, \"pause_longest_us\": %.3f", all.pause_count,
         all.pause_count ? 1e-3 * (double)all.pauses[all.pause_count / 2] : 0,
         all.pause_count ? 1e-3 * (double)all.pauses[all.pause_count - 1] : 0);
  free(all.pauses);
}

static void report(uint64_t operations) {
  double took = elapsed(), cpu = cpu_seconds() - cpu_before;
  printf("{\"operation\": \"%s\", \"threads\": %u, \"operations\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
         "\"rss_kib\": %lu, ",
         bench_operation, threads, (unsigned long long)operations, took, cpu, peak_kib());
  report_pauses();
  printf("}\n");
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
    } else if (value && strcmp(argv[i], "--size") == 0) {
      size = strtoull(value, &end, 10);
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
  report(operations);
  return 0;
}
