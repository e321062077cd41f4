/* The allocators and collectors under comparison: one BENCH_* macro chooses. Each is called as its own users would,
 * through its shared library, with no wrapper in between.
 *
 *   bench_alloc(size)         may hold pointers
 *   bench_alloc_noscan(size)  holds none
 *   bench_free(pointer)       nothing where the collector alone reclaims
 *   bench_collect()           a full collection; this and those below only of collectors
 *   bench_root_add(start, n)  n bytes are scanned, too; 0, or -1 if the system takes no more
 *   bench_finalizer(p, f)     f(p, NULL) is called when p is unreachable, in order of reachability
 *
 * vgc and libgc give zeroed memory from bench_alloc, malloc does not: that is what a program gets from each.
 * BENCH_MIMALLOC_ZERO is malloc with the same promise.
 *
 *   bench_alloc_kind(size)    the first, or with BENCH_NOSCAN the second: NAME_noscan is NAME.c once more
 *   BENCH_KIND                says which, as a string to append */
#ifndef BENCH_SYSTEM_H
#define BENCH_SYSTEM_H

#include <stddef.h>

#if defined(BENCH_VGC) || defined(BENCH_VGC_COLLECT)

#include <vgc.h>
#define bench_alloc(size)        vgc_malloc(size)
#define bench_alloc_noscan(size) vgc_malloc_noscan(size)
#if defined(BENCH_VGC)
#define bench_free(pointer) vgc_free(pointer)
#else
#define bench_free(pointer) ((void)(pointer))
#endif
#define bench_collect()             ((void)vgc_collect())
#define bench_root_add(start, size) vgc_root_add(start, size)
#define bench_finalizer(object, f)  ((void)vgc_set_finalizer(object, f, NULL, VGC_ORDERED))
#define bench_start()               ((void)0)

#elif defined(BENCH_LIBGC) || defined(BENCH_LIBGC_FREE)

/* Takes over pthread_create, too: whatever starts threads must include this header. */
#define GC_THREADS
#include <gc/gc.h>
#define bench_alloc(size)        GC_MALLOC(size)
#define bench_alloc_noscan(size) GC_MALLOC_ATOMIC(size)
#if defined(BENCH_LIBGC_FREE)
#define bench_free(pointer) GC_FREE(pointer)
#else
#define bench_free(pointer) ((void)(pointer))
#endif
#define bench_collect()             GC_gcollect()
#define bench_root_add(start, size) (GC_add_roots(start, (char *)(start) + (size)), 0) /* aborts at its limit */
#define bench_finalizer(object, f)  GC_REGISTER_FINALIZER(object, f, NULL, NULL, NULL)
#define bench_start()               GC_INIT()

#elif defined(BENCH_MIMALLOC) || defined(BENCH_MIMALLOC_ZERO)

#include <mimalloc.h>
#if defined(BENCH_MIMALLOC_ZERO)
#define bench_alloc(size) mi_zalloc(size)
#else
#define bench_alloc(size) mi_malloc(size)
#endif
#define bench_alloc_noscan(size) mi_malloc(size)
#define bench_free(pointer)      mi_free(pointer)
#define bench_start()            ((void)0)

#elif defined(BENCH_MALLOC) /* glibc, or whatever shared library takes its place: jemalloc */

#include <stdlib.h>
#define bench_alloc(size)        malloc(size)
#define bench_alloc_noscan(size) malloc(size)
#define bench_free(pointer)      free(pointer)
#define bench_start()            ((void)0)

#elif defined(BENCH_LIMIT) /* a program of its own, bound by the machine alone */

#define bench_start() ((void)0)

#else
#error "no system chosen: define one of the BENCH_* macros above"
#endif

#if defined(BENCH_NOSCAN)
#define bench_alloc_kind(size) bench_alloc_noscan(size)
#define BENCH_KIND             " without pointers"
#else
#define bench_alloc_kind(size) bench_alloc(size)
#define BENCH_KIND             ""
#endif
#endif
