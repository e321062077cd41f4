/* Planted: a read one byte past a heap block. */
#include <stdlib.h>

int main(void) {
  volatile char *block = malloc(24);
  if (!block) return 2;
  volatile size_t past = 24;
  char byte = block[past];
  free((void *)block);
  return byte == 1 ? 2 : 0;
}
