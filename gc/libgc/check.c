/* Checked pointer arithmetic: what fails is given to a procedure that the program may set. */
#include "layer.h"

static void no_same_object(void *p, void *q) {
  layer_log("GC_same_obj: %p and %p are not in the same object\n", p, q);
  layer_fatal("GC_same_obj test failed");
}

static void not_visible(void *p) {
  layer_log("GC_is_visible: %p is no place that the collector looks at\n", p);
  layer_fatal("GC_is_visible test failed");
}

static void not_valid(void *p) {
  layer_log("GC_is_valid_displacement: %p names no object\n", p);
  layer_fatal("GC_is_valid_displacement test failed");
}

void (*GC_same_obj_print_proc)(void *, void *) = no_same_object;
void (*GC_is_visible_print_proc)(void *) = not_visible;
void (*GC_is_valid_displacement_print_proc)(void *) = not_valid;

void *GC_same_obj(void *p, void *q) {
  const void *object = vgc_base_of(p);
  if (object != vgc_base_of(q)) GET(GC_same_obj_print_proc)(p, q);
  return p;
}

/* The old pointer may stand just behind its object. */
static void *moved(char *before, ptrdiff_t bytes) {
  char *after = before + bytes;
  const char *object = vgc_base_of(before);
  if (object && (after < object || after > object + vgc_usable_size(object))) GC_same_obj(after, before);
  return after;
}

void *GC_pre_incr(void **p, ptrdiff_t bytes) { return *p = moved(*p, bytes); }

void *GC_post_incr(void **p, ptrdiff_t bytes) {
  void *before = *p;
  *p = moved(before, bytes);
  return before;
}

/* In the heap: of an object that is scanned. Elsewhere the collector may well look. */
void *GC_is_visible(void *p) {
  struct vgc_object object = {.struct_size = sizeof object};
  bool known = !vgc_inspect(vgc_base_of(p), &object);
  if ((uintptr_t)p % sizeof p || (known && !object.scanned)) GET(GC_is_visible_print_proc)(p);
  return p;
}

void *GC_is_valid_displacement(void *p) {
  const char *object = vgc_base_of(p);
  if (object && !GET(GC_all_interior_pointers) && !layer_displacement((size_t)((char *)p - object)))
    GET(GC_is_valid_displacement_print_proc)(p);
  return p;
}
