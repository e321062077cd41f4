/* Operation programs: what a fuzz input means.
 *
 * Any bytes are a program. The first PROGRAM_HEADER bytes choose the library's geometry, one byte for each field of
 * struct vgc_config; each further PROGRAM_RECORD bytes are one operation: opcode, a, b, and n in 24 bits. A rest too
 * short for a record is ignored, and so is what follows PROGRAM_OPS records. Every byte is taken modulo what it
 * chooses from, so no input is refused, and a mutated input stays close to what it was.
 *
 * A handle (operand a, mostly) is one of 256 words in 8 ranges of 32; all pointers that a program holds are in these
 * words or in objects, so adding and removing the ranges as roots decides what is reachable. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgc.h"

enum { PROGRAM_HEADER = 11, PROGRAM_RECORD = 6, PROGRAM_OPS = 4096 };
enum { HANDLES = 256, RANGES = 8, RANGE_WORDS = HANDLES / RANGES };

/* How an operand is written in the text form, and what it means:
 *   '-' unused                        'h' handle (a, b)          'r' range of handles
 *   'l' number of a layout            'p' power of two, 2^b      'w' word of the object: 2k the k-th, 2k+1 the k-th
 * from the end 's' size in bytes (program_size)  'i' offset into the object, modulo its size 'x' any number; the
 * operation takes it modulo the cases that it knows */
struct operation_kind {
  const char *name;
  char operands[4]; /* a, b, n */
  const char *help;
};

/* name, operands, meaning */
#define PROGRAM_OPERATIONS(_)                                                                                          \
  _(malloc, "h-s", "h := vgc_malloc(s)")                                                                               \
  _(noscan, "h-s", "h := vgc_malloc_noscan(s)")                                                                        \
  _(calloc, "hxs", "h := vgc_calloc(x, s / x)")                                                                        \
  _(aligned, "hps", "h := vgc_aligned_alloc(p, s)")                                                                    \
  _(uncollectable, "h-s", "h := vgc_malloc_uncollectable(s)")                                                          \
  _(typed, "hls", "h := vgc_malloc_typed(l, s / its size)")                                                            \
  _(memdup, "h-s", "h := vgc_memdup(s bytes)")                                                                         \
  _(strdup, "h-s", "h := vgc_strdup(s characters)")                                                                    \
  _(realloc, "h-s", "h := vgc_realloc(h, s)")                                                                          \
  _(grow_to_usable, "h--", "the program uses all vgc_usable_size(h) bytes from now on")                                \
  _(free, "h--", "vgc_free(h)")                                                                                        \
  _(drop, "h--", "h := nothing")                                                                                       \
  _(move, "hh-", "h := the object of the second handle")                                                               \
  _(hold_inside, "h-i", "h := its object plus i: only an interior pointer is left in this handle")                     \
  _(link, "hhw", "word w of the first object := the second object")                                                    \
  _(link_inside, "hhw", "word w of the first object := the middle of the second object")                               \
  _(unlink, "h-w", "word w of the object := data")                                                                     \
  _(load, "hhw", "h := the object that word w of the second object points to")                                         \
  _(range_add, "r--", "vgc_root_add(range)")                                                                           \
  _(range_remove, "r--", "vgc_root_remove(range)")                                                                     \
  _(callback_add, "r--", "vgc_root_add_callback(one that pushes the range)")                                           \
  _(callback_remove, "r--", "vgc_root_remove_callback(the same)")                                                      \
  _(collect, "---", "vgc_collect(); every reachable object is intact")                                                 \
  _(disable, "---", "vgc_disable()")                                                                                   \
  _(enable, "---", "vgc_enable(), if it is balanced")                                                                  \
  _(trim, "---", "vgc_trim()")                                                                                         \
  _(stats, "---", "vgc_get_stats() equals a recount")                                                                  \
  _(base_of, "h-i", "vgc_base_of and vgc_usable_size inside the object")                                               \
  _(base_of_any, "hxx", "vgc_base_of and vgc_usable_size somewhere near the object, or anywhere")                      \
  _(check, "---", "every byte of every reachable object is intact")                                                    \
  _(poll, "---", "vgc_poll()")                                                                                         \
  _(blocking, "---", "vgc_blocking_enter(); vgc_blocking_leave()")                                                     \
  _(reattach, "---", "vgc_thread_detach(); vgc_thread_attach()")                                                       \
  _(bad_double_free, "h--", "vgc_free twice: an error")                                                                \
  _(bad_free_inside, "h-i", "vgc_free inside an object: an error")                                                     \
  _(bad_free_near, "hxx", "vgc_free near an object, where none is: an error")                                          \
  _(bad_free_foreign, "x-x", "vgc_free of stack, global, libc, unmapped or null page memory: an error")                \
  _(bad_realloc, "hxx", "vgc_realloc of something that is no object: an error")                                        \
  _(bad_size, "xxx", "an allocation of an absurd size: NULL and ENOMEM")                                               \
  _(bad_alignment, "--x", "vgc_aligned_alloc with no power of two: NULL and EINVAL")                                   \
  _(bad_layout, "x--", "vgc_layout_register or vgc_malloc_typed with what is no layout: EINVAL")                       \
  _(bad_root, "x--", "a root added twice, or removed without being one")                                               \
  _(bad_call, "x--", "a call out of order: init twice, attach twice, leave without enter, enable without disable")     \
  _(finalizer, "hhx", "vgc_set_finalizer(a): x % 4 order, x / 4 % 5 what it does, x / 32 % 2: b is its argument")      \
  _(finalizer_exchange, "hhx", "the same by vgc_exchange_finalizer, with what was set before")                         \
  _(finalizer_off, "h--", "vgc_set_finalizer(h, NULL)")                                                                \
  _(finalize, "---", "vgc_finalize()")                                                                                 \
  _(finalize_all, "---", "vgc_finalize_all()")                                                                         \
  _(weak_add, "xhx", "link a := vgc_weak_add(b), outside of the heap; x % 2: long")                                    \
  _(weak_watch, "xhx", "link a := vgc_weak_watch(b), outside of the heap; x % 2: long")                                \
  _(weak_inside, "xhx", "as weak_add, in the object of handle x % 256 if it is pointer-free; x / 256 % 2: long")       \
  _(weak_move, "xx-", "vgc_weak_move(link a, link b), out of the heap")                                                \
  _(weak_move_inside, "xhw", "vgc_weak_move(link a, word w of b), if b is pointer-free")                               \
  _(weak_remove, "x--", "vgc_weak_remove(link a)")                                                                     \
  _(weak_get, "xh-", "b := vgc_weak_get(link a), unless it is NULL")                                                   \
  _(ephemeron, "hhx", "a := vgc_ephemeron_new(key b, value handle x % 256)")                                           \
  _(ephemeron_get, "hh-", "a := vgc_ephemeron_value(b), unless it is NULL")                                            \
  _(bad_special, "xhx", "finalizers, links and ephemerons of what is no object, links twice, orders there are not")    \
  _(kind, "hxs", "h := vgc_malloc_kind(x modulo shadow.h's OWNS, s)")                                                  \
  _(exact, "--x", "vgc_exact_pointers(1): of words inside an object only those at SHADOW_DISPLACEMENT hold it")

#define PROGRAM_ENUM(name, operands, help) OP_##name,
enum opcode { PROGRAM_OPERATIONS(PROGRAM_ENUM) OP_COUNT };
#undef PROGRAM_ENUM

extern const struct operation_kind program_operations[OP_COUNT];

struct operation {
  uint8_t opcode;
  uint8_t a, b;
  uint32_t n; /* 24 bits */
};

struct program {
  uint8_t header[PROGRAM_HEADER]; /* index into the values of each field */
  size_t count;
  struct operation ops[PROGRAM_OPS];
};

/* One choice of the header: a field of struct vgc_config and the values that it may take. */
struct program_field {
  const char *name;
  size_t count;
  size_t values[12];
};
extern const struct program_field program_fields[PROGRAM_HEADER];

void program_decode(struct program *program, const uint8_t *bytes, size_t size);
/* Bytes that decode to the program; their number. bytes holds at least PROGRAM_HEADER + count * PROGRAM_RECORD. */
size_t program_encode(const struct program *program, uint8_t *bytes);
void program_config(const struct program *program, struct vgc_config *config);

/* The size that operand n stands for: half of all n are at most 512, a quarter below 66049 byte by byte, a quarter up
 * to 4 MiB in steps of 64. */
size_t program_size(uint32_t n);
/* Its inverse; false if no n stands for the size. */
bool program_size_encode(size_t size, uint32_t *n);

#endif
