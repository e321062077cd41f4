/* What decides. A run is a list of decisions, each a number below n with 0 the unremarkable one; a strategy makes them.
 * choose.c asks the strategy of the moment and keeps the list, from which tokens, shrinking and replays are made. */
#ifndef INTERLEAVE_STRATEGY_H
#define INTERLEAVE_STRATEGY_H

#include <stdio.h>

#include "runtime.h"

/* ---- Decisions of one run (choose.c) ---- */

struct decision {
  uint32_t step;
  uint16_t n, taken;
  uint8_t kind;   /* enum choice_kind */
  uint8_t fiber;  /* who was running */
  uint8_t target; /* CHOICE_THREAD: id of the fiber taken */
  bool preemption;
};

#define DECISIONS_MAX (1u << 20)

struct strategy;

struct choices {
  struct strategy *strategy;
  uint32_t count;
  uint32_t threads; /* decisions about threads among them */
  bool wants_trace; /* of distinct executions */
  struct decision list[DECISIONS_MAX];
};
extern struct choices *choices;

void choose_set_up(void); /* once for each process */
void choose_begin(struct strategy *);

/* ---- Strategies ---- */

/* What is left of a strategy's work. */
enum progress { GOES_ON, EXHAUSTED };

struct strategy {
  const char *name; /* a word, in tokens and tables */
  /* Called before run number `run`, counted from 0 by the caller; what it decides follows from the number and the
   * strategy's seed alone, unless `by_list`. False: there is nothing left to run. */
  bool (*begin)(struct strategy *, uint64_t run);
  unsigned (*thread)(struct strategy *, const uint8_t *ids, unsigned n, bool current_enabled);
  unsigned (*other)(struct strategy *, enum choice_kind, unsigned n);
  /* The current fiber has done this. Or NULL. */
  void (*executed)(struct strategy *, const struct fiber *, const struct operation *);
  void (*end)(struct strategy *, enum verdict);
  /* One line, without its end, about what the runs so far tell. */
  void (*describe)(const struct strategy *, FILE *);
  /* The strategy that made the last run's decisions: itself, or one of a portfolio's. */
  struct strategy *(*active)(struct strategy *);
  uint64_t seed;
  uint64_t parameter; /* what the last run's decisions depend on besides seed and number */
  uint64_t run;       /* number of the last run */
  bool by_list;       /* only the list of decisions tells a run */
};

struct strategy *strategy_random(uint64_t seed);
#define PCT_DEPTH_MAX 8u
struct strategy *strategy_pct(uint64_t seed, unsigned depth);
/* The runs to come are as they were when the strategy's parameter was this. */
void pct_restore(struct strategy *, uint64_t parameter);
struct strategy *strategy_pos(uint64_t seed);
/* A share of the runs for each of the others. */
struct strategy *strategy_portfolio(uint64_t seed);

/* Every decision, depth first. `bound` preemptions at most, UINT32_MAX for all; with all, `reduce` skips what differs
 * from an earlier execution only in the order of independent operations (sleep sets; Godefroid 1996). */
struct strategy *strategy_exhaustive(unsigned bound, bool reduce);

/* Follows a list of decisions, then takes 0. What does not fit, as n is smaller than the decision, is 0 as well and
 * counts as a divergence. Kind CHOICE_KINDS fits any. The list stays the caller's. */
struct strategy *strategy_list(const struct decision *list, uint32_t count);
uint32_t strategy_list_divergences(const struct strategy *);

/* The one of that name, as in tokens: random, pct2, pct3, pos... NULL if there is none. `parameter` as it was then. */
struct strategy *strategy_named(const char *name, uint64_t seed, uint64_t parameter);
/* Ends the life of any of them; the strategies inside included. */
void strategy_free(struct strategy *);

/* ---- Exhaustive search ---- */

struct extent {
  uint64_t redundant; /* runs cut short: the same as an earlier one */
  /* Of the tree, if each branch of a node had as many leaves as its neighbours (Kilby et al. 2006); far too low where
   * one branch ends and the other offers the same choice again, as with a signal that may be delivered later. So also:
   * how many decisions from the start on have had their first alternative only, of how many. */
  double fraction;
  uint32_t untouched, depth;
  bool exhausted;
  unsigned bound; /* UINT32_MAX: none */
};
struct extent exhaustive_extent(const struct strategy *);
/* Whether the strategy is one of exhaustive search. */
bool exhaustive_is(const struct strategy *);
bool portfolio_is(const struct strategy *);
struct extent portfolio_extent(const struct strategy *); /* of the bounded search at work */
/* Writes or reads what is needed to go on; false, with a line on stderr, on an error. */
bool exhaustive_save(const struct strategy *, FILE *);
bool exhaustive_load(struct strategy *, FILE *);

/* ---- Distinct executions (trace.c) ---- */

/* Needs RT->tracing. */
void trace_set_up(void);
void trace_begin(void);
/* Executions that differ only in the order of independent operations have the same. */
uint64_t trace_hash(void);
/* Whether the fiber's next operation is on an atomic that it has read since it last changed anything: the next turn of
 * a loop, which may wait for a store to any of those it reads. */
bool trace_reads_again(const struct fiber *);

/* A set of hashes. */
struct hash_set;
struct hash_set *hash_set_new(void);
void hash_set_free(struct hash_set *);
bool hash_set_add(struct hash_set *, uint64_t); /* false: it was there */
uint64_t hash_set_count(const struct hash_set *);
bool hash_set_save(const struct hash_set *, FILE *);
bool hash_set_load(struct hash_set *, FILE *);

#endif
