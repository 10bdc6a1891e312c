/*
 * Minimum spanning forest twice, by Kruskal and by Boruvka, over a disjoint-set
 * forest with union by size and path halving. Both must choose the same edges.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 400
#define EDGES 1500

struct edge {
    uint16_t a, b;
    uint32_t weight;
};

struct dsu {
    int16_t link[NODES]; /* parent, or minus the size at a root */
    int sets;
};

void dsu_init(struct dsu *d)
{
    for (int i = 0; i < NODES; i++)
        d->link[i] = -1;
    d->sets = NODES;
}

int dsu_find(struct dsu *d, int x)
{
    while (d->link[x] >= 0) {
        int up = d->link[x];
        if (d->link[up] >= 0)
            d->link[x] = d->link[up];
        x = up;
    }
    return x;
}

bool dsu_union(struct dsu *d, int x, int y)
{
    x = dsu_find(d, x);
    y = dsu_find(d, y);
    if (x == y)
        return false;
    int big = d->link[x] <= d->link[y] ? x : y, small = x ^ y ^ big;
    d->link[big] = (int16_t)(d->link[big] + d->link[small]);
    d->link[small] = (int16_t)big;
    d->sets--;
    return true;
}

static const struct edge *sort_base;

/* Ties go to the lower edge number, which makes the minimum forest unique. */
static bool lighter(const struct edge *edges, int i, int j)
{
    return edges[i].weight != edges[j].weight ? edges[i].weight < edges[j].weight : i < j;
}

static int compare_numbers(const void *p, const void *q)
{
    int i = *(const int *)p, j = *(const int *)q;
    return i == j ? 0 : lighter(sort_base, i, j) ? -1 : 1;
}

uint64_t kruskal(const struct edge *edges, int count, bool *chosen)
{
    struct dsu sets;
    uint64_t total = 0;
    int order[EDGES];
    for (int i = 0; i < count; i++)
        order[i] = i;
    sort_base = edges;
    qsort(order, (size_t)count, sizeof *order, compare_numbers);
    dsu_init(&sets);
    for (int i = 0; i < count && sets.sets > 1; i++) {
        const struct edge *e = &edges[order[i]];
        chosen[order[i]] = dsu_union(&sets, e->a, e->b);
        if (chosen[order[i]])
            total += e->weight;
    }
    return total;
}

uint64_t boruvka(const struct edge *edges, int count, bool *chosen, int *rounds)
{
    struct dsu sets;
    uint64_t total = 0;
    bool progress = true;
    dsu_init(&sets);
    for (*rounds = 0; progress; ++*rounds) {
        int cheapest[NODES];
        memset(cheapest, -1, sizeof cheapest);
        for (int i = 0; i < count; i++) {
            int ends[2] = {dsu_find(&sets, edges[i].a), dsu_find(&sets, edges[i].b)};
            if (ends[0] == ends[1])
                continue;
            for (int k = 0; k < 2; k++)
                if (cheapest[ends[k]] < 0 || lighter(edges, i, cheapest[ends[k]]))
                    cheapest[ends[k]] = i;
        }
        progress = false;
        for (int v = 0; v < NODES; v++) {
            int i = cheapest[v];
            if (i >= 0 && dsu_union(&sets, edges[i].a, edges[i].b)) {
                chosen[i] = progress = true;
                total += edges[i].weight;
            }
        }
    }
    return total;
}

static void make_edges(struct edge *edges, uint64_t seed)
{
    for (int i = 0; i < EDGES; i++) {
        seed = seed * UINT64_C(2862933555777941757) + 3037000493u;
        edges[i].a = (uint16_t)((seed >> 20) % NODES);
        edges[i].b = (uint16_t)((seed >> 32) % NODES);
        edges[i].weight = (uint32_t)(seed >> 48) % 997;
    }
}

int main(void)
{
    static struct edge edges[EDGES];
    int bad = 0;
    make_edges(edges, 2011);
    for (int count = 100; count <= EDGES; count += 350) {
        bool left[EDGES] = {false}, right[EDGES] = {false};
        int rounds, picked = 0;
        uint64_t k = kruskal(edges, count, left), b = boruvka(edges, count, right, &rounds);
        for (int i = 0; i < count; i++)
            picked += left[i];
        bool same = k == b && memcmp(left, right, sizeof left) == 0;
        printf("%4d edges: forest of %d weighs %llu, %d rounds, %s\n", count, picked,
               (unsigned long long)k, rounds, same ? "equal" : "DIFFERENT");
        bad += !same;
    }
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
