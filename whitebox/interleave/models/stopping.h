/* What the models of the stopped world share. */
#ifndef MODELS_STOPPING_H
#define MODELS_STOPPING_H

#include "door.h"
#include "interleave.h"

/* ---- For setup ---- */

struct vgc_config tiny_config(void);
/* Brings the library up; an error that it reports fails the run. */
void strict_start(const struct vgc_config *);
/* Both. */
void stopping_start(void);

/* ---- Threads ---- */

#define PARTS_MAX 4u

/* Runs part[0] on the calling thread and the others each on a thread of its own, registered and with a cache; only the
 * parts are explored. When it returns the other threads have ended. */
void together(unsigned count, void (*const part[])(void));
/* The same without caches: for parts that do not allocate. Ends in fewer steps. */
void together_bare(unsigned count, void (*const part[])(void));

/* ---- A thread's work, as a cache is: plain words that a stop may come between ---- */

/* Changes two plain words that are alike before and after, as the owner of a cache changes its lists: under a flag of
 * its own, which a stopped world reads. One thread works. */
void work(void);
/* For a stopped world: half of that work is not seen unless the flag says so. Changes both words if it may. */
void work_look(void);
/* How often each has been changed so far: by work, by work_look. */
unsigned work_done(void);
unsigned work_looked(void);
/* At the end of a run: no change was lost. */
void work_expect_whole(void);

/* ---- The stopping side: production's, without a cycle ---- */

/* Stops the world: so many other threads must be stopped or blocking. Looks at the work. */
void world_stops(unsigned others);
/* The look alone; then the end of the stop. */
void world_look(void);
void world_goes_on(void);
/* Both. */
void world_stops_for_a_moment(unsigned others);

#endif
