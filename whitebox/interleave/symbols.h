/* Names for addresses of this program: of code through a symbolizer that runs as a child, of data from its own symbol
 * table. */
#ifndef INTERLEAVE_SYMBOLS_H
#define INTERLEAVE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct place {
  const char *function, *file; /* "??" if not known */
  unsigned line;
  const struct place *inlined_into; /* or NULL */
};

/* Looks up all return addresses at once: a call costs a tenth of a second and more. */
void symbols_resolve(const void *const *pcs, size_t count);
/* Of a return address given to symbols_resolve: never NULL. Innermost first. */
const struct place *symbols_place(const void *pc);
/* "name", "name+8" or "0x..."; text holds at least 128 bytes. */
const char *symbols_object(uintptr_t address, char *text, size_t size);
/* The last part of a path. */
const char *symbols_base_name(const char *path);

#endif
