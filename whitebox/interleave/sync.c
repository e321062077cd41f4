/* Synchronisation objects: clocks by address, who holds what, who waits in line. */
#include "sync.h"

#include <stdio.h>
#include <string.h>

#define OBJECTS_MAX 4096u /* a power of two */
/* No atomic has such an id. */
#define SYNC_LOCATION (UINT32_C(1) << 31)
#define HELD_MAX      512u /* fork handlers of a collector take every lock it has */

struct held {
  const void *object;
  enum held_kind kind;
  uint32_t owner;
};

struct sync_state {
  uint32_t epoch; /* number of begun runs; clocks of earlier ones do not count */
  unsigned objects;
  struct waiter *waiters;
  unsigned held_count, held_at_start;
  bool spurious[SPURIOUS_KINDS][FIBERS_MAX];
  struct held held[HELD_MAX], held_start[HELD_MAX];
  struct sync_clocks clocks[OBJECTS_MAX] __attribute__((aligned(64)));
};
static struct sync_state *state;

void sync_initialize(void) { state = state_allocate(sizeof *state); }

void sync_begin(void) {
  state->epoch++;
  state->objects = 0;
  state->waiters = NULL;
  memset(state->spurious, 0, sizeof state->spurious);
  state->held_count = state->held_at_start;
  memcpy(state->held, state->held_start, state->held_at_start * sizeof *state->held);
}

void sync_forget_setup(void) { state->held_at_start = 0; }

void sync_keep(void) {
  state->held_at_start = state->held_count;
  memcpy(state->held_start, state->held, state->held_count * sizeof *state->held);
}

/* ---- Clocks ---- */

struct sync_clocks *sync_clocks(const void *object) {
  uintptr_t address = (uintptr_t)object;
  uint64_t hash = (address >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 52;
  for (unsigned i = (unsigned)hash % OBJECTS_MAX;; i = (i + 1) % OBJECTS_MAX) {
    struct sync_clocks *entry = &state->clocks[i];
    if (entry->epoch == state->epoch && entry->address == address) return entry;
    if (entry->epoch == state->epoch) continue;
    if (++state->objects > OBJECTS_MAX * 3 / 4)
      fail(INTERLEAVE_UNSUPPORTED, "a run uses more than %u synchronisation objects", OBJECTS_MAX * 3 / 4);
    *entry = (struct sync_clocks){.address = address, .epoch = state->epoch, .location = SYNC_LOCATION | i};
    return entry;
  }
}

/* ---- The object's bytes ---- */

void sync_put(uint32_t *at, uint32_t value) {
  if (*at != value) world_write(at, &value, sizeof value);
}

void sync_use(const void *object, const void *pc) { shadow_access((uintptr_t)object, 4, false, true, pc); }

void sync_overwrite(void *object, size_t size, const void *bytes, const char *what, const void *pc) {
  uint32_t owner = held_by(object);
  if (owner) fail(INTERLEAVE_LOCK, "%s %p while thread %u holds it", what, object, owner - 1);
  const struct fiber *other = schedule_waiter((uintptr_t)object, NULL);
  if (other) fail(INTERLEAVE_LOCK, "%s %p while thread %u waits for it", what, object, other->id);
  shadow_access((uintptr_t)object, size, true, false, pc);
  memcpy(object, bytes, size);
  struct sync_clocks *clocks = sync_clocks(object);
  clocks->released = clocks->readers = (struct clock){0};
}

/* ---- Who holds what ---- */

void held_add(enum held_kind kind, void *object) {
  if (state->held_count == HELD_MAX) fail(INTERLEAVE_UNSUPPORTED, "more than %u locks are held at a time", HELD_MAX);
  state->held[state->held_count++] = (struct held){object, kind, own_id()};
}

void held_remove(enum held_kind kind, const void *object) {
  for (unsigned i = state->held_count; i-- > 0;) {
    const struct held *held = &state->held[i];
    if (held->object != object || held->kind != kind || held->owner != own_id()) continue;
    memmove(&state->held[i], &state->held[i + 1], (state->held_count - i - 1) * sizeof *held);
    state->held_count--;
    return;
  }
}

uint32_t held_by(const void *object) {
  for (unsigned i = 0; i < state->held_count; i++)
    if (state->held[i].object == object) return state->held[i].owner;
  return NO_OWNER;
}

static const struct {
  const char *name, *how;
} kinds[] = {
    [HELD_MUTEX] = {"the mutex", ""},
    [HELD_READ] = {"the read-write lock", " for reading"},
    [HELD_WRITE] = {"the read-write lock", " for writing"},
    [HELD_SPIN] = {"the spin lock", ""},
    [HELD_ONCE] = {"the once control", ""},
};

static const struct held *last_of_own(void) {
  for (unsigned i = state->held_count; i-- > 0;)
    if (state->held[i].owner == own_id()) return &state->held[i];
  return NULL;
}

void sync_thread_ends(void) {
  for (const struct held *own; (own = last_of_own());) {
    void *object = (void *)(uintptr_t)own->object;
    enum held_kind kind = own->kind;
    held_remove(kind, object);
    if (kind == HELD_ONCE)
      once_owner_ended(object);
    else if (kind == HELD_MUTEX && (mutex_is_robust(object) || RT->model->locks_may_be_held))
      mutex_owner_ended(object);
    else if (!RT->model->locks_may_be_held)
      fail(INTERLEAVE_LOCK, "thread %u ends and still holds %s %p%s", self()->id, kinds[kind].name, object,
           kinds[kind].how);
  }
}

static void owner_lost(const struct held *held) {
  void *object = (void *)(uintptr_t)held->object;
  if (held->kind == HELD_MUTEX) mutex_owner_lost(object);
  if (held->kind == HELD_WRITE) rwlock_writer_lost(object);
  if (held->kind == HELD_SPIN) spin_owner_lost(object);
}

void sync_forked(void) {
  unsigned kept = 0;
  for (unsigned i = 0; i < state->held_count; i++) {
    if (state->held[i].owner == own_id())
      state->held[kept++] = state->held[i];
    else
      owner_lost(&state->held[i]);
  }
  state->held_count = kept;
  for (struct waiter **at = &state->waiters; *at;) {
    if ((*at)->fiber == self())
      at = &(*at)->next;
    else
      *at = (*at)->next;
  }
}

static void describe_lock(const void *object, char *text, size_t size) {
  for (unsigned i = 0; i < state->held_count; i++) {
    const struct held *held = &state->held[i];
    if (held->object != object) continue;
    snprintf(text, size, "waits for %s %p, which thread %u holds%s", kinds[held->kind].name, object, held->owner - 1,
             kinds[held->kind].how);
    return;
  }
  snprintf(text, size, "waits for the lock %p", object);
}

void sync_describe_wait(const struct fiber *fiber, char *text, size_t size) {
  const struct operation *next = &fiber->pending;
  uintptr_t address = fiber->waits ? fiber->wait[fiber->waits - 1].address : next->address;
  if (fiber->spinning)
    snprintf(text, size, "looks at %#zx again and again", (size_t)next->address);
  else if (next->kind == OP_JOIN)
    snprintf(text, size, "waits for the end of thread %u", ((const struct fiber *)next->address)->id);
  else if (next->kind == OP_LOCK && address - next->address <= 8)
    describe_lock((const void *)next->address, text, size);
  else
    snprintf(text, size, "waits to be woken at %#zx", (size_t)address);
}

/* ---- Waiting ---- */

bool sync_block_at(uintptr_t waits_for, enum op_kind kind, const void *object, bool write, uint64_t deadline) {
  if (deadline <= RT->now) return false;
  self()->pending = (struct operation){.kind = kind, .write = write, .address = (uintptr_t)object};
  return schedule_block(waits_for, deadline);
}

bool sync_block(enum op_kind kind, const void *object, bool write, uint64_t deadline) {
  return sync_block_at((uintptr_t)object, kind, object, write, deadline);
}

bool sync_point_unless(bool blocked, enum op_kind kind, const void *object, bool write) {
  if (blocked && !RT->setting_up) return false;
  schedule_point(kind, (uintptr_t)object, write, false);
  return true;
}

void sync_changed(const void *object) {
  struct sync_clocks *clocks = sync_clocks(object);
  clocks->version++;
  self()->spin_count = 0;
  if (UNLIKELY(RT->spinners)) schedule_stored(clocks->location);
}

void sync_tried_in_vain(const void *object, const void *pc) {
  struct fiber *me = self();
  const struct sync_clocks *clocks = sync_clocks(object);
  for (unsigned i = 0; i < me->spin_count; i++) {
    if (me->spin[i].location != clocks->location || me->spin[i].pc != pc) continue;
    bool again = me->spin[i].store == clocks->version;
    me->spin[i].store = clocks->version;
    if (!again) return;
    schedule_spin();
    me->spin_count = 0;
    return;
  }
  if (me->spin_count == SPIN_MAX) return;
  me->spin[me->spin_count].location = clocks->location;
  me->spin[me->spin_count].store = clocks->version;
  me->spin[me->spin_count++].pc = pc;
}

bool sync_spurious(enum spurious_kind kind) {
  bool *had = &state->spurious[kind][self()->id];
  if (*had || choose(CHOICE_SPURIOUS, 2) == 0) return false;
  *had = true;
  return true;
}

/* ---- Waiting in line ---- */

void waiter_add(struct waiter *waiter, uintptr_t address) {
  waiter->fiber = self();
  waiter->address = address;
  waiter->chosen = false;
  waiter->next = state->waiters;
  state->waiters = waiter;
}

void waiter_remove(struct waiter *waiter) {
  for (struct waiter **at = &state->waiters; *at; at = &(*at)->next)
    if (*at == waiter) {
      *at = waiter->next;
      return;
    }
}

/* How deep in its waits the fiber waits for the address, from 1; 0: it does not (yet). */
static unsigned wait_level(const struct waiter *waiter) {
  unsigned level = waiter->fiber->waits;
  while (level && waiter->fiber->wait[level - 1].address != waiter->address) level--;
  return level;
}

static bool can_be_chosen(const struct waiter *waiter, uintptr_t address, uint32_t mask) {
  return waiter->address == address && !waiter->chosen && (waiter->mask & mask);
}

struct waiter *waiter_first(uintptr_t address) {
  struct waiter *first = NULL;
  for (struct waiter *waiter = state->waiters; waiter; waiter = waiter->next)
    if (can_be_chosen(waiter, address, UINT32_MAX)) first = waiter;
  return first;
}

/* The candidate number n, oldest first, of `count`. */
static struct waiter *candidate(uintptr_t address, uint32_t mask, unsigned n, unsigned count) {
  for (struct waiter *waiter = state->waiters; waiter; waiter = waiter->next)
    if (can_be_chosen(waiter, address, mask) && --count == n) return waiter;
  return NULL;
}

static unsigned candidates(uintptr_t address, uint32_t mask) {
  unsigned count = 0;
  for (const struct waiter *waiter = state->waiters; waiter; waiter = waiter->next)
    count += can_be_chosen(waiter, address, mask);
  return count;
}

/* Who waited for a condition waits for its mutex from now on; it is not offered to the strategy while that is taken. */
void waiter_wake_one(struct waiter *waiter) {
  uintptr_t address = waiter->address;
  unsigned level = wait_level(waiter);
  waiter->chosen = true;
  if (level && waiter->mutex) {
    address = (uintptr_t)waiter->mutex;
    waiter->fiber->wait[level - 1].address = address;
    waiter->fiber->wait[level - 1].deadline = NO_DEADLINE;
    if (!mutex_is_free(waiter->mutex)) return;
  }
  schedule_wake(waiter->fiber, address);
}

unsigned waiter_wake(uintptr_t address, unsigned count, uint32_t mask) {
  unsigned woken = 0;
  for (unsigned left = candidates(address, mask); left && woken < count; left--, woken++) {
    unsigned n = count - woken >= left ? 0 : choose(CHOICE_MODEL, left);
    waiter_wake_one(candidate(address, mask, n, left));
  }
  self()->spin_count = 0;
  return woken;
}
