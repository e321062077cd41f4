#include "execute_run.h"

#include <errno.h>
#include <string.h>

enum { RAGGED = 3 };

/* Every other range has bounds that are no multiples of a word; rounded inwards they are the same. */
const void *range_start(const struct run *run, size_t range) {
  const char *start = (const char *)(run->shadow->words + range * RANGE_WORDS);
  return range % 2 ? start - RAGGED : start;
}

size_t range_size(size_t range) { return RANGE_WORDS * sizeof(uintptr_t) + (range % 2 ? 2 * RAGGED : 0); }

/* Ranges that callbacks push; what a callback may read with the world stopped. */
static struct pushed {
  const void *start;
  size_t size;
} pushed[RANGES];

static void push_range(void *arg, vgc_root_push *push, void *sink) {
  const struct pushed *range = arg;
  push(sink, range->start, range->size / 2 & ~(size_t)7);
  push(sink, (const char *)range->start + (range->size / 2 & ~(size_t)7), range->size - (range->size / 2 & ~(size_t)7));
}

bool range_add(struct run *run, size_t range) {
  bool *added = &run->shadow->range_added[range];
  errno = 0;
  int result = vgc_root_add(range_start(run, range), range_size(range));
  int expected = *added ? -1 : 0;
  CHECK(run, result == expected && (!*added || errno == EEXIST),
        "vgc_root_add(range %zu) = %d, errno %s; expected %d%s", range, result, strerror(errno), expected,
        *added ? ", EEXIST" : "");
  *added = true;
  return expect_error(run, "vgc_root_add", 0);
}

bool range_remove(struct run *run, size_t range) {
  bool *added = &run->shadow->range_added[range];
  errno = 0;
  int result = vgc_root_remove(range_start(run, range), range_size(range));
  int expected = *added ? 0 : -1;
  CHECK(run, result == expected && (*added || errno == ENOENT),
        "vgc_root_remove(range %zu) = %d, errno %s; expected %d%s", range, result, strerror(errno), expected,
        *added ? "" : ", ENOENT");
  *added = false;
  shadow_settle(run->shadow);
  return expect_error(run, "vgc_root_remove", 0);
}

bool callback_add(struct run *run, size_t range) {
  bool *added = &run->shadow->callback_added[range];
  pushed[range] = (struct pushed){run->shadow->words + range * RANGE_WORDS, RANGE_WORDS * sizeof(uintptr_t)};
  errno = 0;
  int result = vgc_root_add_callback(push_range, &pushed[range]);
  int expected = *added ? -1 : 0;
  CHECK(run, result == expected && (!*added || errno == EEXIST),
        "vgc_root_add_callback(range %zu) = %d, errno %s; expected %d%s", range, result, strerror(errno), expected,
        *added ? ", EEXIST" : "");
  *added = true;
  return expect_error(run, "vgc_root_add_callback", 0);
}

bool callback_remove(struct run *run, size_t range) {
  bool *added = &run->shadow->callback_added[range];
  errno = 0;
  int result = vgc_root_remove_callback(push_range, &pushed[range]);
  int expected = *added ? 0 : -1;
  CHECK(run, result == expected && (*added || errno == ENOENT),
        "vgc_root_remove_callback(range %zu) = %d, errno %s; expected %d%s", range, result, strerror(errno), expected,
        *added ? "" : ", ENOENT");
  *added = false;
  shadow_settle(run->shadow);
  return expect_error(run, "vgc_root_remove_callback", 0);
}

/* ---- Exact pointers ---- */

bool exact_start(struct run *run) {
  int result = vgc_displacement_add(SHADOW_DISPLACEMENT);
  CHECK(run, result == 0, "vgc_displacement_add = %d, errno %d", result, errno);
  return true;
}

/* Never back: what an inexact word did not keep may be gone, and the word still names it. */
bool do_exact(struct run *run, uint32_t n) {
  size_t beyond = 65536 + n;
  vgc_exact_pointers(1);
  errno = 0;
  int result = vgc_displacement_add(beyond);
  CHECK(run, result == -1 && errno == EINVAL, "vgc_displacement_add(%zu) = %d, errno %d", beyond, result, errno);
  run->shadow->exact = true;
  shadow_settle(run->shadow);
  return expect_error(run, "vgc_exact_pointers", 0);
}
