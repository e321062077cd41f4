/* Where threads wait for each other, as at a pthread barrier; but in pthread_cond_wait, so that a thread that waits is
 * stopped under ThreadSanitizer too, which delivers no signal into a barrier. */
#ifndef WHITEBOX_MEETING_H
#define WHITEBOX_MEETING_H

#include <pthread.h>

struct meeting {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  /* Under mutex: */
  unsigned parties, present, round;
};

void meeting_init(struct meeting *meeting, unsigned parties);
/* Returns when all parties have come. */
void meeting_wait(struct meeting *meeting);

#endif
