/* Tables, for people and for programs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"
#include "process.h"
#include "report.h"
#include "token.h"

void results_print_header(void) {
  printf("%-28s %-12s %10s %10s %5s %9s %10s %8s  %s\n", "model", "strategy", "runs", "distinct", "bound", "explored",
         "runs/cpu-s", "seconds", "verdict");
}

/* Below this the estimate says no more than "little". */
#define SMALLEST 1e-5

void results_fraction(double fraction, char *text, size_t size) {
  if (fraction < SMALLEST)
    snprintf(text, size, "<%g %%", 100 * SMALLEST);
  else
    snprintf(text, size, "%.3g %%", 100 * fraction);
}

static void print_extent(const struct result *result) {
  char bound[16] = "-", explored[32] = "-";
  if (result->searched && result->preemptions != UINT32_MAX) snprintf(bound, sizeof bound, "%u", result->preemptions);
  if (result->searched && result->preemptions == UINT32_MAX) snprintf(bound, sizeof bound, "none");
  if (result->extent.exhausted)
    snprintf(explored, sizeof explored, "all");
  else if (result->searched)
    results_fraction(result->extent.fraction, explored, sizeof explored);
  printf(" %5s %9s", bound, explored);
}

void results_print(const struct result *result) {
  bool colour = isatty(STDOUT_FILENO);
  char distinct[24] = "-";
  if (result->distinct) snprintf(distinct, sizeof distinct, "%" PRIu64, result->distinct);
  printf("%-28s %-12s %10" PRIu64 " %10s", result->model->name, result->strategy, result->runs, distinct);
  print_extent(result);
  printf(" %10.0f %8.2f  %s%s%s\n",
         result->processor_seconds > 0 ? (double)result->session_runs / result->processor_seconds : 0, result->seconds,
         !colour               ? ""
         : result->as_expected ? "\033[32m"
                               : "\033[1;31m",
         result->verdict, colour ? "\033[0m" : "");
  if (!result->as_expected && result->token) printf("    token: %s\n", result->token);
  fflush(stdout);
}

static int by_count(const void *a, const void *b) {
  const struct outcome *x = a, *y = b;
  return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->text, y->text);
}

void results_print_outcomes(const struct result *result) {
  if (result->description && !result->searched && result->failure.kind == INTERLEAVE_CLEAN)
    printf("    %s\n", result->description);
  if (result->searched && !result->extent.exhausted && result->extent.fraction > 0) {
    double all = (double)result->runs / result->extent.fraction;
    if (result->extent.fraction >= SMALLEST)
      printf("    about %.3g runs in all, %.3g left, if branches are alike;", all, all - (double)result->runs);
    else
      printf("   ");
    printf(" the first %u of %u decisions have not been changed yet\n", result->extent.untouched, result->extent.depth);
  }
  if (result->searched && result->extent.redundant)
    printf("    %" PRIu64 " runs cut short, as they only reorder what is independent\n", result->extent.redundant);
  if (result->discarded) printf("    %" PRIu64 " runs discarded by the model\n", result->discarded);
  if (result->outcome_count == 0) return;
  qsort(result->outcomes, result->outcome_count, sizeof *result->outcomes, by_count);
  for (unsigned i = 0; i < result->outcome_count && i < 40; i++)
    printf("    %12" PRIu64 "  %s\n", result->outcomes[i].count, result->outcomes[i].text);
  if (result->outcome_count > 40) printf("    and %u outcomes more\n", result->outcome_count - 40);
}

/* ---- JSON ---- */

static void put_string(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else if ((unsigned char)*text < ' ')
      fprintf(out, "\\u%04x", (unsigned)*text);
    else
      fputc(*text, out);
  }
  fputc('"', out);
}

static void put_result(FILE *out, const struct result *result) {
  fprintf(out, "    {\"model\": ");
  put_string(out, result->model->name);
  fprintf(out, ", \"strategy\": ");
  put_string(out, result->strategy);
  fprintf(out,
          ", \"runs\": %" PRIu64 ", \"discarded\": %" PRIu64 ", \"redundant\": %" PRIu64 ", \"distinct\": %" PRIu64
          ", \"seconds\": %.6f, \"runs_per_processor_second\": %.0f, \"searched\": %s, \"exhausted\": %s, "
          "\"fraction\": %.9g, \"unchanged\": %u, \"decisions\": %u",
          result->runs, result->discarded, result->extent.redundant, result->distinct, result->seconds,
          result->processor_seconds > 0 ? (double)result->session_runs / result->processor_seconds : 0,
          result->searched ? "true" : "false", result->extent.exhausted ? "true" : "false", result->extent.fraction,
          result->extent.untouched, result->extent.depth);
  if (result->searched && result->preemptions != UINT32_MAX)
    fprintf(out, ", \"preemptions\": %u", result->preemptions);
  else
    fprintf(out, ", \"preemptions\": null");
  fprintf(out, ", \"expected\": \"%s\", \"found\": \"%s\", \"as_expected\": %s, \"verdict\": ",
          failure_names[result->model->expect], failure_names[result->failure.kind],
          result->as_expected ? "true" : "false");
  put_string(out, result->verdict);
  if (result->failure.kind != INTERLEAVE_CLEAN) {
    fprintf(out, ", \"failure\": ");
    put_string(out, result->failure.text);
    fprintf(out, ", \"failure_run\": %" PRIu64, result->failure_run);
  }
  fprintf(out, ", \"token\": ");
  if (result->token)
    put_string(out, result->token);
  else
    fprintf(out, "null");
  fprintf(out, ", \"outcomes\": {");
  for (unsigned i = 0; i < result->outcome_count; i++) {
    fprintf(out, "%s", i ? ", " : "");
    put_string(out, result->outcomes[i].text);
    fprintf(out, ": %" PRIu64, result->outcomes[i].count);
  }
  fprintf(out, "}}");
}

static void put_cover(FILE *out) {
  const char *name;
  uint64_t count;
  fprintf(out, "  \"cover\": {");
  for (unsigned i = 0; (name = cover_get(i, &count)); i++) {
    fprintf(out, "%s\n    ", i ? "," : "");
    put_string(out, name);
    fprintf(out, ": %" PRIu64, count);
  }
  fprintf(out, "}\n");
}

bool results_write_json(const char *path, const struct result *results, unsigned count) {
  FILE *out = fopen(path, "w");
  if (!out) {
    fprintf(stderr, "--json %s: %s\n", path, strerror(errno));
    return false;
  }
  fprintf(out, "{\n  \"program\": ");
  put_string(out, program_invocation_short_name);
  fprintf(out, ",\n  \"build\": \"%08" PRIx32 "\",\n  \"processor_seconds\": %.3f,\n  \"models\": [\n", token_build(),
          processor_seconds());
  for (unsigned i = 0; i < count; i++) {
    put_result(out, &results[i]);
    fprintf(out, "%s\n", i + 1 < count ? "," : "");
  }
  fprintf(out, "  ],\n");
  put_cover(out);
  fprintf(out, "}\n");
  bool good = !ferror(out);
  if (fclose(out)) good = false;
  if (!good) fprintf(stderr, "--json %s: %s\n", path, strerror(errno));
  return good;
}
