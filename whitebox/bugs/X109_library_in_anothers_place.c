/* X109: a library that comes in another's place is taken for the one that went.
 *
 * The stopped world compares a fingerprint of the loaded objects with that of their list. One that is unloaded and
 * loaded again has the same link map at the same place; but its thread-local storage may have another number, under
 * which the list does not look: what only a variable of a thread leads to is reclaimed. */
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include "bug.h"

enum { PAGES = 4096, MAPS = 20, MAP_BYTES = 1160 };

struct loaded {
  struct link_map *map;
  uintptr_t base;
  void **(*variable)(void);
};

static struct loaded load(const char *file) {
  struct loaded loaded = {.map = dlopen(file, RTLD_NOW)};
  assert_non_null(loaded.map);
  loaded.base = loaded.map->l_addr;
  void *variable = dlsym(loaded.map, "bug_module_variable");
  assert_non_null(variable);
  memcpy(&loaded.variable, &variable, sizeof variable);
  return loaded;
}

/* What the loader needed for one library, so that another does not get it. */
static void fill_in_for(const struct loaded *gone, void *maps[MAPS]) {
  for (unsigned i = 0; i < MAPS; i++) maps[i] = malloc(MAP_BYTES);
  for (uintptr_t at = gone->base, end = at + 16 * PAGES; at < end; at += PAGES)
    (void)mmap((void *)at, PAGES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static NOINLINE uintptr_t keep_in(const struct loaded *loaded) {
  void *object = vgc_malloc(64);
  *loaded->variable() = object;
  return ~(uintptr_t)object;
}

static void a_library_comes_back_with_another_number(void **state) {
  (void)state;
  void *maps[MAPS];
  struct loaded first = load(BUG_OTHER_MODULE), before = load(BUG_MODULE);
  must(dlclose(first.map) == 0);
  fill_in_for(&first, maps);
  must(vgc_collect() == 0);
  must(dlclose(before.map) == 0);
  struct loaded again = load(BUG_MODULE);
  for (unsigned i = 0; i < MAPS; i++) free(maps[i]);
  if (again.map != before.map || again.base != before.base) not_applicable("the loader puts it elsewhere");
  uintptr_t hidden = keep_in(&again);
  vgc_clear_stack();
  must(vgc_collect() == 0);
  must(vgc_collect() == 0);
  assert_ptr_equal(vgc_base_of((void *)~hidden), (void *)~hidden);
  *again.variable() = NULL;
  must(dlclose(again.map) == 0);
}

BUG(X109) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_library_comes_back_with_another_number, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X109", tests, NULL, NULL);
}
