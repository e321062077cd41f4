/* Release sequences: a store counts as the release that heads the contiguous run of modifications that it is in, as
 * long as these are by the same thread (C17; C++20 took that half away) or read-modify-writes. */
#include "litmus.h"
#include <stddef.h>

static void release_twice(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
  store(y, 2, rlx);
}
static void release_once(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
}
static void release_gap(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
  store(y, 3, rlx);
}
static void relaxed_head(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
  store(y, 2, rlx);
}
static void fence_once(void) {
  store(x, 1, rlx);
  fence(rel);
  store(y, 1, rlx);
}
static void fence_twice(void) {
  store(x, 1, rlx);
  fence(rel);
  store(y, 1, rlx);
  store(y, 2, rlx);
}
static void between(void) { store(y, 2, rlx); }
static void add_one(void) { add(y, 1, rlx); }
static void add_told(void) { r[0] = add(y, 1, rlx); }
static void swap_told(void) { r[0] = swap(y, 2, rlx); }
static void cas_told(void) { r[0] = cas(y, 1, 2, rlx, rlx); }
static void load_store(void) {
  r[0] = load(y, rlx);
  if (r[0] == 1) store(y, 2, rlx);
}
static void read_it(void) {
  r[0] = load(y, acq);
  r[1] = load(x, rlx);
}
static void read_after(void) {
  r[1] = load(y, acq);
  r[2] = load(x, rlx);
}
static void read_after_fence(void) {
  r[1] = load(y, rlx);
  fence(acq);
  r[2] = load(x, rlx);
}

#define CHAIN "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 1|1 2 1"

LITMUS(rs_same_thread, "release sequence: a later store of the same thread", "0 0|0 1|1 1|2 1", 2, NULL, release_twice,
       read_it);
LITMUS(rs_relaxed_head, "release sequence: none without a release", "0 0|0 1|1 0|1 1|2 0|2 1", 2, NULL, relaxed_head,
       read_it);
LITMUS(rs_other_store, "release sequence: another thread's store is not in it", "0 0|0 1|1 1|2 0|2 1", 2, NULL,
       release_once, between, read_it);
LITMUS(rs_interrupted, "release sequence: nor what follows another thread's store", "0 0|0 1|1 1|2 0|2 1|3 0|3 1", 2,
       NULL, release_gap, between, read_it);
LITMUS(rs_add, "release sequence: a relaxed fetch_add of another thread", CHAIN, 3, NULL, release_once, add_told,
       read_after);
LITMUS(rs_swap, "release sequence: a relaxed exchange of another thread",
       "0 0 0|0 0 1|0 1 1|0 2 0|0 2 1|1 0 0|1 0 1|1 1 1|1 2 1", 3, NULL, release_once, swap_told, read_after);
LITMUS(rs_cas, "release sequence: a relaxed compare-exchange of another thread",
       "0 0 0|0 0 1|0 1 1|1 0 0|1 0 1|1 1 1|1 2 1", 3, NULL, release_once, cas_told, read_after);
LITMUS(rs_load_store, "release sequence: load and store instead are not in it",
       "0 0 0|0 0 1|0 1 1|1 0 0|1 0 1|1 1 1|1 2 0|1 2 1", 3, NULL, release_once, load_store, read_after);
LITMUS(rs_two_adds, "release sequence: a chain of two", "0 0|0 1|1 0|1 1|2 0|2 1|3 1", 2, NULL, release_once, add_one,
       add_one, read_it);
LITMUS(rs_fence, "release sequence: headed through a fence", CHAIN, 3, NULL, fence_once, add_told, read_after);
LITMUS(rs_fence_same_thread, "release sequence: a fence, and two stores of its thread", "0 0|0 1|1 1|2 1", 2, NULL,
       fence_twice, read_it);
LITMUS(rs_fences, "release sequence: between fences", CHAIN, 3, NULL, fence_once, add_told, read_after_fence);

/* A read-modify-write that releases continues one sequence and heads another. */
static void add_release(void) {
  store(z, 1, rlx);
  r[0] = add(y, 2, rel);
}
static void read_both(void) {
  r[1] = load(y, acq);
  r[2] = load(x, rlx);
  r[3] = load(z, rlx);
}
LITMUS(
    rs_two_heads, "release sequence: two in one",
    "0 0 0 0|0 0 0 1|0 0 1 0|0 0 1 1|0 1 1 0|0 1 1 1|0 2 0 1|0 2 1 1|1 0 0 0|1 0 0 1|1 0 1 0|1 0 1 1|1 1 1 0|1 1 1 1|"
    "1 3 1 1",
    4, NULL, release_once, add_release, read_both);

/* A thread's own sequence goes on behind another's read-modify-write; that one's does not go on behind the thread's
 * store. */
static void release_and_more(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
  store(y, 5, rlx);
}
static void add_ten(void) {
  store(z, 1, rlx);
  add(y, 10, rel);
}
static void read_five(void) {
  r[0] = load(y, acq);
  if (r[0] > 4) r[1] = load(x, rlx);
  if (r[0] > 4) r[2] = load(z, rlx);
}
LITMUS(rs_resumed, "release sequence: resumed behind a read-modify-write",
       "0 0 0|1 0 0|10 0 1|10 1 1|11 1 1|15 1 1|5 1 0|5 1 1", 3, NULL, release_and_more, add_ten, read_five);

/* Plain messages at the end of a sequence. */
static void plain_twice(void) {
  d = 1;
  store(y, 1, rel);
  store(y, 2, rlx);
}
static void plain_once(void) {
  d = 1;
  store(y, 1, rel);
}
static void plain_if_two(void) {
  r[0] = load(y, acq);
  if (r[0] == 2) r[1] = d;
}
static void cas_one(void) { cas(y, 1, 2, rlx, rlx); }
static void store_if_one(void) {
  if (load(y, rlx) == 1) store(y, 2, rlx);
}
LITMUS(rs_plain_same_thread, "release sequence: a plain message, same thread", "0 0|1 0|2 1", 2, NULL, plain_twice,
       plain_if_two);
LITMUS(rs_plain_cas, "release sequence: a plain message, compare-exchange", "0 0|1 0|2 1", 2, NULL, plain_once, cas_one,
       plain_if_two);
RACY(rs_plain_store, "release sequence: a plain message, another thread's store", plain_once, store_if_one,
     plain_if_two);
