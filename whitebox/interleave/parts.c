#include "parts.h"

#include <stddef.h>

#include "process.h"
#include "stage.h"
#include "sync.h"

static const struct {
  void (*initialize)(void), (*begin)(void), (*keep)(void), (*forget_setup)(void);
} parts[] = {
    {heap_initialize, heap_begin, heap_keep, heap_forget_setup},
    {map_initialize, map_begin, map_keep, map_forget_setup},
    {signal_initialize, signal_begin, signal_keep, signal_forget_setup},
    {signal_calls_initialize, signal_calls_begin, signal_calls_keep, signal_calls_forget_setup},
    {loader_initialize, loader_begin, NULL, NULL},
    {uninstrumented_initialize, NULL, uninstrumented_keep, uninstrumented_forget_setup},
    {stdio_initialize, stdio_begin, NULL, NULL},
    {fork_initialize, fork_begin, fork_keep, fork_forget_setup},
    {stage_initialize, stage_begin, NULL, NULL},
    {sync_initialize, sync_begin, sync_keep, sync_forget_setup},
    {cover_initialize, NULL, NULL, NULL},
};

#define EACH(function)                                                                                                 \
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)                                                            \
    if (parts[i].function) parts[i].function()

void parts_initialize(void) { EACH(initialize); }
void parts_begin(void) { EACH(begin); }
void parts_keep(void) { EACH(keep); }
void parts_forget_setup(void) { EACH(forget_setup); }
