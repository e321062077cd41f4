/* Initialisation once, by hand: those who lose the exchange return at once, before the winner has stored the table.
 * Source: S. Meyers and A. Alexandrescu, C++ and the perils of double-checked locking, 2004; Apache httpd bug 32325 and
 * its like; POSIX, pthread_once: returns only when the routine has. */
#include "gallery.h"

static bool fixed;
static _Atomic int begun, done;
static int contents[2];
static const int *_Atomic table;

static void initialise(void) {
  if (atomic_exchange(&begun, 1)) {
    if (fixed) {
      while (!atomic_load(&done)) {
      }
    }
    return;
  }
  contents[0] = 1;
  atomic_store(&table, contents);
  atomic_store(&done, 1);
}

static void use(void) {
  initialise();
  const int *mine = atomic_load(&table);
  interleave_assert(mine != NULL);
  interleave_assert(mine[0] == 1);
}

static void run(bool with_fix) {
  fixed = with_fix;
  begun = done = 0;
  contents[0] = contents[1] = 0;
  table = NULL;
  RUN(use, use);
}
GALLERY(once_losers, "initialisation once, whose losers do not wait", INTERLEAVE_ASSERTION, run);
