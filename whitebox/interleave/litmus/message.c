/* Message passing: x is the message, y says that it is there. The weak outcome is 1 0: the flag seen, the message not.
 */
#include "litmus.h"
#include <stddef.h>

static void put_relaxed(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
}
static void put_release(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
}
static void put_seq_cst(void) {
  store(x, 1, sc);
  store(y, 1, sc);
}
static void put_add(void) {
  store(x, 1, rlx);
  add(y, 1, rel);
}
static void put_swap_relaxed(void) {
  store(x, 1, rlx);
  swap(y, 1, rlx);
}
static void put_fence(void) {
  store(x, 1, rlx);
  fence(rel);
  store(y, 1, rlx);
}
static void put_fence_acq_rel(void) {
  store(x, 1, rlx);
  fence(ar);
  store(y, 1, rlx);
}
static void put_fence_seq_cst(void) {
  store(x, 1, rlx);
  fence(sc);
  store(y, 1, rlx);
}
static void put_fence_acquire(void) {
  store(x, 1, rlx);
  fence(acq);
  store(y, 1, rlx);
}
static void put_fence_late(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
  fence(rel);
}

static void get_relaxed(void) {
  r[0] = load(y, rlx);
  r[1] = load(x, rlx);
}
static void get_acquire(void) {
  r[0] = load(y, acq);
  r[1] = load(x, rlx);
}
static void get_consume(void) {
  r[0] = load(y, con);
  r[1] = load(x, rlx);
}
static void get_seq_cst(void) {
  r[0] = load(y, sc);
  r[1] = load(x, sc);
}
static void get_if(void) {
  r[0] = load(y, rlx);
  if (r[0]) r[1] = load(x, rlx);
}
static void get_add(void) {
  r[0] = add(y, 0, acq);
  r[1] = load(x, rlx);
}
static void get_swap_relaxed(void) {
  r[0] = swap(y, 2, rlx);
  r[1] = load(x, rlx);
}
static void get_fence(void) {
  r[0] = load(y, rlx);
  fence(acq);
  r[1] = load(x, rlx);
}
static void get_fence_acq_rel(void) {
  r[0] = load(y, rlx);
  fence(ar);
  r[1] = load(x, rlx);
}
static void get_fence_seq_cst(void) {
  r[0] = load(y, rlx);
  fence(sc);
  r[1] = load(x, rlx);
}
static void get_fence_release(void) {
  r[0] = load(y, rlx);
  fence(rel);
  r[1] = load(x, rlx);
}
static void get_fence_early(void) {
  fence(acq);
  r[0] = load(y, rlx);
  r[1] = load(x, rlx);
}

LITMUS(mp_relaxed, "MP: relaxed, relaxed", "0 0|0 1|1 0|1 1", 2, NULL, put_relaxed, get_relaxed);
LITMUS(mp_release_acquire, "MP: release, acquire", "0 0|0 1|1 1", 2, NULL, put_release, get_acquire);
LITMUS(mp_release_relaxed, "MP: release, relaxed", "0 0|0 1|1 0|1 1", 2, NULL, put_release, get_relaxed);
LITMUS(mp_relaxed_acquire, "MP: relaxed, acquire", "0 0|0 1|1 0|1 1", 2, NULL, put_relaxed, get_acquire);
LITMUS(mp_seq_cst, "MP: seq_cst throughout", "0 0|0 1|1 1", 2, NULL, put_seq_cst, get_seq_cst);
LITMUS(mp_seq_cst_relaxed, "MP: a seq_cst store is no help to a relaxed load", "0 0|0 1|1 0|1 1", 2, NULL, put_seq_cst,
       get_relaxed);
LITMUS(mp_consume, "MP: consume is acquire", "0 0|0 1|1 1", 2, NULL, put_release, get_consume);
LITMUS(mp_control, "MP: a branch does not order loads", "0 0|1 0|1 1", 2, NULL, put_release, get_if);
LITMUS(mp_add, "MP: fetch_add release, fetch_add acquire", "0 0|0 1|1 1", 2, NULL, put_add, get_add);
LITMUS(mp_swap_relaxed, "MP: an atomic exchange has no order of its own", "0 0|0 1|1 0|1 1", 2, NULL, put_swap_relaxed,
       get_swap_relaxed);
LITMUS(mp_fences, "MP: release fence, acquire fence", "0 0|0 1|1 1", 2, NULL, put_fence, get_fence);
LITMUS(mp_fence_load, "MP: release fence, acquire load", "0 0|0 1|1 1", 2, NULL, put_fence, get_acquire);
LITMUS(mp_store_fence, "MP: release store, acquire fence", "0 0|0 1|1 1", 2, NULL, put_release, get_fence);
LITMUS(mp_fences_acq_rel, "MP: acq_rel fences are both", "0 0|0 1|1 1", 2, NULL, put_fence_acq_rel, get_fence_acq_rel);
LITMUS(mp_fences_seq_cst, "MP: seq_cst fences are both", "0 0|0 1|1 1", 2, NULL, put_fence_seq_cst, get_fence_seq_cst);
LITMUS(mp_fence_relaxed, "MP: release fence, relaxed", "0 0|0 1|1 0|1 1", 2, NULL, put_fence, get_relaxed);
LITMUS(mp_relaxed_fence, "MP: relaxed, acquire fence", "0 0|0 1|1 0|1 1", 2, NULL, put_relaxed, get_fence);
LITMUS(mp_fence_late, "MP: release fence after the flag", "0 0|0 1|1 0|1 1", 2, NULL, put_fence_late, get_fence);
LITMUS(mp_fence_early, "MP: acquire fence before the flag", "0 0|0 1|1 0|1 1", 2, NULL, put_fence, get_fence_early);
LITMUS(mp_fence_acquire, "MP: an acquire fence releases nothing", "0 0|0 1|1 0|1 1", 2, NULL, put_fence_acquire,
       get_fence);
LITMUS(mp_fence_release, "MP: a release fence acquires nothing", "0 0|0 1|1 0|1 1", 2, NULL, put_fence,
       get_fence_release);

/* A seq_cst load is bound by seq_cst stores alone. */
static void get_seq_cst_second(void) {
  r[0] = load(y, rlx);
  r[1] = load(x, sc);
}
LITMUS(mp_relaxed_seq_cst, "MP: a seq_cst load may read an older relaxed store", "0 0|0 1|1 0|1 1", 2, NULL,
       put_relaxed, get_seq_cst_second);

/* The order of a fence and a seq_cst load matters although they are on no object in common. */
static void put_fence_seq_cst_late(void) {
  store(x, 1, rlx);
  store(y, 1, rlx);
  fence(sc);
}
LITMUS(mp_fence_late_seq_cst, "MP: a seq_cst load before a later fence", "0 0|0 1|1 0|1 1", 2, NULL,
       put_fence_seq_cst_late, get_seq_cst_second);

/* One fence for several flags. */
static void put_two(void) {
  store(x, 1, rlx);
  fence(rel);
  store(y, 1, rlx);
  store(z, 1, rlx);
}
static void get_second(void) {
  r[0] = load(z, acq);
  r[1] = load(x, rlx);
}
static void get_flag(void) {
  r[0] = load(z, rlx);
  r[1] = load(y, rlx);
  fence(acq);
  r[2] = load(x, rlx);
}
LITMUS(mp_fence_covers_later, "MP: a release fence counts for each later store", "0 0|0 1|1 1", 2, NULL, put_two,
       get_second);
LITMUS(mp_fence_covers_earlier, "MP: an acquire fence counts for each earlier load", "0 0 0|0 0 1|0 1 1|1 0 1|1 1 1", 3,
       NULL, put_two, get_flag);

/* A plain message. */
static void put_plain(void) {
  d = 1;
  store(y, 1, rel);
}
static void put_plain_relaxed(void) {
  d = 1;
  store(y, 1, rlx);
}
static void put_plain_fence(void) {
  d = 1;
  fence(rel);
  store(y, 1, rlx);
}
static void put_plain_late(void) {
  store(y, 1, rel);
  d = 1;
}
static void put_plain_only_fence(void) {
  d = 1;
  fence(sc);
}
static void get_plain(void) {
  r[0] = load(y, acq);
  if (r[0]) r[1] = d;
}
static void get_plain_relaxed(void) {
  r[0] = load(y, rlx);
  if (r[0]) r[1] = d;
}
static void get_plain_fence(void) {
  r[0] = load(y, rlx);
  fence(acq);
  if (r[0]) r[1] = d;
}
static void get_plain_always(void) {
  r[0] = load(y, acq);
  r[1] = d;
}
static void get_plain_only_fence(void) {
  fence(sc);
  r[0] = d;
}
static void write_plain(void) { d = 1; }
static void read_plain(void) { r[1] = d; }
static void read_plain_too(void) { r[0] = d; }

LITMUS(plain_release_acquire, "plain message: release, acquire", "0 0|1 1", 2, NULL, put_plain, get_plain);
LITMUS(plain_fences, "plain message: fences", "0 0|1 1", 2, NULL, put_plain_fence, get_plain_fence);
LITMUS(plain_readers, "plain: two readers do not race", "0 0", 2, NULL, read_plain, read_plain_too);
RACY(plain_relaxed_acquire, "plain message: relaxed, acquire", put_plain_relaxed, get_plain);
RACY(plain_release_relaxed, "plain message: release, relaxed", put_plain, get_plain_relaxed);
RACY(plain_fence_relaxed, "plain message: release fence, relaxed", put_plain_fence, get_plain_relaxed);
RACY(plain_unconditional, "plain message: read although the flag is not up", put_plain, get_plain_always);
RACY(plain_late, "plain message: written after the flag", put_plain_late, get_plain);
RACY(plain_only_fences, "plain: fences without an atomic object order nothing", put_plain_only_fence,
     get_plain_only_fence);
RACY(plain_write_read, "plain: write and read", write_plain, read_plain);
RACY(plain_write_write, "plain: the same value written twice is a race", write_plain, write_plain);
