/* Watches world stops made by the calling thread: whether a thread still runs when the collector takes it for stopped,
 * and how long the collector waits, counted in rounds of its wait. The calling thread is never stopped itself, so what
 * must happen meanwhile is done in its rounds. */
#ifndef WHITEBOX_STOPS_H
#define WHITEBOX_STOPS_H

#include <stdbool.h>

struct thread;

/* Calls act(arg) once, in the round of that number (from 1), of any stop from now on; or, should the collector go on
 * without the thread before, then. */
void stops_watch(struct thread *thread, unsigned round, void (*act)(void *), void *arg);
/* Whether some stop since went on while the thread ran. */
bool stops_went_on_without(void);
/* Rounds that the collector has waited since. */
unsigned stops_rounds(void);

#endif
