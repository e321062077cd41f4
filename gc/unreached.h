/* What a cycle does with objects that nothing reaches, before they are reclaimed: it shows them, and asks their kinds
 * whether they are to be kept. */
#ifndef VGC_UNREACHED_H
#define VGC_UNREACHED_H

#include "vgc.h"

/* World stopped, between finalize_unreached and finalize_forget, with the roots lock and the special lock. */

/* Shows all objects, those that are reached, too. */
void unreached_show(vgc_visit *visit, void *arg);
/* Calls the disclaim procedures, and marks what they keep. */
void unreached_disclaim(void);

#endif
