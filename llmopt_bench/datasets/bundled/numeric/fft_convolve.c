/*
 * Radix-2 FFT with a reusable plan, applied to three jobs: finding the tones
 * in a sampled signal, circular convolution, and multiplying big integers.
 * Every result is checked against a direct O(n^2) or modular computation.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    double re, im;
} cplx;

typedef struct {
    size_t n;
    unsigned log2n;
    cplx *twiddle; /* n/2 roots of unity, e^(-2*pi*i*k/n) */
    uint32_t *rev; /* bit-reversal permutation */
} fft_plan;

static inline cplx c_add(cplx a, cplx b) { return (cplx){a.re + b.re, a.im + b.im}; }
static inline cplx c_sub(cplx a, cplx b) { return (cplx){a.re - b.re, a.im - b.im}; }
static inline cplx c_conj(cplx a) { return (cplx){a.re, -a.im}; }
static inline cplx c_mul(cplx a, cplx b)
{
    return (cplx){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

void fft_plan_free(fft_plan *plan)
{
    if (!plan)
        return;
    free(plan->twiddle);
    free(plan->rev);
    free(plan);
}

fft_plan *fft_plan_new(unsigned log2n)
{
    const double tau = 6.283185307179586;
    fft_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->log2n = log2n;
    plan->n = (size_t)1 << log2n;
    plan->twiddle = malloc((plan->n / 2 + 1) * sizeof *plan->twiddle);
    plan->rev = malloc(plan->n * sizeof *plan->rev);
    if (!plan->twiddle || !plan->rev) {
        fft_plan_free(plan);
        return NULL;
    }
    for (size_t k = 0; k < plan->n / 2; k++) {
        double angle = tau * (double)k / (double)plan->n;
        plan->twiddle[k] = (cplx){cos(angle), -sin(angle)};
    }
    plan->rev[0] = 0;
    for (size_t i = 1; i < plan->n; i++)
        plan->rev[i] = (plan->rev[i >> 1] >> 1) | ((i & 1) ? (uint32_t)(plan->n >> 1) : 0);
    return plan;
}

void fft_forward(const fft_plan *plan, cplx *x)
{
    for (size_t i = 0; i < plan->n; i++) {
        size_t j = plan->rev[i];
        if (i < j) {
            cplx t = x[i];
            x[i] = x[j];
            x[j] = t;
        }
    }
    for (size_t half = 1; half < plan->n; half <<= 1) {
        size_t stride = plan->n / (2 * half);
        for (size_t base = 0; base < plan->n; base += 2 * half) {
            for (size_t k = 0; k < half; k++) {
                cplx odd = c_mul(x[base + k + half], plan->twiddle[k * stride]);
                cplx even = x[base + k];
                x[base + k] = c_add(even, odd);
                x[base + k + half] = c_sub(even, odd);
            }
        }
    }
}

void fft_inverse(const fft_plan *plan, cplx *x)
{
    const double scale = 1.0 / (double)plan->n;
    for (size_t i = 0; i < plan->n; i++)
        x[i] = c_conj(x[i]);
    fft_forward(plan, x);
    for (size_t i = 0; i < plan->n; i++)
        x[i] = (cplx){x[i].re * scale, -x[i].im * scale};
}

/* Two real sequences share one transform: a rides in re, b rides in im. */
bool fft_convolve_real(const fft_plan *plan, const double *a, const double *b, double *out)
{
    size_t n = plan->n;
    cplx *z = malloc(n * sizeof *z), *p = malloc(n * sizeof *p);
    bool ok = z && p;
    if (!ok)
        goto done;
    for (size_t i = 0; i < n; i++)
        z[i] = (cplx){a[i], b[i]};
    fft_forward(plan, z);
    for (size_t k = 0; k < n; k++) {
        cplx u = z[k], v = c_conj(z[(n - k) & (n - 1)]);
        cplx sum = c_add(u, v), diff = c_sub(u, v);
        cplx prod = c_mul(sum, diff);
        p[k] = (cplx){prod.im * 0.25, -prod.re * 0.25}; /* divide by 4i */
    }
    fft_inverse(plan, p);
    for (size_t i = 0; i < n; i++)
        out[i] = p[i].re;
done:
    free(p);
    free(z);
    return ok;
}

/* ---- big naturals in base 10^4, least significant limb first ---- */

enum { LIMB_BASE = 10000, LIMB_DIGITS = 4 };

typedef struct {
    uint16_t *limb;
    size_t len;
} bignat;

static unsigned ceil_log2(size_t n)
{
    unsigned bits = 0;
    while (((size_t)1 << bits) < n)
        bits++;
    return bits;
}

bool bignat_mul(const bignat *a, const bignat *b, bignat *out)
{
    size_t len = a->len + b->len;
    fft_plan *plan = fft_plan_new(ceil_log2(len));
    double *fa = NULL, *fb = NULL;
    uint16_t *limbs = NULL;
    bool ok = false;
    if (!plan)
        return false;
    fa = calloc(plan->n, sizeof *fa);
    fb = calloc(plan->n, sizeof *fb);
    limbs = malloc(len * sizeof *limbs);
    if (!fa || !fb || !limbs)
        goto done;
    for (size_t i = 0; i < a->len; i++)
        fa[i] = a->limb[i];
    for (size_t i = 0; i < b->len; i++)
        fb[i] = b->limb[i];
    if (!fft_convolve_real(plan, fa, fb, fa))
        goto done;
    uint64_t carry = 0;
    for (size_t i = 0; i < len; i++) {
        carry += (uint64_t)(fa[i] + 0.5);
        limbs[i] = (uint16_t)(carry % LIMB_BASE);
        carry /= LIMB_BASE;
    }
    while (len > 1 && limbs[len - 1] == 0)
        len--;
    *out = (bignat){limbs, len};
    limbs = NULL;
    ok = true;
done:
    free(limbs);
    free(fb);
    free(fa);
    fft_plan_free(plan);
    return ok;
}

uint32_t bignat_mod(const bignat *a, uint32_t m)
{
    uint64_t r = 0;
    for (size_t i = a->len; i-- > 0;)
        r = (r * LIMB_BASE + a->limb[i]) % m;
    return (uint32_t)r;
}

static size_t bignat_digits(const bignat *a)
{
    size_t digits = (a->len - 1) * LIMB_DIGITS;
    for (unsigned top = a->limb[a->len - 1]; top; top /= 10)
        digits++;
    return digits;
}

static bool bignat_pow(uint16_t base, unsigned exponent, bignat *out)
{
    bignat acc = {malloc(sizeof(uint16_t)), 1};
    if (!acc.limb)
        return false;
    acc.limb[0] = 1;
    bignat factor = {&base, 1};
    for (unsigned bit = 1u << 31; bit; bit >>= 1) {
        bignat next;
        if (!bignat_mul(&acc, &acc, &next))
            goto fail;
        free(acc.limb);
        acc = next;
        if (!(exponent & bit))
            continue;
        if (!bignat_mul(&acc, &factor, &next))
            goto fail;
        free(acc.limb);
        acc = next;
    }
    *out = acc;
    return true;
fail:
    free(acc.limb);
    return false;
}

static uint32_t powmod(uint64_t b, unsigned e, uint32_t m)
{
    uint64_t r = 1;
    for (b %= m; e; e >>= 1, b = b * b % m)
        if (e & 1)
            r = r * b % m;
    return (uint32_t)r;
}

static bool test_tones(void)
{
    const double tau = 6.283185307179586;
    const size_t bins[3] = {9, 40, 101};
    const double amps[3] = {1.0, 0.5, 0.25};
    fft_plan *plan = fft_plan_new(8);
    cplx x[256];
    int found = 0;
    if (!plan)
        return false;
    for (size_t i = 0; i < 256; i++) {
        x[i] = (cplx){0.0, 0.0};
        for (int t = 0; t < 3; t++)
            x[i].re += amps[t] * sin(tau * (double)(bins[t] * i % 256) / 256.0);
    }
    fft_forward(plan, x);
    for (size_t k = 1; k < 128; k++) {
        double amp = hypot(x[k].re, x[k].im) / 128.0;
        if (amp > 0.01) {
            printf("tone bin %zu amplitude %.3f\n", k, amp);
            found += found < 3 && k == bins[found];
        }
    }
    fft_plan_free(plan);
    return found == 3;
}

static bool test_circular(void)
{
    fft_plan *plan = fft_plan_new(6);
    double a[64], b[64], fast[64];
    uint32_t seed = 12345;
    double worst = 0.0, sum = 0.0;
    if (!plan)
        return false;
    for (int i = 0; i < 64; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = (double)(seed >> 24) - 128.0;
        b[i] = (double)((seed >> 16) & 0xff) - 128.0;
    }
    bool ok = fft_convolve_real(plan, a, b, fast);
    for (size_t i = 0; ok && i < 64; i++) {
        double direct = 0.0;
        for (size_t j = 0; j < 64; j++)
            direct += a[j] * b[(i - j) & 63];
        worst = fmax(worst, fabs(direct - fast[i]));
        sum += direct;
    }
    fft_plan_free(plan);
    printf("circular convolution sum %.0f, matches direct: %s\n", sum, worst < 1e-6 ? "yes" : "no");
    return ok && worst < 1e-6;
}

static bool test_power(void)
{
    static const uint32_t primes[] = {998244353u, 1000000007u, 65537u};
    bignat p;
    bool ok = true;
    if (!bignat_pow(7, 1500, &p))
        return false;
    printf("7^1500 has %zu digits, leading limb %u, mod primes:", bignat_digits(&p),
           p.limb[p.len - 1]);
    for (size_t i = 0; i < sizeof primes / sizeof *primes; i++) {
        uint32_t got = bignat_mod(&p, primes[i]);
        printf(" %u", got);
        ok = ok && got == powmod(7, 1500, primes[i]);
    }
    printf("\n");
    free(p.limb);
    return ok;
}

int main(void)
{
    bool ok = test_tones();
    ok = test_circular() && ok;
    ok = test_power() && ok;
    printf("fft %s\n", ok ? "ok" : "FAILED");
    return ok ? 0 : 1;
}
