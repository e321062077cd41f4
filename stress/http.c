#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK = 1000, MOST_REQUEST = 16384 };

void *http_take(struct worker *worker, enum subject_kind kind, size_t size) {
  void *object = subject.allocate(kind, size, 8, (unsigned)worker->tally.allocated);
  harness_check(object, "no memory for %zu bytes", size);
  worker->tally.allocated++;
  return object;
}

void http_give(struct worker *worker, void *object) {
  if (!object || (subject.can & CAN_COLLECT && random_one_in(&worker->random, 2))) return;
  subject.release(object);
  worker->tally.freed++;
}

/* ---- Buffers ---- */

void buffer_reserve(struct worker *worker, struct buffer *buffer, size_t more) {
  if (buffer->used + more <= buffer->capacity) return;
  size_t capacity = buffer->capacity ? buffer->capacity * 2 : 96;
  while (capacity < buffer->used + more) capacity *= 2;
  if (!buffer->bytes) {
    buffer->bytes = http_take(worker, KIND_NOSCAN, capacity);
  } else {
    char *moved = subject.resize(buffer->bytes, capacity);
    harness_check(moved, "no memory for %zu bytes", capacity);
    if (moved != buffer->bytes) {
      worker->tally.allocated++;
      worker->tally.freed++;
    }
    buffer->bytes = moved;
  }
  buffer->capacity = capacity;
}

void buffer_add(struct worker *worker, struct buffer *buffer, const char *bytes, size_t size) {
  buffer_reserve(worker, buffer, size);
  memcpy(buffer->bytes + buffer->used, bytes, size);
  buffer->used += size;
}

void buffer_end(struct worker *worker, struct buffer *buffer) {
  http_give(worker, buffer->bytes);
  *buffer = (struct buffer){0};
}

/* ---- Requests ---- */

static char *copy_text(struct worker *worker, const char *from, size_t size) {
  char *text = http_take(worker, KIND_NOSCAN, size + 1);
  memcpy(text, from, size);
  text[size] = '\0';
  return text;
}

/* The text up to a separator, copied; *at moves past the separator. */
static char *copy_until(struct worker *worker, const char **at, const char *end, char separator) {
  const char *found = memchr(*at, separator, (size_t)(end - *at));
  if (!found) found = end;
  char *text = copy_text(worker, *at, (size_t)(found - *at));
  *at = found < end ? found + 1 : end;
  return text;
}

static void parse_path(struct request *request) {
  unsigned long long id;
  unsigned size;
  char rest;
  request->valid = strcmp(request->method, "GET") == 0 &&
                   sscanf(request->path, "/item/%llu/%u%c", &id, &size, &rest) == 2 && size <= 1 << 20;
  if (!request->valid) return;
  request->id = id;
  request->size = size;
}

static void parse_header(struct worker *worker, struct request *request, const char *line, const char *end) {
  struct header *header = http_take(worker, KIND_SCANNED, sizeof *header);
  header->next = request->headers;
  request->headers = header;
  header->name = copy_until(worker, &line, end, ':');
  while (line < end && *line == ' ') line++;
  header->value = copy_text(worker, line, (size_t)(end - line));
  if (strcasecmp(header->name, "connection") == 0 && strcasecmp(header->value, "close") == 0) request->close = true;
}

struct request *http_parse(struct worker *worker, struct buffer *in) {
  const char *head_end = in->used ? memmem(in->bytes, in->used, "\r\n\r\n", 4) : NULL;
  harness_check(head_end || in->used < MOST_REQUEST, "a request's head is longer than %d bytes", MOST_REQUEST);
  if (!head_end) return NULL;
  struct request *request = http_take(worker, KIND_SCANNED, sizeof *request);
  const char *line = in->bytes, *end = strchr(line, '\r');
  request->method = copy_until(worker, &line, end, ' ');
  request->path = copy_until(worker, &line, end, ' ');
  for (line = end + 2; line < head_end; line = end + 2) {
    end = memmem(line, (size_t)(head_end + 2 - line), "\r\n", 2);
    parse_header(worker, request, line, end);
  }
  parse_path(request);
  size_t consumed = (size_t)(head_end + 4 - in->bytes);
  memmove(in->bytes, in->bytes + consumed, in->used - consumed);
  in->used -= consumed;
  return request;
}

void http_request_end(struct worker *worker, struct request *request) {
  for (struct header *header = request->headers, *next; header; header = next) {
    next = header->next;
    http_give(worker, header->name);
    http_give(worker, header->value);
    http_give(worker, header);
  }
  http_give(worker, request->method);
  http_give(worker, request->path);
  http_give(worker, request);
}

/* ---- Responses ---- */

struct chunk {
  struct chunk *next;
  size_t size;
  char *bytes;
};

static struct chunk *make_chunk(struct worker *worker, const struct request *request, size_t from) {
  size_t size = request->size - from < CHUNK ? request->size - from : CHUNK;
  struct chunk *chunk = http_take(worker, KIND_SCANNED, sizeof *chunk);
  chunk->size = size;
  chunk->bytes = http_take(worker, KIND_NOSCAN, size ? size : 1);
  uint64_t a = request->id % 9973;
  for (size_t n = 0; n < size; n++) {
    uint64_t i = from + n;
    chunk->bytes[n] = (char)(97 + (a + i * (a % 23 + 1) + i * i % 251) % 26);
  }
  return chunk;
}

static uint32_t adler32(uint32_t sum, const char *bytes, size_t size) {
  uint32_t a = sum & 0xffff, b = sum >> 16;
  for (size_t i = 0; i < size; i++) {
    a = (a + (unsigned char)bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

static void respond_bad(struct worker *worker, struct buffer *out) {
  static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  buffer_add(worker, out, text, sizeof text - 1);
}

void http_respond(struct worker *worker, struct buffer *out, const struct request *request) {
  if (!request->valid) {
    respond_bad(worker, out);
    return;
  }
  struct chunk *first = NULL, **last = &first;
  uint32_t sum = 1;
  for (size_t from = 0; from == 0 || from < request->size; from += CHUNK) {
    struct chunk *chunk = make_chunk(worker, request, from);
    sum = adler32(sum, chunk->bytes, chunk->size);
    *last = chunk;
    last = &chunk->next;
  }
  char head[256], title[64];
  int title_size = snprintf(title, sizeof title, "%llu %u %u\n", (unsigned long long)request->id, request->size, sum);
  int head_size =
      snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %u\r\n%s\r\n",
               (unsigned)title_size + request->size, request->close ? "Connection: close\r\n" : "");
  buffer_add(worker, out, head, (size_t)head_size);
  buffer_add(worker, out, title, (size_t)title_size);
  for (struct chunk *chunk = first, *next; chunk; chunk = next) {
    next = chunk->next;
    buffer_add(worker, out, chunk->bytes, chunk->size);
    http_give(worker, chunk->bytes);
    http_give(worker, chunk);
  }
}
