/* gc_inline.h: lists of objects, and what is taken from them. */
#include "client.h"

#include <gc/gc_inline.h>
#include <gc/gc_mark.h>

static void *free_lists[GC_TINY_FREELISTS], *atomic_free_lists[GC_TINY_FREELISTS];

TEST(inline_words) {
  GC_INIT();
  void ***held = GC_malloc(1000 * sizeof(void *));
  for (unsigned i = 0; i < 1000; i++) {
    size_t words = i % 30;
    void **object, **atomic;
    GC_MALLOC_WORDS(object, words, free_lists);
    GC_MALLOC_ATOMIC_WORDS(atomic, words, atomic_free_lists);
    must(object && atomic && GC_base(object) == object && GC_base(atomic) == atomic);
    for (size_t w = 0; w < words; w++) must(!object[w]);
    for (size_t w = 0; w < words; w++) object[w] = atomic[w] = (void *)(uintptr_t)i;
    held[i] = object;
    if (i % 100 == 0) GC_gcollect();
  }
  for (unsigned i = 0; i < 1000; i++)
    for (size_t w = 0; w < i % 30; w++) must(held[i][w] == (void *)(uintptr_t)i);
}

TEST(inline_cons) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
  void **list = NULL;
  for (uintptr_t i = 1; i <= 100000; i++) {
    void **cell;
    GC_CONS(cell, i, list, free_lists);
    list = cell;
  }
  GC_gcollect();
  for (uintptr_t i = 100000; i; i--, list = list[1]) must(list && list[0] == (void *)i);
  must(!list);
}

TEST(inline_lists) {
  GC_INIT();
  for (int number = 0; number < 2; number++)
    for (size_t granules = 1; granules < GC_TINY_FREELISTS; granules++) {
      static void *head;
      if (!number) GC_disable(); /* links of pointer-free objects hold nothing */
      GC_generic_malloc_many(granules * 16, number ? GC_I_NORMAL : GC_I_PTRFREE, &head);
      must(head);
      if (number) client_collect();
      for (int i = 0; i < 50; i++) memset(GC_malloc_atomic(granules * 16 - 1), 0xff, granules * 16 - 1);
      unsigned count = 0;
      for (void *at = head; at; at = GC_NEXT(at), count++) must(GC_base(at) == at && GC_size(at) >= granules * 16);
      must(count >= 1);
      if (!number) GC_enable();
    }
  GC_print_free_list(GC_I_NORMAL, 1);
  must(GC_malloc_kind_global(40, GC_I_NORMAL) != NULL);
}

/* ---- Lists of the program's own kinds ---- */

enum { GRANULES = 4 };

static void *list;

static unsigned length(void) {
  unsigned count = 0;
  for (void *at = list; at; at = GC_NEXT(at), count++) must(GC_base(at) == at && GC_size(at) >= GRANULES * 16);
  return count;
}

static void make_list(GC_word descriptor, int adds_size) {
  GC_INIT();
  int kind = (int)GC_new_kind(GC_new_free_list(), descriptor, adds_size, 1);
  GC_generic_malloc_many(GRANULES * 16, kind, &list);
  must(list && GC_get_kind_and_size(list, NULL) == kind);
}

/* What a list does not hold is given to others, and so overwritten. */
static void holds_its_elements(void) {
  unsigned before = length();
  client_collect();
  for (int i = 0; i < 10000; i++) {
    memset(GC_malloc_atomic(GRANULES * 16 - 1), 0xff, GRANULES * 16 - 1);
    for (char *at = GC_malloc(GRANULES * 16 - 1), *end = at + GRANULES * 16 - 1; at < end; at++) must(!*at);
  }
  must(length() == before && before >= 1);
}

TEST(lists_of_a_kind_of_all_words) {
  make_list(GC_DS_LENGTH, 1);
  must(GC_NEXT(list));
  holds_its_elements();
}

TEST(lists_of_a_kind_of_first_words) {
  make_list(16 | GC_DS_LENGTH, 0);
  holds_its_elements();
}

TEST_OURS(lists_of_a_kind_of_other_words, "collects what follows the first one") {
  make_list((GC_word)1 << 62 | GC_DS_BITMAP, 0);
  holds_its_elements();
}

TEST_OURS(lists_of_a_kind_of_no_word, "collects what follows the first one") {
  make_list(GC_DS_LENGTH, 0);
  holds_its_elements();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inline_words),
      cmocka_unit_test(inline_cons),
      cmocka_unit_test(inline_lists),
      cmocka_unit_test(lists_of_a_kind_of_all_words),
      cmocka_unit_test(lists_of_a_kind_of_first_words),
      cmocka_unit_test(lists_of_a_kind_of_other_words),
      cmocka_unit_test(lists_of_a_kind_of_no_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
