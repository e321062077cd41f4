/* libFuzzer entry: an input is a program, one run from vgc_init to vgc_shutdown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execute.h"
#include "program_text.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's memory watch is a thread. The library would register and stop it, and refuse to shut down beside it. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static char no_watch[] = "-rss_limit_mb=0";
  char **longer = calloc((size_t)*argc + 2, sizeof *longer);
  if (!longer) abort();
  memcpy(longer, *argv, (size_t)*argc * sizeof *longer);
  longer[(*argc)++] = no_watch;
  *argv = longer;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct program program;
  static const struct overrides none;
  struct outcome outcome;
  program_decode(&program, data, size);
  if (!execute(&program, &none, &outcome)) {
    fprintf(stderr, "operation %zu: %s\n", outcome.at, outcome.message);
    program_print(stderr, &program, outcome.at);
    abort();
  }
  if (!execute_account(&outcome)) abort();
  return 0;
}

/* Mutates whole operations, half of the time: cutting, doubling and moving blocks keeps the others in step, which a
 * mutator of bytes does one time in six. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  size_t count = size > PROGRAM_HEADER ? (size - PROGRAM_HEADER) / PROGRAM_RECORD : 0;
  uint8_t block[16 * PROGRAM_RECORD];
  size_t length = (seed >> 4) % 16 + 1, from, to;
  if (count < 2 || seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  size = PROGRAM_HEADER + count * PROGRAM_RECORD;
  if (length > count / 2) length = count / 2;
  from = PROGRAM_HEADER + (seed >> 8) % (count - length + 1) * PROGRAM_RECORD;
  to = PROGRAM_HEADER + (seed >> 19) % (count - length + 1) * PROGRAM_RECORD;
  length *= PROGRAM_RECORD;
  memcpy(block, data + from, length);
  if ((seed >> 1) % 4 == 0) { /* cut */
    memmove(data + from, data + from + length, size - from - length);
    return size - length;
  }
  if ((seed >> 1) % 4 == 1 || size + length > max_size) { /* overwrite */
    memcpy(data + to, block, length);
    return size;
  }
  memmove(data + to + length, data + to, size - to); /* double, changed or not */
  memcpy(data + to, block, length);
  if ((seed >> 1) % 4 == 3) LLVMFuzzerMutate(data + to, length, length);
  return size + length;
}
