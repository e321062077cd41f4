#include "shadow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WORD = sizeof(uintptr_t), ALL_WORDS = 64 << 10, ENDS = 256, STRIDE = 128, QUICK = 8 };
/* A word of neither kind of scanned memory: the margin lets ranges be registered with ragged bounds. */
enum { MARGIN = 1 };

const struct shadow_layout shadow_layouts[LAYOUTS] = {
    {1, {1}},
    {2, {2}},
    {3, {5}},
    {8, {0}},
    {33, {(uint64_t)1 << 32 | 1}},
    {64, {(uint64_t)1 << 63 | 0xf0}},
    {100, {(uint64_t)1 << 63, (uint64_t)1 << 35 | 1}},
};

const struct shadow_own shadow_owns[OWNS] = {
    {.every_other = true},
    {.disclaims = true},
    {.disclaims = true, .keeps_once = true},
    {.disclaims = true, .reaches = true, .every_other = true},
    {.disclaims = true, .reaches = true, .keeps_once = true},
};

struct shadow *shadow_new(void) {
  struct shadow *shadow = calloc(1, sizeof *shadow);
  size_t size = (HANDLES + 2 * MARGIN) * WORD;
  /* Not in the data segment, nor on the stack: both are roots without being asked for. */
  uintptr_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uintptr_t *weak_words = mmap(NULL, WEAKS * WORD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!shadow || words == MAP_FAILED || weak_words == MAP_FAILED) return NULL;
  shadow->words = words + MARGIN;
  shadow->weak_words = weak_words;
  shadow_reset(shadow);
  return shadow;
}

void shadow_reset(struct shadow *shadow) {
  memset(shadow->words, 0, HANDLES * WORD);
  for (size_t i = 0; i < HANDLES; i++) shadow->handles[i] = OBJECT_NONE;
  memset(shadow->range_added, 0, sizeof shadow->range_added);
  memset(shadow->callback_added, 0, sizeof shadow->callback_added);
  memset(shadow->weak_words, 0, WEAKS * WORD);
  memset(shadow->weaks, 0, sizeof shadow->weaks);
  shadow->attached = shadow->exact = false;
  shadow->lost = NULL;
  shadow->count = 0;
  shadow->live_bytes = 0;
  shadow->dropped = shadow->collected = shadow->finalizable = 0;
}

void *shadow_address(const struct object *object) { return (void *)~object->hidden; }

uint32_t shadow_index(const struct shadow *shadow, const struct object *object) {
  return (uint32_t)(object - shadow->objects);
}

static size_t slot_bytes(size_t usable, enum kind kind) {
  return usable + (kind == KIND_TYPED || kind == KIND_OWN ? WORD : 0);
}

size_t shadow_slot(const struct object *object) { return slot_bytes(object->usable, object->kind); }

struct object *shadow_find(struct shadow *shadow, const void *address, enum state state) {
  for (uint32_t i = 0; i < shadow->count; i++) {
    struct object *object = &shadow->objects[i];
    if (object->state == state && (uintptr_t)address - ~object->hidden < shadow_slot(object)) return object;
  }
  return NULL;
}

bool shadow_has_anothers_place(const struct shadow *shadow, const struct object *object) {
  uintptr_t low = ~object->hidden, high = low + shadow_slot(object);
  for (const struct object *before = shadow->objects; before < object; before++)
    if (~before->hidden < high && ~before->hidden + shadow_slot(before) > low) return true;
  return false;
}

struct object *shadow_last_dropped(struct shadow *shadow, const void *address) {
  for (uint32_t i = shadow->count; i-- > 0;) {
    struct object *object = &shadow->objects[i];
    if (shadow_address(object) == address) return object->was_dropped ? object : NULL;
  }
  return NULL;
}

struct object *shadow_claim(struct shadow *shadow, const void *address, size_t usable, enum kind kind) {
  uintptr_t low = (uintptr_t)address, high = low + slot_bytes(usable, kind);
  for (uint32_t i = 0; i < shadow->count; i++) {
    struct object *object = &shadow->objects[i];
    if (object->state == STATE_GONE || ~object->hidden >= high || ~object->hidden + shadow_slot(object) <= low)
      continue;
    if (object->state == STATE_LIVE || shadow_is_kept(shadow, object)) return object;
    shadow_reclaimed(shadow, object);
  }
  return NULL;
}

struct object *shadow_add(struct shadow *shadow, const void *address, size_t size, size_t usable, enum kind kind,
                          uint32_t layout) {
  struct object *object = &shadow->objects[shadow->count++];
  *object = (struct object){.hidden = ~(uintptr_t)address,
                            .size = size,
                            .usable = usable,
                            .seed = (uint64_t)shadow->count * 0x9e3779b97f4a7c15,
                            .kind = kind,
                            .state = STATE_LIVE,
                            .layout = layout,
                            .key = OBJECT_NONE,
                            .value = OBJECT_NONE,
                            .finalizer.arg = OBJECT_NONE};
  shadow->live_bytes += usable;
  return object;
}

void shadow_leave(struct shadow *shadow, struct object *object, enum state state) {
  if (object->state == STATE_LIVE) shadow->live_bytes -= object->usable;
  object->state = state;
  object->was_dropped = state == STATE_DROPPED;
  for (size_t i = 0; i < HANDLES; i++) {
    /* The word keeps its stale pointer, as a careless program's would. */
    if (shadow->handles[i] == shadow_index(shadow, object)) shadow->handles[i] = OBJECT_NONE;
  }
}

/* What stood in a freed object is no link any more. */
static void forget_links_in(struct shadow *shadow, uint32_t holder) {
  for (size_t i = 0; i < WEAKS; i++) {
    if (shadow->weaks[i].used && shadow->weaks[i].holder == holder) shadow->weaks[i].used = false;
  }
}

void shadow_gone(struct shadow *shadow, struct object *object) {
  shadow_leave(shadow, object, STATE_GONE);
  object->finalizer.set = false;
  forget_links_in(shadow, shadow_index(shadow, object));
}

void shadow_left(struct shadow *shadow, struct object *object) {
  if (object->state == STATE_LIVE) shadow->dropped++;
  shadow_leave(shadow, object, STATE_DROPPED);
  object->finalizer.set = false;
  object->freed = true;
  forget_links_in(shadow, shadow_index(shadow, object));
}

void shadow_reclaimed(struct shadow *shadow, struct object *object) {
  object->state = STATE_GONE;
  object->reclaimed = !object->freed;
  shadow->collected++;
}

struct object *shadow_handle(struct shadow *shadow, uint8_t handle) {
  uint32_t index = shadow->handles[handle];
  return index == OBJECT_NONE ? NULL : &shadow->objects[index];
}

void shadow_set_handle(struct shadow *shadow, uint8_t handle, const struct object *object, size_t offset) {
  shadow->words[handle] = object ? ~object->hidden + offset : 0;
  shadow->handles[handle] = object ? shadow_index(shadow, object) : OBJECT_NONE;
}

/* ---- Contents ---- */

static uint64_t data_word(const struct object *object, size_t word) {
  uint64_t x = (object->seed + word) * 0xbf58476d1ce4e5b9;
  return (x ^ x >> 29) | (uint64_t)1 << 63;
}

static bool sampled(size_t word, size_t words, bool thorough) {
  if (!thorough) return word < QUICK || word + QUICK >= words;
  return words <= ALL_WORDS / WORD || word < ENDS || word + ENDS >= words || word % STRIDE == 0;
}

/* The next word to look at, so that a big object's middle is skipped and not walked. */
static size_t next_sampled(size_t word, size_t words, bool thorough) {
  if (!thorough && word >= QUICK && word + QUICK < words) return words - QUICK;
  while (word < words && !sampled(word, words, thorough)) word++;
  return word;
}

static const struct link *link_at(const struct object *object, size_t word) {
  for (uint32_t k = 0; k < object->link_count; k++) {
    if (object->links[k].word == word) return &object->links[k];
  }
  return NULL;
}

static struct link *find_link(struct object *object, size_t word) {
  const struct link *link = link_at(object, word);
  return link ? &object->links[link - object->links] : NULL;
}

/* Bytes of the last, partial word that lie inside [0, size). */
static size_t word_bytes(size_t word, size_t size) { return size - word * WORD < WORD ? size - word * WORD : WORD; }

void shadow_fill(struct object *object, size_t from) {
  char *base = shadow_address(object);
  size_t words = (object->size + WORD - 1) / WORD;
  for (size_t w = next_sampled(from / WORD, words, true); w < words; w = next_sampled(w + 1, words, true)) {
    if (link_at(object, w)) continue;
    uint64_t data = data_word(object, w);
    size_t skip = w * WORD < from ? from - w * WORD : 0;
    memcpy(base + w * WORD + skip, (const char *)&data + skip, word_bytes(w, object->size) - skip);
  }
}

bool shadow_intact(const struct object *object, size_t size, bool thorough, size_t *word) {
  const char *base = shadow_address(object);
  size_t words = (size + WORD - 1) / WORD;
  for (uint32_t k = 0; k < object->link_count; k++) {
    uintptr_t value = ~object->links[k].hidden;
    *word = object->links[k].word;
    if (object->links[k].target != OBJECT_NONE && (*word + 1) * WORD <= size &&
        memcmp(base + *word * WORD, &value, WORD) != 0)
      return false;
  }
  for (size_t w = next_sampled(0, words, thorough); w < words; w = next_sampled(w + 1, words, thorough)) {
    /* What a big object's smaller copy samples was perhaps never written. */
    if (thorough && !sampled(w, (object->size + WORD - 1) / WORD, true)) continue;
    if (link_at(object, w)) continue;
    uint64_t data = data_word(object, w);
    *word = w;
    if (memcmp(base + w * WORD, &data, word_bytes(w, size)) != 0) return false;
  }
  return true;
}

bool shadow_zero(const void *from, size_t size, size_t *at) {
  const char *bytes = from;
  if (size == 0) return true;
  *at = 0;
  if (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0) return true;
  while (bytes[*at] == 0) ++*at;
  return false;
}

bool shadow_link(struct shadow *shadow, struct object *object, size_t word, const struct object *target,
                 size_t offset) {
  uintptr_t value = ~target->hidden + offset;
  struct link *link = find_link(object, word);
  if (!link && object->link_count == OBJECT_LINKS) return false;
  if (!link) link = &object->links[object->link_count++];
  *link = (struct link){.word = word, .hidden = ~value, .target = shadow_index(shadow, target)};
  memcpy((char *)shadow_address(object) + word * WORD, &value, WORD);
  return true;
}

bool shadow_unchecked(struct object *object, size_t word) {
  struct link *link = find_link(object, word);
  if (!link && object->link_count == OBJECT_LINKS) return false;
  if (!link) link = &object->links[object->link_count++];
  *link = (struct link){.word = word, .target = OBJECT_NONE};
  return true;
}

struct weak *shadow_weak_at(struct shadow *shadow, const struct object *holder, size_t word) {
  for (size_t i = 0; i < WEAKS; i++) {
    struct weak *weak = &shadow->weaks[i];
    if (weak->used && weak->holder == shadow_index(shadow, holder) && weak->word == word) return weak;
  }
  return NULL;
}

void shadow_unlink(struct object *object, size_t word) {
  uint64_t data = data_word(object, word);
  for (uint32_t k = 0; k < object->link_count; k++) {
    if (object->links[k].word == word) object->links[k] = object->links[--object->link_count];
  }
  memcpy((char *)shadow_address(object) + word * WORD, &data, WORD);
}

void shadow_cut_links(struct object *object) {
  for (uint32_t k = 0; k < object->link_count;) {
    if ((object->links[k].word + 1) * WORD <= object->size) {
      k++;
    } else {
      object->links[k] = object->links[--object->link_count];
    }
  }
}
