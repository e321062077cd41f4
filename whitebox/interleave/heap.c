/* malloc and its kin for the code under test. Blocks lie apart, with redzones, and are described in a table of their
 * own, so that no write of the program's can corrupt the heap: use after free, overflow and double free are found where
 * they happen.
 *
 * A freed block goes on the list of its size class. malloc takes the one freed last (choice 0) or fresh memory. Reuse
 * is the default because allocators do it (the last freed is warm in the cache) and because ABA then needs no deviation
 * besides the preemption itself; the other choice shows a use after free that reuse would hide.
 *
 * Free synchronises with the malloc that returns the same block (C17 7.22.3), and counts as a write to the block. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

#define BLOCKS_MAX 65536u
#define REDZONE    16u
#define FINE_MAX   512u /* classes in steps of 16 bytes up to here, then powers of two */
#define FINE       (FINE_MAX / 16)
#define CLASSES    (FINE + 31)
#define SIZE_LIMIT (UINT64_C(1) << 38)

struct block {
  struct clock freed; /* what the thread that freed it knew */
  uintptr_t address;
  size_t size, capacity;
  uint32_t next; /* index + 1 of the block freed before it in its class, or 0 */
  uint8_t owner; /* fiber that allocated, or freed it */
  bool live;
  bool changed; /* since setup, which made it */
};

struct heap_state {
  uint32_t blocks, saved_blocks, changes;
  uint32_t head[CLASSES], saved_head[CLASSES]; /* index + 1 of the block freed last, or 0 */
  struct block block[BLOCKS_MAX], saved[BLOCKS_MAX];
  uint32_t change[BLOCKS_MAX]; /* blocks of setup that this run has changed */
};
static struct heap_state *heap;

void heap_initialize(void) { heap = state_allocate(sizeof *heap); }

void heap_keep(void) {
  /* Clocks begin anew in each run: what setup did comes before all of it. */
  for (uint32_t i = 0; i < heap->blocks; i++) {
    heap->block[i].freed = (struct clock){0};
    heap->block[i].changed = false;
  }
  heap->saved_blocks = heap->blocks;
  heap->changes = 0;
  memcpy(heap->saved, heap->block, heap->blocks * sizeof *heap->block);
  memcpy(heap->saved_head, heap->head, sizeof heap->head);
}

void heap_begin(void) {
  heap->blocks = heap->saved_blocks;
  while (heap->changes) {
    uint32_t index = heap->change[--heap->changes];
    heap->block[index] = heap->saved[index];
  }
  memcpy(heap->head, heap->saved_head, sizeof heap->head);
}

void heap_forget_setup(void) {
  heap->blocks = heap->saved_blocks = heap->changes = 0;
  memset(heap->head, 0, sizeof heap->head);
  memset(heap->saved_head, 0, sizeof heap->saved_head);
}

/* ---- The table ---- */

static unsigned class_of(size_t size) {
  if (size <= 16) return 0;
  if (size <= FINE_MAX) return (unsigned)((size - 1) / 16);
  return FINE + (unsigned)(64 - __builtin_clzll(size - 1)) - 10;
}

static size_t class_capacity(unsigned class) {
  return class < FINE ? (class + 1) * (size_t)16 : (size_t)1024 << (class - FINE);
}

static void changing(struct block *block) {
  uint32_t index = (uint32_t)(block - heap->block);
  if (index >= heap->saved_blocks || block->changed) return;
  block->changed = true;
  heap->change[heap->changes++] = index;
}

/* The last block that begins at or below the address: the table is in order of address, as fresh space is. */
static struct block *block_below(uintptr_t address) {
  uint32_t low = 0, high = heap->blocks;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (heap->block[middle].address <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low ? &heap->block[low - 1] : NULL;
}

bool heap_describe(uintptr_t address, char *text, size_t size) {
  struct block *block = block_below(address);
  /* A left redzone belongs to the block above it. */
  struct block *above = block ? block + 1 : heap->block;
  if (above < heap->block + heap->blocks && above->address - address <= REDZONE) {
    snprintf(text, size, "%zu bytes before a block of %zu bytes", (size_t)(above->address - address), above->size);
    return true;
  }
  if (!block || address >= block->address + block->capacity + REDZONE) return false;
  size_t offset = address - block->address;
  if (offset >= block->size)
    snprintf(text, size, "%zu bytes past the end of a block of %zu bytes", offset - block->size, block->size);
  else
    snprintf(text, size, "%zu bytes into a block of %zu bytes, %s by thread %u", offset, block->size,
             block->live ? "allocated" : "freed", block->owner);
  return true;
}

/* The block that begins there and is in use, or a failure. */
static struct block *block_in_use(const void *pointer, const char *call) {
  uintptr_t address = (uintptr_t)pointer;
  struct block *block = block_below(address);
  char text[128];
  if (!block || !heap_describe(address, text, sizeof text))
    fail(INTERLEAVE_MEMORY, "%s of %#zx, which is no block of the heap", call, (size_t)address);
  if (block->address != address) fail(INTERLEAVE_MEMORY, "%s of a pointer %s", call, text);
  if (!block->live)
    fail(INTERLEAVE_MEMORY, "%s of a block of %zu bytes that was freed before, by thread %u", call, block->size,
         block->owner);
  return block;
}

/* ---- Allocation ---- */

/* Takes the block freed last that has the alignment off its list; or NULL. */
static struct block *freed_block(unsigned class, size_t alignment) {
  struct block *newer = NULL;
  for (uint32_t at = heap->head[class]; at;) {
    struct block *block = &heap->block[at - 1];
    if (block->address % alignment != 0) {
      newer = block;
      at = block->next;
      continue;
    }
    if (choose(CHOICE_ADDRESS, 2) != 0) return NULL;
    changing(block);
    if (newer) {
      changing(newer);
      newer->next = block->next;
    } else {
      heap->head[class] = block->next;
    }
    return block;
  }
  return NULL;
}

static struct block *fresh_block(unsigned class, size_t alignment) {
  size_t capacity = class_capacity(class), before = alignment > REDZONE ? alignment : REDZONE;
  char *space = heap->blocks < BLOCKS_MAX ? world_allocate(before + capacity + REDZONE, before) : NULL;
  if (!space)
    fail(INTERLEAVE_UNSUPPORTED, "the heap is full: a run may have %u blocks, and with its maps %zu MiB", BLOCKS_MAX,
         (size_t)(WORLD_BYTES >> 20));
  struct block *block = &heap->block[heap->blocks++];
  *block = (struct block){.address = (uintptr_t)space + before, .capacity = capacity};
  shadow_forbid(block->address - REDZONE, REDZONE);
  return block;
}

static void *allocate(size_t size, size_t alignment) {
  if (size > SIZE_LIMIT || alignment > SIZE_LIMIT) {
    errno = ENOMEM;
    return NULL;
  }
  unsigned class = class_of(size);
  schedule_point(OP_MAP, (uintptr_t)&heap->head[class], true, false);
  struct block *block = freed_block(class, alignment);
  if (block)
    memory_acquire(&block->freed);
  else
    block = fresh_block(class, alignment);
  block->size = size;
  block->live = true;
  block->owner = (uint8_t)self()->id;
  shadow_permit(block->address, size);
  shadow_forbid(block->address + size, block->capacity + REDZONE - size);
  schedule_executed(OP_MAP, block->address, 0, (uint32_t)(block - heap->block));
  return (void *)block->address;
}

/* Overwrites memory of the program's on behalf of the thread that calls. */
static void give(void *to, const void *from, size_t size, const void *pc) {
  shadow_write_range((uintptr_t)to, size, pc);
  world_write(to, from, size);
}

static void zero(void *to, size_t size, const void *pc) {
  static const char zeros[4096];
  shadow_write_range((uintptr_t)to, size, pc);
  for (size_t done = 0; done < size;) {
    size_t part = size - done < sizeof zeros ? size - done : sizeof zeros;
    if (memcmp((char *)to + done, zeros, part) != 0) world_write((char *)to + done, zeros, part);
    done += part;
  }
}

static void release(void *pointer, const char *call, const void *pc) {
  struct block *block = block_in_use(pointer, call);
  unsigned class = class_of(block->capacity);
  schedule_point(OP_FREE, (uintptr_t)&heap->head[class], true, false);
  block = block_in_use(pointer, call); /* another may have freed it meanwhile */
  shadow_write_range(block->address, block->size, pc);
  changing(block);
  block->live = false;
  block->owner = (uint8_t)self()->id;
  block->freed = (struct clock){0};
  memory_release(&block->freed);
  shadow_forbid(block->address, block->size);
  block->next = heap->head[class];
  heap->head[class] = (uint32_t)(block - heap->block) + 1;
  schedule_executed(OP_FREE, block->address, 0, (uint32_t)(block - heap->block));
}

/* ---- What the code under test calls ---- */

#define CALLER __builtin_return_address(0)

void *interleave_wrap_malloc(size_t size);
void *interleave_wrap_calloc(size_t count, size_t size);
void *interleave_wrap_realloc(void *pointer, size_t size);
void *interleave_wrap_reallocarray(void *pointer, size_t count, size_t size);
void interleave_wrap_free(void *pointer);
void *interleave_wrap_aligned_alloc(size_t alignment, size_t size);
int interleave_wrap_posix_memalign(void **result, size_t alignment, size_t size);
void *interleave_wrap_memalign(size_t alignment, size_t size);
char *interleave_wrap_strdup(const char *string);
char *interleave_wrap_strndup(const char *string, size_t most);
size_t interleave_wrap_malloc_usable_size(void *pointer);

void *interleave_wrap_malloc(size_t size) { return allocate(size, 16); }

void *interleave_wrap_calloc(size_t count, size_t size) {
  size_t all;
  if (__builtin_mul_overflow(count, size, &all)) {
    errno = ENOMEM;
    return NULL;
  }
  void *pointer = allocate(all, 16);
  if (pointer) zero(pointer, all, CALLER);
  return pointer;
}

/* Always moves: a pointer kept to the old place is found out. */
static void *reallocate(void *pointer, size_t size, const void *pc) {
  if (!pointer) return allocate(size, 16);
  size_t old = block_in_use(pointer, "realloc")->size;
  void *moved = NULL;
  if (size != 0) {
    moved = allocate(size, 16);
    if (!moved) return NULL;
    size_t kept = old < size ? old : size;
    block_in_use(pointer, "realloc");
    if (kept) shadow_access((uintptr_t)pointer, kept, false, false, pc);
    give(moved, pointer, kept, pc);
  }
  release(pointer, "realloc", pc);
  return moved;
}

void *interleave_wrap_realloc(void *pointer, size_t size) { return reallocate(pointer, size, CALLER); }

void *interleave_wrap_reallocarray(void *pointer, size_t count, size_t size) {
  size_t all;
  if (__builtin_mul_overflow(count, size, &all)) {
    errno = ENOMEM;
    return NULL;
  }
  return reallocate(pointer, all, CALLER);
}

void interleave_wrap_free(void *pointer) {
  int saved = errno;
  if (pointer) release(pointer, "free", CALLER);
  errno = saved;
}

static void *allocate_aligned(size_t alignment, size_t size) {
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    errno = EINVAL;
    return NULL;
  }
  return allocate(size, alignment < 16 ? 16 : alignment);
}

void *interleave_wrap_aligned_alloc(size_t alignment, size_t size) { return allocate_aligned(alignment, size); }
void *interleave_wrap_memalign(size_t alignment, size_t size) { return allocate_aligned(alignment, size); }

int interleave_wrap_posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0) return EINVAL;
  int saved = errno;
  void *pointer = allocate_aligned(alignment, size);
  int error = pointer ? 0 : errno;
  errno = saved;
  if (pointer) give(result, &pointer, sizeof pointer, CALLER);
  return error;
}

static char *duplicate(const char *string, size_t length, const void *pc) {
  char *copy = allocate(length + 1, 16);
  if (!copy) return NULL;
  if (length) shadow_access((uintptr_t)string, length, false, false, pc);
  give(copy, string, length, pc);
  give(copy + length, "", 1, pc);
  return copy;
}

char *interleave_wrap_strdup(const char *string) { return duplicate(string, strlen(string), CALLER); }

char *interleave_wrap_strndup(const char *string, size_t most) {
  return duplicate(string, strnlen(string, most), CALLER);
}

/* No more than was asked for: the rest is out of bounds. */
size_t interleave_wrap_malloc_usable_size(void *pointer) {
  return pointer ? block_in_use(pointer, "malloc_usable_size")->size : 0;
}
