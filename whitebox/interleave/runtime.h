/* What the parts of the runtime share. Everything here belongs to the one system thread that runs all fibers, so
 * nothing is atomic. The runtime's variables live at one fixed address outside the program's own segments: a collector
 * under test that scans those must not find the explorer's memories of earlier runs. */
#ifndef INTERLEAVE_RUNTIME_H
#define INTERLEAVE_RUNTIME_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "interleave.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((noinline, cold))

/* ---- Operations ---- */

enum op_kind {
  OP_NONE,
  OP_LOAD,
  OP_STORE,
  OP_RMW,
  OP_FENCE,
  OP_LOCK,
  OP_UNLOCK,
  OP_WAIT, /* on a condition, a futex, a semaphore, a barrier */
  OP_WAKE,
  OP_START,
  OP_EXIT,
  OP_JOIN,
  OP_SIGNAL, /* sending, masking */
  OP_DELIVER,
  OP_YIELD, /* also what only takes time */
  OP_MAP,
  OP_FREE,
  OP_CHOICE,
  OP_PLAIN, /* a plain access, where those are points */
  OP_KINDS
};
extern const char *const op_names[OP_KINDS];

/* What a fiber does next, told before it is done: what strategies and the dependence relation look at. */
struct operation {
  enum op_kind kind;
  bool write;        /* changes the object */
  bool seq_cst;      /* depends on all others that are */
  uintptr_t address; /* of the object; 0: of none, depends on nothing but OP_SIGNAL's like */
};

/* One that has been done. */
struct executed {
  enum op_kind kind;
  uintptr_t address;
  uint32_t location; /* logical id of an atomic, or 0 */
  uint32_t detail;   /* what the kind needs to be told apart by; of a load, which store was read, 0 the newest */
  /* Of an atomic. */
  unsigned size;
  int order;
  bool write;
  uint64_t value, stored;
  const void *pc;
};

/* Whether the order of two operations of different fibers can matter. */
bool operations_depend(const struct operation *, const struct operation *);

/* ---- Fibers ---- */

enum fiber_state { FIBER_FREE, FIBER_READY, FIBER_BLOCKED, FIBER_ENDED /* its result waits for a join */ };

#define CALLS_MAX 256u
#define SPIN_MAX  24u
#define WAITS_MAX 4u

struct fiber {
  unsigned id;
  enum fiber_state state;
  struct operation pending;
  void *stack_pointer; /* while it does not run */
  uintptr_t thread_pointer;
  uintptr_t stack_low, stack_top; /* of what it may use; top is where it starts */

  /* Race check and memory model. `lane` is id, or FIBERS_MAX + id in a handler. */
  unsigned lane;
  struct clock clock;                  /* happens-before: what this thread knows */
  struct clock acquirable;             /* of relaxed loads, for an acquire fence to come */
  struct clock released;               /* at its last release fence */
  bool fenced;                         /* there was one */
  struct clock view;                   /* what seq_cst fences make visible without synchronising */
  struct clock after_handler;          /* of handlers that have returned, known from the next barrier on */
  bool handled;                        /* there is something new in it */
  struct clock interrupted[WAITS_MAX]; /* the thread's clock while handlers run */
  struct clock ended;                  /* at its end, for who joins it */
  uint32_t last_fence;                 /* step of its last seq_cst fence */

  /* What it waits for, innermost last: a signal handler that interrupts a wait may wait itself. */
  unsigned waits;
  struct {
    uintptr_t address;
    uint64_t deadline; /* virtual nanoseconds; UINT64_MAX none */
    bool woken, timed_out;
    bool interrupted; /* by handlers that run: it does not wait now */
  } wait[WAITS_MAX];
  bool spinning;
  uint32_t yielded; /* RT->switches at its last yield, + 1 */

  /* Threads. */
  void *(*start)(void *);
  void *argument, *result;
  bool detached;

  /* Signals (signal.c). */
  uint64_t mask, queued; /* bit n - 1 is signal n */
  unsigned handler_depth;

  uint32_t priority; /* of strategies */

  /* A loop that waits for a store: the locations read since this fiber last changed anything. */
  unsigned spin_count;
  uint32_t spurious_store; /* the last one on which a weak compare-exchange failed without a reason */
  /* Return addresses of the instrumented functions that are active, outermost first. */
  unsigned calls;

  /* Not cleared when a fiber begins: the counts above tell what is valid. */
  struct {
    uint32_t location, store; /* and the serial number of the store that was read */
    const void *pc;
  } spin[SPIN_MAX];
  const void *call[CALLS_MAX];
};

/* ---- The world of one run ---- */

struct event {
  uint8_t fiber, lane, kind, order;
  uint8_t size;
  bool write, atomic, preempted;
  uint32_t location; /* logical id of an atomic, or 0 */
  uint32_t store;    /* which store was read: 0 the newest */
  uintptr_t address;
  uint64_t value;  /* read, or stored */
  uint64_t stored; /* by a read-modify-write */
  const void *pc;
  unsigned calls; /* depth of the copy of the call stack at `stack`, in the record's pool */
  uint32_t stack;
  uint16_t clock;
};

struct failure {
  enum interleave_failure kind;
  char text[512];
  /* The racing or offending access, and the other one: lanes; 0xff if there is none. */
  uintptr_t address;
  unsigned size;
  uint8_t lane, other_lane;
  uint16_t other_clock;
  bool write, other_write, atomic, other_atomic;
};

struct runtime {
  /* Immutable after start-up. */
  uintptr_t image_low, image_high; /* writable globals of the code under test */
  uintptr_t stacks_high;           /* stacks and thread-local storage: from WORLD_ADDRESS to here */
  bool wide_switch;                /* wrfsbase */
  bool switch_storage;             /* the program has thread-local storage */

  /* Run by run. */
  bool running;    /* code under test is on the processor: callbacks count */
  bool setting_up; /* no choices, no failures of maps; one thread */
  bool recording;  /* events are kept for a report */
  bool undo_on;    /* writes are logged */
  uint32_t run;    /* number, never 0: stamps shadow cells */
  uint32_t step;
  uint32_t preemptions, signals, forks;
  uint64_t now;  /* virtual nanoseconds */
  uint64_t hash; /* of the events */
  struct fiber *current;
  unsigned fibers;  /* highest id in use + 1 */
  uint32_t enabled; /* bit of each fiber that can go on; schedule.c */
  uint32_t spinners;
  uint32_t switches; /* from one fiber to another */
  const struct interleave_model *model;
  struct failure failure;
  bool discarded;
  char outcome[64];
  bool told;
  struct clock fence_view;  /* what seq_cst fences so far have told: memory.c */
  uint32_t pending_signals; /* over all fibers: a quick test for plain accesses */
  bool plain_points;
  bool tracing;          /* a strategy wants trace_executed */
  struct executed noted; /* for those who run apart */
  void *driver_stack_pointer;
  uintptr_t driver_thread_pointer;
  struct fiber fiber[FIBERS_MAX];
};

#define RT_ADDRESS UINT64_C(0x100000000000)
#define RT         ((struct runtime *)RT_ADDRESS)

static inline struct fiber *self(void) { return RT->current; }

/* ---- Seams ---- */

/* schedule.c */

/* A scheduling point: tells what the current fiber is about to do; others may run first. */
void schedule_point(enum op_kind, uintptr_t address, bool write, bool seq_cst);
/* Any fiber may go on, the current one too, and none counts as preempted. */
void schedule_any(void);
/* The current fiber cannot go on until schedule_wake, or until the deadline; false if the time came first. A scheduling
 * point. The fiber's pending operation stays as it was told by the last schedule_point. May return true without a
 * wake-up after a signal handler has run: look again at what was waited for. */
bool schedule_block(uintptr_t waits_for, uint64_t deadline);
/* Frees a fiber that waits for that address. */
void schedule_wake(struct fiber *, uintptr_t waits_for);
/* Wakes all blocked fibers that wait for that address. Returns how many. */
unsigned schedule_wake_all(uintptr_t waits_for);
/* The first blocked fiber, by id, after `after` (NULL: from the start) that waits for that address; or NULL. */
struct fiber *schedule_waiter(uintptr_t waits_for, const struct fiber *after);
/* Fibers woken for that address that have not run since wait again: another has taken it first. */
void schedule_reblock(uintptr_t waits_for);
/* Mixes an executed operation into the hash and the record; the latter takes from RT->noted what it needs of an atomic.
 */
void schedule_executed(enum op_kind, uintptr_t address, uint32_t location, uint32_t detail);
/* The current fiber has read again what it had read, and changed nothing since: it waits for a store to one of the
 * locations in its `spin`, or until nobody else can go on. */
void schedule_spin(void);
/* sched_yield: a scheduling point. The second time in a row, without a step of anybody else's in between, the fiber
 * waits for one: a loop that yields relies on others being given the processor at some time. */
void schedule_yield(void);
/* A store to a location frees the fibers that spin on it. */
void schedule_stored(uint32_t location);
/* A new fiber may go on. */
void schedule_ready(struct fiber *);
/* The current fiber ends and never runs again; at the last one's end the run ends. */
_Noreturn void schedule_end(void);

/* choose.c: the explorer's decisions. Each is a number below n, n >= 1; 0 is always the unremarkable one: go on with
 * the current fiber (or the lowest id if it cannot go on), read the newest store, do not fail. Nothing is asked, and 0
 * is taken, while setting up or if n is 1. */
enum choice_kind {
  CHOICE_THREAD,
  CHOICE_STORE,    /* which store a load reads; counts backwards from the newest */
  CHOICE_SPURIOUS, /* a weak compare-exchange fails */
  CHOICE_SIGNAL,   /* a pending signal is delivered here; or which */
  CHOICE_FAIL,     /* a system call fails */
  CHOICE_ADDRESS,  /* memory freed before is used again */
  CHOICE_TIME,     /* a timeout fires although others could run */
  CHOICE_MODEL,    /* interleave_choose, fork: parent or child */
  CHOICE_KINDS
};
unsigned choose(enum choice_kind, unsigned n);
/* The index of the fiber to run next among ids[0 .. n). ids[0] is the current fiber if that can go on, else the lowest;
 * the others rise. current_enabled: taking another than 0 is a preemption. Each fiber's next step is
 * RT->fiber[id].pending. */
unsigned choose_thread(const uint8_t *ids, unsigned n, bool current_enabled);

/* run.c: one process may run several models, one after the other. */
enum verdict { RUN_CLEAN, RUN_FAILED, RUN_DISCARDED };
/* Undoes the model before, runs constructors (the first time) and setup. */
void run_set_up(const struct interleave_model *);
/* One execution from the state after setup; RT->failure, RT->outcome, RT->hash, RT->step and others tell about it until
 * the next. With RT->recording set before, the record (record.h) holds its events. */
enum verdict run_once(void);
/* Compares all memory of the code under test with a copy taken after setup. False, with one line for each difference on
 * stderr, if the reset left one. */
bool run_reset_is_exact(void);
void snapshot_take(void); /* after setup */

/* Called for each executed operation while RT->tracing. */
void trace_executed(const struct fiber *, const struct executed *);

/* report.c */
_Noreturn void fail(enum interleave_failure, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail_race(uintptr_t address, unsigned size, bool write, bool atomic, unsigned other_lane,
                         uint16_t other_clock, bool other_write, bool other_atomic);

/* memory.c: happens-before for what is not an atomic. */

/* The current thread's clock steps: what it does from now on is later than what others learnt up to now. Also a
 * compiler's barrier: what the current thread did is known to a handler that interrupts it from now on. */
void memory_barrier_step(void);
/* At a barrier: what handlers did that have returned belongs to what the thread passes on. */
void memory_fold_handlers(struct fiber *);
void memory_release(struct clock *to); /* joins the current clock into *to, then steps */
void memory_acquire(const struct clock *from);
/* The current fiber's handler begins and ends. */
void memory_enter_handler(void);
void memory_leave_handler(void);

/* atomics.c */
void atomics_begin(void);
void atomics_fence(int order); /* __ATOMIC_* */
/* membarrier: by each thread, and by the caller before and after. */
void atomics_fence_everybody(void);

/* shadow.c: plain memory. */

/* The race check of an access, and the undo log of a write; before the access itself. */
void shadow_access(uintptr_t address, size_t size, bool write, bool atomic, const void *pc);
/* The same for writes by the runtime that stand for no access of the program's (a lock's bytes). */
void shadow_save(uintptr_t address, size_t size);
void world_write(void *to, const void *from, size_t size);
/* Accesses to the range fail with INTERLEAVE_MEMORY; undone at the end of the run. */
void shadow_forbid(uintptr_t address, size_t size);
void shadow_permit(uintptr_t address, size_t size);
/* What that lane did in the range is remembered no more: its frames are gone. */
void shadow_forget(uintptr_t low, uintptr_t high, unsigned lane);
void shadow_write_range(uintptr_t address, size_t size, const void *pc);
void shadow_begin(void);
void shadow_undo(void); /* memory as it was when the run began */
/* What is undone from now on starts from here: after setup. */
void shadow_keep(void);
/* Back to what was before any setup. */
void shadow_forget_setup(void);

/* signal.c, called from schedule.c and callbacks.c */
void signal_poll(void); /* at any access or point, if RT->pending_signals */
bool signal_deliverable(const struct fiber *);
void signal_deliver_blocked(void); /* the current fiber waits and takes a signal */

/* fiber.c */
void fiber_initialize(void);
/* A thread that has done nothing yet, whose own lane of the clock stands at `clock` + 1. */
void fiber_reset(struct fiber *, uint16_t clock);
/* The fiber starts at body when it is first switched to. Its stack is zeroed. */
void fiber_prepare(struct fiber *, void (*body)(void));
void fiber_switch(struct fiber *to); /* from the current fiber */
void fiber_enter(struct fiber *to);  /* from the driver; returns when a fiber leaves */
_Noreturn void fiber_leave(void);    /* to the driver */
struct fiber *fiber_of_handle(uintptr_t pthread);
uintptr_t fiber_handle(const struct fiber *); /* its pthread_t */
/* Thread-local storage of each fiber: as it is now is how each run finds it. */
void fiber_storage_keep(void);
void fiber_storage_forget_setup(void);
/* Calls visit with the thread-local storage of each fiber in turn. Driver or fiber. */
void fiber_with_each(void (*visit)(void));
/* An instrumented function's frame: how deep the stack has been used. */
void fiber_deepest(uintptr_t frame);
/* Between the two: how deep instrumented functions came. The first gives what the second is given. */
uintptr_t fiber_watch_depth(void);
uintptr_t fiber_watched_depth(uintptr_t before);

/* thread.c */
void thread_initialize(void);
void thread_begin(void);
void thread_keep(void);
void thread_forget_setup(void);
/* Called by the main thread at the end of setup. */
void thread_note_values(void);
/* The body of a model's main thread. */
void thread_main(void);

/* run.c */
void run_initialize(void);
_Noreturn void run_leave(void);

/* world.c: memory of one run; zeroed at allocation, at the same address in every process. */
#define WORLD_ADDRESS UINT64_C(0x200000000000)
#define WORLD_BYTES   (UINT64_C(512) << 20)
void world_initialize(void);
void world_begin(void);
void world_keep(void);
void world_kept(uintptr_t *low, uintptr_t *high);  /* what setup has allocated */
void world_fresh(uintptr_t *low, uintptr_t *high); /* what runs have allocated beyond that */
void world_forget_setup(void);
void *world_allocate(size_t bytes, size_t alignment); /* from fresh space, NULL if it is used up */
/* Zeroed memory for the runtime's own variables, at the same address in every process; for ever. */
void *state_allocate(size_t bytes);

#endif
