/* Read-copy-update, where the new version is published by a plain assignment instead of rcu_assign_pointer: a reader
 * finds it before its contents. Source: P. E. McKenney and J. D. Slingwine, Read-copy update: using execution history
 * to solve concurrency problems, 1998; the Linux kernel's Documentation/RCU/rcu_dereference.rst. */
#include "gallery.h"

struct version {
  int left, right;
};

static bool fixed;
static struct version versions[2];
static struct version *_Atomic current;

static void updater(void) {
  struct version *old = atomic_load_explicit(&current, memory_order_relaxed), *new = &versions[1];
  new->left = old->left + 1;
  new->right = old->right + 1;
  if (fixed)
    atomic_store_explicit(&current, new, memory_order_release);
  else
    atomic_store_explicit(&current, new, memory_order_relaxed);
}

static void reader(void) {
  const struct version *seen = atomic_load_explicit(&current, memory_order_consume);
  interleave_assert(seen->left == seen->right);
}

static void run(bool with_fix) {
  fixed = with_fix;
  versions[0] = versions[1] = (struct version){0, 0};
  current = &versions[0];
  RUN(updater, reader, reader);
}
GALLERY(rcu_publish, "a new version published without release", INTERLEAVE_RACE, run);
