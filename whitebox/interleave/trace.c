/* Which executions are the same: those with the same events in each thread, each load reading the same store, and the
 * same order of modifications of each object. The hash is a sum over events, so the order of others does not matter. */
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "strategy.h"

#define OBJECTS (1u << 14)
#define STORES  16u

struct object {
  uintptr_t address;
  uint32_t run;
  uint32_t stores;
  uint64_t last; /* operation that is no plain load, store or read-modify-write */
  uint64_t store[STORES];
};

#define LOCATIONS (1u << 17)

struct trace {
  struct {
    uintptr_t address;
    uint32_t run;
  } location[LOCATIONS]; /* of the atomics, by their number in the run */
  uint64_t hash;
  uint64_t last_global; /* of those that depend on all others of their kind */
  uint32_t index[FIBERS_MAX];
  uint32_t run; /* stamps objects; a counter of its own, as replays reuse a run's number */
  uint32_t objects;
  struct object object[OBJECTS];
};
static struct trace *trace;

void trace_set_up(void) { trace = state_allocate(sizeof *trace); }

void trace_begin(void) {
  trace->hash = 0;
  trace->last_global = 0;
  trace->run++;
  trace->objects = 0;
  memset(trace->index, 0, sizeof trace->index);
}

uint64_t trace_hash(void) { return trace->hash; }

static struct object *object_at(uintptr_t address) {
  uint32_t place = (uint32_t)(random_mix(address) >> 32) % OBJECTS;
  for (;; place = (place + 1) % OBJECTS) {
    struct object *object = &trace->object[place];
    if (object->run == trace->run && object->address == address) return object;
    if (object->run == trace->run && trace->objects < OBJECTS - 1) continue;
    if (trace->objects < OBJECTS - 1) trace->objects++;
    /* Beyond the table's size one object is forgotten for another: executions may then be counted twice. */
    object->run = trace->run;
    object->address = address;
    object->stores = 0;
    object->last = 0;
    return object;
  }
}

static uint64_t store_read(const struct object *object, uint32_t back) {
  if (back >= object->stores) return 0;
  return object->store[(object->stores - 1 - back) % STORES];
}

static uint64_t one_before(enum op_kind kind, uintptr_t address, uint32_t detail, bool write, uint64_t identity) {
  switch (kind) {
  case OP_SIGNAL:
  case OP_DELIVER:
  case OP_MAP:
  case OP_FREE: {
    uint64_t last = trace->last_global;
    trace->last_global = identity;
    return last + random_mix(detail);
  }
  case OP_START:
  case OP_EXIT:
  case OP_JOIN:
  case OP_CHOICE:
  case OP_FENCE:
  case OP_YIELD:
  case OP_NONE:
    return random_mix(detail);
  default:
    break;
  }
  if (address == 0) return 0;
  struct object *object = object_at(address);
  if (kind == OP_LOAD || kind == OP_STORE || kind == OP_RMW || kind == OP_PLAIN) {
    /* A compare-exchange that fails tells the store that it read, plus one. */
    bool fails = kind == OP_RMW && detail;
    uint64_t read = store_read(object, fails ? detail - 1 : detail);
    if (write && !fails) object->store[object->stores++ % STORES] = identity;
    return fails ? ~read : read;
  }
  uint64_t last = object->last + store_read(object, 0);
  object->last = identity;
  return last;
}

void trace_executed(const struct fiber *fiber, const struct executed *executed) {
  struct strategy *strategy = choices->strategy;
  enum op_kind kind = executed->kind;
  uintptr_t address = executed->address;
  uint32_t location = executed->location;
  bool write = fiber->pending.write; /* it was told as one */
  if (RT->setting_up) return;
  if (location < LOCATIONS) {
    trace->location[location].address = address;
    trace->location[location].run = trace->run;
  }
  if (choices->wants_trace) {
    uint64_t identity = random_mix((uint64_t)(fiber->id + 1) << 32 | trace->index[fiber->id]++);
    uint64_t before = one_before(kind, address, executed->detail, write, identity);
    trace->hash += random_mix(identity ^ random_mix(before + kind) ^ random_mix(address * 2 + write));
  }
  if (strategy->executed) {
    struct operation done = {.kind = kind, .write = write, .seq_cst = fiber->pending.seq_cst, .address = address};
    strategy->executed(strategy, fiber, &done);
  }
}

bool trace_reads_again(const struct fiber *fiber) {
  for (unsigned i = 0; i < fiber->spin_count; i++) {
    uint32_t number = fiber->spin[i].location;
    bool known = number < LOCATIONS && trace->location[number].run == trace->run;
    if (!known || trace->location[number].address == fiber->pending.address) return true;
  }
  return false;
}

/* ---- A set of hashes: open addressing, at most half full; 0 is kept apart ---- */

struct hash_set {
  uint64_t *slot;
  uint64_t slots, count;
  bool zero;
};

struct hash_set *hash_set_new(void) {
  struct hash_set *set = calloc(1, sizeof *set);
  if (set == NULL) abort();
  set->slots = 1u << 12;
  set->slot = calloc(set->slots, sizeof *set->slot);
  if (set->slot == NULL) abort();
  return set;
}

void hash_set_free(struct hash_set *set) {
  if (set) free(set->slot);
  free(set);
}

static bool put(uint64_t *slot, uint64_t slots, uint64_t hash) {
  uint64_t place = hash & (slots - 1);
  for (; slot[place]; place = (place + 1) & (slots - 1))
    if (slot[place] == hash) return false;
  slot[place] = hash;
  return true;
}

static void grow(struct hash_set *set) {
  uint64_t slots = set->slots * 2;
  uint64_t *slot = calloc(slots, sizeof *slot);
  if (slot == NULL) abort();
  for (uint64_t i = 0; i < set->slots; i++)
    if (set->slot[i]) put(slot, slots, set->slot[i]);
  free(set->slot);
  set->slot = slot;
  set->slots = slots;
}

bool hash_set_add(struct hash_set *set, uint64_t hash) {
  bool added;
  if (hash == 0) {
    added = !set->zero;
    set->zero = true;
  } else {
    added = put(set->slot, set->slots, hash);
  }
  set->count += added;
  if (set->count * 2 > set->slots) grow(set);
  return added;
}

uint64_t hash_set_count(const struct hash_set *set) { return set->count; }

bool hash_set_save(const struct hash_set *set, FILE *out) {
  fprintf(out, "hashes %llu\n", (unsigned long long)set->count);
  if (set->zero) fprintf(out, "0\n");
  for (uint64_t i = 0; i < set->slots; i++)
    if (set->slot[i]) fprintf(out, "%llx\n", (unsigned long long)set->slot[i]);
  return !ferror(out);
}

bool hash_set_load(struct hash_set *set, FILE *in) {
  unsigned long long count, hash;
  if (fscanf(in, " hashes %llu", &count) != 1) return false;
  for (; count; count--) {
    if (fscanf(in, "%llx", &hash) != 1) return false;
    hash_set_add(set, hash);
  }
  return true;
}
