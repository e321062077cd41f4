#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- Code ---- */

#define SLOTS (1u << 16)

struct entry {
  uintptr_t pc;
  struct place *place;
};
struct table {
  struct entry entry[SLOTS];
  unsigned count;
};
static struct table *table;
static const struct place unknown = {"??", "??", 0, NULL};

static struct entry *slot_of(uintptr_t pc) {
  size_t at = (pc * UINT64_C(0x9e3779b97f4a7c15)) >> 48;
  while (table->entry[at].pc && table->entry[at].pc != pc) at = (at + 1) % SLOTS;
  return &table->entry[at];
}

/* Takes the place of the child's output, or -1. */
static int start(const char *const *command, int input, pid_t *child) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  int error = posix_spawnp(child, command[0], &actions, NULL, (char *const *)(uintptr_t)command, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (!error) return ends[0];
  close(ends[0]);
  return -1;
}

static struct place *new_place(char *function, char *file_and_line) {
  struct place *place = calloc(1, sizeof *place);
  char *end = strrchr(file_and_line, ':');
  if (place == NULL) abort();
  if (end) {
    *end = '\0';
    place->line = (unsigned)strtoul(end + 1, NULL, 10);
  }
  place->function = strdup(function);
  while (strncmp(file_and_line, "./", 2) == 0) file_and_line += 2; /* the build maps its own folder to that */
  place->file = strdup(file_and_line);
  return place;
}

/* For each address a line with it, then two lines for each function, inner before outer. */
static void read_places(FILE *in) {
  char line[4096], function[1024] = "";
  struct entry *entry = NULL;
  struct place **next = NULL;
  bool names_place = false;
  while (fgets(line, sizeof line, in)) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "0x", 2) == 0) {
      entry = slot_of((uintptr_t)strtoull(line, NULL, 16) + 1);
      next = &entry->place;
      names_place = false;
    } else if (!names_place) {
      snprintf(function, sizeof function, "%.1023s", line);
      names_place = true;
    } else {
      names_place = false;
      char *remark = strstr(line, " (discriminator");
      if (remark) *remark = '\0';
      if (!entry || !entry->pc || *next) continue;
      *next = new_place(function, line);
      next = (struct place **)(uintptr_t) & (*next)->inlined_into;
    }
  }
}

static bool ask(const char *const *command, FILE *addresses) {
  pid_t child;
  rewind(addresses);
  int output = start(command, fileno(addresses), &child);
  if (output < 0) return false;
  FILE *in = fdopen(output, "r");
  if (in == NULL) abort();
  read_places(in);
  fclose(in);
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *own_path(void) {
  static char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  return path;
}

void symbols_resolve(const void *const *pcs, size_t count) {
  if (!table) table = calloc(1, sizeof *table);
  FILE *addresses = tmpfile();
  if (!table || !addresses) return;
  bool any = false;
  for (size_t i = 0; i < count && table->count < SLOTS / 2; i++) {
    uintptr_t pc = (uintptr_t)pcs[i];
    if (pc == 0 || slot_of(pc)->pc == pc) continue;
    slot_of(pc)->pc = pc;
    table->count++;
    fprintf(addresses, "0x%zx\n", (size_t)(pc - 1)); /* in the call, not behind it */
    any = true;
  }
  fflush(addresses);
  const char *gnu[] = {"addr2line", "-a", "-f", "-C", "-i", "-e", own_path(), NULL};
  const char *llvm[] = {"llvm-symbolizer", "--addresses", "--output-style=GNU", "-e", own_path(), NULL};
  if (any && !ask(gnu, addresses) && !ask(llvm, addresses))
    fprintf(stderr, "neither addr2line nor llvm-symbolizer could be run: addresses have no names; install binutils\n");
  fclose(addresses);
}

const struct place *symbols_place(const void *pc) {
  if (!table || !pc) return &unknown;
  const struct entry *entry = slot_of((uintptr_t)pc);
  return entry->pc && entry->place ? entry->place : &unknown;
}

const char *symbols_base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* ---- Data ---- */

struct image {
  const char *base;
  size_t size;
  const Elf64_Sym *symbols;
  size_t count;
  const char *names;
};

static bool map_image(struct image *image) {
  int file = open(own_path(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0) return false;
  if (fstat(file, &status) == 0) {
    image->size = (size_t)status.st_size;
    image->base = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  return image->base && image->base != MAP_FAILED;
}

static bool load_image(struct image *image) {
  if (!map_image(image)) return false;
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->base;
  const Elf64_Shdr *section = (const Elf64_Shdr *)(image->base + header->e_shoff);
  for (unsigned i = 0; i < header->e_shnum; i++) {
    if (section[i].sh_type != SHT_SYMTAB) continue;
    image->symbols = (const Elf64_Sym *)(image->base + section[i].sh_offset);
    image->count = section[i].sh_size / sizeof *image->symbols;
    image->names = image->base + section[section[i].sh_link].sh_offset;
    return true;
  }
  return false;
}

const char *symbols_object(uintptr_t address, char *text, size_t size) {
  static struct image image;
  static enum { NOT_YET, THERE, MISSING } loaded;
  if (loaded == NOT_YET) loaded = load_image(&image) ? THERE : MISSING;
  for (size_t i = 0; loaded == THERE && i < image.count; i++) {
    const Elf64_Sym *symbol = &image.symbols[i];
    if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || address - symbol->st_value >= symbol->st_size) continue;
    size_t offset = address - symbol->st_value;
    if (offset)
      snprintf(text, size, "%s+%zu", image.names + symbol->st_name, offset);
    else
      snprintf(text, size, "%s", image.names + symbol->st_name);
    return text;
  }
  snprintf(text, size, "%#zx", (size_t)address);
  return text;
}
