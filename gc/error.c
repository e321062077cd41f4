#include "error.h"

#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "event.h"
#include "platform.h"

static const struct vgc_hooks no_hooks = {.struct_size = sizeof no_hooks};
/* Every set of hooks that was ever in force: a reader may hold it for ever, so it stays as it is, and serves again when
 * the program sets the same. */
struct kept {
  struct vgc_hooks hooks;
  struct kept *next;
};
static struct kept store[32] COLLECTOR_DATA;
static _Atomic unsigned stored COLLECTOR_DATA;
/* Release by keep after it filled the copy, acquire by keep before it compares with it. */
static _Atomic(struct kept *) all COLLECTOR_DATA;
/* Release by vgc_set_hooks, acquire by hooks_get before it reads what is kept. */
static _Atomic(const struct vgc_hooks *) hooks COLLECTOR_DATA;

const struct vgc_hooks *hooks_get(void) {
  const struct vgc_hooks *current = load_acquire(&hooks);
  return current ? current : &no_hooks;
}

void hooks_phase(enum vgc_phase phase) {
  const struct vgc_hooks *current = hooks_get();
  if (current->phase) current->phase(current->arg, phase);
}

void *hooks_out_of_memory(size_t size) {
  const struct vgc_hooks *current = hooks_get();
  void *ptr = current->out_of_memory ? current->out_of_memory(current->arg, size) : NULL;
  if (!ptr) errno = ENOMEM;
  return ptr;
}

/* Pointers and a size: there is no padding. */
static bool same(const struct vgc_hooks *a, const struct vgc_hooks *b) { return !memcmp(a, b, sizeof *a); }

static const struct vgc_hooks *keep(const struct vgc_hooks *wanted) {
  struct kept *first = load_acquire(&all); /* acquire: the release below, of each that is reached */
  for (const struct kept *at = first; at; at = at->next)
    if (same(&at->hooks, wanted)) return &at->hooks;
  unsigned index = fetch_add_relaxed(&stored, 1u);
  struct kept *fresh = index < sizeof store / sizeof *store ? &store[index] : platform_reserve(4096, 4096);
  if (!fresh) return NULL;
  fresh->hooks = *wanted;
  fresh->next = first;
  /* Release: the copy is filled; acquire in keep, by a later caller. */
  while (!cas_weak_release(&all, &first, fresh)) fresh->next = first;
  return &fresh->hooks;
}

/* A program built against another version says with struct_size how many of the fields it knows. */
void vgc_set_hooks(const struct vgc_hooks *given, struct vgc_hooks *old) {
  if (given && given->struct_size < sizeof given->struct_size)
    platform_print("vgc: vgc_hooks.struct_size is %zu: expected %zu; set it, for without it no hook is called\n",
                   given->struct_size, sizeof *given);
  struct vgc_hooks wanted = no_hooks;
  if (given) memcpy(&wanted, given, given->struct_size < sizeof wanted ? given->struct_size : sizeof wanted);
  const struct vgc_hooks *kept = given ? keep(&wanted) : &no_hooks;
  if (!kept) {
    platform_print("vgc: no memory to keep the hooks; those before stay in force\n");
    if (old) *old = *hooks_get();
    return;
  }
  /* Acq_rel: the copy is filled, which the acquire in hooks_get reads; and so is the old one, by the release here. */
  const struct vgc_hooks *before = exchange_acq_rel(&hooks, kept);
  if (old) *old = before ? *before : no_hooks; /* which may be `given` */
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
