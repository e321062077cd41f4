/* Ranges that are left out of loaded objects' data. The caller locks. */
#ifndef VGC_EXCLUDE_H
#define VGC_EXCLUDE_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"

/* They may overlap. 0, or an errno value: EINVAL, EEXIST, ENOMEM; ENOENT. */
int exclude_add(const void *start, size_t size);
int exclude_remove(const void *start, size_t size);
/* What is left of the range, whose bounds are aligned to words. A word that is excluded in part is left. */
void exclude_cut(uintptr_t low, uintptr_t high, platform_range *range, void *context);
void exclude_clear(void);
size_t exclude_bytes(void);

#endif
