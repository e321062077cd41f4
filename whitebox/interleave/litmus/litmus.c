#include "litmus.h"
#include <pthread.h>

_Atomic int x, y, z;
int d;
int r[6];

void final_x(void) { r[0] = load(x, rlx); }
void final_y(void) { r[0] = load(y, rlx); }
void final_xy(void) {
  r[0] = load(x, rlx);
  r[1] = load(y, rlx);
}
void then_x(void) { r[1] = load(x, rlx); }
void then_y(void) { r[1] = load(y, rlx); }
void third_x(void) { r[2] = load(x, rlx); }
void third_y(void) { r[2] = load(y, rlx); }

static void *start(void *thread) {
  (*(litmus_thread *const *)thread)();
  return NULL;
}

void litmus_run(unsigned registers, litmus_thread *finally, litmus_thread *const threads[]) {
  pthread_t started[4];
  unsigned count = 0;
  for (; threads[count + 1] != NULL; count++)
    if (pthread_create(&started[count], NULL, start, (void *)&threads[count]) != 0) interleave_fail("pthread_create");
  threads[count]();
  for (unsigned i = 0; i < count; i++) pthread_join(started[i], NULL);
  if (finally != NULL) finally();
  switch (registers) {
  case 0:
    break;
  case 1:
    interleave_outcome("%d", r[0]);
    break;
  case 2:
    interleave_outcome("%d %d", r[0], r[1]);
    break;
  case 3:
    interleave_outcome("%d %d %d", r[0], r[1], r[2]);
    break;
  case 4:
    interleave_outcome("%d %d %d %d", r[0], r[1], r[2], r[3]);
    break;
  default:
    interleave_fail("a litmus test tells at most 4 registers, not %u", registers);
  }
}
