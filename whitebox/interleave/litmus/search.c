/* The oracle of the search itself: models whose executions can be counted. Each outcome is the order in which the
 * threads came, so that the set of outcomes is the set of schedules that matter: n steps each of two threads give (2n
 * over n), with at most b preemptions those that change threads b times while the thread left could go on. */
#include "threads.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned position;
static char order[32];

static void nothing(void) {}
static void mark(char who) { order[add(position, 1, rlx)] = who; }
static void a1(void) { mark('A'); }
static void b1(void) { mark('B'); }
static void c1(void) { mark('C'); }
static void a2(void) { a1(), a1(); }
static void b2(void) { b1(), b1(); }
static void a3(void) { a2(), a1(); }
static void b3(void) { b2(), b1(); }
static void tell(void) { interleave_outcome("%s", order); }

#define COUNTED(id, about, bound, set, ...)                                                                            \
  static void id##_run(void) { litmus_run(0, tell, (litmus_thread *const[]){__VA_ARGS__, nothing, NULL}); }            \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .outcomes = set, .preemptions = bound)

#define ORDERS_22 "AABB|ABAB|ABBA|BAAB|BABA|BBAA"
#define ORDERS_33                                                                                                      \
  "AAABBB|AABABB|AABBAB|AABBBA|ABAABB|ABABAB|ABABBA|ABBAAB|ABBABA|ABBBAA|"                                             \
  "BAAABB|BAABAB|BAABBA|BABAAB|BABABA|BABBAA|BBAAAB|BBAABA|BBABAA|BBBAAA"
#define ORDERS_111 "ABC|ACB|BAC|BCA|CAB|CBA"

COUNTED(search_2_2, "two dependent steps each: 6", 0, ORDERS_22, a2, b2);
COUNTED(search_3_3, "three dependent steps each: 20", 0, ORDERS_33, a3, b3);
COUNTED(search_1_1_1, "three threads, one step each: 6", 0, ORDERS_111, a1, b1, c1);
COUNTED(search_2_2_bound_1, "two steps each, 1 preemption: 4", 1, "AABB|ABBA|BAAB|BBAA", a2, b2);
COUNTED(search_2_2_bound_2, "two steps each, 2 preemptions: all", 2, ORDERS_22, a2, b2);
COUNTED(search_3_3_bound_1, "three steps each, 1 preemption: 6", 1, "AAABBB|AABBBA|ABBBAA|BAAABB|BBAAAB|BBBAAA", a3,
        b3);
COUNTED(search_3_3_bound_2, "three steps each, 2 preemptions: 14", 2,
        "AAABBB|AABBBA|ABBBAA|BAAABB|BBAAAB|BBBAAA|AABABB|AABBAB|ABAABB|ABBAAB|BAABBA|BABBAA|BBAABA|BBABAA", a3, b3);

/* Threads that block: the switch from who waits is no preemption. */
static unsigned length; /* under lock */
static void locked(char who) {
  pthread_mutex_lock(&lock);
  order[length++] = who;
  pthread_mutex_unlock(&lock);
}
static void la1(void) { locked('A'); }
static void lb1(void) { locked('B'); }
static void lc1(void) { locked('C'); }
static void la2(void) { la1(), la1(); }
static void lb2(void) { lb1(), lb1(); }
COUNTED(search_lock_2_2, "a lock taken twice by each: 6", 0, ORDERS_22, la2, lb2);
COUNTED(search_lock_1_1_1, "a lock taken by three: 6", 0, ORDERS_111, la1, lb1, lc1);
COUNTED(search_lock_bound_1, "a lock taken twice by each, 1 preemption: 4", 1, "AABB|ABBA|BAAB|BBAA", la2, lb2);
COUNTED(search_lock_bound_2, "a lock taken twice by each, 2 preemptions: all", 2, ORDERS_22, la2, lb2);

/* Two threads that depend on each other in nothing: one execution with partial-order reduction, (2n over n) without. */
static void x3(void) {
  store(x, 1, rlx);
  store(x, 2, rlx);
  store(x, 3, rlx);
}
static void y3(void) {
  store(y, 1, rlx);
  store(y, 2, rlx);
  store(y, 3, rlx);
}
RUNS(search_independent, "three independent stores each", "3 3", 2, final_xy, x3, y3, nothing);
