#include "token.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "i1"
#ifdef __clang__
#define COMPILER "clang"
#else
#define COMPILER "gcc"
#endif

/* ---- The build ---- */

static int find_build(struct dl_phdr_info *info, size_t size, void *argument) {
  uint32_t *build = argument;
  (void)size;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_NOTE) continue;
    const char *at = (const char *)info->dlpi_addr + header->p_vaddr, *end = at + header->p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
      const char *name = at + sizeof *note, *bytes = name + ((note->n_namesz + 3u) & ~3u);
      if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz >= 4 && memcmp(name, "GNU", 4) == 0) {
        for (unsigned byte = 0; byte < 4; byte++) *build = *build << 8 | (unsigned char)bytes[byte];
        return 1;
      }
      at = bytes + ((note->n_descsz + 3u) & ~3u);
    }
  }
  return 1; /* only the program itself, which comes first */
}

uint32_t token_build(void) {
  uint32_t build = 0;
  dl_iterate_phdr(find_build, &build);
  return build;
}

/* ---- Writing ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct bytes {
  unsigned char *at;
  size_t count, room;
};

static void add_byte(struct bytes *bytes, unsigned byte) {
  if (bytes->count == bytes->room) {
    bytes->room = bytes->room ? 2 * bytes->room : 256;
    bytes->at = realloc(bytes->at, bytes->room);
    if (!bytes->at) abort();
  }
  bytes->at[bytes->count++] = (unsigned char)byte;
}

static void add_number(struct bytes *bytes, uint32_t number) {
  for (; number >= 128; number >>= 7) add_byte(bytes, 128 | (number & 127));
  add_byte(bytes, number);
}

static char *encode(const struct bytes *bytes) {
  char *text = calloc(bytes->count * 4 / 3 + 4, 1), *to = text;
  if (!text) abort();
  for (size_t i = 0; i < bytes->count; i += 3) {
    size_t left = bytes->count - i;
    uint32_t word = (uint32_t)bytes->at[i] << 16;
    if (left > 1) word |= (uint32_t)bytes->at[i + 1] << 8;
    if (left > 2) word |= bytes->at[i + 2];
    for (unsigned digit = 0; digit <= (left > 2 ? 3 : left); digit++) *to++ = digits[word >> (18 - 6 * digit) & 63];
  }
  return text;
}

static unsigned sum_of(const char *text, size_t size) {
  uint32_t sum = UINT32_C(2166136261);
  for (size_t i = 0; i < size; i++) sum = (sum ^ (unsigned char)text[i]) * UINT32_C(16777619);
  return (sum ^ sum >> 16) & 0xffff;
}

static char *finish(const char *model, const char *decisions, uint64_t hash) {
  char *text = NULL;
  if (asprintf(&text, VERSION "." COMPILER ".%s.%s.%08" PRIx32 ".%s.%016" PRIx64 ".", program_invocation_short_name,
               model, token_build(), decisions, hash) < 0)
    abort();
  size_t size = strlen(text);
  text = realloc(text, size + 5);
  if (!text) abort();
  snprintf(text + size, 5, "%04x", sum_of(text, size));
  return text;
}

char *token_of_list(const char *model, const struct decision *list, uint32_t count, uint64_t hash) {
  struct bytes bytes = {0};
  uint32_t since = 0;
  for (uint32_t i = 0; i < count; i++, since++) {
    if (list[i].taken == 0) continue;
    add_number(&bytes, since);
    add_number(&bytes, list[i].taken);
    since = UINT32_MAX;
  }
  char *encoded = encode(&bytes), *decisions;
  if (asprintf(&decisions, "d%s", encoded) < 0) abort();
  char *text = finish(model, decisions, hash);
  free(decisions);
  free(encoded);
  free(bytes.at);
  return text;
}

char *token_of_run(const char *model, const struct strategy *active, uint64_t hash) {
  char decisions[128];
  snprintf(decisions, sizeof decisions, "s%s_%" PRIx64 "_%" PRIx64 "_%" PRIx64, active->name, active->seed, active->run,
           active->parameter);
  return finish(model, decisions, hash);
}

/* ---- Reading ---- */

static bool refuse(const char *what, const char *todo) {
  fprintf(stderr, "--token: %s; %s\n", what, todo);
  return false;
}

static bool damaged(void) {
  return refuse("the token is damaged", "copy the whole of it, from '" VERSION ".' to the four digits of its sum");
}

static bool decode(const char *text, struct bytes *bytes) {
  uint32_t word = 0, bits = 0;
  for (; *text; text++) {
    const char *digit = strchr(digits, *text);
    if (!digit) return false;
    word = word << 6 | (uint32_t)(digit - digits);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    add_byte(bytes, word >> bits & 255);
  }
  return true;
}

static bool take_number(const struct bytes *bytes, size_t *at, uint32_t *number) {
  *number = 0;
  for (unsigned shift = 0; *at < bytes->count && shift < 32; shift += 7) {
    unsigned byte = bytes->at[(*at)++];
    *number |= (byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

static bool read_list(const struct bytes *bytes, struct token *token) {
  size_t at = 0;
  uint32_t zeros, taken;
  token->list = calloc(DECISIONS_MAX, sizeof *token->list);
  if (!token->list) abort();
  while (at < bytes->count) {
    if (!take_number(bytes, &at, &zeros) || !take_number(bytes, &at, &taken)) return false;
    if (zeros >= DECISIONS_MAX - token->count || taken == 0 || taken > UINT16_MAX) return false;
    token->count += zeros;
    token->list[token->count].kind = CHOICE_KINDS;
    token->list[token->count++].taken = (uint16_t)taken;
  }
  return true;
}

static bool read_decisions(const char *text, struct token *token) {
  if (*text == 's')
    return sscanf(text, "s%23[a-z0-9]_%" SCNx64 "_%" SCNx64 "_%" SCNx64, token->strategy, &token->seed, &token->run,
                  &token->parameter) == 4;
  if (*text != 'd') return false;
  struct bytes bytes = {0};
  bool good = decode(text + 1, &bytes) && read_list(&bytes, token);
  free(bytes.at);
  return good;
}

/* Cuts at dots, from the right, as a program's name may hold some. */
static bool split(char *text, char *field[8]) {
  for (unsigned i = 7; i > 2; i--) {
    char *dot = strrchr(text, '.');
    if (!dot) return false;
    *dot = '\0';
    field[i] = dot + 1;
  }
  for (unsigned i = 0; i < 2; i++) {
    field[i] = text;
    text = strchr(text, '.');
    if (!text) return false;
    *text++ = '\0';
  }
  field[2] = text;
  return true;
}

extern const char interleave_has_repro[] __attribute__((weak));

bool token_has_repro(void) { return interleave_has_repro != NULL; }

static bool is_ours(const struct token *token) {
  char what[512], todo[512];
  if (strcmp(token->program, program_invocation_short_name) != 0) {
    snprintf(what, sizeof what, "the token is of the program '%s', this is '%s'", token->program,
             program_invocation_short_name);
    return refuse(what, token_has_repro() ? "run that one, or ci/repro with the token" : "run that one");
  }
  if (token->build == token_build()) return true;
  snprintf(what, sizeof what, "the token is of build %08" PRIx32 " (%s), this is build %08" PRIx32 " (" COMPILER ")",
           token->build, token->compiler, token_build());
  snprintf(todo, sizeof todo,
           "check out the revision it was made with and build that with %s in the same directory: "
           "another build makes other decisions of the same numbers",
           token->compiler);
  return refuse(what, todo);
}

bool token_parse(const char *text, struct token *token) {
  char *field[8], *copy = strdup(text);
  if (!copy) abort();
  *token = (struct token){0};
  const char *last = strrchr(text, '.');
  bool version = strncmp(text, VERSION ".", sizeof VERSION) == 0;
  bool good = version && last && strlen(last) == 5 &&
              strtoul(last + 1, NULL, 16) == sum_of(text, (size_t)(last + 1 - text)) && split(copy, field);
  if (good) {
    snprintf(token->compiler, sizeof token->compiler, "%.15s", field[1]);
    snprintf(token->program, sizeof token->program, "%.127s", field[2]);
    snprintf(token->model, sizeof token->model, "%.127s", field[3]);
    token->build = (uint32_t)strtoul(field[4], NULL, 16);
    token->hash = strtoull(field[6], NULL, 16);
    good = read_decisions(field[5], token);
  }
  free(copy);
  if (!version && text[0] == 'i' && isdigit((unsigned char)text[1]) && strchr(text, '.'))
    return refuse("the token is of another version", "this program reads " VERSION);
  if (!good) return damaged();
  return is_ours(token);
}

struct strategy *token_strategy(const struct token *token) {
  if (token->strategy[0] == '\0') return strategy_list(token->list, token->count);
  return strategy_named(token->strategy, token->seed, token->parameter);
}
