/* Coroutines as a program has them that tells the library where its stacks end. One thread changes stacks. */
#ifndef COROUTINE_H
#define COROUTINE_H

#include <ucontext.h>

#include "unit.h"

enum { STACK_BYTES = 128 * 1024 };

struct stack {
  ucontext_t context; /* where it stands, if it is suspended */
  char *low, *top;
  void *memory;
  struct stack *from;
  void (*body)(void);
  bool suspended;
};

/* Of the thread that changes stacks. */
extern struct side {
  struct stack first, one, two;
  struct stack *running;
  void *bottom;
  bool push_first; /* its first stack is given to the collector */
} side;

#define coroutines_or_not_applicable()                                                                                 \
  do {                                                                                                                 \
    if (UNDER_TSAN) not_applicable("ThreadSanitizer does not follow swapcontext");                                     \
    if (platform_fake_stack()) not_applicable("locals are not on the stack: detect_stack_use_after_return=1");         \
  } while (0)

void go_to(struct stack *to);
/* Runs body there until it ends or goes back. */
void start_on(struct stack *stack, void (*body)(void));
/* It is not given to the collector any more. */
void end_of(struct stack *stack);

/* What a stack is made of: a mapping, an object of this library's that is not scanned, malloc's. */
struct memory {
  void *(*get)(size_t);
  void (*put)(void *);
};
enum { MEMORIES = 3 };
extern const struct memory memories[MEMORIES];
void *map_stack(size_t size);
void unmap_stack(void *memory);

/* By the thread that will change stacks, and that has: with a root callback for all that are suspended. */
void begin_following(const struct memory *memory);
void end_following(const struct memory *memory);

#endif
