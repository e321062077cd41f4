/* A second marker, made to be obviously right: no queues, no prefetch, division instead of reciprocals, one bit for
 * each 8 bytes of heap in a map of its own. It shares with mark.c only the roots and the page map. */
#ifndef VGC_CHECK_MARK_H
#define VGC_CHECK_MARK_H

#include <stdbool.h>

/* World stopped: */

/* Marks anew, from the roots and from what is kept for finalizers. */
void check_mark_again(void);
/* After that: marks the object, which begins there, and all that it reaches; `contents`: not itself, nor by its own
 * words. */
void check_mark_keep(const void *object, bool contents);
/* After mark_end: compares every object's mark. Aborts on a difference, naming the object. */
void check_mark_compare(void);

#endif
