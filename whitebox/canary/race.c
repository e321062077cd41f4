/* Planted: two threads write a plain variable. */
#include <pthread.h>

static int shared;

static void *write_shared(void *arg) {
  (void)arg;
  for (int i = 0; i < 1000; i++) shared += i;
  return NULL;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, write_shared, NULL)) return 2;
  write_shared(NULL);
  return pthread_join(thread, NULL) ? 2 : 0;
}
