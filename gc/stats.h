/* Statistics. */
#ifndef VGC_STATS_H
#define VGC_STATS_H

#include "vgc.h"

/* Fills all fields. Sweeps what is left. No locks held. */
void stats_fill(struct vgc_stats *);

#endif
