/* Threads, their stacks, and the allocation lock. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include "layer.h"

/* ---- The lock: while it is held no collection runs ---- */

_Thread_local bool layer_locked;

void GC_alloc_lock(void) {
  layer_ensure();
  vgc_lock();
  layer_locked = true;
}

void GC_alloc_unlock(void) {
  layer_locked = false;
  vgc_unlock();
}

bool layer_exclude(void) {
  if (layer_locked || vgc_in_collection()) return false;
  vgc_lock();
  return layer_locked = true;
}

void layer_admit(bool taken) {
  if (taken) GC_alloc_unlock();
}

void *GC_call_with_alloc_lock(GC_fn_type function, void *arg) {
  GC_alloc_lock();
  void *result = function(arg);
  GC_alloc_unlock();
  return result;
}

/* ---- Registration ---- */

static _Thread_local bool is_first; /* has called GC_init, as the first thread should */
/* Set by GC_register_my_thread, which must be undone; vgc registers by itself all others that it sees. */
static _Thread_local bool by_hand;

/* Where the stack of a thread ends that has been asked about: what its handle leads to. The first thread's is
 * GC_stackbottom, whatever program sets it. */
static _Thread_local void *bottom;

int GC_register_my_thread(const struct GC_stack_base *base) {
  layer_ensure();
  if (vgc_thread_attach()) return GC_DUPLICATE;
  by_hand = true;
  bottom = base->mem_base;
  return GC_SUCCESS;
}

int GC_unregister_my_thread(void) {
  if (by_hand || is_first) vgc_thread_detach();
  by_hand = false;
  bottom = NULL;
  return GC_SUCCESS;
}

int GC_thread_is_registered(void) {
  layer_ensure();
  return vgc_thread_attached();
}

void GC_start_mark_threads(void) {
  layer_ensure();
  layer_mark_in_parallel();
}
void GC_allow_register_threads(void) { GC_start_mark_threads(); }

/* vgc finds its way about alternate stacks. */
void GC_register_altstack(void *stack, GC_word stack_size, void *alternate, GC_word alternate_size) {
  (void)stack, (void)stack_size, (void)alternate, (void)alternate_size;
}

/* vgc has its own handlers of fork. */
void GC_set_handle_fork(int how) { (void)how; }
void GC_atfork_prepare(void) {}
void GC_atfork_parent(void) {}
void GC_atfork_child(void) {}

/* ---- pthread functions ---- */

int GC_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg) {
  GC_start_mark_threads();
  return vgc_pthread_create(thread, attributes, start, arg);
}

int GC_pthread_join(pthread_t thread, void **result) { return vgc_pthread_join(thread, result); }
int GC_pthread_detach(pthread_t thread) { return vgc_pthread_detach(thread); }
int GC_pthread_cancel(pthread_t thread) { return pthread_cancel(thread); }
void GC_pthread_exit(void *result) { vgc_pthread_exit(result); }

/* A thread that cannot be stopped would hold up every collection. */
int GC_pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t without;
  if (set && how != SIG_UNBLOCK) {
    without = *set;
    sigdelset(&without, vgc_suspend_signal());
    set = &without;
  }
  return pthread_sigmask(how, set, old);
}

void *GC_dlopen(const char *path, int mode) { return dlopen(path, mode); }

/* Threads go on by themselves: no signal is needed for that. This is the one that libgc would take. */
static int restart_signal = SIGXCPU;

int GC_get_thr_restart_signal(void) { return GET(restart_signal); }
void GC_set_thr_restart_signal(int signal) {
  if (!GC_is_init_called()) SET(restart_signal, signal);
}
int GC_get_suspend_signal(void) { return vgc_suspend_signal(); }

/* ---- Blocking ---- */

void *GC_do_blocking(GC_fn_type function, void *arg) { return vgc_call_blocking(function, arg); }
void *GC_call_with_gc_active(GC_fn_type function, void *arg) { return vgc_call_active(function, arg); }

static pthread_t thread_of(GC_SUSPEND_THREAD_ID id) { return (pthread_t)id; }

void GC_suspend_thread(GC_SUSPEND_THREAD_ID id) { vgc_thread_suspend(thread_of(id)); }
void GC_resume_thread(GC_SUSPEND_THREAD_ID id) { vgc_thread_resume(thread_of(id)); }
int GC_is_thread_suspended(GC_SUSPEND_THREAD_ID id) { return vgc_thread_suspended(thread_of(id)); }

void GC_stop_world_external(void) {
  layer_ensure();
  vgc_stop_world();
}
void GC_start_world_external(void) { vgc_resume_world(); }

/* ---- Stacks ---- */

char *GC_stackbottom;

static void **follow(void) {
  void **place = is_first ? (void **)(void *)&GC_stackbottom : &bottom;
  if (!*place) *place = vgc_stack_bottom();
  vgc_stack_follow(place);
  return place;
}

void layer_threads_start(void) {
  pthread_attr_t attributes;
  void *low;
  size_t size;
  is_first = true; /* GC_init is the first thread's to call */
  if (!GC_stackbottom && !pthread_getattr_np(pthread_self(), &attributes)) {
    if (!pthread_attr_getstack(&attributes, &low, &size)) GC_stackbottom = (char *)low + size;
    pthread_attr_destroy(&attributes);
  }
  follow();
}

int GC_get_stack_base(struct GC_stack_base *base) {
  pthread_attr_t attributes;
  void *low;
  size_t size;
  if (pthread_getattr_np(pthread_self(), &attributes)) return GC_UNIMPLEMENTED;
  int error = pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  if (error) return GC_UNIMPLEMENTED;
  base->mem_base = (char *)low + size;
  return GC_SUCCESS;
}

__attribute__((noinline)) void *GC_call_with_stack_base(GC_stack_base_func function, void *arg) {
  struct GC_stack_base base = {__builtin_frame_address(0)};
  void *result = function(&base, arg);
  __asm__ volatile("" : : "r"(&base) : "memory"); /* no tail call: the frame lasts */
  return result;
}

void *GC_get_my_stackbottom(struct GC_stack_base *base) {
  layer_ensure();
  void **place = follow();
  base->mem_base = *place;
  return place;
}

void GC_set_stackbottom(void *handle, const struct GC_stack_base *base) {
  if (!GC_is_init_called()) {
    GC_stackbottom = base->mem_base;
    return;
  }
  void **place = handle ? handle : follow();
  SET(*place, base->mem_base);
}
