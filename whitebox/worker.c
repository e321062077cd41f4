#include "worker.h"

#include <stdbool.h>

#include "park.h"
#include "test.h"

struct worker_desk {
  bool taken; /* test thread */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  /* Under mutex: */
  void (*step)(void *); /* NULL: idle */
  void *arg;
  bool stop;
};

static struct worker_desk desks[256];

static void *worker_main(void *arg) {
  struct worker_desk *desk = arg;
  pthread_mutex_lock(&desk->mutex);
  while (!desk->stop) {
    void (*step)(void *) = desk->step;
    if (!step) {
      pthread_cond_wait(&desk->changed, &desk->mutex);
      continue;
    }
    void *step_arg = desk->arg;
    pthread_mutex_unlock(&desk->mutex);
    step(step_arg);
    pthread_mutex_lock(&desk->mutex);
    desk->step = NULL;
    desk->arg = NULL;
    pthread_cond_broadcast(&desk->changed);
  }
  pthread_mutex_unlock(&desk->mutex);
  return NULL;
}

void worker_start(struct worker *worker) {
  unsigned i = 0;
  while (desks[i].taken) must(++i < sizeof desks / sizeof *desks);
  worker->desk = &desks[i];
  desks[i] = (struct worker_desk){.taken = true};
  must(pthread_mutex_init(&desks[i].mutex, NULL) == 0);
  must(pthread_cond_init(&desks[i].changed, NULL) == 0);
  must(pthread_create(&worker->thread, NULL, worker_main, worker->desk) == 0);
}

void worker_begin(struct worker *worker, void (*step)(void *), void *arg) {
  pthread_mutex_lock(&worker->desk->mutex);
  must(!worker->desk->step);
  worker->desk->step = step;
  worker->desk->arg = arg;
  pthread_cond_broadcast(&worker->desk->changed);
  pthread_mutex_unlock(&worker->desk->mutex);
}

void worker_finish(struct worker *worker) {
  pthread_mutex_lock(&worker->desk->mutex);
  while (worker->desk->step) pthread_cond_wait(&worker->desk->changed, &worker->desk->mutex);
  pthread_mutex_unlock(&worker->desk->mutex);
}

void worker_do(struct worker *worker, void (*step)(void *), void *arg) {
  worker_begin(worker, step, arg);
  worker_finish(worker);
}

void worker_do_meanwhile(struct worker *worker, void (*step)(void *), void *arg, const char *point, void (*act)(void *),
                         void *act_arg) {
  struct park *window = park_arm_thread(point, worker->thread);
  worker_begin(worker, step, arg);
  park_await(window);
  act(act_arg);
  park_release(window);
  worker_finish(worker);
}

void worker_leave(struct worker *worker) {
  worker_finish(worker);
  pthread_mutex_lock(&worker->desk->mutex);
  worker->desk->stop = true;
  pthread_cond_broadcast(&worker->desk->changed);
  pthread_mutex_unlock(&worker->desk->mutex);
}

void worker_stop(struct worker *worker) {
  worker_leave(worker);
  must(pthread_join(worker->thread, NULL) == 0);
  pthread_cond_destroy(&worker->desk->changed);
  pthread_mutex_destroy(&worker->desk->mutex);
  worker->desk->taken = false;
}
