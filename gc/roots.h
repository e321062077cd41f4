/* What is scanned first: all writable segments of all loaded objects except vgc's own data (N23), thread-local storage,
 * stacks, registers, start arguments, results, and what the program adds. */
#ifndef VGC_ROOTS_H
#define VGC_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

struct thread;

/* Receives root ranges with the world stopped. thread is the record whose own stack, registers or thread-local storage
 * the range belongs to, or NULL; is_static: see vgc_config.exact_pointers. Bounds are aligned to words, every word is
 * readable. */
typedef void roots_range(void *context, const void *low, const void *high, struct thread *thread, bool is_static);

/* Lists the loaded objects for the scans to come. Takes the loader's lock: no lock of ours held, for a thread inside
 * the loader may allocate and wait for ours. False without memory. */
bool roots_list_modules(void);
/* No thread lists them from the first to the second, so that a forked child does not inherit the loader's lock. The
 * first waits, with no lock of ours held. */
void roots_before_fork(void);
void roots_after_fork(void);
/* Whether there is a list yet, by the filter that is in force. Roots lock. */
bool roots_modules_listed(void);
/* Whether the list still holds: no object came or went, or is about to (B12, N22). World stopped, roots lock. */
bool roots_modules_hold(void);

/* All roots. World stopped, roots lock, modules hold. */
void roots_scan(roots_range *range, void *context);
/* Bytes that it has given. Collect lock. */
size_t roots_scanned(void);
/* Check level 3: the same words as the last scan, once; threads in blocking regions and those that nobody knows may
 * have changed them since. World stopped. */
void roots_scan_again(roots_range *range, void *context);

/* See vgc.h; take the roots lock. */
int roots_add(const void *start, size_t size);
int roots_remove(const void *start, size_t size);
int roots_add_callback(void (*callback)(void *, void (*)(void *, const void *, size_t), void *), void *arg);
int roots_remove_callback(void (*callback)(void *, void (*)(void *, const void *, size_t), void *), void *arg);
void roots_modules(bool on);
int roots_exclude(const void *start, size_t size);
int roots_include(const void *start, size_t size);
void roots_set_filter(int (*filter)(void *, const char *, const void *, size_t), void *arg);
void roots_lock(void);
void roots_unlock(void);
/* Forgets all that the program has said about roots (shutdown). */
void roots_clear(void);
/* Bytes of the tables of added roots and exclusions. Takes the roots lock. */
size_t roots_bytes(void);

#endif
