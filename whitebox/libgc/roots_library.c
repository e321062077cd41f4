/* A library for roots_test.c to load: static data of its own. */
extern void *roots_library_words[];
void *roots_library_words[128] = {&roots_library_words};
