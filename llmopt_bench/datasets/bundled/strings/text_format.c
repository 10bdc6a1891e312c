/*
 * A formatted-output engine like vsnprintf, written around a sink callback: flags, width and
 * precision (also from arguments), length modifiers, integers in any base (%b for binary),
 * quoted strings (%q), and %f / %e that expand the double exactly, so rounding is correct for
 * every value. Results are compared with the C library's where it knows the conversion.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*fmt_sink)(void *arg, const char *text, size_t len);

struct output {
    fmt_sink put;
    void *arg;
    size_t total;
};

enum { LEFT = 1, PLUS = 2, SPACE = 4, ALT = 8, ZERO = 16 };

struct spec {
    unsigned flags;
    int width;
    int precision; /* negative: not given */
    enum { CHAR, SHORT, INT, LONG, LLONG, SIZE, MAX, PTRDIFF } length;
    char conv;
};

/* va_list may be an array type; inside a struct it can be passed on by pointer. */
struct args {
    va_list ap;
};

static void emit(struct output *o, const char *s, size_t n)
{
    o->put(o->arg, s, n);
    o->total += n;
}

static void repeat(struct output *o, char c, int n)
{
    char block[16];
    memset(block, c, sizeof block);
    for (; n > 0; n -= (int)sizeof block)
        emit(o, block, n < (int)sizeof block ? (size_t)n : sizeof block);
}

/* Lays out prefix (sign, 0x), zeros and body in the field; zero padding goes behind the prefix. */
static void field(struct output *o, const struct spec *sp, const char *prefix, int zeros,
                  const char *body, size_t len)
{
    size_t plen = strlen(prefix);
    int pad = sp->width - (int)(plen + len) - zeros;
    if (pad > 0 && (sp->flags & ZERO) && !(sp->flags & LEFT)) {
        zeros += pad;
        pad = 0;
    }
    if (!(sp->flags & LEFT))
        repeat(o, ' ', pad);
    emit(o, prefix, plen);
    repeat(o, '0', zeros);
    emit(o, body, len);
    if (sp->flags & LEFT)
        repeat(o, ' ', pad);
}

static const char *sign_prefix(const struct spec *sp, bool negative)
{
    return negative ? "-" : sp->flags & PLUS ? "+" : sp->flags & SPACE ? " " : "";
}

static void put_unsigned(struct output *o, struct spec *sp, uintmax_t v, const char *prefix,
                         unsigned base)
{
    const char *digits = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char buf[sizeof v * CHAR_BIT], *p = buf + sizeof buf;
    int zeros = 0, len;
    for (; v; v /= base)
        *--p = digits[v % base];
    len = (int)(buf + sizeof buf - p);
    if (sp->precision < 0)
        zeros = len == 0;
    else {
        sp->flags &= ~(unsigned)ZERO;
        zeros = sp->precision > len ? sp->precision - len : 0;
    }
    if (base == 8 && (sp->flags & ALT) && zeros == 0)
        zeros = 1;
    field(o, sp, prefix, zeros, p, (size_t)len);
}

static void conv_signed(struct output *o, struct spec *sp, struct args *a)
{
    intmax_t v;
    switch (sp->length) {
    case CHAR: v = (signed char)va_arg(a->ap, int); break;
    case SHORT: v = (short)va_arg(a->ap, int); break;
    case LONG: v = va_arg(a->ap, long); break;
    case LLONG: v = va_arg(a->ap, long long); break;
    case MAX: v = va_arg(a->ap, intmax_t); break;
    case SIZE:
    case PTRDIFF: v = va_arg(a->ap, ptrdiff_t); break;
    default: v = va_arg(a->ap, int); break;
    }
    put_unsigned(o, sp, v < 0 ? 0 - (uintmax_t)v : (uintmax_t)v, sign_prefix(sp, v < 0), 10);
}

static void conv_unsigned(struct output *o, struct spec *sp, struct args *a)
{
    uintmax_t v;
    const char *prefix = "";
    unsigned base = sp->conv == 'u' ? 10 : sp->conv == 'o' ? 8 : sp->conv == 'b' ? 2 : 16;
    switch (sp->length) {
    case CHAR: v = (unsigned char)va_arg(a->ap, unsigned); break;
    case SHORT: v = (unsigned short)va_arg(a->ap, unsigned); break;
    case LONG: v = va_arg(a->ap, unsigned long); break;
    case LLONG: v = va_arg(a->ap, unsigned long long); break;
    case MAX: v = va_arg(a->ap, uintmax_t); break;
    case SIZE:
    case PTRDIFF: v = va_arg(a->ap, size_t); break;
    default: v = va_arg(a->ap, unsigned); break;
    }
    if ((sp->flags & ALT) && v != 0)
        prefix = base == 2 ? "0b" : base == 8 || base == 10 ? "" : sp->conv == 'X' ? "0X" : "0x";
    put_unsigned(o, sp, v, prefix, base);
}

static void conv_char(struct output *o, struct spec *sp, struct args *a)
{
    char c = (char)va_arg(a->ap, int);
    sp->flags &= ~(unsigned)ZERO;
    field(o, sp, "", 0, &c, 1);
}

static void conv_string(struct output *o, struct spec *sp, struct args *a)
{
    const char *s = va_arg(a->ap, const char *);
    size_t len = 0;
    if (!s)
        s = "(null)";
    while ((sp->precision < 0 || len < (size_t)sp->precision) && s[len])
        len++;
    sp->flags &= ~(unsigned)ZERO;
    field(o, sp, "", 0, s, len);
}

/* A C string literal; width is ignored, the precision limits the source bytes shown. */
static void conv_quoted(struct output *o, struct spec *sp, struct args *a)
{
    static const char plain[] = "\n\t\r\"\\", letter[] = "ntr\"\\";
    const char *s = va_arg(a->ap, const char *);
    emit(o, "\"", 1);
    for (int i = 0; s[i] && (sp->precision < 0 || i < sp->precision); i++) {
        unsigned char c = (unsigned char)s[i];
        const char *hit = strchr(plain, c);
        char esc[4] = {'\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)), (char)('0' + (c & 7))};
        if (hit)
            esc[1] = letter[hit - plain];
        if (hit || c < 32 || c > 126)
            emit(o, esc, hit ? 2 : 4);
        else
            emit(o, s + i, 1);
    }
    emit(o, "\"", 1);
}

/* ---- exact decimal expansion of a double ---- */

enum { LIMBS = 35, INT_DIGITS = 310, FRAC_DIGITS = 400, MAX_PRECISION = 60 };

struct decimal {
    char digit[INT_DIGITS + FRAC_DIGITS + 1]; /* values 0..9; slot 0 takes a carry */
    int count, point; /* digits used, and how many of them stand before the point */
    bool sticky;      /* something nonzero follows the last digit */
};

static void place_bits(uint32_t *limb, uint64_t mantissa, int shift)
{
    for (int bit = 0; bit < 53; bit++) {
        int at = shift + bit;
        if ((mantissa >> bit & 1) && at >= 0 && at < LIMBS * 32)
            limb[at / 32] |= 1u << at % 32;
    }
}

static void expand(struct decimal *d, double v)
{
    uint32_t whole[LIMBS] = {0}, frac[LIMBS] = {0};
    uint64_t bits, mantissa;
    char rev[INT_DIGITS];
    int exponent, n = 0, top = LIMBS;

    memcpy(&bits, &v, sizeof bits);
    exponent = (int)(bits >> 52 & 0x7FF);
    mantissa = bits & 0xFFFFFFFFFFFFFu;
    if (exponent)
        mantissa |= (uint64_t)1 << 52;
    else
        exponent = 1;
    place_bits(whole, mantissa, exponent - 1075);
    place_bits(frac, mantissa, exponent - 1075 + LIMBS * 32);

    while (top > 0) {
        uint64_t rem = 0;
        for (int i = top; i-- > 0;) {
            rem = rem << 32 | whole[i];
            whole[i] = (uint32_t)(rem / 10);
            rem %= 10;
        }
        rev[n++] = (char)rem;
        while (top > 0 && whole[top - 1] == 0)
            top--;
    }
    d->digit[0] = 0;
    d->count = 1;
    while (n > 0)
        d->digit[d->count++] = rev[--n];
    d->point = d->count;
    for (int k = 0; k < FRAC_DIGITS; k++) {
        uint64_t carry = 0;
        for (int i = 0; i < LIMBS; i++) {
            carry += (uint64_t)frac[i] * 10;
            frac[i] = (uint32_t)carry;
            carry >>= 32;
        }
        d->digit[d->count++] = (char)carry;
    }
    d->sticky = false;
    for (int i = 0; i < LIMBS; i++)
        d->sticky |= frac[i] != 0;
}

/* Keeps the first `keep` digits, rounding half to even. */
static void round_at(struct decimal *d, int keep)
{
    if (keep >= d->count)
        return;
    bool rest = d->sticky;
    for (int i = keep + 1; i < d->count; i++)
        rest |= d->digit[i] != 0;
    int next = d->digit[keep];
    bool up = next > 5 || (next == 5 && (rest || d->digit[keep - 1] % 2));
    d->count = keep;
    for (int i = keep - 1; up && i >= 0; i--) {
        up = d->digit[i] == 9;
        d->digit[i] = (char)(up ? 0 : d->digit[i] + 1);
    }
}

static size_t copy_digits(char *out, const struct decimal *d, int from, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)('0' + d->digit[from + i]);
    return (size_t)n;
}

static size_t layout_fixed(char *out, struct decimal *d, int prec, bool dot)
{
    size_t n;
    int from = 0;
    round_at(d, d->point + prec);
    while (from < d->point - 1 && d->digit[from] == 0)
        from++;
    n = copy_digits(out, d, from, d->point - from);
    if (prec > 0 || dot)
        out[n++] = '.';
    return n + copy_digits(out + n, d, d->point, prec);
}

static size_t layout_exponent(char *out, struct decimal *d, int prec, bool dot, char letter)
{
    int lead = 0, exponent;
    size_t n;
    while (lead < d->count - 1 && d->digit[lead] == 0)
        lead++;
    if (lead == d->count - 1) /* zero */
        lead = d->point - 1;
    round_at(d, lead + 1 + prec);
    if (lead > 0 && d->digit[lead - 1] != 0)
        lead--;
    exponent = d->point - 1 - lead;
    n = copy_digits(out, d, lead, 1);
    if (prec > 0 || dot)
        out[n++] = '.';
    n += copy_digits(out + n, d, lead + 1, prec);
    out[n++] = letter;
    out[n++] = exponent < 0 ? '-' : '+';
    if (exponent < 0)
        exponent = -exponent;
    if (exponent >= 100)
        out[n++] = (char)('0' + exponent / 100);
    out[n++] = (char)('0' + exponent / 10 % 10);
    out[n++] = (char)('0' + exponent % 10);
    return n;
}

static void conv_double(struct output *o, struct spec *sp, struct args *a)
{
    double v = va_arg(a->ap, double);
    int prec = sp->precision < 0 ? 6 : sp->precision > MAX_PRECISION ? MAX_PRECISION : sp->precision;
    char body[INT_DIGITS + MAX_PRECISION + 8];
    struct decimal d;
    uint64_t bits;
    size_t len;

    memcpy(&bits, &v, sizeof bits);
    const char *sign = sign_prefix(sp, bits >> 63);
    if ((bits >> 52 & 0x7FF) == 0x7FF) {
        sp->flags &= ~(unsigned)ZERO;
        const char *name = bits << 12 ? "nanNAN" : "infINF";
        field(o, sp, sign, 0, sp->conv == 'E' ? name + 3 : name, 3);
        return;
    }
    expand(&d, v);
    if (sp->conv == 'f')
        len = layout_fixed(body, &d, prec, sp->flags & ALT);
    else
        len = layout_exponent(body, &d, prec, sp->flags & ALT, sp->conv);
    field(o, sp, sign, 0, body, len);
}

/* ---- the format interpreter ---- */

static const struct {
    char letters[6];
    void (*emit)(struct output *, struct spec *, struct args *);
} conversions[] = {
    {"di", conv_signed}, {"uoxXb", conv_unsigned}, {"c", conv_char},
    {"s", conv_string},  {"q", conv_quoted},       {"feE", conv_double},
};

static int number_or_star(const char **fmt, struct args *a)
{
    int n = 0;
    if (**fmt == '*') {
        ++*fmt;
        return va_arg(a->ap, int);
    }
    while (**fmt >= '0' && **fmt <= '9')
        n = n * 10 + (*(*fmt)++ - '0');
    return n;
}

static const char *parse_spec(const char *fmt, struct spec *sp, struct args *a)
{
    static const char flag_chars[] = "-+ #0";
    const char *hit;
    *sp = (struct spec){.precision = -1, .length = INT};
    while (*fmt && (hit = strchr(flag_chars, *fmt)) != NULL) {
        sp->flags |= 1u << (hit - flag_chars);
        fmt++;
    }
    sp->width = number_or_star(&fmt, a);
    if (sp->width < 0) {
        sp->flags |= LEFT;
        sp->width = -sp->width;
    }
    if (*fmt == '.') {
        fmt++;
        sp->precision = number_or_star(&fmt, a);
    }
    switch (*fmt) {
    case 'h': sp->length = fmt[1] == 'h' ? CHAR : SHORT; break;
    case 'l': sp->length = fmt[1] == 'l' ? LLONG : LONG; break;
    case 'z': sp->length = SIZE; break;
    case 'j': sp->length = MAX; break;
    case 't': sp->length = PTRDIFF; break;
    default: break;
    }
    if (sp->length != INT)
        fmt += sp->length == CHAR || sp->length == LLONG ? 2 : 1;
    sp->conv = *fmt;
    return *fmt ? fmt + 1 : fmt;
}

/* Returns the number of bytes sent to the sink. Unknown conversions are copied as they stand. */
size_t fmt_vprint(fmt_sink put, void *arg, const char *fmt, va_list ap)
{
    struct output o = {put, arg, 0};
    struct args a;
    va_copy(a.ap, ap);
    while (*fmt) {
        size_t i, plain = strcspn(fmt, "%");
        struct spec sp;
        emit(&o, fmt, plain);
        fmt += plain;
        if (!*fmt)
            break;
        const char *end = parse_spec(fmt + 1, &sp, &a);
        for (i = 0; i < sizeof conversions / sizeof conversions[0]; i++)
            if (sp.conv && strchr(conversions[i].letters, sp.conv))
                break;
        if (i < sizeof conversions / sizeof conversions[0])
            conversions[i].emit(&o, &sp, &a);
        else if (sp.conv == '%')
            emit(&o, "%", 1);
        else
            emit(&o, fmt, (size_t)(end - fmt));
        fmt = end;
    }
    va_end(a.ap);
    return o.total;
}

struct buffer {
    char *at;
    size_t room; /* bytes left, not counting the terminator */
};

static void buffer_put(void *arg, const char *text, size_t len)
{
    struct buffer *b = arg;
    size_t n = len < b->room ? len : b->room;
    memcpy(b->at, text, n);
    b->at += n;
    b->room -= n;
}

size_t fmt_snprintf(char *out, size_t size, const char *fmt, ...)
{
    struct buffer b = {out, size - 1};
    va_list ap;
    va_start(ap, fmt);
    size_t n = fmt_vprint(buffer_put, &b, fmt, ap);
    va_end(ap);
    *b.at = '\0';
    return n;
}

/* ---- self-exercise ---- */

static int failures;

static void expect(const char *want, const char *got, size_t n)
{
    if (strcmp(want, got) != 0 || n != strlen(want)) {
        printf("want [%s] got [%s]\n", want, got);
        failures++;
    }
}

#define SAME(...)                                                  \
    do {                                                           \
        char mine[1600], libc[1600];                                 \
        snprintf(libc, sizeof libc, __VA_ARGS__);                  \
        size_t len = fmt_snprintf(mine, sizeof mine, __VA_ARGS__); \
        expect(libc, mine, len);                                   \
    } while (0)

static void exercise_integers(void)
{
    static const int values[] = {0, 1, -1, 42, -12345, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        SAME("[%d|%5d|%-7i|%+d|% d]", values[i], values[i], values[i], values[i], values[i]);
        SAME("[%08d|%.3d|%9.4d|%-9.4d]", values[i], values[i], values[i], values[i]);
        SAME("[%x|%#X|%#o|%010x]", (unsigned)values[i], (unsigned)values[i], (unsigned)values[i],
             (unsigned)values[i]);
        SAME("[%*d|%-*d|%.*d]", 6, values[i], 8, values[i], 3, values[i]);
    }
    SAME("%lld %llu %zu %td", LLONG_MIN, ULLONG_MAX, SIZE_MAX, (ptrdiff_t)-9);
    SAME("%hhd %hu %ld %jx", (signed char)-5, (unsigned short)65535, -7L, UINTMAX_MAX);
}

static void exercise_doubles(void)
{
    static const double values[] = {0.0,  -0.0,   0.5,    1.5,      2.5,    0.1,     1.0 / 3, 9.995,
                                    1e15, 1e22,   123e18, 4.9e-324, 1e-7,   -99.995, 1e300,   6.02e23,
                                    0.05, 999.95, 1e-5,   2.2e-308, HUGE_VAL, DBL_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        SAME("[%f|%.0f|%.1f|%.10f]", values[i], values[i], values[i], values[i]);
        SAME("[%e|%.0e|%.15e|%+14.3E]", values[i], values[i], values[i], values[i]);
        SAME("[%012.2f|%-12.2f|%#.0f]", values[i], values[i], values[i]);
    }
}

int main(void)
{
    char out[96];
    size_t n;
    exercise_integers();
    exercise_doubles();
    SAME("[%s|%8s|%-8s|%.2s|%c|%%|%3c]", "abc", "abc", "abc", "abc", 'x', 'y');
    n = fmt_snprintf(out, sizeof out, "%q %.3q %b %#010b", "tab\there \"q\" \x01", "abcdef", 10u, 5u);
    expect("\"tab\\there \\\"q\\\" \\001\" \"abc\" 1010 0b00000101", out, n);
    puts(out);
    n = fmt_snprintf(out, 8, "truncated %d", 7);
    printf("%zu [%s]\n", n, out);
    failures += n != 11 || strcmp(out, "truncat") != 0;
    fmt_snprintf(out, sizeof out, "%.55f", 0.1);
    puts(out);
    fmt_snprintf(out, sizeof out, "%k %-8d| %.20e", 5, 2.0 / 3.0);
    puts(out);
    printf("%d failures\n", failures);
    return failures != 0;
}
