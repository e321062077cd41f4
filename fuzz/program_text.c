#include "program_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Printing ---- */

static void print_operands(FILE *out, const struct operation *op) {
  const char *operands = program_operations[op->opcode].operands;
  if (operands[0] != '-') fprintf(out, " %u", op->a);
  if (operands[1] != '-') fprintf(out, " %u", op->b);
  if (operands[2] == 's') fprintf(out, " %zu", program_size(op->n));
  if (operands[2] != 's' && operands[2] != '-') fprintf(out, " %u", op->n);
}

void program_print(FILE *out, const struct program *program, size_t marked) {
  fprintf(out, "config");
  for (size_t i = 0; i < PROGRAM_HEADER; i++) {
    size_t value = program_fields[i].values[program->header[i]];
    if (value && program->header[i]) fprintf(out, " %s=%zu", program_fields[i].name, value);
  }
  fprintf(out, "\n");
  for (size_t i = 0; i < program->count; i++) {
    fprintf(out, "%s", program_operations[program->ops[i].opcode].name);
    print_operands(out, &program->ops[i]);
    fprintf(out, "%s\n", i == marked ? "   # <-- here" : "");
  }
}

void program_print_operations(FILE *out) {
  for (size_t i = 0; i < OP_COUNT; i++) {
    const struct operation_kind *kind = &program_operations[i];
    char operands[8] = "";
    for (size_t k = 0; k < 3; k++) {
      if (kind->operands[k] != '-') snprintf(operands + strlen(operands), 3, "%c ", kind->operands[k]);
    }
    fprintf(out, "  %-17s%-7s%s\n", kind->name, operands, kind->help);
  }
}

/* ---- Parsing ---- */

struct parser {
  struct program *program;
  const char *name;
  unsigned line;
  size_t repeat_from; /* first operation of the open repeat */
  size_t repeat_turns;
  bool repeating;
  /* Operands of operations inside the open repeat that were written with $: bit 0 a, 1 b, 2 n. */
  uint8_t turn[PROGRAM_OPS];
};

static bool complain(const struct parser *parser, const char *what, const char *word) {
  fprintf(stderr, "%s:%u: %s%s%s\n", parser->name, parser->line, what, word ? ": " : "", word ? word : "");
  return false;
}

static bool parse_number(const char *word, size_t *value) {
  if (!isdigit((unsigned char)*word)) return false;
  char *end;
  *value = strtoull(word, &end, 0);
  return *end == '\0';
}

static bool parse_config(struct parser *parser, char *rest) {
  for (char *save, *word = strtok_r(rest, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
    char *value_text = strchr(word, '=');
    size_t value, i = 0, k = 0;
    if (!value_text) return complain(parser, "expected FIELD=VALUE", word);
    *value_text++ = '\0';
    if (!parse_number(value_text, &value)) return complain(parser, "expected a number", value_text);
    while (i < PROGRAM_HEADER && strcmp(program_fields[i].name, word) != 0) i++;
    if (i == PROGRAM_HEADER) return complain(parser, "unknown field of the configuration", word);
    while (k < program_fields[i].count && program_fields[i].values[k] != value) k++;
    if (k == program_fields[i].count) return complain(parser, "no program can choose this value", value_text);
    parser->program->header[i] = (uint8_t)k;
  }
  return true;
}

static bool parse_operand(struct parser *parser, struct operation *op, size_t which, const char *word) {
  char kind = program_operations[op->opcode].operands[which];
  size_t value = 0;
  bool turn = word[0] == '$';
  if (turn && !parser->repeating) return complain(parser, "$ outside of a repeat", word);
  if (turn && kind == 's') return complain(parser, "a size cannot be $", word);
  if (turn ? word[1] != '\0' && !(word[1] == '+' && parse_number(word + 2, &value)) : !parse_number(word, &value)) {
    return complain(parser, "expected a number", word);
  }
  if (turn) parser->turn[parser->program->count] |= (uint8_t)(1u << which);
  uint32_t n = (uint32_t)value;
  if (kind == 's' && !program_size_encode(value, &n)) {
    return complain(parser, "no program can choose this size (above 66048: multiples of 64 up to 4194240)", word);
  }
  if (value >= (which == 2 ? 1u << 24 : 256u) && kind != 's') return complain(parser, "operand too large", word);
  if (which == 0) op->a = (uint8_t)n;
  if (which == 1) op->b = (uint8_t)n;
  if (which == 2) op->n = n;
  return true;
}

static bool parse_operation(struct parser *parser, const char *name, char *rest) {
  struct operation op = {.opcode = 0};
  while (op.opcode < OP_COUNT && strcmp(program_operations[op.opcode].name, name) != 0) op.opcode++;
  if (op.opcode == OP_COUNT) return complain(parser, "unknown operation (fuzz_replay --help lists them)", name);
  if (parser->program->count == PROGRAM_OPS) return complain(parser, "too many operations", NULL);
  parser->turn[parser->program->count] = 0;
  char *save, *word = strtok_r(rest, " \t", &save);
  for (size_t which = 0; which < 3; which++) {
    if (program_operations[op.opcode].operands[which] == '-') continue;
    if (!word) return complain(parser, "too few operands", name);
    if (!parse_operand(parser, &op, which, word)) return false;
    word = strtok_r(NULL, " \t", &save);
  }
  if (word) return complain(parser, "too many operands", word);
  parser->program->ops[parser->program->count++] = op;
  return true;
}

static bool parse_repeat(struct parser *parser, char *rest) {
  char *save, *word = strtok_r(rest, " \t", &save);
  if (parser->repeating) return complain(parser, "repeat inside of repeat", NULL);
  if (!word || !parse_number(word, &parser->repeat_turns) || parser->repeat_turns == 0) {
    return complain(parser, "expected the number of turns", word);
  }
  parser->repeating = true;
  parser->repeat_from = parser->program->count;
  return true;
}

static bool parse_end(struct parser *parser) {
  struct program *program = parser->program;
  size_t length = program->count - parser->repeat_from;
  if (!parser->repeating) return complain(parser, "end without repeat", NULL);
  if (program->count + length * (parser->repeat_turns - 1) > PROGRAM_OPS) {
    return complain(parser, "too many operations", NULL);
  }
  for (size_t turn = 1; turn < parser->repeat_turns; turn++) {
    for (size_t i = 0; i < length; i++) {
      struct operation op = program->ops[parser->repeat_from + i];
      uint8_t turning = parser->turn[parser->repeat_from + i];
      if (turning & 1) op.a = (uint8_t)(op.a + turn);
      if (turning & 2) op.b = (uint8_t)(op.b + turn);
      if (turning & 4) op.n = (uint32_t)((op.n + turn) & 0xffffff);
      program->ops[program->count++] = op;
    }
  }
  parser->repeating = false;
  return true;
}

bool program_parse(struct program *program, const char *name, FILE *in) {
  struct parser *parser = calloc(1, sizeof *parser);
  char line[512];
  bool good = parser != NULL;
  memset(program->header, 0, sizeof program->header);
  program->count = 0;
  if (parser) *parser = (struct parser){.program = program, .name = name};
  while (good && fgets(line, sizeof line, in)) {
    parser->line++;
    line[strcspn(line, "#\n")] = '\0';
    char *save, *word = strtok_r(line, " \t", &save);
    if (!word) continue;
    if (strcmp(word, "config") == 0) {
      good = parse_config(parser, save);
    } else if (strcmp(word, "repeat") == 0) {
      good = parse_repeat(parser, save);
    } else if (strcmp(word, "end") == 0) {
      good = parse_end(parser);
    } else {
      good = parse_operation(parser, word, save);
    }
  }
  if (good && parser->repeating) good = complain(parser, "repeat without end", NULL);
  free(parser);
  return good;
}
