/* Assembly that holds the only reference to an object in one chosen place while the world is stopped. x86-64. */
#ifndef WHITEBOX_LEAF_H
#define WHITEBOX_LEAF_H

#include <stdbool.h>
#include <stddef.h>

struct leaf {
  const char *place;
  void (*run)(void);
};

/* These spin, so that the signal finds the reference in the place alone: */
extern const struct leaf leaf_general[];  /* each general register but rsp */
extern const struct leaf leaf_vector[];   /* each half of each xmm register */
extern const struct leaf leaf_wide[];     /* the upper half of each ymm register: needs AVX */
extern const struct leaf leaf_red_zone[]; /* each word below the stack pointer */
/* These call vgc_collect, and vgc_blocking_enter and later vgc_blocking_leave, with the reference in a callee-saved
 * register alone: */
extern const struct leaf leaf_collects[];
extern const struct leaf leaf_blocks[];
extern const size_t leaf_general_count, leaf_vector_count, leaf_wide_count, leaf_red_zone_count, leaf_saved_count;

/* Collects while another thread runs the leaf (spinning, or in its blocking region); whether the object lived. */
bool leaf_survives_stop(const struct leaf *leaf);
/* Runs a leaf that collects; whether the object lived. */
bool leaf_survives_own_collection(const struct leaf *leaf);

/* For a test that goes through the steps itself: what run() loads, says and waits for. */
void leaf_arm(void);
void leaf_await(void);
void leaf_release(void);
bool leaf_object_alive(void);

#endif
