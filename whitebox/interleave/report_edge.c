/* The edge that a race lacks. Between the two accesses the second thread may have read what the first stored after its
 * own: then that pair is where the order was meant to come from, and its memory orders say why it does not. */
#include "record.h"
#include "report.h"
#include "symbols.h"

static bool acquires(unsigned order) {
  return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
         order == __ATOMIC_SEQ_CST;
}

static bool releases(unsigned order) {
  return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static unsigned index_of(const struct event *wanted, unsigned below) {
  while (below-- > 0)
    if (record_get(below) == wanted) return below;
  return UINT32_MAX;
}

static bool reads(const struct event *event) { return event->kind == OP_LOAD || event->kind == OP_RMW; }

/* The index of the store that the event reads, or UINT32_MAX if the record does not hold it. */
static unsigned store_read_by(unsigned index) {
  const struct event *event = record_get(index);
  unsigned back = event->kind == OP_RMW && !event->write ? event->store - 1 : event->store;
  for (unsigned i = index; i-- > 0;) {
    const struct event *store = record_get(i);
    if (!store->atomic || !store->write || store->location != event->location || store->kind > OP_RMW) continue;
    if (back-- == 0) return i;
  }
  return UINT32_MAX;
}

static void print_event(FILE *out, const struct event *event) {
  char text[200];
  report_event_text(event, text, sizeof text);
  const struct place *place = symbols_place(event->pc);
  fprintf(out, "'%s' at %s:%u", text, symbols_base_name(place->file), place->line);
}

/* By what the second thread could have learnt of the first's access at `from`. */
static bool print_pair(FILE *out, unsigned from, unsigned to, unsigned lane, unsigned other_lane) {
  for (unsigned i = to; i-- > from + 1;) {
    const struct event *event = record_get(i);
    if (event->lane != lane || !event->atomic || !reads(event)) continue;
    unsigned at = store_read_by(i);
    if (at == UINT32_MAX || at <= from || record_get(at)->lane != other_lane) continue;
    const struct event *store = record_get(at);
    fprintf(out, "\n    It read ");
    print_event(out, event);
    fprintf(out, " from\n    ");
    print_event(out, store);
    if (!releases(store->order) && !acquires(event->order))
      fprintf(out, ": the store does not release, nor does the load acquire.");
    else if (!releases(store->order))
      fprintf(out, ": the store does not release.");
    else if (!acquires(event->order))
      fprintf(out, ": the load does not acquire.");
    else
      fprintf(out, ".");
    return true;
  }
  return false;
}

static const struct event *last_known(unsigned lane, uint16_t clock) {
  for (unsigned i = record_count(); i-- > 0;) {
    const struct event *event = record_get(i);
    if (event->lane == lane && event->clock <= clock && !report_is_own_stack(event)) return event;
  }
  return NULL;
}

void report_missing_edge(FILE *out) {
  const struct failure *failure = &RT->failure;
  char mine[64], other[64];
  report_thread_name(failure->lane, mine, sizeof mine);
  report_thread_name(failure->other_lane, other, sizeof other);
  fprintf(out, "  missing: nothing orders the %s of %s before the %s of %s.", failure->other_write ? "write" : "read",
          other, failure->write ? "write" : "read", mine);
  unsigned to = index_of(report_access(), record_count()), from = UINT32_MAX;
  if (report_other_access()) from = index_of(report_other_access(), record_count());
  bool told = from != UINT32_MAX && to != UINT32_MAX && print_pair(out, from, to, failure->lane, failure->other_lane);
  uint16_t known = RT->fiber[failure->lane % FIBERS_MAX].clock.lane[failure->other_lane];
  const struct event *last = known ? last_known(failure->other_lane, known) : NULL;
  if (last && from != UINT32_MAX && index_of(last, record_count()) >= from) last = NULL;
  if (last) {
    fprintf(out, "\n    The last that it knows of %s is ", other);
    print_event(out, last);
  } else if (!told) {
    fprintf(out, "\n    It has read nothing that %s stored behind that", other);
  }
  fprintf(out, "%s\n", told && !last ? "" : ".");
}
