/* The libgc interface over vgc.h: what its files share. Names, types and meanings are those of Debian's headers (bdwgc
 * 8.2), which are there at build time; nothing else is. */
#ifndef LIBGC_LAYER_H
#define LIBGC_LAYER_H

#include <gc/gc.h>
#include <gc/gc_disclaim.h>
#include <gc/gc_gcj.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <gc/gc_typed.h>
#include <gc/javaxfc.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgc.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define INTERNAL    __attribute__((visibility("hidden")))
#define UNUSED      __attribute__((unused))

/* The public variables are the program's: read whenever something is decided, written by the setters. Each stands for
 * itself, hence relaxed. */
#define GET(variable)        __atomic_load_n(&(variable), __ATOMIC_RELAXED)
#define SET(variable, value) __atomic_store_n(&(variable), value, __ATOMIC_RELAXED)

/* ---- init.c ---- */

/* Acquire by who allocates, release by GC_init. */
extern INTERNAL bool layer_ready;
static inline void layer_ensure(void) {
  if (UNLIKELY(!__atomic_load_n(&layer_ready, __ATOMIC_ACQUIRE))) GC_init();
}

/* Whether the calling thread's allocation is one whose memory vgc writes to, up to its end, also if GC_oom_fn gives it.
 * Returns what it was, to be set again. */
INTERNAL bool layer_will_fill(bool on);

/* If finalizers are due, calls them, or tells the program that there are some. */
INTERNAL void layer_finalizers_due(void);
/* Tells the program if the size of the heap is another than when it was told last. With the allocation lock. */
INTERNAL void layer_tell_of_resize(void);

/* In the order in which they are taken; forks take them all. */
enum layer_mutex { MUTEX_KINDS, MUTEX_ROOTS, MUTEXES };
INTERNAL void layer_lock(enum layer_mutex mutex);
INTERNAL void layer_unlock(enum layer_mutex mutex);

/* ---- alloc.c ---- */

/* Bytes to ask vgc for: one more if pointers behind the end count, and no less than a granule, whose alignment programs
 * rely on. */
static inline size_t layer_size(size_t bytes) {
  size_t size = bytes + (size_t)GET(GC_all_interior_pointers);
  if (LIKELY(size - 16 < SIZE_MAX / 2)) return size;
  return bytes < 16 ? 16 : bytes; /* too large to be had, or small */
}

/* ---- kinds.c ---- */

/* Memory of one of the kinds that libgc numbers, of exactly so many bytes at least; NULL without memory. */
INTERNAL void *layer_malloc_kind(size_t size, int kind);
/* Whether the collector follows the first word of the kind's objects. */
INTERNAL bool layer_kind_follows_links(int kind);

/* ---- roots.c ---- */

INTERNAL void layer_roots_start(void);
/* Which static data are roots may have changed. */
INTERNAL void layer_roots_choose(void);

/* ---- settings.c ---- */

/* Whether start + displacement names an object. */
INTERNAL bool layer_displacement(size_t displacement);

/* ---- leaks.c ---- */

/* Collects, and reports what is lost, if GC_find_leak is set. */
INTERNAL bool layer_collect(void);
/* Whether each collection is to look for lost or overwritten objects. */
INTERNAL bool layer_looks(void);
/* Collects, and shows all objects in the stopped world. */
INTERNAL bool layer_visit(vgc_visit *visit, void *arg);
/* The calling thread is in such a collection. */
extern INTERNAL _Thread_local bool layer_finding;
INTERNAL void layer_leaks_start(void);
/* The calling thread is in a collection that the program asked for. */
extern INTERNAL _Thread_local bool layer_asked;

/* ---- statistics.c ---- */

/* A collection knows what it reclaims: what is allocated counts for the next one. */
INTERNAL void layer_begin_count(void);
INTERNAL uint64_t layer_bytes_since_collection(void);
/* The heap is said to have at least so many bytes from now on. */
INTERNAL void layer_heap_reserved(size_t bytes);

/* ---- toggle.c ---- */

/* Asks the program about its toggle references: before the world stops. */
INTERNAL void layer_toggle(void);

/* ---- pace.c ---- */

/* Takes over what variables say of the pace and of roots, if it has changed; before vgc_init what they say then. */
INTERNAL void layer_tune(void);
INTERNAL void layer_pace_begins(struct vgc_config *config);
/* For that: the collecting thread, with no other in a collection. */
INTERNAL void layer_collection_begins(void);
INTERNAL void layer_collection_ends(void);
/* That all of them have taken. */
INTERNAL uint64_t layer_collecting_ns(void);
/* The pace asks for a collection, but the program wants more to be allocated before. */
INTERNAL bool layer_too_early(void);
/* Of finalizers: so many more are set; in the stopped world: one is due; that were all. */
INTERNAL void layer_count_finalizer(int more);
INTERNAL void layer_finalizer_is_due(void);
INTERNAL void layer_learn_of_finalizers(void);
/* The program has used vgc before: what is wanted of it now, as far as it can be changed. */
INTERNAL void layer_catch_up(const struct vgc_config *wanted);
/* Tells vgc the largest heap that was allowed before it was there. */
INTERNAL void layer_limit_heap(void);

/* ---- settings.c ---- */

/* Whether a collection may begin that the program did not ask for. */
INTERNAL bool layer_may_begin(void);
/* The program has become one of several threads, or may: marking is parallel from now on. */
INTERNAL void layer_mark_in_parallel(void);
/* Prints what the environment asks for after each collection; wanted tells whether it asks for anything. */
INTERNAL bool layer_report_wanted(void);
INTERNAL void layer_report_cycle(const struct vgc_stats *stats);
/* From the environment, before vgc_init. */
INTERNAL void layer_read_environment(struct vgc_config *config);
/* The rest of it, afterwards. */
INTERNAL void layer_heed_environment(void);

/* ---- report.c ---- */

void GC_printf(const char *format, ...) __attribute__((visibility("default"), format(printf, 1, 2)));
void GC_err_printf(const char *format, ...) __attribute__((visibility("default"), format(printf, 1, 2)));
void GC_log_printf(const char *format, ...) __attribute__((visibility("default"), format(printf, 1, 2)));

/* Exported by Debian's library, though no header for this compiler declares them. */
#define EXPORTED __attribute__((visibility("default")))
extern EXPORTED GC_abort_func GC_on_abort;
extern EXPORTED GC_push_other_roots_proc GC_push_other_roots;
EXPORTED void GC_noop1(GC_word word);
EXPORTED void GC_incr_bytes_allocd(size_t bytes);
EXPORTED void GC_incr_bytes_freed(size_t bytes);

/* Tells the program and ends it. */
INTERNAL _Noreturn void layer_fatal(const char *message);
/* Instead of ending it, loops, where a debugger finds it. */
INTERNAL void layer_loop_on_abort(void);
/* To the program's procedure; the format has one conversion. */
INTERNAL void layer_warn(const char *format, GC_word arg);
/* To the log, as printf. */
INTERNAL void layer_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What is printed elsewhere goes to the log, too. */
INTERNAL void layer_redirect_to_log(void);
/* What the system says of the process's memory, to where errors go. */
INTERNAL void layer_print_address_map(void);

/* ---- threads.c ---- */

INTERNAL void layer_threads_start(void);
/* The calling thread has the allocation lock. */
extern INTERNAL _Thread_local bool layer_locked;
/* Takes it, unless the thread has it, or is in a collection; false then. Gives it back if it was taken. */
INTERNAL bool layer_exclude(void);
INTERNAL void layer_admit(bool taken);

#endif
