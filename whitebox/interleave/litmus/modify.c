/* Read-modify-writes: atomic, always on the last value; compare-exchange with its two orders. */
#include "litmus.h"
#include <stddef.h>

static void add_first(void) { r[0] = add(x, 1, rlx); }
static void add_second(void) { r[1] = add(x, 1, rlx); }
static void add_plainly(void) { add(x, 1, rlx); }
static void split_first(void) {
  r[1] = load(x, rlx);
  store(x, r[1] + 1, rlx);
}
static void split_second(void) {
  r[2] = load(x, rlx);
  store(x, r[2] + 1, rlx);
}
static void swap_one(void) { r[0] = swap(x, 1, rlx); }
static void swap_two(void) { r[1] = swap(x, 2, rlx); }
static void cas_first(void) { r[0] = cas(x, 0, 1, rlx, rlx); }
static void cas_second(void) { r[1] = cas(x, 0, 2, rlx, rlx); }
static void cas_missing(void) { r[0] = cas(x, 7, 1, rlx, rlx); }
static void nothing(void) {}

LITMUS(rmw_add, "two fetch_adds lose nothing", "0 1 2|1 0 2", 3, third_x, add_first, add_second);
LITMUS(rmw_add_three, "three fetch_adds lose nothing", "3", 1, final_x, add_plainly, add_plainly, add_plainly);
LITMUS(rmw_split, "atomic load and atomic store lose one", "1|2", 1, final_x, split_first, split_second);
LITMUS(rmw_split_one, "split on one side only", "1|2", 1, final_x, split_first, add_plainly);
LITMUS(rmw_swap, "exchanges hand over one by one", "0 1 2|2 0 1", 3, third_x, swap_one, swap_two);
LITMUS(cas_one_winner, "compare-exchange: one winner", "0 1 2|1 0 1", 3, third_x, cas_first, cas_second);
LITMUS(cas_certain, "compare-exchange, strong: no failure where nobody else writes", "1 1", 2, then_x, cas_first,
       nothing);
LITMUS(cas_no_match, "compare-exchange: a failure writes nothing", "0 0", 2, then_x, cas_missing, nothing);

/* Orders of success and failure. */
static void put(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
}
static void cas_fails_relaxed(void) {
  r[0] = cas(y, 0, 2, ar, rlx);
  r[1] = load(x, rlx);
}
static void cas_fails_acquire(void) {
  r[0] = cas(y, 0, 2, ar, acq);
  r[1] = load(x, rlx);
}
static void cas_succeeds_relaxed(void) {
  r[0] = cas(y, 1, 2, rlx, rlx);
  r[1] = load(x, rlx);
}
static void cas_succeeds_acquire(void) {
  r[0] = cas(y, 1, 2, acq, rlx);
  r[1] = load(x, rlx);
}
static void put_by_cas(void) {
  store(x, 1, rlx);
  cas(y, 0, 1, rel, rlx);
}
static void put_by_failing(void) {
  store(x, 1, rlx);
  cas(y, 5, 6, ar, acq);
  store(z, 1, rlx);
}
static void get(void) {
  r[0] = load(y, acq);
  r[1] = load(x, rlx);
}
static void get_z(void) {
  r[0] = load(z, acq);
  r[1] = load(x, rlx);
}
static void put_relaxed(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
}
static void cas_late(void) {
  r[0] = load(y, rlx);
  r[1] = cas(x, 1, 2, rlx, rlx);
}
LITMUS(cas_failure_relaxed, "compare-exchange: a relaxed failure acquires nothing", "0 0|0 1|1 0|1 1", 2, NULL, put,
       cas_fails_relaxed);
LITMUS(cas_failure_acquire, "compare-exchange: an acquire failure acquires", "0 1|1 0|1 1", 2, NULL, put,
       cas_fails_acquire);
LITMUS(cas_success_relaxed, "compare-exchange: a relaxed success acquires nothing", "0 0|0 1|1 0|1 1", 2, NULL, put,
       cas_succeeds_relaxed);
LITMUS(cas_success_acquire, "compare-exchange: an acquire success acquires", "0 0|0 1|1 1", 2, NULL, put,
       cas_succeeds_acquire);
LITMUS(cas_release, "compare-exchange: a release success releases", "0 0|0 1|1 1", 2, NULL, put_by_cas, get);
LITMUS(cas_failure_releases_not, "compare-exchange: a failure releases nothing", "0 0|0 1|1 0|1 1", 2, NULL,
       put_by_failing, get_z);
LITMUS(cas_stale, "compare-exchange: a failure may read an old value", "0 0|0 1|1 0|1 1", 2, NULL, put_relaxed,
       cas_late);

/* Weak compare-exchange may fail although the value is the expected one. clang does not tell the runtime which is weak.
 */
#ifndef __clang__
static void weak_first(void) { r[0] = cas_weak(x, 0, 1, rlx, rlx); }
static void weak_second(void) { r[1] = cas_weak(x, 0, 2, rlx, rlx); }
LITMUS(cas_weak_alone, "weak compare-exchange: a spurious failure", "0 0|1 1", 2, then_x, weak_first, nothing);
LITMUS(cas_weak_no_winner, "weak compare-exchange: both may fail", "0 0 0|0 1 2|1 0 1", 3, third_x, weak_first,
       weak_second);
#endif

/* Locks made of them. */
static void lock_acquire(void) {
  if (!swap(x, 1, acq)) {
    d = d + 1;
    store(x, 0, rel);
  }
}
static void lock_relaxed(void) {
  if (!swap(x, 1, rlx)) {
    d = d + 1;
    store(x, 0, rel);
  }
}
static void unlock_relaxed(void) {
  if (!swap(x, 1, acq)) {
    d = d + 1;
    store(x, 0, rlx);
  }
}
static void lock_cas(void) {
  if (cas(x, 0, 1, acq, rlx)) {
    d = d + 1;
    store(x, 0, rel);
  }
}
static void final_d(void) { r[0] = d; }
LITMUS(lock_by_swap, "try-lock by exchange", "1|2", 1, final_d, lock_acquire, lock_acquire);
LITMUS(lock_by_cas, "try-lock by compare-exchange", "1|2", 1, final_d, lock_cas, lock_cas);
RACY(lock_by_swap_relaxed, "try-lock by a relaxed exchange", lock_relaxed, lock_relaxed);
RACY(lock_unlock_relaxed, "try-lock, relaxed unlock", unlock_relaxed, unlock_relaxed);
