/* Loaded objects: which memory of theirs holds data, and whether the list of them still holds.
 *
 * The list is made while the world runs, under the loader's lock, and kept. A stopped world must not take that lock,
 * since a suspended thread may hold it (N22); and the lock must not be held over a stop, since a thread that waits for
 * it inside libc does not answer under ThreadSanitizer. So the stopped world checks instead that nothing changed: it
 * walks the loader's chain of link maps as a debugger does (SVR4 r_debug) and compares a fingerprint. A thread
 * suspended in the middle of dlopen or dlclose shows as a state other than RT_CONSISTENT. On a difference the collector
 * lets the world run, lists anew, and stops again (B12). */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "platform.h"
#include "platform_linux.h"
#include "point.h"

struct segment {
  uintptr_t low, high;
};

struct platform_modules {
  size_t bytes; /* of this mapping */
  uint64_t fingerprint;
  size_t segment_count, tls_count;
  struct platform_tls_module *tls;
  struct segment segments[];
};

/* Absent from some -static programs, whose objects never change. */
#pragma weak _r_debug
#pragma weak dlsym

#if !__GLIBC_PREREQ(2, 35)
struct dl_find_object {
  void *dlfo_map_start;
};
#endif

#define CHANGING 0u /* never the fingerprint of a list that holds */

static uint64_t mix(uint64_t hash, uint64_t value) {
  return (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15) + (hash >> 29);
}

/* What glibc has for debuggers and unwinders, where it has it: both may be asked in a stopped world. */
static struct {
  size_t id_offset; /* of the number of an object's thread-local storage in its link map; 0: not known */
  int (*find)(void *, struct dl_find_object *);
} loader COLLECTOR_DATA;

void platform_modules_learn(void) {
  const uint32_t *field = dlsym ? dlsym(RTLD_DEFAULT, "_thread_db_link_map_l_tls_modid") : NULL;
  void *find = dlsym ? dlsym(RTLD_DEFAULT, "_dl_find_object") : NULL;
  loader.id_offset = field ? field[2] : 0; /* after its bits and their number */
  memcpy(&loader.find, &find, sizeof find);
}

/* The sizes of an object's segments, .bss and thread-local storage among them, in its first page. */
NO_SANITIZE static uint64_t mix_headers(uint64_t hash, const struct link_map *map) {
  struct dl_find_object found;
  if (!loader.find || !map->l_ld || loader.find(map->l_ld, &found)) return hash;
  const ElfW(Ehdr) *file = found.dlfo_map_start;
  bool is_header = file->e_ident[0] == ELFMAG0 && file->e_ident[1] == ELFMAG1 && file->e_ident[2] == ELFMAG2;
  if (!is_header || file->e_phoff + file->e_phnum * sizeof(ElfW(Phdr)) > 4096) return hash;
  const ElfW(Phdr) *headers = (const void *)((const char *)file + file->e_phoff);
  for (unsigned i = 0; i < file->e_phnum; i++) hash = mix(mix(hash, headers[i].p_vaddr), headers[i].p_memsz);
  return hash;
}

/* Of one name space: all that a list is made of, for one object may come in another's place: every object's place and
 * sizes, the number of its storage, and the head of its dynamic section, which differs between builds. */
NO_SANITIZE static uint64_t mix_objects(uint64_t hash, const struct link_map *map) {
  for (; map; map = map->l_next) {
    hash = mix(mix(hash, (uintptr_t)map), map->l_addr);
    hash = mix(hash, (uintptr_t)map->l_ld);
    if (loader.id_offset) hash = mix(hash, *(const size_t *)(const void *)((const char *)map + loader.id_offset));
    hash = mix_headers(hash, map);
    for (unsigned i = 0; map->l_ld && i < 8 && map->l_ld[i].d_tag != DT_NULL; i++)
      hash = mix(hash, (uint64_t)map->l_ld[i].d_un.d_val);
  }
  return hash;
}

/* With the loader's lock held, or the world stopped. */
NO_SANITIZE static uint64_t fingerprint(void) {
  uint64_t hash = 1;
  if (!&_r_debug || _r_debug.r_version == 0) return hash;
  const struct r_debug *space = &_r_debug;
  while (space) {
    if (space->r_state != RT_CONSISTENT) return CHANGING;
    hash = mix_objects(hash, space->r_map);
#if __GLIBC_PREREQ(2, 35)
    space = space->r_version >= 2 ? &((const struct r_debug_extended *)space)->r_next->base : NULL;
#else
    space = NULL;
#endif
  }
  return hash == CHANGING ? 1 : hash;
}

/* ---- The list ---- */

static void add_segment(struct platform_modules *list, uintptr_t low, uintptr_t high) {
  low = (low + 7) & ~(uintptr_t)7;
  high &= ~(uintptr_t)7;
  if (low < high) list->segments[list->segment_count++] = (struct segment){low, high};
}

/* A writable segment less the collector's own data (N23). Its whole size in memory: .bss has no bytes in the file. */
static void add_writable(struct platform_modules *list, uintptr_t low, uintptr_t high) {
  uintptr_t own_low = (uintptr_t)__start_vgc_data, own_high = (uintptr_t)__stop_vgc_data;
  if (own_high <= low || own_low >= high) {
    add_segment(list, low, high);
    return;
  }
  add_segment(list, low, own_low);
  add_segment(list, own_high, high);
}

struct listing {
  struct platform_modules *list;
  platform_filter *filter;
  void *arg;
};

static int note_object(struct dl_phdr_info *info, size_t size, void *arg) {
  const struct listing *listing = arg;
  struct platform_modules *list = listing->list;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uintptr_t low = (uintptr_t)info->dlpi_addr + header->p_vaddr;
    bool data = header->p_type == PT_LOAD && (header->p_flags & PF_W) && (header->p_flags & PF_R);
    if (data && (!listing->filter || listing->filter(listing->arg, info->dlpi_name, (void *)low, header->p_memsz)))
      add_writable(list, low, low + header->p_memsz);
    bool has_tls = size >= offsetof(struct dl_phdr_info, dlpi_tls_data) && info->dlpi_tls_modid != 0;
    if (header->p_type == PT_TLS && has_tls)
      list->tls[list->tls_count++] = (struct platform_tls_module){info->dlpi_tls_modid, header->p_memsz};
  }
  return 0;
}

static int count_headers(struct dl_phdr_info *info, size_t size, void *count) {
  (void)size;
  *(size_t *)count += info->dlpi_phnum;
  return 0;
}

/* Runs inside the first object's callback: the loader's lock is recursive, so the list can be walked twice and the
 * fingerprint taken without a change between. */
static int list_all(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)info, (void)size;
  struct listing *listing = arg;
  size_t headers = 0;
  POINT(modules_listing);
  dl_iterate_phdr(count_headers, &headers);
  /* A header is a segment, which the collector's data may split, or storage. */
  size_t bytes = sizeof *listing->list + (headers + 1) * (sizeof(struct segment) + sizeof(struct platform_tls_module));
  bytes = (bytes + 4095) & ~(size_t)4095;
  struct platform_modules *list = platform_reserve(bytes, 4096);
  if (!list) return 1;
  list->bytes = bytes;
  list->tls = (struct platform_tls_module *)(list->segments + headers + 1);
  listing->list = list;
  dl_iterate_phdr(note_object, listing);
  list->fingerprint = fingerprint();
  return 1;
}

struct platform_modules *platform_modules_list(platform_filter *filter, void *arg) {
  struct listing listing = {NULL, filter, arg};
  POINT(modules_before_list);
  dl_iterate_phdr(list_all, &listing);
  return listing.list;
}

void platform_modules_release(struct platform_modules *list) {
  if (list) platform_release(list, list->bytes);
}

bool platform_modules_hold(const struct platform_modules *list) {
  return list->fingerprint != CHANGING && list->fingerprint == fingerprint();
}

void platform_modules_segments(const struct platform_modules *list, platform_range *range, void *context) {
  for (size_t i = 0; i < list->segment_count; i++) range(context, list->segments[i].low, list->segments[i].high);
}

const struct platform_tls_module *platform_modules_storage(const struct platform_modules *list, size_t *count) {
  *count = list->tls_count;
  return list->tls;
}
