/* The settings in force: defaults, then what the program gave to vgc_init, then the environment. */
#ifndef VGC_CONFIG_H
#define VGC_CONFIG_H

#include <stdbool.h>

#include "atomic.h"
#include "platform.h"
#include "vgc.h"

/* Immutable from initialisation to shutdown, but for what vgc_tune changes: that is read by CONFIG, and written by
 * config_tune. Relaxed: each setting is looked at on its own. */
extern INTERNAL struct vgc_config config;
#define CONFIG(field) load_loose(&config.field)

/* Fills `config`. 0, or -1 with errno EINVAL after naming the field, what it was and what is expected. */
int config_load(const struct vgc_config *given);
/* Takes over what of *given is not zero. 0, or -1 with errno EINVAL after naming the field; then nothing is changed.
 * Collect lock. */
int config_tune(const struct vgc_config *given);
/* A cycle reads it once, with the world stopped. */
void config_set_exact_pointers(bool on);
/* mark_workers is the default: nobody has asked for so many. */
bool config_markers_by_default(void);
/* Raises minimum_heap. Collect lock. */
void config_raise_minimum_heap(size_t bytes);
/* What the environment says, or the default: for threads that start before initialisation. */
unsigned config_suspend_signal(void);

#endif
