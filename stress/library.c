/* What modules.c loads and unloads: words of static data, with and without contents, and of each thread. Built with
 * several numbers of words. */
void **library_word(unsigned place, unsigned i);
extern const unsigned library_words;
const unsigned library_words = LIBRARY_WORDS;

static void *contents[LIBRARY_WORDS + 1] = {contents}; /* the first is taken */
static void *zeroes[LIBRARY_WORDS];
static _Thread_local void *own[LIBRARY_WORDS]; /* the calling thread's */

void **library_word(unsigned place, unsigned i) {
  if (place == 0) return &contents[i + 1];
  return place == 1 ? &zeroes[i] : &own[i];
}
