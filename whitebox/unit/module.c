/* What modules_test.c loads, twice: one has more words of static data and of thread-local storage than the other, and
 * is the same for all else. */
void **unit_module_word(int own, unsigned i);

static void *zeroes[UNIT_WORDS];
static _Thread_local void *variable[UNIT_WORDS];

void **unit_module_word(int own, unsigned i) { return own ? &variable[i] : &zeroes[i]; }
