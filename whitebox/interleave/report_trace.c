/* The trace: a column for each thread, a row for each event, in the order of execution. */
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "record.h"
#include "report.h"
#include "symbols.h"

#define NARROWEST 30u
#define WIDEST    56u

static const char *order_name(unsigned order) {
  static const char *const names[] = {"rlx", "con", "acq", "rel", "acq_rel", "seq_cst"};
  return order < sizeof names / sizeof *names ? names[order] : "?";
}

static bool is_on_stack(const struct fiber *fiber, uintptr_t address) {
  return address >= fiber->stack_low && address < fiber->stack_top;
}

bool report_is_own_stack(const struct event *event) {
  return event->kind == OP_PLAIN && is_on_stack(&RT->fiber[event->fiber], event->address);
}

const char *report_object(uintptr_t address, char *text, size_t size) {
  for (unsigned id = 0; id < FIBERS_MAX; id++) {
    if (!is_on_stack(&RT->fiber[id], address)) continue;
    snprintf(text, size, "stack of thread %u", id);
    return text;
  }
  return symbols_object(address, text, size);
}

/* A pointer to an object of the program as its name, any other number as it is. */
static void value_text(const struct event *event, uint64_t value, char *text, size_t size) {
  char object[160];
  if (event->size == sizeof(void *) && value >= RT->image_low && value < RT->image_high)
    snprintf(text, size, "&%.*s", (int)size - 2, report_object((uintptr_t)value, object, sizeof object));
  else
    snprintf(text, size, value < 100000 ? "%" PRIu64 : "%#" PRIx64, value);
}

void report_event_text(const struct event *event, char *text, size_t size) {
  char object[160], value[80], stored[80];
  report_object(event->address, object, sizeof object);
  value_text(event, event->value, value, sizeof value);
  value_text(event, event->stored, stored, sizeof stored);
  if (event->order == RECORD_WAITS) {
    bool joins = event->kind == OP_JOIN;
    snprintf(text, size, "waits: %s%s%s", op_names[event->kind], joins ? "" : " ", joins ? "" : object);
    return;
  }
  switch (event->kind) {
  case OP_NONE:
    snprintf(text, size, "FAILS");
    return;
  case OP_LOAD:
    snprintf(text, size, "%s -> %s%s %s", object, value, event->store ? " (old)" : "", order_name(event->order));
    return;
  case OP_STORE:
    snprintf(text, size, "%s = %s %s", object, value, order_name(event->order));
    return;
  case OP_RMW:
    if (event->write)
      snprintf(text, size, "%s: %s => %s %s", object, value, stored, order_name(event->order));
    else
      snprintf(text, size, "%s: %s, cas fails %s", object, value, order_name(event->order));
    return;
  case OP_PLAIN:
    snprintf(text, size, "%s %s", event->write ? "write" : "read", object);
    return;
  case OP_FENCE:
    snprintf(text, size, "fence %s", order_name((unsigned)event->value));
    return;
  case OP_START:
    if (event->value)
      snprintf(text, size, "start thread %" PRIu64, event->value);
    else
      snprintf(text, size, "begins");
    return;
  case OP_JOIN:
    snprintf(text, size, "join thread %" PRIu64, event->value);
    return;
  case OP_EXIT:
    snprintf(text, size, "ends");
    return;
  case OP_CHOICE:
    snprintf(text, size, "chooses %" PRIu64, event->value);
    return;
  default:
    if (event->address)
      snprintf(text, size, "%s %s", op_names[event->kind], object);
    else
      snprintf(text, size, "%s", op_names[event->kind]);
  }
}

/* ---- Rows ---- */

struct columns {
  unsigned count, width;
  int8_t of[FIBERS_MAX]; /* column of each fiber, -1 none */
};

/* Of the threads with events from there on, and of that one's. */
static struct columns columns_from(unsigned first, const struct event *other) {
  struct columns columns = {0};
  memset(columns.of, -1, sizeof columns.of);
  uint32_t seen = other ? UINT32_C(1) << other->fiber : 0;
  for (unsigned i = first; i < record_count(); i++) seen |= UINT32_C(1) << record_get(i)->fiber;
  for (unsigned id = 0; id < FIBERS_MAX; id++)
    if (seen >> id & 1) columns.of[id] = (int8_t)columns.count++;
  struct winsize window = {0};
  unsigned terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 120;
  unsigned each = columns.count ? (terminal - 8) / columns.count : 0;
  columns.width = each < NARROWEST ? NARROWEST : each > WIDEST ? WIDEST : each;
  return columns;
}

static bool collapses(unsigned index, const struct event *marked, const struct event *other) {
  const struct event *event = record_get(index);
  if (event != marked && event != other && report_is_own_stack(event)) return true;
  if (index == 0) return false;
  const struct event *before = record_get(index - 1);
  if (event == marked || event == other || before == marked || before == other) return false;
  if (event->kind != OP_PLAIN || before->kind != OP_PLAIN || event->fiber != before->fiber) return false;
  const struct place *place = symbols_place(event->pc), *place_before = symbols_place(before->pc);
  return event->address == before->address && event->write == before->write && place->line == place_before->line;
}

/* "text        file.c:12" in at most `width` characters; the place stays, the text is cut. */
static void print_cell(FILE *out, const struct event *event, unsigned width) {
  char text[320], where[128] = "";
  report_event_text(event, text, sizeof text);
  const struct place *place = symbols_place(event->pc);
  if (place->line) snprintf(where, sizeof where, "%s:%u", symbols_base_name(place->file), place->line);
  unsigned where_width = (unsigned)strlen(where);
  unsigned room = width > where_width + 3 ? width - where_width - 3 : 8;
  if (strlen(text) > room && room >= 2) memcpy(&text[room - 2], "..", 3);
  fprintf(out, "%s%s%s%s\n", event->lane >= FIBERS_MAX ? "~" : "", text, where_width ? "  " : "", where);
}

static void print_row(FILE *out, unsigned index, const struct columns *columns, bool marked) {
  const struct event *event = record_get(index);
  unsigned indent = (unsigned)columns->of[event->fiber] * columns->width;
  bool colour = marked && isatty(fileno(out));
  fprintf(out, "%s%5u %s", colour ? "\033[1m" : "", record_step(index), marked ? "=>" : "  ");
  for (unsigned i = 0; i < indent; i++) fputc(i % columns->width == 0 && i ? '|' : marked ? '-' : ' ', out);
  if (indent) fprintf(out, "%s", marked ? "> " : "| ");
  print_cell(out, event, columns->width - 2);
  if (colour) fprintf(out, "\033[0m");
}

void report_trace(FILE *out, unsigned rows) {
  const struct event *marked = RT->failure.kind == INTERLEAVE_DEADLOCK ? NULL : report_access();
  const struct event *other = report_other_access();
  unsigned count = record_count(), first = count, shown = 0;
  while (first > 0 && shown < rows) shown += !collapses(--first, marked, other);
  struct columns columns = columns_from(first, other);
  if (first == 0)
    fprintf(out, "\ntrace (=> marks what the failure is about):\n");
  else
    fprintf(out, "\ntrace, the last %u of %" PRIu64 " events (--full-trace shows all; => marks the failure):\n",
            count - first, record_total());
  fprintf(out, " step   ");
  for (unsigned id = 0; id < FIBERS_MAX; id++)
    if (columns.of[id] >= 0) fprintf(out, "%sthread %-*u", columns.of[id] ? "| " : "", (int)columns.width - 9, id);
  fprintf(out, "\n");
  for (unsigned i = 0; i < first; i++)
    if (record_get(i) == other) print_row(out, i, &columns, true);
  for (unsigned i = first; i < count; i++)
    if (!collapses(i, marked, other)) print_row(out, i, &columns, record_get(i) == marked || record_get(i) == other);
}
