/* Claims by a span's owner against frees by other threads: one word of bits, and the word of what others returned. */
#include "alloc.h"

static void *object[SPAN_SLOTS], *fresh;

static void all_four(void) {
  heap_start();
  fill(object, SPAN_SLOTS);
}

/* What is free must be made available first. */
static void three_of_four(void) {
  all_four();
  vgc_free(object[3]);
}

static void take_one(void) { fresh = take(); }
static void free_0(void) { vgc_free(object[0]); }
static void free_1(void) { vgc_free(object[1]); }
static void free_2(void) { vgc_free(object[2]); }

static void claim_and_free(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], fresh}, 3);
}
ALLOC_MODEL(claim_and_free, .setup = three_of_four, .run = claim_and_free,
            .title = "a refill and another thread's free in one word: no slot is lost or issued twice");

/* The owner folds one returned slot in while another is returned. */
static void fold_and_free(void) {
  actors_run((struct actor[]){{.act = take_one}, {.before = free_1, .act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
INTERLEAVE_MODEL(fold_and_free, .setup = all_four, .run = fold_and_free, .preemptions = 2, .learn = 1000,
                 .title = "a slot is returned while the owner folds another in: neither is lost");

static void three_frees(void) {
  actors_run((struct actor[]){{.act = free_2}, {.act = free_0}, {.act = free_1}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[3]}, 1);
}
ALLOC_MODEL(three_frees, .setup = all_four, .run = three_frees,
            .title = "the owner and two others free in one word: each counts once");

/* Plain writes on both sides: the explorer looks for what orders them. */
static void use_and_free_0(void) {
  *(uint64_t *)object[0] = 1;
  free_0();
}
static void take_and_use(void) {
  take_one();
  *(uint64_t *)fresh = 2;
}

static void last_use(void) {
  actors_run((struct actor[]){{.act = take_and_use}, {.act = use_and_free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], fresh}, 4);
}
INTERLEAVE_MODEL(last_use, .setup = all_four, .run = last_use, .preemptions = 2, .learn = 1000,
                 .title = "what a thread does with an object before it frees it comes before what the next one does");

/* ---- Double frees ---- */

static void double_free(void) {
  actors_run((struct actor[]){{.act = free_2}, {.act = free_0}, {.act = free_0}}, 3);
  interleave_assert(errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[1], object[3]}, 2);
}
ALLOC_MODEL(double_free, .setup = all_four, .run = double_free,
            .title = "two threads free one object: exactly one is told, and it counts once");

/* Told at the latest when the slot is folded in, before it could be issued twice. */
static void double_free_with_owner(void) {
  actors_run((struct actor[]){{.act = free_0}, {.act = free_0}}, 2);
  fresh = take();
  interleave_assert(fresh == object[0]);
  interleave_assert(errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[1], object[2], object[3], fresh}, 4);
}
ALLOC_MODEL(double_free_with_owner, .setup = all_four, .run = double_free_with_owner,
            .title = "the owner and another thread free one object: told, and issued once");

/* ---- Frees against a refill ---- */

static void free_0_and_1(void) {
  free_0();
  free_1();
}

/* Slots 0 and 1 are free, then available; slot 1 reads as free all the time. */
static void double_free_in_refill(void) {
  actors_run((struct actor[]){{.before = free_0_and_1, .act = take_one}, {.act = free_1}}, 2);
  interleave_assert(fresh == object[0]);
  interleave_assert(errors_by(1) == 1 && errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
INTERLEAVE_MODEL(double_free_in_refill, .setup = all_four, .run = double_free_in_refill, .preemptions = 2,
                 .learn = 1000, .title = "a slot that the owner makes available reads as free at every step");

static void returned_double_free_in_refill(void) {
  actors_run((struct actor[]){{.act = take_one}, {.before = free_0_and_1, .act = free_1}}, 2);
  interleave_assert(fresh == object[0]);
  interleave_assert(errors_by(1) == 1 && errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
INTERLEAVE_MODEL(returned_double_free_in_refill, .setup = all_four, .run = returned_double_free_in_refill,
                 .preemptions = 2, .learn = 1000,
                 .title = "a slot that the owner folds in reads as returned or free at every step");

/* Slot 1 is available. It goes back, as when the owner exits: it counts as issued no longer. */
static void free_0_and_1_take_0(void) {
  free_0_and_1();
  take_one();
}
static void park(void) {
  struct span *span = span_of((uintptr_t)object[2]);
  cache_count(&cache_current->issued[span_index(span)], -(uint64_t)1);
  span_park(span);
}

static void double_free_in_park(void) {
  actors_run((struct actor[]){{.before = free_0_and_1_take_0, .act = park}, {.act = free_1}}, 2);
  interleave_assert(fresh == object[0]);
  interleave_assert(errors_by(1) == 1 && errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
ALLOC_MODEL(double_free_in_park, .setup = all_four, .run = double_free_in_park,
            .title = "a slot that the owner puts back from the available ones reads as free at every step");

/* ---- Two words ---- */

#define SMALL       256u
#define SMALL_SLOTS 128u

static void *small[SMALL_SLOTS];

static void fill_small(void) {
  heap_start();
  for (unsigned i = 0; i < SMALL_SLOTS; i++) interleave_assert(small[i] = vgc_malloc_noscan(SMALL));
  interleave_assert(span_of((uintptr_t)small[0]) == span_of((uintptr_t)small[127]));
}

static void free_one_in_each_word(void) {
  vgc_free(small[3]);
  vgc_free(small[67]);
  interleave_assert(vgc_malloc_noscan(SMALL) == small[3]);
}
static void go_on_to_word_1(void) { fresh = vgc_malloc_noscan(SMALL); }
static void free_in_word_0(void) { vgc_free(small[3]); }

static void free_in_word_left(void) {
  actors_run((struct actor[]){{.before = free_one_in_each_word, .act = go_on_to_word_1}, {.act = free_in_word_0}}, 2);
  interleave_assert(errors() == 0);
  interleave_assert(fresh == small[67] && !vgc_base_of(small[3]));
  interleave_assert(vgc_malloc_noscan(SMALL) == small[3]);
}
ALLOC_MODEL(free_in_word_left, .setup = fill_small, .run = free_in_word_left,
            .title = "a free in the word that the owner leaves for the next: the two words are not mixed up");

/* The owner claims slot 3, refills from the other word, and claims slot 68. Bits that are available in the one word
 * must not be taken for the other's, where slots 4 and 67 are live. */
static void free_3_and_68(void) {
  vgc_free(small[3]);
  vgc_free(small[68]);
}
/* 68, or what the other thread frees meanwhile. */
static void take_3_and_68(void *freed) {
  interleave_assert(vgc_malloc_noscan(SMALL) == small[3]);
  fresh = vgc_malloc_noscan(SMALL);
  interleave_assert(fresh == small[68] || fresh == freed);
}
static void take_beside_4(void) { take_3_and_68(small[4]); }
static void take_beside_67(void) { take_3_and_68(small[67]); }
static void free_small_4(void) { vgc_free(small[4]); }
static void free_small_67(void) { vgc_free(small[67]); }

static void live_free_in_word_left(void) {
  actors_run((struct actor[]){{.before = free_3_and_68, .act = take_beside_4}, {.act = free_small_4}}, 2);
  interleave_assert(errors() == 0);
}
INTERLEAVE_MODEL(live_free_in_word_left, .setup = fill_small, .run = live_free_in_word_left, .preemptions = 2,
                 .learn = 1000, .title = "a live object is freed in the word that the owner leaves: accepted");

static void live_free_in_word_entered(void) {
  actors_run((struct actor[]){{.before = free_3_and_68, .act = take_beside_67}, {.act = free_small_67}}, 2);
  interleave_assert(errors() == 0);
  interleave_assert(fresh == small[67] || !vgc_base_of(small[67]));
}
INTERLEAVE_MODEL(live_free_in_word_entered, .setup = fill_small, .run = live_free_in_word_entered, .preemptions = 2,
                 .learn = 1000, .title = "a live object is freed in the word that the owner enters: accepted");
