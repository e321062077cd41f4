/* Objects whose address the test holds in disguise only, so that nothing but what the test sets up keeps them alive. */
#ifndef WHITEBOX_HIDDEN_H
#define WHITEBOX_HIDDEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meeting.h"

/* The complement of the address of a new pointer-free object with known contents. A thread that is gone has made it, so
 * no stack or register holds the address. Not from a thread that holds locks. */
uintptr_t hidden_make(size_t size);
/* *slot = ~hidden, without a copy in any other register or stack word. */
void hidden_reveal(uintptr_t hidden, void *slot);
/* After a collection: whether the object is still there, with its contents. Sweeps first. */
bool hidden_alive(uintptr_t hidden, size_t size);

/* A thread that holds an object nobody else refers to, on its stack. */
struct hidden_holder {
  pthread_t thread;
  uintptr_t hidden;
  void (*last)(void *object); /* its last act, or NULL */
  struct meeting held, done;
};
/* Makes the object and starts the thread; returns when that holds it. */
void hidden_hold(struct hidden_holder *holder, size_t size, void (*last)(void *object));
/* Whether the object, made here, survives a collection while a thread holds it: run, which is given the holder, reveals
 * the object and meets the caller in `held`, then in `done`. When it returns the thread has ended. */
bool hidden_survives(struct hidden_holder *holder, size_t size, void *(*run)(void *holder));
/* Lets the thread end, and joins it. */
void hidden_let_go(struct hidden_holder *holder);

/* Objects that nothing refers to: a collection that leaves most of them proves nothing about the others. */
struct hidden_control {
  uintptr_t objects[16];
};
void hidden_control_make(struct hidden_control *control);
bool hidden_control_died(const struct hidden_control *control);

#endif
