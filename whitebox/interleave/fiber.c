/* Fibers: the threads of a run. Each borrows stack and thread-local storage of a donor, a real thread that sleeps for
 * ever: so libc's own per-thread state (errno, pthread_self, keys, the heap's caches) works unchanged. */
#include "runtime.h"

#include <asm/prctl.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (UINT64_C(256) << 10)
/* The donor's own frames, below its thread-local storage. */
#define DONOR_BYTES 8192u
/* No frame without instrumentation leaves so much untouched. */
#define MARGIN 4096u

#define HWCAP2_FSGSBASE 2

struct storage {
  uintptr_t offset; /* below the thread pointer */
  size_t file_bytes, bytes;
  const void *image;
};

struct fiber_tables {
  pthread_t handle[FIBERS_MAX];
  uintptr_t deepest[FIBERS_MAX];
  char *start[FIBERS_MAX]; /* what thread-local storage holds when a run begins */
  struct storage storage;
  volatile uint32_t ready;
};
static struct fiber_tables *tables;

/* ---- Thread pointer ---- */

static uintptr_t get_thread_pointer(void) {
  uintptr_t pointer;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

static inline void set_thread_pointer(uintptr_t pointer) {
  if (LIKELY(RT->wide_switch))
    __asm__ volatile("wrfsbase %0" : : "r"(pointer) : "memory");
  else
    syscall(SYS_arch_prctl, ARCH_SET_FS, pointer);
}

void fiber_with_each(void (*visit)(void)) {
  uintptr_t own = get_thread_pointer();
  for (unsigned i = 0; i < FIBERS_MAX; i++) {
    set_thread_pointer(RT->fiber[i].thread_pointer);
    visit();
  }
  set_thread_pointer(own);
}

/* ---- Switching ---- */

void fiber_swap(void **save, void *to);
__asm__(".text\n"
        ".p2align 4\n"
        ".type fiber_swap, @function\n"
        "fiber_swap:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        ".size fiber_swap, . - fiber_swap\n");

void fiber_switch(struct fiber *to) {
  struct fiber *from = RT->current;
  RT->current = to;
  set_thread_pointer(to->thread_pointer);
  fiber_swap(&from->stack_pointer, to->stack_pointer);
}

void fiber_enter(struct fiber *to) {
  RT->driver_thread_pointer = get_thread_pointer();
  RT->current = to;
  set_thread_pointer(to->thread_pointer);
  fiber_swap(&RT->driver_stack_pointer, to->stack_pointer);
}

_Noreturn void fiber_leave(void) {
  void *abandoned;
  set_thread_pointer(RT->driver_thread_pointer);
  fiber_swap(&abandoned, RT->driver_stack_pointer);
  __builtin_unreachable();
}

/* ---- Storage ---- */

static int find_storage(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  struct storage *storage = arg;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_TLS) continue;
    size_t align = header->p_align ? header->p_align : 1;
    storage->bytes = header->p_memsz;
    storage->file_bytes = header->p_filesz;
    storage->image = (const void *)(info->dlpi_addr + header->p_vaddr);
    storage->offset = (header->p_memsz + align - 1) / align * align;
  }
  return 1; /* the executable comes first, and its block is next to the thread pointer */
}

static char *storage_of(const struct fiber *fiber) { return (char *)(fiber->thread_pointer - tables->storage.offset); }

void fiber_storage_keep(void) {
  for (unsigned i = 0; i < FIBERS_MAX && tables->storage.bytes; i++)
    memcpy(tables->start[i], storage_of(&RT->fiber[i]), tables->storage.bytes);
}

void fiber_storage_forget_setup(void) {
  const struct storage *storage = &tables->storage;
  for (unsigned i = 0; i < FIBERS_MAX && storage->bytes; i++) {
    memcpy(tables->start[i], storage->image, storage->file_bytes);
    memset(tables->start[i] + storage->file_bytes, 0, storage->bytes - storage->file_bytes);
    memcpy(storage_of(&RT->fiber[i]), tables->start[i], storage->bytes);
  }
}

/* ---- Donors ---- */

struct donation {
  struct fiber *fiber;
  uint32_t done;
};

static void *donor(void *arg) {
  struct donation *donation = arg;
  struct fiber *fiber = donation->fiber;
  fiber->thread_pointer = get_thread_pointer();
  fiber->stack_top = ((uintptr_t)__builtin_frame_address(0) - DONOR_BYTES) & ~(uintptr_t)63;
  tables->handle[fiber->id] = pthread_self();
  __atomic_store_n(&donation->done, 1, __ATOMIC_RELEASE);
  for (;;) pause();
  return NULL;
}

static void make(struct fiber *fiber) {
  char *stack = world_allocate(STACK_BYTES, 4096);
  mprotect(stack, 4096, PROT_NONE);
  fiber->stack_low = (uintptr_t)stack + 4096;
  struct donation donation = {fiber, 0};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack + 4096, STACK_BYTES - 4096);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, donor, &donation);
  if (error) {
    fprintf(stderr, "interleave: cannot start a thread: %s\n", strerror(error));
    exit(3);
  }
  while (!__atomic_load_n(&donation.done, __ATOMIC_ACQUIRE)) usleep(20);
  pthread_attr_destroy(&attributes);
  tables->deepest[fiber->id] = fiber->stack_top;
  tables->start[fiber->id] = state_allocate(tables->storage.bytes);
}

void fiber_initialize(void) {
  tables = state_allocate(sizeof *tables);
  RT->wide_switch = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
  if (!RT->wide_switch)
    fprintf(stderr, "interleave: no wrfsbase on this machine; each switch of threads costs a system call\n");
  dl_iterate_phdr(find_storage, &tables->storage);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned i = 0; i < FIBERS_MAX; i++) {
    RT->fiber[i].id = i;
    make(&RT->fiber[i]);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  RT->stacks_high = (uintptr_t)world_allocate(0, 4096);
  fiber_storage_keep();
}

/* ---- Starting ---- */

void fiber_reset(struct fiber *fiber, uint16_t clock) {
  unsigned id = fiber->id;
  uintptr_t thread_pointer = fiber->thread_pointer, low = fiber->stack_low, top = fiber->stack_top;
  memset(fiber, 0, offsetof(struct fiber, spin));
  fiber->id = fiber->lane = id;
  fiber->thread_pointer = thread_pointer;
  fiber->stack_low = low;
  fiber->stack_top = top;
  fiber->clock.lane[id] = (uint16_t)(clock + 1);
}

static void unreachable_return(void) { __builtin_trap(); }

static bool is_zero(uintptr_t low, uintptr_t high) {
  uint64_t any = 0;
  for (; low < high; low += sizeof any) any |= *(const uint64_t *)low;
  return !any;
}

/* What a run left on a stack the next one must not find: a collector under test scans it. Functions without
 * instrumentation do not tell how deep they came, so more is cleared until all of a margin has never been used. */
static void clear_stack(struct fiber *fiber) {
  uintptr_t low = tables->deepest[fiber->id] & ~(uintptr_t)7;
  memset((void *)low, 0, fiber->stack_top - low);
  while (low > fiber->stack_low) {
    uintptr_t below = low - fiber->stack_low > MARGIN ? low - MARGIN : fiber->stack_low;
    if (is_zero(below, low)) break;
    memset((void *)below, 0, low - below);
    low = below;
  }
  tables->deepest[fiber->id] = fiber->stack_top;
}

void fiber_prepare(struct fiber *fiber, void (*body)(void)) {
  clear_stack(fiber);
  if (tables->storage.bytes) memcpy(storage_of(fiber), tables->start[fiber->id], tables->storage.bytes);
  uintptr_t *stack = (uintptr_t *)fiber->stack_top;
  void (*end)(void) = unreachable_return;
  memcpy(--stack, &end, sizeof end); /* the stack is aligned as after a call */
  memcpy(--stack, &body, sizeof body);
  fiber->stack_pointer = stack - 6;
}

void fiber_deepest(uintptr_t frame) {
  uintptr_t *deepest = &tables->deepest[RT->current->id];
  if (frame < *deepest) *deepest = frame;
}

uintptr_t fiber_watch_depth(void) {
  uintptr_t before = tables->deepest[RT->current->id];
  tables->deepest[RT->current->id] = (uintptr_t)__builtin_frame_address(0);
  return before;
}

uintptr_t fiber_watched_depth(uintptr_t before) {
  uintptr_t deepest = tables->deepest[RT->current->id];
  fiber_deepest(before);
  return deepest;
}

struct fiber *fiber_of_handle(uintptr_t pthread) {
  for (unsigned i = 0; i < FIBERS_MAX; i++)
    if ((uintptr_t)tables->handle[i] == pthread) return &RT->fiber[i];
  return NULL;
}

uintptr_t fiber_handle(const struct fiber *fiber) { return (uintptr_t)tables->handle[fiber->id]; }
