/* README.environment: each variable, in a process of its own. */
#include "client.h"

#include <fcntl.h>
#include <gc/gc_gcj.h>
#include <gc/gc_mark.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct client_end *passes(void (*body)(void), const char *const *environment) {
  const struct client_end *end = client_run(body, environment);
  if (!client_exited(end, 0)) fail_msg("%s: status 0x%x\n%s", environment[0], (unsigned)end->status, end->text);
  return end;
}

static void collect_thrice(void) {
  GC_INIT();
  for (int i = 0; i < 20000; i++) GC_reachable_here(GC_malloc(100));
  for (int i = 0; i < 3; i++) GC_gcollect();
}

/* ---- The heap ---- */

static void is_large(void) {
  GC_INIT();
  must(GC_get_heap_size() >= 20u << 20 && GC_get_heap_size() < 100u << 20);
}

static void initial_heap_size(void **state) {
  (void)state;
  passes(is_large, WITH("GC_INITIAL_HEAP_SIZE=20M"));
  passes(is_large, WITH("GC_INITIAL_HEAP_SIZE=20480k"));
  passes(is_large, WITH("GC_INITIAL_HEAP_SIZE=20971520"));
}

static void is_limited(void) {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  must(GC_malloc(8u << 20) && !GC_malloc(32u << 20));
}

static void maximum_heap_size(void **state) {
  (void)state;
  passes(is_limited, WITH("GC_MAXIMUM_HEAP_SIZE=24M"));
  passes(is_limited, WITH("GC_MAXIMUM_HEAP_SIZE=25165824"));
}

static int expected;

static void fill_and_drop(void *arg) {
  for (unsigned i = 0; i < MANY; i++) must(client_roots[i] = GC_malloc_atomic(1 << 20));
  memset(client_roots, 0, sizeof client_roots);
  (void)arg;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Memory goes back after a while, which is asked about until it is over: a machine may be slow. */
static void gives_idle_pages_back(void) {
  GC_INIT();
  client_below(fill_and_drop, NULL);
  size_t before = GC_get_heap_size();
  for (double start = seconds(); GC_get_heap_size() >= before / 4 * 3; client_collect()) must(seconds() < start + 30);
}

static void keeps_idle_pages(void) {
  GC_INIT();
  client_below(fill_and_drop, NULL);
  size_t before = GC_get_heap_size();
  for (double start = seconds(); seconds() < start + 3; client_collect()) must(GC_get_heap_size() >= before);
}

static void unmap_threshold(void **state) {
  (void)state;
  passes(gives_idle_pages_back, WITH("GC_UNMAP_THRESHOLD=3"));
  passes(keeps_idle_pages, WITH("GC_UNMAP_THRESHOLD=0"));
}

/* ---- Settings ---- */

static void is_disabled(void) {
  GC_INIT();
  GC_word before = GC_get_gc_no();
  GC_gcollect();
  must(GC_is_disabled() && GC_get_gc_no() == before);
}

static void settings_are(void) {
  GC_INIT();
  must(GC_get_free_space_divisor() == 7 && GC_free_space_divisor == 7);
  must(GC_get_full_freq() == 5 && GC_get_time_limit() == 33);
  must(GC_get_force_unmap_on_gcollect() == 1 && GC_use_entire_heap == 1);
  must(GC_get_all_interior_pointers() == 1);
  must(!GC_get_find_leak());
  collect_thrice();
}

static void finds_leaks(void) {
  GC_INIT();
  must(GC_get_find_leak() == 1 && GC_find_leak == 1);
}

static void settings(void **state) {
  (void)state;
  passes(is_disabled, WITH("GC_DONT_GC=1"));
  passes(settings_are, WITH("GC_FREE_SPACE_DIVISOR=7", "GC_FULL_FREQUENCY=5", "GC_PAUSE_TIME_TARGET=33",
                            "GC_FORCE_UNMAP_ON_GCOLLECT=1", "GC_USE_ENTIRE_HEAP=1", "GC_ALL_INTERIOR_POINTERS=1"));
  passes(finds_leaks, WITH("GC_FIND_LEAK=1"));
}

/* On by presence, but for two whose value counts. */
static void zeros_are(void) {
  GC_set_all_interior_pointers(0);
  GC_set_force_unmap_on_gcollect(1);
  GC_use_entire_heap = 1;
  GC_INIT();
  must(GC_get_all_interior_pointers() == 1 && GC_get_find_leak() == 1 && GC_is_disabled());
  must(GC_get_force_unmap_on_gcollect() == 0 && GC_use_entire_heap == 0);
}

static void zeros(void **state) {
  (void)state;
  passes(zeros_are, WITH("GC_ALL_INTERIOR_POINTERS=0", "GC_FIND_LEAK=0", "GC_DONT_GC=0", "GC_FORCE_UNMAP_ON_GCOLLECT=0",
                         "GC_USE_ENTIRE_HEAP=0"));
  assert_true(strlen(passes(collect_thrice, WITH("GC_PRINT_STATS=0"))->text) > 50);
  assert_true(strlen(passes(collect_thrice, WITH("GC_PRINT_VERBOSE_STATS=0"))->text) > 50);
  assert_true(client_count(passes(collect_thrice, WITH("GC_DUMP_REGULARLY=0")), "GC Dump") >= 4);
  assert_true(client_count(passes(collect_thrice, WITH("GC_PRINT_ADDRESS_MAP=0")), " r-xp ") >= 3);
}

static void no_interior_by_default(void) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
  must(GC_get_all_interior_pointers() == 1);
}

static void all_interior_pointers(void **state) {
  (void)state;
  passes(no_interior_by_default, WITH("GC_ALL_INTERIOR_POINTERS=1"));
}

static void has_markers(void) {
  GC_INIT();
  GC_start_mark_threads();
  must(GC_get_parallel() == expected && GC_parallel == expected);
  collect_thrice();
}

static void markers(void **state) {
  (void)state;
  expected = 0;
  passes(has_markers, WITH("GC_MARKERS=1"));
  passes(has_markers, WITH("GC_NPROCS=1"));
  expected = 2;
  passes(has_markers, WITH("GC_MARKERS=3"));
  passes(has_markers, WITH("GC_NPROCS=1", "GC_MARKERS=3"));
}

static void has_markers_by_call(void) {
  GC_set_markers_count(4);
  GC_INIT();
  must(GC_get_parallel() == 0);
  GC_allow_register_threads();
  must(GC_get_parallel() == 3);
}

static void markers_by_call(void **state) {
  (void)state;
  passes(has_markers_by_call, WITH("UNUSED=1"));
}

static void is_not_incremental(void) {
  GC_INIT();
  GC_enable_incremental();
  must(!GC_is_incremental_mode());
}

static void disable_incremental(void **state) {
  (void)state;
  passes(is_not_incremental, WITH("GC_DISABLE_INCREMENTAL=1"));
}

static unsigned warnings;
static void count_warning(char *format, GC_word arg) {
  must(strstr(format, "%s") && !strcmp((const char *)arg, "xyz"));
  warnings++;
}

static void is_warned(void) {
  GC_set_warn_proc(count_warning);
  GC_INIT();
  must(warnings == 1);
  collect_thrice();
}

static void numbers_that_are_none(void **state) {
  (void)state;
  assert_int_equal(client_count(passes(is_warned, WITH("GC_MAXIMUM_HEAP_SIZE=xyz")), "xyz"), 0);
  assert_int_equal(client_count(passes(is_warned, WITH("GC_INITIAL_HEAP_SIZE=xyz")), "xyz"), 0);
  assert_true(client_count(passes(collect_thrice, WITH("GC_MAXIMUM_HEAP_SIZE=xyz")), "xyz") >= 1);
}

/* ---- gcj's descriptors ---- */

static struct { GC_word before, descriptor; } type = {0, GC_DS_LENGTH};

static struct GC_ms_entry *mark_nothing(GC_word *addr, struct GC_ms_entry *top, struct GC_ms_entry *limit,
                                        GC_word env) {
  return (void)addr, (void)limit, (void)env, top;
}

static void fill(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **object = GC_gcj_malloc(64, &type);
    object[5] = GC_malloc(16);
    client_watch(i, object[5]);
    client_roots[i] = object;
  }
}

static void follows_all_words(void) {
  void *procedure;
  GC_mark_proc mark = mark_nothing;
  memcpy(&procedure, &mark, sizeof procedure);
  GC_INIT();
  GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, procedure);
  type.descriptor = 8; /* the first word only */
  client_below(fill, NULL);
  client_collect();
  must(expected ? client_gone(MANY) == 0 : client_gone(MANY) >= MOST);
}

static void ignore_gcj_info(void **state) {
  (void)state;
  expected = 1;
  passes(follows_all_words, WITH("GC_IGNORE_GCJ_INFO=1"));
  expected = 0;
  passes(follows_all_words, WITH("UNUSED=1"));
}

/* ---- What is printed ---- */

static void silent(void **state) {
  (void)state;
  assert_string_equal(passes(collect_thrice, WITH("UNUSED=1"))->text, "");
}

static void statistics(void **state) {
  (void)state;
  assert_true(strlen(passes(collect_thrice, WITH("GC_PRINT_STATS=1"))->text) > 50);
  assert_true(strlen(passes(collect_thrice, WITH("GC_PRINT_VERBOSE_STATS=1"))->text) > 50);
}

static void collect_and_dump(void) {
  collect_thrice();
  GC_dump();
}

/* NAME=VALUE of a file that does not exist yet. */
static char log_variable[128] = "GC_LOG_FILE=";
#define LOG_NAME (log_variable + strlen("GC_LOG_FILE="))

static int with_log(void **state) {
  (void)state;
  const char *folder = getenv("TMPDIR");
  snprintf(LOG_NAME, sizeof log_variable - 20, "%s/libgc-log-XXXXXX",
           folder && strlen(folder) < 80 ? folder : P_tmpdir);
  int fd = mkstemp(LOG_NAME);
  return fd < 0 || close(fd) ? -1 : 0;
}

static int without_log(void **state) {
  (void)state;
  return unlink(LOG_NAME);
}

static const char *read_log(void) {
  static char text[65536];
  int fd = open(LOG_NAME, O_RDONLY);
  assert_true(fd >= 0);
  ssize_t bytes = read(fd, text, sizeof text - 1);
  assert_true(bytes >= 0);
  text[bytes] = 0;
  close(fd);
  return text;
}

static void log_file(void **state) {
  (void)state;
  const struct client_end *end = passes(collect_and_dump, WITH(log_variable, "GC_PRINT_STATS=1"));
  assert_string_equal(end->text, "");
  assert_true(strlen(read_log()) > 50);
  assert_non_null(strstr(read_log(), "Dump"));
}

/* Standard output stays what it is. */
static void only_log_to_file(void **state) {
  (void)state;
  const struct client_end *end =
      passes(collect_and_dump, WITH(log_variable, "GC_PRINT_STATS=1", "GC_ONLY_LOG_TO_FILE=1"));
  assert_int_equal(client_count(end, "GC Dump"), 1);
  assert_true(strlen(read_log()) > 50);
  assert_null(strstr(read_log(), "GC Dump"));
}

static void log_elsewhere_later(void) {
  GC_INIT();
  int fd = open(LOG_NAME, O_WRONLY);
  must(fd >= 0);
  GC_set_log_fd(fd);
  GC_gcollect();
}

static void log_descriptor(void **state) {
  (void)state;
  passes(log_elsewhere_later, WITH("GC_PRINT_STATS=1"));
  assert_true(strlen(read_log()) > 50);
}

static void dump_regularly(void **state) {
  (void)state;
  assert_true(client_count(passes(collect_thrice, WITH("GC_DUMP_REGULARLY=1")), "GC Dump") >= 4);
}

static void print_address_map(void **state) {
  (void)state;
  assert_true(client_count(passes(collect_thrice, WITH("GC_PRINT_ADDRESS_MAP=1")), " r-xp ") >= 3);
}

/* ---- The end ---- */

static void leak(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) GC_reachable_here(GC_malloc(40));
}

static void leak_many(void) {
  GC_INIT();
  client_below(leak, NULL);
  client_collect();
}

static void leak_with_timer(void) {
  struct itimerval soon = {{0, 0}, {0, 300000}};
  setitimer(ITIMER_REAL, &soon, NULL); /* what loops ends by it */
  leak_many();
}

static void abort_on_leak(void **state) {
  (void)state;
  passes(leak_many, WITH("GC_FIND_LEAK=1"));
  assert_true(client_aborted(client_run(leak_many, WITH("GC_FIND_LEAK=1", "GC_ABORT_ON_LEAK=1"))));
}

static void loop_on_abort(void **state) {
  (void)state;
  const struct client_end *end =
      client_run(leak_with_timer, WITH("GC_FIND_LEAK=1", "GC_ABORT_ON_LEAK=1", "GC_LOOP_ON_ABORT=1"));
  assert_true(WIFSIGNALED(end->status) && WTERMSIG(end->status) == SIGALRM);
}

/* Those of other builds, and those that only advise. */
static void others_do_no_harm(void **state) {
  (void)state;
  static const char *const all[] = {
      "GC_RETRY_SIGNALS=0",        "GC_RETRY_SIGNALS=1",     "GC_LARGE_ALLOC_WARN_INTERVAL=1",
      "GC_NO_BLACKLIST_WARNING=1", "GC_USE_GETWRITEWATCH=0", "GC_COLLECT_AT_MALLOC=100",
      "GC_BACKTRACES=2",           "GC_PRINT_BACK_HEIGHT=1", "GC_TRACE=0x1000",
      "GC_FINDLEAK_DELAY_FREE=1",  "GC_ENABLE_INCREMENTAL=1"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) passes(collect_thrice, WITH(all[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(initial_heap_size),
      cmocka_unit_test(maximum_heap_size),
      cmocka_unit_test(unmap_threshold),
      cmocka_unit_test(settings),
      cmocka_unit_test(zeros),
      cmocka_unit_test(all_interior_pointers),
      cmocka_unit_test(markers),
      cmocka_unit_test(markers_by_call),
      cmocka_unit_test(disable_incremental),
      cmocka_unit_test(numbers_that_are_none),
      cmocka_unit_test(ignore_gcj_info),
      cmocka_unit_test(silent),
      cmocka_unit_test(statistics),
      cmocka_unit_test_setup_teardown(log_file, with_log, without_log),
      cmocka_unit_test_setup_teardown(only_log_to_file, with_log, without_log),
      cmocka_unit_test_setup_teardown(log_descriptor, with_log, without_log),
      cmocka_unit_test(dump_regularly),
      cmocka_unit_test(print_address_map),
      cmocka_unit_test(abort_on_leak),
      cmocka_unit_test(loop_on_abort),
      cmocka_unit_test(others_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
