/* Reads CSV with quoting, doubled quotes, CRLF and line breaks inside quotes into one flat cell
 * array, infers a type per column, prints an aligned table with column summaries, and writes
 * minimal CSV back, which must parse to the same cells again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { EMPTY, INTEGER, REAL, TEXT };

struct table {
    char *store;    /* all cell texts, NUL-terminated, one after the other */
    char **cell;
    int rows, cols; /* rows counts the heading */
};

struct column { enum type type; int width, filled; double min, max, sum; };

/* Moves one field from *in to *out, unquoted. Returns the delimiter met, or -1 if malformed. */
static int next_field(const char **in, char **out)
{
    const char *p = *in;
    char *w = *out;
    if (*p == '"') {
        for (p++; *p != '"' || p[1] == '"'; *w++ = *p++) {
            if (!*p)
                return -1;
            if (*p == '"')
                p++;
        }
        if (*++p && !strchr(",\r\n", *p))
            return -1;
    } else {
        while (*p && !strchr(",\r\n", *p)) {
            if (*p == '"')
                return -1;
            *w++ = *p++;
        }
    }
    if (p[0] == '\r' && p[1] == '\n')
        p++;
    *w++ = '\0';
    *out = w;
    *in = *p ? p + 1 : p;
    return *p;
}

/* Returns 0, or the number of the bad record (from 1), or -1 without memory. */
int csv_parse(struct table *t, const char *text)
{
    size_t len = strlen(text), cells = 0;
    int at = 0;
    memset(t, 0, sizeof *t);
    t->store = malloc(len + 2);
    t->cell = malloc((len + 1) * sizeof *t->cell); /* every cell but the last costs a delimiter */
    if (!t->store || !t->cell)
        return -1;
    for (char *w = t->store; *text;) {
        t->cell[cells++] = w;
        int delim = next_field(&text, &w);
        at++;
        if (delim == ',' && *text)
            continue;
        if (delim == ',') { /* The text ends behind a comma: one more empty cell. */
            *w = '\0';
            t->cell[cells++] = w;
            at++;
        }
        t->rows++;
        if (delim < 0 || (t->rows > 1 && at != t->cols))
            return t->rows;
        t->cols = at;
        at = 0;
    }
    return 0;
}

void csv_free(struct table *t) { free(t->store); free(t->cell); }

static enum type classify(const char *s, double *value)
{
    char *end;
    if (!*s)
        return EMPTY;
    *value = strtod(s, &end);
    if (*end || s[strspn(s, "+-.0123456789eE")])
        return TEXT;
    return s[strspn(s, "+-0123456789")] ? REAL : INTEGER;
}

static struct column describe(const struct table *t, int c)
{
    struct column col = {.type = EMPTY, .width = (int)strlen(t->cell[c])};
    for (int r = 1; r < t->rows; r++) {
        const char *s = t->cell[r * t->cols + c];
        double v = 0;
        enum type seen = classify(s, &v);
        if ((int)strlen(s) > col.width)
            col.width = (int)strlen(s);
        col.type = seen > col.type ? seen : col.type;
        if (seen == EMPTY)
            continue;
        col.min = col.filled == 0 || v < col.min ? v : col.min;
        col.max = col.filled == 0 || v > col.max ? v : col.max;
        col.sum += v;
        col.filled++;
    }
    return col;
}

static void print_cell(const char *s, int width)
{
    for (int pad = width - (int)strlen(s); pad > 0; pad--) /* left padding: numbers */
        putchar(' ');
    for (const char *p = s; *p; p++)
        putchar(*p == '\n' ? '/' : *p);
    for (int pad = -width - (int)strlen(s); pad > 0; pad--)
        putchar(' ');
}

int csv_print(const struct table *t)
{
    static const char *const names[] = {"empty", "integer", "real", "text"};
    struct column *col = malloc((size_t)t->cols * sizeof *col);
    if (!col)
        return -1;
    for (int c = 0; c < t->cols; c++)
        col[c] = describe(t, c);
    for (int r = 0; r < t->rows; r++)
        for (int c = 0; c < t->cols; c++) {
            int width = col[c].type == TEXT ? -col[c].width : col[c].width;
            print_cell(t->cell[r * t->cols + c], width);
            fputs(c + 1 < t->cols ? " | " : "\n", stdout);
        }
    for (int c = 0; c < t->cols; c++) {
        printf("  %s: %s, %d filled", t->cell[c], names[col[c].type], col[c].filled);
        if (col[c].filled && (col[c].type == INTEGER || col[c].type == REAL))
            printf(", %g to %g, mean %.5g", col[c].min, col[c].max, col[c].sum / col[c].filled);
        putchar('\n');
    }
    free(col);
    return 0;
}

/* Writes quotes only where needed; returns the length. */
size_t csv_write(const struct table *t, char *out)
{
    char *w = out;
    for (int i = 0; i < t->rows * t->cols; i++) {
        const char *s = t->cell[i];
        int quote = strpbrk(s, ",\"\r\n") != NULL || (t->cols == 1 && !*s);
        if (quote)
            *w++ = '"';
        for (; *s; *w++ = *s++)
            if (*s == '"')
                *w++ = '"';
        if (quote)
            *w++ = '"';
        *w++ = (i + 1) % t->cols ? ',' : '\n';
    }
    *w = '\0';
    return (size_t)(w - out);
}

static int exercise(const char *text, int want)
{
    struct table t, again = {0};
    char *copy = malloc(2 * strlen(text) + 8);
    int bad = csv_parse(&t, text) != want || !copy;
    if (want) {
        printf("record %d refused\n", want);
    } else if (!bad) {
        size_t len = csv_write(&t, copy);
        bad = csv_print(&t) || csv_parse(&again, copy) || again.rows != t.rows || again.cols != t.cols;
        for (int i = 0; !bad && i < t.rows * t.cols; i++)
            bad = strcmp(t.cell[i], again.cell[i]) != 0;
        printf("  %d x %d cells, %zu bytes of CSV\n", t.rows, t.cols, len);
    }
    csv_free(&t);
    csv_free(&again);
    free(copy);
    return bad;
}

int main(void)
{
    int bad = exercise("part,qty,price,note\nbolt,120,0.25,\n\"nut, hex\",80,.5,\"say \"\"M4\"\"\"\r\n"
                       "washer,,1e-2,\"two\nlines\"\nplate,-3,12.75,\"\"\n", 0);
    bad += exercise("id,seen\r\n1,2024-01-05\r\n22,\r\n333,", 0);
    bad += exercise("only\n\"\"\n5\n", 0);
    bad += exercise("a,b\n1,2,3\n", 2);
    bad += exercise("a,b\n1,2\n\"open,2\n", 3);
    bad += exercise("a,b\n1,\"open\"\"", 2);
    bad += exercise("a\nb\"c\n", 2);
    bad += exercise("a\n\"b\"c\n", 2);
    return bad != 0;
}
