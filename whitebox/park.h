/* Holds a thread at a POINT of gc/ and lets it go, so that a test decides the interleaving. No sleeps.
 *
 *     struct park *window = park_arm("cache_claimed");
 *     worker_begin(&worker, allocate, &result);
 *     park_await(window);      the worker stands in the window
 *     vgc_collect();           a world stop finds it there, by signal, as anywhere else
 *     park_release(window);
 *     worker_finish(&worker);
 *
 * A parked thread blocks in read() on an eventfd: safe in a signal handler, and known to ThreadSanitizer, which then
 * delivers signals to it at once and sees the edges arming -> parked -> await and release -> onward. errno is kept.
 * A test that ends resets; a watchdog report names what is armed and who waits (park_describe). */
#ifndef WHITEBOX_PARK_H
#define WHITEBOX_PARK_H

#include <pthread.h>
#include <stdbool.h>

struct park;

/* The next thread, other than the caller, that passes the point parks there; only that one. */
struct park *park_arm(const char *point);
/* As park_arm, after `skip` passages by other threads have gone through. */
struct park *park_arm_after(const char *point, unsigned skip);
/* Only this thread parks (it may be the caller, if another thread releases it). */
struct park *park_arm_thread(const char *point, pthread_t thread);
/* Instead of parking, the next thread to pass, any thread, calls act(arg) there once. act may be run in the middle of
 * whatever gc/ is doing there. */
struct park *park_arm_call(const char *point, void (*act)(void *), void *arg);
/* As park_arm_call, but each passage, by any thread, calls act(arg), until the reset. */
struct park *park_arm_each(const char *point, void (*act)(void *), void *arg);

/* Blocks until a thread is parked here (or has finished act). */
void park_await(struct park *park);
/* Whether one is; does not block. */
bool park_reached(struct park *park);
/* Lets it go; once, after it has been reached or before (then nobody will park). */
void park_release(struct park *park);
/* How often any thread passed the point since the last reset; counted for points that were armed. */
unsigned park_passages(const struct park *park);
/* Releases everybody, disarms everything; a CMocka teardown. Returns 0. */
int park_reset(void **state);
/* Writes the armed points and their states to standard error. Async-signal-safe. */
void park_describe(void);

#endif
