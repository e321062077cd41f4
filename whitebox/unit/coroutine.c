#include "coroutine.h"

#include <sys/mman.h>

struct side side;

static void push_stack(const struct stack *stack, vgc_root_push *push, void *sink) {
  if (!stack->suspended) return;
  char *sp = (char *)stack->context.uc_mcontext.gregs[REG_RSP];
  push(sink, sp, (size_t)(stack->top - sp));
  push(sink, &stack->context, sizeof stack->context);
}

static void push_stacks(void *arg, vgc_root_push *push, void *sink) {
  (void)arg;
  if (side.push_first) push_stack(&side.first, push, sink);
  push_stack(&side.one, push, sink);
  push_stack(&side.two, push, sink);
}

void go_to(struct stack *to) {
  struct stack *from = side.running;
  from->suspended = true;
  to->suspended = false;
  side.running = to;
  side.bottom = to->top;
  must(swapcontext(&from->context, &to->context) == 0);
}

static void run_body(void) {
  side.running->body();
  struct stack *ended = side.running;
  go_to(ended->from);
}

void start_on(struct stack *stack, void (*body)(void)) {
  must(getcontext(&stack->context) == 0);
  stack->body = body;
  stack->from = side.running;
  stack->context.uc_stack = (stack_t){.ss_sp = stack->low, .ss_size = (size_t)(stack->top - stack->low)};
  makecontext(&stack->context, run_body, 0);
  go_to(stack);
}

/* Its registers stand among the test's variables, which are roots. */
void end_of(struct stack *stack) {
  stack->suspended = false;
  memset(&stack->context, 0, sizeof stack->context);
}

void *map_stack(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED);
  return memory;
}

void unmap_stack(void *memory) { must(munmap(memory, STACK_BYTES) == 0); }

const struct memory memories[] = {{map_stack, unmap_stack}, {vgc_malloc_noscan, vgc_free}, {malloc, free}};

static void make_stack(struct stack *stack, const struct memory *memory) {
  *stack = (struct stack){.memory = memory->get(STACK_BYTES)};
  must(stack->memory);
  stack->low = stack->memory;
  stack->top = stack->low + STACK_BYTES;
}

void begin_following(const struct memory *memory) {
  memset(&side, 0, sizeof side);
  side.push_first = true;
  side.first.top = vgc_stack_bottom();
  side.running = &side.first;
  make_stack(&side.one, memory);
  make_stack(&side.two, memory);
  must(vgc_root_add_callback(push_stacks, NULL) == 0);
  must(vgc_stack_follow(&side.bottom) == 0);
}

void end_following(const struct memory *memory) {
  must(vgc_stack_follow(NULL) == 0);
  must(vgc_root_remove_callback(push_stacks, NULL) == 0);
  memory->put(side.one.memory);
  memory->put(side.two.memory);
}
