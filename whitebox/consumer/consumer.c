/* A list that is built by a thread and survives a collection. */
#include <pthread.h>
#include <stdio.h>
#include <vgc.h>

struct node {
  struct node *next;
  int value;
};

enum { NODES = 1000 };

static void *build(void *arg) {
  (void)arg;
  struct node *head = NULL;
  for (int i = 0; i < NODES; i++) {
    struct node *node = vgc_malloc(sizeof *node);
    if (!node) return NULL;
    node->next = head;
    node->value = i;
    head = node;
  }
  return head;
}

int main(void) {
  pthread_t thread;
  void *result;
  if (pthread_create(&thread, NULL, build, NULL) || pthread_join(thread, &result)) return 1;
  if (vgc_collect()) return 1;
  int expected = NODES;
  for (struct node *node = result; node; node = node->next)
    if (node->value != --expected) return 1;
  if (expected) return 1;
  puts("consumer: ok");
  return 0;
}
