/* HTTP/1.1 messages, all memory from the subject: requests are parsed into many small objects, responses grow piece by
 * piece. */
#ifndef STRESS_HTTP_H
#define STRESS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness.h"

/* Owner: the reactor of the connection. */
struct header {
  struct header *next;
  char *name, *value;
};

struct request {
  char *method, *path;
  struct header *headers;
  bool close; /* the client asked for it */
  bool valid; /* path is /item/ID/SIZE */
  uint64_t id;
  uint32_t size;
};

/* Bytes that grow; pointer-free. */
struct buffer {
  char *bytes;
  size_t used, capacity;
};

/* Counted allocation: NULL never comes back. */
void *http_take(struct worker *, enum subject_kind, size_t size);
/* Ends an object: now and then freed at once, else left to the collector. NULL is ignored. */
void http_give(struct worker *, void *object);

void buffer_reserve(struct worker *, struct buffer *, size_t more);
void buffer_add(struct worker *, struct buffer *, const char *bytes, size_t size);
void buffer_end(struct worker *, struct buffer *);

/* A whole request at the start of the buffer: parsed and its bytes removed. NULL: more bytes are needed. */
struct request *http_parse(struct worker *, struct buffer *);
void http_request_end(struct worker *, struct request *);
/* Appends status line, headers and body. The body names the request, so that it can be checked without it:
 *   ID SIZE ADLER32\n, then SIZE bytes, byte i being 97 + (a + i * (a % 23 + 1) + i * i % 251) % 26, a = ID % 9973 */
void http_respond(struct worker *, struct buffer *, const struct request *);

#endif
