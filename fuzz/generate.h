/* Programs at random, for machines and compilers without an engine: blind, but several hundred a second. */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H

#include "program.h"

/* The program of a seed; the same everywhere. */
void program_generate(struct program *program, uint64_t seed);

#endif
