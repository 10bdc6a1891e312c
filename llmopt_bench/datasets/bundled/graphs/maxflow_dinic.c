/* Dinic's maximum flow with level graph and current-arc pointers. Each run is
 * proved by the minimum cut found in the residual network and by conservation. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 256, MAX_ARCS = 8192 };

typedef struct {
    int to, next, cap, flow; /* arc e and its reverse are e and e ^ 1 */
} Arc;

typedef struct {
    int nodes, arcs;
    int first[MAX_NODES];
    int level[MAX_NODES];
    int current[MAX_NODES];
    Arc arc[MAX_ARCS];
} Network;

void network_reset(Network *net, int nodes)
{
    net->nodes = nodes;
    net->arcs = 0;
    memset(net->first, -1, sizeof net->first);
}

static void push_arc(Network *net, int from, int to, int cap)
{
    net->arc[net->arcs] = (Arc){to, net->first[from], cap, 0};
    net->first[from] = net->arcs++;
}

int network_connect(Network *net, int from, int to, int cap)
{
    if (net->arcs + 2 > MAX_ARCS || from == to)
        return -1;
    push_arc(net, from, to, cap);
    push_arc(net, to, from, 0);
    return net->arcs - 2;
}

static inline int residual(const Arc *a) { return a->cap - a->flow; }

/* Breadth-first levels; nodes that cannot be reached keep -1. */
static int build_levels(Network *net, int source, int sink)
{
    int queue[MAX_NODES], head = 0, tail = 0;
    memset(net->level, -1, sizeof net->level);
    net->level[source] = 0;
    queue[tail++] = source;
    while (head < tail) {
        int v = queue[head++];
        for (int e = net->first[v]; e >= 0; e = net->arc[e].next) {
            const Arc *a = &net->arc[e];
            if (residual(a) > 0 && net->level[a->to] < 0) {
                net->level[a->to] = net->level[v] + 1;
                queue[tail++] = a->to;
            }
        }
    }
    return net->level[sink] >= 0;
}

static int augment(Network *net, int v, int sink, int limit)
{
    if (v == sink)
        return limit;
    int sent = 0;
    for (int *e = &net->current[v]; *e >= 0; *e = net->arc[*e].next) {
        Arc *a = &net->arc[*e];
        if (residual(a) <= 0 || net->level[a->to] != net->level[v] + 1)
            continue;
        int want = limit - sent < residual(a) ? limit - sent : residual(a);
        int got = augment(net, a->to, sink, want);
        a->flow += got;
        net->arc[*e ^ 1].flow -= got;
        sent += got;
        if (sent == limit)
            break; /* the arc may still have room: keep it current */
    }
    return sent;
}

int max_flow(Network *net, int source, int sink, int *phases)
{
    int total = 0;
    for (*phases = 0; build_levels(net, source, sink); ++*phases) {
        memcpy(net->current, net->first, sizeof net->first);
        total += augment(net, source, sink, INT_MAX);
    }
    return total;
}

/* After max_flow the levelled nodes are the source side of a minimum cut. */
static int cut_capacity(const Network *net)
{
    int total = 0;
    for (int e = 0; e < net->arcs; e += 2)
        if (net->level[net->arc[e ^ 1].to] >= 0 && net->level[net->arc[e].to] < 0)
            total += net->arc[e].cap;
    return total;
}

static int conserves(const Network *net, int source, int sink, int value)
{
    int excess[MAX_NODES] = {0};
    for (int e = 0; e < net->arcs; e += 2) {
        const Arc *a = &net->arc[e];
        if (a->flow < 0 || a->flow > a->cap)
            return 0;
        excess[net->arc[e ^ 1].to] -= a->flow;
        excess[a->to] += a->flow;
    }
    for (int v = 0; v < net->nodes; v++)
        if (excess[v] != (v == sink ? value : v == source ? -value : 0))
            return 0;
    return 1;
}

static int solve(const char *name, Network *net, int source, int sink, int known)
{
    int phases, value = max_flow(net, source, sink, &phases);
    int good = value == cut_capacity(net) && conserves(net, source, sink, value);
    good = good && (known < 0 || value == known);
    printf("%-8s flow %6d in %2d phases, certificate %s\n", name, value, phases,
           good ? "holds" : "FAILS");
    return !good;
}

static void textbook_network(Network *net)
{
    static const int edges[][3] = {{0, 1, 16}, {0, 2, 13}, {1, 2, 10}, {2, 1, 4}, {1, 3, 12},
                                   {3, 2, 9},  {2, 4, 14}, {4, 3, 7},  {3, 5, 20}, {4, 5, 4}};
    network_reset(net, 6);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        network_connect(net, edges[i][0], edges[i][1], edges[i][2]);
}

/* Layers of equal width, random arcs from each layer to the next and some back. */
static void layered_network(Network *net, int layers, int width, unsigned seed)
{
    network_reset(net, layers * width + 2);
    int source = layers * width, sink = source + 1;
    for (int i = 0; i < width; i++) {
        network_connect(net, source, i, 500);
        network_connect(net, (layers - 1) * width + i, sink, 500);
    }
    for (int v = 0; v < (layers - 1) * width; v++)
        for (int k = 0; k < 6; k++) {
            seed = seed * 69069u + 1u;
            int w = (v / width + 1) * width + (int)((seed >> 10) % (unsigned)width);
            int cap = 1 + (int)((seed >> 22) % 200u);
            network_connect(net, k == 5 ? w : v, k == 5 ? v : w, cap);
        }
}

int main(void)
{
    Network *net = malloc(sizeof *net);
    if (!net)
        return 2;
    textbook_network(net);
    int bad = solve("textbook", net, 0, 5, 23);
    for (int width = 5; width <= 25; width += 5) {
        char name[16];
        snprintf(name, sizeof name, "9x%d", width);
        layered_network(net, 9, width, 2024u + (unsigned)width);
        bad += solve(name, net, 9 * width, 9 * width + 1, -1);
    }
    free(net);
    return bad != 0;
}
