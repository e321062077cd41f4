/* Checks of the heap against its own rules. They abort with the condition on failure. */
#ifndef VGC_CHECK_H
#define VGC_CHECK_H

struct span;

/* One span's rules (level 2). Its owner, or whoever stands for it. */
void check_span(const struct span *);
/* World stopped, after marking (level 3): every span's rules, the page map against the spans, marks only on objects,
 * and the marks against those of a second, independent and simple marker. */
void check_heap(void);

#endif
