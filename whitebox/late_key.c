#include "late_key.h"

enum { EARLIER = 32 };

pthread_key_t late_key_make(void (*destructor)(void *)) {
  pthread_key_t keys[EARLIER + 1];
  unsigned count = 0;
  do must(pthread_key_create(&keys[count], destructor) == 0);
  while (keys[count++] < EARLIER);
  pthread_key_t late = keys[--count];
  while (count) pthread_key_delete(keys[--count]);
  return late;
}
