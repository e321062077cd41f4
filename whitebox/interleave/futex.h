#ifndef INTERLEAVE_FUTEX_H
#define INTERLEAVE_FUTEX_H

#include <stdint.h>
#include <time.h>

/* The futex system call; its result, or an error as a negative number. */
long futex_call(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout, uint32_t mask,
                const void *pc);

#endif
