/*
 * UTF-8 toolbox: strict decoder (no overlong forms, surrogates or values past U+10FFFF), encoder,
 * repair with U+FFFD, simple case folding by range table, column widths, and greedy word wrap
 * that counts columns instead of bytes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT 0xFFFDu
#define INVALID     0xFFFFFFFFu

typedef uint32_t rune;

struct span { rune lo, hi; };

enum fold_rule { ADD, EVEN_TO_ODD, ODD_TO_EVEN };

struct fold {
    struct span range;
    enum fold_rule rule;
    int32_t delta;
};

/* Upper case blocks of Latin, Greek, Cyrillic and the full-width forms; sorted by range. */
static const struct fold fold_table[] = {
    {{'A', 'Z'}, ADD, 32},          {{0xC0, 0xD6}, ADD, 32},
    {{0xD8, 0xDE}, ADD, 32},        {{0x100, 0x12F}, EVEN_TO_ODD, 0},
    {{0x132, 0x137}, EVEN_TO_ODD, 0}, {{0x139, 0x148}, ODD_TO_EVEN, 0},
    {{0x14A, 0x177}, EVEN_TO_ODD, 0}, {{0x178, 0x178}, ADD, -121},
    {{0x179, 0x17E}, ODD_TO_EVEN, 0}, {{0x391, 0x3A1}, ADD, 32},
    {{0x3A3, 0x3AB}, ADD, 32},      {{0x3C2, 0x3C2}, ADD, 1},
    {{0x400, 0x40F}, ADD, 80},      {{0x410, 0x42F}, ADD, 32},
    {{0x460, 0x481}, EVEN_TO_ODD, 0}, {{0xFF21, 0xFF3A}, ADD, 32},
};

static const struct span zero_width[] = {
    {0x300, 0x36F}, {0x483, 0x489}, {0x200B, 0x200F}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F},
};

static const struct span double_width[] = {
    {0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF},   {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF}, {0xFF01, 0xFF60}, {0x1F300, 0x1F64F}, {0x20000, 0x3FFFD},
};

/* Reads one rune from s[0..n), n > 0. *used gets the bytes consumed, at least 1 even on error. */
rune utf8_decode(const unsigned char *s, size_t n, size_t *used)
{
    static const rune least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3
                : s[0] < 0xF5 ? 4 : 0;
    *used = 1;
    if (need <= 1)
        return need ? s[0] : INVALID;
    rune r = s[0] & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if (i == n || (s[i] & 0xC0) != 0x80)
            return INVALID;
        r = r << 6 | (s[i] & 0x3F);
        if (i == 1) { /* The second byte alone decides all the forbidden forms. */
            rune lowest = r << 6 * (need - 2), highest = lowest | ((1u << 6 * (need - 2)) - 1);
            if (highest < least[need] || lowest > 0x10FFFF || (lowest >= 0xD800 && highest <= 0xDFFF))
                return INVALID;
        }
        *used = i + 1;
    }
    return r;
}

size_t utf8_encode(rune r, unsigned char out[4])
{
    if (r < 0x80) {
        out[0] = (unsigned char)r;
        return 1;
    }
    if (r > 0x10FFFF || (r >= 0xD800 && r <= 0xDFFF))
        r = REPLACEMENT;
    size_t len = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = len; --i > 0; r >>= 6)
        out[i] = (unsigned char)(0x80 | (r & 0x3F));
    out[0] = (unsigned char)(0xF00u >> len | r);
    return len;
}

size_t utf8_count_errors(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t left = strlen(text), used, errors = 0;
    for (; left > 0; s += used, left -= used)
        errors += utf8_decode(s, left, &used) == INVALID;
    return errors;
}

static bool in_spans(rune r, const struct span *v, size_t n)
{
    size_t lo = 0;
    while (lo < n) {
        size_t mid = (lo + n) / 2;
        if (r < v[mid].lo)
            n = mid;
        else if (r > v[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

#define IN(r, table) in_spans(r, table, sizeof(table) / sizeof((table)[0]))

unsigned rune_columns(rune r)
{
    if (r < 0x20 || IN(r, zero_width))
        return 0;
    return IN(r, double_width) ? 2 : 1;
}

rune rune_fold(rune r)
{
    for (size_t i = 0; i < sizeof fold_table / sizeof fold_table[0]; i++) {
        const struct fold *f = &fold_table[i];
        if (r < f->range.lo)
            break;
        if (r > f->range.hi)
            continue;
        switch (f->rule) {
        case ADD: return (rune)((int32_t)r + f->delta);
        case EVEN_TO_ODD: return r | 1;
        case ODD_TO_EVEN: return (r + 1) & ~1u;
        }
    }
    return r;
}

/* Rewrites text through `map`, replacing broken bytes. Returns the length, cut to whole runes. */
size_t utf8_map(const char *text, rune (*map)(rune), char *out, size_t room)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t left = strlen(text), used, n = 0;
    for (; left > 0; s += used, left -= used) {
        unsigned char enc[4];
        rune r = utf8_decode(s, left, &used);
        size_t len = utf8_encode(r == INVALID ? REPLACEMENT : map(r), enc);
        if (n + len >= room)
            break;
        memcpy(out + n, enc, len);
        n += len;
    }
    out[n] = '\0';
    return n;
}

static unsigned columns_of(const char *s, size_t n)
{
    unsigned cols = 0;
    for (size_t used; n > 0; s += used, n -= used) {
        rune r = utf8_decode((const unsigned char *)s, n, &used);
        cols += rune_columns(r == INVALID ? REPLACEMENT : r);
    }
    return cols;
}

/* Prints text wrapped at spaces to `width` columns, ruled at the right edge; returns the lines. */
unsigned utf8_wrap(const char *text, unsigned width)
{
    unsigned col = 0, lines = 0;
    while (*(text += strspn(text, " "))) {
        size_t len = strcspn(text, " ");
        unsigned cols = columns_of(text, len);
        if (col > 0 && col + 1 + cols > width) {
            printf("%*s|\n", (int)(width - col), "");
            lines++;
            col = 0;
        }
        printf("%s%.*s", col ? " " : "", (int)len, text);
        col += (col > 0) + cols;
        text += len;
    }
    if (col > 0) {
        printf("%*s|\n", (int)(width > col ? width - col : 0), "");
        lines++;
    }
    return lines;
}

static unsigned round_trip_all(void)
{
    unsigned bad = 0;
    for (rune r = 0; r <= 0x10FFFF; r += r < 0x3000 ? 1 : 61) {
        unsigned char enc[4];
        size_t used, len = utf8_encode(r, enc);
        bool surrogate = r >= 0xD800 && r <= 0xDFFF;
        rune back = utf8_decode(enc, len, &used);
        bad += used != len || back != (surrogate ? REPLACEMENT : r);
        if (len > 1)
            bad += utf8_decode(enc, len - 1, &used) != INVALID || used != len - 1;
    }
    return bad;
}

static rune identity(rune r) { return r; }

int main(void)
{
    static const struct { const char *bytes; size_t errors; } broken[] = {
        {"plain", 0}, {"\xC3\xA9t\xC3\xA9", 0}, {"\xC0\xAF", 2}, {"\xE0\x80\xAF", 3},
        {"\xED\xA0\x80", 3}, {"\xF4\x90\x80\x80", 4}, {"\xE2\x82", 1}, {"a\xFFz", 1},
        {"\xF0\x9F\x98x", 1},
    };
    static const char *const titles[] = {
        "STRASSE \xC3\x84RGER", "\xCE\xA3\xCE\x99\xCE\xA3\xCE\xA5\xCE\xA6\xCE\x9F\xCE\xA3",
        "\xD0\x81\xD0\x9B\xD0\x9A\xD0\x90 \xC5\xBD\xC4\x8C\xC4\x80\xC5\xB8", "\xEF\xBC\xA1\xEF\xBC\xBA",
    };
    char buf[64];
    unsigned bad = round_trip_all();
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        size_t errors = utf8_count_errors(broken[i].bytes);
        utf8_map(broken[i].bytes, identity, buf, sizeof buf);
        printf("%zu errors: %s\n", errors, buf);
        bad += errors != broken[i].errors;
    }
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        utf8_map(titles[i], rune_fold, buf, sizeof buf);
        printf("%s -> %s\n", titles[i], buf);
    }
    bad += utf8_map("\xE2\x82\xAC\xE2\x82\xAC", identity, buf, 6) != 3;
    unsigned lines = utf8_wrap("Na\xC3\xAFve caf\xC3\xA9 r\xC3\xA9sum\xC3\xA9s cost 5 \xE2\x82\xAC in "
                               "\xE6\x9D\xB1\xE4\xBA\xAC or \xEC\x84\x9C\xEC\x9A\xB8, cre\xCC\x80me "
                               "br\xC3\xBBl\xC3\xA9" "e \xF0\x9F\x98\x80 included", 18);
    printf("%u lines, %u problems\n", lines, bad);
    return bad != 0;
}
