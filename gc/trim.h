/* Gives idle memory back to the system while the program does nothing: a thread of the library's own, if vgc_config
 * asks for it, that looks every trim_ms. */
#ifndef VGC_TRIM_H
#define VGC_TRIM_H

#include <stdbool.h>

/* Starts the thread if there is none, and one is asked for. No lock of ours held, for its creation may allocate.
 * Without memory for a thread there is none: vgc_trim and cycles still give memory back. */
void trim_start(void);
/* Ends and joins it (shutdown). Initialisation lock. */
void trim_stop(void);
/* Around a fork: a child has no such thread until it initialises again. */
void trim_before_fork(void);
void trim_after_fork(bool child);

#endif
