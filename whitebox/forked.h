/* A fork at a moment when another thread stands inside a lock. */
#ifndef WHITEBOX_FORKED_H
#define WHITEBOX_FORKED_H

/* A thread does step and is parked at the point on its way while the caller forks; it goes on when the fork waits, or
 * is over. The child does body, in a few seconds. A failing CMocka test otherwise. */
void forked_while_at(const char *point, void (*step)(void *), void (*body)(void *));

#endif
