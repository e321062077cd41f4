#include "meeting.h"

#include "test.h"

void meeting_init(struct meeting *meeting, unsigned parties) {
  must(pthread_mutex_init(&meeting->mutex, NULL) == 0 && pthread_cond_init(&meeting->changed, NULL) == 0);
  meeting->parties = parties;
  meeting->present = meeting->round = 0;
}

void meeting_wait(struct meeting *meeting) {
  pthread_mutex_lock(&meeting->mutex);
  unsigned round = meeting->round;
  if (++meeting->present == meeting->parties) {
    meeting->present = 0;
    meeting->round++;
    pthread_cond_broadcast(&meeting->changed);
  } else {
    while (meeting->round == round) pthread_cond_wait(&meeting->changed, &meeting->mutex);
  }
  pthread_mutex_unlock(&meeting->mutex);
}
