/* A second marker, made to be obviously right: no queues, no prefetch, division instead of reciprocals, one bit for
 * each 8 bytes of heap in a map of its own. It shares with mark.c only the roots and the page map. */
#ifndef VGC_CHECK_MARK_H
#define VGC_CHECK_MARK_H

/* Marks anew from the roots and compares every object's mark. World stopped; aborts on a difference, naming the object.
 */
void check_mark_compare(void);

#endif
