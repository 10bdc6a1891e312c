/*
 * K-way merge with a loser tree, the way an external sort merges its runs: every source hands out
 * sorted blocks through a refill callback into a small buffer, and each output record costs one
 * walk from a leaf to the root. A running consumer folds equal keys together.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rec { uint64_t key; uint32_t amount; };

struct source {
    size_t (*refill)(struct source *, struct rec *, size_t room); /* 0 means exhausted */
    struct rec buf[8];
    size_t pos, len;
    uint64_t next_key;
    uint32_t seed, left, refills;
};

struct merger {
    struct source *src;
    int *node; /* node[0] the winner, node[1..k-1] the loser of each match */
    int k;
    uint64_t matches;
};

static const struct rec *head(const struct source *s)
{
    return s->pos < s->len ? &s->buf[s->pos] : NULL;
}

static void advance(struct source *s)
{
    if (s->pos < s->len)
        s->pos++;
    if (s->pos == s->len) {
        s->pos = 0;
        s->len = s->refill(s, s->buf, sizeof s->buf / sizeof s->buf[0]);
        s->refills += s->len != 0;
    }
}

/* An exhausted source loses to every live one; ties go to the lower index for stability. */
static bool beats(struct merger *m, int a, int b)
{
    const struct rec *x, *y;
    if (a < 0 || b < 0)
        return a < 0; /* the not-yet-played marker wins, so it sinks no one while building */
    m->matches++;
    x = head(&m->src[a]);
    y = head(&m->src[b]);
    if (!x || !y)
        return x != NULL || (y == NULL && a < b);
    return x->key != y->key ? x->key < y->key : a < b;
}

static void replay(struct merger *m, int leaf)
{
    int winner = leaf;
    for (int n = (leaf + m->k) / 2; n > 0; n /= 2) {
        if (beats(m, m->node[n], winner)) {
            int t = m->node[n];
            m->node[n] = winner;
            winner = t;
        }
    }
    m->node[0] = winner;
}

bool merger_open(struct merger *m, struct source *src, int k)
{
    m->src = src;
    m->k = k;
    m->matches = 0;
    m->node = malloc((size_t)k * sizeof *m->node);
    if (!m->node)
        return false;
    for (int i = 0; i < k; i++)
        m->node[i] = -1;
    for (int i = k - 1; i >= 0; i--) {
        advance(&src[i]);
        replay(m, i);
    }
    return true;
}

bool merger_next(struct merger *m, struct rec *out)
{
    int w = m->node[0];
    const struct rec *r = head(&m->src[w]);
    if (!r)
        return false;
    *out = *r;
    advance(&m->src[w]);
    replay(m, w);
    return true;
}

void merger_close(struct merger *m)
{
    free(m->node);
    m->node = NULL;
}

static uint32_t step(struct source *s)
{
    s->seed = s->seed * 747796405u + 2891336453u;
    return s->seed >> 22;
}

static size_t refill_sparse(struct source *s, struct rec *out, size_t room)
{
    size_t n = 0;
    for (; n < room && s->left > 0; n++, s->left--) {
        s->next_key += step(s) % 64;
        out[n] = (struct rec){s->next_key, step(s) % 10};
    }
    return n;
}

static size_t refill_bursts(struct source *s, struct rec *out, size_t room)
{
    size_t n = 0, want = 1 + step(s) % room;
    s->next_key += 500;
    while (n < want && s->left > 0) {
        out[n++] = (struct rec){s->next_key, 1};
        s->left--;
    }
    return n;
}

static bool run_merge(int k)
{
    struct source *src = calloc((size_t)k, sizeof *src);
    struct merger m;
    struct rec r;
    uint64_t expected = 0, records = 0, groups = 0, total = 0, prev = 0, fold = 0, refills = 0;
    bool ordered = true;

    if (!src)
        return false;
    for (int i = 0; i < k; i++) {
        src[i].refill = i % 3 == 2 ? refill_bursts : refill_sparse;
        src[i].seed = 17u * (uint32_t)i + 3u;
        src[i].left = i % 5 == 4 ? 0 : 100u + 7u * (uint32_t)i;
        expected += src[i].left;
    }
    if (!merger_open(&m, src, k)) {
        free(src);
        return false;
    }
    while (merger_next(&m, &r)) {
        ordered &= records == 0 || prev <= r.key;
        groups += records == 0 || prev != r.key;
        prev = r.key;
        total += r.amount;
        fold = fold * 6364136223846793005u + r.key + r.amount;
        records++;
    }
    for (int i = 0; i < k; i++)
        refills += src[i].refills;
    printf("k=%2d records=%5llu groups=%5llu total=%6llu refills=%4llu matches=%6llu fold=%016llx\n",
           k, (unsigned long long)records, (unsigned long long)groups, (unsigned long long)total,
           (unsigned long long)refills, (unsigned long long)m.matches, (unsigned long long)fold);
    merger_close(&m);
    free(src);
    return ordered && records == expected;
}

int main(void)
{
    static const int widths[] = {1, 2, 3, 7, 16, 33};
    bool ok = true;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        ok &= run_merge(widths[i]);
    puts(ok ? "merged in order" : "MERGE FAILED");
    return !ok;
}
