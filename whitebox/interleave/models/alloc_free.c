/* Claims by a span's owner against frees by other threads: one word of bits, and the word of what others returned. */
#include "alloc.h"

static void *object[2 * SPAN_SLOTS], *fresh[2];

static void free_0(void) { vgc_free(object[0]); }
static void free_1(void) { vgc_free(object[1]); }
static void free_2(void) { vgc_free(object[2]); }

/* ---- The current span ---- */

static void three_of_four(void) {
  heap_start();
  fill(object, 3);
}

static void take_one(void) { fresh[0] = take(); }

static void claim_and_free(void) {
  static void (*const acts[])(void) = {take_one, free_0};
  actors_run(2, acts, NULL);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], fresh[0]}, 3);
  expect_free(1);
}
INTERLEAVE_MODEL(claim_and_free, .setup = three_of_four, .run = claim_and_free, .preemptions = 3, .learn = 200,
                 .title = "a claim and another thread's free in one word: both count, no slot is lost or issued twice");

/* The owner folds what one returns while the other returns. */
static void four(void) {
  heap_start();
  fill(object, SPAN_SLOTS);
}

static void two_frees_and_a_refill(void) {
  static void (*const acts[])(void) = {take_one, free_0, free_1};
  actors_run(3, acts, NULL);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh[0]}, 3);
}
INTERLEAVE_MODEL(two_frees_and_a_refill, .setup = four, .run = two_frees_and_a_refill, .preemptions = 3, .learn = 200,
                 .title = "two threads free while the owner refills: no update of the returned slots is lost");

static void own_free(void) { vgc_free(object[2]); }

static void two_frees_and_an_own_one(void) {
  static void (*const acts[])(void) = {own_free, free_0, free_1};
  actors_run(3, acts, NULL);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[3]}, 1);
  expect_free(3);
}
INTERLEAVE_MODEL(two_frees_and_an_own_one, .setup = four, .run = two_frees_and_an_own_one, .preemptions = 3,
                 .learn = 200, .title = "the owner and two others free in one word: each counts once");

/* ---- Double frees ---- */

static void double_free(void) {
  static void (*const acts[])(void) = {free_2, free_0, free_0};
  actors_run(3, acts, NULL);
  interleave_assert(errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live((void *[]){object[1], object[3]}, 2);
  expect_free(2);
}
INTERLEAVE_MODEL(double_free, .setup = four, .run = double_free, .preemptions = 3, .learn = 200,
                 .title = "two threads free one object: exactly one is told, and it counts once");

/* Seen at the latest when the slot is folded in, before it could be issued twice. */
static void double_free_with_owner(void) {
  static void (*const acts[])(void) = {free_0, free_0};
  actors_run(2, acts, NULL);
  expect_free(1);
  interleave_assert(errors() == 1 && last_error() == VGC_ERROR_DOUBLE_FREE);
}
INTERLEAVE_MODEL(double_free_with_owner, .setup = four, .run = double_free_with_owner, .preemptions = 3, .learn = 200,
                 .title = "the owner and another thread free one object: told, and issued once");
