#include "oracle.h"

#include <stdio.h>
#include <string.h>

enum { WORD = 8, HEADER_WORDS = 2, LINK_WORDS = sizeof(struct reference) / WORD, GLANCE = 64 };
_Static_assert(sizeof(struct reference) == 24, "two links and a header fill one element");
_Static_assert(offsetof(struct reference, at) == 0, "ORACLE_POINTER_WORDS names the first word of each link");

#define IDENTITY_TAG UINT64_C(0xd1)

static uint64_t name_next(struct worker *worker) {
  return IDENTITY_TAG << 56 | (uint64_t)worker->index << 32 | (++worker->serial & UINT32_MAX);
}

/* Bit 62 keeps filler from ever looking like an address, so that it retains nothing. */
static uint64_t filler(uint64_t identity, size_t word) {
  return word == 0 ? identity : (identity ^ word * UINT64_C(0x9e3779b97f4a7c15)) | UINT64_C(1) << 62;
}

static size_t link_word(unsigned link) {
  return link / 2 * (ORACLE_ELEMENT / WORD) + HEADER_WORDS + link % 2 * LINK_WORDS;
}

unsigned oracle_room(enum subject_kind kind, size_t size) {
  if (kind == KIND_NOSCAN) return 0;
  size_t words = size / WORD, rest = words % (ORACLE_ELEMENT / WORD);
  size_t room = words / (ORACLE_ELEMENT / WORD) * 2 + (rest >= HEADER_WORDS + LINK_WORDS);
  return room < ORACLE_LINKS ? (unsigned)room : ORACLE_LINKS;
}

/* ---- What a word should be, and what it is ---- */

static bool is_link_word(const struct reference *reference, size_t word) {
  size_t element = word / (ORACLE_ELEMENT / WORD), inside = word % (ORACLE_ELEMENT / WORD);
  return inside >= HEADER_WORDS && element * 2 + (inside - HEADER_WORDS) / LINK_WORDS < reference->links;
}

static uint64_t link_sum(unsigned link, const struct reference *child) {
  if (!child->at) return 0;
  uint64_t shape =
      (uint64_t)child->size << 32 | (uint64_t)child->interior << 16 | (uint64_t)child->links << 8 | child->kind;
  return random_mix((uintptr_t)child->at + link) + random_mix(child->identity ^ random_mix(shape));
}

static struct reference *links_of(const struct reference *reference, unsigned link) {
  return (struct reference *)(void *)(oracle_start(reference) + link_word(link) * WORD);
}

static uint64_t *sum_of(const struct reference *reference) { return (uint64_t *)(void *)oracle_start(reference) + 1; }

static uint64_t sum_links(const struct reference *reference) {
  uint64_t sum = reference->identity;
  for (unsigned link = 0; link < reference->links; link++) sum += link_sum(link, links_of(reference, link));
  return sum;
}

static const char *kind_name(unsigned kind) {
  static const char *const names[KIND_COUNT] = {"scanned", "noscan", "typed", "uncollectable"};
  return kind < KIND_COUNT ? names[kind] : "of unknown kind";
}

static _Noreturn __attribute__((noinline)) void wrong_word(const struct worker *worker,
                                                           const struct reference *reference, size_t byte,
                                                           uint64_t found, uint64_t expected) {
  char looks[96] = "neither zero nor any object's identity";
  if (found == 0)
    snprintf(looks, sizeof looks, "zero: reclaimed, and perhaps issued again");
  else if (found >> 56 == IDENTITY_TAG)
    snprintf(looks, sizeof looks, "the identity of object %u:%u", (unsigned)(found >> 32 & 0xffffff), (unsigned)found);
  harness_fail("thread %u: object %u:%u at %p (%s, %u bytes, %u links), byte %zu: found %#llx, expected %#llx: %s",
               worker->index, (unsigned)(reference->identity >> 32 & 0xffffff), (unsigned)reference->identity,
               (void *)oracle_start(reference), kind_name(reference->kind), reference->size, reference->links, byte,
               (unsigned long long)found, (unsigned long long)expected, looks);
}

static void check_words(const struct worker *worker, const struct reference *reference, size_t first, size_t end) {
  const uint64_t *words = (const uint64_t *)(void *)oracle_start(reference);
  size_t linked = reference->links ? link_word(reference->links - 1U) + LINK_WORDS : 0; /* beyond: plain filler */
  for (size_t i = first; i < end && i < linked; i++)
    if (!is_link_word(reference, i) && i != 1 && words[i] != filler(reference->identity, i))
      wrong_word(worker, reference, i * WORD, words[i], filler(reference->identity, i));
  for (size_t i = first > linked ? first : linked; i < end; i++)
    if (words[i] != filler(reference->identity, i))
      wrong_word(worker, reference, i * WORD, words[i], filler(reference->identity, i));
}

static void check_tail(const struct worker *worker, const struct reference *reference) {
  size_t word = reference->size / WORD, rest = reference->size % WORD;
  uint64_t expected = filler(reference->identity, word), found = expected;
  memcpy(&found, oracle_start(reference) + word * WORD, rest);
  if (found != expected) wrong_word(worker, reference, word * WORD, found, expected);
}

static void check_sum(const struct worker *worker, const struct reference *reference) {
  if (!reference->links) return;
  uint64_t expected = sum_links(reference);
  if (*sum_of(reference) != expected) wrong_word(worker, reference, WORD, *sum_of(reference), expected);
}

static void check_place(const struct worker *worker, const struct reference *reference) {
  size_t usable = subject.usable(oracle_start(reference));
  harness_check(usable >= reference->size, "thread %u: object at %p has %zu usable bytes, expected at least %u",
                worker->index, (void *)oracle_start(reference), usable, reference->size);
  if (!(subject.can & CAN_INTERIOR)) return;
  void *base = subject.base(reference->at);
  harness_check(base == oracle_start(reference), "thread %u: base of %p is %p, expected %p", worker->index,
                reference->at, base, (void *)oracle_start(reference));
}

static void check_zero(const struct worker *worker, const char *start, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    harness_check(!start[i], "thread %u: new memory at %p is not zero: byte %zu of %zu is %#x", worker->index,
                  (const void *)start, i, to, (unsigned char)start[i]);
}

/* ---- Making ---- */

static void fill(const struct reference *reference, size_t from) {
  uint64_t *words = (uint64_t *)(void *)oracle_start(reference);
  size_t end = reference->size / WORD;
  for (size_t i = from / WORD; i < end; i++)
    if (!is_link_word(reference, i)) words[i] = filler(reference->identity, i);
  uint64_t tail = filler(reference->identity, end);
  memcpy(words + end, &tail, reference->size % WORD);
  if (reference->links) *sum_of(reference) = sum_links(reference);
}

struct reference oracle_new(struct worker *worker, enum subject_kind kind, size_t size, unsigned links,
                            size_t alignment) {
  uint64_t identity = name_next(worker);
  char *start = subject.allocate(kind, size, alignment, (unsigned)identity);
  harness_check(start, "thread %u: no memory for a %s object of %zu bytes", worker->index, kind_name(kind), size);
  size_t least = size <= 8 ? 8 : 16;
  if (alignment < least) alignment = least;
  harness_check((uintptr_t)start % alignment == 0, "thread %u: %p is not aligned to %zu (%zu bytes)", worker->index,
                (void *)start, alignment, size);
  worker->tally.allocated++;
  if (kind != KIND_NOSCAN) {
    size_t slot = subject.can & CAN_ZERO_SLOT ? subject.usable(start) : size;
    check_zero(worker, start, 0, slot);
  }
  struct reference reference = {
      .at = start, .identity = identity, .size = (uint32_t)size, .links = (uint8_t)links, .kind = (uint8_t)kind};
  fill(&reference, 0);
  return reference;
}

/* ---- Touching ---- */

void oracle_check(const struct worker *worker, const struct reference *reference) {
  if (!reference->at) return;
  check_words(worker, reference, 0, reference->size / WORD);
  check_tail(worker, reference);
  check_sum(worker, reference);
  check_place(worker, reference);
}

void oracle_glance(const struct worker *worker, const struct reference *reference) {
  if (!reference->at) return;
  size_t words = reference->size / WORD;
  check_words(worker, reference, 0, words < GLANCE / WORD ? words : GLANCE / WORD);
  check_sum(worker, reference);
}

void oracle_check_tree(const struct worker *worker, const struct reference *reference, uint64_t *objects,
                       uint64_t *bytes) {
  if (!reference->at) return;
  oracle_check(worker, reference);
  (*objects)++;
  *bytes += reference->size;
  for (unsigned link = 0; link < reference->links; link++)
    oracle_check_tree(worker, links_of(reference, link), objects, bytes);
}

struct reference oracle_link(const struct worker *worker, const struct reference *parent, unsigned link) {
  oracle_glance(worker, parent);
  return *links_of(parent, link);
}

struct reference oracle_relink(const struct worker *worker, const struct reference *parent, unsigned link,
                               struct reference child) {
  oracle_glance(worker, parent);
  struct reference *place = links_of(parent, link);
  struct reference old = *place;
  *sum_of(parent) += link_sum(link, &child) - link_sum(link, &old);
  *place = child;
  return old;
}

/* ---- Ending ---- */

void oracle_free(struct worker *worker, struct reference *reference) {
  oracle_check(worker, reference);
  char *start = oracle_start(reference);
  *reference = (struct reference){0};
  subject.release(start);
  worker->tally.freed++;
}

void oracle_drop(struct worker *worker, struct reference *reference) {
  if (!reference->at) return;
  if (!(subject.can & CAN_COLLECT)) {
    for (unsigned link = 0; link < reference->links; link++) oracle_drop(worker, links_of(reference, link));
    if (reference->links) *sum_of(reference) = reference->identity;
    oracle_free(worker, reference);
  } else if (reference->kind == KIND_UNCOLLECTABLE) {
    oracle_free(worker, reference);
  } else {
    *reference = (struct reference){0};
  }
}

void oracle_resize(struct worker *worker, struct reference *reference, size_t size) {
  oracle_point_inside(reference, 0);
  oracle_check(worker, reference);
  unsigned room = oracle_room(reference->kind, size);
  for (unsigned link = room; link < reference->links; link++) {
    struct reference child = oracle_relink(worker, reference, link, (struct reference){0});
    oracle_drop(worker, &child);
  }
  if (room < reference->links) {
    reference->links = (uint8_t)room;
    fill(reference, 0);
  }
  size_t old_size = reference->size, kept = old_size < size ? old_size : size;
  char *start = subject.resize(reference->at, size);
  harness_check(start, "thread %u: no memory to resize %u bytes to %zu", worker->index, reference->size, size);
  if (start != reference->at) {
    worker->tally.allocated++;
    worker->tally.freed++;
  }
  reference->at = start;
  reference->size = (uint32_t)kept;
  oracle_check(worker, reference);
  if (reference->kind != KIND_NOSCAN && subject.can & CAN_ZERO) check_zero(worker, start, kept, size);
  reference->size = (uint32_t)size;
  fill(reference, kept);
}

void oracle_point_inside(struct reference *reference, size_t offset) {
  if (!reference->at || offset >= reference->size || offset > UINT16_MAX) return;
  reference->at = oracle_start(reference) + offset;
  reference->interior = (uint16_t)offset;
}
