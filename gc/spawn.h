/* Threads are registered from their first instruction to their last without a change to the program: vgc defines
 * pthread_create and its relatives itself and passes each call on. */
#ifndef VGC_SPAWN_H
#define VGC_SPAWN_H

/* Finds the functions behind ours; any thread, any number of times. A constructor calls it, and so does world_install:
 * that keeps this file in every program that links the archive, so that its definitions prevail over libc's. */
void spawn_start(void);

#endif
