/* Three and four threads: what one thread passes on of what it saw of another, and whether all see one order. */
#include "litmus.h"
#include <stddef.h>

static void x_relaxed(void) { store(x, 1, rlx); }
static void x_release(void) { store(x, 1, rel); }
static void x_seq_cst(void) { store(x, 1, sc); }
static void y_relaxed(void) { store(y, 1, rlx); }
static void y_release(void) { store(y, 1, rel); }
static void y_seq_cst(void) { store(y, 1, sc); }

#define ALL3   "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 0|1 1 1"
#define NOT110 "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 1"
#define NOT100 "0 0 0|0 0 1|0 1 0|0 1 1|1 0 1|1 1 0|1 1 1"

/* WRC: the second thread sees x and says so in y; weak 1 1 0. */
static void pass_relaxed(void) {
  r[0] = load(x, rlx);
  store(y, 1, rlx);
}
static void pass_release(void) {
  r[0] = load(x, rlx);
  store(y, 1, rel);
}
static void pass_acq_rel(void) {
  r[0] = load(x, acq);
  store(y, 1, rel);
}
static void pass_if(void) {
  r[0] = load(x, rlx);
  if (r[0]) store(y, 1, rlx);
}
static void end_relaxed(void) {
  r[1] = load(y, rlx);
  r[2] = load(x, rlx);
}
static void end_acquire(void) {
  r[1] = load(y, acq);
  r[2] = load(x, rlx);
}
LITMUS(wrc_relaxed, "WRC: relaxed", ALL3, 3, NULL, x_relaxed, pass_relaxed, end_relaxed);
LITMUS(wrc_release_acquire, "WRC: release, acquire", NOT110, 3, NULL, x_release, pass_acq_rel, end_acquire);
LITMUS(wrc_coherence, "WRC: a relaxed read that happens before another bounds it", NOT110, 3, NULL, x_relaxed,
       pass_release, end_acquire);
LITMUS(wrc_no_acquire, "WRC: nobody acquires", ALL3, 3, NULL, x_release, pass_release, end_relaxed);
LITMUS(wrc_if, "WRC: a branch passes nothing on", "0 0 0|0 0 1|1 0 0|1 0 1|1 1 0|1 1 1", 3, NULL, x_release, pass_if,
       end_relaxed);

/* A plain message through a third thread. */
static void plain_release(void) {
  d = 1;
  store(x, 1, rel);
}
static void plain_pass(void) {
  if (load(x, acq)) store(y, 1, rel);
}
static void plain_pass_relaxed(void) {
  if (load(x, rlx)) store(y, 1, rel);
}
static void plain_end(void) {
  r[0] = load(y, acq);
  if (r[0]) r[1] = d;
}
LITMUS(wrc_plain, "WRC: happens-before is transitive", "0 0|1 1", 2, NULL, plain_release, plain_pass, plain_end);
RACY(wrc_plain_relaxed, "WRC: the thread between does not acquire", plain_release, plain_pass_relaxed, plain_end);

/* ISA2: the message goes through y, then z; weak 1 1 0. */
static void isa_first(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
}
static void isa_pass(void) {
  r[0] = load(y, acq);
  store(z, 1, rel);
}
static void isa_pass_relaxed(void) {
  r[0] = load(y, rlx);
  store(z, 1, rel);
}
static void isa_end(void) {
  r[1] = load(z, acq);
  r[2] = load(x, rlx);
}
LITMUS(isa2_release_acquire, "ISA2: release, acquire", NOT110, 3, NULL, isa_first, isa_pass, isa_end);
LITMUS(isa2_relaxed, "ISA2: the thread between does not acquire", ALL3, 3, NULL, isa_first, isa_pass_relaxed, isa_end);

/* RWC: weak 1 0 0. */
static void rwc_read(void) {
  r[0] = load(x, acq);
  r[1] = load(y, acq);
}
static void rwc_read_seq_cst(void) {
  r[0] = load(x, sc);
  r[1] = load(y, sc);
}
static void rwc_read_fence(void) {
  r[0] = load(x, rlx);
  fence(sc);
  r[1] = load(y, rlx);
}
static void rwc_write(void) {
  store(y, 1, rel);
  r[2] = load(x, acq);
}
static void rwc_write_seq_cst(void) {
  store(y, 1, sc);
  r[2] = load(x, sc);
}
static void rwc_write_fence(void) {
  store(y, 1, rlx);
  fence(sc);
  r[2] = load(x, rlx);
}
LITMUS(rwc_release_acquire, "RWC: release, acquire", ALL3, 3, NULL, x_release, rwc_read, rwc_write);
LITMUS(rwc_seq_cst, "RWC: seq_cst", NOT100, 3, NULL, x_seq_cst, rwc_read_seq_cst, rwc_write_seq_cst);
LITMUS(rwc_fences, "RWC: seq_cst fences are cumulative", NOT100, 3, NULL, x_relaxed, rwc_read_fence, rwc_write_fence);
LITMUS(rwc_one_fence, "RWC: a fence in the writer only", ALL3, 3, NULL, x_release, rwc_read, rwc_write_fence);

/* W+RWC: the same behind a message; weak 1 0 0. */
static void wrwc_read(void) {
  r[0] = load(y, acq);
  r[1] = load(z, acq);
}
static void wrwc_read_fence(void) {
  r[0] = load(y, acq);
  fence(sc);
  r[1] = load(z, rlx);
}
static void wrwc_write(void) {
  store(z, 1, rel);
  r[2] = load(x, acq);
}
static void wrwc_write_fence(void) {
  store(z, 1, rlx);
  fence(sc);
  r[2] = load(x, rlx);
}
LITMUS(wrwc_release_acquire, "W+RWC: release, acquire", ALL3, 3, NULL, isa_first, wrwc_read, wrwc_write);
LITMUS(wrwc_fences, "W+RWC: seq_cst fences", NOT100, 3, NULL, isa_first, wrwc_read_fence, wrwc_write_fence);

/* Z6: x, y; y, z; z, x. Weak: final y 2, and 1 0. */
static void z6_first(void) {
  store(x, 1, rel);
  store(y, 1, rel);
}
static void z6_second(void) {
  store(y, 2, rel);
  store(z, 1, rel);
}
static void z6_third(void) {
  r[0] = load(z, acq);
  r[1] = load(x, acq);
}
static void z6_first_seq_cst(void) {
  store(x, 1, sc);
  store(y, 1, sc);
}
static void z6_second_seq_cst(void) {
  store(y, 2, sc);
  store(z, 1, sc);
}
static void z6_third_seq_cst(void) {
  r[0] = load(z, sc);
  r[1] = load(x, sc);
}
static void z6_second_swap(void) {
  swap(y, 2, ar);
  store(z, 1, rel);
}
LITMUS(z6_release_acquire, "Z6: the order of two stores passes nothing on",
       "0 0 1|0 0 2|0 1 1|0 1 2|1 0 1|1 0 2|1 1 1|1 1 2", 3, third_y, z6_first, z6_second, z6_third);
LITMUS(z6_seq_cst, "Z6: seq_cst", "0 0 1|0 0 2|0 1 1|0 1 2|1 0 1|1 1 1|1 1 2", 3, third_y, z6_first_seq_cst,
       z6_second_seq_cst, z6_third_seq_cst);
LITMUS(z6_swap, "Z6: an exchange in its place does", "0 0 1|0 0 2|0 1 1|0 1 2|1 0 1|1 1 1|1 1 2", 3, third_y, z6_first,
       z6_second_swap, z6_third);

/* Z6.U of the RC11 paper: 1 3 0 is allowed, since seq_cst order need not follow a happens-before through other orders.
 */
static void z6u_first(void) {
  store(x, 1, sc);
  store(y, 1, rel);
}
static void z6u_second(void) {
  r[0] = add(y, 1, sc);
  r[1] = load(y, rlx);
}
static void z6u_third(void) {
  store(y, 3, sc);
  r[2] = load(x, sc);
}
LITMUS(z6u, "Z6.U: seq_cst follows happens-before; 1 3 0 is not modelled",
       "0 1 0|0 1 1|0 3 0|0 3 1|1 2 0|1 2 1|1 3 1|3 4 0|3 4 1|3 1 0|3 1 1", 3, NULL, z6u_first, z6u_second, z6u_third);

/* IRIW: two readers, two writers; weak 1 0 1 0. */
static void reader_x_relaxed(void) {
  r[0] = load(x, rlx);
  r[1] = load(y, rlx);
}
static void reader_y_relaxed(void) {
  r[2] = load(y, rlx);
  r[3] = load(x, rlx);
}
static void reader_x_acquire(void) {
  r[0] = load(x, acq);
  r[1] = load(y, acq);
}
static void reader_y_acquire(void) {
  r[2] = load(y, acq);
  r[3] = load(x, acq);
}
static void reader_x_seq_cst(void) {
  r[0] = load(x, sc);
  r[1] = load(y, sc);
}
static void reader_y_seq_cst(void) {
  r[2] = load(y, sc);
  r[3] = load(x, sc);
}
static void reader_x_mixed(void) {
  r[0] = load(x, acq);
  r[1] = load(y, sc);
}
static void reader_y_mixed(void) {
  r[2] = load(y, acq);
  r[3] = load(x, sc);
}
static void reader_x_fence(void) {
  r[0] = load(x, rlx);
  fence(sc);
  r[1] = load(y, rlx);
}
static void reader_y_fence(void) {
  r[2] = load(y, rlx);
  fence(sc);
  r[3] = load(x, rlx);
}
#define NOT1010                                                                                                        \
  "0 0 0 0|0 0 0 1|0 0 1 0|0 0 1 1|0 1 0 0|0 1 0 1|0 1 1 0|0 1 1 1|1 0 0 0|1 0 0 1|1 0 1 1|1 1 0 0|1 1 0 1|1 1 1 0|"   \
  "1 1 1 1"
#define ALL4 NOT1010 "|1 0 1 0"
LITMUS(iriw_relaxed, "IRIW: relaxed", ALL4, 4, NULL, x_relaxed, y_relaxed, reader_x_relaxed, reader_y_relaxed);
LITMUS(iriw_release_acquire, "IRIW: release, acquire", ALL4, 4, NULL, x_release, y_release, reader_x_acquire,
       reader_y_acquire);
LITMUS(iriw_seq_cst, "IRIW: seq_cst", NOT1010, 4, NULL, x_seq_cst, y_seq_cst, reader_x_seq_cst, reader_y_seq_cst);
LITMUS(iriw_fences, "IRIW: seq_cst fences between relaxed loads", NOT1010, 4, NULL, x_relaxed, y_relaxed,
       reader_x_fence, reader_y_fence);
LITMUS(iriw_one_fence, "IRIW: a fence in one reader", ALL4, 4, NULL, x_relaxed, y_relaxed, reader_x_fence,
       reader_y_acquire);
LITMUS(iriw_mixed, "IRIW: seq_cst but for the first loads; 1 0 1 0 is not modelled", NOT1010, 4, NULL, x_seq_cst,
       y_seq_cst, reader_x_mixed, reader_y_mixed);
LITMUS(iriw_stores, "IRIW: seq_cst stores, acquire loads", ALL4, 4, NULL, x_seq_cst, y_seq_cst, reader_x_acquire,
       reader_y_acquire);
