/* V01: the collecting thread spills its registers into its frame, and then scans from above that frame.
 *
 * One callee-saved register after the other holds the only pointer to an object while its thread collects. The word
 * must be within the part of the stack that is scanned, and the object must survive. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#if defined(__x86_64__)

/* uintptr_t hold_REG(uintptr_t hidden, function, a, b, c): REG holds ~hidden, and nothing else does, while
 * function(a, b, c) runs. */
#define HOLDER(reg)                                                                                                    \
  uintptr_t hold_##reg(uintptr_t hidden, void *function, const void *a, const void *b, const void *c);                 \
  __asm__(".pushsection .text\n"                                                                                       \
          "hold_" #reg ":\n"                                                                                           \
          "pushq %" #reg "\n"                                                                                          \
          "movq %rdi, %" #reg "\n"                                                                                     \
          "notq %" #reg "\n"                                                                                           \
          "movq %rsi, %rax\n"                                                                                          \
          "movq %rdx, %rdi\n"                                                                                          \
          "movq %rcx, %rsi\n"                                                                                          \
          "movq %r8, %rdx\n"                                                                                           \
          "callq *%rax\n"                                                                                              \
          "popq %" #reg "\n"                                                                                           \
          "retq\n"                                                                                                     \
          ".popsection\n")
HOLDER(rbx);
HOLDER(rbp);
HOLDER(r12);
HOLDER(r13);
HOLDER(r14);
HOLDER(r15);

static const struct {
  const char *name;
  uintptr_t (*hold)(uintptr_t hidden, void *function, const void *a, const void *b, const void *c);
} registers[] = {{"rbx", hold_rbx}, {"rbp", hold_rbp}, {"r12", hold_r12},
                 {"r13", hold_r13}, {"r14", hold_r14}, {"r15", hold_r15}};

static uintptr_t hidden;
static bool seen;

static void allocate(void *arg) {
  (void)arg;
  void *object = vgc_malloc(64);
  must(object);
  hidden = hide(object);
}

/* The words that a scan of the calling thread's own stack would read. */
NO_SANITIZE static void look(void *arg) {
  (void)arg;
  const struct thread *self = thread_self();
  for (const uintptr_t *at = (const uintptr_t *)self->position->sp; at < (const uintptr_t *)self->stack_high; at++)
    if (~*at == hidden) seen = true;
}

static void register_is_scanned(unsigned i) {
  probe_in_thread(allocate, NULL);
  void *scan, *collect;
  memcpy(&scan, &(void (*)(struct thread *, void (*)(void *), void *)){world_with_own_registers}, sizeof scan);
  memcpy(&collect, &(int (*)(void)){vgc_collect}, sizeof collect);
  void *body;
  memcpy(&body, &(void (*)(void *)){look}, sizeof body);
  seen = false;
  registers[i].hold(hidden, scan, thread_self(), body, NULL);
  if (!seen) fail_msg("%s lies below what is scanned", registers[i].name);
  assert_int_equal((int)registers[i].hold(hidden, collect, NULL, NULL, NULL), 0);
  if (!probe_alive(hidden)) fail_msg("the object that %s holds was swept", registers[i].name);
}

static void own_registers_are_roots(void **state) {
  (void)state;
  start_quiet();
  assert_non_null(vgc_malloc(1));
  for (unsigned i = 0; i < sizeof registers / sizeof *registers; i++) register_is_scanned(i);
}

#else

static void own_registers_are_roots(void **state) {
  (void)state;
  not_applicable("the registers of this architecture have no test yet");
}

#endif

BUG(V01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(own_registers_are_roots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V01", tests, NULL, NULL);
}
