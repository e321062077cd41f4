/* The one way in for white-box tests: every internal header of gc/. */
#ifndef WHITEBOX_DOOR_H
#define WHITEBOX_DOOR_H

#include "vgc.h"

#include "atomic.h"
#include "lock.h"
#include "platform.h"
#include "point.h"

#include "bitmap.h"
#include "config.h"
#include "error.h"
#include "event.h"
#include "hash.h"
#include "sizeclass.h"

#include "arena.h"
#include "pages.h"
#include "span.h"
#include "special.h"

#include "cache.h"
#include "central.h"
#include "fast.h"
#include "heap.h"
#include "large.h"
#include "layout.h"

#include "clear.h"
#include "exclude.h"
#include "roots.h"
#include "spawn.h"
#include "thread.h"
#include "world.h"

#include "ephemeron.h"
#include "finalize.h"
#include "mark.h"
#include "mark_choice.h"
#include "mark_team.h"
#include "marker.h"
#include "pace.h"
#include "sweep.h"

#include "check.h"
#include "check_mark.h"
#include "collect.h"
#include "fork.h"
#include "init.h"
#include "stats.h"
#include "unreached.h"

#endif
