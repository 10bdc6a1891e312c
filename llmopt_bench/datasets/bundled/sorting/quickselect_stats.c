/*
 * Order statistics without full sorting: worst-case linear selection by median of medians,
 * interpolated quantiles, median absolute deviation, Tukey fences for outliers,
 * and an equal-width histogram drawn as text. Works on a copy; the input stays as it was.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct summary {
    size_t count, outliers;
    double min, q1, median, q3, max;
    double mean, stddev, mad;
};

struct histogram {
    double lo, width;
    unsigned bins;
    unsigned *count;
};

static void exchange(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

static void sort_five(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && v[j] < v[j - 1]; j--)
            exchange(&v[j], &v[j - 1]);
}

/* Three-way partition; on return v[*lt .. *gt) equals the pivot. */
static void partition3(double *v, size_t n, double pivot, size_t *lt, size_t *gt)
{
    size_t low = 0, i = 0, high = n;
    while (i < high) {
        if (v[i] < pivot)
            exchange(&v[low++], &v[i++]);
        else if (v[i] > pivot)
            exchange(&v[i], &v[--high]);
        else
            i++;
    }
    *lt = low;
    *gt = high;
}

double select_kth(double *v, size_t n, size_t k);

static double median_of_medians(double *v, size_t n)
{
    size_t groups = 0;
    for (size_t i = 0; i < n; i += 5) {
        size_t len = n - i < 5 ? n - i : 5;
        sort_five(v + i, len);
        exchange(&v[groups++], &v[i + len / 2]);
    }
    return select_kth(v, groups, groups / 2);
}

/* The k-th smallest (from 0) of v[0..n); reorders v so that v[0..k) <= v[k] <= the rest. */
double select_kth(double *v, size_t n, size_t k)
{
    while (n > 5) {
        size_t lt, gt;
        double pivot = median_of_medians(v, n);
        partition3(v, n, pivot, &lt, &gt);
        if (k < lt) {
            n = lt;
        } else if (k < gt) {
            return pivot;
        } else {
            v += gt;
            n -= gt;
            k -= gt;
        }
    }
    sort_five(v, n);
    return v[k];
}

/* Quantile with linear interpolation between the two nearest order statistics. */
double quantile(double *work, size_t n, double q)
{
    double where = q * (double)(n - 1);
    size_t k = (size_t)where;
    double frac = where - (double)k;
    double low = select_kth(work, n, k);
    if (frac == 0.0 || k + 1 >= n)
        return low;
    double high = work[k + 1];
    for (size_t i = k + 2; i < n; i++)
        high = fmin(high, work[i]);
    return low + frac * (high - low);
}

static void moments(const double *v, size_t n, struct summary *s)
{
    double m2 = 0.0;
    s->mean = 0.0;
    s->min = s->max = v[0];
    for (size_t i = 0; i < n; i++) { /* Welford's update keeps the squares small. */
        double d = v[i] - s->mean;
        s->mean += d / (double)(i + 1);
        m2 += d * (v[i] - s->mean);
        s->min = fmin(s->min, v[i]);
        s->max = fmax(s->max, v[i]);
    }
    s->stddev = n > 1 ? sqrt(m2 / (double)(n - 1)) : 0.0;
}

int summarize(const double *v, size_t n, struct summary *s)
{
    double *work = n ? malloc(n * sizeof *work) : NULL;
    if (!work)
        return -1;
    memcpy(work, v, n * sizeof *work);
    memset(s, 0, sizeof *s);
    s->count = n;
    moments(v, n, s);
    s->q1 = quantile(work, n, 0.25);
    s->median = quantile(work, n, 0.5);
    s->q3 = quantile(work, n, 0.75);
    double reach = 1.5 * (s->q3 - s->q1);
    for (size_t i = 0; i < n; i++)
        s->outliers += v[i] < s->q1 - reach || v[i] > s->q3 + reach;
    for (size_t i = 0; i < n; i++)
        work[i] = fabs(v[i] - s->median);
    s->mad = quantile(work, n, 0.5);
    free(work);
    return 0;
}

int histogram_build(struct histogram *h, const double *v, size_t n, double lo, double hi,
                    unsigned bins)
{
    h->lo = lo;
    h->width = (hi - lo) / bins;
    h->bins = bins;
    h->count = calloc(bins, sizeof *h->count);
    if (!h->count)
        return -1;
    for (size_t i = 0; i < n; i++) {
        double at = floor((v[i] - lo) / h->width);
        if (at < 0)
            at = 0;
        if (at >= bins)
            at = bins - 1;
        h->count[(unsigned)at]++;
    }
    return 0;
}

void histogram_draw(const struct histogram *h, unsigned columns)
{
    unsigned tallest = 1;
    for (unsigned b = 0; b < h->bins; b++)
        if (h->count[b] > tallest)
            tallest = h->count[b];
    for (unsigned b = 0; b < h->bins; b++) {
        unsigned len = (h->count[b] * columns + tallest / 2) / tallest;
        printf("%7.1f | ", h->lo + b * h->width);
        for (unsigned c = 0; c < len; c++)
            putchar('#');
        printf(" %u\n", h->count[b]);
    }
}

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / 16777216.0;
}

static void fill_sample(double *v, size_t n, int shape, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double u = uniform(&seed);
        switch (shape) {
        case 0: v[i] = 100.0 * u; break;
        case 1: v[i] = 50.0 + 10.0 * (u + uniform(&seed) + uniform(&seed) + uniform(&seed) - 2.0); break;
        case 2: v[i] = 5.0 / (1.02 - u); break;
        default: v[i] = floor(6.0 * u); break;
        }
    }
}

static int ranks_hold(const double *v, size_t n)
{
    double work[1024];
    for (size_t k = 0; k < n; k += 97) {
        size_t below = 0, upto = 0;
        memcpy(work, v, n * sizeof *v);
        double x = select_kth(work, n, k);
        for (size_t i = 0; i < n; i++) {
            below += v[i] < x;
            upto += v[i] <= x;
        }
        if (below > k || upto <= k)
            return 0;
    }
    return 1;
}

int main(void)
{
    enum { N = 1000 };
    static const char *const label[] = {"uniform", "bell", "long tail", "dice"};
    double v[N];
    int status = 0;
    for (int shape = 0; shape < 4; shape++) {
        struct summary s;
        struct histogram h;
        fill_sample(v, N, shape, 41u + (uint64_t)shape);
        if (summarize(v, N, &s) != 0 || !ranks_hold(v, N)) {
            status = 1;
            continue;
        }
        printf("%s: n=%zu mean %.4g sd %.4g mad %.4g outliers %zu\n", label[shape], s.count, s.mean,
               s.stddev, s.mad, s.outliers);
        printf("  five numbers: %.4g %.4g %.4g %.4g %.4g\n", s.min, s.q1, s.median, s.q3, s.max);
        if (histogram_build(&h, v, N, s.min, s.max, 6) != 0)
            return 1;
        histogram_draw(&h, 40);
        free(h.count);
    }
    return status;
}
