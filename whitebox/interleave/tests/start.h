/* Threads of a model. */
#ifndef TESTS_START_H
#define TESTS_START_H

#include <pthread.h>

#include "interleave.h"

static inline pthread_t start(void *(*body)(void *), void *arg) {
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, body, arg) == 0);
  return thread;
}

static inline void join(pthread_t thread) { interleave_assert(pthread_join(thread, NULL) == 0); }

#endif
