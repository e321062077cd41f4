/* Subjects with a planted defect: the oracle is believed only because it sees these. */
#ifndef STRESS_BROKEN_H
#define STRESS_BROKEN_H

#include <stdbool.h>
#include <stdio.h>

/* Replaces functions of `subject` by those of the named defect. False if there is none of that name. */
bool broken_plant(const char *name);
/* Prints the names, a line each with what is broken. */
void broken_list(FILE *);

#endif
