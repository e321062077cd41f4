/* Keys whose destructors come after vgc's in each round of a thread's exit: libc calls them in the order of the keys,
 * and vgc's is the last of the first 32. */
#ifndef WHITEBOX_LATE_KEY_H
#define WHITEBOX_LATE_KEY_H

#include <limits.h>
#include <pthread.h>

#include "test.h"

/* Rounds in which a program's destructors may run. ThreadSanitizer takes its own state of a thread down before those of
 * the last. */
enum { DESTRUCTOR_ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS - UNDER_TSAN };

pthread_key_t late_key_make(void (*destructor)(void *));

#endif
