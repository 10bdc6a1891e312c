/*
 * Incremental HTTP/1.1 request parser.  Bytes may come in any portions; callbacks receive the
 * request line, headers and body (by Content-Length or chunked).  Each sample is fed in several
 * portion sizes and must produce the same event stream every time.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINE 256
#define MAX_HEADERS 16

enum http_error {
  HTTP_OK = 0,
  HTTP_BAD_REQUEST = 400,
  HTTP_URI_TOO_LONG = 414,
  HTTP_HEADERS_TOO_LARGE = 431,
  HTTP_NOT_IMPLEMENTED = 501,
  HTTP_VERSION_UNSUPPORTED = 505,
};

typedef struct http_parser http_parser;

typedef struct {
  void (*on_request)(void *user, const char *method, const char *target, int minor);
  void (*on_header)(void *user, const char *name, const char *value);
  void (*on_headers_done)(void *user, bool keep_alive);
  void (*on_body)(void *user, const char *data, size_t n);
  void (*on_complete)(void *user);
} http_callbacks;

enum state {
  S_REQUEST_LINE,
  S_HEADER_LINE,
  S_BODY,
  S_CHUNK_SIZE,
  S_CHUNK_DATA,
  S_CHUNK_END,
  S_TRAILER_LINE,
  S_FAILED,
};

struct http_parser {
  enum state state;
  enum http_error error;
  const http_callbacks *cb;
  void *user;
  char line[MAX_LINE];
  size_t line_len;
  uint64_t remaining;
  int header_count, minor;
  bool has_length, chunked, keep_alive, has_host;
};

void http_init(http_parser *p, const http_callbacks *cb, void *user) {
  memset(p, 0, sizeof *p);
  p->cb = cb;
  p->user = user;
}

static bool fail(http_parser *p, enum http_error e) {
  p->state = S_FAILED;
  p->error = e;
  return false;
}

/* The token characters of RFC 9110 as a bit set over ASCII. */
static bool is_token(unsigned char c) {
  static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
  return c < 128 && (set[c / 32] >> (c % 32) & 1);
}

static bool all_token(const char *s) {
  if (!*s)
    return false;
  while (*s)
    if (!is_token((unsigned char)*s++))
      return false;
  return true;
}

static bool equals_ignore_case(const char *a, const char *b) {
  for (; *a && *b; a++, b++)
    if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
      return false;
  return *a == *b;
}

/* Is the word one of the members of a comma-separated list? */
static bool list_contains(const char *list, const char *word) {
  char item[32];
  while (*list) {
    size_t n = 0;
    list += strspn(list, " \t,");
    while (*list && *list != ',') {
      if (n < sizeof item - 1)
        item[n++] = *list;
      list++;
    }
    while (n && (item[n - 1] == ' ' || item[n - 1] == '\t'))
      n--;
    item[n] = '\0';
    if (equals_ignore_case(item, word))
      return true;
  }
  return false;
}

static void start_message(http_parser *p) {
  p->state = S_REQUEST_LINE;
  p->line_len = 0;
  p->remaining = 0;
  p->header_count = 0;
  p->has_length = p->chunked = p->has_host = false;
}

static void finish_message(http_parser *p) {
  p->cb->on_complete(p->user);
  start_message(p);
}

static bool request_line(http_parser *p) {
  char *method = p->line;
  if (p->line_len == 0)
    return true; /* stray blank lines between requests are allowed */
  char *target = strchr(method, ' ');
  if (!target)
    return fail(p, HTTP_BAD_REQUEST);
  *target++ = '\0';
  char *version = strchr(target, ' ');
  if (!version || version == target)
    return fail(p, HTTP_BAD_REQUEST);
  *version++ = '\0';
  if (!all_token(method) || strncmp(version, "HTTP/", 5) != 0)
    return fail(p, HTTP_BAD_REQUEST);
  if (strcmp(version + 5, "1.1") != 0 && strcmp(version + 5, "1.0") != 0)
    return fail(p, HTTP_VERSION_UNSUPPORTED);
  if (*target != '/' && strcmp(target, "*") != 0 && strncmp(target, "http://", 7) != 0)
    return fail(p, HTTP_BAD_REQUEST);
  p->minor = version[7] - '0';
  p->keep_alive = p->minor == 1;
  p->state = S_HEADER_LINE;
  p->cb->on_request(p->user, method, target, p->minor);
  return true;
}

static bool content_length(http_parser *p, const char *value) {
  uint64_t n = 0;
  if (!*value)
    return fail(p, HTTP_BAD_REQUEST);
  for (; *value; value++) {
    if (!isdigit((unsigned char)*value) || n > UINT64_MAX / 10 - 1)
      return fail(p, HTTP_BAD_REQUEST);
    n = n * 10 + (uint64_t)(*value - '0');
  }
  if (p->has_length && n != p->remaining)
    return fail(p, HTTP_BAD_REQUEST);
  p->has_length = true;
  p->remaining = n;
  return true;
}

static bool known_header(http_parser *p, const char *name, const char *value) {
  if (equals_ignore_case(name, "content-length"))
    return content_length(p, value);
  if (equals_ignore_case(name, "transfer-encoding")) {
    if (!equals_ignore_case(value, "chunked"))
      return fail(p, HTTP_NOT_IMPLEMENTED);
    p->chunked = true;
  } else if (equals_ignore_case(name, "connection")) {
    if (list_contains(value, "close"))
      p->keep_alive = false;
    else if (list_contains(value, "keep-alive"))
      p->keep_alive = true;
  } else if (equals_ignore_case(name, "host")) {
    if (p->has_host)
      return fail(p, HTTP_BAD_REQUEST);
    p->has_host = true;
  }
  return true;
}

static bool headers_done(http_parser *p) {
  /* Both framings at once is the classic way to smuggle a request. */
  if ((p->chunked && p->has_length) || (p->minor == 1 && !p->has_host))
    return fail(p, HTTP_BAD_REQUEST);
  p->cb->on_headers_done(p->user, p->keep_alive);
  if (p->chunked)
    p->state = S_CHUNK_SIZE;
  else if (p->remaining > 0)
    p->state = S_BODY;
  else
    finish_message(p);
  return true;
}

static bool header_line(http_parser *p) {
  if (p->line_len == 0) {
    if (p->state == S_HEADER_LINE)
      return headers_done(p);
    finish_message(p);
    return true;
  }
  if (++p->header_count > MAX_HEADERS)
    return fail(p, HTTP_HEADERS_TOO_LARGE);
  char *colon = strchr(p->line, ':');
  if (!colon)
    return fail(p, HTTP_BAD_REQUEST);
  *colon = '\0';
  char *value = colon + 1 + strspn(colon + 1, " \t");
  char *end = p->line + p->line_len;
  while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
    *--end = '\0';
  if (!all_token(p->line)) /* catches "Name :" and folded lines too */
    return fail(p, HTTP_BAD_REQUEST);
  if (p->state == S_HEADER_LINE && !known_header(p, p->line, value))
    return false;
  p->cb->on_header(p->user, p->line, value);
  return true;
}

static bool chunk_size(http_parser *p) {
  uint64_t n = 0;
  const char *s = p->line;
  for (; isxdigit((unsigned char)*s); s++) {
    int c = tolower((unsigned char)*s);
    if (n >> 56)
      return fail(p, HTTP_BAD_REQUEST);
    n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  if (s == p->line || (*s && *s != ';' && *s != ' '))
    return fail(p, HTTP_BAD_REQUEST);
  p->remaining = n;
  p->state = n ? S_CHUNK_DATA : S_TRAILER_LINE;
  return true;
}

static bool chunk_end(http_parser *p) {
  if (p->line_len)
    return fail(p, HTTP_BAD_REQUEST);
  p->state = S_CHUNK_SIZE;
  return true;
}

static bool (*const line_handlers[])(http_parser *) = {
    [S_REQUEST_LINE] = request_line, [S_HEADER_LINE] = header_line, [S_CHUNK_SIZE] = chunk_size,
    [S_CHUNK_END] = chunk_end,       [S_TRAILER_LINE] = header_line,
};

/* Collects one line; the handler sees it without its CR LF. */
static size_t feed_line(http_parser *p, const char *data, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)data[i];
    if (c == '\n') {
      if (p->line_len && p->line[p->line_len - 1] == '\r')
        p->line_len--;
      p->line[p->line_len] = '\0';
      line_handlers[p->state](p);
      p->line_len = 0;
      return i + 1;
    }
    if ((c < 32 && c != '\t' && c != '\r') || c == 127) {
      fail(p, HTTP_BAD_REQUEST);
      return i;
    }
    if (p->line_len == MAX_LINE - 1) {
      fail(p, p->state == S_REQUEST_LINE ? HTTP_URI_TOO_LONG : HTTP_HEADERS_TOO_LARGE);
      return i;
    }
    p->line[p->line_len++] = (char)c;
  }
  return n;
}

static size_t feed_body(http_parser *p, const char *data, size_t n) {
  size_t take = p->remaining < n ? (size_t)p->remaining : n;
  p->cb->on_body(p->user, data, take);
  p->remaining -= take;
  if (p->remaining == 0) {
    if (p->state == S_CHUNK_DATA)
      p->state = S_CHUNK_END;
    else
      finish_message(p);
  }
  return take;
}

/* Returns the bytes consumed; fewer than n only after an error. */
size_t http_feed(http_parser *p, const char *data, size_t n) {
  size_t used = 0;
  while (used < n && p->state != S_FAILED) {
    if (p->state == S_BODY || p->state == S_CHUNK_DATA)
      used += feed_body(p, data + used, n - used);
    else
      used += feed_line(p, data + used, n - used);
  }
  return used;
}

/* ---- exercise: events are hashed, and printed on the first pass ---- */

typedef struct {
  uint32_t hash;
  bool verbose;
  int headers, requests;
  size_t body_bytes;
  uint32_t body_hash;
} recorder;

static void mix(uint32_t *h, const char *s, size_t n) {
  while (n--)
    *h = (*h ^ (unsigned char)*s++) * 16777619u;
}

static void rec_request(void *user, const char *method, const char *target, int minor) {
  recorder *r = user;
  mix(&r->hash, method, strlen(method) + 1);
  mix(&r->hash, target, strlen(target) + 1);
  r->headers = 0;
  r->body_bytes = 0;
  r->body_hash = 2166136261u;
  if (r->verbose)
    printf("  %s %s 1.%d", method, target, minor);
}

static void rec_header(void *user, const char *name, const char *value) {
  recorder *r = user;
  mix(&r->hash, name, strlen(name) + 1);
  mix(&r->hash, value, strlen(value) + 1);
  r->headers++;
}

static void rec_headers_done(void *user, bool keep_alive) {
  recorder *r = user;
  r->hash = r->hash * 31 + keep_alive;
  if (r->verbose)
    printf(" %s", keep_alive ? "keep" : "close");
}

static void rec_body(void *user, const char *data, size_t n) {
  recorder *r = user;
  r->body_bytes += n;
  mix(&r->body_hash, data, n);
}

static void rec_complete(void *user) {
  recorder *r = user;
  r->hash = (r->hash ^ r->body_hash) * 16777619u;
  r->requests++;
  if (r->verbose)
    printf(" headers=%d body=%zu/%08x\n", r->headers, r->body_bytes, (unsigned)r->body_hash);
}

static const http_callbacks recording = {rec_request, rec_header, rec_headers_done, rec_body,
                                         rec_complete};

static const struct {
  const char *name, *text;
  enum http_error expect;
  int requests;
} samples[] = {
    {"simple", "GET /index.html?q=1 HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n", HTTP_OK, 1},
    {"pipelined",
     "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nPOST /b HTTP/1.1\r\nhost:h\r\nContent-Length: 11\r\n\r\n"
     "hello\r\nbody" "HEAD /c HTTP/1.0\nConnection: x, Keep-Alive \n\n", HTTP_OK, 3},
    {"chunked",
     "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
     "4\r\nWiki\r\n1A;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 30\r\n\r\n", HTTP_OK, 1},
    {"options", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", HTTP_OK, 1},
    {"no host", "GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, 0},
    {"smuggling", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_BAD_REQUEST, 0},
    {"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
     HTTP_BAD_REQUEST, 0},
    {"version", "GET / HTTP/2.0\r\n\r\n", HTTP_VERSION_UNSUPPORTED, 0},
    {"gzip", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", HTTP_NOT_IMPLEMENTED, 0},
    {"space in name", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", HTTP_BAD_REQUEST, 0},
    {"control byte", "GET /\001 HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, 0},
    {"bad chunk", "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
     HTTP_BAD_REQUEST, 0},
};

static int run_sample(size_t i) {
  static const size_t portions[] = {4096, 1, 2, 3, 7, 16};
  uint32_t first_hash = 0;
  int bad = 0;
  for (size_t k = 0; k < sizeof portions / sizeof portions[0]; k++) {
    http_parser p;
    recorder r = {.hash = 2166136261u, .verbose = k == 0};
    size_t len = strlen(samples[i].text), at = 0;
    http_init(&p, &recording, &r);
    if (k == 0)
      printf("%s\n", samples[i].name);
    while (at < len && p.error == HTTP_OK) {
      size_t n = len - at < portions[k] ? len - at : portions[k];
      at += http_feed(&p, samples[i].text + at, n);
    }
    if (k == 0) {
      first_hash = r.hash;
      printf("%s  -> %d, %d request(s), events %08x\n", p.error && r.body_hash ? "\n" : "", p.error,
             r.requests, (unsigned)r.hash);
    }
    bad += p.error != samples[i].expect || r.requests != samples[i].requests || r.hash != first_hash;
  }
  return bad;
}

static int run_limits(void) {
  char text[2 * MAX_LINE + 64] = "GET /";
  recorder r = {0};
  http_parser p;
  int bad = 0;

  memset(text + 5, 'x', 2 * MAX_LINE);
  http_init(&p, &recording, &r);
  http_feed(&p, text, 5 + 2 * MAX_LINE);
  bad += p.error != HTTP_URI_TOO_LONG;

  static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\n", extra[] = "A: b\r\n";
  http_init(&p, &recording, &r);
  http_feed(&p, head, sizeof head - 1);
  int accepted = 0;
  while (p.error == HTTP_OK && accepted < 100) {
    http_feed(&p, extra, sizeof extra - 1);
    accepted += p.error == HTTP_OK;
  }
  bad += p.error != HTTP_HEADERS_TOO_LARGE;
  printf("limits: %d extra headers accepted, then %d\n", accepted, p.error);
  return bad;
}

int main(void) {
  int bad = 0;
  for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
    bad += run_sample(i);
  bad += run_limits();
  printf("%s\n", bad ? "MISMATCH" : "all portions agree");
  return bad ? 1 : 0;
}
