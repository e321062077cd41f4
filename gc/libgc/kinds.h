/* Kinds as libgc numbers them. */
#ifndef LIBGC_KINDS_H
#define LIBGC_KINDS_H

#include "layer.h"

enum { KIND_POINTER_FREE, KIND_NORMAL, KIND_UNCOLLECTABLE, KIND_UNCOLLECTABLE_POINTER_FREE, KINDS_BUILT_IN };

struct kind {
  GC_word descriptor;        /* gc_mark.h: tag and template */
  bool adds_size;            /* to the template */
  bool clears;               /* new objects */
  GC_disclaim_proc disclaim; /* any thread, relaxed: set once objects may be there already */
  vgc_layout_id id;
};

#endif
