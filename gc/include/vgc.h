/* vgc: a garbage collector for C.
 *
 * A thread-cached span allocator, a stop-the-world mark-sweep collector, and explicit free as a first-class citizen.
 *
 * Unless a function says otherwise: it may be called by any thread at any time outside a signal handler; a thread that
 * the program started is registered from its first instruction; the first call initialises the library; memory is
 * aligned to 16 bytes (8 for requests of up to 8 bytes); sizes are bytes; a failed allocation returns what the
 * out-of-memory hook gives, else NULL with errno ENOMEM. Where the first call cannot initialise (VGC_LOG=x), it says
 * why on stderr and fails; an allocation as above, others with vgc_init's errno. The next call tries again. Invalid use
 * (an enum vgc_error) is given to the error hook; without a hook it prints one line and aborts. When a hook returns,
 * the call has had no effect and fails with errno EINVAL where it can say so.
 */
#ifndef VGC_H
#define VGC_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VGC_VERSION_MAJOR 0
#define VGC_VERSION_MINOR 1
#define VGC_VERSION_PATCH 0

#define VGC_API __attribute__((visibility("default")))

/* ---- Start and stop ---- */

/* Zero in any field means the default. Environment variables (VGC_HELP=1 prints them) override what is given here. */
struct vgc_config {
  size_t struct_size;      /* sizeof(struct vgc_config), set by vgc_config_default() */
  size_t page_bytes;       /* power of two, 1 KiB to 64 KiB; default 8 KiB */
  size_t arena_bytes;      /* address space reserved at a time, power of two; default 64 GiB, halved if refused */
  size_t thread_table;     /* threads in the first table; it grows; default 64 */
  size_t mark_stack;       /* entries of the first mark stack; default 8192 */
  size_t mark_stack_max;   /* entries that it may grow to, beyond which marking rescans the heap; default unlimited */
  size_t minimum_heap;     /* bytes allocated before the first collection; default 4 MiB */
  size_t soft_limit;       /* bytes that the heap tries not to exceed by collecting earlier; default none */
  size_t hard_limit;       /* bytes of heap beyond which allocation fails; default none */
  unsigned growth_percent; /* heap growth between collections, of the live bytes and half of the roots'; default 100 */
  unsigned check_level;    /* 0 none, 1 cheap, 2 per operation, 3 whole-heap walk and second marker; default 1 */
  unsigned mark_workers;   /* threads that mark, 1 to 64; default: as many as processors, at most 8, or the collecting
                              thread alone where that has been faster. All but one are the library's own, started
                              after a collection that found 4 MiB or four times minimum_heap alive, by the thread that
                              collected; they end with the last registered thread. 1: there are none, nor is
                              pthread_create called in an allocation */
  unsigned suspend_signal; /* default SIGPWR */
  unsigned collect_every;  /* stress: collect at every Nth allocation; default 0 (off) */
  unsigned log;            /* 1: one line on stderr for each cycle */
  unsigned finalize_on_demand; /* 1: finalizers run in vgc_finalize alone; default 0: also in vgc_collect, before it
                                  returns, and in allocations now and then, of whatever thread */
  unsigned exact_pointers;     /* 1: a word of the heap or of static data names an object only if it is its first byte's
                                  address, or that plus one of vgc_displacement_add's; words of stacks and registers may
                                  point anywhere into it; default 0: so may all */
  unsigned trim_ms; /* a thread of the library's own gives back what was idle for so many milliseconds; default 0:
                       cycles do, after half a second, and vgc_trim. After a fork: from the next collection on */
  unsigned memory_retries; /* collections before an allocation fails at hard_limit or without memory, each after the
                              finalizers of the one before, where allocations call any; at most 1000000; default 1 */
  size_t pause_limit_us;   /* a collection that still marks so many microseconds after it has stopped the world is given
                              up, and the heap grows instead until the next. Not one that vgc_collect asks for, nor one
                              for want of memory: a heap that always needs longer is collected by these alone. Default
                              none */
};

/* Fills *config with the defaults (all zero but struct_size). */
static inline void vgc_config_default(struct vgc_config *config) {
  static struct vgc_config defaults; /* as large as the caller knows it, whatever library it meets */
  *config = defaults;
  config->struct_size = sizeof *config;
}

/* Initialises the library; NULL means defaults. 0, or -1 with errno: EALREADY (initialised, perhaps by an earlier
 * allocation), EINVAL (a field or variable out of range, a signal that the system keeps), EBUSY (the suspend signal
 * has a handler of the program's, or is blocked in a thread that started before: set VGC_SUSPEND_SIGNAL, which such
 * threads heed, or unblock it), ENOMEM. stderr names what is refused. */
VGC_API int vgc_init(const struct vgc_config *config);

/* Changes settings while the program runs: of minimum_heap, soft_limit, hard_limit, growth_percent, collect_every, log,
 * finalize_on_demand, memory_retries, pause_limit_us those that are not zero; the limits: SIZE_MAX / 2 is none. The
 * other fields are zero. They count from the next decision on. 0, or -1 with errno EINVAL, stderr names what is
 * refused. This function, vgc_reserve, vgc_disable and vgc_enable also in a hook or a procedure, and after vgc_lock. */
VGC_API int vgc_tune(const struct vgc_config *config);
/* Lets the heap grow by so many bytes before the next collection, and raises minimum_heap to that size. 0, or -1 with
 * errno ENOMEM (beyond hard_limit). */
VGC_API int vgc_reserve(size_t bytes);

/* Returns all memory to the system; every object dies. The library can be initialised again. 0, or -1 with errno: EBUSY
 * (another thread is registered or being started, or the caller is in a collection), EPERM (not initialised), ENOMEM.
 */
VGC_API int vgc_shutdown(void);

/* ---- Allocation ---- */

/* Zeroed memory, scanned conservatively. vgc_malloc(0) returns a unique object. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(1))) void *vgc_malloc(size_t size);
/* Memory that holds no pointers: not scanned, not zeroed. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(1))) void *vgc_malloc_noscan(size_t size);
/* As vgc_malloc(count * size), or as vgc_malloc(SIZE_MAX) if the product overflows: no such memory can be had. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(1, 2))) void *vgc_calloc(size_t count, size_t size);
/* Changes the size of an object, keeping its kind. ptr NULL: vgc_malloc(size). size 0: vgc_free(ptr) and NULL. The
 * object may move; then the old one is freed. On failure NULL, and the old object is untouched. Bytes added to a
 * scanned object are zero. */
VGC_API __attribute__((warn_unused_result, alloc_size(2))) void *vgc_realloc(void *ptr, size_t size);
/* Frees an object at once. NULL is ignored. A pointer that is not the start of a live object is an error: double free,
 * interior, stale, foreign. */
VGC_API void vgc_free(void *ptr);
/* Zeroed and scanned, aligned to a power of two. NULL with EINVAL if it is none. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(2))) void *vgc_aligned_alloc(size_t alignment,
                                                                                           size_t size);
/* Zeroed, scanned, and a root until vgc_free: never collected. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(1))) void *vgc_malloc_uncollectable(size_t size);
/* As vgc_malloc_uncollectable, but not scanned, and not zeroed. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(1))) void *vgc_malloc_uncollectable_noscan(size_t size);
/* Scanned copy of size bytes. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(2))) void *vgc_memdup(const void *source, size_t size);
/* Pointer-free copy of a string. */
VGC_API __attribute__((malloc, warn_unused_result)) char *vgc_strdup(const char *string);

/* A layout tells which words of a type are pointers. */
struct vgc_layout {
  size_t size;                   /* bytes of one element, a multiple of 8 */
  const uint64_t *pointer_words; /* bit w of word w/64: word w of the element may hold a pointer; copied */
  const char *name;              /* for reports; copied; may be NULL */
};
typedef uint32_t vgc_layout_id; /* 0 is none */

/* Registers a layout for the rest of the process. 0 with errno EINVAL (size is no multiple of 8, or 0) or ENOMEM. */
VGC_API vgc_layout_id vgc_layout_register(const struct vgc_layout *layout);
/* Zeroed array of count elements; only the layout's pointer words are scanned. NULL with EINVAL for an unknown id. */
VGC_API __attribute__((malloc, warn_unused_result)) void *vgc_malloc_typed(vgc_layout_id layout, size_t count);

/* A kind tells what the collector does with the objects of a type. Its procedures are called with the world stopped,
 * marking ones by several threads at a time: they allocate nothing (an allocation may fail, as without memory), take no
 * lock, and call nothing of this library but what is said to be for them. */
struct vgc_marker;
/* Shows the pointers of an object of so many usable bytes, all zero if it has just been allocated. */
typedef void vgc_mark_procedure(void *object, size_t size, void *arg, struct vgc_marker *marker);
/* For mark procedures: the object that the pointer names, if there is one, is reachable. Any value is allowed. */
VGC_API void vgc_mark(struct vgc_marker *marker, const void *pointer);
/* The object is about to be reclaimed by the collector. Not 0: it is kept until the next collection finds it
 * unreachable, too. What it points to may have been disclaimed before it, if that is unreachable as well. */
typedef int vgc_disclaim_procedure(void *object, size_t size, void *arg);

enum vgc_scan {
  VGC_SCAN_ALL,      /* every word may be a pointer */
  VGC_SCAN_NONE,     /* no word is; not zeroed */
  VGC_SCAN_PROCEDURE /* `mark` is asked */
};
struct vgc_kind {
  size_t struct_size; /* sizeof(struct vgc_kind) */
  const char *name;   /* for reports; copied; may be NULL */
  enum vgc_scan scan;
  vgc_mark_procedure *mark;
  vgc_disclaim_procedure *disclaim; /* may be NULL. vgc_free does not call it */
  unsigned disclaim_reaches;        /* 1: what an object reaches that is about to be disclaimed, is kept for it; one
                                       that reaches itself through others is never disclaimed, nor collected */
  void *arg;                        /* of both procedures; not scanned */
};
/* Registers a kind for the rest of the process. 0 with errno EINVAL or ENOMEM. */
VGC_API vgc_layout_id vgc_kind_register(const struct vgc_kind *kind);
/* Zeroed, unless the kind is VGC_SCAN_NONE. NULL with EINVAL for an unknown id. */
VGC_API __attribute__((malloc, warn_unused_result, alloc_size(2))) void *vgc_malloc_kind(vgc_layout_id kind,
                                                                                         size_t size);
/* Gives a kind another disclaim procedure, of objects that are there already, too. 0, or -1 with errno EINVAL. */
VGC_API int vgc_kind_set_disclaim(vgc_layout_id kind, vgc_disclaim_procedure *disclaim, unsigned disclaim_reaches);
/* The kind of the live object that begins there, 0 if it has none. */
VGC_API vgc_layout_id vgc_kind_of(const void *object);
/* What is known of an object. */
struct vgc_object {
  size_t struct_size; /* sizeof(struct vgc_object) */
  size_t size;        /* as vgc_usable_size */
  vgc_layout_id kind; /* as vgc_kind_of */
  unsigned scanned, uncollectable;
};
/* Of the live object that begins there. 0, or -1 with errno EINVAL. */
VGC_API int vgc_inspect(const void *object, struct vgc_object *known);
/* For procedures that are called with the world stopped once it is known what is kept (disclaim, visit, finalizer_due,
 * VGC_PHASE_MARKED): whether the object is. Elsewhere whether one begins there that is not reclaimed yet. */
VGC_API int vgc_is_reached(const void *object);

/* Bytes that may be used at ptr, a live object's start; 0 for anything else. */
VGC_API size_t vgc_usable_size(const void *ptr);
/* The address space in which objects are, or may come to be: [*low, *high). Grows by arenas. */
VGC_API void vgc_heap_bounds(void **low, void **high);
/* Start of the live object that ptr points into, or NULL. Any address whatever is allowed. */
VGC_API void *vgc_base_of(const void *ptr);

/* ---- Collection ---- */

/* Collects now. 0, or -1 with errno EBUSY (collection is disabled), ECANCELED (hook give_up) or ENOMEM. A collection
 * that another thread begins after the call counts. */
VGC_API int vgc_collect(void);
/* Collects, and in the stopped world, before anything is reclaimed, shows every object, `reached` 0 for those that are
 * about to be: so leaks are found in a program that frees. `visit` is as a kind's procedures. As vgc_collect. */
typedef void vgc_visit(void *object, size_t size, int reached, void *arg);
VGC_API int vgc_collect_and_visit(vgc_visit *visit, void *arg);
/* With exact_pointers: start + displacement names the object, too. 0, or -1 with errno EINVAL (65536 and more) or
 * ENOMEM. */
VGC_API int vgc_displacement_add(size_t displacement);
/* Changes vgc_config.exact_pointers, for the collections that begin from now on. */
VGC_API void vgc_exact_pointers(int on);
/* While the count of vgc_disable exceeds that of vgc_enable, no collection starts, whatever thread asks. One that runs
 * is waited for. vgc_enable without a vgc_disable is an error. */
VGC_API void vgc_disable(void);
VGC_API void vgc_enable(void);
/* Bytes of pages that hold objects, or are kept for some. Any context, also a hook's or a procedure's. */
VGC_API size_t vgc_heap_bytes(void);
/* Between the two no collection runs, and no other thread is between them: so a disguised pointer can be made a plain
 * one before the object that it names is found unreachable. One that runs is waited for. They do not nest; in between
 * the thread calls nothing that waits for others, nor fork, nor of this library what collects or stops the world. */
VGC_API void vgc_lock(void);
VGC_API void vgc_unlock(void);
/* Gives free pages back to the system. Returns the number of bytes. */
VGC_API size_t vgc_trim(void);

/* ---- Finalizers ---- */

/* Called once, with no lock of the library's held, when a collection has found the object unreachable. Until then the
 * object, its contents and what arg points to are kept. It may allocate, free, collect, and make the object reachable
 * again (a finalizer may then be set anew). It returns: by no longjmp, pthread_exit or cancellation. What of other
 * finalizers becomes due meanwhile is called when it has returned. */
typedef void vgc_finalizer(void *object, void *arg);

/* What keeps a finalizer from being called, beside that its object is reachable from the roots: */
enum vgc_order {
  VGC_ORDERED,     /* another object with a finalizer reaches it: that one's comes first. One that reaches itself is
                      never finalized, nor collected */
  VGC_IGNORE_SELF, /* as above, but its own pointers into itself do not count */
  VGC_UNORDERED,   /* nothing but one of another order that reaches it; itself, it keeps nothing waiting */
  VGC_UNREACHABLE, /* as VGC_ORDERED, and that an unordered one reaches it, which may bring it back */
};

/* Sets the finalizer of a live object, which begins there, instead of any that it has; NULL: none. vgc_free forgets it
 * without calling it, as does vgc_realloc when the object moves; once it is due, the object must not be freed before it
 * was called. It outlives the thread that sets it; at the end of the
 * process it is not called. 0, or -1 with errno EINVAL (no object begins there, or no such order) or ENOMEM. */
VGC_API int vgc_set_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order);
/* The finalizer that is set and not due, or NULL; its argument in *arg, if arg is not NULL. */
VGC_API vgc_finalizer *vgc_get_finalizer(const void *object, void **arg);
/* As vgc_set_finalizer; what was set before goes to *old and *old_arg, in the same instant. */
VGC_API int vgc_exchange_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order,
                                   vgc_finalizer **old, void **old_arg);
/* Makes every finalizer that is set due, whatever is reachable, and calls them; as vgc_finalize. */
VGC_API size_t vgc_finalize_all(void);
/* Calls the finalizers that are due, also those that become due meanwhile, and returns how many it called. Inside of a
 * finalizer, too, which is not called again; no other function calls them there. */
VGC_API size_t vgc_finalize(void);
/* How many are due; exact while no other thread collects or finalizes. */
VGC_API size_t vgc_finalizers_due(void);

/* ---- Weak links ---- */

/* When a link to an unreachable object is cleared: before finalizers are looked at, so that who follows links meets
 * nothing that is about to be finalized; or only when it is reclaimed, after its finalizer. */
enum vgc_weak { VGC_WEAK_SHORT, VGC_WEAK_LONG };

/* Stores the address of a live object, which begins there, in *link, and NULL in the same instant in which a collection
 * finds it unreachable. A link is a word that the collector does not scan: of pointer-free memory, or outside of the
 * heap. vgc_weak_get reads it; what it returns is alive. It is forgotten with the object in which it
 * stands, and must be removed before other memory in which it stands is given up. From now on, whether the link stays
 * or not, the object is left to the collector when it is freed. 0, or -1 with errno EINVAL (link is no word's address,
 * or no object begins there), EEXIST (it is a link already: it has not changed) or ENOMEM. */
VGC_API int vgc_weak_add(void **link, void *object, enum vgc_weak kind);
/* For words whose content is the program's, which may have disguised the address: it is not stored, nor moved, just
 * overwritten by NULL when vgc_weak_add's would be. A word may be of both kinds. Of several objects for which one is
 * watched, the last counts. 0; 1 if it was watched already; or -1 with errno EINVAL or ENOMEM. */
VGC_API int vgc_weak_watch(void **link, void *object, enum vgc_weak kind);
/* As vgc_weak_move, and vgc_weak_remove. */
VGC_API int vgc_weak_move_watch(void **from, void **to, enum vgc_weak kind);
VGC_API int vgc_weak_unwatch(void **link, enum vgc_weak kind);
/* What the link holds. */
static inline void *vgc_weak_get(void *const *link) { return __atomic_load_n(link, __ATOMIC_RELAXED); }
/* Moves a link, with what it holds, to another word. 0, or -1 with errno ENOENT (`from` is none, or has been cleared),
 * EEXIST (`to` is one already), EINVAL, ENOMEM. */
VGC_API int vgc_weak_move(void **from, void **to);
/* Makes a link a word like any other; *link stays. 0, or -1 with errno ENOENT. */
VGC_API int vgc_weak_remove(void **link);

/* A value that is kept for the sake of a key: it is reachable if the ephemeron and the key are, and so may itself
 * point to the key (Hayes, Ephemerons, OOPSLA 1997). The ephemeron, an object of the heap, keeps neither. When the key
 * is found unreachable, before finalizers are looked at, key and value become NULL in the same instant. */
struct vgc_ephemeron;
/* Both are live objects, which begin there; value may be NULL. From now on the key is left to the collector when it is
 * freed. NULL with errno EINVAL or ENOMEM. */
VGC_API struct vgc_ephemeron *vgc_ephemeron_new(void *key, void *value);
VGC_API void *vgc_ephemeron_key(const struct vgc_ephemeron *ephemeron);
VGC_API void *vgc_ephemeron_value(const struct vgc_ephemeron *ephemeron);

/* ---- Dead words ---- */

/* The collector takes every word of a live frame, and of a stopped thread's registers, for a pointer: also a variable
 * that is not used any more. Where that matters (a frame that lasts, an object that must be finalized soon) a code
 * generator, or a careful program, says so. Allocation clears some of the dead stack now and then, vgc_collect what was
 * used of it, down to 64 KiB that were not. */

/* The variable, a pointer that is not const, is not used any more. It is cleared both in a register and in memory, for
 * a compiler keeps it in one, or in the other over calls, and drops a plain store of NULL. */
#ifdef __aarch64__
#define VGC_CLEAR(variable) __asm__ volatile("mov %0, xzr" : "+r"(variable))
#else
#define VGC_CLEAR(variable) __asm__ volatile("xorl %k0, %k0" : "+r"(variable) : : "cc")
#endif
#define VGC_DEAD(variable)                                                                                             \
  __extension__({                                                                                                      \
    VGC_CLEAR(variable);                                                                                               \
    __asm__ volatile("" : "+m"(variable));                                                                             \
  })
/* Nor is what calls and expressions have left in the registers that a function may use without saving them. */
VGC_API void vgc_clear_registers(void);
/* Nor is what lies below the caller's frame, on the calling thread's own stack: as vgc_collect does. */
VGC_API void vgc_clear_stack(void);

/* ---- Roots ---- */

/* Adds a range that is scanned as a root, all of it readable until it is removed; bounds are rounded inwards to words.
 * 0, or -1: EINVAL (start is NULL, or the range wraps around), EEXIST (added already), ENOMEM. */
VGC_API int vgc_root_add(const void *start, size_t size);
/* Removes a range added with the same start and size. 0, or -1 with errno ENOENT. */
VGC_API int vgc_root_remove(const void *start, size_t size);
/* Called with the world stopped for each collection, possibly several times: gives ranges to push. It must not
 * allocate, lock, or call into libc. What it pushes is readable, and may be a stack: its words may point anywhere.
 * Adding and removing: as for ranges; EINVAL: NULL. */
typedef void vgc_root_push(void *sink, const void *start, size_t size);
typedef void vgc_root_callback(void *arg, vgc_root_push *push, void *sink);
VGC_API int vgc_root_add_callback(vgc_root_callback *callback, void *arg);
VGC_API int vgc_root_remove_callback(vgc_root_callback *callback, void *arg);

/* Whether the writable data of loaded objects, the program included, are roots: default 1. Thread-local storage is. */
VGC_API void vgc_root_modules(int on);
/* Leaves a range out of that, and of what is added by range; and puts it back in. 0, or -1 as when one is added. */
VGC_API int vgc_root_exclude(const void *start, size_t size);
VGC_API int vgc_root_include(const void *start, size_t size);
/* Asked about each such segment when the list of loaded objects is made anew: 0 leaves it out. It allocates nothing of
 * this library's. NULL: none. Name: as dl_iterate_phdr gives it, "" is the program. */
typedef int vgc_root_filter(void *arg, const char *name, const void *start, size_t size);
VGC_API void vgc_root_set_filter(vgc_root_filter *filter, void *arg);

/* ---- Threads ---- */

/* Registers the calling thread, if the library has not seen it start. 0, or -1: EALREADY, ENOMEM. */
VGC_API int vgc_thread_attach(void);
/* Whether the calling thread is registered. */
VGC_API int vgc_thread_attached(void);
/* Unregisters it; objects that only it reaches may be collected. A later allocation registers it again. 0, or -1 with
 * errno EPERM (not registered). */
VGC_API int vgc_thread_detach(void);
/* Between the two the calling thread touches no object of the heap and calls nothing else of this library; it is
 * scanned from where it entered, so the function that called enter does not return before leave, but not signalled.
 * leave waits for a running collection. Nesting is an error. A thread that ends in between leaves by itself: with
 * pthread_exit at once, cancelled after its cleanup handlers, of which one that uses the heap calls leave first. */
VGC_API void vgc_blocking_enter(void);
VGC_API void vgc_blocking_leave(void);
/* Calls function(arg) in a blocking region, and returns what it does. Calls nest, other than the two above. */
VGC_API void *vgc_call_blocking(void *(*function)(void *), void *arg);
/* Out of a blocking region, back into it afterwards: what function calls may use the heap. Outside of one it is just
 * called. */
VGC_API void *vgc_call_active(void *(*function)(void *), void *arg);
/* From now on the calling thread's stack ends where *bottom says at each collection (the address behind its highest
 * byte; NULL: where the system says): for threads that change stacks. Other stacks, its first included, are given to
 * the collector by a root callback. bottom itself NULL: never mind. 0, or -1 with errno ENOMEM. */
VGC_API int vgc_stack_follow(void *const *bottom);
/* Where the calling thread's stack ends now. */
VGC_API void *vgc_stack_bottom(void);
/* Holds a registered thread where it is, or, if it is in a blocking region, at its end: from the return of the first
 * on, or if it is the caller from the call on, until the second is called, once, whatever the number of calls of the
 * first. Collections go on. The thread keeps the locks that it has of the program's and of libc's; a collection may
 * need the loader's (dlopen, dl_iterate_phdr). But it is let out of the library's own part of fork, and of its look at
 * loaded objects (vgc_root_filter), before: the caller holds no lock for which it may wait there. A child that it forks
 * in a region is not held. 0, or -1 with errno ESRCH (no such thread is registered). */
VGC_API int vgc_thread_suspend(pthread_t thread);
VGC_API int vgc_thread_resume(pthread_t thread);
VGC_API int vgc_thread_suspended(pthread_t thread);
/* Stops all other registered threads, until vgc_resume_world, which the same thread calls; in between it calls nothing
 * else of this library, takes no lock that they may hold, and does not wait for them otherwise (as setuid does). */
VGC_API void vgc_stop_world(void);
VGC_API void vgc_resume_world(void);
/* What libvgc defines pthread_create and its relatives as. For who cannot rely on that definition, since another
 * library comes before this one in the linker's order. */
VGC_API int vgc_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg);
VGC_API int vgc_pthread_join(pthread_t thread, void **result);
VGC_API int vgc_pthread_detach(pthread_t thread);
VGC_API __attribute__((noreturn)) void vgc_pthread_exit(void *result);
/* The signal that suspends threads. */
VGC_API int vgc_suspend_signal(void);
/* A place to stop: needed only in long loops without calls or atomics in a ThreadSanitizer build. */
VGC_API void vgc_poll(void);

/* ---- Seeing inside ---- */

struct vgc_stats {
  size_t struct_size;         /* in: sizeof(struct vgc_stats) */
  uint64_t cycles;            /* completed collections */
  uint64_t stops;             /* world stops */
  uint64_t suspensions;       /* threads suspended or found blocking, over all stops */
  uint64_t objects_allocated; /* since start */
  uint64_t objects_freed;     /* by vgc_free, since start, but for those left to the collector */
  uint64_t objects_swept;     /* by the collector, since start */
  uint64_t bytes_allocated;   /* in slots, which may exceed what was asked for */
  uint64_t bytes_freed;
  uint64_t bytes_swept;
  uint64_t live_objects; /* allocated - freed - swept; while other threads run, of about one moment */
  uint64_t live_bytes;
  uint64_t marked_bytes; /* found live by the last collection */
  uint64_t heap_bytes;   /* pages in spans */
  uint64_t free_bytes;   /* pages kept for reuse */
  uint64_t peak_heap_bytes;
  uint64_t metadata_bytes; /* resident for descriptors, maps, caches, mark stack, threads and roots, at most */
  uint64_t arenas;
  uint64_t threads;       /* registered now */
  uint64_t trigger_bytes; /* live bytes at which the next collection starts */
  uint64_t pause_ns_last;
  uint64_t pause_ns_max;
  uint64_t pause_ns_total;
  uint64_t stop_ns_last; /* of the pause: until every thread had stopped */
  uint64_t stop_ns_max;
  uint64_t cycles_given_up; /* not among `cycles`; their pauses count */
};
/* Fills at most stats->struct_size bytes. Exact when no other thread allocates or frees; sweeps what is left to sweep.
 * 0, or -1 with errno EINVAL. */
VGC_API int vgc_get_stats(struct vgc_stats *stats);
/* As vgc_get_stats, but only what takes neither a lock nor a walk over the heap: bytes_allocated, marked_bytes,
 * heap_bytes, free_bytes and trigger_bytes; the others are 0. Cheap, and in any context, also a hook's or a
 * procedure's. */
VGC_API int vgc_peek_stats(struct vgc_stats *stats);
/* bytes_allocated alone: cheap, and in any context, also a hook's or a procedure's. */
VGC_API uint64_t vgc_allocated_bytes(void);

enum vgc_error {
  VGC_ERROR_NONE = 0,
  VGC_ERROR_DOUBLE_FREE,   /* the slot is free already */
  VGC_ERROR_FREE_INTERIOR, /* points into an object, not at its start */
  VGC_ERROR_FREE_STALE,    /* inside the heap, but no object is there (its pages were given back or never used) */
  VGC_ERROR_FREE_FOREIGN,  /* outside the heap: stack, global, unmapped, null page, another allocator */
  VGC_ERROR_UNBALANCED,    /* enable without disable, blocking leave without enter, nested enter */
  VGC_ERROR_SIGNAL,        /* the suspend signal's handler was replaced: always fatal after the hook */
  VGC_ERROR_CORRUPT,       /* a check found the heap damaged: always fatal after the hook */
};

/* In this order. */
enum vgc_phase {
  VGC_PHASE_STOPPING,
  VGC_PHASE_STOPPED,
  VGC_PHASE_MARKED,    /* all that is kept is marked */
  VGC_PHASE_RECLAIMED, /* what is not, is known to be free; most of it is reclaimed later, by who allocates */
  VGC_PHASE_RESUMING,
  VGC_PHASE_RESUMED, /* may be followed by STOPPING, if the loaded objects have changed: that stop collected nothing */
  VGC_PHASE_ENDED,   /* of what cycle_start announced, each time: also if nothing was collected */
};

enum vgc_reason {
  VGC_REASON_CALL,
  VGC_REASON_PACE,   /* enough was allocated, or many links and finalizers added */
  VGC_REASON_MEMORY, /* it is that, or an allocation that fails */
  VGC_REASON_STRESS, /* collect_every */
};
/* Why the collection is to begin that may_collect is asked about: for that hook. */
VGC_API enum vgc_reason vgc_collection_reason(void);
/* Whether the caller is in one of a collection's hooks or procedures, or has stopped the world. Any context. */
VGC_API int vgc_in_collection(void);

struct vgc_hooks {
  size_t struct_size;
  void *arg;                      /* first argument of each */
  void (*cycle_start)(void *arg); /* before the stop, on the collecting thread, with locks held; calls nothing of the
                                     library, nor fork */
  void (*cycle_end)(void *arg, const struct vgc_stats *); /* after the world runs again */
  void *(*out_of_memory)(void *arg, size_t size);         /* its result is returned for the failed allocation */
  /* On the thread that met the error. It calls nothing of this library, which may hold locks or be halfway through a
   * list, nor fork, whose handlers take those locks (posix_spawn has none); for VGC_ERROR_CORRUPT other threads may be
   * stopped, so it takes no lock that they may hold (stdio's, malloc's). */
  void (*error)(void *arg, enum vgc_error, const void *ptr, const char *message);
  /* A collection has ended, and finalizers are due, by it or still; on the thread that collected, with no lock held.
   * For a program that calls vgc_finalize in a thread of its own. */
  void (*finalizers_due)(void *arg);
  /* Before a collection, on the thread that is about to begin it, with no lock held; may call vgc_tune. 0 refuses it,
   * as vgc_disable would. */
  int (*may_collect)(void *arg);
  /* How far a collection is, on its thread, with locks held: as a kind's procedures. */
  void (*phase)(void *arg, enum vgc_phase);
  /* For each object whose finalizer has become due; as a kind's procedures. */
  void (*finalizer_due)(void *arg, void *object);
  /* For each thread that a collection has suspended, and again before they are resumed; as a kind's procedures. 0 as
   * `thread`: one that vgc knows no handle of. */
  void (*thread)(void *arg, pthread_t thread, int suspended);
  /* While a collection marks, now and then, on its thread, with the world stopped; as a kind's procedures. Nonzero
   * gives it up: nothing is reclaimed, and no finalizer becomes due. Not asked of one for want of memory. */
  int (*give_up)(void *arg);
};
/* Replaces all hooks (NULL: none) and copies them, as far as struct_size says (sizeof(struct vgc_hooks)); the old ones
 * go to *old if it is not NULL. A thread that is about to call an old one still does. A set that was never in force
 * before takes a little memory for good. */
VGC_API void vgc_set_hooks(const struct vgc_hooks *hooks, struct vgc_hooks *old);

#ifdef __cplusplus
}
#endif
#endif
