/* Runs the unit tests of the parts named, or of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define X(part) int unit_part_##part(void);
#include "parts.inc"
#undef X

static const struct {
  const char *name;
  int (*run)(void);
} parts[] = {
#define X(part) {#part, unit_part_##part},
#include "parts.inc"
#undef X
};

enum { PARTS = sizeof parts / sizeof *parts };

static int usage(FILE *out, int status) {
  fputs("usage: unit [PART...]\n\nRuns the unit tests of these parts, or of all:", out);
  for (unsigned i = 0; i < PARTS; i++) fprintf(out, " %s", parts[i].name);
  fputs("\nexit status: 0 all passed, 1 some failed, 2 wrong usage\n", out);
  return status;
}

/* Number of the part, or PARTS. */
static unsigned find(const char *name) {
  unsigned i = 0;
  while (i < PARTS && strcmp(parts[i].name, name) != 0) i++;
  return i;
}

/* Settings of the caller's environment would override what the tests ask for. */
static void forget_settings(void) {
  extern char **environ;
  for (char **entry = environ; entry && *entry;) {
    char name[64];
    size_t length = strcspn(*entry, "=");
    if (strncmp(*entry, "VGC_", 4) == 0 && length < sizeof name) {
      memcpy(name, *entry, length);
      name[length] = 0;
      unsetenv(name);
      entry = environ;
    } else {
      entry++;
    }
  }
}

int main(int argc, char **argv) {
  forget_settings();
  int failed = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return usage(stdout, 0);
    if (find(argv[i]) < PARTS) continue;
    fprintf(stderr, "unit: there is no part '%s'\n", argv[i]);
    return usage(stderr, 2);
  }
  for (int i = 1; i < argc; i++) failed += parts[find(argv[i])].run();
  for (unsigned i = 0; argc == 1 && i < PARTS; i++) failed += parts[i].run();
  return failed ? 1 : 0;
}
