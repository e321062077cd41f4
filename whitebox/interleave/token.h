/* One line of text that tells a run exactly:
 *
 *   i1.COMPILER.PROGRAM.MODEL.BUILD.DECISIONS.HASH.SUM
 *
 * BUILD: the first 8 hexadecimal digits of the executable's build id. DECISIONS: 's' STRATEGY_SEED_RUN_PARAMETER, or
 * 'd' and the decisions that are not 0 in base64url: for each, as varints, how many were 0 since the one before, and
 * the number. HASH: of the run's events. SUM: of the text before. */
#ifndef INTERLEAVE_TOKEN_H
#define INTERLEAVE_TOKEN_H

#include "strategy.h"

#define TOKEN_NAME 128u

struct token {
  char compiler[16], program[TOKEN_NAME], model[TOKEN_NAME];
  uint32_t build;
  uint64_t hash;
  /* Either a strategy's run ... */
  char strategy[24]; /* "" if not */
  uint64_t seed, run, parameter;
  /* ... or a list, from malloc. */
  struct decision *list;
  uint32_t count;
};

/* The text, from malloc. */
char *token_of_list(const char *model, const struct decision *, uint32_t count, uint64_t hash);
char *token_of_run(const char *model, const struct strategy *active, uint64_t hash);
/* False, with a line on stderr that says what to do, if the text is damaged or not of this program. */
bool token_parse(const char *text, struct token *);
uint32_t token_build(void);
/* Whether ci/repro replays the program's tokens: it knows the programs of its own tree (interleave.cmake). */
bool token_has_repro(void);
/* The strategy that makes the token's decisions; its run is token->run. */
struct strategy *token_strategy(const struct token *);

#endif
