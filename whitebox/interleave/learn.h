/* Which words the threads of a model share, learnt from random runs: an operation on another word commutes with all
 * that others do, so it is no scheduling point. Sound, because a later run in which a word turns out to be shared
 * fails. */
#ifndef INTERLEAVE_LEARN_H
#define INTERLEAVE_LEARN_H

#include "runtime.h"

/* For the model just set up, if it asks for it (interleave_model.learn): the same words in each process. */
void learn(void);
/* The same run by run, of several models in turns: learn_use says which is set up (NULL: one that does not learn). */
struct learning;
struct learning *learn_begin(void);
void learn_use(struct learning *);
bool learn_run(struct learning *); /* false: all has been learnt */
void learn_end(struct learning *);
/* Whether this run is one to learn from. */
bool learning(void);
/* The current fiber is about to do this where runs are explored. Whether it is no scheduling point. */
bool learn_passes(enum op_kind, uintptr_t address, bool write);

#endif
