/* What the tests of libgc's interface share. They know nothing but Debian's headers, are linked with our libgc.so.1 and
 * with Debian's, and must pass with both: so they hold what the headers' comments promise, and no more.
 *
 * Each test runs in a process of its own, since most of what the headers describe is set before GC_INIT. In it must()
 * of test.h asserts. What a conservative collector may keep by chance is counted: of 100 unreachable objects MOST go.
 */
#ifndef LIBGC_CLIENT_H
#define LIBGC_CLIENT_H

#include "asleep.h"
#include "test.h"

#include <errno.h>
#include <gc/gc.h>

#define MANY 100u
#define MOST 75u

/* TEST(name) { ... }: the body runs in a child and passes if it returns. */
#define TEST(name)                                                                                                     \
  static void name##_body(void);                                                                                       \
  static void name(void **state) {                                                                                     \
    (void)state;                                                                                                       \
    client_passes(name##_body);                                                                                        \
  }                                                                                                                    \
  static void name##_body(void)

/* Not asked where the condition holds. */
#define TEST_UNLESS(name, condition, reason)                                                                           \
  static void name##_body(void);                                                                                       \
  static void name(void **state) {                                                                                     \
    (void)state;                                                                                                       \
    if (condition) not_applicable(reason);                                                                             \
    client_passes(name##_body);                                                                                        \
  }                                                                                                                    \
  static void name##_body(void)

/* Where Debian's library is known not to do what its headers say: not asked of it. */
#define TEST_OURS(name, reason) TEST_UNLESS(name, client_is_debian(), "Debian's: " reason)
int client_is_debian(void);

#define NOINLINE __attribute__((noinline))

struct client_end {
  int status;       /* as waitpid gives it */
  char text[65536]; /* of standard output and standard error */
};
/* Runs body in a child with so many NAME=VALUE (NULL ends them) in its environment. The result lies in static memory.
 */
const struct client_end *client_run(void (*body)(void), const char *const *environment);
/* The same, of a body that must return. */
void client_passes(void (*body)(void));
/* How the child ended. */
int client_exited(const struct client_end *end, int status);
int client_aborted(const struct client_end *end);
/* How often the text says so. */
unsigned client_count(const struct client_end *end, const char *word);

/* Overwrites dead stack and registers; calls function(arg) far below the caller's frame. */
void client_scrub(void);
void client_below(void (*function)(void *), void *arg);

/* Returns when the thread sleeps in the kernel, at a hundred looks in a row. */
void client_await_sleep(int tid);

/* ---- Whether objects live: links in static memory, by hidden pointers ---- */

/* Watches object as number i. */
void client_watch(unsigned i, void *object);
/* How many of the first `count` are gone. */
unsigned client_gone(unsigned count);
/* Scrubs and collects, twice: what a finalizer or a dead frame held goes with the second. */
void client_collect(void);

/* Static, hence a root. */
extern void *client_roots[MANY];

#endif
