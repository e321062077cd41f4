/* Coherence: all threads agree on the order of the stores to one object, at every memory order. */
#include "litmus.h"
#include <stddef.h>

static void one(void) { store(x, 1, rlx); }
static void two(void) { store(x, 2, rlx); }
static void one_two(void) {
  store(x, 1, rlx);
  store(x, 2, rlx);
}
static void one_two_three(void) {
  store(x, 1, rlx);
  store(x, 2, rlx);
  store(x, 3, rlx);
}
static void read_read(void) {
  r[0] = load(x, rlx);
  r[1] = load(x, rlx);
}
static void read_read_seq_cst(void) {
  r[0] = load(x, sc);
  r[1] = load(x, sc);
}
static void one_seq_cst(void) { store(x, 1, sc); }
static void read_add(void) {
  r[0] = load(x, rlx);
  r[1] = add(x, 0, rlx);
}
static void write_read(void) {
  store(x, 1, rlx);
  r[0] = load(x, rlx);
}
static void read_write(void) {
  r[0] = load(x, rlx);
  store(x, 1, rlx);
}
static void add_read(void) {
  r[0] = add(x, 10, rlx);
  r[1] = load(x, rlx);
}
static void first_reader(void) {
  if (load(x, rlx) == 1) r[0] = load(x, rlx) == 2;
}
static void second_reader(void) {
  if (load(x, rlx) == 2) r[1] = load(x, rlx) == 1;
}

LITMUS(co_read_read, "CoRR: a second read is not older", "0 0|0 1|1 1", 2, NULL, one, read_read);
LITMUS(co_read_read_seq_cst, "CoRR: seq_cst", "0 0|0 1|1 1", 2, NULL, one_seq_cst, read_read_seq_cst);
LITMUS(co_read_read_two, "CoRR: over two stores", "0 0|0 1|0 2|1 1|1 2|2 2", 2, NULL, one_two, read_read);
LITMUS(co_read_read_three, "CoRR: over three stores", "0 0|0 1|0 2|0 3|1 1|1 2|1 3|2 2|2 3|3 3", 2, NULL, one_two_three,
       read_read);
LITMUS(co_read_read_writers, "CoRR: two writers, and the final value",
       "0 0 1|0 0 2|0 1 1|0 1 2|0 2 1|0 2 2|1 1 1|1 1 2|1 2 2|2 1 1|2 2 1|2 2 2", 3, third_x, one, two, read_read);
LITMUS(co_readers_agree, "CoRR2: two readers do not see opposite orders", "0 0|0 1|1 0", 2, NULL, one, two,
       first_reader, second_reader);
LITMUS(co_read_modify, "CoRR: a read-modify-write reads the last value", "0 0|0 1|1 1", 2, NULL, one, read_add);
LITMUS(co_write_read, "CoWR: own store, or a later one", "1 1|1 2|2 2", 2, then_x, write_read, two);
LITMUS(co_read_write, "CoRW: own store comes after what was read", "0 1|0 2|2 1", 2, then_x, read_write, two);
LITMUS(co_write_write, "CoWW: a thread's stores keep their order", "2", 1, final_x, one_two);
LITMUS(co_write_write_other, "CoWW: with another writer", "1|2", 1, final_x, one_two, one);
LITMUS(co_modify_read, "CoWR: after a read-modify-write", "0 1|0 10|1 11", 2, NULL, one, add_read);
LITMUS(co_join, "after a join there is nothing else to read", "2", 1, final_x, one_two, read_read);

/* Happens-before takes part. */
static void message(void) {
  store(x, 1, rlx);
  store(y, 1, rel);
}
static void overwrite(void) {
  r[0] = load(y, acq);
  store(x, 2, rlx);
  r[1] = load(x, rlx);
}
static void twice(void) {
  store(x, 1, rlx);
  store(x, 2, rlx);
  store(y, 1, rel);
}
static void late(void) {
  r[0] = load(y, acq);
  r[1] = load(x, rlx);
}
LITMUS(co_hb_write_read, "a store that happens before hides those it follows", "0 0|0 1|0 2|1 2", 2, NULL, twice, late);
LITMUS(co_hb_write_write, "a store after one that happens before is the later one", "0 1 1|0 2 1|0 2 2|1 2 2", 3,
       third_x, message, overwrite);

/* How far back a load may look: at least 16 stores. */
static void many(void) {
  store(x, 1, rlx);
  store(x, 2, rlx);
  store(x, 3, rlx);
  store(x, 4, rlx);
  store(x, 5, rlx);
  store(x, 6, rlx);
  store(x, 7, rlx);
  store(x, 8, rlx);
  store(x, 9, rlx);
  store(x, 10, rlx);
  store(x, 11, rlx);
  store(x, 12, rlx);
  store(x, 13, rlx);
  store(x, 14, rlx);
  store(x, 15, rlx);
  store(x, 16, rlx);
  store(y, 1, rlx);
}
static void look_back(void) {
  if (load(y, rlx)) r[0] = load(x, rlx) + 1;
}
LITMUS(co_history, "any of 16 stores, or what was there before them", "0|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17", 1,
       NULL, many, look_back);
