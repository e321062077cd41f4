/* Four behaviours of Go's test suite (test/deferfin.go, tinyfin.go, stackobj.go, stackobj3.go), from their description,
 * and one more: what an object's last use on a stack lets the collector find. liveness NAME; 0 if it holds. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vgc.h>

#define NOINLINE __attribute__((noinline))

#define must(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "liveness.c:%d: %s\n", __LINE__, #condition);                                                    \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static unsigned finalized;

static void count(void *object, void *arg) {
  (void)object, (void)arg;
  finalized++;
}

static NOINLINE void *make(void) {
  void *object = vgc_malloc(16);
  must(object && vgc_set_finalizer(object, count, NULL, VGC_ORDERED) == 0);
  return object;
}

static NOINLINE void use(void *object) { must(vgc_base_of(object) == object); }

/* ---- deferfin: ten threads use an object last in a handler at the exit of its scope ---- */

enum { THREADS = 10 };

static void use_last(void **object) { use(*object); }

static void *in_thread(void *arg) {
  void *object __attribute__((cleanup(use_last))) = make();
  (void)object;
  return arg;
}

static void deferfin(void) {
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) must(pthread_create(&threads[i], NULL, in_thread, NULL) == 0);
  for (unsigned i = 0; i < THREADS; i++) must(pthread_join(threads[i], NULL) == 0);
  for (unsigned i = 0; i < 3 && finalized < THREADS; i++) must(vgc_collect() == 0);
  must(finalized == THREADS);
}

/* ---- tinyfin: a hundred objects of four bytes, each with a finalizer ---- */

enum { TINY = 100, TINY_LEAST = 75 };
static unsigned seen[TINY];

static void see(void *object, void *arg) {
  unsigned value = *(unsigned *)object;
  must(value < TINY && arg == &seen[value]);
  seen[value]++;
  finalized++;
}

static NOINLINE void make_tiny(void) {
  for (unsigned i = 0; i < TINY; i++) {
    unsigned *object = vgc_malloc(sizeof *object);
    must(object);
    *object = i;
    must(vgc_set_finalizer(object, see, &seen[i], VGC_ORDERED) == 0);
  }
}

static void tinyfin(void) {
  make_tiny();
  for (unsigned i = 0; i < 3; i++) must(vgc_collect() == 0);
  for (unsigned i = 0; i < TINY; i++) must(seen[i] <= 1);
  must(finalized >= TINY_LEAST);
}

/* ---- deadlocal: a variable that optimization keeps in a register, or in memory ---- */

static NOINLINE void *make_linked(void **link) {
  void *object = vgc_malloc(24);
  must(!vgc_weak_add(link, object, VGC_WEAK_SHORT));
  return object;
}

static NOINLINE unsigned drop_local(void) {
  void **link = vgc_malloc_noscan(sizeof *link), *object = vgc_malloc(24);
  must(!vgc_weak_add(link, object, VGC_WEAK_SHORT));
  must(vgc_weak_get(link) == object); /* after a call, so in a register that calls leave alone */
  VGC_DEAD(object);
  vgc_clear_registers();
  vgc_clear_stack();
  must(vgc_collect() == 0);
  return vgc_weak_get(link) != NULL;
}

/* More that lives over the calls than registers which these leave alone: the variable is in memory meanwhile. */
static NOINLINE long drop_spilled(void **link, const volatile long *values) {
  void *object = make_linked(link);
  long a = values[0], b = values[1], c = values[2], d = values[3], e = values[4], f = values[5], g = values[6];
  must(vgc_weak_get(link) == object);
  must(vgc_usable_size(object) >= 24);
  vgc_poll();
  VGC_DEAD(object);
  vgc_clear_registers();
  vgc_clear_stack();
  must(!vgc_collect());
  return a + b * 3 + c * 5 + d * 7 + e * 9 + f * 11 + g * 13;
}

static void deadlocal(void) {
  static const volatile long values[7];
  for (unsigned i = 0; i < 20; i++) {
    void **link = vgc_malloc_noscan(sizeof *link);
    must(drop_local() == 0);
    drop_spilled(link, values);
    must(vgc_weak_get(link) == NULL);
  }
}

/* ---- stackobj: a struct on the caller's stack holds the only pointer; the callee has its address ---- */

struct holder {
  void *pointer;
  long more[4];
};

static NOINLINE void fill(struct holder *holder) {
  memset(holder, 0, sizeof *holder);
  holder->pointer = make();
}

/* After the last use of what it holds. */
static NOINLINE void forget(struct holder *holder) {
  VGC_DEAD(holder->pointer);
  vgc_clear_registers();
}

static NOINLINE void callee(struct holder *holder) {
  must(vgc_collect() == 0);
  must(finalized == 0);
  use(holder->pointer);
  forget(holder);
  must(vgc_collect() == 0);
  must(finalized == 1);
  holder->more[1] = 1;
}

static void stackobj(void) {
  struct holder holder;
  fill(&holder);
  callee(&holder);
  must(holder.more[1] == 1); /* both frames are still active */
}

/* ---- stackobj3: a struct that is an argument, used only if a flag is set ---- */

/* Compilers hand a struct of this size over in memory. The caller's variable is dead with the call. */
static NOINLINE void use_if(struct holder *argument, bool flag) {
  struct holder holder = *argument;
  forget(argument);
  if (!flag) forget(&holder);
  must(vgc_collect() == 0);
  must(finalized == !flag);
  if (!flag) return;
  use(holder.pointer);
  forget(&holder);
  must(vgc_collect() == 0);
  must(finalized == 1);
}

static void stackobj3(void) {
  for (unsigned flag = 0; flag < 2; flag++) {
    struct holder holder;
    finalized = 0;
    fill(&holder);
    use_if(&holder, flag);
    must(finalized == 1);
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } parts[] = {{"deferfin", deferfin},
               {"tinyfin", tinyfin},
               {"stackobj", stackobj},
               {"stackobj3", stackobj3},
               {"deadlocal", deadlocal}};
  for (unsigned i = 0; argc == 2 && i < sizeof parts / sizeof *parts; i++)
    if (strcmp(argv[1], parts[i].name) == 0) {
      parts[i].run();
      return 0;
    }
  fprintf(stderr, "usage: %s deferfin | tinyfin | stackobj | stackobj3 | deadlocal\n", argv[0]);
  return 2;
}
