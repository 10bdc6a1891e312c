/*
 * Introspective sort behind a qsort_r-like interface: quicksort with a pseudo-median pivot,
 * heapsort once the recursion gets too deep, insertion sort for short ranges.
 * The self-exercise sorts several element sizes and distributions, including a sequence
 * built while sorting to defeat the pivot choice, and reports how many comparisons were spent.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*isort_cmp)(const void *a, const void *b, void *ctx);

struct sorter {
    isort_cmp cmp;
    void *ctx;
    size_t width;
    size_t heap_fallbacks;
};

enum { SMALL_RANGE = 16, NINTHER_RANGE = 128 };

static void swap_bytes(char *a, char *b, size_t width)
{
    while (width >= sizeof(uint64_t)) {
        uint64_t x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        memcpy(a, &y, sizeof y);
        memcpy(b, &x, sizeof x);
        a += sizeof x;
        b += sizeof x;
        width -= sizeof x;
    }
    while (width-- > 0) {
        char t = *a;
        *a++ = *b;
        *b++ = t;
    }
}

static bool before(const struct sorter *s, const char *a, const char *b)
{
    return s->cmp(a, b, s->ctx) < 0;
}

static void insertion_range(const struct sorter *s, char *lo, char *hi)
{
    for (char *p = lo + s->width; p < hi; p += s->width)
        for (char *q = p; q > lo && before(s, q, q - s->width); q -= s->width)
            swap_bytes(q, q - s->width, s->width);
}

static void sift_down(const struct sorter *s, char *base, size_t root, size_t n)
{
    size_t child;
    while ((child = 2 * root + 1) < n) {
        if (child + 1 < n && before(s, base + child * s->width, base + (child + 1) * s->width))
            child++;
        if (!before(s, base + root * s->width, base + child * s->width))
            return;
        swap_bytes(base + root * s->width, base + child * s->width, s->width);
        root = child;
    }
}

static void heapsort_range(struct sorter *s, char *lo, char *hi)
{
    size_t n = (size_t)(hi - lo) / s->width;
    s->heap_fallbacks++;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(s, lo, i, n);
    while (n > 1) {
        n--;
        swap_bytes(lo, lo + n * s->width, s->width);
        sift_down(s, lo, 0, n);
    }
}

static char *median3(const struct sorter *s, char *a, char *b, char *c)
{
    if (before(s, a, b)) {
        if (before(s, b, c))
            return b;
        return before(s, a, c) ? c : a;
    }
    if (before(s, c, b))
        return b;
    return before(s, c, a) ? c : a;
}

/* Samples inner elements only: the ends are what earlier partition steps have disturbed. */
static char *choose_pivot(const struct sorter *s, char *lo, char *hi)
{
    size_t n = (size_t)(hi - lo) / s->width;
    size_t step = n / 16 * s->width;
    char *first = lo + n / 4 * s->width;
    char *mid = lo + n / 2 * s->width;
    char *last = lo + (n - n / 4) * s->width;

    if (n >= NINTHER_RANGE) {
        first = median3(s, first - step, first, first + step);
        mid = median3(s, mid - step, mid, mid + step);
        last = median3(s, last - step, last, last + step);
    }
    return median3(s, first, mid, last);
}

/* Hoare partition around the element moved to lo; returns its final place. */
static char *partition(const struct sorter *s, char *lo, char *hi)
{
    char *i = lo, *j = hi;
    swap_bytes(lo, choose_pivot(s, lo, hi), s->width);
    for (;;) {
        do
            i += s->width;
        while (i < hi && before(s, i, lo));
        do
            j -= s->width;
        while (before(s, lo, j));
        if (i >= j)
            break;
        swap_bytes(i, j, s->width);
    }
    swap_bytes(lo, j, s->width);
    return j;
}

static void sort_range(struct sorter *s, char *lo, char *hi, unsigned depth)
{
    while ((size_t)(hi - lo) > SMALL_RANGE * s->width) {
        if (depth-- == 0) {
            heapsort_range(s, lo, hi);
            return;
        }
        char *p = partition(s, lo, hi);
        /* Recurse into the shorter side only, so that the stack stays logarithmic. */
        if (p - lo < hi - p) {
            sort_range(s, lo, p, depth);
            lo = p + s->width;
        } else {
            sort_range(s, p + s->width, hi, depth);
            hi = p;
        }
    }
    insertion_range(s, lo, hi);
}

/* Sorts n elements of `width` bytes; returns how many ranges fell back to heapsort. */
size_t introsort(void *base, size_t n, size_t width, isort_cmp cmp, void *ctx)
{
    struct sorter s = {cmp, ctx, width, 0};
    unsigned depth = 0;
    if (n < 2 || width == 0)
        return 0;
    for (size_t m = n; m > 1; m >>= 1)
        depth += 2;
    sort_range(&s, base, (char *)base + n * width, depth);
    return s.heap_fallbacks;
}

bool is_sorted(const void *base, size_t n, size_t width, isort_cmp cmp, void *ctx)
{
    const char *p = base;
    for (size_t i = 1; i < n; i++, p += width)
        if (cmp(p, p + width, ctx) > 0)
            return false;
    return true;
}

/* ---- self-exercise ---- */

enum { COUNT = 1500 };

struct employee {
    char name[13];
    uint8_t grade;
    int32_t salary;
};

static uint32_t lcg_state = 0x1234567u;

static uint32_t next_random(uint32_t bound)
{
    lcg_state = lcg_state * 1664525u + 1013904223u;
    return (lcg_state >> 8) % bound;
}

static int cmp_int(const void *a, const void *b, void *ctx)
{
    int x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    ++*(unsigned long *)ctx;
    return (x > y) - (x < y);
}

static int cmp_employee(const void *a, const void *b, void *ctx)
{
    const struct employee *x = a, *y = b;
    ++*(unsigned long *)ctx;
    if (x->grade != y->grade)
        return x->grade < y->grade ? 1 : -1;
    if (x->salary != y->salary)
        return x->salary < y->salary ? -1 : 1;
    return strcmp(x->name, y->name);
}

/*
 * McIlroy's antiqsort: values are decided only when two undecided ones are compared,
 * and the one that looks like the pivot is made as small as still possible.
 */
struct adversary {
    int value[COUNT];
    int solid, candidate;
    unsigned long compares;
};

static int cmp_adversary(const void *a, const void *b, void *ctx)
{
    struct adversary *adv = ctx;
    const int *x = a, *y = b;
    adv->compares++;
    if (adv->value[*x] == INT_MAX && adv->value[*y] == INT_MAX)
        adv->value[*x == adv->candidate ? *x : *y] = adv->solid++;
    if (adv->value[*x] == INT_MAX)
        adv->candidate = *x;
    else if (adv->value[*y] == INT_MAX)
        adv->candidate = *y;
    return (adv->value[*x] > adv->value[*y]) - (adv->value[*x] < adv->value[*y]);
}

static void fill(int *v, int kind)
{
    for (int i = 0; i < COUNT; i++) {
        switch (kind) {
        case 0: v[i] = (int)next_random(1000000) - 500000; break;
        case 1: v[i] = i; break;
        case 2: v[i] = COUNT - i; break;
        case 3: v[i] = i < COUNT / 2 ? i : COUNT - i; break;
        case 4: v[i] = (int)next_random(4); break;
        default: v[i] = 7; break;
        }
    }
}

static bool exercise_ints(void)
{
    static const char *const names[] = {"random", "ascending", "descending",
                                        "organ-pipe", "few-keys", "constant"};
    bool ok = true;
    int v[COUNT];
    for (int kind = 0; kind < 6; kind++) {
        unsigned long compares = 0, sum = 0;
        fill(v, kind);
        size_t heaps = introsort(v, COUNT, sizeof v[0], cmp_int, &compares);
        printf("%-11s %6lu compares, %zu heap ranges", names[kind], compares, heaps);
        ok &= is_sorted(v, COUNT, sizeof v[0], cmp_int, &compares);
        for (int i = 0; i < COUNT; i++)
            sum = sum * 31 + (unsigned long)(v[i] + 1000000);
        printf(", checksum %08lx\n", sum & 0xffffffffu);
    }
    return ok;
}

static bool exercise_employees(void)
{
    struct employee staff[300];
    unsigned long compares = 0;
    for (size_t i = 0; i < 300; i++) {
        memset(&staff[i], 0, sizeof staff[i]);
        for (size_t k = 0; k < 4 + i % 7; k++)
            staff[i].name[k] = (char)('a' + next_random(26));
        staff[i].grade = (uint8_t)next_random(5);
        staff[i].salary = 20000 + 500 * (int32_t)next_random(20);
    }
    introsort(staff, 300, sizeof staff[0], cmp_employee, &compares);
    for (int i = 0; i < 300; i += 75)
        printf("%-12s grade %d salary %d\n", staff[i].name, staff[i].grade, (int)staff[i].salary);
    return is_sorted(staff, 300, sizeof staff[0], cmp_employee, &compares);
}

static bool exercise_adversary(void)
{
    static struct adversary adv;
    int v[COUNT];
    for (int i = 0; i < COUNT; i++) {
        v[i] = i;
        adv.value[i] = INT_MAX;
    }
    size_t heaps = introsort(v, COUNT, sizeof v[0], cmp_adversary, &adv);
    printf("adversary   %6lu compares, fell back: %s\n", adv.compares, heaps ? "yes" : "no");
    return is_sorted(v, COUNT, sizeof v[0], cmp_adversary, &adv) && heaps > 0;
}

int main(void)
{
    bool ok = exercise_ints();
    ok &= exercise_employees();
    ok &= exercise_adversary();
    puts(ok ? "all sorted" : "ORDER VIOLATED");
    return ok ? 0 : 1;
}
