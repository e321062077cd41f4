/* What a process has besides threads and locks: heap, mappings, signals, forks; and the coverage table.
 *
 * Each file keeps its variables in state_allocate memory. NAME_initialize: once, before anything under test runs.
 * NAME_keep: after setup; NAME_begin: at the start of each run, back to what was saved. What shadow.c keeps (contents,
 * forbidden bytes) is undone there. NAME_forget_setup: as initialised. parts.c calls them all. */
#ifndef INTERLEAVE_PROCESS_H
#define INTERLEAVE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime.h"

/* Ids as getpid, gettid and fork tell them; the kernel's own would differ from run to run. */
#define PROCESS_ID 1000 /* and of its main thread */
#define CHILD_ID   4242
static inline int thread_id(const struct fiber *fiber) { return PROCESS_ID + (int)fiber->id; }
/* The thread, ended or not, or NULL. */
static inline struct fiber *thread_of_id(int id) {
  return id >= PROCESS_ID && id < PROCESS_ID + (int)FIBERS_MAX ? &RT->fiber[id - PROCESS_ID] : NULL;
}

void heap_initialize(void);
void heap_keep(void);
void heap_begin(void);
void heap_forget_setup(void);
void map_initialize(void);
void map_keep(void);
void map_begin(void);
void map_forget_setup(void);
void signal_initialize(void);
void signal_keep(void);
void signal_begin(void);
void signal_forget_setup(void);
void signal_calls_initialize(void);
void signal_calls_keep(void);
void signal_calls_begin(void);
void signal_calls_forget_setup(void);
void signal_calls_born(const struct fiber *);
void uninstrumented_initialize(void);
void uninstrumented_keep(void);
void uninstrumented_forget_setup(void);
void uninstrumented_put_back(void); /* at the end of a run, after shadow_undo */
void stdio_initialize(void);
void stdio_begin(void);
void loader_initialize(void);
void loader_begin(void);
void loader_forked(void); /* in the child */
void fork_initialize(void);
void fork_keep(void);
void fork_begin(void);
void fork_forget_setup(void);

/* ---- What an address is, for messages ---- */

/* "8 bytes into a block of 24 bytes, freed by thread 1" or "" if nothing is known. text holds at least 128 bytes. */
void process_describe(uintptr_t address, char *text, size_t size);
bool heap_describe(uintptr_t address, char *text, size_t size);
bool map_describe(uintptr_t address, char *text, size_t size);
/* Whether a system call could read a word there: of what mmap gave the table tells, of the rest the kernel. */
bool map_readable(uintptr_t address);

/* ---- Signals ---- */

/* Queues the signal for that thread; 0, ESRCH (NULL, or it has ended), EINVAL, or EAGAIN if the queue is full. Signal 0
 * only asks. A scheduling point. */
int signal_send(struct fiber *, unsigned signal);
/* A thread is made: it inherits its creator's mask and nothing queued. */
void signal_born(struct fiber *, const struct fiber *creator);
/* It ends: what is queued for it is dropped. */
void signal_ended(struct fiber *);
/* The current fiber takes every signal that it can before the call under way returns: it has unmasked them, sent one to
 * itself, or waits. */
void signal_take_all(void);
/* The current fiber waits until a signal of the set is queued for it, and takes it without a handler: its number.
 * -EINTR if a handler ran meanwhile, -EAGAIN at the deadline. */
int signal_wait(uint64_t set, uint64_t deadline);
/* What the process does with a signal, 1 to 64. */
struct signal_action {
  void (*handler)(int); /* or SIG_DFL, SIG_IGN; with SA_SIGINFO it takes three arguments */
  uint64_t mask;
  int flags;
};
struct signal_action signal_get_action(unsigned signal);
void signal_set_action(unsigned signal, const struct signal_action *);
/* How many handlers have run on the current fiber in this run: all; those without SA_RESTART. A blocking call that
 * finds a difference after schedule_block returns was interrupted; by the second kind it fails with EINTR. */
uint32_t signal_deliveries(void);
uint32_t signal_interruptions(void);

/* ---- Coverage: named pairs, counted over all runs of a process ---- */

#define COVER_MAX  2048u
#define COVER_NAME 64u

void cover_initialize(void);
unsigned cover_count(void);
/* The pairs in order of first sight; NULL beyond the last. */
const char *cover_get(unsigned index, uint64_t *count);
/* Adds another process's count. */
void cover_add(const char *pair, uint64_t count);
/* Sorted by name, one line each. */
void cover_print(FILE *);

#endif
