/* Plain memory: the race check (after FastTrack, Flanagan and Freund 2009, with ThreadSanitizer's fixed number of
 * remembered accesses), what may not be used, and the undo log that puts memory back between runs. */
#include "shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "apart.h"
#include "atomics.h"
#include "process.h"
#include "record.h"

#define UNDO_MAX   (UINT32_C(1) << 22)
#define FORBID_MAX (UINT32_C(1) << 18)

struct undo {
  uint64_t *word;
  uint64_t value;
};
struct forbidden {
  struct cell *cell;
  uint8_t mask;
};

struct log {
  uint32_t undos, forbids;
  struct undo undo[UNDO_MAX];
  struct forbidden forbid[FORBID_MAX];
};
/* run: of this run; setup: of constructors and setup, for the day when another model wants memory as the process found
 * it. */
static struct log *state, *setup;

static void map(uintptr_t address, size_t bytes) {
  void *at = mmap((void *)address, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == (void *)address) return;
  fprintf(stderr, "interleave: cannot map %zu MiB of shadow memory at %#zx; raise the limit on address space\n",
          bytes >> 20, (size_t)address);
  exit(3);
}

void shadow_initialize(void) {
  map(SHADOW_WORLD, WORLD_BYTES / 8 * sizeof(struct cell));
  map(SHADOW_IMAGE, ((RT->image_high - RT->image_low) / 8 + 1) * sizeof(struct cell));
  state = state_allocate(sizeof *state);
  setup = state_allocate(sizeof *setup);
}

/* ---- Race check ---- */

/* forbidden: the first byte that may not be used. */
static COLD _Noreturn void report_forbidden(uintptr_t address, size_t size, bool write, uintptr_t forbidden) {
  char what[128];
  process_describe(forbidden, what, sizeof what);
  fail(INTERLEAVE_MEMORY, "%s of %zu byte%s at %#zx, %s", write ? "write" : "read", size, size == 1 ? "" : "s",
       (size_t)address, *what ? what : "memory that may not be used");
}

/* Every handler keeps errno by plain accesses, and that works. */
static bool is_errno(uintptr_t word) { return word == ((uintptr_t)&errno & ~(uintptr_t)7); }

/* Checks the access and remembers it: in the place of one by the same thread that it makes superfluous, in an empty
 * one, in the place of one that whoever races with it also races with this one. */
static __attribute__((noinline)) void check_against_all(struct cell *cell, uintptr_t word, uint8_t mask,
                                                        unsigned bits) {
  const struct fiber *me = self();
  unsigned lane = me->lane;
  uint16_t now = me->clock.lane[lane];
  struct access *slot = NULL, *ordered = NULL;
  for (unsigned i = 0; i < CELL_SLOTS; i++) {
    struct access *old = &cell->access[i];
    if (!old->mask) {
      if (!slot) slot = old;
      break;
    }
    bool covers = bits == ACCESS_WRITE && (old->mask & ~mask) == 0;
    if (old->lane == lane) {
      if (old->clock == now && old->bits == bits && (mask & ~old->mask) == 0) return;
      if (!slot && (covers || (bits == old->bits && (old->mask & ~mask) == 0))) slot = old;
      continue;
    }
    if (LIKELY(old->clock <= me->clock.lane[old->lane])) {
      if (covers) ordered = old;
      continue;
    }
    if (!(old->mask & mask) || !((old->bits | bits) & ACCESS_WRITE) || (old->bits & bits & ACCESS_ATOMIC)) continue;
    if (is_errno(word) && old->lane % FIBERS_MAX == lane % FIBERS_MAX) continue;
    unsigned first = (unsigned)__builtin_ctz(old->mask & mask), count = (unsigned)__builtin_popcount(mask);
    fail_race(word + first, count, bits & ACCESS_WRITE, bits & ACCESS_ATOMIC, old->lane, old->clock,
              old->bits & ACCESS_WRITE, old->bits & ACCESS_ATOMIC);
  }
  if (!slot) slot = ordered ? ordered : &cell->access[now % CELL_SLOTS];
  *slot = (struct access){.clock = now, .lane = (uint8_t)lane, .mask = mask, .bits = (uint8_t)bits};
}

/* Most words are used by one thread alone: the same, without a look at others. */
static inline void check_word(struct cell *cell, uintptr_t word, uint8_t mask, unsigned bits) {
  const struct fiber *me = self();
  struct access *slot = NULL;
  unsigned lane = me->lane, i = 0;
  uint16_t now = me->clock.lane[lane];
  for (; i < CELL_SLOTS - 1 && cell->access[i].mask; i++) {
    struct access *old = &cell->access[i];
    if (old->lane != lane) break;
    if (old->clock == now && old->bits == bits && (mask & ~old->mask) == 0) return;
    if (!slot && !(old->mask & ~mask) && (old->bits == bits || bits == ACCESS_WRITE)) slot = old;
  }
  if (UNLIKELY(cell->access[i].mask)) {
    check_against_all(cell, word, mask, bits);
    return;
  }
  if (!slot) slot = &cell->access[i];
  *slot = (struct access){.clock = now, .lane = (uint8_t)lane, .mask = mask, .bits = (uint8_t)bits};
}

void shadow_forget(uintptr_t low, uintptr_t high, unsigned lane) {
  for (uintptr_t word = low & ~(uintptr_t)7; word < high; word += 8) {
    struct cell *cell = shadow_cell(word);
    if (!cell || cell->run != RT->run) continue;
    unsigned kept = 0;
    for (unsigned i = 0; i < CELL_SLOTS && cell->access[i].mask; i++)
      if (cell->access[i].lane != lane) cell->access[kept++] = cell->access[i];
    for (; kept < CELL_SLOTS && cell->access[kept].mask; kept++) cell->access[kept] = (struct access){0};
  }
}

/* ---- Undo ---- */

static inline bool is_stack(uintptr_t address) { return address - WORLD_ADDRESS < RT->stacks_high - WORLD_ADDRESS; }

static void save_word(struct cell *cell, uintptr_t word) {
  cell->saved = true;
  if (is_stack(word)) return; /* zeroed at each start */
  if (UNLIKELY(state->undos == UNDO_MAX)) fail(INTERLEAVE_UNSUPPORTED, "a run writes more than %u words", UNDO_MAX);
  state->undo[state->undos++] = (struct undo){(uint64_t *)word, *(uint64_t *)word};
}

void shadow_save(uintptr_t address, size_t size) {
  for (uintptr_t word = address & ~(uintptr_t)7; word < address + size; word += 8) {
    struct cell *cell = shadow_cell(word);
    if (!cell) continue;
    shadow_fresh(cell);
    if (!cell->saved) save_word(cell, word);
  }
}

void world_write(void *to, const void *from, size_t size) {
  shadow_save((uintptr_t)to, size);
  memcpy(to, from, size);
}

static void put_back(struct log *log) {
  while (log->undos) {
    const struct undo *undo = &log->undo[--log->undos];
    *undo->word = undo->value;
  }
  while (log->forbids) {
    const struct forbidden *forbid = &log->forbid[--log->forbids];
    forbid->cell->forbidden = forbid->mask;
  }
}

void shadow_undo(void) { put_back(state); }

void shadow_begin(void) { state->undos = state->forbids = 0; }

void shadow_keep(void) {
  if (setup->undos + state->undos > UNDO_MAX || setup->forbids + state->forbids > FORBID_MAX)
    fail(INTERLEAVE_UNSUPPORTED, "setup writes more than %u words", UNDO_MAX);
  memcpy(&setup->undo[setup->undos], state->undo, state->undos * sizeof *state->undo);
  memcpy(&setup->forbid[setup->forbids], state->forbid, state->forbids * sizeof *state->forbid);
  setup->undos += state->undos;
  setup->forbids += state->forbids;
  state->undos = state->forbids = 0;
}

void shadow_forget_setup(void) { put_back(setup); }

/* ---- Entry ---- */

static inline uint8_t mask_of(uintptr_t address, size_t size, uintptr_t word) {
  unsigned from = address > word ? (unsigned)(address - word) : 0;
  size_t end = address + size - word;
  unsigned to = end > 8 ? 8 : (unsigned)end;
  return (uint8_t)((0xffu >> (8 - to)) & (0xffu << from));
}

static inline void access_word(struct cell *cell, uintptr_t address, size_t size, uint8_t mask, unsigned bits) {
  shadow_fresh(cell);
  if (UNLIKELY(cell->forbidden & mask)) {
    unsigned first = (unsigned)__builtin_ctz(cell->forbidden & mask);
    report_forbidden(address, size, bits & ACCESS_WRITE, (address & ~(uintptr_t)7) + first);
  }
  check_word(cell, address & ~(uintptr_t)7, mask, bits);
  if (!(bits & ACCESS_WRITE)) return;
  if (!cell->saved) save_word(cell, address & ~(uintptr_t)7);
  if (UNLIKELY(cell->location && !(bits & ACCESS_ATOMIC))) atomics_overwritten(cell->location, address, size);
}

static void access_words(uintptr_t address, size_t size, unsigned bits) {
  uintptr_t end = address + size;
  for (uintptr_t at = address; at < end;) {
    uintptr_t word = at & ~(uintptr_t)7, next = word + 8 < end ? word + 8 : end;
    struct cell *cell = shadow_cell(word);
    if (UNLIKELY(!cell)) return;
    access_word(cell, at, next - at, mask_of(at, next - at, word), bits);
    at = next;
  }
}

void shadow_access(uintptr_t address, size_t size, bool write, bool atomic, const void *pc) {
  unsigned bits = (write ? ACCESS_WRITE : 0u) | (atomic ? ACCESS_ATOMIC : 0u);
  if (UNLIKELY(RT->recording && !atomic)) {
    RT->noted.address = address;
    RT->noted.size = (unsigned)size;
    RT->noted.write = write;
    RT->noted.pc = pc;
    apart_unseen(record_plain);
  }
  unsigned from = address & 7;
  if (UNLIKELY(from + size > 8)) {
    access_words(address, size, bits);
    return;
  }
  struct cell *cell = shadow_cell(address);
  if (LIKELY(cell != NULL)) access_word(cell, address, size, (uint8_t)((0xffu >> (8 - size)) << from), bits);
}

void shadow_write_range(uintptr_t address, size_t size, const void *pc) {
  if (size) shadow_access(address, size, true, false, pc);
}

/* ---- What may not be used ---- */

static void set_forbidden(uintptr_t address, size_t size, bool forbid) {
  for (uintptr_t word = address & ~(uintptr_t)7; word < address + size; word += 8) {
    struct cell *cell = shadow_cell(word);
    if (!cell) return;
    uint8_t mask = mask_of(address, size, word);
    uint8_t now = (uint8_t)(forbid ? cell->forbidden | mask : cell->forbidden & ~mask);
    if (now == cell->forbidden) continue;
    if (state->forbids == FORBID_MAX) fail(INTERLEAVE_UNSUPPORTED, "a run frees or maps more than the runtime records");
    state->forbid[state->forbids++] = (struct forbidden){cell, cell->forbidden};
    cell->forbidden = now;
  }
}

void shadow_forbid(uintptr_t address, size_t size) { set_forbidden(address, size, true); }
void shadow_permit(uintptr_t address, size_t size) { set_forbidden(address, size, false); }
