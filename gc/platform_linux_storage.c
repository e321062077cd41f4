/* Thread-local storage, as glibc and musl lay it out.
 *
 * A thread's storage is found from its thread pointer (tp):
 *   static block   below tp (x86-64) or above it (aarch64), one piece for all objects loaded at start. A thread that
 *                  pthread_create made has it inside its stack mapping; the main thread's stands alone.
 *   dynamic blocks one malloc block for each object loaded later, as far as the thread has used it: entry `module id`
 * of the DTV, the vector that the word at tp+8 (x86-64) or tp (aarch64) points to. Entry -1 holds the number of
 * entries, 0 the generation; an entry is a pointer and what to free. pthread keys   values of the first 32 keys lie in
 * the thread's structure, beside tp; those of each further 32 in a calloc block that an array in the structure points
 * to. The array's place differs between versions: platform_storage_learn finds it by setting a key and looking where
 * the value went. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "platform.h"
#include "platform_linux.h"

/* Absent from a -static program, where it could find nothing. */
#pragma weak dlsym

#define KEYS_PER_BLOCK 32 /* glibc; a value is a sequence number and a pointer */
#define KEY_BLOCKS     32
#define STRUCT_WINDOW  4096 /* the thread's structure, and in it the array, lie within that of the thread pointer */

static struct {
  bool learnt;
  intptr_t key_blocks; /* the array of pointers to blocks of keys, relative to the thread pointer */
  size_t static_size;  /* upper bound of the static block, without the structure */
  size_t struct_size;  /* of the structure, or an upper bound */
} storage COLLECTOR_DATA;

struct key_value {
  uintptr_t sequence, value;
};

/* Where, relative to tp, a pointer to the block lies whose entry `index` holds `value`; 0 if nowhere. */
static NO_SANITIZE intptr_t find_key_block(uintptr_t tp, unsigned index, uintptr_t value) {
  uintptr_t low = ARCH_STRUCT_ABOVE_POINTER ? tp : tp - STRUCT_WINDOW;
  for (uintptr_t at = low; at < low + STRUCT_WINDOW; at += sizeof(uintptr_t)) {
    if (!platform_readable(at, sizeof(uintptr_t))) continue;
    const struct key_value *block = *(const struct key_value **)at;
    if (!block || (uintptr_t)block % sizeof(uintptr_t) != 0) continue;
    if (!platform_readable((uintptr_t)block, KEYS_PER_BLOCK * sizeof *block)) continue;
    if (block[index].value == value) return (intptr_t)(at - tp);
  }
  return 0;
}

static void learn_key_blocks(void) {
  static const char probe; /* an address that no other key holds */
  pthread_key_t keys[4 * KEYS_PER_BLOCK];
  unsigned count = 0;
  while (count < 4 * KEYS_PER_BLOCK && pthread_key_create(&keys[count], NULL) == 0)
    if (keys[count++] >= KEYS_PER_BLOCK) break;
  pthread_key_t key = count ? keys[count - 1] : 0;
  if (key >= KEYS_PER_BLOCK && key < KEYS_PER_BLOCK * KEY_BLOCKS && pthread_setspecific(key, &probe) == 0) {
    intptr_t at = find_key_block(arch_thread_pointer(), key % KEYS_PER_BLOCK, (uintptr_t)&probe);
    storage.learnt = at != 0;
    storage.key_blocks = at - (intptr_t)(key / KEYS_PER_BLOCK * sizeof(uintptr_t));
    pthread_setspecific(key, NULL);
  }
  while (count) pthread_key_delete(keys[--count]);
}

void platform_storage_learn(void) {
  if (storage.static_size) return;
  int saved = errno;
  /* glibc tells how large a stack it needs: a page, the static block with the structure, and PTHREAD_STACK_MIN of old;
   * and debuggers how large the structure is. What is left is no more than its block: the memory beside it may be
   * another thread's stack, with dead frames, and be unmapped while it is scanned (X99). */
  const uint32_t *structure = dlsym ? dlsym(RTLD_DEFAULT, "_thread_db_sizeof_pthread") : NULL;
  storage.struct_size = structure && *structure < STRUCT_WINDOW ? *structure : STRUCT_WINDOW;
  size_t (*least)(const pthread_attr_t *) = NULL;
  void *symbol = dlsym ? dlsym(RTLD_DEFAULT, "__pthread_get_minstack") : NULL;
  memcpy(&least, &symbol, sizeof least);
  pthread_attr_t attributes;
  storage.static_size = 16384;
  if (least && pthread_attr_init(&attributes) == 0) {
    size_t rest = (size_t)sysconf(_SC_PAGESIZE) + 16384 + (structure ? storage.struct_size : 0);
    storage.static_size = least(&attributes) > rest ? least(&attributes) - rest : least(&attributes);
    pthread_attr_destroy(&attributes);
  }
  learn_key_blocks();
  if (!storage.learnt)
    platform_print(
        "vgc: cannot tell how this libc keeps pthread_setspecific values: those of keys from number 32 on are "
        "not roots; add them with vgc_root_add_callback\n");
  errno = saved;
}

int platform_last_key(pthread_key_t *last, void (*destructor)(void *)) {
  pthread_key_t keys[KEYS_PER_BLOCK];
  unsigned count = 0;
  int rc = 0;
  while (count < KEYS_PER_BLOCK && (rc = pthread_key_create(&keys[count], destructor)) == 0)
    if (keys[count++] >= KEYS_PER_BLOCK - 1) break;
  if (count == 0) return rc;
  /* Where the program has taken all keys of the first block, the next free one is as good as any. */
  unsigned chosen = count > 1 && keys[count - 1] >= KEYS_PER_BLOCK ? count - 2 : count - 1;
  *last = keys[chosen];
  for (unsigned i = 0; i < count; i++)
    if (i != chosen) pthread_key_delete(keys[i]);
  return 0;
}

NO_SANITIZE bool platform_keys_follow(pthread_key_t key) {
  if (!storage.learnt) return true;
  struct key_value *const *blocks = (struct key_value *const *)(arch_thread_pointer() + (uintptr_t)storage.key_blocks);
  for (unsigned later = key + 1; later < KEYS_PER_BLOCK * KEY_BLOCKS; later++) {
    const struct key_value *block = blocks[later / KEYS_PER_BLOCK];
    if (!block)
      later |= KEYS_PER_BLOCK - 1;
    else if (block[later % KEYS_PER_BLOCK].value)
      return true;
  }
  return false;
}

struct storage_walk {
  uintptr_t low, high; /* what the stack scan covers */
  platform_range *range;
  void *context;
};

/* Gives a range unless the stack holds it or it cannot be read: a thread suspended inside the loader may show a stale
 * entry. */
static void walk_range(const struct storage_walk *walk, uintptr_t low, size_t size) {
  uintptr_t high = (low + size) & ~(uintptr_t)7;
  low = (low + 7) & ~(uintptr_t)7;
  if (low >= high || (low >= walk->low && high <= walk->high)) return;
  if (platform_readable(low, high - low)) walk->range(walk->context, low, high);
}

/* The static block and the thread's structure, page by page as far as they are mapped. */
static void walk_static(const struct storage_walk *walk, uintptr_t tp) {
  uintptr_t below = ARCH_STRUCT_ABOVE_POINTER ? storage.static_size : storage.struct_size;
  uintptr_t above = ARCH_STRUCT_ABOVE_POINTER ? storage.struct_size : storage.static_size;
  uintptr_t low = tp - below, high = tp + above;
  low &= ~(uintptr_t)7;
  if (tp >= walk->low && tp < walk->high) return;
  while (low < tp && !platform_readable(low, tp - low)) low = (low | 4095) + 1;
  while (high > tp && !platform_readable(tp, high - tp)) high = (high - 1) & ~(uintptr_t)4095;
  walk_range(walk, low, high - low);
}

static NO_SANITIZE void walk_dynamic(const struct storage_walk *walk, const struct platform_modules *modules,
                                     uintptr_t tp) {
  struct dtv_entry {
    uintptr_t value, to_free;
  };
  const struct dtv_entry *dtv = *(struct dtv_entry **)(tp + ARCH_DTV_OFFSET);
  if (!dtv || !platform_readable((uintptr_t)(dtv - 1), 2 * sizeof *dtv)) return;
  size_t count = dtv[-1].value;
  size_t modules_count;
  const struct platform_tls_module *module = platform_modules_storage(modules, &modules_count);
  for (; modules_count; modules_count--, module++) {
    if (module->id > count || !platform_readable((uintptr_t)(dtv + module->id), sizeof *dtv)) continue;
    uintptr_t block = dtv[module->id].value;
    if (block != 0 && block != UINTPTR_MAX) walk_range(walk, block, module->size);
  }
}

static NO_SANITIZE void walk_keys(const struct storage_walk *walk, uintptr_t tp) {
  if (!storage.learnt) return;
  const uintptr_t *blocks = (const uintptr_t *)(tp + (uintptr_t)storage.key_blocks);
  for (unsigned i = 1; i < KEY_BLOCKS; i++)
    if (blocks[i]) walk_range(walk, blocks[i], KEYS_PER_BLOCK * sizeof(struct key_value));
}

void platform_storage(const struct platform_modules *modules, uintptr_t thread_pointer, uintptr_t low, uintptr_t high,
                      platform_range *range, void *context) {
  struct storage_walk walk = {low, high, range, context};
  walk_static(&walk, thread_pointer);
  walk_dynamic(&walk, modules, thread_pointer);
  walk_keys(&walk, thread_pointer);
}
