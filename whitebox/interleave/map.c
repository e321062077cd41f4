/* Anonymous mappings for the code under test, in pages of the world. A table of ranges in order of address says what is
 * mapped; shadow.c forbids the rest, so that a use after munmap is found where it happens.
 *
 * What munmap gives back is zeroed there and then, so each new mapping is zero already. mmap takes the range unmapped
 * last if one is large enough (choice 0), or fresh pages. Unmapping synchronises with the mapping that takes the place
 * (the kernel's own lock does), and counts as a write to the pages.
 *
 * Not modelled: files, PROT_READ (the memory can be written), placement hints, the kernel's adjacent placement. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "shadow.h"

#define PAGE       UINT64_C(4096)
#define RANGES_MAX 1024u

enum range_kind { RANGE_MAPPED, RANGE_NONE /* PROT_NONE */, RANGE_UNMAPPED };

struct range {
  struct clock unmapped; /* what the thread knew that unmapped it */
  uintptr_t start, end;
  uint32_t age; /* of UNMAPPED: when, in unmappings */
  uint8_t kind;
  uint8_t owner; /* fiber that unmapped it */
};

struct map_state {
  uint32_t ranges, saved_ranges;
  uint32_t age;
  bool changed; /* since setup */
  struct range range[RANGES_MAX], saved[RANGES_MAX];
};
static struct map_state *maps;

void map_initialize(void) { maps = state_allocate(sizeof *maps); }

void map_keep(void) {
  /* Clocks begin anew in each run: what setup did comes before all of it. */
  for (uint32_t i = 0; i < maps->ranges; i++) maps->range[i].unmapped = (struct clock){0};
  memcpy(maps->saved, maps->range, maps->ranges * sizeof *maps->range);
  maps->saved_ranges = maps->ranges;
  maps->changed = false;
}

void map_begin(void) {
  if (!maps->changed) return;
  maps->changed = false;
  maps->ranges = maps->saved_ranges;
  memcpy(maps->range, maps->saved, maps->ranges * sizeof *maps->range);
}

void map_forget_setup(void) {
  maps->ranges = maps->saved_ranges = maps->age = 0;
  maps->changed = false;
}

/* ---- The table ---- */

/* Index of the first range that ends above the address. */
static uint32_t first_above(uintptr_t address) {
  uint32_t low = 0, high = maps->ranges;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (maps->range[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static struct range *range_at(uintptr_t address) {
  uint32_t index = first_above(address);
  return index < maps->ranges && maps->range[index].start <= address ? &maps->range[index] : NULL;
}

static struct range *insert(uint32_t index, const struct range *range) {
  if (maps->ranges == RANGES_MAX) fail(INTERLEAVE_UNSUPPORTED, "more than %u pieces of mappings in a run", RANGES_MAX);
  struct range *at = &maps->range[index];
  memmove(at + 1, at, (maps->ranges - index) * sizeof *at);
  maps->ranges++;
  *at = *range;
  return at;
}

/* No range crosses the address afterwards. */
static void split(uintptr_t address) {
  uint32_t index = first_above(address);
  if (index == maps->ranges || maps->range[index].start >= address) return;
  struct range upper = maps->range[index];
  upper.start = address;
  maps->range[index].end = address;
  insert(index + 1, &upper);
}

/* Whether mmap gave all of it; `mapped`: and it still is. */
static bool covered(uintptr_t start, uintptr_t end, bool mapped) {
  while (start < end) {
    const struct range *range = range_at(start);
    if (!range || (mapped && range->kind == RANGE_UNMAPPED)) return false;
    start = range->end;
  }
  return true;
}

bool map_describe(uintptr_t address, char *text, size_t size) {
  const struct range *range = range_at(address);
  if (!range) return false;
  size_t offset = address - range->start;
  if (range->kind == RANGE_UNMAPPED)
    snprintf(text, size, "%zu bytes into memory unmapped by thread %u", offset, range->owner);
  else
    snprintf(text, size, "%zu bytes into a mapping%s", offset, range->kind == RANGE_NONE ? " without access" : "");
  return true;
}

bool map_readable(uintptr_t address) {
  const struct range *range = range_at(address);
  if (range) return range->kind == RANGE_MAPPED;
  /* The kernel copies the set before it finds that -1 is no operation. */
  int saved = errno;
  bool readable = syscall(SYS_rt_sigprocmask, -1, address, NULL, sizeof(uint64_t)) == 0 || errno != EFAULT;
  errno = saved;
  return readable;
}

void process_describe(uintptr_t address, char *text, size_t size) {
  if (!map_describe(address, text, size) && !heap_describe(address, text, size)) text[0] = 0;
}

/* ---- Changing ranges ---- */

/* Zero, as a write by the calling thread. A word that nobody has touched in this run cannot be raced for, and one that
 * is zero already needs no entry in the undo log: most of a mapping is both. */
static void zero(uintptr_t start, uintptr_t end, const void *pc) {
  static const uint64_t none = 0;
  for (uintptr_t at = start; at < end; at += sizeof none) {
    if (shadow_cell(at)->run == RT->run) shadow_write_range(at, sizeof none, pc);
    if (*(const uint64_t *)at != 0) world_write((void *)at, &none, sizeof none);
  }
}

static void allow(struct range *range, int protection) {
  enum range_kind kind = protection & (PROT_READ | PROT_WRITE) ? RANGE_MAPPED : RANGE_NONE;
  size_t size = range->end - range->start;
  if (kind == RANGE_MAPPED && range->kind != RANGE_MAPPED) shadow_permit(range->start, size);
  if (kind == RANGE_NONE && range->kind == RANGE_MAPPED) shadow_forbid(range->start, size);
  range->kind = (uint8_t)kind;
}

static void take_back(struct range *range, const void *pc) {
  size_t size = range->end - range->start;
  if (range->kind == RANGE_NONE) shadow_permit(range->start, size); /* for zero(), which is an access */
  zero(range->start, range->end, pc);
  shadow_forbid(range->start, size);
  range->kind = RANGE_UNMAPPED;
  range->age = ++maps->age;
  range->owner = (uint8_t)self()->id;
}

static void unmap(uintptr_t start, uintptr_t end, const void *pc) {
  maps->changed = true;
  split(start);
  split(end);
  struct clock clock = {0};
  uint32_t index = first_above(start);
  for (uint32_t i = index; i < maps->ranges && maps->range[i].start < end; i++)
    if (maps->range[i].kind != RANGE_UNMAPPED) take_back(&maps->range[i], pc);
  memory_release(&clock);
  for (uint32_t i = index; i < maps->ranges && maps->range[i].start < end; i++)
    clock_join(&maps->range[i].unmapped, &clock);
}

/* The range unmapped last that is large enough. */
static struct range *unmapped_range(size_t size) {
  struct range *best = NULL;
  for (uint32_t i = 0; i < maps->ranges; i++) {
    struct range *range = &maps->range[i];
    if (range->kind != RANGE_UNMAPPED || range->end - range->start < size) continue;
    if (!best || range->age > best->age) best = range;
  }
  return best;
}

/* Pages that are zero and forbidden or fresh, as one range of kind UNMAPPED or MAPPED; NULL if there are none. */
static struct range *find_pages(size_t size) {
  struct range *range = unmapped_range(size);
  if (range && choose(CHOICE_ADDRESS, 2) == 0) {
    uintptr_t start = range->start;
    split(start + size);
    range = range_at(start);
    memory_acquire(&range->unmapped);
    return range;
  }
  void *fresh = world_allocate(size, PAGE);
  if (!fresh) return NULL;
  uintptr_t start = (uintptr_t)fresh;
  return insert(maps->ranges, &(struct range){.start = start, .end = start + size, .kind = RANGE_MAPPED});
}

static void *map_pages(size_t size, int protection) {
  if (RT->model->failing_maps && choose(CHOICE_FAIL, 2) != 0) return NULL;
  maps->changed = true;
  struct range *range = find_pages(size);
  if (!range) return NULL;
  allow(range, protection);
  return (void *)range->start;
}

static void map_fixed(uintptr_t start, size_t size, int protection, const void *pc) {
  if (start % PAGE != 0 || !covered(start, start + size, false))
    fail(INTERLEAVE_UNSUPPORTED, "mmap at a fixed address, %#zx, that no earlier mmap gave", (size_t)start);
  unmap(start, start + size, pc);
  for (uint32_t i = first_above(start); i < maps->ranges && maps->range[i].start < start + size; i++)
    allow(&maps->range[i], protection);
}

/* ---- What the code under test calls ---- */

#define CALLER __builtin_return_address(0)

void *interleave_wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int interleave_wrap_munmap(void *address, size_t size);
int interleave_wrap_madvise(void *address, size_t size, int advice);
int interleave_wrap_mincore(void *address, size_t size, unsigned char *vector);
int interleave_wrap_mprotect(void *address, size_t size, int protection);
void *interleave_wrap_mremap(void *address, size_t size, size_t new_size, int flags, ...);
int interleave_wrap_prctl(int option, ...);

static int error(int number) {
  errno = number;
  return -1;
}

/* A scheduling point; the size in whole pages, or 0 for what the kernel refuses. */
static size_t begin(uintptr_t address, size_t size) {
  schedule_point(OP_MAP, (uintptr_t)maps, true, false);
  bool bad = address % PAGE != 0 || size == 0 || size > WORLD_BYTES;
  return bad ? 0 : (size + PAGE - 1) & ~(PAGE - 1);
}

static void done(uintptr_t address, unsigned what) { schedule_executed(OP_MAP, address, 0, what); }

void *interleave_wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  (void)offset;
  if (!(flags & MAP_ANONYMOUS) || (flags & MAP_GROWSDOWN))
    fail(INTERLEAVE_UNSUPPORTED, "mmap of file %d with flags %#x; only anonymous memory is modelled", fd,
         (unsigned)flags);
  bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
  uintptr_t start = fixed ? (uintptr_t)address : 0;
  bool none = size == 0;
  size = begin(start, size);
  void *map = NULL;
  int number = none ? EINVAL : ENOMEM;
  if (size && !fixed) {
    map = map_pages(size, protection);
  } else if (size && (flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE && covered(start, start + PAGE, true)) {
    number = EEXIST;
  } else if (size) {
    map_fixed(start, size, protection, CALLER);
    map = address;
  }
  done((uintptr_t)map, map ? 1 : 2);
  if (map) return map;
  error(number);
  return MAP_FAILED;
}

int interleave_wrap_munmap(void *address, size_t size) {
  uintptr_t start = (uintptr_t)address;
  size = begin(start, size);
  if (!size) return error(EINVAL);
  /* The kernel says nothing; but who unmaps twice may well hit another's new mapping. */
  if (!covered(start, start + size, true))
    fail(INTERLEAVE_MEMORY, "munmap of %zu bytes at %#zx, of which not all is mapped", size, (size_t)start);
  unmap(start, start + size, CALLER);
  done(start, 3);
  return 0;
}

static void discard(uintptr_t start, uintptr_t limit, const void *pc) {
  for (uintptr_t at = start; at < limit;) {
    const struct range *range = range_at(at);
    uintptr_t stop = range->end < limit ? range->end : limit;
    if (range->kind == RANGE_MAPPED) zero(at, stop, pc);
    at = stop;
  }
}

int interleave_wrap_madvise(void *address, size_t size, int advice) {
  uintptr_t start = (uintptr_t)address;
  size = begin(start, size);
  if (!size) return start % PAGE ? error(EINVAL) : 0;
  if (!covered(start, start + size, true)) {
    if (covered(start, start + size, false)) return error(ENOMEM);
    fail(INTERLEAVE_UNSUPPORTED, "madvise of memory that mmap did not give: %#zx", (size_t)start);
  }
  /* MADV_FREE drops the pages now or later, or never. */
  bool drop = advice == MADV_DONTNEED || (advice == MADV_FREE && choose(CHOICE_MODEL, 2) != 0);
  if (drop) discard(start, start + size, CALLER);
  done(start, drop ? 4 : 5);
  return 0;
}

/* What is in memory differs from run to run: a replay may not depend on it, so nothing can be learnt. */
int interleave_wrap_mincore(void *address, size_t size, unsigned char *vector) {
  (void)address, (void)size, (void)vector;
  return error(EAGAIN);
}

int interleave_wrap_mprotect(void *address, size_t size, int protection) {
  uintptr_t start = (uintptr_t)address;
  size = begin(start, size);
  if (!size) return start % PAGE ? error(EINVAL) : 0;
  if (!covered(start, start + size, true)) {
    if (covered(start, start + size, false)) return error(ENOMEM);
    fail(INTERLEAVE_UNSUPPORTED, "mprotect of memory that mmap did not give: %#zx", (size_t)start);
  }
  maps->changed = true;
  split(start);
  split(start + size);
  for (uint32_t i = first_above(start); i < maps->ranges && maps->range[i].start < start + size; i++)
    allow(&maps->range[i], protection);
  done(start, 6);
  return 0;
}

static void copy_words(uintptr_t to, uintptr_t from, size_t size) {
  for (size_t at = 0; at < size; at += sizeof(uint64_t))
    if (*(const uint64_t *)(from + at) != 0)
      world_write((void *)(to + at), (const void *)(from + at), sizeof(uint64_t));
}

/* Never grows in place: what lies behind a mapping is somebody else's. */
void *interleave_wrap_mremap(void *address, size_t size, size_t new_size, int flags, ...) {
  uintptr_t start = (uintptr_t)address;
  size = begin(start, size);
  new_size = (new_size + PAGE - 1) & ~(PAGE - 1);
  if (flags & ~MREMAP_MAYMOVE) fail(INTERLEAVE_UNSUPPORTED, "mremap with flags %#x", (unsigned)flags);
  int number = !size || !new_size ? EINVAL : !covered(start, start + size, true) ? EFAULT : 0;
  void *moved = address;
  if (!number && new_size < size) unmap(start + new_size, start + size, CALLER);
  if (!number && new_size > size) {
    moved = flags & MREMAP_MAYMOVE ? map_pages(new_size, PROT_READ | PROT_WRITE) : NULL;
    if (moved) {
      copy_words((uintptr_t)moved, start, size);
      unmap(start, start + size, CALLER);
    } else {
      number = ENOMEM;
    }
  }
  done(start, 7);
  if (!number) return moved;
  error(number);
  return MAP_FAILED;
}

/* Names of mappings, which nobody reads here. */
int interleave_wrap_prctl(int option, ...) {
  if (option == PR_SET_VMA) return 0;
  fail(INTERLEAVE_UNSUPPORTED, "prctl option %d", option);
}
