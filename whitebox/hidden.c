#include "hidden.h"

#include <pthread.h>

#include "door.h"
#include "test.h"

enum { CONTROL_BYTES = 96 };

/* Small numbers, which no scan takes for an address. */
static uint64_t pattern(size_t word) { return (word + 1) * 0x9e3779b1u; }

struct order {
  size_t size;
  uintptr_t *hidden;
  size_t count;
};

static void *make(void *arg) {
  const struct order *order = arg;
  for (size_t i = 0; i < order->count; i++) {
    uint64_t *object = vgc_malloc_noscan(order->size);
    must(object);
    for (size_t word = 0; word < order->size / sizeof *object; word++) object[word] = pattern(word);
    order->hidden[i] = ~(uintptr_t)object;
  }
  return NULL;
}

static void make_all(struct order *order) {
  /* A size of its own: no later thread of the test is given this stack with what was left in it. */
  pthread_attr_t attributes;
  pthread_t maker;
  must(pthread_attr_init(&attributes) == 0);
  must(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  must(pthread_create(&maker, &attributes, make, order) == 0);
  must(pthread_join(maker, NULL) == 0);
  pthread_attr_destroy(&attributes);
}

uintptr_t hidden_make(size_t size) {
  uintptr_t hidden = 0;
  struct order order = {size, &hidden, 1};
  make_all(&order);
  return hidden;
}

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".globl hidden_reveal\n"
        ".type hidden_reveal, @function\n"
        "hidden_reveal:\n"
        "notq %rdi\n"
        "movq %rdi, (%rsi)\n"
        "xorl %edi, %edi\n"
        "retq\n"
        ".size hidden_reveal, . - hidden_reveal\n"
        ".popsection\n");
#else
#error "write hidden_reveal for this architecture"
#endif

bool hidden_alive(uintptr_t hidden, size_t size) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(vgc_get_stats(&stats) == 0); /* finishes the sweep */
  const uint64_t *object = (const uint64_t *)~hidden;
  if (vgc_base_of(object) != object) return false;
  for (size_t word = 0; word < size / sizeof *object; word++)
    if (object[word] != pattern(word)) return false;
  return true;
}

static void *hold(void *arg) {
  struct hidden_holder *holder = arg;
  void *held[1];
  hidden_reveal(holder->hidden, held);
  KEEP_ALIVE(held);
  meeting_wait(&holder->held);
  meeting_wait(&holder->done);
  KEEP_ALIVE(held);
  if (holder->last) holder->last(held[0]);
  return NULL;
}

static void hold_by(struct hidden_holder *holder, size_t size, void *(*run)(void *)) {
  holder->hidden = hidden_make(size);
  meeting_init(&holder->held, 2);
  meeting_init(&holder->done, 2);
  must(pthread_create(&holder->thread, NULL, run, holder) == 0);
  meeting_wait(&holder->held);
}

void hidden_hold(struct hidden_holder *holder, size_t size, void (*last)(void *object)) {
  holder->last = last;
  hold_by(holder, size, hold);
}

bool hidden_survives(struct hidden_holder *holder, size_t size, void *(*run)(void *holder)) {
  struct hidden_control control;
  hidden_control_make(&control);
  hold_by(holder, size, run);
  must(vgc_collect() == 0);
  must(hidden_control_died(&control));
  bool alive = hidden_alive(holder->hidden, size);
  hidden_let_go(holder);
  return alive;
}

void hidden_let_go(struct hidden_holder *holder) {
  meeting_wait(&holder->done);
  must(pthread_join(holder->thread, NULL) == 0);
}

void hidden_control_make(struct hidden_control *control) {
  struct order order = {CONTROL_BYTES, control->objects, sizeof control->objects / sizeof *control->objects};
  make_all(&order);
}

bool hidden_control_died(const struct hidden_control *control) {
  unsigned dead = 0, count = sizeof control->objects / sizeof *control->objects;
  for (unsigned i = 0; i < count; i++) dead += !hidden_alive(control->objects[i], CONTROL_BYTES);
  return dead > count / 2;
}
