/* Which operations commute. Wrong in one direction only: two that are called dependent cost runs, two wrongly called
 * independent would lose executions. */
#include "runtime.h"

static bool among(enum op_kind kind, uint32_t set) { return set >> kind & 1; }

#define SET(kind) (UINT32_C(1) << (kind))

/* A signal's handler may do anything; time and fork are seen by all; memory that comes or goes decides which addresses
 * others get and whether those they use are there. */
#define DEPENDS_ON_ALL (SET(OP_SIGNAL) | SET(OP_DELIVER) | SET(OP_YIELD) | SET(OP_MAP) | SET(OP_FREE))
#define THREADS        (SET(OP_START) | SET(OP_EXIT) | SET(OP_JOIN))
/* A wait on a condition releases and takes a mutex that the operation does not name. */
#define WAITS (SET(OP_WAIT) | SET(OP_WAKE))
#define LOCKS (SET(OP_LOCK) | SET(OP_UNLOCK) | WAITS)

/* The creation of a thread takes the lowest free id, which exits and joins set free. A start that is no write is the
 * new thread's first step. */
static bool creates(const struct operation *operation) { return operation->kind == OP_START && operation->write; }
static bool begins(const struct operation *operation) { return operation->kind == OP_START && !operation->write; }

bool operations_depend(const struct operation *a, const struct operation *b) {
  uint32_t either = SET(a->kind) | SET(b->kind);
  if (either & DEPENDS_ON_ALL) return true;
  if (a->seq_cst && b->seq_cst) return true;
  if (among(a->kind, THREADS) && among(b->kind, THREADS) && (creates(a) || creates(b)) && !begins(a) && !begins(b))
    return true;
  if (either & WAITS && among(a->kind, LOCKS) && among(b->kind, LOCKS)) return true;
  if (a->address == 0 || a->address != b->address) return false;
  return a->write || b->write || either & LOCKS;
}
