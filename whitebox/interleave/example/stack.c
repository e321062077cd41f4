/* A stack without tags (Treiber 1986): pop may take a node that has been popped and pushed again in between. */
#include <interleave.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct node {
  _Atomic(struct node *) next;
  atomic_bool taken;
};
static struct node a, b;
static _Atomic(struct node *) top;

static void push(struct node *node) {
  struct node *first = atomic_load(&top);
  do atomic_store(&node->next, first);
  while (!atomic_compare_exchange_strong(&top, &first, node));
}

static struct node *pop(void) {
  struct node *first = atomic_load(&top);
  while (first && !atomic_compare_exchange_strong(&top, &first, atomic_load(&first->next))) continue;
  if (first) interleave_assert(!atomic_exchange(&first->taken, true));
  return first;
}

static void *other(void *arg) {
  struct node *first = pop(), *second = pop();
  if (first) {
    atomic_store(&first->taken, false);
    push(first); /* `second` stays popped */
  }
  return second ? arg : NULL;
}

static void run(void) {
  push(&b);
  push(&a);
  pthread_t thread;
  pthread_create(&thread, NULL, other, NULL);
  pop();
  pop();
  pthread_join(thread, NULL);
}
INTERLEAVE_MODEL(stack, .title = "two threads pop and push", .run = run);
