/* Reports of invalid use and of damage, through the program's hook or, without one, one line and an abort. */
#ifndef VGC_ERROR_H
#define VGC_ERROR_H

#include <stddef.h>

#include "vgc.h"

/* message says what was found, what was expected, and what to do. Any locks may be held. Returns only if a hook
 * returned; never returns for VGC_ERROR_CORRUPT. */
void error_report(enum vgc_error, const void *ptr, const char *message);

/* The program's hooks; never NULL. */
const struct vgc_hooks *hooks_get(void);

/* Tells the program how far the cycle is. */
void hooks_phase(enum vgc_phase);

/* What the out-of-memory hook gives for an allocation that failed, or NULL with errno ENOMEM. No locks held. */
void *hooks_out_of_memory(size_t size);

/* For checks that hold at level 1 and above: prints the condition and aborts. */
_Noreturn void check_failed(const char *condition, const char *file, int line);
#define CHECK(condition) (__builtin_expect(!(condition), 0) ? check_failed(#condition, __FILE__, __LINE__) : (void)0)

#endif
