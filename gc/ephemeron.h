/* Values that are kept for the sake of keys. World stopped, between mark_reachable and mark_end, with the special lock:
 */
#ifndef VGC_EPHEMERON_H
#define VGC_EPHEMERON_H

/* Marks the values of those that are reached, and whose keys are, by now, until no value leads to another key. */
void ephemerons_mark_values(void);
/* For who calls that often: until the end of the index each call looks at those alone of which something was marked
 * since. Nothing, if there is no memory. */
void ephemerons_index(void);
void ephemerons_end_index(void);
/* Clears keys and values where the key is not. */
void ephemerons_clear_keys(void);
/* Forgets those that are not. */
void ephemerons_forget(void);

#endif
