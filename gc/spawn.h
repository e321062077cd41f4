/* Threads are registered from their first instruction to their last without a change to the program: vgc defines
 * pthread_create and its relatives itself and passes each call on. */
#ifndef VGC_SPAWN_H
#define VGC_SPAWN_H

#include <pthread.h>
#include <stdint.h>

struct thread;

/* Finds the functions behind ours; any thread, any number of times. A constructor calls it, and so does initialisation:
 * that keeps this file in every program that links the archive, so that its definitions prevail over libc's. */
void spawn_start(void);

/* Starts a thread of the library's own: no mutator, all signals but faults blocked. 0 or an errno value. No lock of
 * ours held. */
int spawn_service(pthread_t *, void *(*start)(void *), void *arg);
int spawn_service_join(pthread_t);

/* After a successful join: the result goes to the joiner and ceases to be a root. 0. */
int spawn_joined(struct thread *, uint64_t birth, void *value, void **result);

/* Body of a function that joins; call writes the result to &value. The record is looked up before the join: after it,
 * the handle may already be another thread's. */
#define SPAWN_JOIN(handle, result, call)                                                                               \
  do {                                                                                                                 \
    spawn_start();                                                                                                     \
    uint64_t birth = 0;                                                                                                \
    struct thread *record = thread_find(handle, &birth);                                                               \
    void *value = NULL;                                                                                                \
    int rc = call;                                                                                                     \
    return rc ? rc : spawn_joined(record, birth, value, result);                                                       \
  } while (0)

#endif
