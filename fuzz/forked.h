/* Runs a program in a child process, so that whatever it does to the library, the runner goes on. */
#ifndef FUZZ_FORKED_H
#define FUZZ_FORKED_H

#include "execute.h"

/* As execute. A crash, an abort and a run longer than `seconds` are failures too, described in the message. quiet: the
 * child's own output is thrown away. */
bool execute_forked(const struct program *program, const struct overrides *overrides, unsigned seconds, bool quiet,
                    struct outcome *outcome);

/* Removes operations as long as the program still fails; the number of runs made. */
size_t minimise(struct program *program, const struct overrides *overrides, unsigned seconds);

#endif
