/* What is scanned first: all writable segments of all loaded objects except vgc's own data (N23), thread-local storage,
 * stacks, registers, start arguments, results, and what the program adds. */
#ifndef VGC_ROOTS_H
#define VGC_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

struct thread;

/* Receives root ranges with the world stopped. thread is the record whose own stack, registers or thread-local storage
 * the range belongs to, or NULL. Bounds are aligned to words, every word is readable. */
typedef void roots_range(void *context, const void *low, const void *high, struct thread *thread);

/* Enumerates the loaded objects while it holds the loader's lock, and calls body(arg) with that lock still held, so
 * that no dlclose can unmap a segment between enumeration and scan (N22, B12). Before any lock of vgc's: a thread that
 * holds the loader's lock may allocate, and then waits for ours. False if there was no memory for the list of objects:
 * then body has not been called. */
bool roots_with_modules(void (*body)(void *), void *arg);

/* All roots. World stopped, inside roots_with_modules; the caller holds the roots lock. */
void roots_scan(roots_range *range, void *context);

/* See vgc.h; take the roots lock. */
int roots_add(const void *start, size_t size);
int roots_remove(const void *start, size_t size);
int roots_add_callback(void (*callback)(void *, void (*)(void *, const void *, size_t), void *), void *arg);
int roots_remove_callback(void (*callback)(void *, void (*)(void *, const void *, size_t), void *), void *arg);
void roots_lock(void);
void roots_unlock(void);
/* Forgets all added roots (shutdown). */
void roots_clear(void);

#endif
