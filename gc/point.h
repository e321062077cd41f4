/* Named places at which a white-box test parks a thread. They compile to nothing unless VGC_POINTS is defined, which
 * only the white-box build of the library does; there each calls vgc_point_hook with the point's name. */
#ifndef VGC_POINT_H
#define VGC_POINT_H

#if defined(VGC_POINTS)
#include <stdatomic.h>

/* Set before threads start, by the test. The hook may block; it runs in the middle of whatever passes the point. */
extern void (*_Atomic vgc_point_hook)(const char *name);
#define POINT(name)                                                                                                    \
  do {                                                                                                                 \
    void (*hook_)(const char *) = atomic_load_explicit(&vgc_point_hook, memory_order_acquire);                         \
    if (hook_) hook_(#name);                                                                                           \
  } while (0)
#else
#define POINT(name) ((void)0)
#endif

#endif
