#include "point.h"

#if defined(VGC_POINTS)
#include <stddef.h>

#include "platform.h"

void (*_Atomic vgc_point_hook)(const char *name) COLLECTOR_DATA;
#else
/* A translation unit is not empty. */
extern int vgc_point_none;
#endif
