/* The public functions for finalizers and weak links. */
#include <errno.h>

#include "atomic.h"
#include "cache.h"
#include "finalize.h"
#include "platform.h"
#include "span.h"
#include "special.h"
#include "vgc.h"

static int fail(int error) {
  errno = error;
  return -1;
}

/* Whether a live object begins there. */
static bool is_object(const void *ptr) {
  struct span_object object;
  return span_object_at((uintptr_t)ptr, &object) && object.base == (uintptr_t)ptr;
}

/* ---- Finalizers ---- */

/* With the lock. */
static int set(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order, struct due *old) {
  *old = (struct due){0};
  if (special_is_freed(object)) return EINVAL;
  struct finalizer *entry = finalizer ? special_finalizer_add(object) : special_finalizer(object);
  if (!entry) return finalizer ? ENOMEM : 0;
  *old = (struct due){object, entry->function, entry->arg};
  if (finalizer)
    *entry = (struct finalizer){entry->hidden, finalizer, arg, order};
  else
    special_finalizer_take_out(entry);
  return 0;
}

int vgc_exchange_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order, vgc_finalizer **old,
                           void **old_arg) {
  struct due before;
  if (!cache_ensure()) return -1;
  if ((unsigned)order > VGC_UNREACHABLE || !is_object(object)) return fail(EINVAL);
  special_lock();
  int error = set(object, finalizer, arg, order, &before);
  special_unlock();
  KEEP_ALIVE(object);
  if (error) return fail(error);
  if (old) *old = before.finalizer;
  if (old_arg) *old_arg = before.arg;
  return 0;
}

int vgc_set_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order) {
  return vgc_exchange_finalizer(object, finalizer, arg, order, NULL, NULL);
}

vgc_finalizer *vgc_get_finalizer(const void *object, void **arg) {
  special_lock();
  const struct finalizer *entry = special_finalizer(object);
  vgc_finalizer *finalizer = entry ? entry->function : NULL;
  if (arg) *arg = entry ? entry->arg : NULL;
  special_unlock();
  return finalizer;
}

size_t vgc_finalize(void) { return cache_ensure() ? finalize_run() : 0; }

size_t vgc_finalize_all(void) {
  if (!cache_ensure()) return 0;
  finalize_make_all_due();
  return finalize_run();
}

size_t vgc_finalizers_due(void) { return load_relaxed(&special_dues); }

/* ---- Weak links ---- */

/* Whether a link may stand there, and in which object, NULL if in none. */
static bool is_place(void **link, const void **in) {
  if (!link || (uintptr_t)link % sizeof *link) return false;
  struct span_object object;
  bool held = span_object_at((uintptr_t)link, &object);
  *in = held ? (const void *)object.base : NULL;
  return held || !span_of((uintptr_t)link);
}

static struct link *find_either(void **place) {
  struct link *link = special_link_find(place, VGC_WEAK_SHORT);
  return link ? link : special_link_find(place, VGC_WEAK_LONG);
}

int vgc_weak_add(void **link, void *object, enum vgc_weak kind) {
  const void *in;
  if (!cache_ensure()) return -1;
  if ((unsigned)kind > VGC_WEAK_LONG || !is_place(link, &in) || !is_object(object)) return fail(EINVAL);
  special_lock();
  int error = find_either(link) ? EEXIST : special_is_freed(object) ? EINVAL : 0;
  if (!error && !special_link_add(link, in, object, kind)) error = ENOMEM;
  if (!error) store_loose(link, object);
  special_unlock();
  KEEP_ALIVE(object);
  return error ? fail(error) : 0;
}

/* With the lock. Negative: why not. */
static int watch(void **link, const void *in, const void *object, enum vgc_weak kind) {
  if (special_is_freed(object)) return -EINVAL;
  struct link *before = special_link_find(link, kind);
  if (before) return special_link_name(before, object) ? 1 : -ENOMEM;
  return special_link_add(link, in, object, kind) ? 0 : -ENOMEM;
}

int vgc_weak_watch(void **link, void *object, enum vgc_weak kind) {
  const void *in;
  if (!cache_ensure()) return -1;
  if ((unsigned)kind > VGC_WEAK_LONG || !is_place(link, &in) || !is_object(object)) return fail(EINVAL);
  special_lock();
  int result = watch(link, in, object, kind);
  special_unlock();
  KEEP_ALIVE(object);
  return result < 0 ? fail(-result) : result;
}

/* With the lock: no cycle clears it meanwhile. */
static int move(struct link *link, void **to, const void *in) {
  struct link old = *link;
  void **from = link_place(&old);
  if (!special_link_add(to, in, (const void *)~old.hidden, link_kind(&old))) return ENOMEM;
  special_link_take_out(special_link_find(from, link_kind(&old)));
  return 0;
}

/* With the lock. */
static int move_with_content(void **from, void **to, const void *in) {
  struct link *link = find_either(from);
  if (!link) return ENOENT;
  if (find_either(to)) return from == to ? 0 : EEXIST;
  int error = move(link, to, in);
  if (!error) store_loose(to, load_loose(from));
  return error;
}

/* With the lock. */
static int move_watch(void **from, void **to, enum vgc_weak kind, const void *in) {
  struct link *link = special_link_find(from, kind);
  if (!link) return ENOENT;
  if (special_link_find(to, kind)) return from == to ? 0 : EEXIST;
  return move(link, to, in);
}

int vgc_weak_move(void **from, void **to) {
  const void *in;
  if (!cache_ensure()) return -1;
  if (!is_place(to, &in)) return fail(EINVAL);
  special_lock();
  int error = move_with_content(from, to, in);
  special_unlock();
  return error ? fail(error) : 0;
}

int vgc_weak_move_watch(void **from, void **to, enum vgc_weak kind) {
  const void *in;
  if (!cache_ensure()) return -1;
  if ((unsigned)kind > VGC_WEAK_LONG || !is_place(to, &in)) return fail(EINVAL);
  special_lock();
  int error = move_watch(from, to, kind, in);
  special_unlock();
  return error ? fail(error) : 0;
}

/* With the lock. Whether there was one. */
static bool take_out(struct link *link) {
  if (link) special_link_take_out(link);
  return link;
}

int vgc_weak_remove(void **link) {
  if (!cache_ensure()) return -1;
  special_lock();
  bool removed = take_out(find_either(link));
  special_unlock();
  return removed ? 0 : fail(ENOENT);
}

int vgc_weak_unwatch(void **link, enum vgc_weak kind) {
  if (!cache_ensure()) return -1;
  if ((unsigned)kind > VGC_WEAK_LONG) return fail(EINVAL);
  special_lock();
  bool removed = take_out(special_link_find(link, kind));
  special_unlock();
  return removed ? 0 : fail(ENOENT);
}

/* ---- Ephemerons ---- */

struct vgc_ephemeron *vgc_ephemeron_new(void *key, void *value) {
  if (!is_object(key) || (value && !is_object(value))) {
    errno = EINVAL;
    return NULL;
  }
  struct vgc_ephemeron *ephemeron = vgc_malloc_noscan(sizeof *ephemeron);
  if (!is_object(ephemeron)) { /* an out-of-memory hook's */
    errno = ENOMEM;
    return NULL;
  }
  store_relaxed(&ephemeron->key, NULL);
  store_relaxed(&ephemeron->value, NULL);
  special_lock();
  bool added = special_ephemeron_add(ephemeron, key, value);
  special_unlock();
  KEEP_ALIVE(key);
  KEEP_ALIVE(value);
  if (added) return ephemeron;
  vgc_free(ephemeron);
  errno = ENOMEM;
  return NULL;
}

void *vgc_ephemeron_key(const struct vgc_ephemeron *ephemeron) { return load_relaxed(&ephemeron->key); }
void *vgc_ephemeron_value(const struct vgc_ephemeron *ephemeron) { return load_relaxed(&ephemeron->value); }
