// gc_cpp.h and gc_allocator.h, with Debian's libgccpp for the global operators. CMocka's assertions jump past
// destructors, so this program has its own: each test in a child, by its exit status.
#include <gc/gc_allocator.h>
#include <gc/gc_cpp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <vector>

#define MUST(condition) ((condition) ? (void)0 : failed(#condition, __LINE__))

static void failed(const char *condition, int line) {
  fprintf(stderr, "cpp_test.cpp:%d: failed assertion: %s\n", line, condition);
  _exit(1);
}

static const unsigned many = 100, most = 75;
static GC_hidden_pointer watched[2 * many];
static void *roots[many];

static void watch(unsigned i, void *object) {
  watched[i] = GC_HIDE_POINTER(object);
  MUST(GC_general_register_disappearing_link(reinterpret_cast<void **>(&watched[i]), GC_base(object)) == GC_SUCCESS);
}

static unsigned gone(unsigned from, unsigned count) {
  unsigned sum = 0;
  for (unsigned i = from; i < from + count; i++) sum += !watched[i];
  return sum;
}

__attribute__((noinline)) static void collect() {
  for (int i = 0; i < 3; i++) {
    volatile char dead[65536];
    for (size_t at = 0; at < sizeof dead; at++) dead[at] = 0;
    GC_gcollect();
    GC_invoke_finalizers();
  }
}

__attribute__((noinline)) static void below(void (*function)()) {
  volatile char frame[16384];
  frame[0] = 0;
  function();
  MUST(!frame[0]); // it lasts
}

// ---- Placements ----

struct plain : public gc {
  void *pointer = nullptr;
  int numbers[10] = {0};
};

static void make_placements() {
  for (unsigned i = 0; i < many; i += 4) {
    plain *objects[] = {new plain, new (UseGC) plain, new (NoGC) plain, new (PointerFreeGC) plain};
    for (unsigned k = 0; k < 4; k++) {
      watch(i + k, objects[k]);
      roots[i + k] = k == 3 ? objects[k] : nullptr;
      objects[k]->pointer = GC_MALLOC(16);
      watch(many + i + k, objects[k]->pointer);
    }
  }
}

static void placements() {
  below(make_placements);
  collect();
  unsigned own[4] = {0}, contents[4] = {0};
  for (unsigned i = 0; i < many; i++) {
    own[i % 4] += !watched[i];
    contents[i % 4] += !watched[many + i];
  }
  MUST(own[0] >= most / 4 && own[1] >= most / 4); // collectible
  MUST(own[2] == 0 && contents[2] == 0);          // uncollectible, but scanned
  MUST(own[3] == 0 && contents[3] >= most / 4);   // held, but not scanned
}

static void make_arrays() {
  for (unsigned i = 0; i < many; i++) {
    plain *array = new plain[5];
    watch(i, array);
    if (i % 2) roots[i] = &array[3];
    int *numbers = new (GC) int[1000];
    memset(numbers, 1, 4000);
  }
}

static void arrays() {
  below(make_arrays);
  collect();
  unsigned odd = 0, even = 0;
  for (unsigned i = 0; i < many; i++) (i % 2 ? odd : even) += !watched[i];
  MUST(odd == 0 && even >= most / 2);
}

static void deletion() {
  for (unsigned i = 0; i < 100000; i++) {
    delete new plain;
    delete new (NoGC) plain;
    delete[] new plain[10];
  }
  MUST(GC_get_heap_size() < 64u << 20);
}

// ---- Clean-up ----

static unsigned destroyed, cleaned, wrong;

struct cleaner : public gc_cleanup {
  explicit cleaner(unsigned number) : number(number), check(~number) {}
  ~cleaner() {
    destroyed++;
    if (check != ~number) wrong++;
  }
  unsigned number, check;
  cleaner *next = nullptr;
};

struct other {
  void *pointer = nullptr;
};

// With its cleaner behind something else.
struct derived : public other, public cleaner {
  explicit derived(unsigned number) : cleaner(number) {}
};

static void drop_cleaners() {
  for (unsigned i = 0; i < many; i++) {
    if (i % 2)
      new cleaner(i);
    else
      new derived(i);
  }
}

static void destructors() {
  below(drop_cleaners);
  collect();
  MUST(destroyed >= most && destroyed <= many && !wrong);
}

static void drop_cleaners_by_hand() {
  for (unsigned i = 0; i < many; i++) delete new cleaner(i);
}

static void destructors_once() {
  below(drop_cleaners_by_hand);
  MUST(destroyed == many);
  collect();
  MUST(destroyed == many && !wrong);
}

static void hold_cleaners() {
  for (unsigned i = 0; i < many; i++) roots[i] = new cleaner(i);
}

static void destructors_not_of_reachable() {
  below(hold_cleaners);
  collect();
  MUST(destroyed == 0);
}

static void drop_rings() {
  for (unsigned i = 0; i < many; i++) {
    cleaner *object = new cleaner(i);
    object->next = object; // its own pointers do not count
  }
}

static void destructors_in_spite_of_selves() {
  below(drop_rings);
  collect();
  MUST(destroyed >= most && !wrong);
}

static void clean(void *object, void *data) {
  cleaned++;
  if (static_cast<plain *>(object)->numbers[3] != 7 || data != &cleaned) wrong++;
}

static void drop_with_cleanup() {
  for (unsigned i = 0; i < many; i++) {
    plain *object = ::new (GC, clean, &cleaned) plain;
    object->numbers[3] = 7;
  }
}

static void explicit_cleanup() {
  below(drop_with_cleanup);
  collect();
  MUST(cleaned >= most && cleaned <= many && !wrong);
}

// ---- The built-in operators of libgccpp: uncollectible ----

static void make_builtin() {
  for (unsigned i = 0; i < many; i++) {
    void **array = new void *[10];
    MUST(GC_base(array) == array);
    array[3] = GC_MALLOC(16);
    watch(i, array);
    watch(many + i, array[3]);
  }
}

static void builtin_operators() {
  below(make_builtin);
  collect();
  MUST(gone(0, 2 * many) == 0);
  for (unsigned i = 0; i < 100000; i++) delete[] new char[1000];
  MUST(GC_get_heap_size() < 64u << 20);
}

// ---- Containers ----

typedef std::vector<plain *, gc_allocator<plain *>> vector;

static void fill_vectors() {
  for (unsigned i = 0; i < many; i++) {
    vector *made = new (GC) vector(i);
    made->push_back(new plain);
    watch(i, made->back());
    roots[i] = made;
  }
}

static void vectors() {
  below(fill_vectors);
  collect();
  MUST(gone(0, many) == 0);
  memset(roots, 0, sizeof roots);
  collect();
  MUST(gone(0, many) >= most);
}

static void containers() {
  std::vector<int, gc_allocator<int>> numbers; // pointer-free
  std::list<int, gc_allocator<int>> list;
  std::map<int, plain *, std::less<int>, traceable_allocator<std::pair<const int, plain *>>> map;
  std::vector<double, gc_allocator_ignore_off_page<double>> large;
  for (int i = 0; i < 20000; i++) {
    numbers.push_back(i);
    list.push_back(i);
    large.push_back(i);
    map[i % 1000] = new plain;
    map[i % 1000]->numbers[1] = i;
  }
  collect();
  for (int i = 0; i < 20000; i++) MUST(numbers[static_cast<size_t>(i)] == i && large[static_cast<size_t>(i)] == i);
  int expected = 0;
  for (int number : list) MUST(number == expected++);
  for (const auto &entry : map) MUST(entry.second->numbers[1] == 19000 + entry.first);
}

static void bad_alloc() {
  GC_set_warn_proc(GC_ignore_warn_proc);
  volatile size_t huge = SIZE_MAX / 8;
  bool thrown = false;
  try {
    gc_allocator<char>().allocate(huge);
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  MUST(thrown);
}

static const struct {
  const char *name;
  void (*body)();
} tests[] = {
    {"placements", placements},
    {"arrays", arrays},
    {"deletion", deletion},
    {"destructors", destructors},
    {"destructors_once", destructors_once},
    {"destructors_not_of_reachable", destructors_not_of_reachable},
    {"destructors_in_spite_of_selves", destructors_in_spite_of_selves},
    {"explicit_cleanup", explicit_cleanup},
    {"builtin_operators", builtin_operators},
    {"vectors", vectors},
    {"containers", containers},
    {"bad_alloc", bad_alloc},
};

int main() {
  int failures = 0;
  for (const auto &test : tests) {
    fflush(nullptr);
    pid_t pid = fork();
    if (!pid) {
      alarm(50);
      GC_INIT();
      test.body();
      _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    printf("%s %s\n", status ? "not ok" : "ok", test.name);
    failures += status != 0;
  }
  return failures != 0;
}
