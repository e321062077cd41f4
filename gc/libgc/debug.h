/* Debugging allocation: objects that know where they were made, and whether their ends were overwritten. */
#ifndef LIBGC_DEBUG_H
#define LIBGC_DEBUG_H

#include "layer.h"

/* In front of what the program is given; behind it stands `guard`, too. */
struct debug_header {
  GC_word guard; /* see debug_guard */
  const char *file;
  GC_word line;
  GC_word size; /* what was asked for */
};

/* Whether there are such objects. */
extern INTERNAL bool debug_used;

/* The header of the object that begins there and has so many bytes, or NULL. World stopped, or a live object. */
INTERNAL const struct debug_header *debug_header_at(const void *object, size_t bytes);
/* Whether something has been written behind its end. */
INTERNAL bool debug_is_smashed(const struct debug_header *header);

#endif
