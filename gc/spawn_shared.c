/* Only in libvgc.so. In the archive this function is libc's, because there the others may stand on it (spawn.c): a
 * result that is fetched with it remains a root until another thread gets the handle. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "spawn.h"
#include "thread.h"
#include "vgc.h"

typedef int clockjoin_function(pthread_t, void **, clockid_t, const struct timespec *);

static clockjoin_function *next_clockjoin(void) {
  clockjoin_function *next = NULL;
  void *found = dlsym(RTLD_NEXT, "pthread_clockjoin_np");
  if (!found) found = dlsym(RTLD_DEFAULT, "pthread_clockjoin_np");
  memcpy(&next, &found, sizeof next);
  return next;
}

VGC_API int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock, const struct timespec *deadline) {
  clockjoin_function *next = next_clockjoin();
  if (!next) return ENOSYS;
  SPAWN_JOIN(thread, result, next(thread, &value, clock, deadline));
}
