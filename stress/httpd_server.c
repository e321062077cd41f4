/* A small HTTP/1.1 server: N reactors, each with its epoll set, all memory from the subject. Connections are handed to
 * other reactors, so that objects are freed where they were not made.
 *
 * The client's end of a connection must not be the one that waits in TIME_WAIT: ports of the loopback interface would
 * run out under Connection: close. So the server shuts down first and closes when the client has. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "http.h"
#include "oracle.h"

enum { MOST_REACTORS = 64, MOST_ADDRESSES = 16, EVENTS = 64, WAIT_MS = 20, SESSIONS = 1024, LOCKS = 32, TRIES = 50 };
enum state { READING, WRITING, DRAINING };

/* Scanned object; touched by its reactor alone once that took it from the inbox. */
struct connection {
  struct connection *next; /* inbox */
  struct buffer in, out;
  size_t sent;
  int fd;
  enum state state;
  bool close;
};

/* Worker's stack. The kernel hands back descriptors, never addresses: those it would hide from the collector. */
struct reactor {
  struct worker *worker;
  struct connection **table; /* by descriptor; scanned object */
  size_t capacity;
  int epoll;
  struct epoll_event events[EVENTS];
  int ready;
};

static struct {
  pthread_mutex_t lock;
  struct connection *first; /* under lock; a root */
  int wake;                 /* eventfd; immutable while workers run */
} inboxes[MOST_REACTORS];
static int listeners[MOST_ADDRESSES]; /* immutable while workers run */

/* What clients come back to: objects that outlive requests. Slot i belongs to lock i % LOCKS. */
static struct reference sessions[SESSIONS];
static pthread_mutex_t session_locks[LOCKS];

/* ---- Sessions ---- */

static void touch_session(struct worker *worker, uint64_t id) {
  uint64_t number = random_mix(id) % SESSIONS;
  pthread_mutex_lock(&session_locks[number % LOCKS]);
  struct reference *session = &sessions[number];
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(worker, session, &objects, &bytes);
  if (!session->at || random_one_in(&worker->random, 4)) {
    oracle_drop(worker, session);
    *session = oracle_new(worker, KIND_TYPED, 2 * ORACLE_ELEMENT, 2, 8);
    for (unsigned link = 0; link < 2; link++)
      oracle_relink(worker, session, link,
                    oracle_new(worker, KIND_SCANNED, 1 + random_below(&worker->random, 200), 0, 8));
  }
  pthread_mutex_unlock(&session_locks[number % LOCKS]);
}

/* ---- Connections ---- */

static void close_connection(struct reactor *reactor, struct connection *connection) {
  reactor->table[connection->fd] = NULL;
  close(connection->fd); /* leaves the epoll set with it */
  buffer_end(reactor->worker, &connection->in);
  buffer_end(reactor->worker, &connection->out);
  http_give(reactor->worker, connection);
}

static void want(const struct reactor *reactor, const struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = connection->fd};
  harness_check(epoll_ctl(reactor->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0, "epoll_ctl: %s",
                strerror(errno));
}

/* Sends what there is. False: the connection is gone. */
static bool send_out(struct reactor *reactor, struct connection *connection) {
  struct buffer *out = &connection->out;
  while (connection->sent < out->used) {
    ssize_t sent = send(connection->fd, out->bytes + connection->sent, out->used - connection->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (connection->state != WRITING) want(reactor, connection, EPOLLOUT);
      connection->state = WRITING;
      return true;
    }
    if (sent < 0) {
      close_connection(reactor, connection);
      return false;
    }
    connection->sent += (size_t)sent;
  }
  buffer_end(reactor->worker, out);
  connection->sent = 0;
  if (connection->state == WRITING) want(reactor, connection, EPOLLIN);
  connection->state = READING;
  if (connection->close) {
    connection->state = DRAINING;
    shutdown(connection->fd, SHUT_WR);
  }
  return true;
}

static void serve(struct reactor *reactor, struct connection *connection) {
  struct worker *worker = reactor->worker;
  for (struct request *request; connection->state == READING && (request = http_parse(worker, &connection->in));) {
    touch_session(worker, request->id);
    http_respond(worker, &connection->out, request);
    connection->close |= request->close || !request->valid;
    http_request_end(worker, request);
    if (++worker->ops % 1024 == 0) harness_collect();
    if (!send_out(reactor, connection)) return;
  }
}

static void receive(struct reactor *reactor, struct connection *connection) {
  for (;;) {
    buffer_reserve(reactor->worker, &connection->in, 512);
    struct buffer *in = &connection->in;
    ssize_t got = recv(connection->fd, in->bytes + in->used, in->capacity - in->used, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) {
      close_connection(reactor, connection);
      return;
    }
    if (connection->state != DRAINING) in->used += (size_t)got;
  }
  serve(reactor, connection);
}

/* ---- Accepting and handing over ---- */

static void adopt(struct reactor *reactor, struct connection *connection) {
  size_t number = (size_t)connection->fd;
  if (number >= reactor->capacity) {
    size_t capacity = number * 2;
    struct connection **table = subject.resize(reactor->table, capacity * sizeof(struct connection *));
    harness_check(table, "no memory for %zu connections", capacity);
    if (table != reactor->table) {
      reactor->worker->tally.allocated++;
      reactor->worker->tally.freed++;
    }
    memset(table + reactor->capacity, 0, (capacity - reactor->capacity) * sizeof(struct connection *));
    reactor->table = table;
    reactor->capacity = capacity;
  }
  reactor->table[number] = connection;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = connection->fd};
  harness_check(epoll_ctl(reactor->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0, "epoll_ctl: %s",
                strerror(errno));
}

static void hand_over(struct connection *connection, unsigned to) {
  pthread_mutex_lock(&inboxes[to].lock);
  connection->next = inboxes[to].first;
  inboxes[to].first = connection;
  pthread_mutex_unlock(&inboxes[to].lock);
  harness_check(eventfd_write(inboxes[to].wake, 1) == 0, "eventfd: %s", strerror(errno));
}

static void take_inbox(struct reactor *reactor) {
  unsigned self = reactor->worker->index - 1;
  eventfd_t count;
  (void)eventfd_read(inboxes[self].wake, &count);
  pthread_mutex_lock(&inboxes[self].lock);
  struct connection *connection = inboxes[self].first;
  inboxes[self].first = NULL;
  pthread_mutex_unlock(&inboxes[self].lock);
  for (struct connection *next; connection; connection = next) {
    next = connection->next;
    connection->next = NULL;
    adopt(reactor, connection);
  }
}

static void accept_all(struct reactor *reactor, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    harness_check(fd >= 0, "accept: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct connection *connection = http_take(reactor->worker, KIND_SCANNED, sizeof *connection);
    connection->fd = fd;
    unsigned to = (unsigned)random_below(&reactor->worker->random, options.threads);
    if (to == reactor->worker->index - 1)
      adopt(reactor, connection);
    else
      hand_over(connection, to);
  }
}

/* ---- Reactor ---- */

static void wait_for_events(void *argument) {
  struct reactor *reactor = argument;
  reactor->ready = epoll_wait(reactor->epoll, reactor->events, EVENTS, WAIT_MS);
}

static bool is_listener(int fd) {
  for (unsigned i = 0; i < harness_knob("addresses"); i++)
    if (listeners[i] == fd) return true;
  return false;
}

static void handle(struct reactor *reactor, const struct epoll_event *event) {
  int fd = event->data.fd;
  if (is_listener(fd)) {
    accept_all(reactor, fd);
  } else if (fd == inboxes[reactor->worker->index - 1].wake) {
    take_inbox(reactor);
  } else if (reactor->table[fd]) {
    struct connection *connection = reactor->table[fd];
    if (connection->state != WRITING)
      receive(reactor, connection);
    else if (send_out(reactor, connection))
      serve(reactor, connection);
  }
}

static void add_source(const struct reactor *reactor, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  harness_check(epoll_ctl(reactor->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl: %s", strerror(errno));
}

static void work(struct worker *worker) {
  struct reactor reactor = {.worker = worker, .capacity = 256, .epoll = epoll_create1(EPOLL_CLOEXEC)};
  harness_check(reactor.epoll >= 0, "epoll: %s", strerror(errno));
  reactor.table = http_take(worker, KIND_SCANNED, reactor.capacity * sizeof(struct connection *));
  for (unsigned i = 0; i < harness_knob("addresses"); i++) add_source(&reactor, listeners[i], EPOLLIN | EPOLLEXCLUSIVE);
  add_source(&reactor, inboxes[worker->index - 1].wake, EPOLLIN);
  while (harness_waits(worker)) {
    if (worker->index % 2)
      subject.blocking(wait_for_events, &reactor);
    else
      wait_for_events(&reactor);
    for (int i = 0; i < reactor.ready; i++) handle(&reactor, &reactor.events[i]);
  }
  take_inbox(&reactor);
  for (size_t i = 0; i < reactor.capacity; i++)
    if (reactor.table[i]) close_connection(&reactor, reactor.table[i]);
  harness_census(worker, 1, reactor.capacity * sizeof(struct connection *));
  take_inbox(&reactor);
  for (size_t i = 0; i < reactor.capacity; i++)
    if (reactor.table[i]) close_connection(&reactor, reactor.table[i]);
  subject.release(reactor.table);
  worker->tally.freed++;
  close(reactor.epoll);
}

/* ---- Frame ---- */

static int listen_on(unsigned address, uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  struct sockaddr_in name = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK + address)};
  if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 4096) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* One port, chosen by the system, on all addresses; another try if it is taken on one of them. */
static uint16_t listen_everywhere(void) {
  unsigned addresses = (unsigned)harness_knob("addresses");
  harness_check(addresses >= 1 && addresses <= MOST_ADDRESSES, "--addresses is %u; expected 1 to %d", addresses,
                MOST_ADDRESSES);
  for (int try = 0; try < TRIES; try++) {
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    listeners[0] = listen_on(0, 0);
    harness_check(listeners[0] >= 0, "127.0.0.1: %s", strerror(errno));
    getsockname(listeners[0], (struct sockaddr *)&name, &size);
    uint16_t port = ntohs(name.sin_port);
    unsigned bound = 1;
    while (bound < addresses && (listeners[bound] = listen_on(bound, port)) >= 0) bound++;
    if (bound == addresses) return port;
    while (bound) close(listeners[--bound]);
  }
  harness_fail("no port is free on all of %u loopback addresses", addresses);
}

static void begin(struct worker *worker) {
  (void)worker;
  for (int i = 0; i < LOCKS; i++) pthread_mutex_init(&session_locks[i], NULL);
  harness_check(options.threads <= MOST_REACTORS, "--threads is %u; at most %d reactors", options.threads,
                MOST_REACTORS);
  for (unsigned i = 0; i < options.threads; i++) {
    pthread_mutex_init(&inboxes[i].lock, NULL);
    inboxes[i].wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    harness_check(inboxes[i].wake >= 0, "eventfd: %s", strerror(errno));
  }
  printf("listening on port %u in process %d\n", listen_everywhere(), getpid());
}

static void census(struct worker *worker, uint64_t *objects, uint64_t *bytes) {
  for (int i = 0; i < SESSIONS; i++) oracle_check_tree(worker, &sessions[i], objects, bytes);
  for (unsigned i = 0; i < options.threads; i++)
    for (const struct connection *late = inboxes[i].first; late; late = late->next) ++*objects;
}

static void end(struct worker *worker) {
  for (int i = 0; i < SESSIONS; i++) oracle_drop(worker, &sessions[i]);
}

struct program program = {
    .name = "httpd_server",
    .summary = "HTTP/1.1 server on 127.0.0.1 with several reactors; stress_httpd drives it; ends on SIGTERM",
    .threads = 4,
    .least_threads = 1,
    .retained = 128,
    .begin = begin,
    .work = work,
    .census = census,
    .end = end,
    .knobs = {{"addresses", "loopback addresses from 127.0.0.1 to listen on", 8}},
};
