/* Between the files of the Linux port only. */
#ifndef VGC_PLATFORM_LINUX_H
#define VGC_PLATFORM_LINUX_H

#include <stddef.h>

struct platform_modules;

/* An object with thread-local storage. */
struct platform_tls_module {
  size_t id, size; /* index into a thread's vector; bytes */
};

const struct platform_tls_module *platform_modules_storage(const struct platform_modules *, size_t *count);

#endif
