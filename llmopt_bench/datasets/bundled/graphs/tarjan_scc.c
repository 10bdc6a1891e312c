// Strongly connected components by Tarjan's algorithm with an explicit stack,
// the condensation of the graph, and a topological order of it. Reachability
// by plain search confirms the components and the order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int n, m;
    int *start;  // CSR: edges of v are target[start[v] .. start[v + 1])
    int *target;
} Digraph;

typedef struct {
    int v, edge;
} Frame;

static void *grab(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (p == NULL) {
        perror("calloc");
        exit(3);
    }
    return p;
}

Digraph digraph_from_pairs(int n, int m, const int (*pair)[2])
{
    Digraph g = {n, m, grab((size_t)n + 2, sizeof(int)), grab((size_t)m, sizeof(int))};
    for (int i = 0; i < m; i++)
        g.start[pair[i][0] + 2]++;
    for (int v = 0; v < n; v++)
        g.start[v + 2] += g.start[v + 1];
    for (int i = 0; i < m; i++)  // shifted by one, so that filling leaves the right bounds
        g.target[g.start[pair[i][0] + 1]++] = pair[i][1];
    return g;
}

void digraph_drop(Digraph *g)
{
    free(g->start);
    free(g->target);
}

// Fills component[] with ids in reverse topological order; returns their number.
int tarjan(const Digraph *g, int *component)
{
    int *index = grab((size_t)g->n, sizeof(int)), *low = grab((size_t)g->n, sizeof(int));
    int *open = grab((size_t)g->n, sizeof(int)), opened = 0;
    Frame *call = grab((size_t)g->n, sizeof(Frame));
    int clock = 0, found = 0;

    for (int v = 0; v < g->n; v++)
        component[v] = -1;
    for (int root = 0; root < g->n; root++) {
        if (index[root])
            continue;
        int depth = 0;
        call[0] = (Frame){root, g->start[root]};
        index[root] = low[root] = ++clock;
        open[opened++] = root;
        while (depth >= 0) {
            Frame *top = &call[depth];
            int v = top->v;
            if (top->edge < g->start[v + 1]) {
                int w = g->target[top->edge++];
                if (!index[w]) {
                    index[w] = low[w] = ++clock;
                    open[opened++] = w;
                    call[++depth] = (Frame){w, g->start[w]};
                } else if (component[w] < 0 && index[w] < low[v]) {
                    low[v] = index[w];
                }
                continue;
            }
            if (low[v] == index[v]) {
                int w;
                do {
                    w = open[--opened];
                    component[w] = found;
                } while (w != v);
                found++;
            }
            if (--depth >= 0 && low[v] < low[call[depth].v])
                low[call[depth].v] = low[v];
        }
    }
    free(call);
    free(open);
    free(low);
    free(index);
    return found;
}

static int by_pair(const void *a, const void *b)
{
    const int *p = a, *q = b;
    return p[0] != q[0] ? (p[0] > q[0]) - (p[0] < q[0]) : (p[1] > q[1]) - (p[1] < q[1]);
}

// One node per component, parallel edges merged, loops dropped.
Digraph condense(const Digraph *g, const int *component, int count)
{
    int (*pair)[2] = grab((size_t)g->m, sizeof *pair), kept = 0, unique = 0;
    for (int v = 0; v < g->n; v++)
        for (int e = g->start[v]; e < g->start[v + 1]; e++)
            if (component[v] != component[g->target[e]]) {
                pair[kept][0] = component[v];
                pair[kept++][1] = component[g->target[e]];
            }
    qsort(pair, (size_t)kept, sizeof *pair, by_pair);
    for (int i = 0; i < kept; i++)
        if (i == 0 || by_pair(pair[i], pair[i - 1]) != 0)
            memmove(pair[unique++], pair[i], sizeof *pair);
    Digraph dag = digraph_from_pairs(count, unique, (const int (*)[2])pair);
    free(pair);
    return dag;
}

// Kahn's algorithm. Returns how many nodes were ordered: fewer than n means a cycle.
int topological_order(const Digraph *g, int *order)
{
    int *waiting = grab((size_t)g->n, sizeof(int)), done = 0, ready = 0;
    for (int e = 0; e < g->m; e++)
        waiting[g->target[e]]++;
    for (int v = 0; v < g->n; v++)
        if (!waiting[v])
            order[ready++] = v;
    for (; done < ready; done++)
        for (int e = g->start[order[done]]; e < g->start[order[done] + 1]; e++)
            if (--waiting[g->target[e]] == 0)
                order[ready++] = g->target[e];
    free(waiting);
    return done;
}

static void mark_reachable(const Digraph *g, int v, unsigned char *seen)
{
    seen[v] = 1;
    for (int e = g->start[v]; e < g->start[v + 1]; e++)
        if (!seen[g->target[e]])
            mark_reachable(g, g->target[e], seen);
}

static int wrong_pairs(const Digraph *g, const int *component)
{
    size_t n = (size_t)g->n;
    unsigned char *reach = grab(n * n, 1);
    int wrong = 0;
    for (size_t v = 0; v < n; v++)
        mark_reachable(g, (int)v, reach + v * n);
    for (size_t v = 0; v < n; v++)
        for (size_t w = 0; w < n; w++)
            wrong += (reach[v * n + w] && reach[w * n + v]) != (component[v] == component[w]);
    free(reach);
    return wrong;
}

static int examine(int n, int m, unsigned seed)
{
    int (*pair)[2] = grab((size_t)m, sizeof *pair);
    int *component = grab((size_t)n, sizeof(int)), *size, *order, largest = 0, bad;
    for (int i = 0; i < m; i++)
        for (int k = 0; k < 2; k++) {
            seed = seed * 1103515245u + 12345u;
            pair[i][k] = (int)((seed >> 16) % (unsigned)n);
        }
    Digraph g = digraph_from_pairs(n, m, (const int (*)[2])pair);
    int count = tarjan(&g, component);
    Digraph dag = condense(&g, component, count);
    size = grab((size_t)count, sizeof(int));
    order = grab((size_t)count, sizeof(int));

    bad = wrong_pairs(&g, component) + (topological_order(&dag, order) != count);
    for (int c = 0; c < count; c++)  // Tarjan numbers sinks first
        for (int e = dag.start[c]; e < dag.start[c + 1]; e++)
            bad += dag.target[e] >= c;
    for (int v = 0; v < n; v++)
        if (++size[component[v]] > largest)
            largest = size[component[v]];
    printf("n=%3d m=%3d: %3d components, largest %3d, %3d edges between, first %d last %d%s\n",
           n, m, count, largest, dag.m, order[0], order[count - 1], bad ? " WRONG" : "");
    free(order);
    free(size);
    digraph_drop(&dag);
    digraph_drop(&g);
    free(component);
    free(pair);
    return bad;
}

int main(void)
{
    int bad = 0;
    for (int m = 40; m <= 280; m += 40)
        bad += examine(120, m, 7u * (unsigned)m);
    bad += examine(1, 0, 1u);
    return bad != 0;
}
