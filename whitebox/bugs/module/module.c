/* A shared object with thread-local storage of its own, loaded while threads run. */
void **bug_module_variable(void);

static _Thread_local void *variable[4];

void **bug_module_variable(void) { return &variable[2]; }
