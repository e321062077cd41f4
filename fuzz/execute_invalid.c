/* Calls that are invalid on purpose. Each has its documented result and no effect: that nothing is damaged shows in the
 * checks of contents and statistics that follow. */
#include "execute_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BIT(error) (1u << (error))
enum {
  ANY_BAD_FREE = BIT(VGC_ERROR_DOUBLE_FREE) | BIT(VGC_ERROR_FREE_INTERIOR) | BIT(VGC_ERROR_FREE_STALE) |
                 BIT(VGC_ERROR_FREE_FOREIGN)
};

/* Keeps the compiler from seeing what is freed, or how much is asked for, and warning or folding. */
#define LAUNDER(value) __asm__ volatile("" : "+r"(value))

static bool double_free(struct run *run, uint8_t handle) {
  struct object *object = shadow_handle(run->shadow, handle);
  if (!object || object->finalizer.due) return true;
  void *address = shadow_address(object);
  if (!do_free(run, handle)) return false;
  LAUNDER(address);
  vgc_free(address);
  /* Stale, if the first free gave the pages back. */
  return expect_error(run, "a second vgc_free", BIT(VGC_ERROR_DOUBLE_FREE) | BIT(VGC_ERROR_FREE_STALE));
}

static bool free_inside(struct run *run, const struct operation *op) {
  const struct object *object = shadow_handle(run->shadow, op->a);
  if (!object || object->usable < 2) return true;
  char *address = (char *)shadow_address(object) + 1 + op->n % (object->usable - 1);
  LAUNDER(address);
  vgc_free(address);
  return expect_error(run, "vgc_free inside an object", BIT(VGC_ERROR_FREE_INTERIOR));
}

bool is_owed(const struct run *run, const void *address, uint32_t *index) {
  for (*index = 0; *index < run->owed_count; ++*index) {
    if (shadow_address(&run->shadow->objects[run->owed[*index]]) == address) return true;
  }
  return false;
}

static bool free_near(struct run *run, const struct operation *op) {
  void *address = any_address(run, op->a, op->b, op->n);
  uint32_t index;
  if (vgc_base_of(address) || !address || is_owed(run, address, &index) || run->owed_count == OWED_MAX) return true;
  const struct object *dropped = shadow_last_dropped(run->shadow, address);
  vgc_free(address);
  if (dropped && run->errors == 0) {
    run->owed[run->owed_count++] = shadow_index(run->shadow, dropped);
    return true;
  }
  return expect_error(run, "vgc_free where no object is", ANY_BAD_FREE);
}

static int global_word;

/* An address that is outside the heap in a known way; *libc is to be freed with free. */
static void *foreign_address(struct run *run, const struct operation *op, void *stack, void **libc) {
  void *unmapped;
  switch (op->a % 10) {
  case 0:
    return (char *)stack + op->n % 8;
  case 1:
    return (char *)&global_word + op->n % 4;
  case 2:
    *libc = malloc(64);
    return (char *)*libc + op->n % 64;
  case 3:
    return (void *)(uintptr_t)(op->n % 4095 + 1);
  case 4:
    unmapped = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (unmapped != MAP_FAILED) munmap(unmapped, 4096);
    return (char *)unmapped + op->n % 4096;
  case 5:
    return (void *)((uintptr_t)1 << 63 | op->n);
  case 6:
    return (void *)~(uintptr_t)op->n;
  case 7:
    return (void *)(uintptr_t)foreign_address;
  case 8:
    return run->shadow->words + op->n % HANDLES;
  default:
    return (void *)(((uintptr_t)1 << 47) - 1 - op->n);
  }
}

static bool free_foreign(struct run *run, const struct operation *op) {
  uint64_t stack = 0;
  void *libc = NULL, *address = foreign_address(run, op, &stack, &libc);
  LAUNDER(address);
  vgc_free(address);
  free(libc);
  return expect_error(run, "vgc_free of what is not the heap's", BIT(VGC_ERROR_FREE_FOREIGN));
}

static bool bad_realloc(struct run *run, const struct operation *op) {
  const struct object *object = shadow_handle(run->shadow, op->a);
  void *address = any_address(run, op->a, op->b, op->n);
  if (op->b & 8 && object && object->usable > 1) {
    address = (char *)shadow_address(object) + 1 + op->n % (object->usable - 1);
  } else if (!address || vgc_base_of(address)) {
    return true;
  }
  errno = 0;
  void *result = vgc_realloc(address, op->n % 1000 + 1);
  CHECK(run, !result && errno == EINVAL, "vgc_realloc(%p) = %p, errno %d; expected NULL and EINVAL", address, result,
        errno);
  return expect_error(run, "vgc_realloc of no object", ANY_BAD_FREE);
}

static bool bad_size(struct run *run, const struct operation *op) {
  struct object *object = shadow_handle(run->shadow, op->b);
  size_t near_top = SIZE_MAX - op->n, half = SIZE_MAX / 2 + op->n, beyond = ((size_t)1 << 47) + op->n;
  void *result = NULL;
  LAUNDER(near_top);
  LAUNDER(half);
  LAUNDER(beyond);
  errno = 0;
  switch (op->a % 12) {
  case 0:
    result = vgc_malloc(near_top);
    break;
  case 1:
    result = vgc_malloc(half);
    break;
  case 2:
    result = vgc_malloc_noscan(beyond);
    break;
  case 3:
    result = vgc_calloc(near_top, near_top);
    break;
  case 4:
    result = vgc_calloc(half, 2 + op->n % 64);
    break; /* the product wraps to something small */
  case 5:
    result = vgc_calloc(2, beyond);
    break;
  case 6:
    result = vgc_aligned_alloc(64, near_top);
    break;
  case 7:
    result = vgc_aligned_alloc((size_t)1 << 62, 16);
    break;
  case 8:
    result = vgc_malloc_uncollectable(half);
    break;
  case 9:
    result = vgc_malloc_typed(run->layouts[op->b % LAYOUTS], near_top);
    break;
  case 10:
    result = vgc_malloc_typed(run->layouts[op->b % LAYOUTS], beyond);
    break;
  default:
    if (!object) return true;
    result = vgc_realloc(shadow_address(object), near_top);
  }
  CHECK(run, !result && errno == ENOMEM, "an absurd size: %p, errno %d (%s); expected NULL and ENOMEM", result, errno,
        strerror(errno));
  return (!object || verify_object(run, object, true)) && expect_error(run, "an absurd size", 0);
}

static bool bad_alignment(struct run *run, const struct operation *op) {
  size_t alignment = op->n % 4 == 0 ? op->n / 4 : SIZE_MAX - op->n;
  if (alignment && (alignment & (alignment - 1)) == 0) alignment = 3;
  LAUNDER(alignment);
  errno = 0;
  void *result = vgc_aligned_alloc(alignment, 64);
  CHECK(run, !result && errno == EINVAL, "vgc_aligned_alloc(%zu, 64) = %p, errno %d; expected NULL and EINVAL",
        alignment, result, errno);
  return expect_error(run, "vgc_aligned_alloc", 0);
}

static bool bad_layout(struct run *run, const struct operation *op) {
  static const uint64_t pointers[1] = {1};
  struct vgc_layout layout = {.size = op->a % 4 == 0 ? 0 : op->a | 1u, .pointer_words = pointers, .name = "bad"};
  errno = 0;
  if (op->a % 2 == 0) {
    vgc_layout_id id = vgc_layout_register(&layout);
    CHECK(run, id == 0 && errno == EINVAL, "vgc_layout_register(size %zu) = %u, errno %d; expected 0 and EINVAL",
          layout.size, id, errno);
  } else {
    vgc_layout_id id = op->a % 4 == 1 ? 0 : 1000000u + op->a;
    void *result = vgc_malloc_typed(id, 1);
    CHECK(run, !result && errno == EINVAL, "vgc_malloc_typed(layout %u) = %p, errno %d; expected NULL and EINVAL", id,
          result, errno);
  }
  return expect_error(run, "a layout that is none", 0);
}

static bool root_fails(struct run *run, const char *what, int result, int expected) {
  CHECK(run, result == -1 && errno == expected, "%s = %d, errno %s; expected -1, %s", what, result, strerror(errno),
        strerror(expected));
  return expect_error(run, what, 0);
}

static bool bad_root(struct run *run, const struct operation *op) {
  size_t range = op->a % RANGES;
  const char *start = range_start(run, range);
  errno = 0;
  switch (op->a / RANGES % 5) {
  case 0:
    return range_add(run, range) && range_add(run, range);
  case 1:
    return range_remove(run, range) && range_remove(run, range);
  case 2:
    return callback_add(run, range) && callback_add(run, range);
  case 3:
    return root_fails(run, "vgc_root_remove(another size)", vgc_root_remove(start, range_size(range) + 8), ENOENT);
  default:
    return root_fails(run, "vgc_root_add(wraps)", vgc_root_add((void *)(UINTPTR_MAX - 64), 128), EINVAL);
  }
}

static bool call_fails(struct run *run, const char *what, int result, int expected) {
  CHECK(run, result == -1 && errno == expected, "%s = %d, errno %d; expected -1, errno %d", what, result, errno,
        expected);
  return expect_error(run, what, 0);
}

static bool bad_call(struct run *run, const struct operation *op) {
  struct vgc_stats stats = {.struct_size = 0};
  size_t absurd = SIZE_MAX;
  LAUNDER(absurd);
  errno = 0;
  switch (op->a % 8) {
  case 0:
    return call_fails(run, "a second vgc_init", vgc_init(&run->config), EALREADY);
  case 1:
    return call_fails(run, "vgc_thread_attach of an attached thread", vgc_thread_attach(), EALREADY);
  case 2:
    return call_fails(run, "vgc_get_stats with struct_size 0", vgc_get_stats(&stats), EINVAL);
  case 3:
    vgc_blocking_leave();
    return expect_error(run, "vgc_blocking_leave without enter", BIT(VGC_ERROR_UNBALANCED));
  case 4:
    vgc_blocking_enter();
    vgc_blocking_enter();
    vgc_blocking_leave();
    return expect_error(run, "a nested vgc_blocking_enter", BIT(VGC_ERROR_UNBALANCED));
  case 5:
    if (run->disabled) return call_fails(run, "vgc_collect while disabled", vgc_collect(), EBUSY);
    vgc_enable();
    return expect_error(run, "vgc_enable without disable", BIT(VGC_ERROR_UNBALANCED));
  case 6:
    vgc_free(NULL);
    CHECK(run, vgc_usable_size(NULL) == 0 && !vgc_base_of(NULL), "NULL is taken for an object");
    return expect_error(run, "vgc_free(NULL)", 0);
  default:
    CHECK(run, vgc_realloc(NULL, absurd) == NULL && errno == ENOMEM, "vgc_realloc(NULL, SIZE_MAX) succeeded");
    return expect_error(run, "vgc_realloc(NULL)", 0);
  }
}

bool do_invalid(struct run *run, const struct operation *op) {
  switch (op->opcode) {
  case OP_bad_double_free:
    return double_free(run, op->a);
  case OP_bad_free_inside:
    return free_inside(run, op);
  case OP_bad_free_near:
    return free_near(run, op);
  case OP_bad_free_foreign:
    return free_foreign(run, op);
  case OP_bad_realloc:
    return bad_realloc(run, op);
  case OP_bad_size:
    return bad_size(run, op);
  case OP_bad_alignment:
    return bad_alignment(run, op);
  case OP_bad_layout:
    return bad_layout(run, op);
  case OP_bad_root:
    return bad_root(run, op);
  default:
    return bad_call(run, op);
  }
}
