#include "hash.h"

#include "atomic.h"
#include "platform.h"

#define SIZE_LEAST 256u
#define SIZE_MOST  ((size_t)1 << 32) /* a place holds a number of 32 bits */

static uintptr_t *entry_at(const struct hash *hash, size_t number) { return hash->entries + number * hash->words; }

static size_t home_of(const struct hash *hash, const uintptr_t *key) {
  uint64_t mixed = 0;
  for (unsigned i = 0; i < hash->keys; i++) mixed = (mixed + key[i]) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(mixed >> 32 ^ mixed >> 60) & (hash->size - 1);
}

static bool same_key(const struct hash *hash, const uintptr_t *a, const uintptr_t *b) {
  for (unsigned i = 0; i < hash->keys; i++)
    if (a[i] != b[i]) return false;
  return true;
}

/* The place of the key, or the free one where it would be. */
static size_t search(const struct hash *hash, const uintptr_t *key) {
  size_t at = home_of(hash, key);
  while (hash->places[at] && !same_key(hash, entry_at(hash, hash->places[at] - 1), key))
    at = (at + 1) & (hash->size - 1);
  return at;
}

/* ---- Memory: entries and places in one piece ---- */

static size_t entry_bytes(const struct hash *hash, size_t size) { return size / 2 * hash->words * sizeof(uintptr_t); }
static size_t all_bytes(const struct hash *hash, size_t size) {
  return (entry_bytes(hash, size) + size * sizeof(uint32_t) + 4095) & ~(size_t)4095;
}

/* Finds a place for each entry; all are free. */
static void place_all(struct hash *hash) {
  for (size_t i = 0; i < hash->count; i++) {
    size_t at = home_of(hash, entry_at(hash, i));
    while (hash->places[at]) at = (at + 1) & (hash->size - 1);
    hash->places[at] = (uint32_t)i + 1;
  }
}

static bool resize(struct hash *hash, size_t size) {
  struct hash other = *hash;
  if (size > SIZE_MOST || !(other.entries = platform_reserve(all_bytes(hash, size), 4096))) return false;
  other.size = size;
  other.found = 0;
  other.places = (uint32_t *)(void *)((char *)other.entries + entry_bytes(hash, size));
  if (hash->count) __builtin_memcpy(other.entries, hash->entries, hash->count * hash->words * sizeof(uintptr_t));
  place_all(&other);
  if (hash->entries) platform_release(hash->entries, all_bytes(hash, hash->size));
  *hash = other;
  return true;
}

void hash_clear(struct hash *hash) {
  if (hash->entries) platform_release(hash->entries, all_bytes(hash, hash->size));
  *hash = (struct hash){.words = hash->words, .keys = hash->keys};
}

size_t hash_bytes(const struct hash *hash) { return hash->size ? all_bytes(hash, hash->size) : 0; }

/* ---- Entries ---- */

void *hash_find(struct hash *hash, const uintptr_t *key) {
  if (!hash->count) return NULL;
  size_t at = search(hash, key);
  store_loose(&hash->found, at);
  uint32_t number = hash->places[at];
  return number ? entry_at(hash, number - 1) : NULL;
}

void *hash_add(struct hash *hash, const uintptr_t *key) {
  size_t at = hash->size ? search(hash, key) : 0;
  if (hash->size && hash->places[at]) return entry_at(hash, hash->places[at] - 1);
  if (hash->count * 2 >= hash->size) {
    if (!resize(hash, hash->size ? hash->size * 2 : SIZE_LEAST)) return NULL;
    at = search(hash, key);
  }
  uintptr_t *entry = entry_at(hash, hash->count);
  __builtin_memcpy(entry, key, hash->keys * sizeof *key);
  __builtin_memset(entry + hash->keys, 0, (hash->words - hash->keys) * sizeof *key);
  hash->places[at] = (uint32_t)++hash->count;
  return entry;
}

/* What follows moves up, so that no search ends at the gap before it. */
static void free_place(struct hash *hash, size_t gap) {
  size_t mask = hash->size - 1;
  for (size_t at = (gap + 1) & mask; hash->places[at]; at = (at + 1) & mask) {
    size_t home = home_of(hash, entry_at(hash, hash->places[at] - 1));
    if (((at - home) & mask) < ((at - gap) & mask)) continue; /* its search begins later */
    hash->places[gap] = hash->places[at];
    gap = at;
  }
  hash->places[gap] = 0;
}

static size_t place_of(const struct hash *hash, const uintptr_t *entry) {
  uint32_t number = (uint32_t)((size_t)(entry - hash->entries) / hash->words) + 1;
  size_t found = load_loose(&hash->found);
  return hash->places[found] == number ? found : search(hash, entry);
}

/* The last entry comes to lie where it was. */
void hash_take_out(struct hash *hash, void *entry) {
  uintptr_t *last = entry_at(hash, hash->count - 1);
  size_t gap = place_of(hash, entry);
  if (entry != last) {
    hash->places[search(hash, last)] = hash->places[gap];
    __builtin_memcpy(entry, last, hash->words * sizeof *last);
  }
  free_place(hash, gap);
  hash->count--;
}

/* Entries are moved together, and all places found anew, which of many that go costs much less than one by one. */
void hash_each(struct hash *hash, bool (*take_out)(void *entry, void *arg), void *arg) {
  size_t count = hash->count, kept = 0, size = hash->size;
  for (size_t i = 0; i < count; i++) {
    uintptr_t *entry = entry_at(hash, i);
    if (take_out(entry, arg)) continue;
    if (kept != i) __builtin_memcpy(entry_at(hash, kept), entry, hash->words * sizeof *entry);
    kept++;
  }
  hash->count = kept;
  while (size > SIZE_LEAST && kept * 8 < size) size /= 2;
  if ((size != hash->size && resize(hash, size)) || kept == count) return;
  __builtin_memset(hash->places, 0, hash->size * sizeof *hash->places);
  place_all(hash);
}
