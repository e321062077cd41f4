#include "random.h"

#include <stddef.h>

/* Sizes around the bounds of classes spaced at eighths of powers of two, as thread-cached allocators have them. */
static uint64_t near_class(struct random *random) {
  uint64_t unit = UINT64_C(1) << (random_below(random, 10) + 3);
  uint64_t size = unit * (8 + random_below(random, 8)) / 8 + random_below(random, 3);
  return size > 1 ? size - 1 : 1;
}

uint64_t random_size(struct random *random) {
  uint64_t dice = random_below(random, 1000);
  if (dice < 550) return 1 + random_below(random, 256);
  if (dice < 750) return near_class(random);
  if (dice < 930) return 257 + random_below(random, 2048 - 256);
  if (dice < 985) return 2049 + random_below(random, 32768 - 2048);
  if (dice < 998) return 32769 + random_below(random, 262144 - 32768);
  return 262145 + random_below(random, 786432);
}
