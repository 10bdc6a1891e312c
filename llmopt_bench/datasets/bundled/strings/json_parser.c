/*
 * JSON reader and writer: hand-written tokeniser, recursive-descent parser into a tree held in
 * an arena, error messages with line and column, lookup by path, structural comparison, and
 * compact or indented output. Accepted documents must survive a round trip through both outputs.
 */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arena ---- */

struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
};

struct arena {
    struct chunk *top;
    size_t total;
};

static void *arena_alloc(struct arena *a, size_t n)
{
    struct chunk *c = a->top;
    n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!c || c->size - c->used < n) {
        size_t size = n > 2048 ? n : 2048;
        c = malloc(sizeof *c + size);
        if (!c)
            return NULL;
        c->next = a->top;
        c->used = 0;
        c->size = size;
        a->top = c;
    }
    void *p = (char *)c->data + c->used;
    c->used += n;
    a->total += n;
    return p;
}

static void arena_release(struct arena *a)
{
    while (a->top) {
        struct chunk *next = a->top->next;
        free(a->top);
        a->top = next;
    }
    a->total = 0;
}

/* ---- tree ---- */

enum json_type { J_NULL, J_BOOL, J_INT, J_REAL, J_STRING, J_ARRAY, J_OBJECT };

struct json {
    enum json_type type;
    struct json *next; /* following sibling */
    const char *key;   /* name inside an object, else NULL */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct { const char *bytes; size_t len; } str;
        struct { struct json *first; size_t count; } list;
    } u;
};

/* ---- tokeniser ---- */

enum token { T_END, T_PUNCT, T_STRING, T_NUMBER, T_WORD, T_BAD };

struct parser {
    const char *start, *at;
    enum token token;
    const char *text; /* current token; decoded and NUL-terminated when a string */
    size_t len;
    struct arena *arena;
    unsigned depth;
    char error[80];
};

enum { MAX_DEPTH = 64 };

static bool fail(struct parser *p, const char *where, const char *fmt, ...)
{
    int line = 1, col = 1;
    va_list ap;
    if (p->error[0])
        return false;
    for (const char *s = p->start; s < where; s++) {
        col = *s == '\n' ? 1 : col + 1;
        line += *s == '\n';
    }
    int n = snprintf(p->error, sizeof p->error, "%d:%d: ", line, col);
    va_start(ap, fmt);
    vsnprintf(p->error + n, sizeof p->error - (size_t)n, fmt, ap);
    va_end(ap);
    p->token = T_BAD;
    return false;
}

static int hex4(const char *s)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
              : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static char *put_utf8(char *w, uint32_t c)
{
    if (c < 0x80) {
        *w++ = (char)c;
    } else if (c < 0x800) {
        *w++ = (char)(0xC0 | c >> 6);
        *w++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *w++ = (char)(0xE0 | c >> 12);
        *w++ = (char)(0x80 | (c >> 6 & 63));
        *w++ = (char)(0x80 | (c & 63));
    } else {
        *w++ = (char)(0xF0 | c >> 18);
        *w++ = (char)(0x80 | (c >> 12 & 63));
        *w++ = (char)(0x80 | (c >> 6 & 63));
        *w++ = (char)(0x80 | (c & 63));
    }
    return w;
}

/* Decodes the escape whose backslash is at *ps. Returns false when it is malformed. */
static bool unescape(const char **ps, char **pw)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *s = *ps + 1, *hit;
    int unit, low;
    if (*s != 'u') {
        if (!*s || (hit = strchr(from, *s)) == NULL)
            return false;
        *(*pw)++ = to[hit - from];
        *ps = s + 1;
        return true;
    }
    if ((unit = hex4(s + 1)) < 0)
        return false;
    s += 5;
    uint32_t c = (uint32_t)unit;
    if (unit >= 0xD800 && unit < 0xDC00) {
        if (s[0] != '\\' || s[1] != 'u' || (low = hex4(s + 2)) < 0xDC00 || low > 0xDFFF)
            return false;
        c = 0x10000 + ((c - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
        s += 6;
    } else if (unit == 0 || (unit >= 0xDC00 && unit < 0xE000)) {
        return false; /* strings are NUL-terminated, so U+0000 is refused too */
    }
    *pw = put_utf8(*pw, c);
    *ps = s;
    return true;
}

static bool scan_string(struct parser *p)
{
    const char *s = p->at + 1, *end = s;
    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return fail(p, p->at, "unterminated string");
    char *buf = arena_alloc(p->arena, (size_t)(end - s) + 1), *w = buf;
    if (!buf)
        return fail(p, s, "out of memory");
    while (s < end) {
        if ((unsigned char)*s < 0x20)
            return fail(p, s, "raw control character in string");
        if (*s != '\\')
            *w++ = *s++;
        else if (!unescape(&s, &w))
            return fail(p, s, "bad escape");
    }
    *w = '\0';
    p->text = buf;
    p->len = (size_t)(w - buf);
    p->at = end + 1;
    p->token = T_STRING;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool scan_number(struct parser *p)
{
    const char *s = p->at;
    s += *s == '-';
    if (!is_digit(*s) || (*s == '0' && is_digit(s[1])))
        return fail(p, p->at, "bad number");
    while (is_digit(*s))
        s++;
    if (*s == '.') {
        if (!is_digit(*++s))
            return fail(p, s, "digit expected after '.'");
        while (is_digit(*s))
            s++;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        if (!is_digit(*s))
            return fail(p, s, "digit expected in exponent");
        while (is_digit(*s))
            s++;
    }
    p->text = p->at;
    p->len = (size_t)(s - p->at);
    p->at = s;
    p->token = T_NUMBER;
    return true;
}

static bool advance(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
    p->text = p->at;
    p->len = 1;
    switch (*p->at) {
    case '\0':
        p->token = T_END;
        return true;
    case '{': case '}': case '[': case ']': case ',': case ':':
        p->at++;
        p->token = T_PUNCT;
        return true;
    case '"':
        return scan_string(p);
    default:
        if (*p->at == '-' || is_digit(*p->at))
            return scan_number(p);
        while (is_letter(*p->at))
            p->at++;
        p->len = (size_t)(p->at - p->text);
        p->token = T_WORD;
        return p->len > 0 || fail(p, p->at, "unexpected character '%c'", *p->at);
    }
}

static bool is_punct(const struct parser *p, char c)
{
    return p->token == T_PUNCT && *p->text == c;
}

/* ---- parser ---- */

static bool parse_value(struct parser *p, struct json **out);

static void read_number(struct json *v, const char *text, size_t len)
{
    bool negative = *text == '-', integral = true;
    int64_t n = 0;
    for (size_t i = negative; i < len && integral; i++)
        integral = is_digit(text[i]) && !__builtin_mul_overflow(n, 10, &n) &&
                   !__builtin_sub_overflow(n, text[i] - '0', &n);
    if (integral && (negative || n != INT64_MIN)) {
        v->type = J_INT;
        v->u.integer = negative ? n : -n;
    } else {
        v->type = J_REAL;
        v->u.real = strtod(text, NULL);
    }
}

static bool parse_member(struct parser *p, struct json ***tail, bool named)
{
    const char *key = NULL;
    if (named) {
        if (p->token != T_STRING)
            return fail(p, p->text, "member name expected");
        key = p->text;
        if (!advance(p))
            return false;
        if (!is_punct(p, ':'))
            return fail(p, p->text, "':' expected");
        if (!advance(p))
            return false;
    }
    if (!parse_value(p, *tail))
        return false;
    (**tail)->key = key;
    *tail = &(**tail)->next;
    return true;
}

static bool parse_list(struct parser *p, struct json *v)
{
    bool named = v->type == J_OBJECT;
    char close = named ? '}' : ']';
    struct json **tail = &v->u.list.first;
    if (p->depth == MAX_DEPTH)
        return fail(p, p->text, "nested too deeply");
    p->depth++;
    if (!advance(p))
        return false;
    while (!is_punct(p, close)) {
        if (v->u.list.count > 0) {
            if (!is_punct(p, ','))
                return fail(p, p->text, "',' or '%c' expected", close);
            if (!advance(p))
                return false;
        }
        if (!parse_member(p, &tail, named))
            return false;
        v->u.list.count++;
    }
    p->depth--;
    return advance(p);
}

static bool parse_word(struct parser *p, struct json *v)
{
    static const struct { const char *word; enum json_type type; bool value; } words[] = {
        {"true", J_BOOL, true}, {"false", J_BOOL, false}, {"null", J_NULL, false},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (p->len == strlen(words[i].word) && memcmp(p->text, words[i].word, p->len) == 0) {
            v->type = words[i].type;
            v->u.boolean = words[i].value;
            return advance(p);
        }
    }
    return fail(p, p->text, "unknown word '%.*s'", (int)p->len, p->text);
}

static bool parse_value(struct parser *p, struct json **out)
{
    struct json *v = arena_alloc(p->arena, sizeof *v);
    if (!v)
        return fail(p, p->at, "out of memory");
    memset(v, 0, sizeof *v);
    *out = v;
    switch (p->token) {
    case T_STRING:
        v->type = J_STRING;
        v->u.str.bytes = p->text;
        v->u.str.len = p->len;
        return advance(p);
    case T_NUMBER:
        read_number(v, p->text, p->len);
        return advance(p);
    case T_WORD:
        return parse_word(p, v);
    default:
        if (!is_punct(p, '{') && !is_punct(p, '['))
            return fail(p, p->text, "value expected");
        v->type = *p->text == '{' ? J_OBJECT : J_ARRAY;
        return parse_list(p, v);
    }
}

/* Returns the root, owned by the arena, or NULL with a message in error (at least 80 bytes). */
struct json *json_parse(struct arena *arena, const char *text, char *error)
{
    struct parser p = {.start = text, .at = text, .arena = arena};
    struct json *root = NULL;
    if (advance(&p) && parse_value(&p, &root) && p.token != T_END)
        fail(&p, p.text, "text after the value");
    memcpy(error, p.error, sizeof p.error);
    return p.error[0] ? NULL : root;
}

/* ---- queries ---- */

/* Follows a path such as "items[2].name"; NULL when a step does not exist. */
const struct json *json_at(const struct json *v, const char *path)
{
    while (v && *path) {
        const struct json *c = v->type >= J_ARRAY ? v->u.list.first : NULL;
        if (*path == '[') {
            char *end;
            unsigned long i = strtoul(path + 1, &end, 10);
            for (; c && i > 0; i--)
                c = c->next;
            path = end + 1;
        } else {
            path += *path == '.';
            size_t len = strcspn(path, ".[");
            while (c && (!c->key || strlen(c->key) != len || memcmp(c->key, path, len) != 0))
                c = c->next;
            path += len;
        }
        v = c;
    }
    return v;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a->type != b->type || !a->key != !b->key || (a->key && strcmp(a->key, b->key) != 0))
        return false;
    switch (a->type) {
    case J_NULL: return true;
    case J_BOOL: return a->u.boolean == b->u.boolean;
    case J_INT: return a->u.integer == b->u.integer;
    case J_REAL: return fabs(a->u.real - b->u.real) <= 1e-5 * fabs(a->u.real);
    case J_STRING:
        return a->u.str.len == b->u.str.len && memcmp(a->u.str.bytes, b->u.str.bytes, a->u.str.len) == 0;
    case J_ARRAY:
    case J_OBJECT:
        break;
    }
    if (a->u.list.count != b->u.list.count)
        return false;
    for (a = a->u.list.first, b = b->u.list.first; a; a = a->next, b = b->next)
        if (!json_equal(a, b))
            return false;
    return true;
}

/* ---- writer ---- */

struct text {
    char *data;
    size_t len, size;
    bool broken;
};

static void append(struct text *t, const char *s, size_t n)
{
    if (t->len + n + 1 > t->size && !t->broken) {
        size_t size = 2 * (t->len + n + 1);
        char *grown = realloc(t->data, size);
        t->broken = grown == NULL;
        if (grown) {
            t->data = grown;
            t->size = size;
        }
    }
    if (t->broken)
        return;
    memcpy(t->data + t->len, s, n);
    t->len += n;
    t->data[t->len] = '\0';
}

static void write_string(struct text *t, const char *s)
{
    append(t, "\"", 1);
    for (; *s; s++) {
        char esc[8];
        if (*s == '"' || *s == '\\')
            append(t, esc, (size_t)snprintf(esc, sizeof esc, "\\%c", *s));
        else if ((unsigned char)*s < 0x20)
            append(t, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", (unsigned)*s));
        else
            append(t, s, 1);
    }
    append(t, "\"", 1);
}

static void new_line(struct text *t, int indent, int depth)
{
    if (indent == 0)
        return;
    append(t, "\n", 1);
    for (int i = 0; i < indent * depth; i++)
        append(t, " ", 1);
}

void json_write(struct text *t, const struct json *v, int indent, int depth)
{
    char num[32];
    if (v->key) {
        write_string(t, v->key);
        append(t, ": ", indent ? 2 : 1);
    }
    switch (v->type) {
    case J_NULL: append(t, "null", 4); return;
    case J_BOOL: append(t, v->u.boolean ? "true" : "false", v->u.boolean ? 4 : 5); return;
    case J_INT: append(t, num, (size_t)snprintf(num, sizeof num, "%lld", (long long)v->u.integer)); return;
    case J_REAL: append(t, num, (size_t)snprintf(num, sizeof num, "%.5e", v->u.real)); return;
    case J_STRING: write_string(t, v->u.str.bytes); return;
    case J_ARRAY:
    case J_OBJECT: break;
    }
    append(t, v->type == J_ARRAY ? "[" : "{", 1);
    for (const struct json *c = v->u.list.first; c; c = c->next) {
        new_line(t, indent, depth + 1);
        json_write(t, c, indent, depth + 1);
        if (c->next)
            append(t, ",", 1);
    }
    if (v->u.list.count)
        new_line(t, indent, depth);
    append(t, v->type == J_ARRAY ? "]" : "}", 1);
}

/* ---- self-exercise ---- */

static bool survives(struct arena *a, const struct json *v, int indent, bool show)
{
    struct text t = {0};
    char error[80];
    json_write(&t, v, indent, 0);
    const struct json *again = t.broken ? NULL : json_parse(a, t.data, error);
    bool same = again && json_equal(v, again);
    if (show && !t.broken)
        puts(t.data);
    free(t.data);
    return same;
}

static int check_good(const char *doc, const char *path, enum json_type want)
{
    struct arena a = {0};
    char error[80];
    int bad = 1;
    struct json *v = json_parse(&a, doc, error);
    if (v) {
        const struct json *hit = json_at(v, path);
        bad = !hit || hit->type != want || !survives(&a, v, 0, true) || !survives(&a, v, 2, false);
    }
    arena_release(&a);
    return bad;
}

static int check_bad(const char *doc, const char *want)
{
    struct arena a = {0};
    char error[80];
    bool refused = json_parse(&a, doc, error) == NULL;
    printf("%s\n", refused ? error : "ACCEPTED");
    arena_release(&a);
    return !refused || strcmp(error, want) != 0;
}

static int check_deep(void)
{
    char doc[2 * MAX_DEPTH + 3];
    struct arena a = {0};
    char error[80];
    int bad = 0;
    for (int depth = MAX_DEPTH; depth <= MAX_DEPTH + 1; depth++) {
        memset(doc, '[', (size_t)depth);
        memset(doc + depth, ']', (size_t)depth);
        doc[2 * depth] = '\0';
        bad += (json_parse(&a, doc, error) != NULL) != (depth == MAX_DEPTH);
    }
    arena_release(&a);
    return bad;
}

int main(void)
{
    int bad = check_deep();
    bad += check_good("{\"id\": 7, \"tags\": [\"a\", \"b\\n\", \"\\u00e9\\ud83d\\ude00\"], \"ok\": true,"
                      " \"pos\": {\"x\": -1.5, \"y\": 2E3}}", "pos.y", J_REAL);
    bad += check_good("[[], {}, [{\"k\": [1, 2, [null]]}]]", "[2][0].k[2][0]", J_NULL);
    bad += check_good(" [9223372036854775807, -9223372036854775808, 9223372036854775808, 0, -0]", "[1]",
                      J_INT);
    bad += check_good("\"lone \\\"string\\\" \\/ \\\\ \\t\"", "", J_STRING);
    bad += check_bad("{\"a\": 1,\n \"b\": }", "2:7: value expected");
    bad += check_bad("[1, 2", "1:6: ',' or ']' expected");
    bad += check_bad("[1 2]", "1:4: ',' or ']' expected");
    bad += check_bad("[01]", "1:2: bad number");
    bad += check_bad("[1.]", "1:4: digit expected after '.'");
    bad += check_bad("{\"a\" 1}", "1:6: ':' expected");
    bad += check_bad("{a: 1}", "1:2: member name expected");
    bad += check_bad("[tru]", "1:2: unknown word 'tru'");
    bad += check_bad("\"\\ud800x\"", "1:2: bad escape");
    bad += check_bad("\"open", "1:1: unterminated string");
    bad += check_bad("[]\n[]", "2:1: text after the value");
    bad += check_bad("[1, ?]", "1:5: unexpected character '?'");
    printf("%d problems\n", bad);
    return bad != 0;
}
