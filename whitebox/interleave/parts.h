/* The parts that keep state of their own: made once, as it was at the start at each run, kept after
 * setup. */
#ifndef INTERLEAVE_PARTS_H
#define INTERLEAVE_PARTS_H

void parts_initialize(void);
void parts_begin(void);
void parts_keep(void);
void parts_forget_setup(void); /* as initialized */

#endif
