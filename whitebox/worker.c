#include "worker.h"

#include "park.h"
#include "test.h"

static void *worker_main(void *arg) {
  struct worker *worker = arg;
  pthread_mutex_lock(&worker->mutex);
  while (!worker->stop) {
    void (*step)(void *) = worker->step;
    if (!step) {
      pthread_cond_wait(&worker->changed, &worker->mutex);
      continue;
    }
    void *step_arg = worker->arg;
    pthread_mutex_unlock(&worker->mutex);
    step(step_arg);
    pthread_mutex_lock(&worker->mutex);
    worker->step = NULL;
    worker->arg = NULL;
    pthread_cond_broadcast(&worker->changed);
  }
  pthread_mutex_unlock(&worker->mutex);
  return NULL;
}

void worker_start(struct worker *worker) {
  must(pthread_mutex_init(&worker->mutex, NULL) == 0);
  must(pthread_cond_init(&worker->changed, NULL) == 0);
  worker->step = NULL;
  worker->arg = NULL;
  worker->stop = false;
  must(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
}

void worker_begin(struct worker *worker, void (*step)(void *), void *arg) {
  pthread_mutex_lock(&worker->mutex);
  must(!worker->step);
  worker->step = step;
  worker->arg = arg;
  pthread_cond_broadcast(&worker->changed);
  pthread_mutex_unlock(&worker->mutex);
}

void worker_finish(struct worker *worker) {
  pthread_mutex_lock(&worker->mutex);
  while (worker->step) pthread_cond_wait(&worker->changed, &worker->mutex);
  pthread_mutex_unlock(&worker->mutex);
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
  pthread_mutex_lock(&worker->mutex);
  worker->stop = true;
  pthread_cond_broadcast(&worker->changed);
  pthread_mutex_unlock(&worker->mutex);
}

void worker_stop(struct worker *worker) {
  worker_leave(worker);
  must(pthread_join(worker->thread, NULL) == 0);
  pthread_cond_destroy(&worker->changed);
  pthread_mutex_destroy(&worker->mutex);
}
