#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "broken.h"
#include "options.h"
#include "supervisor.h"

enum { ITERATION = 1024, CLOCK_EVERY = 16 };

struct subject subject;

static struct shared *shared;   /* immutable after start */
static struct timespec started; /* immutable after start */
static _Atomic bool stopping;   /* any thread and signal handlers: no more operations, please */
static _Atomic bool spinners_stop;
/* Not pthread_barrier_t: ThreadSanitizer delivers no signal to a thread that waits at one. */
static struct barrier {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned missing; /* under lock */
} census_reached, census_done;
static struct subject_stats baseline; /* main thread */
static uint64_t most_kept;            /* main thread: objects beyond those reachable, at either count */

/* Added to by each thread as it ends; short-lived threads may be many, so they are not kept apart. */
static _Atomic uint64_t total_allocated, total_freed, total_ops, census_objects, census_bytes;
static _Atomic uint32_t next_index;
static _Atomic uint64_t asked; /* calls of harness_collect */

/* ---- Time and progress ---- */

double harness_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - started.tv_sec) + (double)(now.tv_nsec - started.tv_nsec) * 1e-9;
}

void harness_stop(void) { atomic_store_explicit(&stopping, true, memory_order_relaxed); }

static void on_stop_signal(int signal) {
  (void)signal;
  harness_stop();
}

static void show_progress(struct worker *worker) {
  if (!worker->progress) return;
  uint64_t count = atomic_load_explicit(&worker->progress->count, memory_order_relaxed);
  atomic_store_explicit(&worker->progress->count, count + 1, memory_order_relaxed);
}

static void watch(struct worker *worker, unsigned slot) {
  if (slot >= SUPERVISOR_THREADS) return;
  worker->progress = &shared->progress[slot];
  atomic_store_explicit(&worker->progress->tid, gettid(), memory_order_relaxed);
  atomic_store_explicit(&worker->progress->busy, 1, memory_order_release);
}

static void watch_no_more(struct worker *worker) {
  if (worker->progress) atomic_store_explicit(&worker->progress->busy, 0, memory_order_release);
}

bool harness_waits(struct worker *worker) {
  show_progress(worker);
  if (harness_seconds() >= options.seconds) harness_stop();
  return !atomic_load_explicit(&stopping, memory_order_relaxed);
}

bool harness_goes_on(struct worker *worker) {
  show_progress(worker);
  uint64_t op = worker->ops;
  if (atomic_load_explicit(&stopping, memory_order_relaxed) || (options.ops && op == options.ops)) return false;
  if (op % CLOCK_EVERY == 0 && harness_seconds() >= options.seconds) {
    harness_stop();
    return false;
  }
  if (op % ITERATION == 0) worker->random = random_split(options.seed, worker->index, worker->iteration++);
  worker->ops++;
  return true;
}

/* ---- Failure ---- */

void harness_fail(const char *format, ...) {
  uint32_t none = 0;
  while (!atomic_compare_exchange_strong(&shared->failed, &none, 1)) pause(); /* another thread reports */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shared->message, sizeof shared->message, format, arguments);
  va_end(arguments);
  atomic_store(&shared->failed_tid, gettid());
  atomic_store_explicit(&shared->failed, 2, memory_order_release); /* acquire: supervisor */
  if (supervisor_is_child()) {
    supervisor_wait_for_stacks(shared);
  } else {
    char again[1024];
    options_again(again, sizeof again, program_invocation_name);
    fflush(stdout);
    fprintf(stderr, "stress_%s: FAILED: %s; run again: %s\n", program.name, shared->message, again);
  }
  signal(SIGABRT, SIG_DFL);
  abort();
}

uint64_t harness_knob(const char *name) {
  for (unsigned i = 0; i < HARNESS_KNOBS && program.knobs[i].name; i++)
    if (strcmp(name, program.knobs[i].name) == 0) return program.knobs[i].value;
  harness_fail("program has no knob '%s'", name);
}

/* ---- Workers ---- */

static void barrier_begin(struct barrier *barrier, unsigned threads) {
  pthread_mutex_init(&barrier->lock, NULL);
  pthread_cond_init(&barrier->changed, NULL);
  barrier->missing = threads;
}

static void barrier_wait(struct barrier *barrier) {
  pthread_mutex_lock(&barrier->lock);
  if (--barrier->missing == 0) pthread_cond_broadcast(&barrier->changed);
  while (barrier->missing) pthread_cond_wait(&barrier->changed, &barrier->lock);
  pthread_mutex_unlock(&barrier->lock);
}

void harness_worker_begin(struct worker *worker) {
  uint32_t index = atomic_fetch_add_explicit(&next_index, 1, memory_order_relaxed);
  *worker = (struct worker){.index = index, .random = random_split(options.seed, index, 0)};
}

void harness_worker_end(struct worker *worker) {
  atomic_fetch_add_explicit(&total_allocated, worker->tally.allocated, memory_order_relaxed);
  atomic_fetch_add_explicit(&total_freed, worker->tally.freed, memory_order_relaxed);
  atomic_fetch_add_explicit(&total_ops, worker->ops, memory_order_relaxed);
  worker->tally = (struct tally){0};
  worker->ops = 0;
}

void harness_census(struct worker *worker, uint64_t objects, uint64_t bytes) {
  atomic_fetch_add_explicit(&census_objects, objects, memory_order_relaxed);
  atomic_fetch_add_explicit(&census_bytes, bytes, memory_order_relaxed);
  harness_worker_end(worker);
  watch_no_more(worker);
  barrier_wait(&census_reached);
  barrier_wait(&census_done);
  atomic_store_explicit(&worker->progress->busy, 1, memory_order_release);
}

static void *worker_start(void *argument) {
  struct worker *worker = argument;
  char name[16];
  snprintf(name, sizeof name, "worker %u", worker->index);
  pthread_setname_np(pthread_self(), name);
  watch(worker, worker->index);
  program.work(worker);
  harness_worker_end(worker);
  watch_no_more(worker);
  return NULL;
}

/* Computes, and asks now and then whether to stop: one atomic in each turn, so that ThreadSanitizer delivers signals.
 */
static void *spin(void *argument) {
  uint64_t value = (uintptr_t)argument + 1;
  pthread_setname_np(pthread_self(), "spinner");
  while (!atomic_load_explicit(&spinners_stop, memory_order_relaxed))
    for (int i = 0; i < 1000; i++) value = random_mix(value + 1);
  return value == 0 ? argument : NULL;
}

static pthread_t start_thread(void *(*start)(void *), void *argument) {
  pthread_t thread;
  int error = subject.create(&thread, NULL, start, argument);
  harness_check(!error, "no thread could be created: %s", strerror(error));
  return thread;
}

void harness_collect(void) {
  atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
  subject.collect();
}

/* ---- Verdict ---- */

static struct subject_stats since_start(void) {
  struct subject_stats now;
  subject.stats(&now);
  now.cycles -= baseline.cycles;
  now.suspensions -= baseline.suspensions;
  now.allocated -= baseline.allocated;
  now.freed -= baseline.freed;
  now.swept -= baseline.swept;
  now.live -= baseline.live;
  return now;
}

/* Workers wait, every object they reach is in census_objects. */
static void compare_counts(uint64_t objects, uint64_t bytes, uint64_t allowance) {
  if (!(subject.can & CAN_COUNT_OBJECTS)) return;
  subject.collect();
  struct subject_stats now = since_start();
  uint64_t allocated = atomic_load(&total_allocated), freed = atomic_load(&total_freed);
#define EQUAL(what, got, expected)                                                                                     \
  harness_check((got) == (expected), "shadow count: the subject counts %llu objects " what ", the program %llu",       \
                (unsigned long long)(got), (unsigned long long)(expected))
  EQUAL("allocated", now.allocated, allocated);
  EQUAL("freed", now.freed, freed);
  EQUAL("live (that is allocated - freed - swept)", now.live, now.allocated - now.freed - now.swept);
#undef EQUAL
  harness_check(now.live >= objects, "shadow count: %llu objects live, %llu are reachable",
                (unsigned long long)now.live, (unsigned long long)objects);
  harness_check(now.live_bytes >= bytes, "shadow count: %llu bytes live, reachable objects have %llu",
                (unsigned long long)now.live_bytes, (unsigned long long)bytes);
  if (now.live - objects > most_kept) most_kept = now.live - objects;
  harness_check(now.live <= objects + allowance,
                "leak: %llu objects live, %llu are reachable, %llu may be kept by stale words",
                (unsigned long long)now.live, (unsigned long long)objects, (unsigned long long)allowance);
}

static void check_collected(const struct subject_stats *now) {
  if (!(subject.can & CAN_COLLECT)) return;
  harness_check(now->cycles >= options.cycles,
                "vacuous run: %llu collections, at least %llu are needed (more --seconds or --ops, or lower --cycles)",
                (unsigned long long)now->cycles, (unsigned long long)options.cycles);
}

static void check_not_vacuous(const struct subject_stats *now) {
  if (!(subject.can & CAN_COLLECT)) return;
  uint64_t calls = atomic_load(&asked);
  harness_check(!(subject.can & CAN_PACE) || program.asks_often || now->cycles >= options.cycles + calls,
                "vacuous run: %llu collections, %llu of which the program asked for; at least %llu more are needed",
                (unsigned long long)now->cycles, (unsigned long long)calls, (unsigned long long)options.cycles);
  harness_check(!(subject.can & CAN_COUNT_THREADS) || now->suspensions >= options.cycles * options.threads,
                "vacuous run: %llu threads suspended, at least %llu (cycles times threads) are needed",
                (unsigned long long)now->suspensions, (unsigned long long)(options.cycles * options.threads));
}

static void print_result(const struct subject_stats *now) {
  char collected[128] = "collections: not applicable", counted[128] = "shadow count: not applicable";
  uint64_t ops = atomic_load(&total_ops), allocated = atomic_load(&total_allocated), freed = atomic_load(&total_freed);
  if (subject.can & CAN_COLLECT)
    snprintf(collected, sizeof collected, "%llu collections, %llu suspensions", (unsigned long long)now->cycles,
             (unsigned long long)now->suspensions);
  if (subject.can & CAN_COUNT_OBJECTS)
    snprintf(counted, sizeof counted, "shadow count agrees (%llu swept, %llu kept by stale words)",
             (unsigned long long)now->swept, (unsigned long long)most_kept);
  printf("stress_%s: passed: %llu operations, %llu objects (%llu freed by the program), %s; %s; %.1f s\n", program.name,
         (unsigned long long)ops, (unsigned long long)allocated, (unsigned long long)freed, collected, counted,
         harness_seconds());
  if (!options.report) return;
  FILE *report = fopen(options.report, "w");
  harness_check(report, "report '%s' cannot be written: %s", options.report, strerror(errno));
  fprintf(report,
          "{\"program\": \"%s\", \"subject\": \"%s\", \"result\": \"passed\", \"seed\": %llu, \"threads\": %u, "
          "\"spinners\": %u, \"operations\": %llu, \"allocated\": %llu, \"freed\": %llu, \"swept\": %llu, "
          "\"cycles\": %llu, \"suspensions\": %llu, \"peak_heap_bytes\": %llu, \"seconds\": %.3f}\n",
          program.name, options.subject, (unsigned long long)options.seed, options.threads, options.spinners,
          (unsigned long long)ops, (unsigned long long)allocated, (unsigned long long)freed,
          (unsigned long long)now->swept, (unsigned long long)now->cycles, (unsigned long long)now->suspensions,
          (unsigned long long)now->peak_heap_bytes, harness_seconds());
  fclose(report);
}

/* ---- The run ---- */

static void begin_subject(void) {
  subject = subject_real;
  if (strcmp(options.subject, subject_real.name) != 0 && !broken_plant(options.subject)) {
    fprintf(stderr, "stress_%s: subject is '%s'; expected one of those that --help lists\n", program.name,
            options.subject);
    exit(2);
  }
  if (!subject.begin()) exit(HARNESS_NOT_APPLICABLE);
  if (program.needs & ~subject.can) {
    printf("not applicable: %s lacks what this program is about\n", subject.name);
    exit(HARNESS_NOT_APPLICABLE);
  }
}

static void take_census(struct worker *main_worker) {
  watch_no_more(main_worker);
  barrier_wait(&census_reached);
  atomic_store_explicit(&main_worker->progress->busy, 1, memory_order_release);
  uint64_t objects = atomic_load(&census_objects), bytes = atomic_load(&census_bytes);
  if (program.census) program.census(main_worker, &objects, &bytes);
  harness_worker_end(main_worker);
  struct subject_stats now = since_start();
  check_collected(&now);
  compare_counts(objects, bytes, program.retained * (options.threads + 1));
  /* Last, since a leak may be why the pace finds nothing to do. */
  check_not_vacuous(&now);
  barrier_wait(&census_done);
}

/* In a frame of its own, so that no word of it is left when the end compares with nothing. */
static __attribute__((noinline)) void run_workers(struct worker *main_worker) {
  struct worker *workers = calloc(options.threads, sizeof *workers);
  pthread_t *threads = calloc(options.threads + options.spinners, sizeof *threads);
  harness_check(workers && threads, "no memory for %u threads", options.threads);
  barrier_begin(&census_reached, options.threads + 1);
  barrier_begin(&census_done, options.threads + 1);
  for (unsigned i = 0; i < options.threads; i++) harness_worker_begin(&workers[i]);
  for (unsigned i = 0; i < options.threads; i++) threads[i] = start_thread(worker_start, &workers[i]);
  for (unsigned i = 0; i < options.spinners; i++)
    threads[options.threads + i] = start_thread(spin, (void *)(uintptr_t)(i + 1));
  take_census(main_worker);
  watch_no_more(main_worker);
  atomic_store(&spinners_stop, true);
  for (unsigned i = 0; i < options.threads + options.spinners; i++) subject.join(threads[i], NULL);
  atomic_store_explicit(&main_worker->progress->busy, 1, memory_order_release);
  free(threads);
  free(workers);
}

static int run(void) {
  prctl(PR_SET_NAME, "main");
  begin_subject();
  signal(SIGTERM, on_stop_signal);
  signal(SIGINT, on_stop_signal);
  clock_gettime(CLOCK_MONOTONIC, &started);
  static struct worker main_worker;
  harness_worker_begin(&main_worker);
  watch(&main_worker, 0);
  subject.stats(&baseline);
  if (program.begin) program.begin(&main_worker);
  run_workers(&main_worker);
  if (program.end) program.end(&main_worker);
  harness_worker_end(&main_worker);
  compare_counts(0, 0, program.retained);
  struct subject_stats now = since_start();
  print_result(&now);
  return 0;
}

int main(int argc, char **argv) {
  options_parse(argc, argv);
  if (!options.direct && !supervisor_is_child()) {
    char again[1024];
    options_again(again, sizeof again, argv[0]);
    return supervisor_run(argv, options.seed, options.patience, again);
  }
  shared = supervisor_attach();
  if (supervisor_is_child()) {
    options.seed = shared->seed;
    supervisor_catch_crashes(shared);
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("stress_%s: seed %llu, subject %s, %u threads, %u spinners, %g s\n", program.name,
         (unsigned long long)options.seed, options.subject, options.threads, options.spinners, options.seconds);
  return run();
}
