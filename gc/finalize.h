/* Finalizers and weak links: which of them a cycle meets, and the calls. */
#ifndef VGC_FINALIZE_H
#define VGC_FINALIZE_H

#include <stdbool.h>
#include <stddef.h>

/* World stopped, between mark_reachable and mark_end, with the special lock: */

/* Clears short links to what is unreachable, makes its finalizers due, and marks what they are still to see. */
void finalize_unreached(void);
/* When all that is kept is marked: clears long links, and forgets what was attached to anything else. */
void finalize_forget(void);

/* For the second marker, after that: shows what is kept for the sake of finalizers alone: what is due, and, as
 * `contents`, those of objects that make others wait. */
void finalize_show_kept(void (*show)(const void *object, bool contents));

/* Makes each finalizer due that is set. No lock held. */
void finalize_make_all_due(void);
/* As an allocation: calls what is due, unless the program does that itself, or is in a hook. No lock held. */
void finalize_now_and_then(void);
/* Calls what is due. No lock held. How many it called. */
size_t finalize_run(void);
/* The same, unless the thread is calling a finalizer already. */
size_t finalize_run_outermost(void);

#endif
