#include "layout.h"

#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "special.h"

/* Chunks double, so that the directory cannot fill: chunk c holds 64 << c layouts. */
#define FIRST_CHUNK 64u
#define CHUNKS      26u

/* Written by registration under the roots lock. An entry: release there, acquire by layout_of. A chunk: relaxed on both
 * sides, for it is zero from the system, and all that is ever in it are entries. */
static _Atomic(_Atomic(const struct layout *) *) chunks[CHUNKS] COLLECTOR_DATA;
static uint32_t count COLLECTOR_DATA;                                 /* roots lock */
static bool any_disclaims COLLECTOR_DATA, any_reaches COLLECTOR_DATA; /* roots lock */
static char *room COLLECTOR_DATA, *room_end COLLECTOR_DATA;           /* roots lock: where the next layout goes */

static unsigned chunk_of(uint32_t index, uint32_t *within) {
  unsigned chunk = 31 - (unsigned)__builtin_clz(index / FIRST_CHUNK + 1);
  *within = index - FIRST_CHUNK * ((1u << chunk) - 1);
  return chunk;
}

const struct layout *layout_of(vgc_layout_id id) {
  if (!id) return NULL;
  uint32_t within;
  unsigned chunk = chunk_of(id - 1, &within);
  if (chunk >= CHUNKS) return NULL;
  _Atomic(const struct layout *) *entries = load_relaxed(&chunks[chunk]);
  return entries ? load_acquire(&entries[within]) : NULL; /* acquire: add's release */
}

/* Not inline: the caller's instrumentation would come with it. */
NO_SANITIZE vgc_layout_id layout_id_at(uintptr_t word) { return (vgc_layout_id) * (const uintptr_t *)word; }

static void *carve(size_t bytes) {
  bytes = (bytes + 15) / 16 * 16;
  if (bytes > (size_t)(room_end - room)) {
    size_t reserve = bytes > 65536 ? (bytes + 4095) / 4096 * 4096 : 65536;
    char *fresh = platform_reserve(reserve, 4096);
    if (!fresh) return NULL;
    room = fresh;
    room_end = fresh + reserve;
  }
  char *start = room;
  room += bytes;
  return start;
}

static struct layout *copy_of(const struct layout *given, const uint64_t *bits) {
  size_t words = given->words, bitmap_words = (words + 63) / 64;
  size_t name_bytes = given->name ? strlen(given->name) + 1 : 0;
  struct layout *layout = carve(sizeof *layout + bitmap_words * sizeof(uint64_t) + name_bytes);
  if (!layout) return NULL;
  memcpy(layout, given, sizeof *layout);
  if (words) memcpy(layout->bits, bits, bitmap_words * sizeof(uint64_t));
  /* All ones for "every word" says more than there is: what follows the element is another's. */
  if (words % 64) layout->bits[bitmap_words - 1] &= (UINT64_C(1) << words % 64) - 1;
  layout->name = name_bytes ? memcpy(&layout->bits[bitmap_words], given->name, name_bytes) : "";
  return layout;
}

static void note_disclaim(const struct layout *layout) {
  any_disclaims |= layout->disclaim != NULL;
  any_reaches |= layout->disclaim && layout->disclaim_reaches;
}

static vgc_layout_id add(const struct layout *given, const uint64_t *bits) {
  uint32_t within;
  unsigned chunk = chunk_of(count, &within);
  if (chunk >= CHUNKS) return 0;
  _Atomic(const struct layout *) *entries = load_relaxed(&chunks[chunk]);
  if (!entries) {
    size_t bytes = ((size_t)FIRST_CHUNK << chunk) * sizeof *entries;
    entries = platform_reserve((bytes + 4095) / 4096 * 4096, 4096);
    if (!entries) return 0;
    store_relaxed(&chunks[chunk], entries);
  }
  struct layout *layout = copy_of(given, bits);
  if (!layout) return 0;
  note_disclaim(layout);
  POINT(layout_before_publish);
  store_release(&entries[within], layout); /* release: complete; acquire in layout_of */
  return ++count;
}

vgc_layout_id layout_add(const struct layout *given, const uint64_t *bits) {
  roots_lock();
  vgc_layout_id id = add(given, bits);
  roots_unlock();
  if (!id) errno = ENOMEM;
  return id;
}

vgc_layout_id vgc_layout_register(const struct vgc_layout *given) {
  if (!given || !given->size || given->size % 8 || !given->pointer_words) {
    errno = EINVAL;
    return 0;
  }
  struct layout layout = {.words = given->size / 8, .name = given->name};
  return layout_add(&layout, given->pointer_words);
}

/* The collector reads them in a stopped world, with the roots lock. */
bool layout_set_disclaim(vgc_layout_id id, vgc_disclaim_procedure *disclaim, bool reaches) {
  struct layout *layout = (struct layout *)(uintptr_t)layout_of(id);
  if (!layout || !layout_is_kind(layout)) return false;
  roots_lock();
  layout->disclaim = disclaim;
  layout->disclaim_reaches = reaches;
  note_disclaim(layout);
  roots_unlock();
  return true;
}

bool layout_any_disclaims(bool that_reaches) { return that_reaches ? any_reaches : any_disclaims; }

/* Reached all the same, by a word that is left somewhere, before the slot is free. */
static bool was_freed(uintptr_t object) {
  struct span *span = span_of(object);
  uint32_t slot = span_slot(span, object);
  if (load_relaxed(&span_remote(span)[slot / 64]) >> slot % 64 & 1) return true;
  return special_is_freed((const void *)object);
}

void layout_ask(const struct layout *kind, uintptr_t object, size_t bytes, struct vgc_marker *marker) {
  if (was_freed(object)) return;
  platform_unpoison((void *)object, bytes);
  kind->mark((void *)object, bytes, kind->arg, marker);
}
