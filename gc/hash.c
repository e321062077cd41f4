#include "hash.h"

#include "platform.h"

static uintptr_t *place(const struct hash *hash, size_t at) { return hash->places + at * hash->words; }

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

/* Where the key is, or the free place where it would be. */
static size_t search(const struct hash *hash, const uintptr_t *key) {
  size_t at = home_of(hash, key);
  while (*place(hash, at) && !same_key(hash, place(hash, at), key)) at = (at + 1) & (hash->size - 1);
  return at;
}

static size_t bytes_of(const struct hash *hash) { return hash->size * hash->words * sizeof(uintptr_t); }

static bool grow(struct hash *hash) {
  struct hash larger = *hash;
  larger.size = hash->size ? hash->size * 2 : 256;
  larger.places = platform_reserve(bytes_of(&larger), 4096);
  if (!larger.places) return false;
  for (size_t i = 0; i < hash->size; i++) {
    const uintptr_t *entry = place(hash, i);
    if (*entry) __builtin_memcpy(place(&larger, search(&larger, entry)), entry, hash->words * sizeof *entry);
  }
  if (hash->places) platform_release(hash->places, bytes_of(hash));
  *hash = larger;
  return true;
}

void *hash_find(const struct hash *hash, const uintptr_t *key) {
  if (!hash->size) return NULL;
  uintptr_t *entry = place(hash, search(hash, key));
  return *entry ? entry : NULL;
}

void *hash_add(struct hash *hash, const uintptr_t *key) {
  uintptr_t *entry = hash_find(hash, key);
  if (entry) return entry;
  if (hash->count * 2 >= hash->size && !grow(hash)) return NULL;
  entry = place(hash, search(hash, key));
  __builtin_memcpy(entry, key, hash->keys * sizeof *key);
  hash->count++;
  return entry;
}

/* What follows moves up, so that no search ends at the gap before it. */
void hash_take_out(struct hash *hash, void *entry) {
  size_t mask = hash->size - 1, gap = (size_t)((uintptr_t *)entry - hash->places) / hash->words;
  for (size_t at = (gap + 1) & mask; *place(hash, at); at = (at + 1) & mask) {
    if (((at - home_of(hash, place(hash, at))) & mask) < ((at - gap) & mask)) continue; /* its search begins later */
    __builtin_memcpy(place(hash, gap), place(hash, at), hash->words * sizeof(uintptr_t));
    gap = at;
  }
  __builtin_memset(place(hash, gap), 0, hash->words * sizeof(uintptr_t));
  hash->count--;
}

void hash_clear(struct hash *hash) {
  if (hash->places) platform_release(hash->places, bytes_of(hash));
  *hash = (struct hash){.words = hash->words, .keys = hash->keys};
}

size_t hash_bytes(const struct hash *hash) { return bytes_of(hash); }

/* From behind an empty place on, so that what moves up into a gap comes from where nobody has been yet. */
void hash_each(struct hash *hash, bool (*take_out)(void *entry, void *arg), void *arg) {
  if (!hash->count) return;
  size_t start = 0;
  while (*place(hash, start)) start++;
  for (size_t i = 1; i < hash->size;) {
    uintptr_t *entry = place(hash, (start + i) & (hash->size - 1));
    if (*entry && take_out(entry, arg))
      hash_take_out(hash, entry);
    else
      i++;
  }
}
