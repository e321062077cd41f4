/* Threads are registered from their first instruction to their last without a change to the program: vgc defines
 * pthread_create and its relatives itself and passes each call on. */
#ifndef VGC_SPAWN_H
#define VGC_SPAWN_H

/* Finds the functions behind ours. Called by thread.c's constructor; also keeps spawn.c in every program that links the
 * archive, so that its definitions prevail over libc's. */
void spawn_start(void);

#endif
