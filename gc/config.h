/* The settings in force: defaults, then what the program gave to vgc_init, then the environment. */
#ifndef VGC_CONFIG_H
#define VGC_CONFIG_H

#include "platform.h"
#include "vgc.h"

/* Immutable from initialisation to shutdown. */
extern INTERNAL struct vgc_config config;

/* Fills `config`. 0, or -1 with errno EINVAL after naming the field, what it was and what is expected. */
int config_load(const struct vgc_config *given);
/* What the environment says, or the default: for threads that start before initialisation. */
unsigned config_suspend_signal(void);

#endif
