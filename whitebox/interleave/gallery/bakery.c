/* The bakery lock without `choosing`: a number is taken in two steps, and a thread between them is overlooked.
 * Source: L. Lamport, A new solution of Dijkstra's concurrent programming problem, 1974. */
#include "gallery.h"

static bool fixed;
static _Atomic int choosing[2], number[2];
static int counter;

static void count_in(int me) {
  int other = 1 - me;
  if (fixed) choosing[me] = 1;
  int mine = number[other] + 1;
  number[me] = mine;
  if (fixed) choosing[me] = 0;
  if (fixed) {
    while (choosing[other]) {
    }
  }
  for (;;) {
    int theirs = number[other];
    if (theirs == 0 || theirs > mine || (theirs == mine && other > me)) break;
  }
  counter++;
  number[me] = 0;
}
static void first(void) { count_in(0); }
static void second(void) { count_in(1); }

static void run(bool with_fix) {
  fixed = with_fix;
  for (int i = 0; i < 2; i++) choosing[i] = number[i] = 0;
  counter = 0;
  RUN(first, second);
  interleave_assert(counter == 2);
}
GALLERY(bakery, "Lamport's bakery without `choosing`", INTERLEAVE_RACE, run);
