/*
 * Q16.16 mathematics without floating point: saturating arithmetic, bitwise
 * square root, CORDIC rotation and vectoring, exp and log by shift-and-add,
 * powers, parsing and printing. The double library only judges the error.
 */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int32_t fx;

#define FX_ONE ((fx)65536)
#define FX_MAX INT32_MAX
#define FX_MIN INT32_MIN

/* Angles and logarithms carry Q2.29 inside, so that rounding stays below a Q16 ulp. */
#define CORDIC_BITS 29
#define CORDIC_STEPS 24
#define Q29_PI INT64_C(1686629713)
#define Q29_LN2 INT64_C(372130559)
#define Q29_TO_Q16 (1 << (CORDIC_BITS - 16))

/* atan(2^-i) in Q29; from i = 10 on it is 2^-i to within one unit. */
static const int32_t atan_q29[10] = {
    421657428, 248918915, 131521918, 66762579, 33510843,
    16771758,  8387925,   4194219,   2097141,  1048575,
};

/* Product of cos(atan(2^-i)), Q29. */
static const int32_t cordic_gain_q29 = 326016437;

/* ln(1 + 2^-i) in Q29 for i = 1..14. */
static const int32_t ln1p_q29[14] = {
    217682422, 119799282, 63234286, 32547596, 16520408, 8323747, 4178005,
    2093067,   1047553,   524032,   262080,   131056,   65532,   32767,
};

static fx saturate(int64_t v)
{
    return v > FX_MAX ? FX_MAX : v < FX_MIN ? FX_MIN : (fx)v;
}

/* Floor division by a power of two; C leaves >> of a negative to the compiler. */
static inline int64_t shift_right(int64_t v, int n)
{
    return v < 0 ? ~(~v >> n) : v >> n;
}

static inline int64_t round_shift(int64_t v, int n)
{
    return shift_right(v + ((int64_t)1 << (n - 1)), n);
}

fx fx_from_int(int v) { return saturate((int64_t)v * FX_ONE); }
fx fx_add(fx a, fx b) { return saturate((int64_t)a + b); }
fx fx_sub(fx a, fx b) { return saturate((int64_t)a - b); }
fx fx_mul(fx a, fx b) { return saturate(round_shift((int64_t)a * b, 16)); }

fx fx_div(fx a, fx b)
{
    if (b == 0)
        return a < 0 ? FX_MIN : FX_MAX;
    int64_t num = (int64_t)a * FX_ONE, half = (b < 0 ? -(int64_t)b : b) / 2;
    return saturate((num + (num < 0 ? -half : half)) / b);
}

/* Two bits of the radicand per step, one bit of the root. */
fx fx_sqrt(fx v)
{
    if (v <= 0)
        return 0;
    uint64_t rest = (uint64_t)v << 16, root = 0, bit = UINT64_C(1) << 46;
    while (bit > rest)
        bit >>= 2;
    for (; bit; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (fx)(root + (rest > root));
}

static int64_t atan_step(int i)
{
    return i < 10 ? atan_q29[i] : (int64_t)1 << (CORDIC_BITS - i);
}

/* Brings any angle into [-pi/2, pi/2]; the half turn taken away flips both signs. */
static int64_t reduce_angle(fx angle, bool *flip)
{
    int64_t wide = (int64_t)angle * Q29_TO_Q16;
    int64_t turns = (2 * wide + (wide < 0 ? -Q29_PI : Q29_PI)) / (2 * Q29_PI);
    *flip = turns % 2 != 0;
    return wide - turns * Q29_PI;
}

void fx_sincos(fx angle, fx *sine, fx *cosine)
{
    bool flip;
    int64_t z = reduce_angle(angle, &flip), x = cordic_gain_q29, y = 0;
    for (int i = 0; i < CORDIC_STEPS; i++) {
        int64_t dx = shift_right(y, i), dy = shift_right(x, i);
        if (z < 0) {
            x += dx;
            y -= dy;
            z += atan_step(i);
        } else {
            x -= dx;
            y += dy;
            z -= atan_step(i);
        }
    }
    *cosine = (fx)round_shift(flip ? -x : x, CORDIC_BITS - 16);
    *sine = (fx)round_shift(flip ? -y : y, CORDIC_BITS - 16);
}

/* Vectoring mode: the angle in the return value, the length through *length. */
fx fx_atan2(fx y0, fx x0, fx *length)
{
    int64_t x = (int64_t)x0 * Q29_TO_Q16, y = (int64_t)y0 * Q29_TO_Q16, z = 0;
    bool left = x < 0;
    if (left) {
        x = -x;
        y = -y;
    }
    for (int i = 0; i < CORDIC_STEPS && (x || y); i++) {
        int64_t dx = shift_right(y, i), dy = shift_right(x, i);
        if (y > 0) {
            x += dx;
            y -= dy;
            z += atan_step(i);
        } else {
            x -= dx;
            y += dy;
            z -= atan_step(i);
        }
    }
    if (length)
        *length = saturate(round_shift(round_shift(x, 13) * (cordic_gain_q29 / 64), 23));
    if (left)
        z += y0 < 0 ? -Q29_PI : Q29_PI;
    return (x0 || y0) ? (fx)round_shift(z, CORDIC_BITS - 16) : 0;
}

/* Normalise to [1, 2), then divide out factors (1 + 2^-i) and add up their logs. */
fx fx_log(fx v)
{
    if (v <= 0)
        return FX_MIN;
    int exponent = 0;
    int64_t m = v;
    while (m < FX_ONE) {
        m *= 2;
        exponent--;
    }
    m *= Q29_TO_Q16;
    while (m >= INT64_C(2) << CORDIC_BITS) {
        m = shift_right(m, 1);
        exponent++;
    }
    /* Multiplies m up towards 2: ln m = ln 2 - sum of the logs of the factors. */
    int64_t sum = Q29_LN2;
    for (int i = 1; i <= 14; i++) {
        int64_t grown = m + shift_right(m, i);
        while (grown <= INT64_C(2) << CORDIC_BITS) {
            m = grown;
            sum -= ln1p_q29[i - 1];
            grown = m + shift_right(m, i);
        }
    }
    sum -= ((INT64_C(2) << CORDIC_BITS) - m) / 2; /* ln(1+e) = e for the tail */
    return (fx)round_shift(sum + exponent * Q29_LN2, CORDIC_BITS - 16);
}

fx fx_exp(fx v)
{
    if (v > fx_from_int(11))
        return FX_MAX;
    if (v < fx_from_int(-12))
        return 0;
    int64_t wide = (int64_t)v * Q29_TO_Q16;
    int64_t k = wide >= 0 ? wide / Q29_LN2 : -((-wide + Q29_LN2 - 1) / Q29_LN2);
    int64_t rest = wide - k * Q29_LN2, result = INT64_C(1) << CORDIC_BITS;
    for (int i = 1; i <= 14; i++) {
        while (rest >= ln1p_q29[i - 1]) {
            rest -= ln1p_q29[i - 1];
            result += shift_right(result, i);
        }
    }
    result += round_shift(result * rest, CORDIC_BITS);
    int shift = CORDIC_BITS - 16 - (int)k;
    return saturate(shift > 0 ? round_shift(result, shift) : result << -shift);
}

fx fx_pow(fx base, fx exponent)
{
    if (exponent % FX_ONE == 0 && exponent >= 0) {
        fx result = FX_ONE;
        for (uint32_t n = (uint32_t)exponent >> 16; n; n >>= 1) {
            if (n & 1)
                result = fx_mul(result, base);
            if (n > 1)
                base = fx_mul(base, base);
        }
        return result;
    }
    return base <= 0 ? 0 : fx_exp(fx_mul(exponent, fx_log(base)));
}

/* Writes with four decimals, rounded; returns the length like snprintf. */
int fx_format(fx v, char *buf, size_t size)
{
    uint64_t mag = v < 0 ? (uint64_t)(-(int64_t)v) : (uint64_t)v;
    uint64_t scaled = (mag * 10000 + 32768) >> 16;
    return snprintf(buf, size, "%s%u.%04u", v < 0 && scaled ? "-" : "", (unsigned)(scaled / 10000),
                    (unsigned)(scaled % 10000));
}

bool fx_parse(const char *text, fx *out)
{
    bool negative = *text == '-';
    int64_t whole = 0, frac = 0, unit = 1;
    text += negative;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        whole = whole * 10 + (*text - '0');
        if (whole > 32768)
            return false;
    }
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++)
            if (unit < 1000000000) {
                frac = frac * 10 + (*text - '0');
                unit *= 10;
            }
    if (*text)
        return false;
    int64_t v = whole * FX_ONE + (frac * FX_ONE + unit / 2) / unit;
    *out = saturate(negative ? -v : v);
    return true;
}

/* ------------------------------------------------------------------ judge */

static double to_double(fx v) { return (double)v / 65536.0; }

static fx sine_of(fx a) { fx s, c; fx_sincos(a, &s, &c); return s; }
static fx cosine_of(fx a) { fx s, c; fx_sincos(a, &s, &c); return c; }

static const struct sweep {
    const char *name;
    fx (*fixed)(fx);
    double (*exact)(double);
    fx from, to, step;
    double limit_ulp;
} sweeps[] = {
    {"sin", sine_of, sin, -20 * FX_ONE, 20 * FX_ONE, 1777, 1.5},
    {"cos", cosine_of, cos, -20 * FX_ONE, 20 * FX_ONE, 1999, 1.5},
    {"sqrt", fx_sqrt, sqrt, 1, 30000 * FX_ONE, 1234567, 1.0},
    {"exp", fx_exp, exp, -6 * FX_ONE, 3 * FX_ONE, 571, 1.5},
    {"log", fx_log, log, 100, 900 * FX_ONE, 61379, 1.5},
};

static bool run_sweep(const struct sweep *s)
{
    double worst = 0.0;
    uint32_t hash = 0;
    int points = 0;
    for (int64_t x = s->from; x <= s->to; x += s->step, points++) {
        fx got = s->fixed((fx)x);
        worst = fmax(worst, fabs(to_double(got) - s->exact(to_double((fx)x))) * 65536.0);
        hash = (hash ^ (uint32_t)got) * 0x01000193u;
    }
    bool ok = worst <= s->limit_ulp;
    printf("%-5s %5d points, hash %08x, error within %.1f ulp: %s\n", s->name, points,
           (unsigned)hash, s->limit_ulp, ok ? "yes" : "no");
    return ok;
}

static int check_atan2(void)
{
    int bad = 0;
    for (int i = 0; i < 60; i++) {
        fx x = (i * 37 % 61 - 30) * 70001, y = (i * 23 % 59 - 29) * 65003, length;
        fx angle = fx_atan2(y, x, &length);
        double want = atan2(to_double(y), to_double(x));
        bad += fabs(to_double(angle) - want) > 3e-5;
        bad += fabs(to_double(length) - hypot(to_double(x), to_double(y))) > 1e-3;
    }
    printf("atan2 mismatches: %d\n", bad);
    return bad;
}

static int check_text(void)
{
    static const char *const inputs[] = {
        "3.14159", "-0.5", "32768", "-32768", "0.00001", "12.", "x1", "1.2.3",
    };
    int parsed = 0;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char buf[24];
        fx v;
        if (!fx_parse(inputs[i], &v)) {
            printf(" [%s rejected]", inputs[i]);
            continue;
        }
        fx_format(v, buf, sizeof buf);
        printf(" %s", buf);
        parsed++;
    }
    printf("\n");
    return parsed != 6;
}

static int check_arithmetic(void)
{
    char a[24], b[24], c[24];
    fx big = fx_from_int(30000), third = fx_div(FX_ONE, fx_from_int(3));
    fx_format(fx_mul(third, fx_from_int(-9)), a, sizeof a);
    fx_format(fx_pow(fx_from_int(2), FX_ONE / 2), b, sizeof b);
    fx_format(fx_pow(fx_from_int(-3), fx_from_int(5)), c, sizeof c);
    printf("-9/3 = %s, 2^0.5 = %s, (-3)^5 = %s\n", a, b, c);
    return (fx_add(big, big) != FX_MAX) + (fx_sub(-big, big) != FX_MIN) +
           (fx_div(-FX_ONE, 0) != FX_MIN) + (fx_mul(big, -big) != FX_MIN) +
           (strcmp(b, "1.4142") != 0);
}

int main(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        bad += !run_sweep(&sweeps[i]);
    bad += check_atan2();
    bad += check_text();
    bad += check_arithmetic();
    printf("%s\n", bad ? "FAILED" : "all good");
    return bad != 0;
}
