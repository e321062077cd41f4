/* Stopping and resuming the world. */
#ifndef VGC_WORLD_H
#define VGC_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"

struct thread;

/* Installs the suspend handler and unblocks the signal for the caller. 0, or -1 with errno EBUSY if the program has a
 * handler for that signal, EINVAL if there is no such signal. */
int world_install(unsigned signal);
/* Takes the handler out again if it is still ours. */
void world_uninstall(void);

/* Suspends every RUNNING thread but the caller. On return all have acknowledged this epoch, or were BLOCKING. The
 * caller is registered and holds the registry lock. Returns the number of threads suspended or found blocking. Waits
 * without bound; a thread that does not answer within seconds is named on standard error, once, and waited for (N12).
 * If the program has replaced the handler, reports VGC_ERROR_SIGNAL and aborts. */
unsigned world_stop(void);
/* Lets them go. Registry lock. Does not wait for them to leave the handler (the epoch makes that safe, N15). */
void world_resume(void);
/* Number of the running or last stop. Only differences mean anything: it moves by two. */
uint32_t world_epoch(void);
/* Whether a stop is in force. Async-signal-safe. */
bool world_is_stopped(void);

/* Scans the calling thread's own registers and stack while it runs: calls body(arg) with all callee-saved registers
 * spilled above the stack pointer that it publishes in self->position. */
void world_with_own_registers(struct thread *self, void (*body)(void *), void *arg);

/* The caller's stack pointer and callee-saved registers, as platform_with_registers gives them; see vgc_blocking_enter.
 * False if the thread is blocking already, or not. */
bool world_blocking_enter(struct thread *self, const uintptr_t *registers);
/* Waits for a running stop. No locks held. */
bool world_blocking_leave(struct thread *self);
/* A thread that is `held` waits for this at the end of a stop, and of a blocking region. Registry lock. */
void world_let_go(struct thread *);

/* What a thread shows of itself in a blocking region. */
struct world_region {
  struct platform_position position;
  uintptr_t registers[PLATFORM_SAVED_REGISTERS];
};
/* Leaves the region, for a while: *region is the caller's frame, where it is scanned. As world_blocking_leave. */
bool world_blocking_suspend(struct thread *self, struct world_region *region);
/* Back into it, as it was. False if the thread is in a region, or not running. */
bool world_blocking_again(struct thread *self, const struct world_region *region);

#endif
