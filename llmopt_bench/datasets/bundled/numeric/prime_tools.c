/*
 * Primes three ways: an odd-only bit sieve, deterministic Miller-Rabin for 64 bits, and
 * factorization by Pollard's rho in Brent's form. Sums and counts are checked with known values.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned __int128 u128;

static uint64_t mulmod(uint64_t a, uint64_t b, uint64_t m) { return (uint64_t)((u128)a * b % m); }

uint64_t powmod(uint64_t base, uint64_t e, uint64_t m)
{
    uint64_t r = 1;
    for (base %= m; e; e >>= 1, base = mulmod(base, base, m))
        if (e & 1)
            r = mulmod(r, base, m);
    return r;
}

int is_prime(uint64_t n)
{
    static const uint8_t witness[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    if (n < 2)
        return 0;
    for (size_t i = 0; i < sizeof witness; i++)
        if (n % witness[i] == 0)
            return n == witness[i];
    int s = __builtin_ctzll(n - 1);
    for (size_t i = 0; i < sizeof witness; i++) {
        uint64_t x = powmod(witness[i], (n - 1) >> s, n);
        int left = s;
        while (x != 1 && x != n - 1 && --left)
            x = mulmod(x, x, n);
        if (x != n - 1 && (x != 1 || left != s))
            return 0;
    }
    return 1;
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b ? gcd(b, a % b) : a; }

static uint64_t rho(uint64_t n, uint64_t c)
{
    uint64_t y = 2, x = 2, q = 1, g = 1, saved = 2;
    for (uint64_t r = 1; g == 1; r *= 2) {
        x = y;
        for (uint64_t k = 0; k < r && g == 1; k += 64) {
            saved = y;
            for (uint64_t i = 0; i < 64 && k + i < r; i++) {
                y = (mulmod(y, y, n) + c) % n;
                q = mulmod(q, x > y ? x - y : y - x, n);
            }
            g = gcd(q, n);
        }
    }
    while (g == n) { /* several factors fell into one product: again, one by one */
        saved = (mulmod(saved, saved, n) + c) % n;
        g = gcd(x > saved ? x - saved : saved - x, n);
        if (g != 1)
            break;
        g = n;
    }
    return g == n ? rho(n, c + 2) : g;
}

/* Writes the prime factors in ascending order, returns how many there are. */
int factor(uint64_t n, uint64_t *out)
{
    int count = 0;
    if (n < 2)
        return 0;
    if (is_prime(n)) {
        out[0] = n;
        return 1;
    }
    uint64_t d = n % 2 == 0 ? 2 : rho(n, 1);
    count = factor(d, out);
    count += factor(n / d, out + count);
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && out[k - 1] > out[k]; k--) {
            uint64_t t = out[k];
            out[k] = out[k - 1];
            out[k - 1] = t;
        }
    return count;
}

static unsigned sieve(unsigned limit, uint64_t *sum)
{
    uint8_t *composite = calloc(limit / 16 + 1, 1);
    unsigned count = 1;
    *sum = 2;
    if (!composite)
        return 0;
    for (unsigned i = 3; i <= limit; i += 2) {
        if (composite[i >> 4] >> (i >> 1 & 7) & 1)
            continue;
        count++;
        *sum += i;
        for (uint64_t k = (uint64_t)i * i; k <= limit; k += 2 * i)
            composite[k >> 4] |= (uint8_t)(1u << (k >> 1 & 7));
    }
    free(composite);
    return count;
}

int main(void)
{
    static const uint64_t numbers[] = {360, 1001, 8051, 600851475143u, 1000000016000000063u,
                                       10403, 4294967297u, 18446744073709551557u};
    uint64_t sum, f[64];
    unsigned count = sieve(300000, &sum);
    printf("%u primes below 300000, sum %" PRIu64 "\n", count, sum);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        printf("%" PRIu64 " =", numbers[i]);
        for (int k = 0, n = factor(numbers[i], f); k < n; k++)
            printf("%s%" PRIu64, k ? " * " : " ", f[k]);
        putchar('\n');
    }
    return count == 25997 && is_prime(2305843009213693951u) && !is_prime(3215031751u) ? 0 : 1;
}
