/* A shared object with data and thread-local storage of its own, loaded while threads run. */
void **bug_module_variable(void);
extern void *bug_module_data[4];

static _Thread_local void *variable[4];
void *bug_module_data[4];

void **bug_module_variable(void) { return &variable[2]; }
