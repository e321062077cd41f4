/* Bringing the library up and down. */
#ifndef VGC_INIT_H
#define VGC_INIT_H

#include <stdbool.h>

/* Initialises with defaults unless somebody has. False, with errno, if that fails. */
bool init_ensure(void);

/* For fork. */
void init_lock_acquire(void);
void init_lock_release(void);

#endif
