/* Hash tables of words, in memory of the system's own: the collector scans none of it unless the owner gives it as a
 * root. The entries lie side by side, so that all of them are walked at the cost of those that there are; places, by
 * open addressing with linear probing, at most half full (Knuth 6.4, algorithms L and R), tell where an entry is. Not
 * thread-safe: the owner locks. */
#ifndef VGC_HASH_H
#define VGC_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An entry is `words` words, the first `keys` of them its key, of which the first is not 0. Zero but for these two: an
 * empty table. */
struct hash {
  unsigned words, keys;
  size_t count, size; /* entries held; places, a power of two, or 0; there is room for half as many entries */
  uintptr_t *entries;
  uint32_t *places; /* of an entry, its number + 1; 0: free */
  size_t found;     /* a place that was found last, or any; loose: several markers may look at a time */
};

/* The entry with that key, or NULL. Valid until the next hash_add, hash_take_out or hash_each. */
void *hash_find(struct hash *, const uintptr_t *key);
/* The same, made if need be, all zero but the key. NULL: no memory, and nothing has changed. */
void *hash_add(struct hash *, const uintptr_t *key);
/* Takes the entry out. Another may stand in its place then. */
void hash_take_out(struct hash *, void *entry);
void hash_clear(struct hash *);
/* What it takes from the system. */
size_t hash_bytes(const struct hash *);
/* Shows every entry once, in the order in which they were added as long as none is taken out one by one; it is taken
 * out if true is returned. The callee may change all but the key, and not use the table. Gives memory back that few
 * entries are left in. */
void hash_each(struct hash *, bool (*take_out)(void *entry, void *arg), void *arg);

#endif
