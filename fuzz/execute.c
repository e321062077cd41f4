#include "execute.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "execute_run.h"

bool fail(struct run *run, const char *format, ...) {
  va_list arguments;
  if (run->outcome->failed) return false;
  va_start(arguments, format);
  vsnprintf(run->outcome->message, sizeof run->outcome->message, format, arguments);
  va_end(arguments);
  run->outcome->failed = true;
  return false;
}

const char *error_name(enum vgc_error error) {
  static const char *const names[] = {"no error",
                                      "double free",
                                      "free of an interior",
                                      "free of a stale pointer",
                                      "free of a foreign pointer",
                                      "unbalanced",
                                      "signal",
                                      "corrupt heap",
                                      "limit"};
  return (size_t)error < sizeof names / sizeof *names ? names[error] : "unknown error";
}

bool expect_error(struct run *run, const char *what, unsigned set) {
  if (set == 0) {
    CHECK(run, run->errors == 0, "%s: error '%s'; expected none", what, error_name(run->last_error));
    return true;
  }
  CHECK(run, run->errors == 1, "%s: %u errors (last '%s'); expected one", what, run->errors,
        error_name(run->last_error));
  CHECK(run, set >> run->last_error & 1, "%s: error '%s'; another is documented", what, error_name(run->last_error));
  return true;
}

bool verify_object(struct run *run, const struct object *object, bool thorough) {
  size_t word;
  CHECK(run, shadow_intact(object, object->size, thorough, &word),
        "word %zu of the reachable object at %p (%zu bytes, allocation %u) is changed", word, shadow_address(object),
        object->size, shadow_index(run->shadow, object));
  return true;
}

bool verify_live(struct run *run, bool thorough) {
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    const struct object *object = &run->shadow->objects[i];
    if (object->state != STATE_LIVE) continue;
    const void *address = shadow_address(object), *base = vgc_base_of(address);
    CHECK(run, base == address, "the reachable object at %p (%zu bytes, allocation %u) is reclaimed: vgc_base_of = %p",
          address, object->size, i, base);
    if (!verify_object(run, object, thorough) || !kinds_check(run, object)) return false;
  }
  return true;
}

/* ---- Hooks ---- */

static void on_cycle_start(void *arg) { ((struct run *)arg)->cycle_starts++; }

static void on_cycle_end(void *arg, const struct vgc_stats *stats) {
  struct run *run = arg;
  run->cycle_ends++;
  if (stats->cycles != run->cycle_ends) {
    fail(run, "cycle_end: cycles %zu; expected %zu", (size_t)stats->cycles, (size_t)run->cycle_ends);
  }
  if (special_after_cycle(run)) kinds_after_cycle(run);
}

static void on_error(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  struct run *run = arg;
  uint32_t index;
  if (error == VGC_ERROR_DOUBLE_FREE && is_owed(run, ptr, &index)) {
    run->owed[index] = run->owed[--run->owed_count];
  } else {
    run->errors++;
    run->last_error = error;
  }
  if (!message || !*message) fail(run, "error '%s' of %p has no message", error_name(error), ptr);
}

/* ---- Operations ---- */

size_t word_of(const struct object *object, uint32_t n) {
  size_t words = object->size / sizeof(uintptr_t), word = n / 2 % words;
  return n % 2 ? words - 1 - word : word;
}

static bool do_link(struct run *run, const struct operation *op) {
  struct object *from = shadow_handle(run->shadow, op->a);
  const struct object *to = shadow_handle(run->shadow, op->b);
  if (!to || !from || from->size < sizeof(uintptr_t)) return true;
  if (shadow_weak_at(run->shadow, from, word_of(from, op->n))) return true; /* not the program's to write */
  shadow_link(run->shadow, from, word_of(from, op->n), to, op->opcode == OP_link_inside ? to->size / 2 : 0);
  shadow_settle(run->shadow);
  return true;
}

static bool do_unlink(struct run *run, const struct operation *op) {
  struct object *from = shadow_handle(run->shadow, op->a);
  if (!from || from->size < sizeof(uintptr_t)) return true;
  if (shadow_weak_at(run->shadow, from, word_of(from, op->n))) return true;
  /* A big object's unsampled words hold no data; a word that was sampled, or a link, does. */
  shadow_unlink(from, word_of(from, op->n));
  shadow_settle(run->shadow);
  return true;
}

static bool do_load(struct run *run, const struct operation *op) {
  const struct object *from = shadow_handle(run->shadow, op->b);
  if (!from || from->link_count == 0) return true;
  uint32_t target = from->links[op->n % from->link_count].target;
  if (target == OBJECT_NONE) return true;
  const struct object *to = &run->shadow->objects[target];
  if (to->state != STATE_LIVE) return true;
  shadow_set_handle(run->shadow, op->a, to, 0);
  shadow_settle(run->shadow);
  return true;
}

static bool do_handle(struct run *run, const struct operation *op) {
  const struct object *object = shadow_handle(run->shadow, op->opcode == OP_move ? op->b : op->a);
  if (!object && op->opcode == OP_hold_inside) return true;
  if (op->opcode == OP_drop) object = NULL;
  size_t offset = object && object->size && op->opcode == OP_hold_inside ? op->n % object->size : 0;
  shadow_set_handle(run->shadow, op->a, object, offset);
  shadow_settle(run->shadow);
  return true;
}

static bool do_collect(struct run *run) {
  uint64_t before = run->cycle_ends;
  int result = vgc_collect();
  if (run->disabled) {
    CHECK(run, result == -1 && errno == EBUSY, "vgc_collect = %d while disabled; expected -1, EBUSY", result);
    return true;
  }
  CHECK(run, result == 0 && run->cycle_ends > before, "vgc_collect = %d; %zu cycles before, %zu after", result,
        (size_t)before, (size_t)run->cycle_ends);
  CHECK(run, run->config.finalize_on_demand || run->due == 0, "vgc_collect left %zu due finalizers", (size_t)run->due);
  return finalizer_count_due(run) && expect_error(run, "vgc_collect", 0);
}

static bool do_balance(struct run *run, bool disable) {
  if (!disable && run->disabled == 0) return true;
  disable ? vgc_disable() : vgc_enable();
  run->disabled += disable ? 1 : -1u;
  return expect_error(run, disable ? "vgc_disable" : "vgc_enable", 0);
}

static bool do_thread(struct run *run, enum opcode opcode) {
  if (opcode == OP_poll) {
    vgc_poll();
  } else if (opcode == OP_blocking) {
    vgc_blocking_enter();
    vgc_blocking_leave();
  } else {
    int left = vgc_thread_detach(), again = vgc_thread_detach();
    CHECK(run, left == 0 && again == -1 && errno == EPERM,
          "vgc_thread_detach = %d, then %d with errno %d; expected 0, then -1 with EPERM", left, again, errno);
    int result = vgc_thread_attach();
    CHECK(run, result == 0, "vgc_thread_attach = %d, errno %d", result, errno);
  }
  return expect_error(run, program_operations[opcode].name, 0);
}

static bool do_operation(struct run *run, const struct operation *op) {
  switch ((enum opcode)op->opcode) {
  case OP_malloc:
  case OP_noscan:
  case OP_calloc:
  case OP_aligned:
  case OP_uncollectable:
  case OP_typed:
  case OP_memdup:
  case OP_strdup:
  case OP_kind:
    return do_allocate(run, op) && expect_error(run, "an allocation", 0);
  case OP_realloc:
    return do_realloc(run, op) && expect_error(run, "vgc_realloc", 0);
  case OP_grow_to_usable:
    return do_grow_to_usable(run, op->a);
  case OP_free:
    return do_free(run, op->a);
  case OP_drop:
  case OP_move:
  case OP_hold_inside:
    return do_handle(run, op);
  case OP_link:
  case OP_link_inside:
    return do_link(run, op);
  case OP_unlink:
    return do_unlink(run, op);
  case OP_load:
    return do_load(run, op);
  case OP_range_add:
    return range_add(run, op->a % RANGES);
  case OP_range_remove:
    return range_remove(run, op->a % RANGES);
  case OP_callback_add:
    return callback_add(run, op->a % RANGES);
  case OP_callback_remove:
    return callback_remove(run, op->a % RANGES);
  case OP_exact:
    return do_exact(run, op->n);
  case OP_collect:
    return do_collect(run);
  case OP_disable:
  case OP_enable:
    return do_balance(run, op->opcode == OP_disable);
  case OP_trim:
    return vgc_trim(), expect_error(run, "vgc_trim", 0);
  case OP_stats:
    return do_stats(run);
  case OP_base_of:
    return do_base_of(run, op);
  case OP_base_of_any:
    return do_base_of_any(run, op);
  case OP_check:
    return verify_live(run, true);
  case OP_poll:
  case OP_blocking:
  case OP_reattach:
    return do_thread(run, op->opcode);
  case OP_finalizer:
  case OP_finalizer_exchange:
  case OP_finalizer_off:
  case OP_finalize:
  case OP_finalize_all:
  case OP_weak_add:
  case OP_weak_watch:
  case OP_weak_inside:
  case OP_weak_move:
  case OP_weak_move_inside:
  case OP_weak_remove:
  case OP_weak_get:
  case OP_ephemeron:
  case OP_ephemeron_get:
  case OP_bad_special:
    return do_special(run, op) && expect_error(run, program_operations[op->opcode].name, 0);
  default:
    return do_invalid(run, op);
  }
}

/* After a cycle, every reachable object is looked at; no cycle may have run while disabled. */
static bool run_operation(struct run *run, const struct operation *op) {
  uint64_t before = run->cycle_ends;
  bool was_disabled = run->disabled > 0;
  run->errors = 0;
  if (!do_operation(run, op) || run->outcome->failed) return false;
  CHECK(run, !was_disabled || run->cycle_ends == before, "a cycle ran while collection was disabled");
  const struct object *lost = run->shadow->lost;
  CHECK(run, !lost, "allocation %u is reclaimed, and reachable", lost ? shadow_index(run->shadow, lost) : 0);
  if (run->cycle_ends == run->verified_cycles) return true;
  run->verified_cycles = run->cycle_ends;
  return verify_live(run, false);
}

/* ---- Start and end ---- */

static vgc_layout_id layout_ids[LAYOUTS]; /* for the process, as the library promises */

static bool start(struct run *run) {
  int result = vgc_init(&run->config);
  CHECK(run, result == 0, "vgc_init = %d, errno %d (%s)", result, errno, strerror(errno));
  struct vgc_hooks hooks = {.struct_size = sizeof hooks,
                            .arg = run,
                            .cycle_start = on_cycle_start,
                            .cycle_end = on_cycle_end,
                            .finalizer_due = finalizer_due,
                            .error = on_error};
  vgc_set_hooks(&hooks, NULL);
  special_start(run);
  if (!kinds_start(run) || !exact_start(run)) return false;
  for (size_t i = 0; i < LAYOUTS; i++) {
    struct vgc_layout layout = {.size = shadow_layouts[i].words * sizeof(uintptr_t),
                                .pointer_words = shadow_layouts[i].pointers,
                                .name = "fuzz"};
    if (!layout_ids[i]) layout_ids[i] = vgc_layout_register(&layout);
    CHECK(run, layout_ids[i] != 0, "vgc_layout_register failed with errno %d", errno);
    run->layouts[i] = layout_ids[i];
  }
  for (size_t range = 0; range < RANGES / 2; range++) {
    if (!range_add(run, range)) return false;
  }
  return true;
}

/* Overwrites what earlier calls left on the stack below here, lest it keeps dropped objects. */
static __attribute__((noinline)) void clear_stack(void) {
  volatile char below[64 << 10];
  memset((char *)below, 0, sizeof below);
}

static bool finish(struct run *run) {
  run->errors = 0;
  while (run->disabled) {
    if (!do_balance(run, false)) return false;
  }
  if (!verify_live(run, true) || !do_stats(run)) return false;
  for (size_t i = 0; i < HANDLES; i++) shadow_set_handle(run->shadow, (uint8_t)i, NULL, 0);
  shadow_settle(run->shadow);
  clear_stack();
  /* One finalizer may wait for another. */
  for (unsigned i = 0; i < 4; i++) {
    if (!do_collect(run) || !finalizer_run(run, false)) return false;
  }
  if (!verify_live(run, true) || !do_stats(run)) return false;
  for (size_t range = 0; range < RANGES; range++) {
    if (run->shadow->range_added[range] && !range_remove(run, range)) return false;
    if (run->shadow->callback_added[range] && !callback_remove(run, range)) return false;
  }
  vgc_set_hooks(NULL, NULL);
  int result = vgc_shutdown();
  CHECK(run, result == 0, "vgc_shutdown = %d, errno %d", result, errno);
  result = vgc_shutdown();
  CHECK(run, result == -1 && errno == EPERM, "a second vgc_shutdown = %d, errno %d; expected -1, EPERM", result, errno);
  return expect_error(run, "vgc_shutdown", 0);
}

static void report(const struct run *run) {
  run->outcome->allocated = run->allocated;
  run->outcome->dropped = run->shadow->dropped;
  run->outcome->collected = run->shadow->collected;
  run->outcome->cycles = run->cycle_ends;
  run->outcome->finalizable = run->shadow->finalizable;
}

bool execute(const struct program *program, const struct overrides *overrides, struct outcome *outcome) {
  static struct shadow *shadow;
  struct run run = {.outcome = outcome};
  *outcome = (struct outcome){.at = 0};
  if (shadow) shadow_reset(shadow);
  if (!shadow) shadow = shadow_new();
  if (!shadow) return fail(&run, "no memory for the shadow heap");
  run.shadow = shadow;
  program_config(program, &run.config);
  if (overrides->check_level) run.config.check_level = overrides->check_level;
  if (overrides->collect_every) run.config.collect_every = overrides->collect_every;
  bool good = start(&run);
  for (; good && outcome->at < program->count; outcome->at++) {
    if (!(good = run_operation(&run, &program->ops[outcome->at]))) break;
  }
  good = good && finish(&run);
  report(&run);
  return good && !outcome->failed;
}

/* ---- Not in vain ---- */

static struct outcome sums;

static void print_account(FILE *out) {
  fprintf(out,
          "%llu objects, %llu of them dropped, %llu of these seen collected, in %llu cycles\n"
          "%llu of these with finalizers, %llu of which were called, %llu links to unreachable objects cleared, %llu "
          "times one was not\n"
          "%llu times an object was disclaimed\n",
          (unsigned long long)sums.allocated, (unsigned long long)sums.dropped, (unsigned long long)sums.collected,
          (unsigned long long)sums.cycles, (unsigned long long)sums.finalizable, (unsigned long long)sums.finalized,
          (unsigned long long)sums.cleared, (unsigned long long)sums.held, (unsigned long long)sums.disclaimed);
}

bool execute_account(const struct outcome *outcome) {
  enum { SAMPLE = 100000 };
  sums.allocated += outcome->allocated;
  sums.dropped += outcome->dropped;
  sums.collected += outcome->collected;
  sums.cycles += outcome->cycles;
  sums.finalizable += outcome->finalizable;
  sums.finalized += outcome->finalized;
  sums.cleared += outcome->cleared;
  sums.held += outcome->held;
  sums.disclaimed += outcome->disclaimed;
  bool collected = sums.dropped < SAMPLE || sums.collected >= sums.dropped / 2;
  bool called = sums.finalizable < SAMPLE / 100 || sums.finalized >= sums.finalizable / 4;
  bool cleared = sums.held < SAMPLE / 100 || sums.cleared >= sums.held / 4;
  if (collected && called && cleared) return true;
  fprintf(stderr, "too little was seen to happen, these programs prove nothing: ");
  print_account(stderr);
  return false;
}

void execute_print_account(void) { print_account(stdout); }
