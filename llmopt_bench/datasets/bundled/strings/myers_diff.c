/*
 * Line diff after Myers' O(ND) greedy algorithm, printed as unified hunks with context.
 * Lines are interned to small integers first, so the inner loop compares numbers only; the
 * furthest-reaching points of every round are kept for walking back. The edit script is verified
 * by applying it to the old text.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *text;
    int len;
    int id;
} Line;

typedef struct {
    Line *line;
    int count;
} File;

typedef struct {
    char *ops; /* ' ' keep, '-' delete, '+' insert */
    int count;
    int edits;
} Script;

static int file_split(File *f, const char *text)
{
    size_t lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    f->count = 0;
    f->line = malloc((lines + 1) * sizeof *f->line);
    if (!f->line)
        return -1;
    for (const char *eol; (eol = strchr(text, '\n')) != NULL; text = eol + 1)
        f->line[f->count++] = (Line){text, (int)(eol - text), 0};
    return 0;
}

static uint32_t hash_line(const Line *l)
{
    uint32_t h = 2166136261u;
    for (int i = 0; i < l->len; i++)
        h = (h ^ (unsigned char)l->text[i]) * 16777619u;
    return h;
}

static int same_text(const Line *a, const Line *b)
{
    return a->len == b->len && memcmp(a->text, b->text, (size_t)a->len) == 0;
}

/* Gives equal lines of both files equal ids by open addressing. Returns the number of ids. */
static int intern_lines(File *a, File *b)
{
    size_t size = 16;
    int ids = 0;
    while (size < 2 * (size_t)(a->count + b->count))
        size *= 2;
    Line **slot = calloc(size, sizeof *slot);
    if (!slot)
        return -1;
    for (int i = 0; i < a->count + b->count; i++) {
        Line *l = i < a->count ? &a->line[i] : &b->line[i - a->count];
        size_t h = hash_line(l) & (size - 1);
        while (slot[h] && !same_text(slot[h], l))
            h = (h + 1) & (size - 1);
        if (!slot[h]) {
            slot[h] = l;
            l->id = ids++;
        }
        l->id = slot[h]->id;
    }
    free(slot);
    return ids;
}

/* Furthest x on diagonal k of round d; -1 outside the round, so that it never wins. */
static int furthest(int *const *round, int d, int k)
{
    return d < 0 || k < -d || k > d ? -1 : round[d][k + d];
}

static int goes_down(int *const *round, int d, int k)
{
    return furthest(round, d - 1, k - 1) < furthest(round, d - 1, k + 1);
}

/* Runs one round; returns nonzero when the end of both files is reached. */
static int explore(const File *a, const File *b, int **round, int d)
{
    for (int k = -d; k <= d; k += 2) {
        int x = 0;
        if (d > 0)
            x = goes_down(round, d, k) ? furthest(round, d - 1, k + 1)
                                       : furthest(round, d - 1, k - 1) + 1;
        while (x < a->count && x - k < b->count && a->line[x].id == b->line[x - k].id)
            x++;
        round[d][k + d] = x;
        if (x >= a->count && x - k >= b->count)
            return 1;
    }
    return 0;
}

static void walk_back(Script *s, int *const *round, int x, int y)
{
    int n = s->count = (x + y + s->edits) / 2;
    for (int d = s->edits; d > 0; d--) {
        int k = x - y, down = goes_down(round, d, k);
        int from = furthest(round, d - 1, down ? k + 1 : k - 1) + !down;
        for (; x > from; x--, y--)
            s->ops[--n] = ' ';
        s->ops[--n] = down ? '+' : '-';
        x -= !down;
        y -= down;
    }
    while (n > 0)
        s->ops[--n] = ' ';
}

int diff_files(File *a, File *b, Script *s)
{
    int limit = a->count + b->count, d = 0, status = -1;
    int **round = calloc((size_t)limit + 1, sizeof *round);

    s->ops = malloc((size_t)limit + 1);
    if (!round || !s->ops || intern_lines(a, b) < 0)
        goto done;
    for (d = 0; d <= limit; d++) {
        /* Every second diagonal stays unused in a round, but addressing remains simple. */
        round[d] = malloc((2 * (size_t)d + 1) * sizeof **round);
        if (!round[d])
            goto done;
        if (explore(a, b, round, d)) {
            s->edits = d;
            walk_back(s, round, a->count, b->count);
            status = 0;
            goto done;
        }
    }
done:
    if (round)
        for (int i = 0; i <= d && i <= limit; i++)
            free(round[i]);
    free(round);
    return status;
}

static void print_range(char sign, int start, int count)
{
    printf(" %c%d", sign, count ? start + 1 : start);
    if (count != 1)
        printf(",%d", count);
}

static void print_hunk(const File *a, const File *b, const Script *s, int from, int to, int x, int y)
{
    int dels = 0, adds = 0;
    for (int i = from; i < to; i++) {
        dels += s->ops[i] != '+';
        adds += s->ops[i] != '-';
    }
    printf("@@");
    print_range('-', x, dels);
    print_range('+', y, adds);
    puts(" @@");
    for (int i = from; i < to; i++) {
        const Line *l = s->ops[i] == '+' ? &b->line[y] : &a->line[x];
        printf("%c%.*s\n", s->ops[i], l->len, l->text);
        x += s->ops[i] != '+';
        y += s->ops[i] != '-';
    }
}

void print_unified(const File *a, const File *b, const Script *s, int context)
{
    int x = 0, y = 0;
    for (int i = 0; i < s->count;) {
        int last = i, from = i;
        if (s->ops[i] == ' ') {
            i++, x++, y++;
            continue;
        }
        /* Changes at most two contexts apart share a hunk. */
        for (int j = i; j < s->count && j - last <= 2 * context + 1; j++)
            if (s->ops[j] != ' ')
                last = j;
        while (from > 0 && i - from < context && s->ops[from - 1] == ' ')
            from--;
        int to = last + 1;
        while (to < s->count && to - last <= context)
            to++;
        print_hunk(a, b, s, from, to, x - (i - from), y - (i - from));
        for (; i < to; i++) {
            x += s->ops[i] != '+';
            y += s->ops[i] != '-';
        }
    }
}

static int script_applies(const File *a, const File *b, const Script *s)
{
    int x = 0, y = 0, edits = 0;
    for (int i = 0; i < s->count; i++) {
        if (s->ops[i] == ' ' && !same_text(&a->line[x], &b->line[y]))
            return 0;
        x += s->ops[i] != '+';
        y += s->ops[i] != '-';
        edits += s->ops[i] != ' ';
    }
    return x == a->count && y == b->count && edits == s->edits;
}

static int compare(const char *title, const char *old, const char *new, int want, int show)
{
    File a = {0}, b = {0};
    Script s = {0};
    int bad = 1;
    if (file_split(&a, old) == 0 && file_split(&b, new) == 0 && diff_files(&a, &b, &s) == 0) {
        bad = !script_applies(&a, &b, &s) || (want >= 0 && s.edits != want);
        printf("%s: %d edits%s\n", title, s.edits, bad ? " WRONG" : "");
        if (show)
            print_unified(&a, &b, &s, 2);
    }
    free(a.line);
    free(b.line);
    free(s.ops);
    return bad;
}

static void mutate(const char *base, char *out, uint32_t seed)
{
    for (const char *eol; (eol = strchr(base, '\n')) != NULL; base = eol + 1) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 29 == 0)
            out += sprintf(out, "new %u\n", (unsigned)(seed >> 20) % 9);
        if (seed >> 29 != 1) {
            memcpy(out, base, (size_t)(eol - base) + 1);
            out += eol - base + 1;
        }
    }
    *out = '\0';
}

int main(void)
{
    static char base[2048], left[4096], right[4096];
    const char *recipe = "flour\nwater\nsalt\nyeast\n\nmix\nwait\nbake\ncool\n\nserve\n";
    const char *better = "flour\nmilk\nwater\nsalt\nyeast\n\nmix\nwait\nbake\ncool\n\nslice\nserve\nenjoy\n";
    int bad = 0;
    size_t at = 0;

    for (unsigned i = 0; i < 120; i++)
        at += (size_t)sprintf(base + at, "line %u\n", i * i % 37);
    mutate(base, left, 11);
    mutate(base, right, 12);
    bad += compare("recipe", recipe, better, 3, 1);
    bad += compare("abcabba", "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n", 5, 1);
    bad += compare("equal", recipe, recipe, 0, 1);
    bad += compare("from nothing", "", "one\ntwo\n", 2, 1);
    bad += compare("to nothing", "one\ntwo\n", "", 2, 1);
    bad += compare("base to left", base, left, -1, 0);
    bad += compare("left to right", left, right, -1, 0);
    bad += compare("right to left", right, left, -1, 0);
    return bad != 0;
}
