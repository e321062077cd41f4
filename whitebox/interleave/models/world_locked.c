/* No thread is stopped in the middle of what a cycle looks at: a root callback, which runs in the stopped world, finds
 * the lists of central and the pages whole. */
#include "stopping.h"

/* Few slots a span, so few steps. */
#define SLOT  8192u
#define LARGE ((size_t)64 * 1024)

static void *kept;
static unsigned looks;

static void *take(size_t size) {
  void *taken = vgc_malloc_noscan(size);
  interleave_assert(taken);
  return taken;
}

static void collects(void) { interleave_assert(vgc_collect() == 0); }

static void start(vgc_root_callback *look) {
  stopping_start();
  collects(); /* lists the loaded objects */
  interleave_assert(vgc_root_add_callback(look, NULL) == 0);
}

static void cycle_beside(void (*part)(void)) {
  void (*const parts[])(void) = {collects, part};
  together(2, parts);
  interleave_assert(looks);
}

/* ---- Central ---- */

static unsigned length(const struct span_list *list) {
  unsigned length = 0;
  const struct span *previous = NULL;
  for (const struct span *span = list->first; span; previous = span, span = span->next, length++) {
    interleave_assert(span->previous == previous);
    interleave_assert(span_state(span) == SPAN_PARTIAL && !load_relaxed(&span->owner));
  }
  interleave_assert(list->last == previous);
  return length;
}

static void count_unowned(struct span *span, void *count) {
  if (span->size == SLOT && !load_relaxed(&span->owner)) ++*(unsigned *)count;
}

static void look_at_central(void *arg, vgc_root_push *push, void *sink) {
  (void)arg, (void)push, (void)sink;
  unsigned unowned = 0;
  span_each(count_unowned, &unowned);
  interleave_assert(length(&central[sizeclass_of(SLOT)].partial[KIND_NOSCAN]) == unowned);
  looks++;
}

/* One span is nobody's, and has room. */
static void central_start(void) {
  start(look_at_central);
  kept = take(SLOT);
  interleave_assert(vgc_thread_detach() == 0);
}

static void takes_span(void) { take(SLOT); }

static void stop_beside_central(void) { cycle_beside(takes_span); }
INTERLEAVE_MODEL(
    stop_beside_central, .setup = central_start, .run = stop_beside_central, .preemptions = 2, .learn = 200,
    .prompt_signals = true,
    .title = "a stopped world finds each span that nobody owns in a list, though a thread was about to take one");

/* ---- Pages ---- */

static void count_pages(struct span *span, void *pages) {
  check_span(span);
  *(size_t *)pages += span->pages;
}

static void look_at_pages(void *arg, vgc_root_push *push, void *sink) {
  (void)arg, (void)push, (void)sink;
  size_t pages = 0;
  span_each(count_pages, &pages);
  interleave_assert(pages * config.page_bytes == pages_taken_bytes());
  looks++;
}

static void pages_start(void) { start(look_at_pages); }

static void takes_pages(void) { take(LARGE); }

static void stop_beside_pages(void) { cycle_beside(takes_pages); }
INTERLEAVE_MODEL(
    stop_beside_pages, .setup = pages_start, .run = stop_beside_pages, .preemptions = 2, .learn = 200,
    .prompt_signals = true,
    .title = "a stopped world finds each page that is taken in a span, though a thread was about to make one");
