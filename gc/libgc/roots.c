/* Roots: static data, ranges that are added, and the program's own procedure. */
#include <link.h>
#include <stdlib.h>

#include "layer.h"

/* ---- Ranges ---- */

/* What GC_add_roots has added, so that GC_remove_roots and GC_clear_roots find it. */
struct range {
  char *low, *high;
  struct range *next;
};
static struct range *added, *excluded;
/* Segments of the program in one of these are no roots any more. Only grows: acquire by who asks, release with the
 * lock. */
static struct range *removed;

static bool remember(struct range **list, char *low, char *high) {
  struct range *range = malloc(sizeof *range);
  if (!range) return false;
  *range = (struct range){low, high, *list};
  *list = range;
  return true;
}

static void forget(struct range **list, char *low, char *high, int (*undo)(const void *, size_t)) {
  for (struct range **at = list; *at;) {
    struct range *range = *at;
    if (range->low < low || range->high > high) {
      at = &range->next;
      continue;
    }
    undo(range->low, (size_t)(range->high - range->low));
    *at = range->next;
    free(range);
  }
}

/* A range that is there already, or that vgc refuses, is left alone. False: no memory. */
static bool add(struct range **list, char *low, char *high, int (*apply)(const void *, size_t)) {
  layer_ensure();
  if (low >= high) return true;
  layer_lock(MUTEX_ROOTS);
  bool failed = apply(low, (size_t)(high - low)) ? errno == ENOMEM : !remember(list, low, high);
  layer_unlock(MUTEX_ROOTS);
  return !failed;
}

void GC_add_roots(void *low, void *high) {
  if (!add(&added, low, high, vgc_root_add)) layer_fatal("GC_add_roots: no memory for another root");
}

void GC_exclude_static_roots(void *low, void *high) {
  if (!add(&excluded, low, high, vgc_root_exclude))
    layer_fatal("GC_exclude_static_roots: no memory for another exclusion");
}

static bool is_removed(const char *start, size_t size) {
  const struct range *range = __atomic_load_n(&removed, __ATOMIC_ACQUIRE);
  while (range && (range->low > start || range->high < start + size)) range = range->next;
  return range != NULL;
}

static bool is_news(const struct range *range, const char *start, size_t size) {
  return start >= range->low && start + size <= range->high && !is_removed(start, size);
}

/* Whether the range has in it a segment of the program, as a filter is shown it, that is still a root. */
static int has_segment(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  if (*info->dlpi_name) return 0;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    const char *start = (const char *)(uintptr_t)(info->dlpi_addr + header->p_vaddr);
    if (header->p_type == PT_LOAD && header->p_flags & PF_W && is_news(arg, start, header->p_memsz)) return 1;
  }
  return 0;
}

static void remove_segments(char *low, char *high) {
  struct range *range = malloc(sizeof *range);
  if (!range) layer_fatal("GC_remove_roots: no memory");
  *range = (struct range){low, high, removed};
  __atomic_store_n(&removed, range, __ATOMIC_RELEASE);
}

/* Static data that the collector has found by itself are segments, too. Those of libraries would be found again. */
void GC_remove_roots(void *from, void *to) {
  char *low = from, *high = to;
  struct range range = {low, high, NULL};
  layer_ensure();
  bool chooses = dl_iterate_phdr(has_segment, &range) != 0;
  layer_lock(MUTEX_ROOTS);
  forget(&added, low, high, vgc_root_remove);
  if (chooses && !is_removed(low, (size_t)(high - low))) remove_segments(low, high);
  layer_unlock(MUTEX_ROOTS);
  if (chooses) layer_roots_choose();
}

#define LOWEST  ((char *)0)
#define HIGHEST ((char *)UINTPTR_MAX)

void GC_clear_exclusion_table(void) {
  layer_lock(MUTEX_ROOTS);
  forget(&excluded, LOWEST, HIGHEST, vgc_root_include);
  layer_unlock(MUTEX_ROOTS);
}

/* Segments of libraries come back with the next collection unless GC_no_dls is set. */
static bool cleared;

void GC_clear_roots(void) {
  layer_ensure();
  layer_lock(MUTEX_ROOTS);
  forget(&added, LOWEST, HIGHEST, vgc_root_remove);
  bool before = cleared;
  SET(cleared, true);
  layer_unlock(MUTEX_ROOTS);
  if (!before) layer_roots_choose();
}

int GC_is_tmp_root(void *ptr) { return (void)ptr, 0; }

/* ---- Static data ---- */

static GC_has_static_roots_func filter;

static int ask(void *arg, const char *name, const void *start, size_t size) {
  (void)arg;
  bool program = !*name;
  if (program && (GET(cleared) || is_removed(start, size))) return 0;
  if (!program && GET(GC_no_dls)) return 0;
  GC_has_static_roots_func function = GET(filter);
  return program || !function || function(name, (void *)(uintptr_t)start, size);
}

void GC_register_has_static_roots_callback(GC_has_static_roots_func function) {
  SET(filter, function);
  layer_roots_choose();
}

void layer_roots_choose(void) {
  if (GC_is_init_called()) vgc_root_set_filter(ask, NULL);
}

/* ---- The program's procedure ---- */

/* World stopped: where GC_push_all's ranges go. */
static struct {
  vgc_root_push *push;
  void *sink;
} pushing;

static void no_roots(void) {}

GC_push_other_roots_proc GC_push_other_roots = no_roots;

static void push_other_roots(void *arg, vgc_root_push *push, void *sink) {
  (void)arg;
  pushing.push = push;
  pushing.sink = sink;
  GC_push_other_roots_proc procedure = GET(GC_push_other_roots);
  if (procedure) procedure();
  pushing.push = NULL;
}

void GC_push_all(void *low, void *high) {
  if (pushing.push && low < high) pushing.push(pushing.sink, low, (size_t)((char *)high - (char *)low));
}
void GC_push_all_eager(void *low, void *high) { GC_push_all(low, high); }
void GC_push_conditional(void *low, void *high, int all) { (void)all, GC_push_all(low, high); }

void GC_set_push_other_roots(GC_push_other_roots_proc procedure) { SET(GC_push_other_roots, procedure); }
GC_push_other_roots_proc GC_get_push_other_roots(void) { return GET(GC_push_other_roots); }

/* While roots are pushed, a mark is one more root. */
void GC_set_mark_bit(const void *object) {
  const void *word = object;
  if (pushing.push) pushing.push(pushing.sink, &word, sizeof word);
}
void GC_clear_mark_bit(const void *object) { (void)object; }

void layer_roots_start(void) {
  vgc_root_add_callback(push_other_roots, NULL);
  layer_roots_choose();
}
