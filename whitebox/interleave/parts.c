#include "parts.h"

void parts_initialize(void) {}
void parts_begin(void) {}
void parts_keep(void) {}
void parts_forget_setup(void) {}
