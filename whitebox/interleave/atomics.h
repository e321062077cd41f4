/* Atomic locations and the history of their stores. */
#ifndef INTERLEAVE_ATOMICS_H
#define INTERLEAVE_ATOMICS_H

#include "runtime.h"

void atomics_initialize(void);
/* A plain write overlaps atomics of the word whose first is `location`: their histories start again from memory. */
void atomics_overwritten(uint32_t location, uintptr_t address, size_t size);

uint64_t atomics_load(uintptr_t address, unsigned size, int order, const void *pc);
/* Whatever one lane has seen or stored, another has seen too. */
void atomics_share(unsigned lane, unsigned with);
/* The kernel has looked at the word for the current thread, which reads nothing older from now on. */
void atomics_see_newest(uintptr_t address, unsigned size);
void atomics_store(uintptr_t address, unsigned size, uint64_t value, int order, const void *pc);

enum rmw { RMW_EXCHANGE, RMW_ADD, RMW_SUB, RMW_AND, RMW_OR, RMW_XOR, RMW_NAND };
/* Returns the old value. */
uint64_t atomics_rmw(enum rmw, uintptr_t address, unsigned size, uint64_t operand, int order, const void *pc);
/* Whether it succeeded; *expected becomes what was read if not. */
bool atomics_compare_exchange(uintptr_t address, unsigned size, uint64_t *expected, uint64_t desired, bool weak,
                              int order, int failure_order, const void *pc);

#endif
