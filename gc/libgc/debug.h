/* Debugging allocation: objects that know where they were made, and whether their ends were overwritten. */
#ifndef LIBGC_DEBUG_H
#define LIBGC_DEBUG_H

#include "layer.h"

/* In front of what the program is given; behind it stands the seal, too. */
struct debug_header {
  GC_word guard; /* tells that it is one; inverted once it is freed */
  const char *file;
  GC_word line;
  GC_word size;    /* what was asked for */
  GC_word seal[2]; /* of the words above, and the first to be hit by what is written in front of the object */
};

/* What a header and the seals tell. */
struct debug_object {
  bool is_one, freed;
  const char *smashed; /* where it is overwritten; NULL: nowhere */
  const char *file;    /* NULL: not known */
  GC_word line;
  size_t size;
};

/* Whether there are such objects. */
extern INTERNAL bool debug_used;

/* The object that begins there and has so many bytes. World stopped, or a live object. */
INTERNAL struct debug_object debug_look(const void *object, size_t bytes);

#endif
