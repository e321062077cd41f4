/* The code under test, as the build step objects.py has made it: its writable sections and its constructors, which run
 * on the model's main thread and not when the process starts. */
#ifndef INTERLEAVE_SECTIONS_H
#define INTERLEAVE_SECTIONS_H

#include <stddef.h>

#include "interleave.h"

struct section {
  char *low, *high;
};

extern const struct section interleave_sections[];
extern const size_t interleave_sections_count;
/* Arrays of void (*)(void), in order of priority. */
extern const struct section interleave_constructors[];
extern const size_t interleave_constructors_count;

extern const struct interleave_model __start_interleave_models[], __stop_interleave_models[];

#endif
