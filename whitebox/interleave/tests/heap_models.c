/* The heap and the mappings as the code under test sees them: what is found, what is allowed, which addresses come. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "start.h"

#define PAGE 4096u

/* Out of sight of the compiler, which leaves out a malloc that nobody needs, knows a freed pointer and believes in
 * alignments. */
static void *hide(void *pointer) {
  __asm__ volatile("" : "+r"(pointer));
  return pointer;
}

/* ---- Blocks ---- */

static volatile int sink;

static void use_after_free(void) {
  int *block = hide(malloc(sizeof *block));
  *block = 1;
  int *stale = hide(block);
  free(block);
  sink = *stale;
}
INTERLEAVE_MODEL(use_after_free, .run = use_after_free, .title = "a freed block is read", .expect = INTERLEAVE_MEMORY);

static int *shared_block;
static atomic_int stage;

static void *free_it(void *arg) {
  (void)arg;
  free(shared_block);
  atomic_store_explicit(&stage, 1, memory_order_release);
  return NULL;
}

/* Ordered, so no race: the block's state alone tells. */
static void use_after_free_by_other(void) {
  shared_block = hide(malloc(sizeof *shared_block));
  int *stale = hide(shared_block);
  pthread_t thread = start(free_it, NULL);
  if (atomic_load_explicit(&stage, memory_order_acquire)) *stale = 2;
  join(thread);
}
INTERLEAVE_MODEL(use_after_free_by_other, .run = use_after_free_by_other, .expect = INTERLEAVE_MEMORY,
                 .title = "a block is written after another thread freed it");

static void *free_after_use(void *arg) {
  (void)arg;
  while (!atomic_load_explicit(&stage, memory_order_relaxed)) {
  }
  free(shared_block);
  return NULL;
}

static void free_races_with_use(void) {
  shared_block = hide(malloc(sizeof *shared_block));
  pthread_t thread = start(free_after_use, NULL);
  *shared_block = 1;
  atomic_store_explicit(&stage, 1, memory_order_relaxed);
  join(thread);
}
INTERLEAVE_MODEL(free_races_with_use, .run = free_races_with_use, .expect = INTERLEAVE_RACE,
                 .title = "a block is freed after its last use, but without an order between them");

static void double_free(void) {
  shared_block = hide(malloc(sizeof *shared_block));
  pthread_t thread = start(free_it, NULL);
  free(shared_block);
  join(thread);
}
INTERLEAVE_MODEL(double_free, .run = double_free, .title = "two threads free one block", .expect = INTERLEAVE_MEMORY);

static void free_inside(void) { free(hide((char *)hide(malloc(32)) + 8)); }
INTERLEAVE_MODEL(free_inside, .run = free_inside, .title = "an interior pointer is freed", .expect = INTERLEAVE_MEMORY);

static void overflow(void) {
  char *block = hide(malloc(13));
  block[13] = 1;
}
INTERLEAVE_MODEL(overflow, .run = overflow, .title = "one byte past the end, within the same word",
                 .expect = INTERLEAVE_MEMORY);

static void underflow(void) {
  int *block = hide(malloc(8));
  sink = block[-1];
}
INTERLEAVE_MODEL(underflow, .run = underflow, .title = "one word before the block", .expect = INTERLEAVE_MEMORY);

static void realloc_stale(void) {
  int *block = hide(malloc(16));
  int *stale = hide(block);
  block = hide(realloc(block, 24));
  *stale = 1;
  free(block);
}
INTERLEAVE_MODEL(realloc_stale, .run = realloc_stale, .title = "a block is used where it was before realloc",
                 .expect = INTERLEAVE_MEMORY);

static void heap_calls(void) {
  char *text = strdup("twelve bytes");
  interleave_assert(strcmp(text, "twelve bytes") == 0 && malloc_usable_size(text) == 13);
  text = realloc(text, 200);
  interleave_assert(strcmp(text, "twelve bytes") == 0);
  char *part = strndup(text, 6);
  interleave_assert(strcmp(part, "twelve") == 0);
  memset(text, 0xff, 200);
  free(text);
  unsigned char *zeros = calloc(20, 10);
  for (unsigned i = 0; i < 200; i++) interleave_assert(zeros[i] == 0);
  free(zeros);
  free(hide(malloc(100))); /* of the size, but not of the alignment asked for next */
  void *aligned = NULL;
  interleave_assert(posix_memalign(&aligned, PAGE, 100) == 0 && (uintptr_t)hide(aligned) % PAGE == 0);
  free(aligned);
  interleave_assert(posix_memalign(&aligned, 24, 100) == EINVAL);
  void *line = hide(aligned_alloc(64, 128));
  interleave_assert((uintptr_t)line % 64 == 0);
  free(line);
  free(part);
  free(hide(realloc(NULL, 1)));
  size_t huge = (size_t)hide((void *)(SIZE_MAX / 2));
  errno = 0;
  void *none = hide(calloc(huge, 3));
  interleave_assert(!none && errno == ENOMEM);
  none = hide(malloc(huge));
  interleave_assert(!none);
}
INTERLEAVE_MODEL(heap_calls, .run = heap_calls, .preemptions = 1, .title = "malloc and its kin do what they promise");

/* ---- Addresses ---- */

static void reused_or_fresh(void) {
  void *first = hide(malloc(24));
  uintptr_t address = (uintptr_t)first;
  free(first);
  void *second = hide(malloc(20));
  interleave_outcome((uintptr_t)second == address ? "reused" : "fresh");
  free(second);
}
INTERLEAVE_MODEL(reused_or_fresh, .run = reused_or_fresh, .title = "whether malloc reuses a block is a choice",
                 .outcomes = "reused|fresh");

static void *use_block(void *arg) {
  int *block = hide(malloc(sizeof *block));
  *block = *(const int *)arg;
  free(block);
  return NULL;
}

static void reuse_synchronises(void) {
  static const int values[] = {1, 2};
  pthread_t thread = start(use_block, (void *)(uintptr_t)&values[0]);
  use_block((void *)(uintptr_t)&values[1]);
  join(thread);
}
INTERLEAVE_MODEL(reuse_synchronises, .preemptions = 3, .run = reuse_synchronises,
                 .title = "a block freed by one thread may be another's next: free synchronises with malloc");

static _Atomic(int *) slot;
static atomic_int generation;

static void *replace(void *arg) {
  (void)arg;
  int *old = atomic_exchange(&slot, NULL);
  free(old);
  atomic_fetch_add(&generation, 1);
  atomic_store(&slot, (int *)malloc(sizeof(int)));
  return NULL;
}

/* A comparison of addresses says nothing about what is there. */
static void aba(void) {
  atomic_store(&slot, (int *)malloc(sizeof(int)));
  pthread_t thread = start(replace, NULL);
  int before = atomic_load(&generation);
  int *seen = atomic_load(&slot);
  bool swapped = seen && atomic_compare_exchange_strong(&slot, &seen, NULL);
  interleave_assert(!swapped || atomic_load(&generation) == before);
  join(thread);
}
INTERLEAVE_MODEL(aba, .run = aba, .title = "another object at the same address", .expect = INTERLEAVE_ASSERTION,
                 .preemptions = 1);

/* ---- What setup left ---- */

static int *from_setup, *from_setup_too;
static char *mapped_in_setup;

static void make_things(void) {
  from_setup = malloc(sizeof *from_setup);
  from_setup_too = malloc(sizeof *from_setup_too);
  *from_setup = 5;
  free(hide(malloc(100)));
  mapped_in_setup = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mapped_in_setup[2 * PAGE] = 7;
  munmap(mapped_in_setup, PAGE);
}

static void change_things(void) {
  interleave_assert(*from_setup == 5 && mapped_in_setup[2 * PAGE] == 7);
  unsigned chosen = interleave_choose(3);
  *from_setup = 6;
  if (chosen > 0) free(from_setup);
  if (chosen > 1) free(from_setup_too);
  void *block = malloc(100);
  memset(block, 0xff, 100);
  if (chosen == 1) munmap(mapped_in_setup + 2 * PAGE, PAGE);
  if (chosen == 2) madvise(mapped_in_setup + PAGE, 3 * PAGE, MADV_DONTNEED);
  mapped_in_setup[3 * PAGE] = 1;
  free(block);
}
INTERLEAVE_MODEL(heap_reset, .preemptions = 3, .setup = make_things, .run = change_things,
                 .title = "each run finds the heap and the mappings as setup left them");

/* ---- Mappings ---- */

static char *map(size_t size) {
  void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}

static void map_fails(void) {
  errno = 0;
  char *pages = map(PAGE);
  interleave_assert(pages || errno == ENOMEM);
  interleave_outcome(pages ? "mapped" : "failed");
}
INTERLEAVE_MODEL(map_fails, .run = map_fails, .title = "mmap may fail where the model says so", .failing_maps = true,
                 .outcomes = "mapped|failed");
INTERLEAVE_MODEL(map_succeeds, .run = map_fails, .title = "and only there", .outcomes = "mapped");

static void use_after_unmap(void) {
  char *pages = map(2 * PAGE);
  munmap(pages, PAGE);
  pages[PAGE] = 1;
  sink = pages[PAGE - 1];
}
INTERLEAVE_MODEL(use_after_unmap, .run = use_after_unmap, .title = "the last byte of an unmapped page is read",
                 .expect = INTERLEAVE_MEMORY);

static char *shared_pages;

static void *unmap_after_use(void *arg) {
  (void)arg;
  while (!atomic_load_explicit(&stage, memory_order_relaxed)) {
  }
  munmap(shared_pages, PAGE);
  return NULL;
}

static void unmap_races_with_use(void) {
  shared_pages = map(PAGE);
  pthread_t thread = start(unmap_after_use, NULL);
  shared_pages[100] = 1;
  atomic_store_explicit(&stage, 1, memory_order_relaxed);
  join(thread);
}
INTERLEAVE_MODEL(unmap_races_with_use, .run = unmap_races_with_use, .expect = INTERLEAVE_RACE,
                 .title = "a page goes after its last use, but without an order between them");

static void unmap_twice(void) {
  char *pages = map(2 * PAGE);
  munmap(pages + PAGE, PAGE);
  munmap(pages, 2 * PAGE);
}
INTERLEAVE_MODEL(unmap_twice, .run = unmap_twice, .title = "a page is unmapped twice", .expect = INTERLEAVE_MEMORY);

static void unmap_part(void) {
  char *pages = map(3 * PAGE);
  memset(pages, 1, 3 * PAGE);
  munmap(pages + PAGE, PAGE);
  interleave_assert(pages[PAGE - 1] == 1 && pages[2 * PAGE] == 1);
  char *again = map(PAGE);
  interleave_outcome(again == pages + PAGE ? "hole" : "fresh");
  for (unsigned i = 0; i < PAGE; i += 64) interleave_assert(again[i] == 0);
  again[0] = 1;
}
INTERLEAVE_MODEL(unmap_part, .run = unmap_part, .title = "what is unmapped may come again, zeroed",
                 .outcomes = "hole|fresh");

static void *use_page(void *arg) {
  (void)arg;
  char *page = map(PAGE);
  interleave_assert(page[8] == 0);
  page[8] = 1;
  munmap(page, PAGE);
  return NULL;
}

static void pages_change_hands(void) {
  pthread_t thread = start(use_page, NULL);
  use_page(NULL);
  join(thread);
}
INTERLEAVE_MODEL(pages_change_hands, .preemptions = 3, .run = pages_change_hands,
                 .title = "a page unmapped by one thread may be another's next: in order, and zeroed");

static void discard(void) {
  char *pages = map(2 * PAGE);
  memset(pages, 1, 2 * PAGE);
  interleave_assert(madvise(pages, PAGE, MADV_DONTNEED) == 0);
  interleave_assert(pages[0] == 0 && pages[PAGE - 1] == 0 && pages[PAGE] == 1);
}
INTERLEAVE_MODEL(discard, .preemptions = 3, .run = discard, .title = "MADV_DONTNEED zeroes its pages and no others");

static void without_access(void) {
  char *pages = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  interleave_assert(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
  pages[PAGE] = pages[2 * PAGE - 1] = 1;
  if (interleave_choose(2)) pages[2 * PAGE] = 1;
}
INTERLEAVE_MODEL(without_access, .run = without_access, .title = "a reserved page is written before it is opened",
                 .expect = INTERLEAVE_MEMORY);

static void reopen(void) {
  char *pages = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  mprotect(pages, 4 * PAGE, PROT_READ | PROT_WRITE);
  memset(pages, 1, 4 * PAGE);
  mprotect(pages + PAGE, PAGE, PROT_NONE);
  mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
  interleave_assert(pages[PAGE] == 1);
  void *fixed = mmap(pages + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  interleave_assert(fixed == pages + PAGE && pages[PAGE] == 0 && pages[0] == 1);
}
INTERLEAVE_MODEL(reopen, .preemptions = 3, .run = reopen,
                 .title = "mprotect keeps what is there; mmap at a fixed address does not");

static void remap(void) {
  char *pages = map(2 * PAGE);
  pages[PAGE] = 3;
  char *moved = mremap(pages, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
  interleave_assert(moved != MAP_FAILED && moved[PAGE] == 3 && moved[3 * PAGE] == 0);
  interleave_assert(mremap(moved, 4 * PAGE, PAGE, 0) == moved);
  moved[0] = 1;
  interleave_assert(mremap(moved, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
  if (interleave_choose(2)) pages[PAGE] = 1;
}
INTERLEAVE_MODEL(remap, .run = remap, .title = "mremap moves, and the old place is gone", .expect = INTERLEAVE_MEMORY);

/* As an allocator gets alignment: maps more, and trims both ends. */
static void *reserve_aligned(void *arg) {
  size_t size = 65536, alignment = (size_t)arg, extra = alignment - PAGE;
  char *pages = map(size + extra);
  char *aligned = (char *)(((uintptr_t)pages + extra) & ~(uintptr_t)(alignment - 1));
  if (aligned > pages) munmap(pages, (size_t)(aligned - pages));
  if (pages + extra > aligned) munmap(aligned + size, (size_t)(pages + extra - aligned));
  for (size_t i = 0; i < size; i += PAGE) {
    interleave_assert(aligned[i] == 0);
    aligned[i] = 1;
  }
  munmap(aligned, size);
  return NULL;
}

static void aligned_arenas(void) {
  pthread_t thread = start(reserve_aligned, (void *)(uintptr_t)65536);
  reserve_aligned((void *)(uintptr_t)(16 * PAGE));
  join(thread);
}
INTERLEAVE_MODEL(aligned_arenas, .run = aligned_arenas, .title = "two threads reserve and release aligned arenas",
                 .preemptions = 2);
