#include "learn.h"

#include <stdlib.h>

#include "explore.h"

#define WORDS 16384u /* a power of two */

struct word {
  uintptr_t address;
  uint32_t run;    /* in which `fibers` and `written` were noted */
  uint16_t fibers; /* bit of each that used it */
  bool written;    /* by one of them */
  bool shared;     /* in some run two used it, and one wrote */
};

#define STRATEGIES 3u

struct learning {
  struct strategy *strategy[STRATEGIES];
  unsigned runs; /* so far */
  bool learnt;
  unsigned words;
  struct word word[WORDS];
};
static struct learning *state;

static struct word *word_of(uintptr_t address) {
  uint32_t at = (uint32_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 50);
  while (state->word[at].address != address) {
    if (state->word[at].address == 0) {
      if (++state->words > WORDS / 2)
        fail(INTERLEAVE_UNSUPPORTED, "a model that learns uses more than %u words", WORDS / 2);
      state->word[at].address = address;
      break;
    }
    at = (at + 1) % WORDS;
  }
  return &state->word[at];
}

static void use(struct word *word, bool write) {
  if (word->run != RT->run) {
    word->run = RT->run;
    word->fibers = 0;
    word->written = false;
  }
  word->fibers |= (uint16_t)(1u << self()->id);
  word->written |= write;
  if (word->shared || !word->written || !(word->fibers & (word->fibers - 1))) return;
  if (state->learnt)
    fail(INTERLEAVE_UNSUPPORTED,
         "threads share the word at %#zx, which they did in none of the %u runs that were learnt from; let the model "
         "learn from more",
         (size_t)word->address, RT->model->learn);
  word->shared = true;
}

bool learn_passes(enum op_kind kind, uintptr_t address, bool write) {
  static const uint32_t on_words = UINT32_C(1) << OP_LOAD | UINT32_C(1) << OP_STORE | UINT32_C(1) << OP_RMW |
                                   UINT32_C(1) << OP_LOCK | UINT32_C(1) << OP_UNLOCK;
  if (!(on_words >> kind & 1) || !state) return false;
  struct word *word = word_of(address);
  use(word, write || kind == OP_LOCK || kind == OP_UNLOCK);
  return state->learnt && !word->shared;
}

struct learning *learn_begin(void) {
  struct learning *learning = calloc(1, sizeof *learning);
  if (!learning) abort();
  learning->strategy[0] = strategy_random(1);
  learning->strategy[1] = strategy_pos(1);
  learning->strategy[2] = strategy_pct(1, 3);
  return learning;
}

void learn_use(struct learning *learning) { state = learning; }

bool learn_run(struct learning *learning) {
  if (learning->learnt) return false;
  bool nothing_left, wants_trace = choices->wants_trace;
  choices->wants_trace = false;
  run_by(learning->strategy[learning->runs % STRATEGIES], learning->runs, &nothing_left);
  choices->wants_trace = wants_trace;
  learning->learnt = ++learning->runs == RT->model->learn;
  return true;
}

void learn_end(struct learning *learning) {
  if (!learning) return;
  if (state == learning) state = NULL;
  for (unsigned i = 0; i < STRATEGIES; i++) strategy_free(learning->strategy[i]);
  free(learning);
}

bool learning(void) { return RT->model->learn && state && !state->learnt; }

void learn(void) {
  learn_end(state);
  if (RT->model->learn == 0) return;
  learn_use(learn_begin());
  while (learn_run(state))
    ;
}
