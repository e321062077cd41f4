/* Planted: a block of malloc's that nothing points to at the end. */
#include <stdlib.h>

static __attribute__((noinline)) int lose(void) {
  volatile char *block = malloc(4321);
  if (!block) return 2;
  block[0] = 1;
  block = NULL;
  return 0;
}

/* Takes the place of the frame in which the pointer stood. */
static __attribute__((noinline)) int overwrite_stack(void) {
  volatile char fill[4096];
  for (int i = 0; i < 4096; i++) fill[i] = 0;
  return fill[17];
}

int main(void) { return lose() + overwrite_stack(); }
