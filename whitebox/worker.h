/* A thread that does one step after another as the test tells it. It waits in pthread_cond_wait between steps, so a
 * world stop finds it there. Use from one test thread. */
#ifndef WHITEBOX_WORKER_H
#define WHITEBOX_WORKER_H

#include <pthread.h>

/* What the thread uses lies elsewhere: a test that fails leaves its frame while the thread goes on. */
struct worker {
  pthread_t thread; /* both immutable after worker_start */
  struct worker_desk *desk;
};

void worker_start(struct worker *worker);
/* Starts step(arg) and returns. The worker must be idle. */
void worker_begin(struct worker *worker, void (*step)(void *), void *arg);
/* Waits until the step is done. */
void worker_finish(struct worker *worker);
/* Both. */
void worker_do(struct worker *worker, void (*step)(void *), void *arg);
/* Starts step(arg); once the worker stands at that POINT of gc/, calls act(act_arg) in the calling thread; then lets
 * the worker go on, and waits until the step is done. */
void worker_do_meanwhile(struct worker *worker, void (*step)(void *), void *arg, const char *point, void (*act)(void *),
                         void *act_arg);
/* Tells the thread to end; it may be parked on its way. */
void worker_leave(struct worker *worker);
/* Ends the thread and joins it. */
void worker_stop(struct worker *worker);

#endif
