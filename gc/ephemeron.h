/* Values that are kept for the sake of keys. World stopped, between mark_reachable and mark_end, with the special lock:
 */
#ifndef VGC_EPHEMERON_H
#define VGC_EPHEMERON_H

/* Marks the values of those that are reached, and whose keys are, by now. */
void ephemerons_mark_values(void);
/* Clears keys and values where the key is not. */
void ephemerons_clear_keys(void);
/* Forgets those that are not. */
void ephemerons_forget(void);

#endif
