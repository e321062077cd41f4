/* Command line of a stress program. */
#ifndef STRESS_OPTIONS_H
#define STRESS_OPTIONS_H

#include <stddef.h>

/* Fills options and program.knobs; ends the process on --help (0) or on an error (2, with a message). */
void options_parse(int argc, char **argv);
/* The command that runs the same again, in one line, with the environment that matters. */
void options_again(char *line, size_t size, const char *command);

#endif
