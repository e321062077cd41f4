/* Planted: signed overflow. */
#include <limits.h>

int main(void) {
  volatile int most = INT_MAX;
  int sum = most + 1;
  return sum == 0 ? 2 : 0;
}
