#include "exclude.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct range {
  uintptr_t start;
  size_t size;
};

/* By start, then by size. */
static struct {
  struct range *ranges;
  size_t count, room;
} excluded COLLECTOR_DATA;

static size_t bytes_of(size_t room) { return room * sizeof(struct range); }

static bool before(const struct range *a, const struct range *b) {
  return a->start != b->start ? a->start < b->start : a->size < b->size;
}

/* Where the range is, or would be. */
static size_t place_of(const struct range *range) {
  size_t low = 0, high = excluded.count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (before(&excluded.ranges[middle], range))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool is_at(size_t place, const struct range *range) {
  return place < excluded.count && !before(range, &excluded.ranges[place]);
}

static bool grow(void) {
  size_t room = excluded.room ? 2 * excluded.room : 4096 / sizeof(struct range);
  struct range *ranges = platform_reserve(bytes_of(room), 4096);
  if (!ranges) return false;
  if (excluded.count) memcpy(ranges, excluded.ranges, bytes_of(excluded.count));
  if (excluded.room) platform_release(excluded.ranges, bytes_of(excluded.room));
  excluded.ranges = ranges;
  excluded.room = room;
  return true;
}

int exclude_add(const void *start, size_t size) {
  struct range range = {(uintptr_t)start, size};
  if (!start || size > UINTPTR_MAX - range.start) return EINVAL;
  size_t place = place_of(&range);
  if (is_at(place, &range)) return EEXIST;
  if (excluded.count == excluded.room && !grow()) return ENOMEM;
  memmove(&excluded.ranges[place + 1], &excluded.ranges[place], bytes_of(excluded.count - place));
  excluded.ranges[place] = range;
  excluded.count++;
  return 0;
}

int exclude_remove(const void *start, size_t size) {
  struct range range = {(uintptr_t)start, size};
  size_t place = place_of(&range);
  if (!is_at(place, &range)) return ENOENT;
  excluded.count--;
  memmove(&excluded.ranges[place], &excluded.ranges[place + 1], bytes_of(excluded.count - place));
  return 0;
}

void exclude_cut(uintptr_t low, uintptr_t high, platform_range *range, void *context) {
  const uintptr_t rest = sizeof(uintptr_t) - 1;
  for (size_t i = 0; i < excluded.count && excluded.ranges[i].start < high; i++) {
    const struct range *hole = &excluded.ranges[i];
    uintptr_t from = (hole->start + rest) & ~rest, to = (hole->start + hole->size) & ~rest;
    if (from >= to || to <= low) continue;
    if (from > low) range(context, low, from);
    low = to;
  }
  if (low < high) range(context, low, high);
}

void exclude_clear(void) {
  if (excluded.room) platform_release(excluded.ranges, bytes_of(excluded.room));
  excluded.ranges = NULL;
  excluded.count = excluded.room = 0;
}

size_t exclude_bytes(void) { return bytes_of(excluded.room); }
