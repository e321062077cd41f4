/* The public functions about threads and roots. */
#include <errno.h>

#include "atomic.h"
#include "cache.h"
#include "collect.h"
#include "error.h"
#include "init.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "thread.h"
#include "vgc.h"
#include "world.h"

/* ---- Registration ---- */

int vgc_thread_attach(void) {
  if (!init_ensure()) return -1;
  if (thread_self()) {
    errno = EALREADY;
    return -1;
  }
  return thread_ensure() ? 0 : -1;
}

int vgc_thread_attached(void) { return thread_self() != NULL; }

int vgc_thread_detach(void) {
  struct thread *self = thread_self();
  if (!self) {
    errno = EPERM;
    return -1;
  }
  thread_leave(self);
  return 0;
}

/* ---- Blocking regions ---- */

/* Named in assembly, hence not static. */
__attribute__((used, visibility("hidden"))) void api_blocking_enter(void *unused, uintptr_t *registers);

void api_blocking_enter(void *unused, uintptr_t *registers) {
  (void)unused;
  if (!init_ensure()) return;
  struct thread *self = thread_ensure();
  if (self && !world_blocking_enter(self, registers))
    error_report(VGC_ERROR_UNBALANCED, NULL,
                 "vgc_blocking_enter inside a blocking region; leave the first before entering another");
}

PLATFORM_DEFINE_ENTRY(vgc_blocking_enter, api_blocking_enter);

void vgc_blocking_leave(void) {
  struct thread *self = thread_self();
  if (!self || !world_blocking_leave(self))
    error_report(VGC_ERROR_UNBALANCED, NULL, "vgc_blocking_leave without vgc_blocking_enter; call them in pairs");
}

struct call {
  void *(*function)(void *);
  void *arg, *result;
};

/* The frame that entered stays, and with it what is below the registers. */
static void call_in_region(void *arg, uintptr_t *registers) {
  struct call *call = arg;
  struct thread *self = thread_self();
  bool entered = self && world_blocking_enter(self, registers);
  call->result = call->function(call->arg);
  if (!entered || !(self = thread_self())) return; /* which may have detached */
  if (!world_blocking_leave(self))
    error_report(VGC_ERROR_UNBALANCED, NULL,
                 "vgc_blocking_leave inside vgc_call_blocking; to use the heap there, call vgc_call_active");
}

void *vgc_call_blocking(void *(*function)(void *), void *arg) {
  struct call call = {function, arg, NULL};
  if (init_ensure()) thread_ensure(); /* without a record it is not scanned, nor waited for */
  platform_with_registers(call_in_region, &call);
  return call.result;
}

void *vgc_call_active(void *(*function)(void *), void *arg) {
  struct world_region region;
  struct thread *self = thread_self();
  bool left = self && world_blocking_suspend(self, &region);
  void *result = function(arg);
  if (!left || !(self = thread_self())) return result;
  if (!world_blocking_again(self, &region))
    error_report(VGC_ERROR_UNBALANCED, NULL,
                 "vgc_blocking_enter inside vgc_call_active, and no vgc_blocking_leave; call them in pairs");
  return result;
}

int vgc_suspend_signal(void) { return (int)thread_signal(); }

static void *nothing(void *arg) { return arg; }

/* At the end of a region it waits, its own or this one. */
static int suspend_self(struct thread *self) {
  bool in_region = load_relaxed(&self->state) != THREAD_RUNNING; /* which it alone changes */
  thread_registry_lock();
  store_relaxed(&self->held, 1);
  thread_registry_unlock();
  POINT(suspends_itself);
  if (!in_region) vgc_call_blocking(nothing, NULL);
  return 0;
}

int vgc_thread_suspend(pthread_t thread) {
  if (!init_ensure() || !thread_ensure()) return -1;
  if (pthread_equal(thread, pthread_self())) return suspend_self(thread_self());
  if (collect_hold(thread)) return 0;
  errno = ESRCH;
  return -1;
}

/* With the registry lock, which is given back. */
static int fail_if_none(const struct thread *thread) {
  thread_registry_unlock();
  if (!thread) errno = ESRCH;
  return thread ? 0 : -1;
}

int vgc_thread_resume(pthread_t handle) {
  thread_registry_lock();
  struct thread *thread = thread_present(handle);
  if (thread) world_let_go(thread);
  return fail_if_none(thread);
}

int vgc_thread_suspended(pthread_t handle) {
  thread_registry_lock();
  const struct thread *thread = thread_present(handle);
  int held = thread && load_relaxed(&thread->held);
  thread_registry_unlock();
  return held;
}

void vgc_poll(void) { platform_poll(); }

void vgc_stop_world(void) {
  if (!cache_ensure()) { /* what is called in the stopped world cannot make one */
    platform_print("vgc: vgc_stop_world: no memory for a record of the calling thread\n");
    platform_abort();
  }
  if (!collect_stop_world())
    error_report(VGC_ERROR_UNBALANCED, NULL, "vgc_stop_world in a world that the thread has stopped; resume it first");
}

void vgc_resume_world(void) {
  if (!collect_resume_world())
    error_report(VGC_ERROR_UNBALANCED, NULL,
                 "vgc_resume_world without vgc_stop_world; call them in pairs, in the same thread");
}

/* ---- Stacks ---- */

int vgc_stack_follow(void *const *bottom) {
  struct thread *self = init_ensure() ? thread_ensure() : NULL;
  if (!self) return -1;
  store_relaxed(&self->bottom, bottom);
  return 0;
}

void *vgc_stack_bottom(void) {
  const struct thread *self = init_ensure() ? thread_ensure() : NULL;
  if (!self) return NULL;
  uintptr_t bottom = thread_bottom(self);
  return (void *)(bottom ? bottom : self->stack_high);
}

/* ---- Roots ---- */

int vgc_root_add(const void *start, size_t size) { return init_ensure() ? roots_add(start, size) : -1; }
int vgc_root_remove(const void *start, size_t size) { return roots_remove(start, size); }

int vgc_root_add_callback(vgc_root_callback *callback, void *arg) {
  return init_ensure() ? roots_add_callback(callback, arg) : -1;
}

int vgc_root_remove_callback(vgc_root_callback *callback, void *arg) { return roots_remove_callback(callback, arg); }

void vgc_root_modules(int on) { roots_modules(on != 0); }
int vgc_root_exclude(const void *start, size_t size) { return init_ensure() ? roots_exclude(start, size) : -1; }
int vgc_root_include(const void *start, size_t size) { return roots_include(start, size); }
void vgc_root_set_filter(vgc_root_filter *filter, void *arg) { roots_set_filter(filter, arg); }
