/*
 * Stable natural merge sort in the manner of timsort: detects ascending and strictly descending
 * runs, extends short ones by binary insertion, keeps the run stack balanced and merges with
 * galloping. The records are log events, sorted by key; stability is verified by sequence number.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_GALLOP 7
#define MAX_RUNS   48

typedef struct {
    int32_t key;
    uint32_t seq;
    char tag[8];
} Event;

typedef struct {
    size_t start, len;
} Run;

typedef struct {
    Event *a;
    Event *tmp;
    Run runs[MAX_RUNS];
    int depth;
    int min_gallop;
    struct { unsigned runs, merges, gallops; } stats;
} TimState;

static size_t minRunLength(size_t n)
{
    size_t odd = 0;
    while (n >= 32) {
        odd |= n & 1;
        n >>= 1;
    }
    return n + odd;
}

static void reverseRange(Event *lo, Event *hi)
{
    while (lo < --hi) {
        Event t = *lo;
        *lo++ = *hi;
        *hi = t;
    }
}

static size_t countRun(Event *a, size_t lo, size_t hi)
{
    size_t i = lo + 1;
    if (i == hi)
        return 1;
    if (a[i].key < a[lo].key) {
        while (++i < hi && a[i].key < a[i - 1].key)
            ;
        reverseRange(a + lo, a + i);
    } else {
        while (++i < hi && a[i].key >= a[i - 1].key)
            ;
    }
    return i - lo;
}

static void binaryInsertion(Event *a, size_t lo, size_t hi, size_t start)
{
    for (; start < hi; start++) {
        Event pivot = a[start];
        size_t left = lo, right = start;
        while (left < right) {
            size_t mid = left + (right - left) / 2;
            if (pivot.key < a[mid].key)
                right = mid;
            else
                left = mid + 1;
        }
        memmove(&a[left + 1], &a[left], (start - left) * sizeof *a);
        a[left] = pivot;
    }
}

/* Number of leading elements of run[0..n) that go before `key`; ties go before if `after_ties`. */
size_t gallopFromLeft(int32_t key, const Event *run, size_t n, bool after_ties)
{
    size_t ofs = 1, last = 0;
#define GOES_BEFORE(e) ((e).key < key || (after_ties && (e).key == key))
    if (n == 0 || !GOES_BEFORE(run[0]))
        return 0;
    while (ofs < n && GOES_BEFORE(run[ofs])) {
        last = ofs;
        ofs = 2 * ofs + 1;
    }
    if (ofs > n)
        ofs = n;
    last++;
    while (last < ofs) {
        size_t mid = last + (ofs - last) / 2;
        if (GOES_BEFORE(run[mid]))
            last = mid + 1;
        else
            ofs = mid;
    }
    return ofs;
}

/* The same count, but probing from the end of the run, where the answer is expected to be. */
size_t gallopFromRight(int32_t key, const Event *run, size_t n, bool after_ties)
{
    size_t back = 1, last = 0;
    while (back <= n && !GOES_BEFORE(run[n - back])) {
        last = back;
        back = 2 * back + 1;
    }
    size_t lo = back > n ? 0 : n - back + 1;
    size_t hi = n - last;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (GOES_BEFORE(run[mid]))
            lo = mid + 1;
        else
            hi = mid;
    }
#undef GOES_BEFORE
    return lo;
}

/* Left run is the shorter one: copy it out and merge towards the right. */
static void mergeLow(TimState *ts, Event *dest, size_t nleft, size_t nright)
{
    Event *left = ts->tmp, *lend = ts->tmp + nleft;
    Event *right = dest + nleft, *rend = right + nright;
    memcpy(left, dest, nleft * sizeof *left);

    while (left < lend && right < rend) {
        int lwins = 0, rwins = 0;
        while (left < lend && right < rend && lwins + rwins < ts->min_gallop) {
            if (right->key < left->key) {
                *dest++ = *right++;
                rwins++;
                lwins = 0;
            } else {
                *dest++ = *left++;
                lwins++;
                rwins = 0;
            }
        }
        size_t taken = MIN_GALLOP;
        while (left < lend && right < rend && taken >= MIN_GALLOP) {
            ts->stats.gallops++;
            size_t k = gallopFromLeft(right->key, left, (size_t)(lend - left), true);
            memcpy(dest, left, k * sizeof *dest);
            dest += k;
            left += k;
            taken = k;
            if (left == lend)
                break;
            k = gallopFromLeft(left->key, right, (size_t)(rend - right), false);
            memmove(dest, right, k * sizeof *dest);
            dest += k;
            right += k;
            taken = k > taken ? k : taken;
            if (ts->min_gallop > 1)
                ts->min_gallop--;
        }
        ts->min_gallop += 2;
    }
    memcpy(dest, left, (size_t)(lend - left) * sizeof *dest);
}

/* Right run is the shorter one: copy it out and merge towards the left, one element at a time. */
static void mergeHigh(TimState *ts, Event *base, size_t nleft, size_t nright)
{
    Event *dest = base + nleft + nright;
    memcpy(ts->tmp, base + nleft, nright * sizeof *base);
    while (nleft > 0 && nright > 0) {
        if (ts->tmp[nright - 1].key < base[nleft - 1].key)
            *--dest = base[--nleft];
        else
            *--dest = ts->tmp[--nright];
    }
    memcpy(base + nleft, ts->tmp, nright * sizeof *base);
}

static void mergeAt(TimState *ts, int i)
{
    Run *x = &ts->runs[i], *y = &ts->runs[i + 1];
    Event *left = ts->a + x->start, *right = ts->a + y->start;
    size_t skip = gallopFromLeft(right->key, left, x->len, true);
    size_t nleft = x->len - skip;
    size_t nright = nleft ? gallopFromRight(left[x->len - 1].key, right, y->len, false) : 0;

    ts->stats.merges++;
    x->len += y->len;
    memmove(y, y + 1, (size_t)(ts->depth - i - 2) * sizeof *y);
    ts->depth--;
    if (nleft == 0 || nright == 0)
        return;
    if (nleft <= nright)
        mergeLow(ts, left + skip, nleft, nright);
    else
        mergeHigh(ts, left + skip, nleft, nright);
}

static void mergeCollapse(TimState *ts, bool force)
{
    while (ts->depth > 1) {
        int n = ts->depth - 2;
        Run *r = ts->runs;
        bool crowded = (n > 0 && r[n - 1].len <= r[n].len + r[n + 1].len) ||
                       (n > 1 && r[n - 2].len <= r[n - 1].len + r[n].len);
        if (!force && !crowded && r[n].len > r[n + 1].len)
            return;
        if ((force || crowded) && n > 0 && r[n - 1].len < r[n + 1].len)
            n--;
        mergeAt(ts, n);
    }
}

/* Sorts events by key, keeping the order of equal keys. Returns false when out of memory. */
bool timsortEvents(Event *a, size_t n, TimState *ts)
{
    size_t min_run = minRunLength(n), lo = 0;
    memset(ts, 0, sizeof *ts);
    ts->a = a;
    ts->min_gallop = MIN_GALLOP;
    ts->tmp = malloc((n / 2 + 1) * sizeof *a);
    if (ts->tmp == NULL)
        return false;
    while (lo < n) {
        size_t len = countRun(a, lo, n);
        if (len < min_run) {
            size_t want = n - lo < min_run ? n - lo : min_run;
            binaryInsertion(a, lo, lo + want, lo + len);
            len = want;
        }
        ts->runs[ts->depth].start = lo;
        ts->runs[ts->depth++].len = len;
        ts->stats.runs++;
        lo += len;
        mergeCollapse(ts, false);
    }
    mergeCollapse(ts, true);
    free(ts->tmp);
    ts->tmp = NULL;
    return true;
}

static uint64_t rng = 88172645463325252u;

static uint32_t xorshift(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32);
}

static int32_t keyRandom(size_t i) { (void)i; return (int32_t)(xorshift() % 10000); }
static int32_t keyFewDistinct(size_t i) { (void)i; return (int32_t)(xorshift() % 5); }
static int32_t keySawtooth(size_t i) { return (int32_t)(i % 250); }
static int32_t keyDescending(size_t i) { return -(int32_t)i; }
static int32_t keyBlocks(size_t i) { return (int32_t)((i * 7 / 300) * 1000 % 7000 + i % 300); }
static int32_t keyNearlySorted(size_t i) { return (int32_t)(xorshift() % 97 ? i : xorshift() % 3000); }

static bool stableAndSorted(const Event *a, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (a[i - 1].key > a[i].key || (a[i - 1].key == a[i].key && a[i - 1].seq >= a[i].seq))
            return false;
    return true;
}

int main(void)
{
    static const struct {
        const char *name;
        int32_t (*key)(size_t);
        size_t n;
    } cases[] = {
        {"random", keyRandom, 3000},     {"few-distinct", keyFewDistinct, 2047},
        {"sawtooth", keySawtooth, 3000}, {"descending", keyDescending, 1001},
        {"blocks", keyBlocks, 2500},     {"nearly-sorted", keyNearlySorted, 3000},
        {"tiny", keyRandom, 3},          {"empty", keyRandom, 0},
    };
    static TimState ts;
    bool ok = true;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t n = cases[c].n;
        Event *v = calloc(n + 1, sizeof *v);
        if (v == NULL)
            return 1;
        for (size_t i = 0; i < n; i++) {
            v[i].key = cases[c].key(i);
            v[i].seq = (uint32_t)i;
            snprintf(v[i].tag, sizeof v[i].tag, "e%u", (unsigned)(i % 1000));
        }
        bool good = timsortEvents(v, n, &ts) && stableAndSorted(v, n);
        uint32_t sum = 0;
        for (size_t i = 0; i < n; i++)
            sum = (sum ^ v[i].seq) * 16777619u + (uint32_t)v[i].tag[1];
        printf("%-14s n=%4zu runs=%3u merges=%3u gallops=%4u sum=%08x %s\n", cases[c].name, n,
               ts.stats.runs, ts.stats.merges, ts.stats.gallops, (unsigned)sum,
               good ? "ok" : "BAD");
        ok &= good;
        free(v);
    }
    return ok ? 0 : 1;
}
