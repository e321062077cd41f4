/* Stacks: what lies on them is gone with its function, and the place serves again. */
#include <pthread.h>
#include <signal.h>

#include "start.h"

static __attribute__((noinline)) void use(volatile unsigned *words, unsigned count) {
  for (unsigned i = 0; i < count; i++) words[i] = i;
}
static void use_own_frame(int number) {
  unsigned words[256];
  (void)number;
  use(words, 256);
}
static __attribute__((noinline)) void use_another_frame(void) {
  unsigned words[1024];
  use(words, 1024);
}
static void *frames_body(void *arg) {
  unsigned words[4];
  use(words, 4);
  use_another_frame();
  return arg;
}
static void install(void) {
  struct sigaction action = {.sa_handler = use_own_frame};
  interleave_assert(sigaction(SIGUSR1, &action, NULL) == 0);
}
static void frames_in_turn(void) {
  pthread_t thread = start(frames_body, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
}
INTERLEAVE_MODEL(frames_in_turn, .setup = install, .run = frames_in_turn,
                 .title = "a function's frame lies where that of a handler was, which is gone");
