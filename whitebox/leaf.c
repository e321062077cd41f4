#include "leaf.h"

#include <sched.h>
#include <stdatomic.h>

#include "door.h"
#include "hidden.h"
#include "objects.h"
#include "test.h"
#include "worker.h"

enum { OBJECT_BYTES = 112 };

/* Named in the assembly: the complement of the reference; 1 from when it is in its place; 1 from when it may go. */
extern uintptr_t leaf_hidden_word;
extern _Atomic int leaf_holding, leaf_going;
uintptr_t leaf_hidden_word;
_Atomic int leaf_holding, leaf_going;

#define SAVE      "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\nsubq $8, %rsp\n"
#define RESTORE   "addq $8, %rsp\npopq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbp\npopq %rbx\nretq\n"
#define SPIN      "movl $1, leaf_holding(%rip)\n1: pause\ncmpl $0, leaf_going(%rip)\nje 1b\n"
#define LOAD(reg) "movq leaf_hidden_word(%rip), %" reg "\nnotq %" reg "\n"
#define ZERO(reg) "movq $0, %" reg "\n"

#define LEAF(name, body)                                                                                               \
  __asm__(".pushsection .text\n.type leaf_" name ", @function\nleaf_" name ":\n" SAVE body RESTORE ".size leaf_" name  \
          ", . - leaf_" name "\n.popsection\n")

#define GENERAL(X)                                                                                                     \
  X(rax) X(rbx) X(rcx) X(rdx) X(rsi) X(rdi) X(rbp) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)
#define SAVED(X)    X(rbx) X(rbp) X(r12) X(r13) X(r14) X(r15)
#define VECTOR(X)   X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define RED_ZONE(X) X(8) X(16) X(24) X(32) X(40) X(48) X(56) X(64) X(72) X(80) X(88) X(96) X(104) X(112) X(120) X(128)

#define DEFINE(reg)                                                                                                    \
  LEAF(#reg, LOAD(#reg) SPIN ZERO(#reg));                                                                              \
  void leaf_##reg(void);
GENERAL(DEFINE)
#undef DEFINE
#define DEFINE(reg)                                                                                                    \
  LEAF("collect_" #reg, LOAD(#reg) "call vgc_collect@PLT\n" ZERO(#reg));                                               \
  void leaf_collect_##reg(void);
SAVED(DEFINE)
#undef DEFINE
#define DEFINE(reg)                                                                                                    \
  LEAF("block_" #reg, LOAD(#reg) "call vgc_blocking_enter@PLT\n" SPIN "call vgc_blocking_leave@PLT\n" ZERO(#reg));     \
  void leaf_block_##reg(void);
SAVED(DEFINE)
#undef DEFINE
#define DEFINE(n)                                                                                                      \
  LEAF("low_xmm" #n, LOAD("rax") "movq %rax, %xmm" #n "\n" ZERO("rax") SPIN "pxor %xmm" #n ", %xmm" #n "\n");          \
  LEAF("high_xmm" #n, LOAD("rax") "movq %rax, %xmm" #n "\n" ZERO("rax") "pslldq $8, %xmm" #n "\n" SPIN "pxor %xmm" #n  \
                                                                        ", %xmm" #n "\n");                             \
  LEAF("ymm" #n, LOAD("rax") "vmovq %rax, %xmm" #n "\n" ZERO("rax") "vperm2f128 $8, %ymm" #n ", %ymm" #n ", %ymm" #n   \
                                                                    "\n" SPIN "vzeroall\n");                           \
  void leaf_low_xmm##n(void);                                                                                          \
  void leaf_high_xmm##n(void);                                                                                         \
  void leaf_ymm##n(void);
VECTOR(DEFINE)
#undef DEFINE
#define DEFINE(n)                                                                                                      \
  LEAF("red_" #n, LOAD("rax") "movq %rax, -" #n "(%rsp)\n" ZERO("rax") SPIN "movq $0, -" #n "(%rsp)\n");               \
  void leaf_red_##n(void);
RED_ZONE(DEFINE)
#undef DEFINE

#define ROW(reg) {#reg, leaf_##reg},
const struct leaf leaf_general[] = {GENERAL(ROW)};
#undef ROW
#define ROW(reg) {#reg, leaf_collect_##reg},
const struct leaf leaf_collects[] = {SAVED(ROW)};
#undef ROW
#define ROW(reg) {#reg, leaf_block_##reg},
const struct leaf leaf_blocks[] = {SAVED(ROW)};
#undef ROW
#define ROW(n) {"xmm" #n, leaf_low_xmm##n}, {"xmm" #n ", high half", leaf_high_xmm##n},
const struct leaf leaf_vector[] = {VECTOR(ROW)};
#undef ROW
#define ROW(n) {"ymm" #n ", high half", leaf_ymm##n},
const struct leaf leaf_wide[] = {VECTOR(ROW)};
#undef ROW
#define ROW(n) {"-" #n "(%rsp)", leaf_red_##n},
const struct leaf leaf_red_zone[] = {RED_ZONE(ROW)};
#undef ROW

#define COUNT(table) (sizeof(table) / sizeof *(table))
const size_t leaf_general_count = COUNT(leaf_general), leaf_vector_count = COUNT(leaf_vector),
             leaf_wide_count = COUNT(leaf_wide), leaf_red_zone_count = COUNT(leaf_red_zone),
             leaf_saved_count = COUNT(leaf_collects);

void leaf_arm(void) {
  leaf_hidden_word = hidden_make(OBJECT_BYTES);
  atomic_store(&leaf_holding, 0);
  atomic_store(&leaf_going, 0);
}

void leaf_await(void) {
  while (!atomic_load(&leaf_holding)) sched_yield();
}

void leaf_release(void) { atomic_store(&leaf_going, 1); }

bool leaf_object_alive(void) { return hidden_alive(leaf_hidden_word, OBJECT_BYTES); }

/* The first object with others beside it that must die; they say the same for each further one. */
static struct hidden_control control;
static bool controlled;

static void control_make(void) {
  if (!controlled) hidden_control_make(&control);
}

static void control_check(void) {
  must(controlled || hidden_control_died(&control));
  controlled = true;
}

static void run(void *arg) { ((const struct leaf *)arg)->run(); }

bool leaf_survives_stop(const struct leaf *leaf) {
  struct worker worker;
  leaf_arm();
  control_make();
  worker_start(&worker);
  worker_begin(&worker, run, (void *)(uintptr_t)leaf);
  leaf_await();
  must(vgc_collect() == 0);
  leaf_release();
  worker_stop(&worker);
  control_check();
  return leaf_object_alive();
}

bool leaf_survives_own_collection(const struct leaf *leaf) {
  leaf_arm();
  control_make();
  stack_scrub();
  leaf->run();
  control_check();
  return leaf_object_alive();
}
