#include "error.h"

#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "event.h"
#include "platform.h"

static const struct vgc_hooks no_hooks = {.struct_size = sizeof no_hooks};
static struct vgc_hooks hooks_store[2] COLLECTOR_DATA;
/* Release by vgc_set_hooks after it filled the copy, acquire by hooks_get before it reads it. */
static _Atomic(const struct vgc_hooks *) hooks COLLECTOR_DATA;

const struct vgc_hooks *hooks_get(void) {
  const struct vgc_hooks *current = load_acquire(&hooks);
  return current ? current : &no_hooks;
}

void *hooks_out_of_memory(size_t size) {
  const struct vgc_hooks *current = hooks_get();
  void *ptr = current->out_of_memory ? current->out_of_memory(current->arg, size) : NULL;
  if (!ptr) errno = ENOMEM;
  return ptr;
}

/* Two copies in turn: a reader may still hold the one before, which a third call would overwrite. Setting hooks while
 * other threads run into errors is therefore limited to the documented use, once at the start. A program built against
 * another version says with struct_size how many of the fields it knows. */
void vgc_set_hooks(const struct vgc_hooks *given, struct vgc_hooks *old) {
  const struct vgc_hooks *current = hooks_get();
  struct vgc_hooks *copy = NULL;
  if (given && given->struct_size < sizeof given->struct_size)
    platform_print("vgc: vgc_hooks.struct_size is %zu: expected %zu; set it, for without it no hook is called\n",
                   given->struct_size, sizeof *given);
  if (given) {
    copy = current == &hooks_store[0] ? &hooks_store[1] : &hooks_store[0];
    *copy = no_hooks;
    memcpy(copy, given, given->struct_size < sizeof *copy ? given->struct_size : sizeof *copy);
  }
  if (old) *old = *current; /* which may be `given` */
  /* Release: the copy is filled; acquire in hooks_get. */
  store_release(&hooks, copy);
}

void error_report(enum vgc_error error, const void *ptr, const char *message) {
  event_record(EVENT_ERROR, (uintptr_t)ptr, (uintptr_t)error);
  const struct vgc_hooks *current = hooks_get();
  if (current->error) {
    current->error(current->arg, error, ptr, message);
    if (error != VGC_ERROR_CORRUPT) return;
  }
  if (ptr)
    platform_print("vgc: %p: %s\n", ptr, message);
  else
    platform_print("vgc: %s\n", message);
  event_dump();
  platform_abort();
}

void check_failed(const char *condition, const char *file, int line) {
  platform_print("vgc: check failed: %s, at %s:%d\n", condition, file, line);
  event_dump();
  platform_abort();
}
