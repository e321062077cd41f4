/* Store buffering (0 0: neither saw the other), load buffering and 2+2W. The model has no load buffering, and no
 * modification order but that of execution: what those need never appears here, although C17 allows it. */
#include "litmus.h"
#include <stddef.h>

static void left_relaxed(void) {
  store(x, 1, rlx);
  r[0] = load(y, rlx);
}
static void right_relaxed(void) {
  store(y, 1, rlx);
  r[1] = load(x, rlx);
}
static void left_acq_rel(void) {
  store(x, 1, rel);
  r[0] = load(y, acq);
}
static void right_acq_rel(void) {
  store(y, 1, rel);
  r[1] = load(x, acq);
}
static void left_seq_cst(void) {
  store(x, 1, sc);
  r[0] = load(y, sc);
}
static void right_seq_cst(void) {
  store(y, 1, sc);
  r[1] = load(x, sc);
}
static void left_store_seq_cst(void) {
  store(x, 1, sc);
  r[0] = load(y, acq);
}
static void right_store_seq_cst(void) {
  store(y, 1, sc);
  r[1] = load(x, acq);
}
static void left_fence(void) {
  store(x, 1, rlx);
  fence(sc);
  r[0] = load(y, rlx);
}
static void right_fence(void) {
  store(y, 1, rlx);
  fence(sc);
  r[1] = load(x, rlx);
}
static void left_fence_acq_rel(void) {
  store(x, 1, rlx);
  fence(ar);
  r[0] = load(y, rlx);
}
static void right_fence_acq_rel(void) {
  store(y, 1, rlx);
  fence(ar);
  r[1] = load(x, rlx);
}
static void left_swap(void) {
  swap(x, 1, ar);
  r[0] = load(y, acq);
}
static void right_swap(void) {
  swap(y, 1, ar);
  r[1] = load(x, acq);
}
static void left_swap_seq_cst(void) {
  swap(x, 1, sc);
  r[0] = load(y, acq);
}
static void right_swap_seq_cst(void) {
  swap(y, 1, sc);
  r[1] = load(x, acq);
}
static void left_add(void) {
  store(x, 1, rel);
  r[0] = add(y, 0, ar);
}
static void right_add(void) {
  store(y, 1, rel);
  r[1] = add(x, 0, ar);
}
static void left_own(void) {
  store(x, 1, rlx);
  r[0] = load(x, rlx);
  r[1] = load(y, rlx);
}
static void right_own(void) {
  store(y, 1, rlx);
  r[2] = load(y, rlx);
  r[3] = load(x, rlx);
}

LITMUS(sb_relaxed, "SB: relaxed", "0 0|0 1|1 0|1 1", 2, NULL, left_relaxed, right_relaxed);
LITMUS(sb_release_acquire, "SB: release and acquire are no help", "0 0|0 1|1 0|1 1", 2, NULL, left_acq_rel,
       right_acq_rel);
LITMUS(sb_seq_cst, "SB: seq_cst", "0 1|1 0|1 1", 2, NULL, left_seq_cst, right_seq_cst);
LITMUS(sb_seq_cst_stores, "SB: seq_cst stores, acquire loads", "0 0|0 1|1 0|1 1", 2, NULL, left_store_seq_cst,
       right_store_seq_cst);
LITMUS(sb_one_seq_cst, "SB: seq_cst on one side", "0 0|0 1|1 0|1 1", 2, NULL, left_seq_cst, right_acq_rel);
LITMUS(sb_fences, "SB: seq_cst fences", "0 1|1 0|1 1", 2, NULL, left_fence, right_fence);
LITMUS(sb_one_fence, "SB: a fence on one side", "0 0|0 1|1 0|1 1", 2, NULL, left_fence, right_relaxed);
LITMUS(sb_fences_acq_rel, "SB: acq_rel fences are no help", "0 0|0 1|1 0|1 1", 2, NULL, left_fence_acq_rel,
       right_fence_acq_rel);
LITMUS(sb_fence_acq_rel_against_seq_cst, "SB: an acq_rel fence against a seq_cst one", "0 0|0 1|1 0|1 1", 2, NULL,
       left_fence, right_fence_acq_rel);
LITMUS(sb_accesses_against_fence, "SB: seq_cst accesses on one side, a fence on the other", "0 1|1 0|1 1", 2, NULL,
       left_seq_cst, right_fence);
LITMUS(sb_swap, "SB: an acq_rel exchange is no barrier", "0 0|0 1|1 0|1 1", 2, NULL, left_swap, right_swap);
LITMUS(sb_swap_seq_cst, "SB: a seq_cst exchange is no barrier for an acquire load", "0 0|0 1|1 0|1 1", 2, NULL,
       left_swap_seq_cst, right_swap_seq_cst);
LITMUS(sb_add, "SB: loads by fetch_add; 0 0 needs another modification order", "0 1|1 0|1 1", 2, NULL, left_add,
       right_add);
LITMUS(sb_own, "SB: own store read first", "1 0 1 0|1 0 1 1|1 1 1 0|1 1 1 1", 4, NULL, left_own, right_own);

/* The load of a compare-exchange that fails has its failure order. */
static void left_cas(void) {
  store(x, 1, sc);
  r[0] = cas(y, 0, 0, sc, sc);
}
static void right_cas(void) {
  store(y, 1, sc);
  r[1] = cas(x, 7, 8, sc, sc);
  r[2] = load(x, rlx);
}
static void left_cas_fails(void) {
  store(x, 1, sc);
  if (!cas(y, 7, 8, sc, sc)) r[0] = load(y, rlx);
}
static void left_cas_fails_acquire(void) {
  store(x, 1, sc);
  if (!cas(y, 7, 8, sc, acq)) r[0] = load(y, rlx);
}
static void right_loads(void) {
  store(y, 1, sc);
  r[1] = load(x, sc);
}
LITMUS(sb_cas, "SB: loads by compare-exchange", "0 0 0|0 0 1|1 0 1", 3, NULL, left_cas, right_cas);
LITMUS(sb_cas_seq_cst, "SB: a compare-exchange that fails with seq_cst", "0 1|1 0|1 1", 2, NULL, left_cas_fails,
       right_loads);
LITMUS(sb_cas_acquire, "SB: a compare-exchange that fails with acquire", "0 0|0 1|1 0|1 1", 2, NULL,
       left_cas_fails_acquire, right_loads);

/* Three threads around. */
static void first_seq_cst(void) {
  store(x, 1, sc);
  r[0] = load(y, sc);
}
static void second_seq_cst(void) {
  store(y, 1, sc);
  r[1] = load(z, sc);
}
static void third_seq_cst(void) {
  store(z, 1, sc);
  r[2] = load(x, sc);
}
static void third_acq_rel(void) {
  store(z, 1, rel);
  r[2] = load(x, acq);
}
LITMUS(sb3_seq_cst, "3.SB: seq_cst", "0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 0|1 1 1", 3, NULL, first_seq_cst,
       second_seq_cst, third_seq_cst);
LITMUS(sb3_one_acq_rel, "3.SB: one thread acq_rel", "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 0|1 1 1", 3, NULL,
       first_seq_cst, second_seq_cst, third_acq_rel);

/* Load buffering. */
static void lb_left(void) {
  r[0] = load(x, rlx);
  store(y, 1, rlx);
}
static void lb_right(void) {
  r[1] = load(y, rlx);
  store(x, 1, rlx);
}
static void lb_left_acq_rel(void) {
  r[0] = load(x, acq);
  store(y, 1, rel);
}
static void lb_right_acq_rel(void) {
  r[1] = load(y, acq);
  store(x, 1, rel);
}
static void lb_left_if(void) {
  r[0] = load(x, rlx);
  if (r[0]) store(y, 1, rlx);
}
static void lb_right_if(void) {
  r[1] = load(y, rlx);
  if (r[1]) store(x, 1, rlx);
}
LITMUS(lb_relaxed, "LB: relaxed; 1 1 is not modelled", "0 0|0 1|1 0", 2, NULL, lb_left, lb_right);
LITMUS(lb_release_acquire, "LB: release, acquire", "0 0|0 1|1 0", 2, NULL, lb_left_acq_rel, lb_right_acq_rel);
LITMUS(lb_thin_air, "LB: values out of thin air", "0 0", 2, NULL, lb_left_if, lb_right_if);

/* 2+2W: final values 1 1 need a modification order that is not that of execution. */
static void ww_left(void) {
  store(x, 1, rlx);
  store(y, 2, rlx);
}
static void ww_right(void) {
  store(y, 1, rlx);
  store(x, 2, rlx);
}
static void ww_left_seq_cst(void) {
  store(x, 1, sc);
  store(y, 2, sc);
}
static void ww_right_seq_cst(void) {
  store(y, 1, sc);
  store(x, 2, sc);
}
LITMUS(ww_relaxed, "2+2W: relaxed; 1 1 is not modelled", "1 2|2 1|2 2", 2, final_xy, ww_left, ww_right);
LITMUS(ww_seq_cst, "2+2W: seq_cst", "1 2|2 1|2 2", 2, final_xy, ww_left_seq_cst, ww_right_seq_cst);

/* R: store buffering whose one side is a race of stores; weak 0 2. */
static void r_left_relaxed(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
}
static void r_right_relaxed(void) {
  store(y, 2, rlx);
  r[0] = load(x, rlx);
}
static void r_left_acq_rel(void) {
  store(x, 1, rel);
  store(y, 1, rel);
}
static void r_right_acq_rel(void) {
  store(y, 2, rel);
  r[0] = load(x, acq);
}
static void r_left_seq_cst(void) {
  store(x, 1, sc);
  store(y, 1, sc);
}
static void r_right_seq_cst(void) {
  store(y, 2, sc);
  r[0] = load(x, sc);
}
static void r_left_fence(void) {
  store(x, 1, rlx);
  fence(sc);
  store(y, 1, rlx);
}
static void r_right_fence(void) {
  store(y, 2, rlx);
  fence(sc);
  r[0] = load(x, rlx);
}
LITMUS(r_relaxed, "R: relaxed", "0 1|0 2|1 1|1 2", 2, then_y, r_left_relaxed, r_right_relaxed);
LITMUS(r_release_acquire, "R: release, acquire", "0 1|0 2|1 1|1 2", 2, then_y, r_left_acq_rel, r_right_acq_rel);
LITMUS(r_seq_cst, "R: seq_cst", "0 1|1 1|1 2", 2, then_y, r_left_seq_cst, r_right_seq_cst);
LITMUS(r_fences, "R: seq_cst fences", "0 1|1 1|1 2", 2, then_y, r_left_fence, r_right_fence);
LITMUS(r_one_fence, "R: a fence on the reader's side only", "0 1|0 2|1 1|1 2", 2, then_y, r_left_relaxed,
       r_right_fence);

/* S: final x = 2 although its store is before what the other thread's store follows. */
static void s_left(void) {
  store(x, 2, rlx);
  store(y, 1, rel);
}
static void s_right(void) {
  r[0] = load(y, acq);
  store(x, 1, rlx);
}
static void s_left_relaxed(void) {
  store(x, 2, rlx);
  store(y, 1, rlx);
}
static void s_right_relaxed(void) {
  r[0] = load(y, rlx);
  store(x, 1, rlx);
}
LITMUS(s_release_acquire, "S: release, acquire", "0 1|0 2|1 1", 2, then_x, s_left, s_right);
LITMUS(s_relaxed, "S: relaxed; 1 2 is not modelled", "0 1|0 2|1 1", 2, then_x, s_left_relaxed, s_right_relaxed);
