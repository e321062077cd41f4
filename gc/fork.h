/* fork: the child has one thread and goes on collecting (N40). */
#ifndef VGC_FORK_H
#define VGC_FORK_H

/* Registers the handlers, once for the life of the process. Initialisation lock. */
void fork_install(void);

#endif
