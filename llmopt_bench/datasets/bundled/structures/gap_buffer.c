// Gap buffer of a text editor with undo and redo. Every edit is recorded as position, removed text
// and inserted text; runs of typed characters merge into one record, as editors do.
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edit {
    size_t at, removed, inserted;
    char *text;     // removed bytes, followed by inserted bytes
};

struct buffer {
    char *data;
    size_t gap, gap_end, size;
    struct edit *log;
    size_t done, logged, log_room;
};

static void *must(void *p)
{
    if (!p) {
        fputs("gap_buffer: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

size_t buf_length(const struct buffer *b) { return b->size - (b->gap_end - b->gap); }

char buf_char(const struct buffer *b, size_t i)
{
    return b->data[i < b->gap ? i : i + (b->gap_end - b->gap)];
}

static void move_gap(struct buffer *b, size_t to)
{
    if (to < b->gap) {
        size_t n = b->gap - to;
        memmove(b->data + b->gap_end - n, b->data + to, n);
        b->gap_end -= n;
    } else if (to > b->gap) {
        size_t n = to - b->gap;
        memmove(b->data + b->gap, b->data + b->gap_end, n);
        b->gap_end += n;
    }
    b->gap = to;
}

static void widen_gap(struct buffer *b, size_t need)
{
    size_t tail = b->size - b->gap_end;
    if (b->gap_end - b->gap >= need)
        return;
    size_t size = b->size + need + b->size / 2 + 16;
    b->data = must(realloc(b->data, size));
    memmove(b->data + size - tail, b->data + b->gap_end, tail);
    b->gap_end = size - tail;
    b->size = size;
}

static void splice(struct buffer *b, size_t at, size_t remove, const char *text, size_t n)
{
    move_gap(b, at);
    b->gap_end += remove;
    widen_gap(b, n);
    memcpy(b->data + b->gap, text, n);
    b->gap += n;
}

static void drop_redo(struct buffer *b)
{
    while (b->logged > b->done)
        free(b->log[--b->logged].text);
}

// Typing directly behind the previous insertion extends that record, up to the end of a word.
static int extends_last(const struct buffer *b, size_t at, size_t remove, const char *text,
                        size_t n)
{
    const struct edit *last = b->done ? &b->log[b->done - 1] : NULL;
    return last && remove == 0 && n == 1 && last->removed == 0 && at == last->at + last->inserted &&
           !isspace((unsigned char)*text);
}

void buf_replace(struct buffer *b, size_t at, size_t remove, const char *text, size_t n)
{
    drop_redo(b);
    if (extends_last(b, at, remove, text, n)) {
        struct edit *last = &b->log[b->done - 1];
        last->text = must(realloc(last->text, last->inserted + 1));
        last->text[last->inserted++] = *text;
    } else {
        if (b->logged == b->log_room) {
            b->log_room = b->log_room * 2 + 8;
            b->log = must(realloc(b->log, b->log_room * sizeof *b->log));
        }
        struct edit e = {at, remove, n, must(malloc(remove + n + 1))};
        for (size_t i = 0; i < remove; i++)
            e.text[i] = buf_char(b, at + i);
        memcpy(e.text + remove, text, n);
        b->log[b->logged++] = e;
        b->done = b->logged;
    }
    splice(b, at, remove, text, n);
}

int buf_undo(struct buffer *b)
{
    if (b->done == 0)
        return 0;
    const struct edit *e = &b->log[--b->done];
    splice(b, e->at, e->inserted, e->text, e->removed);
    return 1;
}

int buf_redo(struct buffer *b)
{
    if (b->done == b->logged)
        return 0;
    const struct edit *e = &b->log[b->done++];
    splice(b, e->at, e->removed, e->text + e->removed, e->inserted);
    return 1;
}

// Position of the next occurrence at or after `from`, or the buffer length.
size_t buf_find(const struct buffer *b, size_t from, const char *needle)
{
    size_t n = strlen(needle), len = buf_length(b);
    for (size_t i = from; i + n <= len; i++) {
        size_t k = 0;
        while (k < n && buf_char(b, i + k) == needle[k])
            k++;
        if (k == n)
            return i;
    }
    return len;
}

int buf_replace_all(struct buffer *b, const char *from, const char *to)
{
    size_t at = 0, n = strlen(from), m = strlen(to);
    int hits = 0;
    while ((at = buf_find(b, at, from)) < buf_length(b)) {
        buf_replace(b, at, n, to, m);
        at += m;
        hits++;
    }
    return hits;
}

void buf_close(struct buffer *b)
{
    b->done = 0;
    drop_redo(b);
    free(b->log);
    free(b->data);
}

static void type_text(struct buffer *b, size_t at, const char *s)
{
    for (; *s; s++)
        buf_replace(b, at++, 0, s, 1);
}

static uint32_t digest(const struct buffer *b)
{
    uint32_t lo = 1, hi = 0;
    for (size_t i = 0; i < buf_length(b); i++) {
        lo = (lo + (unsigned char)buf_char(b, i)) % 65521u;
        hi = (hi + lo) % 65521u;
    }
    return hi << 16 | lo;
}

static void show(const struct buffer *b, const char *what)
{
    printf("%-10s [", what);
    for (size_t i = 0; i < buf_length(b); i++) {
        char c = buf_char(b, i);
        putchar(c == '\n' ? '|' : c);
    }
    printf("] edits %zu/%zu\n", b->done, b->logged);
}

int main(void)
{
    struct buffer b = {0};
    uint32_t before, after, seed = 7;
    int undone = 0, redone = 0;

    type_text(&b, 0, "the cat sat\non the mat\n");
    type_text(&b, 4, "grey ");
    show(&b, "typed");
    int hits = buf_replace_all(&b, "at", "ub");
    show(&b, "replaced");
    while (hits-- > 0)
        buf_undo(&b);
    show(&b, "undone");
    buf_redo(&b);
    buf_replace(&b, 0, 4, "a", 1);      // a new edit forgets the rest of the redo log
    show(&b, "branched");

    before = digest(&b);
    size_t mark = b.done;
    for (int i = 0; i < 500; i++) {
        seed = seed * 1103515245u + 12345u;
        size_t len = buf_length(&b), at = (seed >> 8) % (len + 1), cut = (seed >> 20) % 5;
        char word[4] = {(char)('a' + seed % 26), ' ', (char)('a' + i % 26), '.'};
        buf_replace(&b, at, cut > len - at ? len - at : cut, word, 1 + seed % 4);
    }
    after = digest(&b);
    for (; b.done > mark; undone++)
        buf_undo(&b);
    int restored = digest(&b) == before;
    while (buf_redo(&b))
        redone++;
    printf("length %zu digest %08x undo %d redo %d\n", buf_length(&b), (unsigned)after, undone,
           redone);
    int ok = restored && undone == redone && digest(&b) == after;
    while (buf_undo(&b))
        continue;
    ok = ok && buf_length(&b) == 0;
    buf_close(&b);
    return !ok;
}
