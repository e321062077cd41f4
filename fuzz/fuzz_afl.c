/* AFL++ entry (afl-clang-fast), in persistent mode: one process runs many programs. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "execute.h"
#include "program_text.h"

__AFL_FUZZ_INIT();

enum { RUNS_PER_PROCESS = 10000 };

int main(void) {
  static struct program program;
  static const struct overrides none;
  struct outcome outcome;
  __AFL_INIT();
  const uint8_t *bytes = __AFL_FUZZ_TESTCASE_BUF;
  while (__AFL_LOOP(RUNS_PER_PROCESS)) {
    program_decode(&program, bytes, __AFL_FUZZ_TESTCASE_LEN);
    if (execute(&program, &none, &outcome)) continue;
    fprintf(stderr, "operation %zu: %s\n", outcome.at, outcome.message);
    program_print(stderr, &program, outcome.at);
    abort();
  }
  return 0;
}
