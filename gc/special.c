#include "special.h"

#include "atomic.h"
#include "bitmap.h"
#include "hash.h"
#include "lock.h"
#include "span.h"

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_SPECIAL, 0);

/* Of the objects that begin in so many bytes: a bit for each place where one may. An object with no bit has nothing
 * attached but perhaps a finalizer; of one with a bit, the links may be gone by now. */
#define SPECIAL_BYTES (64 * sizeof(uint64_t))
struct special {
  uintptr_t hidden; /* the first of the bytes */
  uint64_t named;   /* by a link */
  uint64_t holding; /* a link stands in it; an ephemeron is one */
  uint64_t freed;   /* by the program: only the collector may reuse it */
};

#define WORDS(type) (sizeof(type) / sizeof(uintptr_t))
/* The lock. */
static struct hash finalizers COLLECTOR_DATA = {.words = WORDS(struct finalizer), .keys = 1};
static struct hash specials COLLECTOR_DATA = {.words = WORDS(struct special), .keys = 1};
static size_t freed COLLECTOR_DATA;      /* objects that are, and left */
static bool any_links[2] COLLECTOR_DATA; /* by kind */
static struct hash links COLLECTOR_DATA = {.words = WORDS(struct link), .keys = 1};
static struct hash ephemerons COLLECTOR_DATA = {.words = WORDS(struct ephemeron), .keys = 1};
/* The lock: those from first to last are due, oldest first. There is room for every finalizer. */
static struct {
  struct due *entries;
  size_t first, last, room;
} queue COLLECTOR_DATA;
_Atomic size_t special_dues COLLECTOR_DATA; /* last - first; written with the lock */

/* A table of fewer entries grows as it likes. */
#define CROWD 8192u
/* The lock: entries that the last cycle left. */
static size_t kept_finalizers COLLECTOR_DATA, kept_links COLLECTOR_DATA;
_Atomic bool special_crowded COLLECTOR_DATA;

/* A table that is about to double, half of it new since the last cycle: another may find most of that dead. The eighth
 * of room that is left is for what comes before it. */
static void note_crowd(const struct hash *hash, size_t kept) {
  if (hash->count >= CROWD && hash->count == hash->size / 16 * 7 && kept <= hash->count / 2)
    store_relaxed(&special_crowded, true);
}

void special_lock(void) { lock_acquire(&lock); }
void special_unlock(void) { lock_release(&lock); }

/* ---- Objects ---- */

static uintptr_t hidden(const void *object) { return ~(uintptr_t)object; }

static uint64_t bit_of(const void *object) {
  return UINT64_C(1) << (uintptr_t)object % SPECIAL_BYTES / (SPECIAL_BYTES / 64);
}

static uintptr_t key_of(const void *object) { return hidden(object) | (SPECIAL_BYTES - 1); }

static struct special *find(const void *object) {
  uintptr_t key = key_of(object);
  return hash_find(&specials, &key);
}

bool special_is_freed(const void *object) {
  const struct special *special = freed ? find(object) : NULL;
  return special && special->freed & bit_of(object);
}

static bool make_room(size_t needed) {
  size_t used = queue.last - queue.first;
  if (queue.room - used >= needed) return true;
  size_t room = queue.room ? queue.room * 2 : 256;
  struct due *entries = platform_reserve(room * sizeof *entries, 4096);
  if (!entries) return false;
  if (used) __builtin_memcpy(entries, queue.entries + queue.first, used * sizeof *entries);
  if (queue.entries) platform_release(queue.entries, queue.room * sizeof *entries);
  queue.entries = entries;
  queue.first = 0;
  queue.last = used;
  queue.room = room;
  return true;
}

/* Relaxed: who may free the object has learnt of it from whoever may call this. */
static void divert_frees(const void *object) { store_loose(&span_of((uintptr_t)object)->starts, 0); }

struct finalizer *special_finalizer(const void *object) {
  uintptr_t key = hidden(object);
  return hash_find(&finalizers, &key);
}

struct finalizer *special_finalizer_add(const void *object) {
  if (!make_room(finalizers.count + 1)) return NULL;
  uintptr_t key = hidden(object);
  size_t before = finalizers.count;
  struct finalizer *finalizer = hash_add(&finalizers, &key);
  if (!finalizer) return NULL;
  divert_frees(object);
  if (finalizers.count != before) note_crowd(&finalizers, kept_finalizers);
  return finalizer;
}

void special_finalizer_take_out(struct finalizer *finalizer) { hash_take_out(&finalizers, finalizer); }

/* As find, made if need be. NULL: no memory. */
static struct special *add(const void *object) {
  uintptr_t key = key_of(object);
  struct special *special = hash_add(&specials, &key);
  if (special) divert_frees(object);
  return special;
}

/* ---- Links ---- */

struct link *special_link_find(void **place, enum vgc_weak kind) {
  uintptr_t key = (uintptr_t)place | kind;
  return any_links[kind] ? hash_find(&links, &key) : NULL;
}

/* Notes what a link, or an ephemeron, has to do with objects. What is noted in vain does no harm. */
static bool note(const void *in, const void *named) {
  struct special *special = add(named);
  if (special) special->named |= bit_of(named);
  if (!special || !in) return special;
  special = add(in);
  if (special) special->holding |= bit_of(in);
  return special;
}

bool special_link_add(void **place, const void *in, const void *object, enum vgc_weak kind) {
  uintptr_t key = (uintptr_t)place | kind;
  struct link *link = note(in, object) ? hash_add(&links, &key) : NULL;
  if (!link) return false;
  link->hidden = hidden(object);
  note_crowd(&links, kept_links);
  return any_links[kind] = true;
}

bool special_link_name(struct link *link, const void *object) {
  if (!note(NULL, object)) return false;
  link->hidden = hidden(object);
  return true;
}

void special_link_take_out(struct link *link) { hash_take_out(&links, link); }

bool special_ephemeron_add(struct vgc_ephemeron *ephemeron, void *key, void *value) {
  uintptr_t hash_key = hidden(ephemeron);
  if (!note(ephemeron, key) || !hash_add(&ephemerons, &hash_key)) return false;
  store_relaxed(&ephemeron->value, value);
  store_relaxed(&ephemeron->key, key);
  return true;
}

/* ---- For the cycle ---- */

void special_each_finalizer(bool (*take_out)(void *finalizer, void *arg), void *arg) {
  hash_each(&finalizers, take_out, arg);
}

static bool forget(void *entry, void *is_dead) {
  struct special *special = entry;
  uint64_t kept = 0;
  for (uint64_t left = special->named | special->holding | special->freed; left; left &= left - 1) {
    const void *object = (const void *)(~special->hidden + bitmap_first(left) * (SPECIAL_BYTES / 64));
    if (!(*(bool (**)(const void *))is_dead)(object)) kept |= left & -left;
  }
  freed -= bitmap_count(special->freed & ~kept);
  special->named &= kept;
  special->holding &= kept;
  special->freed &= kept;
  return !kept;
}

void special_forget_dead(bool (*is_dead)(const void *object)) {
  hash_each(&specials, forget, &is_dead);
  kept_finalizers = finalizers.count;
  kept_links = links.count;
  store_relaxed(&special_crowded, false);
}

bool special_any_links(enum vgc_weak kind) { return any_links[kind]; }

void special_each_link(bool (*take_out)(void *link, void *arg), void *arg) { hash_each(&links, take_out, arg); }

void special_each_ephemeron(bool (*take_out)(void *ephemeron, void *arg), void *arg) {
  hash_each(&ephemerons, take_out, arg);
}

const struct ephemeron *special_ephemerons(size_t *count) {
  *count = ephemerons.count;
  return (const struct ephemeron *)ephemerons.entries;
}

const struct ephemeron *special_ephemeron_find(const void *object) {
  uintptr_t key = hidden(object);
  return hash_find(&ephemerons, &key);
}

void special_make_due(struct due due) {
  if (queue.last == queue.room) {
    __builtin_memmove(queue.entries, queue.entries + queue.first, (queue.last - queue.first) * sizeof due);
    queue.last -= queue.first;
    queue.first = 0;
  }
  queue.entries[queue.last++] = due;
  store_relaxed(&special_dues, queue.last - queue.first);
}

const struct due *special_due_last(size_t count) { return count ? &queue.entries[queue.last - count] : NULL; }

void special_roots(void (*range)(void *context, uintptr_t low, uintptr_t high), void *context) {
  uintptr_t low = (uintptr_t)finalizers.entries;
  range(context, low, low + finalizers.count * sizeof(struct finalizer));
  if (!queue.entries) return;
  range(context, (uintptr_t)(queue.entries + queue.first), (uintptr_t)(queue.entries + queue.last));
}

/* ---- For the program ---- */

bool special_take_due(struct due *due) {
  lock_acquire(&lock);
  bool any = queue.first < queue.last;
  if (any) {
    *due = queue.entries[queue.first++];
    store_relaxed(&special_dues, queue.last - queue.first);
  }
  lock_release(&lock);
  return any;
}

struct place_range {
  uintptr_t low;
  size_t bytes;
};

static bool stands_in(void *entry, void *arg) {
  const struct place_range *range = arg;
  return (uintptr_t)link_place(entry) - range->low < range->bytes;
}

static void take_out_of(const void *object, size_t bytes) {
  uintptr_t key = hidden(object);
  struct ephemeron *ephemeron = hash_find(&ephemerons, &key);
  if (ephemeron) hash_take_out(&ephemerons, ephemeron);
  if (links.count < bytes / sizeof(void *)) {
    hash_each(&links, stands_in, &(struct place_range){(uintptr_t)object, bytes});
    return;
  }
  for (size_t at = 0; at + sizeof(void *) <= bytes; at += sizeof(void *)) {
    for (unsigned kind = VGC_WEAK_SHORT; kind <= VGC_WEAK_LONG; kind++) {
      struct link *link = special_link_find((void **)(void *)((char *)(uintptr_t)object + at), (enum vgc_weak)kind);
      if (link) special_link_take_out(link);
    }
  }
}

/* The program frees an object about which something is noted. */
static enum special_freed free_noted(struct special *special, const void *object, size_t bytes) {
  uint64_t bit = bit_of(object);
  if (special->freed & bit) return SPECIAL_AGAIN;
  if (special->holding & bit) take_out_of(object, bytes);
  special->holding &= ~bit;
  if (!(special->named & bit)) return SPECIAL_FREE;
  special->freed |= bit;
  freed++;
  return SPECIAL_LEFT;
}

enum special_freed special_free(void *object, size_t bytes) {
  lock_acquire(&lock);
  struct finalizer *finalizer = special_finalizer(object);
  if (finalizer) special_finalizer_take_out(finalizer);
  struct special *special = find(object);
  enum special_freed result = special ? free_noted(special, object, bytes) : SPECIAL_FREE;
  lock_release(&lock);
  return result;
}

void special_reset(void) {
  hash_clear(&finalizers);
  hash_clear(&specials);
  hash_clear(&links);
  hash_clear(&ephemerons);
  kept_finalizers = kept_links = 0;
  store_relaxed(&special_crowded, false);
  freed = 0;
  any_links[VGC_WEAK_SHORT] = any_links[VGC_WEAK_LONG] = false;
  if (queue.entries) platform_release(queue.entries, queue.room * sizeof *queue.entries);
  queue.entries = NULL;
  queue.first = queue.last = queue.room = 0;
  store_relaxed(&special_dues, 0);
}

size_t special_bytes(void) {
  lock_acquire(&lock);
  size_t bytes = hash_bytes(&finalizers) + hash_bytes(&specials) + hash_bytes(&links) + hash_bytes(&ephemerons);
  bytes += queue.room * sizeof *queue.entries;
  lock_release(&lock);
  return bytes;
}
