/* X92: a coroutine's stack in several mappings.
 *
 * Advice for a part of it, as a library gives that wants a secret out of core dumps, splits it for the kernel. What
 * lies above that part is a root all the same. */
#include <sys/mman.h>
#include <ucontext.h>

#include "bug.h"
#include "hidden.h"

enum { SIZE = 704, STACK_BYTES = 256 * 1024, PAGE = 4096 };

static struct hidden_holder holder;

static NOINLINE void wait_below(void) {
  char room[3 * PAGE];
  char *secret = (char *)(((uintptr_t)room + PAGE) & ~(uintptr_t)(PAGE - 1));
  KEEP_ALIVE(secret);
  must(madvise(secret, PAGE, MADV_DONTDUMP) == 0);
  meeting_wait(&holder.held);
  meeting_wait(&holder.done);
  must(madvise(secret, PAGE, MADV_DODUMP) == 0);
  KEEP_ALIVE(secret);
}

static void coroutine(void) {
  void *slot[1];
  hidden_reveal(holder.hidden, slot);
  KEEP_ALIVE(slot);
  wait_below();
  KEEP_ALIVE(slot);
}

static void *run(void *arg) {
  ucontext_t here, there;
  char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(stack != MAP_FAILED);
  must(getcontext(&there) == 0);
  there.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
  there.uc_link = &here;
  makecontext(&there, coroutine, 0);
  must(swapcontext(&here, &there) == 0);
  munmap(stack, STACK_BYTES);
  return arg;
}

static void all_pieces_are_roots(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer does not follow swapcontext");
  if (UNDER_ASAN) not_applicable("AddressSanitizer may keep the array elsewhere");
  assert_true(hidden_survives(&holder, SIZE, run));
}

/* What the library reserves may lie right above such a stack, and is far too much to read. */
static void it_ends_before_the_heap(void **state) {
  (void)state;
  assert_non_null(vgc_malloc(SIZE));
  uintptr_t base = load_relaxed(&arenas[0].base);
  char *below = mmap((void *)(base - 2 * PAGE), PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  uintptr_t end = platform_mapping_end(base - PAGE - 8);
  if (below != MAP_FAILED) munmap(below, PAGE);
  assert_true(end < base);
}

BUG(X92) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(all_pieces_are_roots, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(it_ends_before_the_heap, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X92", tests, NULL, NULL);
}
