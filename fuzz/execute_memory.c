#include "execute_run.h"

#include <errno.h>
#include <string.h>

/* What a program may hold at once; a request beyond it is skipped. */
enum { LIVE_BYTES_MAX = 8 << 20, CALLOC_COUNT_MAX = 64, ALIGNMENT_LOG2_MAX = 20 };

static bool scanned(enum kind kind) { return kind != KIND_NOSCAN && kind != KIND_EPHEMERON; }

bool failed_allocation(struct run *run, const char *what, size_t size) {
  CHECK(run, errno == ENOMEM, "%s(%zu) failed with errno %d (%s); expected ENOMEM", what, size, errno, strerror(errno));
  CHECK(run, run->config.hard_limit != 0, "%s(%zu) failed without a hard limit", what, size);
  return true;
}

bool adopt(struct run *run, const char *what, void *address, size_t size, size_t filled, enum kind kind,
           uint32_t layout, struct object **object) {
  size_t usable = vgc_usable_size(address), at = 0;
  size_t alignment = size <= 8 ? 8 : 16;
  uint32_t owed;
  CHECK(run, (uintptr_t)address % alignment == 0, "%s(%zu) = %p, which is not aligned to %zu", what, size, address,
        alignment);
  CHECK(run, usable >= size, "vgc_usable_size(%p) = %zu, of an object of %zu bytes", address, usable, size);
  CHECK(run, vgc_base_of(address) == address, "vgc_base_of(%p) = %p, of a fresh object", address, vgc_base_of(address));
  CHECK(run, !is_owed(run, address, &owed), "%s(%zu) = %p, though a free of the dead object there was not reported yet",
        what, size, address);
  const struct object *other = shadow_claim(run->shadow, address, usable, kind);
  CHECK(run, !other, "%s(%zu) = %p (usable %zu) overlaps a live object of %zu bytes at %p", what, size, address, usable,
        other->usable, shadow_address(other));
  CHECK(run, !scanned(kind) || shadow_zero((char *)address + filled, usable - filled, &at),
        "%s(%zu) = %p (usable %zu): byte %zu is %#x, not zero", what, size, address, usable, filled + at,
        ((unsigned char *)address)[filled + at]);
  *object = shadow_add(run->shadow, address, size, usable, kind, layout);
  run->allocated++;
  return true;
}

bool put(struct run *run, uint8_t handle, struct object *object) {
  shadow_fill(object, 0);
  shadow_set_handle(run->shadow, handle, object, 0);
  shadow_settle(run->shadow);
  return true;
}

static size_t power_of_two(uint8_t log2) { return (size_t)1 << log2 % (ALIGNMENT_LOG2_MAX + 1); }

static bool allocate_plain(struct run *run, const struct operation *op, const char *what, size_t size) {
  enum kind kind = KIND_SCANNED;
  size_t count = op->b % CALLOC_COUNT_MAX + 1u;
  void *address = NULL;
  errno = 0;
  switch (op->opcode) {
  case OP_malloc:
    address = vgc_malloc(size);
    break;
  case OP_noscan:
    kind = KIND_NOSCAN;
    address = vgc_malloc_noscan(size);
    break;
  case OP_uncollectable:
    kind = KIND_UNCOLLECTABLE;
    address = vgc_malloc_uncollectable(size);
    break;
  case OP_calloc:
    size = size / count * count;
    address = vgc_calloc(count, size / count);
    break;
  default:
    address = vgc_aligned_alloc(power_of_two(op->b), size);
    CHECK(run, !((uintptr_t)address % power_of_two(op->b)), "vgc_aligned_alloc(%zu, %zu) = %p", power_of_two(op->b),
          size, address);
  }
  if (!address) return failed_allocation(run, what, size);
  struct object *object;
  return adopt(run, what, address, size, 0, kind, 0, &object) && put(run, op->a, object);
}

static bool allocate_typed(struct run *run, const struct operation *op) {
  uint32_t layout = op->b % LAYOUTS;
  size_t element = shadow_layouts[layout].words * sizeof(uintptr_t);
  size_t count = program_size(op->n) / element;
  errno = 0;
  void *address = vgc_malloc_typed(run->layouts[layout], count);
  if (!address) return failed_allocation(run, "vgc_malloc_typed", count);
  struct object *object;
  return adopt(run, "vgc_malloc_typed", address, count * element, 0, KIND_TYPED, layout, &object) &&
         put(run, op->a, object);
}

enum { SOURCE_BYTES = 4096 };

static bool allocate_copy(struct run *run, const struct operation *op) {
  char source[SOURCE_BYTES + 1];
  size_t size = program_size(op->n) % (SOURCE_BYTES + 1);
  bool string = op->opcode == OP_strdup;
  memset(source, 'a' + op->a % 26, sizeof source);
  if (string && size) size--;
  source[size] = '\0';
  errno = 0;
  void *address = string ? (void *)vgc_strdup(source) : vgc_memdup(source, size);
  size_t bytes = string ? size + 1 : size;
  if (!address) return failed_allocation(run, string ? "vgc_strdup" : "vgc_memdup", bytes);
  struct object *object;
  if (!adopt(run, string ? "vgc_strdup" : "vgc_memdup", address, bytes, bytes, string ? KIND_NOSCAN : KIND_SCANNED, 0,
             &object)) {
    return false;
  }
  CHECK(run, memcmp(address, source, bytes) == 0, "the copy of %zu bytes at %p differs from its source", bytes,
        address);
  return put(run, op->a, object);
}

bool do_allocate(struct run *run, const struct operation *op) {
  size_t size = program_size(op->n);
  if (run->shadow->live_bytes + size > LIVE_BYTES_MAX) return true;
  switch (op->opcode) {
  case OP_typed:
    return allocate_typed(run, op);
  case OP_kind:
    return kinds_allocate(run, op, size);
  case OP_memdup:
  case OP_strdup:
    return allocate_copy(run, op);
  default:
    return allocate_plain(run, op, program_operations[op->opcode].name, size);
  }
}

/* ---- Free and realloc ---- */

static bool free_object(struct run *run, struct object *object) {
  if (!verify_object(run, object, true)) return false;
  vgc_free(shadow_address(object));
  if (!special_freed(run, object)) return false;
  shadow_settle(run->shadow);
  return expect_error(run, "vgc_free", 0);
}

bool do_free(struct run *run, uint8_t handle) {
  struct object *object = shadow_handle(run->shadow, handle);
  /* What is due is the library's until it has been called. */
  return object && !object->finalizer.due ? free_object(run, object) : true;
}

/* The bytes beyond what was kept are zero, and what was kept is intact; the object has its new size. */
static bool check_resized(struct run *run, struct object *object, size_t kept) {
  size_t word, at;
  char *address = shadow_address(object);
  CHECK(run, shadow_intact(object, kept, true, &word), "after vgc_realloc, word %zu of %p (%zu bytes kept) is changed",
        word, (void *)address, kept);
  CHECK(run, !scanned(object->kind) || shadow_zero(address + kept, object->usable - kept, &at),
        "after vgc_realloc to %zu, byte %zu of %p (usable %zu) is %#x, not zero", kept, kept + at, (void *)address,
        object->usable, (unsigned char)address[kept + at]);
  return true;
}

static bool resized_in_place(struct run *run, struct object *object, size_t size) {
  size_t usable = vgc_usable_size(shadow_address(object));
  const struct object *other;
  size_t kept = object->size < size ? object->size : size;
  CHECK(run, usable >= size, "vgc_usable_size = %zu after vgc_realloc(%zu) in place", usable, size);
  run->shadow->live_bytes += usable - object->usable;
  object->usable = usable;
  object->state = STATE_GONE; /* for a look at what else is there */
  other = shadow_claim(run->shadow, shadow_address(object), usable, object->kind);
  object->state = STATE_LIVE;
  CHECK(run, !other, "vgc_realloc(%zu) in place grew %p over the live %p", size, shadow_address(object),
        shadow_address(other));
  if (!check_resized(run, object, kept)) return false;
  object->size = size;
  shadow_cut_links(object);
  shadow_fill(object, 0);
  shadow_settle(run->shadow);
  return true;
}

static bool resized_by_move(struct run *run, uint8_t handle, struct object *old, void *address, size_t size) {
  size_t usable = vgc_usable_size(address), kept = old->size < size ? old->size : size;
  CHECK(run, usable >= size, "vgc_usable_size(%p) = %zu after vgc_realloc(%zu)", address, usable, size);
  CHECK(run, (uintptr_t)address % (size <= 8 ? 8 : 16) == 0, "vgc_realloc(%zu) = %p is not aligned", size, address);
  if (!special_freed(run, old)) return false;
  const struct object *other = shadow_claim(run->shadow, address, usable, old->kind);
  CHECK(run, !other, "vgc_realloc(%zu) = %p overlaps a live object of %zu bytes at %p", size, address, other->usable,
        shadow_address(other));
  struct object *object = shadow_add(run->shadow, address, size, usable, old->kind, old->layout);
  object->seed = old->seed;
  object->link_count = old->link_count;
  memcpy(object->links, old->links, sizeof old->links);
  object->size = old->size; /* which tells what was written of it */
  if (!check_resized(run, object, kept)) return false;
  object->size = size;
  shadow_cut_links(object);
  run->allocated++;
  return put(run, handle, object);
}

bool do_realloc(struct run *run, const struct operation *op) {
  struct object *object = shadow_handle(run->shadow, op->a);
  size_t size = program_size(op->n);
  if (!object || run->shadow->live_bytes + size > LIVE_BYTES_MAX) return true;
  if (object->kind == KIND_EPHEMERON || object->finalizer.due) return true;
  if (!special_cut(run, object, size)) return false;
  if (!verify_object(run, object, true)) return false;
  errno = 0;
  void *address = vgc_realloc(shadow_address(object), size);
  if (size == 0) {
    CHECK(run, !address, "vgc_realloc(p, 0) = %p; expected NULL", address);
    if (!special_freed(run, object)) return false;
    shadow_settle(run->shadow);
    return true;
  }
  if (!address) return failed_allocation(run, "vgc_realloc", size) && verify_object(run, object, true);
  if (address == shadow_address(object)) return resized_in_place(run, object, size);
  return resized_by_move(run, op->a, object, address, size);
}

bool do_grow_to_usable(struct run *run, uint8_t handle) {
  struct object *object = shadow_handle(run->shadow, handle);
  if (!object || object->kind == KIND_EPHEMERON) return true;
  object->size = object->usable;
  shadow_fill(object, 0);
  return true;
}
