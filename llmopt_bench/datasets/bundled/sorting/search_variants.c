/* Searching a sorted table five ways: branching and branch-free lower bound, upper bound,
   exponential (galloping) search, interpolation search, and a lower bound in Eytzinger
   (breadth-first heap) layout. All are checked against each other on every probe. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int32_t item;

size_t lower_bound(const item *v, size_t n, item key)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) >> 1;
        if (v[mid] < key) lo = mid + 1; else hi = mid;
    }
    return lo;
}

size_t upper_bound(const item *v, size_t n, item key)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) >> 1;
        if (key < v[mid]) hi = mid; else lo = mid + 1;
    }
    return lo;
}

size_t branchless_lower_bound(const item *v, size_t n, item key)
{
    const item *base = v;
    if (n == 0)
        return 0;
    while (n > 1) {
        size_t half = n / 2;
        base += (base[half - 1] < key) * half;
        n -= half;
    }
    return (size_t)(base - v) + (*base < key);
}

size_t exponential_lower_bound(const item *v, size_t n, item key)
{
    size_t bound = 1;
    while (bound < n && v[bound] < key)
        bound *= 2;
    size_t from = bound / 2;
    size_t to = bound < n ? bound + 1 : n;
    return from < to ? from + lower_bound(v + from, to - from, key) : from;
}

/* Lower bound by guessing the position from the key's distance to both ends. */
size_t interpolation_lower_bound(const item *v, size_t n, item key, unsigned *probes)
{
    size_t lo = 0, hi = n;
    while (hi - lo > 4 && v[lo] < key && key <= v[hi - 1]) {
        uint64_t span = (uint64_t)((int64_t)v[hi - 1] - v[lo]);
        uint64_t into = (uint64_t)((int64_t)key - v[lo]);
        size_t mid = lo + (size_t)(into * (hi - 1 - lo) / span);
        ++*probes;
        if (v[mid] < key)
            lo = mid + 1;
        else if (mid > lo && v[mid - 1] >= key)
            hi = mid;
        else
            return mid;
    }
    while (lo < hi && v[lo] < key)
        lo++;
    return lo;
}

/* Places v in breadth-first order into tree[1..n]; rank[] remembers each node's sorted index. */
static size_t eytzinger_fill(const item *v, size_t n, item *tree, size_t *rank, size_t i, size_t k)
{
    if (k <= n) {
        i = eytzinger_fill(v, n, tree, rank, i, 2 * k);
        tree[k] = v[i];
        rank[k] = i++;
        i = eytzinger_fill(v, n, tree, rank, i, 2 * k + 1);
    }
    return i;
}

size_t eytzinger_lower_bound(const item *tree, const size_t *rank, size_t n, item key)
{
    size_t k = 1;
    while (k <= n)
        k = 2 * k + (tree[k] < key);
    /* Undo the right turns after the last left turn: there the answer was passed. */
    while (k & 1)
        k >>= 1;
    k >>= 1;
    return k ? rank[k] : n;
}

static unsigned probe_all(const item *v, size_t n, const item *tree, const size_t *rank,
                          item lo, item hi, item stride, uint32_t *sum, unsigned *probes)
{
    unsigned mismatches = 0;
    for (item key = lo; key <= hi; key += stride) {
        size_t want = lower_bound(v, n, key);
        size_t equal = upper_bound(v, n, key) - want;
        mismatches += branchless_lower_bound(v, n, key) != want;
        mismatches += exponential_lower_bound(v, n, key) != want;
        mismatches += interpolation_lower_bound(v, n, key, probes) != want;
        mismatches += eytzinger_lower_bound(tree, rank, n, key) != want;
        *sum = *sum * 31u + (uint32_t)(want + 7 * equal);
    }
    return mismatches;
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 2, 7, 64, 1000, 4095};
    unsigned bad = 0;
    uint32_t seed = 99;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = sizes[s];
        item *v = malloc((n + 1) * sizeof *v), *tree = malloc((n + 1) * sizeof *tree);
        size_t *rank = malloc((n + 1) * sizeof *rank);
        unsigned probes = 0, wrong;
        uint32_t sum = 0;
        item x = -5000;
        if (!v || !tree || !rank)
            return 1;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245u + 12345u;
            v[i] = x += (item)((seed >> 16) % 5);
        }
        eytzinger_fill(v, n, tree, rank, 0, 1);
        wrong = probe_all(v, n, tree, rank, -5003, x + 3, 3, &sum, &probes);
        printf("n=%4zu mismatches=%u interpolation probes=%u sum=%08x\n", n, wrong, probes,
               (unsigned)sum);
        bad += wrong;
        free(v); free(tree); free(rank);
    }
    return bad ? 1 : 0;
}
