/* The one way in for white-box tests: every internal header of gc/. */
#ifndef WHITEBOX_DOOR_H
#define WHITEBOX_DOOR_H

#include "vgc.h"

#include "atomic.h"
#include "lock.h"
#include "platform.h"
#include "point.h"

#include "roots.h"
#include "thread.h"
#include "world.h"

#endif
