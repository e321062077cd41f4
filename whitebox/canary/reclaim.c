/* Planted: an object that the collector took is read. */
#include <stdint.h>

#include "vgc.h"

enum { OBJECTS = 1000 };

static uintptr_t hidden[OBJECTS];

/* Inverted addresses keep nothing alive. A few objects may live on through stale words; not all. */
static __attribute__((noinline)) int drop_objects(void) {
  for (int i = 0; i < OBJECTS; i++) {
    void *object = vgc_malloc(64);
    if (!object) return -1;
    hidden[i] = ~(uintptr_t)object;
  }
  return 0;
}

int main(void) {
  if (drop_objects() || vgc_collect()) return 2;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  if (vgc_get_stats(&stats) || stats.objects_swept == 0) return 2;
  int sum = 0;
  for (int i = 0; i < OBJECTS; i++) sum += *(volatile char *)~hidden[i];
  return sum ? 2 : 0;
}
