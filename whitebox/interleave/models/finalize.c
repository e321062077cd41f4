/* Finalizers and weak links beside collections and each other. */
#include <errno.h>
#include <pthread.h>

#include "stopping.h"

#define MARK UINT64_C(0x0ddba11c0ffee000)

enum { OBJECTS = 2 };

static void **link_;            /* in an object without pointers */
static unsigned calls[OBJECTS]; /* plain: calls of one object's finalizer do not happen at once */

static void called(void *object, void *count) {
  interleave_assert(*(uint64_t *)object == MARK);
  ++*(unsigned *)count;
}

static void *make(unsigned index) {
  uint64_t *object = vgc_malloc(16);
  interleave_assert(object);
  *object = MARK;
  interleave_assert(vgc_set_finalizer(object, called, &calls[index], VGC_ORDERED) == 0);
  return object;
}

/* On a thread of its own, so that no stack holds what it makes. Not explored. */
static void apart(void *(*run)(void *)) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, run, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

/* ---- Calls by two threads ---- */

static void *make_all(void *arg) {
  for (unsigned i = 0; i < OBJECTS; i++) make(i);
  return arg;
}

static void on_demand(void) {
  struct vgc_config tiny = tiny_config();
  tiny.finalize_on_demand = 1;
  strict_start(&tiny);
}

static void finalizes(void) { vgc_finalize(); }

static void finalized_by_two(void) {
  static void (*const parts[])(void) = {finalizes, finalizes};
  apart(make_all);
  interleave_assert(vgc_collect() == 0);
  interleave_assert(vgc_finalizers_due() == OBJECTS);
  together(2, parts);
  for (unsigned i = 0; i < OBJECTS; i++) interleave_assert(calls[i] == 1);
  interleave_assert(vgc_finalizers_due() == 0);
}
INTERLEAVE_MODEL(finalized_by_two, .setup = on_demand, .run = finalized_by_two,
                 .title = "two threads call what is due: each finalizer is called once");

static void finalizes_all(void) { vgc_finalize_all(); }

static void all_finalized_by_two(void) {
  static void (*const parts[])(void) = {finalizes_all, finalizes_all};
  apart(make_all);
  together(2, parts);
  for (unsigned i = 0; i < OBJECTS; i++) interleave_assert(calls[i] == 1);
}
INTERLEAVE_MODEL(all_finalized_by_two, .setup = on_demand, .run = all_finalized_by_two,
                 .title = "two threads finalize all: each finalizer is called once");

/* ---- Links ---- */

static void *make_link(void *arg) {
  uint64_t *object = vgc_malloc(16);
  interleave_assert(object);
  *object = MARK;
  interleave_assert(vgc_weak_add(link_, object, VGC_WEAK_SHORT) == 0);
  return arg;
}

static void link_start(void) {
  stopping_start();
  link_ = vgc_malloc_noscan(16);
  interleave_assert(link_ && vgc_root_add(&link_, sizeof link_) == 0);
}

static void collects(void) { interleave_assert(vgc_collect() == 0); }

/* What is loaded is alive, and stays so. */
static void follows_link(void) {
  const uint64_t *object = vgc_weak_get(link_);
  if (!object) return;
  interleave_assert(vgc_base_of(object) == object);
  interleave_assert(*object == MARK);
}

static void link_and_cycle(void) {
  static void (*const parts[])(void) = {collects, follows_link};
  apart(make_link);
  together(2, parts);
}
INTERLEAVE_MODEL(link_and_cycle, .setup = link_start, .run = link_and_cycle, .learn = 200,
                 .title = "a thread follows a weak link while another collects");

static void removes(void) { interleave_assert(vgc_weak_remove(link_) == 0 || errno == ENOENT); }

static void moves_away(void) {
  static void *elsewhere;
  interleave_assert(vgc_weak_move(link_, &elsewhere) == 0 || errno == ENOENT);
}

/* Each of the two takes it, or finds it gone. */
static void link_of_two(void) {
  static void (*const parts[])(void) = {removes, moves_away};
  apart(make_link);
  together(2, parts);
  interleave_assert(vgc_weak_remove(link_) != 0);
}
INTERLEAVE_MODEL(link_of_two, .setup = link_start, .run = link_of_two,
                 .title = "one thread removes a link that another moves");

/* ---- Watches ---- */

static void *make_watch(void *arg) {
  uint64_t *object = vgc_malloc(16);
  interleave_assert(object);
  *object = MARK;
  interleave_assert(vgc_weak_watch(link_, object, VGC_WEAK_LONG) == 0);
  return arg;
}

static void unwatches(void) { interleave_assert(vgc_weak_unwatch(link_, VGC_WEAK_LONG) == 0 || errno == ENOENT); }

static void moves_watch(void) {
  static void *elsewhere;
  interleave_assert(vgc_weak_move_watch(link_, &elsewhere, VGC_WEAK_LONG) == 0 || errno == ENOENT);
}

static void watch_of_two(void) {
  static void (*const parts[])(void) = {unwatches, moves_watch};
  apart(make_watch);
  together(2, parts);
  interleave_assert(vgc_weak_unwatch(link_, VGC_WEAK_LONG) != 0);
}
INTERLEAVE_MODEL(watch_of_two, .setup = link_start, .run = watch_of_two,
                 .title = "one thread ends a watch that another moves");

/* ---- The tables, by two threads ---- */

static void *objects[3];

static void objects_start(void) {
  stopping_start();
  interleave_assert(vgc_root_add(objects, sizeof objects) == 0);
  for (unsigned i = 0; i < 3; i++) objects[i] = make(i % OBJECTS);
}

static void sets(void) { interleave_assert(vgc_set_finalizer(objects[0], called, &calls[0], VGC_UNORDERED) == 0); }

static void gets(void) {
  void *count;
  interleave_assert(vgc_get_finalizer(objects[0], &count) == called && count == &calls[0]);
}

static void links_to(void) {
  static void *place;
  interleave_assert(vgc_weak_add(&place, objects[1], VGC_WEAK_LONG) == 0);
}

static void keys(void) { interleave_assert(vgc_ephemeron_new(objects[1], objects[2])); }

static void frees_another(void) {
  void *object = objects[2];
  objects[2] = NULL;
  vgc_free(object);
}

static void counts(void) { interleave_assert(special_bytes() > 0); }

static void together_with_sets(void (*other)(void)) {
  void (*const parts[])(void) = {sets, other};
  together(2, parts);
  gets();
}

static void set_and_get(void) { together_with_sets(gets); }
INTERLEAVE_MODEL(set_and_get, .setup = objects_start, .run = set_and_get,
                 .title = "a finalizer is set while it is asked for");

static void set_and_free(void) { together_with_sets(frees_another); }
INTERLEAVE_MODEL(set_and_free, .setup = objects_start, .run = set_and_free,
                 .title = "a finalizer is set while another object that has one is freed");

static void links_to_another(void) {
  static void *place;
  interleave_assert(vgc_weak_add(&place, objects[0], VGC_WEAK_SHORT) == 0);
}

static void link_and_link(void) {
  static void (*const parts[])(void) = {links_to, links_to_another};
  together(2, parts);
}
INTERLEAVE_MODEL(link_and_link, .setup = objects_start, .run = link_and_link, .title = "two threads make links");

static void link_and_key(void) {
  static void (*const parts[])(void) = {links_to, keys};
  together(2, parts);
}
INTERLEAVE_MODEL(link_and_key, .setup = objects_start, .run = link_and_key,
                 .title = "a link is made while an ephemeron is");

static void watches(void) {
  static void *place;
  interleave_assert(vgc_weak_watch(&place, objects[0], VGC_WEAK_SHORT) == 0);
}

static void link_and_watch(void) {
  static void (*const parts[])(void) = {links_to, watches};
  together(2, parts);
}
INTERLEAVE_MODEL(link_and_watch, .setup = objects_start, .run = link_and_watch,
                 .title = "one thread makes a link while another makes a watch");

static void link_and_count(void) {
  static void (*const parts[])(void) = {links_to, counts};
  together(2, parts);
}
INTERLEAVE_MODEL(link_and_count, .setup = objects_start, .run = link_and_count,
                 .title = "a link is made while the bytes of the tables are asked for");

/* ---- A free beside the collection that finds the object ---- */

static void *freed;

static void freed_start(void) {
  stopping_start();
  interleave_assert(vgc_root_add(&freed, sizeof freed) == 0);
  freed = make(0);
}

static void frees(void) {
  void *object = freed;
  freed = NULL;
  vgc_free(object);
}

static void freed_in_cycle(void) {
  static void (*const parts[])(void) = {collects, frees};
  together(2, parts);
  interleave_assert(calls[0] == 0);
  interleave_assert(vgc_collect() == 0);
  interleave_assert(calls[0] == 0);
}
INTERLEAVE_MODEL(freed_in_cycle, .setup = freed_start, .run = freed_in_cycle, .learn = 200,
                 .title = "an object that is freed is not finalized, whatever collection is under way");
