/* C11's threads and thread-specific storage, over the POSIX ones. */
#include <errno.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>

#include "process.h"

int interleave_wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int interleave_wrap_pthread_join(pthread_t, void **);
int interleave_wrap_pthread_detach(pthread_t);
_Noreturn void interleave_wrap_pthread_exit(void *);
int interleave_wrap_pthread_key_create(pthread_key_t *, void (*)(void *));
int interleave_wrap_pthread_key_delete(pthread_key_t);

static int as_thrd(int rc) { return rc == 0 ? thrd_success : rc == ENOMEM || rc == EAGAIN ? thrd_nomem : thrd_error; }

int interleave_wrap_thrd_create(thrd_t *thread, thrd_start_t start, void *argument) {
  /* As in glibc: an int is returned in the register of a pointer. */
  void *(*body)(void *) = (void *(*)(void *))(void (*)(void))start;
  return as_thrd(interleave_wrap_pthread_create(thread, NULL, body, argument));
}

int interleave_wrap_thrd_join(thrd_t thread, int *result) {
  void *pointer;
  int rc = interleave_wrap_pthread_join(thread, &pointer);
  if (rc == 0 && result) {
    shadow_write_range((uintptr_t)result, sizeof *result, __builtin_return_address(0));
    *result = (int)(intptr_t)pointer;
  }
  return as_thrd(rc);
}

int interleave_wrap_thrd_detach(thrd_t thread) { return as_thrd(interleave_wrap_pthread_detach(thread)); }

_Noreturn void interleave_wrap_thrd_exit(int result) { interleave_wrap_pthread_exit((void *)(intptr_t)result); }

int interleave_wrap_tss_create(tss_t *key, tss_dtor_t destructor) {
  return as_thrd(interleave_wrap_pthread_key_create(key, destructor));
}

void interleave_wrap_tss_delete(tss_t key) { interleave_wrap_pthread_key_delete(key); }

/* ---- Threads that libc would make ---- */

int interleave_wrap_mq_notify(mqd_t queue, const struct sigevent *event) {
  (void)event;
  fail(INTERLEAVE_UNSUPPORTED, "mq_notify(%d) was called: libc would start a thread for it", (int)queue);
}
