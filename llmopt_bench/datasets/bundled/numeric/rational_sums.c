/*
 * Exact fractions in 64 bits: arithmetic that reports overflow instead of wrapping, continued
 * fractions, best approximations with a bounded denominator, Egyptian fractions, Bernoulli numbers.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    int64_t num, den; /* lowest terms, den > 0; den == 0 after an overflow or a division by 0 */
} frac;

static const frac invalid = {0, 0};

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a < 0 ? -a : a;
}

static frac reduce(__int128 n, __int128 d)
{
    if (d < 0)
        n = -n, d = -d;
    __int128 a = n < 0 ? -n : n, b = d;
    while (b) {
        __int128 t = a % b;
        a = b;
        b = t;
    }
    if (d == 0 || n / a > INT64_MAX || n / a < -INT64_MAX || d / a > INT64_MAX)
        return invalid;
    return (frac){(int64_t)(n / a), (int64_t)(d / a)};
}

frac frac_of(int64_t n, int64_t d) { return reduce(n, d); }

frac frac_add(frac a, frac b)
{
    int64_t g = gcd(a.den, b.den);
    if (g == 0)
        return invalid;
    return reduce((__int128)a.num * (b.den / g) + (__int128)b.num * (a.den / g),
                  (__int128)a.den * (b.den / g));
}

frac frac_mul(frac a, frac b) { return reduce((__int128)a.num * b.num, (__int128)a.den * b.den); }

frac frac_div(frac a, frac b) { return frac_mul(a, (frac){b.den, b.num}); }

int frac_compare(frac a, frac b)
{
    __int128 l = (__int128)a.num * b.den, r = (__int128)b.num * a.den;
    return (l > r) - (l < r);
}

/* Prints the continued fraction and returns the last convergent with a denominator up to `most`. */
frac approximate(frac x, int64_t most)
{
    int64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;
    const char *separator = "[";
    while (x.den) {
        int64_t whole = x.num / x.den - (x.num % x.den < 0);
        int64_t p = whole * p1 + p0, q = whole * q1 + q0;
        if (q > most)
            break;
        printf("%s%" PRId64, separator, whole);
        separator = ", ";
        p0 = p1, q0 = q1, p1 = p, q1 = q;
        x = (frac){x.den, x.num - whole * x.den};
    }
    printf("] = %" PRId64 "/%" PRId64 "\n", p1, q1);
    return (frac){p1, q1};
}

static frac bernoulli(int n)
{
    frac row[24];
    for (int m = 0; m <= n; m++) {
        row[m] = frac_of(1, m + 1);
        for (int k = m; k > 0; k--) {
            frac difference = frac_add(row[k - 1], frac_mul(frac_of(-1, 1), row[k]));
            row[k - 1] = frac_mul(frac_of(k, 1), difference);
        }
    }
    return row[0];
}

int main(void)
{
    frac sum = frac_of(0, 1), x = frac_of(7, 15);
    bool ok = true;
    for (int i = 1; i <= 30; i++)
        sum = frac_add(sum, frac_of(1, i));
    printf("H(30) = %" PRId64 "/%" PRId64 "\n", sum.num, sum.den);
    for (int n = 2; n <= 20; n += 6) {
        frac b = bernoulli(n);
        printf("B(%d) = %" PRId64 "/%" PRId64 "\n", n, b.num, b.den);
    }
    ok &= bernoulli(12).num == -691 && bernoulli(12).den == 2730;
    frac pi = approximate(frac_of(3141592653589793, 1000000000000000), 100000);
    ok &= pi.num == 312689 && pi.den == 99532;
    approximate(frac_of(-415, 93), 1000);
    while (x.num) { /* greedy: always the largest unit fraction that fits */
        frac unit = frac_of(1, (x.den + x.num - 1) / x.num);
        printf("1/%" PRId64 " ", unit.den);
        x = frac_add(x, frac_of(-1, unit.den));
    }
    frac product = frac_of(1, 1);
    for (int i = 1; product.den && i < 100; i++)
        product = frac_div(product, frac_of(i, i % 3 + 1)), sum.num = i;
    printf("\noverflow at %" PRId64 ", 355/113 %s pi\n", sum.num,
           frac_compare(frac_of(355, 113), pi) > 0 ? "above" : "below");
    return ok ? 0 : 1;
}
