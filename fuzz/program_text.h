/* Programs as text: a line for each operation, for people and for the seeds in seeds/. What is printed can be edited
 * and assembled again.
 *
 *   # a comment
 *   config page_bytes=1024 collect_every=1     (fields of struct vgc_config; the others are 0, the default)
 *   malloc 3 32                                (operation and the operands that it has, in the order a b n)
 *   link 3 4 0
 *   repeat 100                                 (repeats the lines up to 'end'; not nested)
 *   end
 *
 * Inside repeat, an operand may be $, the number of the turn, or $+K. */
#ifndef FUZZ_PROGRAM_TEXT_H
#define FUZZ_PROGRAM_TEXT_H

#include <stdio.h>

#include "program.h"

/* marked is an operation that gets an arrow, or SIZE_MAX. */
void program_print(FILE *out, const struct program *program, size_t marked);
/* Assembles text. False, and a message on stderr that names file and line, if it is not a program. */
bool program_parse(struct program *program, const char *name, FILE *in);
/* The operations, their operands and meaning, as a table. */
void program_print_operations(FILE *out);

#endif
