/* The memory model: operational, in the manner of Relacy and C11Tester (Luo and Demsky 2021). Each location keeps its
 * stores in the order in which they were executed, which is also their modification order. A load may read any of them
 * that coherence does not hide:
 *
 *   - `seen` tells for each thread the clock at which it first read or wrote that store; a thread whose clock covers
 * one of these knows the store, and reads nothing older (coherence, with happens-before);
 *   - `sync` is what an acquire of that store learns: the clocks of the release sequences (C17: continued by the same
 *     thread's stores and by read-modify-writes) that it is part of, those headed by a release fence included;
 *   - seq_cst (RC11, Lahav et al. 2017; its order is that of execution): a seq_cst load reads nothing older than the
 * last seq_cst store, nor than a store that happens before an earlier seq_cst fence; after a seq_cst fence a thread
 * reads nothing older than seq_cst stores before the fence, nor than what threads knew at their earlier fences. */
#include "atomics.h"

#include <string.h>

#include "record.h"
#include "shadow.h"
#include "stage.h"

#define LOCATIONS_MAX (UINT32_C(1) << 17)
#define STORES_MAX    (UINT32_C(1) << 18)
/* How far back a load may read. */
#define HISTORY_MAX 24u

struct store {
  struct clock seen;
  struct clock sync;
  uint64_t value;
  uint32_t previous; /* 0 none */
  uint32_t step;
  uint32_t serial; /* of this run: tells one store from another that has the same record */
  uint16_t clock;
  uint8_t lane;
  bool seq_cst, synchronises;
};

struct location {
  uintptr_t address;
  uint32_t newest;
  uint32_t next;  /* in the same word, 0 none */
  uint32_t heads; /* lanes that head a release sequence which the newest store continues */
  struct clock *head;
  uint8_t size;
  bool overwritten; /* by a plain write: begin again from memory */
};

struct atomics_state {
  uint32_t locations, stores, head_sets;
  uint32_t serials;
  uint32_t changes; /* stores so far, of all locations */
  struct location location[LOCATIONS_MAX];
  struct store store[STORES_MAX];
  struct clock head_set[4096][LANES];
};
static struct atomics_state *state;

void atomics_initialize(void) { state = state_allocate(sizeof *state); }

void atomics_begin(void) {
  state->locations = state->stores = 1;
  state->head_sets = state->serials = 0;
}

static bool acquires(int order) {
  return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
         order == __ATOMIC_SEQ_CST;
}
static bool releases(int order) {
  return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* ---- Locations ---- */

static uint64_t memory_value(uintptr_t address, unsigned size) {
  uint64_t value = 0;
  memcpy(&value, (const void *)address, size);
  return value;
}

static uint64_t cut(uint64_t value, unsigned size) {
  return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

static struct store *new_store(struct location *location) {
  if (UNLIKELY(state->stores == STORES_MAX))
    fail(INTERLEAVE_UNSUPPORTED, "a run does more than %u atomic stores", STORES_MAX);
  struct store *store = &state->store[state->stores];
  clock_set_never(&store->seen);
  store->previous = location->newest;
  store->step = RT->step;
  store->serial = ++state->serials;
  store->lane = 0;
  store->clock = 0;
  store->seq_cst = store->synchronises = false;
  location->newest = state->stores++;
  return store;
}

/* The record of a store about to be done. Where nothing is explored nobody reads an older one, so the newest one's
 * record serves again. */
static struct store *next_store(struct location *location) {
  if (LIKELY(!stage->unexplored)) return new_store(location);
  struct store *store = &state->store[location->newest];
  clock_set_never(&store->seen);
  store->previous = 0;
  store->step = RT->step;
  store->serial = ++state->serials;
  return store;
}

static void start_history(struct location *location) {
  location->newest = 0;
  location->heads = 0;
  location->overwritten = false;
  new_store(location)->value = memory_value(location->address, location->size);
}

void atomics_overwritten(uint32_t index, uintptr_t address, size_t size) {
  for (; index; index = state->location[index].next) {
    struct location *location = &state->location[index];
    if (location->address < address + size && address < location->address + location->size)
      location->overwritten = true;
  }
}

static COLD _Noreturn void mixed(uintptr_t address, unsigned size, const struct location *location) {
  fail(INTERLEAVE_MIXED_SIZE,
       "an atomic access of %u bytes at %#zx overlaps an atomic of %u bytes at %#zx; C11 gives such a program no "
       "meaning",
       size, (size_t)address, location->size, (size_t)location->address);
}

static uint32_t location_of(uintptr_t address, unsigned size) {
  struct cell *cell = shadow_cell(address);
  if (UNLIKELY(!cell))
    fail(INTERLEAVE_UNSUPPORTED, "an atomic at %#zx, outside the memory of the code under test", (size_t)address);
  if (UNLIKELY(address % size != 0))
    fail(INTERLEAVE_UNSUPPORTED, "an atomic of %u bytes at %#zx, not aligned", size, (size_t)address);
  shadow_fresh(cell);
  for (uint32_t index = cell->location; index; index = state->location[index].next) {
    struct location *location = &state->location[index];
    if (LIKELY(location->address == address && location->size == size)) {
      if (UNLIKELY(location->overwritten)) start_history(location);
      return index;
    }
    if (location->address < address + size && address < location->address + location->size) {
      if (!location->overwritten) mixed(address, size, location);
      location->size = 0; /* a new object lies there */
    }
  }
  if (UNLIKELY(state->locations == LOCATIONS_MAX))
    fail(INTERLEAVE_UNSUPPORTED, "a run uses more than %u atomics", LOCATIONS_MAX);
  uint32_t index = state->locations++;
  state->location[index] = (struct location){.address = address, .size = (uint8_t)size, .next = cell->location};
  cell->location = index;
  start_history(&state->location[index]);
  return index;
}

/* ---- What a load may read ---- */

/* Whether the current fiber may read nothing older than this store. */
static bool hides_older(const struct store *store, bool seq_cst) {
  const struct fiber *me = self();
  if (!store->previous) return true;
  if (clock_any_at_or_below(&store->seen, &me->clock) || clock_any_at_or_below(&store->seen, &me->view)) return true;
  if (store->seq_cst && store->step < me->last_fence) return true;
  return seq_cst && (store->seq_cst || store->clock <= RT->fence_view.lane[store->lane]);
}

static unsigned readable(const struct location *location, bool seq_cst) {
  unsigned count = 1;
  if (stage->unexplored) return count;
  for (uint32_t at = location->newest; count < HISTORY_MAX && !hides_older(&state->store[at], seq_cst); count++)
    at = state->store[at].previous;
  return count;
}

static uint32_t store_back(const struct location *location, unsigned back) {
  uint32_t at = location->newest;
  while (back--) at = state->store[at].previous;
  return at;
}

static void note_seen(struct store *store) {
  const struct fiber *me = self();
  if (store->seen.lane[me->lane] == NEVER) store->seen.lane[me->lane] = me->clock.lane[me->lane];
}

void atomics_share(unsigned lane, unsigned with) {
  uint16_t now = self()->clock.lane[with];
  for (uint32_t i = 1; i < state->stores; i++) {
    struct store *store = &state->store[i];
    if (store->seen.lane[lane] != NEVER && store->seen.lane[with] == NEVER) store->seen.lane[with] = now;
  }
}

static void acquire_from(const struct store *store, bool acquire) {
  struct fiber *me = self();
  if (!store->synchronises) {
    if (acquire) memory_barrier_step();
    return;
  }
  if (acquire)
    memory_acquire(&store->sync);
  else
    clock_join(&me->acquirable, &store->sync);
}

/* ---- Spinning ---- */

/* Whether the fiber has read this store there before and changed nothing since. */
static bool repeats(struct fiber *me, uint32_t location, uint32_t store, const void *pc) {
  for (unsigned i = 0; i < me->spin_count; i++)
    if (me->spin[i].location == location && me->spin[i].pc == pc) {
      if (me->spin[i].store == store) return true;
      me->spin[i].store = store;
      return false;
    }
  if (me->spin_count < SPIN_MAX) {
    me->spin[me->spin_count].location = location;
    me->spin[me->spin_count].store = store;
    me->spin[me->spin_count++].pc = pc;
  }
  return false;
}

/* What the fiber read there last is not read once more if there is something newer; if there is not, it waits. Returns
 * how many stores may be read. */
static unsigned without_repetition(const struct location *location, uint32_t index, unsigned count, const void *pc) {
  const struct fiber *me = self();
  for (unsigned i = 0; i < me->spin_count; i++) {
    if (me->spin[i].location != index || me->spin[i].pc != pc) continue;
    for (unsigned back = 0; back < count; back++)
      if (state->store[store_back(location, back)].serial == me->spin[i].store) return back;
  }
  return count;
}

/* Waits for a store to what the loop reads. False: there was none, but nobody else could go on either. Then what the
 * loop has read stays noted, so that it reads the newest of all else that it waits for: a store is seen at some time.
 */
static bool await_change(void) {
  uint32_t changes = state->changes;
  schedule_spin();
  if (state->changes == changes) return false;
  self()->spin_count = 0;
  return true;
}

/* The number of stores that a load may read; waits first if the load is the turn of a loop that waits for a store. */
static unsigned await_readable(struct location *location, uint32_t index, bool seq_cst, const void *pc) {
  unsigned count = without_repetition(location, index, readable(location, seq_cst), pc);
  if (LIKELY(count)) return count;
  return await_change() ? readable(location, seq_cst) : 1;
}

/* ---- Operations ---- */

static void record(enum op_kind kind, const struct location *location, uint32_t index, unsigned back, bool write,
                   int order, uint64_t value, const void *pc) {
  if (UNLIKELY(RT->recording)) {
    RT->noted.size = location->size;
    RT->noted.order = order;
    RT->noted.write = write;
    RT->noted.value = value;
    RT->noted.stored = state->store[location->newest].value;
    RT->noted.pc = pc;
  }
  schedule_executed(kind, location->address, index, back);
}

uint64_t atomics_load(uintptr_t address, unsigned size, int order, const void *pc) {
  if (UNLIKELY(!shadow_cell(address))) return memory_value(address, size); /* a constant */
  bool seq_cst = order == __ATOMIC_SEQ_CST;
  schedule_point(OP_LOAD, address, false, seq_cst);
  shadow_access(address, size, false, true, pc);
  uint32_t index = location_of(address, size);
  struct location *location = &state->location[index];
  unsigned count = await_readable(location, index, seq_cst, pc);
  unsigned back = choose(CHOICE_STORE, count);
  uint32_t at = store_back(location, back);
  struct store *store = &state->store[at];
  repeats(self(), index, store->serial, pc);
  note_seen(store);
  acquire_from(store, acquires(order));
  record(OP_LOAD, location, index, back, false, order, store->value, pc);
  return store->value;
}

static struct clock *heads_of(struct location *location) {
  if (location->head) return location->head;
  if (state->head_sets == 4096)
    fail(INTERLEAVE_UNSUPPORTED, "more than 4,096 atomics head release sequences of several threads");
  return location->head = state->head_set[state->head_sets++];
}

/* Release sequences: which heads the new store continues or begins. */
static void synchronise(struct location *location, struct store *store, const struct store *before, bool rmw,
                        bool release) {
  struct fiber *me = self();
  uint32_t mine = UINT32_C(1) << me->lane;
  const struct clock *own = release ? &me->clock : me->fenced ? &me->released : NULL;
  bool only_mine = (location->heads & ~mine) == 0;
  bool continues = (rmw || (only_mine && location->heads)) && before->synchronises;
  if (continues) store->sync = before->sync;
  if (!rmw && !only_mine && (location->heads & mine)) {
    store->sync = heads_of(location)[me->lane];
    continues = true;
  }
  uint32_t heads = rmw ? location->heads : location->heads & mine;
  if (own) {
    if (heads & ~mine || (heads && location->head)) { /* another's heads must stay apart from ours */
      struct clock *head = heads_of(location);
      if (!(heads & mine)) head[me->lane] = (struct clock){0};
      if ((heads & (heads - 1)) == 0 && !(heads & mine)) head[__builtin_ctz(heads)] = before->sync;
      clock_join(&head[me->lane], own);
    }
    if (continues)
      clock_join(&store->sync, own);
    else
      store->sync = *own;
    heads |= mine;
  }
  location->heads = heads;
  store->synchronises = heads != 0;
}

static void append(struct location *location, uint32_t index, uint64_t value, int order, bool rmw) {
  struct fiber *me = self();
  const struct store *before = &state->store[location->newest];
  bool changes = !rmw || value != before->value; /* who spins by exchanging changes nothing for others that do */
  if (releases(order)) memory_fold_handlers(me);
  struct store *store = next_store(location);
  store->value = value;
  store->lane = (uint8_t)me->lane;
  store->clock = me->clock.lane[me->lane];
  store->seq_cst = order == __ATOMIC_SEQ_CST;
  note_seen(store);
  synchronise(location, store, before, rmw, releases(order));
  memcpy((void *)location->address, &value, location->size);
  if (releases(order)) memory_barrier_step();
  state->changes++;
  if (!changes) return;
  me->spin_count = 0;
  schedule_stored(index);
}

void atomics_store(uintptr_t address, unsigned size, uint64_t value, int order, const void *pc) {
  schedule_point(OP_STORE, address, true, order == __ATOMIC_SEQ_CST);
  shadow_access(address, size, true, true, pc);
  uint32_t index = location_of(address, size);
  struct location *location = &state->location[index];
  append(location, index, cut(value, size), order, false);
  record(OP_STORE, location, index, 0, true, order, value, pc);
}

static uint64_t compute(enum rmw rmw, uint64_t old, uint64_t operand) {
  switch (rmw) {
  case RMW_ADD:
    return old + operand;
  case RMW_SUB:
    return old - operand;
  case RMW_AND:
    return old & operand;
  case RMW_OR:
    return old | operand;
  case RMW_XOR:
    return old ^ operand;
  case RMW_NAND:
    return ~(old & operand);
  case RMW_EXCHANGE:
    break;
  }
  return operand;
}

uint64_t atomics_rmw(enum rmw rmw, uintptr_t address, unsigned size, uint64_t operand, int order, const void *pc) {
  schedule_point(OP_RMW, address, true, order == __ATOMIC_SEQ_CST);
  shadow_access(address, size, true, true, pc);
  uint32_t index = location_of(address, size);
  struct location *location = &state->location[index];
  /* The turn of a loop that waits for another value: the one before left the newest store, and changed nothing. */
  if (without_repetition(location, index, 1, pc) == 0) await_change();
  struct store *read = &state->store[location->newest];
  uint64_t old = read->value;
  note_seen(read);
  acquire_from(read, acquires(order));
  uint64_t new = cut(compute(rmw, old, operand), size);
  append(location, index, new, order, true);
  if (new == old) repeats(self(), index, state->store[location->newest].serial, pc);
  record(OP_RMW, location, index, 0, true, order, old, pc);
  return old;
}

/* Stores that a failing compare-exchange may read: those with another value, and, counted last, the newest once more if
 * a weak one may fail without a reason. */
static unsigned failing(const struct location *location, unsigned count, uint64_t expected, unsigned *backs) {
  unsigned found = 0;
  for (unsigned back = 0; back < count; back++)
    if (state->store[store_back(location, back)].value != expected) backs[found++] = back;
  return found;
}

bool atomics_compare_exchange(uintptr_t address, unsigned size, uint64_t *expected, uint64_t desired, bool weak,
                              int order, int failure_order, const void *pc) {
  bool seq_cst = order == __ATOMIC_SEQ_CST;
  schedule_point(OP_RMW, address, true, seq_cst);
  shadow_access(address, size, false, true, pc);
  uint32_t index = location_of(address, size);
  struct location *location = &state->location[index];
  unsigned backs[HISTORY_MAX + 1];
  uint64_t wanted = cut(*expected, size);
  bool seq_cst_load = failure_order == __ATOMIC_SEQ_CST;
  /* One that can succeed spins for nothing; one that cannot waits like a load. */
  bool matches = state->store[location->newest].value == wanted;
  unsigned count = matches ? without_repetition(location, index, readable(location, seq_cst_load), pc)
                           : await_readable(location, index, seq_cst_load, pc);
  matches = state->store[location->newest].value == wanted;
  unsigned fails = failing(location, count, wanted, backs);
  /* Once for each store: to fail again on the same one is no other execution, and would be without end. */
  uint32_t newest = location->newest;
  if (matches && weak && count && self()->spurious_store != newest) backs[fails++] = 0;
  unsigned taken = choose(weak && matches && fails == 1 ? CHOICE_SPURIOUS : CHOICE_STORE, fails + matches);
  if (matches && taken == 0) {
    struct store *read = &state->store[location->newest];
    shadow_access(address, size, true, true, pc);
    note_seen(read);
    acquire_from(read, acquires(order));
    append(location, index, cut(desired, size), order, true);
    record(OP_RMW, location, index, 0, true, order, wanted, pc);
    return true;
  }
  unsigned back = backs[taken - matches];
  uint32_t at = store_back(location, back);
  if (state->store[at].value == wanted) self()->spurious_store = at;
  struct store *read = &state->store[at];
  repeats(self(), index, read->serial, pc);
  note_seen(read);
  acquire_from(read, acquires(failure_order));
  *expected = read->value;
  record(OP_RMW, location, index, back + 1, false, failure_order, read->value, pc);
  return false;
}

void atomics_see_newest(uintptr_t address, unsigned size) {
  struct cell *cell = shadow_cell(address);
  if (!cell) return;
  for (uint32_t index = shadow_fresh(cell)->location; index; index = state->location[index].next) {
    const struct location *location = &state->location[index];
    if (location->address == address && location->size == size && !location->overwritten)
      note_seen(&state->store[location->newest]);
  }
}

static void fence(int order) {
  struct fiber *me = self();
  memory_fold_handlers(me);
  if (acquires(order)) clock_join(&me->clock, &me->acquirable);
  if (order == __ATOMIC_SEQ_CST) {
    clock_join(&me->view, &RT->fence_view);
    clock_join(&RT->fence_view, &me->view);
    clock_join(&RT->fence_view, &me->clock);
    me->last_fence = RT->step;
  }
  if (releases(order)) {
    me->released = me->clock;
    me->fenced = true;
  }
  memory_barrier_step();
}

void atomics_fence(int order) {
  schedule_point(OP_FENCE, 0, false, order == __ATOMIC_SEQ_CST);
  fence(order);
  schedule_executed(OP_FENCE, 0, 0, (uint32_t)order);
}

void atomics_fence_everybody(void) {
  struct fiber *me = self();
  /* As a signal to all: it changes what the others may read, whatever they do next. */
  schedule_point(OP_SIGNAL, 0, true, true);
  fence(__ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < RT->fibers; i++) {
    struct fiber *fiber = &RT->fiber[i];
    if (fiber == me || fiber->state == FIBER_FREE) continue; /* what has ended has done what it did */
    RT->current = fiber;
    fence(__ATOMIC_SEQ_CST);
  }
  RT->current = me;
  fence(__ATOMIC_SEQ_CST);
  schedule_executed(OP_SIGNAL, 0, 0, UINT32_C(1) << 19);
}
