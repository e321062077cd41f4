#include "point.h"

#include "platform.h"

#if defined(VGC_POINTS)
void (*_Atomic vgc_point_hook)(const char *name) COLLECTOR_DATA;
#else
/* A translation unit is not empty. */
extern int vgc_point_none;
#endif
