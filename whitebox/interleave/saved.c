#include "saved.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

static bool complain(const char *path, const char *what) {
  fprintf(stderr, "%s: %s\n", path, what);
  return false;
}

static bool write_all(FILE *out, const struct result *result, const struct strategy *strategy,
                      const struct hash_set *distinct) {
  fprintf(out, "interleave-search 1 model %s build %08" PRIx32 " runs %" PRIu64 " discarded %" PRIu64 " seconds %.3f\n",
          result->model->name, token_build(), result->runs, result->discarded + result->extent.redundant,
          result->seconds);
  if (!exhaustive_save(strategy, out)) return false;
  fprintf(out, "outcomes %u\n", result->outcome_count);
  for (unsigned i = 0; i < result->outcome_count; i++)
    fprintf(out, "%" PRIu64 " %s\n", result->outcomes[i].count, result->outcomes[i].text);
  return hash_set_save(distinct, out);
}

bool saved_write(const char *path, const struct result *result, const struct strategy *strategy,
                 const struct hash_set *distinct) {
  char *part;
  if (!exhaustive_is(strategy) || !distinct) return complain(path, "--save needs --strategy exhaustive or naive");
  if (asprintf(&part, "%s.part", path) < 0) abort();
  FILE *out = fopen(part, "w");
  bool good = out && write_all(out, result, strategy, distinct);
  if (out && fclose(out)) good = false;
  if (good && rename(part, path)) good = false;
  if (!good) complain(path, strerror(errno));
  free(part);
  return good;
}

static bool read_outcomes(FILE *in, struct result *result) {
  unsigned count;
  if (fscanf(in, " outcomes %u", &count) != 1 || count > 1u << 20) return false;
  result->outcomes = calloc(count + 1, sizeof *result->outcomes);
  if (!result->outcomes) abort();
  for (; result->outcome_count < count; result->outcome_count++) {
    struct outcome *outcome = &result->outcomes[result->outcome_count];
    if (fscanf(in, "%" SCNu64 "%*1[ ]", &outcome->count) != 1) return false;
    if (!fgets(outcome->text, sizeof outcome->text, in)) return false;
    outcome->text[strcspn(outcome->text, "\n")] = '\0';
  }
  return true;
}

static bool read_all(const char *path, FILE *in, struct result *result, struct strategy *strategy,
                     struct hash_set *distinct) {
  char model[128];
  unsigned version;
  uint32_t build;
  if (fscanf(in,
             "interleave-search %u model %127s build %" SCNx32 " runs %" SCNu64 " discarded %" SCNu64 " seconds %lf",
             &version, model, &build, &result->runs, &result->discarded, &result->seconds) != 6 ||
      version != 1)
    return complain(path, "this is no saved search; give a file written by --save");
  if (strcmp(model, result->model->name) != 0) return complain(path, "saved for another model; name that one");
  if (build != token_build())
    return complain(path, "saved by another build, whose decisions mean something else; start again without --resume");
  if (!exhaustive_load(strategy, in)) return false;
  if (!read_outcomes(in, result) || !hash_set_load(distinct, in))
    return complain(path, "the file ends too early; start again without --resume");
  return true;
}

bool saved_read(const char *path, struct result *result, struct strategy *strategy, struct hash_set *distinct) {
  if (!exhaustive_is(strategy) || !distinct) return complain(path, "--resume needs --strategy exhaustive or naive");
  FILE *in = fopen(path, "r");
  if (!in) return complain(path, strerror(errno));
  bool good = read_all(path, in, result, strategy, distinct);
  fclose(in);
  return good;
}
