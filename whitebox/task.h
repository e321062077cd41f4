/* What the kernel says a thread of this process is doing: for tests that must know that a thread waits, without time.
 */
#ifndef WHITEBOX_TASK_H
#define WHITEBOX_TASK_H

#include <stdbool.h>

/* Whether the thread sleeps in the kernel now. */
bool task_sleeps(int tid);
/* Until it does, for a thread that will. */
void task_await_sleep(int tid);

#endif
