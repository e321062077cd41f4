/* An exhaustive search kept in a file, to go on with another day. */
#ifndef INTERLEAVE_SAVED_H
#define INTERLEAVE_SAVED_H

#include "explore.h"

/* False, with a line on stderr, on an error. The file is replaced as a whole. */
bool saved_write(const char *path, const struct result *, const struct strategy *, const struct hash_set *);
bool saved_read(const char *path, struct result *, struct strategy *, struct hash_set *);

#endif
