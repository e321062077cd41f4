/* gc.h: which memory is a root. */
#include "client.h"

#include <dlfcn.h>
#include <gc/gc_mark.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- Ranges ---- */

static void **range; /* of no segment that the library knows */

static void *words[MANY] = {&range}; /* .data */
static void *zeroes[MANY];           /* .bss */

static void fill(void *arg) {
  void **array = arg;
  for (unsigned i = 0; i < MANY; i++) {
    array[i] = GC_malloc(40);
    client_watch(i, array[i]);
  }
}

static void start(void) {
  GC_INIT();
  range = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(range != MAP_FAILED);
}

static unsigned gone(void) {
  client_collect();
  return client_gone(MANY);
}

TEST(unknown_memory_is_none) {
  start();
  client_below(fill, range);
  must(gone() >= MOST);
}

TEST(added_and_removed) {
  start();
  GC_add_roots(range, range + MANY);
  client_below(fill, range);
  must(gone() == 0);
  GC_remove_roots(range, range + MANY);
  must(gone() >= MOST);
}

TEST(added_twice_and_overlapping) {
  start();
  GC_add_roots(range, range + 40);
  GC_add_roots(range, range + 40);
  GC_add_roots(range + 20, range + MANY);
  client_below(fill, range);
  must(gone() == 0);
  GC_remove_roots(range, range + MANY);
  must(gone() >= MOST);
}

/* Neither end needs to be aligned; nor does an empty range matter. */
TEST(unaligned) {
  start();
  GC_add_roots(range, range);
  GC_add_roots((char *)range + 3, (char *)(range + 1 + MANY) + 5);
  client_below(fill, range + 1);
  must(gone() == 0);
}

/* Only what lies fully in the region is removed. */
TEST(not_removed_in_part) {
  start();
  GC_add_roots(range, range + MANY);
  client_below(fill, range);
  GC_remove_roots(range + 1, range + MANY);
  must(gone() == 0);
}

TEST(removed_again_and_again) {
  start();
  size_t before = mallinfo2().uordblks;
  for (unsigned i = 0; i < 100000; i++) {
    GC_add_roots(range, range + 1);
    GC_remove_roots(range, range + 1 + i % 100);
    if (i % 1000 == 0) GC_gcollect();
  }
  must(mallinfo2().uordblks < before + 100000);
  GC_add_roots(range, range + MANY);
  client_below(fill, range);
  must(gone() == 0);
}

/* ---- More than there is memory for ---- */

static void say(const char *message) {
  printf("[%s]\n", message);
  fflush(stdout);
}

static void leave_little_memory(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  must(file && fscanf(file, "%lu", &pages) == 1);
  fclose(file);
  struct rlimit limit = {pages * 4096 + (8u << 20), RLIM_INFINITY};
  must(!setrlimit(RLIMIT_AS, &limit));
}

static void (*give)(void *low, void *high);

static void give_too_many(void) {
  const size_t bytes = 1u << 24;
  char *all = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(all != MAP_FAILED);
  GC_INIT();
  GC_set_abort_func(say);
  GC_disable();
  leave_little_memory();
  for (char *at = all; at < all + bytes; at += 8) give(at, at + 8);
}

static void too_many(void **state) {
  (void)state;
  static void (*const each[])(void *, void *) = {GC_add_roots, GC_exclude_static_roots};
  for (unsigned i = 0; i < 2; i++) {
    give = each[i];
    const struct client_end *end = client_run(give_too_many, NULL);
    if (!client_aborted(end) || client_count(end, "[") != 1)
      fail_msg("status 0x%x\n%s", (unsigned)end->status, end->text);
  }
}

/* ---- Static data ---- */

TEST(static_data) {
  GC_INIT();
  client_below(fill, words);
  must(gone() == 0);
}

TEST(static_zeroes) {
  GC_INIT();
  client_below(fill, zeroes);
  must(gone() == 0);
}

/* A part of a segment is no segment: removing what was added there leaves the data a root. */
TEST(static_data_not_removed_in_part) {
  GC_INIT();
  GC_add_roots(zeroes, zeroes + MANY);
  client_below(fill, zeroes);
  GC_remove_roots(zeroes, zeroes + MANY);
  must(gone() == 0);
}

TEST(excluded) {
  GC_INIT();
  GC_exclude_static_roots(zeroes, zeroes + MANY);
  client_below(fill, zeroes);
  must(gone() >= MOST);
}

TEST(excluded_in_part) {
  GC_INIT();
  GC_exclude_static_roots(zeroes, zeroes + MANY / 2);
  client_below(fill, zeroes);
  client_collect();
  unsigned first = client_gone(MANY / 2);
  must(first >= MOST / 2 && client_gone(MANY) == first);
}

/* Whichever of the two comes first. */
TEST(excluded_in_added) {
  GC_INIT();
  void **memory = calloc(2 * MANY, sizeof *memory), **first = memory, **second = memory + MANY;
  GC_exclude_static_roots(first, first + MANY);
  GC_add_roots(memory, memory + 2 * MANY);
  client_below(fill, first);
  must(gone() >= MOST);
  client_below(fill, second);
  must(gone() == 0);
  GC_exclude_static_roots(second, second + MANY);
  must(gone() >= MOST);
}

static int find_program(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  char **segment = arg;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    char *start = (char *)(uintptr_t)(info->dlpi_addr + header->p_vaddr);
    if ((char *)zeroes < start || (char *)zeroes >= start + header->p_memsz || header->p_type != PT_LOAD) continue;
    segment[0] = start;
    segment[1] = start + header->p_memsz;
  }
  return 1; /* the program is the first */
}

TEST_OURS(the_programs_data_removed, "finds them again at the next collection") {
  char *segment[2];
  GC_INIT();
  must(dl_iterate_phdr(find_program, segment));
  client_below(fill, zeroes);
  must(gone() == 0);
  GC_remove_roots(segment[0], segment[1] - 1);
  must(gone() == 0);
  GC_remove_roots(segment[0] - 1, segment[1] + 1);
  must(gone() >= MOST);
}

TEST_OURS(exclusions_cleared, "crashes, since its own data were excluded") {
  GC_INIT();
  GC_exclude_static_roots(zeroes, zeroes + MANY);
  GC_clear_exclusion_table();
  client_below(fill, zeroes);
  must(gone() == 0);
}

/* With GC_no_dls the program registers its roots itself. */
TEST(cleared) {
  GC_set_no_dls(1);
  start();
  must(GC_get_no_dls() == 1 && GC_no_dls == 1);
  GC_clear_roots();
  GC_add_roots(range, range + MANY);
  client_below(fill, range);
  must(gone() == 0);
  GC_clear_roots();
  must(gone() >= MOST);
}

/* ---- Libraries ---- */

/* A library of which a test loads a copy has one array of its own. */
static void **load(void) {
  void *library = dlopen(TEST_LIBRARY, RTLD_NOW);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  must(library);
  void **array = dlsym(library, "roots_library_words");
  must(array);
  return array;
}

TEST(data_of_a_loaded_library) {
  GC_INIT();
  client_below(fill, load());
  must(gone() == 0);
}

TEST(data_of_no_library) {
  GC_set_no_dls(1);
  GC_INIT();
  client_below(fill, load());
  must(gone() >= MOST);
}

static unsigned asked, odd;

static int choose(const char *name, void *section, size_t size) {
  asked++;
  if (!section || !size || !name) odd++;
  return !strstr(name, "roots_library");
}

TEST(filter) {
  GC_INIT();
  GC_register_has_static_roots_callback(choose);
  client_below(fill, load());
  must(gone() >= MOST && asked && !odd);
}

TEST(filter_lets_others_be) {
  GC_INIT();
  GC_register_has_static_roots_callback(choose);
  load();
  client_below(fill, zeroes);
  must(gone() == 0 && asked && !odd);
  GC_register_has_static_roots_callback(NULL);
}

TEST(filter_taken_back) {
  GC_INIT();
  GC_register_has_static_roots_callback(choose);
  void **array = load();
  client_collect();
  GC_register_has_static_roots_callback(NULL);
  client_below(fill, array);
  must(gone() == 0);
}

TEST_OURS(filter_not_asked_in_vain, "asks at each collection") {
  start();
  GC_register_has_static_roots_callback(choose);
  GC_gcollect();
  must(asked);
  asked = 0;
  GC_add_roots(range, range + MANY);
  GC_gcollect();
  GC_remove_roots(range, range + MANY);
  GC_gcollect();
  must(!asked);
}

/* ---- Enumeration ---- */

static unsigned found;
static size_t least;

static void visit(void *object, size_t size, void *arg) {
  must(arg == &found);
  if (size < least) return;
  for (unsigned i = 0; i < MANY; i++) found += object == zeroes[i];
}

static void *enumerate(void *arg) {
  GC_enumerate_reachable_objects_inner(visit, arg);
  return NULL;
}

TEST(reachable_objects) {
  GC_INIT();
  client_below(fill, zeroes);
  GC_gcollect();
  least = 40;
  GC_call_with_alloc_lock(enumerate, &found);
  must(found == MANY);
}

static void note_largest(void *object, size_t size, void *arg) {
  (void)object;
  size_t *largest = arg;
  if (size > *largest) *largest = size;
}

static void *find_largest(void *arg) {
  GC_enumerate_reachable_objects_inner(note_largest, arg);
  return NULL;
}

/* The list of them is none of the program's. */
TEST(reachable_objects_are_the_programs) {
  GC_INIT();
  client_below(fill, zeroes);
  GC_gcollect();
  size_t largest = 0;
  GC_call_with_alloc_lock(find_largest, &largest);
  must(largest && largest < 4096);
}

TEST(reachable_objects_while_leaks_are_sought) {
  GC_INIT();
  client_below(fill, zeroes);
  GC_gcollect();
  GC_set_find_leak(1);
  least = 40;
  GC_call_with_alloc_lock(enumerate, &found);
  must(found == MANY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unknown_memory_is_none),
      cmocka_unit_test(added_and_removed),
      cmocka_unit_test(added_twice_and_overlapping),
      cmocka_unit_test(unaligned),
      cmocka_unit_test(not_removed_in_part),
      cmocka_unit_test(removed_again_and_again),
      cmocka_unit_test(too_many),
      cmocka_unit_test(static_data),
      cmocka_unit_test(static_zeroes),
      cmocka_unit_test(static_data_not_removed_in_part),
      cmocka_unit_test(excluded),
      cmocka_unit_test(excluded_in_part),
      cmocka_unit_test(excluded_in_added),
      cmocka_unit_test(the_programs_data_removed),
      cmocka_unit_test(exclusions_cleared),
      cmocka_unit_test(cleared),
      cmocka_unit_test(data_of_a_loaded_library),
      cmocka_unit_test(data_of_no_library),
      cmocka_unit_test(filter),
      cmocka_unit_test(filter_lets_others_be),
      cmocka_unit_test(filter_taken_back),
      cmocka_unit_test(filter_not_asked_in_vain),
      cmocka_unit_test(reachable_objects),
      cmocka_unit_test(reachable_objects_are_the_programs),
      cmocka_unit_test(reachable_objects_while_leaks_are_sought),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
