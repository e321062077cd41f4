/* The lock that threads share and a fork closes. */
#include "stopping.h"

static struct shared_lock lock;
static unsigned shown, closed; /* written by who has it closed, read inside */

static void begin(void) {
  atomic_store(&lock.inside, 0);
  shown = closed = 0;
}

static void enters(void) {
  shared_lock_enter(&lock);
  interleave_assert(!closed && shown <= 1);
  shared_lock_leave(&lock);
}

static void enters_twice(void) {
  shared_lock_enter(&lock);
  enters(); /* whoever waits to close it */
  shared_lock_leave(&lock);
}

static void closes(void) {
  shared_lock_close(&lock);
  closed = 1;
  shown++;
  closed = 0;
  shared_lock_open(&lock);
}

static void shared_and_closed(void) {
  static void (*const parts[])(void) = {enters, enters, closes};
  begin();
  together(3, parts);
  interleave_assert(shown == 1);
}
INTERLEAVE_MODEL(shared_and_closed, .setup = stopping_start, .run = shared_and_closed,
                 .title = "two threads inside of a shared lock see nothing of who closes it");

static void entered_twice(void) {
  static void (*const parts[])(void) = {enters_twice, closes};
  begin();
  together(2, parts);
}
INTERLEAVE_MODEL(entered_twice, .setup = stopping_start, .run = entered_twice,
                 .title = "who is inside of a shared lock may enter again, whoever waits to close it");

static void closed_by_two(void) {
  static void (*const parts[])(void) = {closes, closes};
  begin();
  together(2, parts);
  interleave_assert(shown == 2);
}
INTERLEAVE_MODEL(closed_by_two, .setup = stopping_start, .run = closed_by_two,
                 .title = "one thread has a shared lock closed at a time");
