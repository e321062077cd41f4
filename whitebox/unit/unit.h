/* What the unit tests share: the library brought up in a chosen shape, roots that the test alone decides, errors that
 * are kept instead of fatal. */
#ifndef UNIT_H
#define UNIT_H

#include <errno.h>
#include <signal.h>

#include "child.h"
#include "door.h"
#include "fault.h"
#include "objects.h"
#include "park.h"
#include "probe.h"
#include "test.h"
#include "worker.h"

/* Each part's tests are one CMocka group; the result is the number of failed tests. main.c lists them. */
#define UNIT(part)                                                                                                     \
  int unit_part_##part(void);                                                                                          \
  int unit_part_##part(void)

/* Defaults, but with pages of the given size (0: default) and no collection unless asked for. */
struct vgc_config unit_config(size_t page_bytes);
/* Brings the library up; fails the test if it does not come. */
void unit_start(const struct vgc_config *given);
/* CMocka setup and teardown: up with unit_config(0); down, with everything below reset. */
int unit_setup(void **state);
int unit_teardown(void **state);

/* Until teardown these words are all the roots that a collection has: no stack, no register, no data segment. */
void unit_roots(void **words, size_t count);
/* While on, the loaded objects cannot be listed for want of memory. */
void unit_fail_modules(bool on);
/* Collects, and sweeps everything. */
void unit_collect(void);
/* Whether p is the start of a live object. */
bool unit_alive(const void *p);

/* Invalid uses since unit_keep_errors, which installs an error hook that returns. */
struct unit_errors {
  unsigned count;
  enum vgc_error last;
  const void *ptr;
  char message[256];
};
extern struct unit_errors unit_errors;
void unit_keep_errors(void);
/* The statement reports this error about that pointer, once. */
#define unit_expect_error(error_, ptr_, statement)                                                                     \
  do {                                                                                                                 \
    unit_errors = (struct unit_errors){0};                                                                             \
    statement;                                                                                                         \
    assert_int_equal(unit_errors.count, 1);                                                                            \
    assert_int_equal(unit_errors.last, error_);                                                                        \
    assert_ptr_equal(unit_errors.ptr, ptr_);                                                                           \
  } while (0)

/* Mappings of the process, and bytes in them: the kernel counts neighbours of one kind as one. */
unsigned unit_mappings(void);
size_t unit_mapped_bytes(void);
/* The next number of a sequence (xorshift64*); *state is not 0. */
uint64_t unit_random(uint64_t *state);
/* The span of a live object. */
struct span *unit_span(const void *p);
/* The child ended by abort() after it had printed the text. */
#define unit_assert_aborted(result, text_)                                                                             \
  do {                                                                                                                 \
    if ((result)->signal != SIGABRT || !strstr((result)->text, text_))                                                 \
      fail_msg("expected an abort with '%s': signal %d, exit code %d, text:\n%s", text_, (result)->signal,             \
               (result)->exit_code, (result)->text);                                                                   \
  } while (0)

#endif
