// A* over a cave map with swamps: eight directions, 10/14 step costs, no corner
// cutting. The open list is a bucket queue, which a consistent heuristic allows.
// Three heuristics must agree on the cost; the map is printed with the route.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define W 64
#define H 20
#define CELLS (W * H)
#define MAX_COST ((CELLS + W) * 14 * 3)
#define MAX_ENTRIES (CELLS * 8)

typedef int (*heuristic_fn)(int dx, int dy);
typedef struct { int cell, next; } entry_t;

typedef struct {
    int cost[CELLS], from[CELLS];
    bool closed[CELLS];
    entry_t pool[MAX_ENTRIES];
    int used, bucket[MAX_COST];
} search_t;

static int blind(int dx, int dy) { return (void)dx, (void)dy, 0; }
static int chebyshev(int dx, int dy) { return 10 * (dx > dy ? dx : dy); }
static int octile(int dx, int dy) { return dx > dy ? 10 * dx + 4 * dy : 10 * dy + 4 * dx; }

static int estimate(heuristic_fn h, int a, int b)
{
    return h(abs(a % W - b % W), abs(a / W - b / W));
}

static void enqueue(search_t *s, int cell, int priority)
{
    s->pool[s->used] = (entry_t){cell, s->bucket[priority]};
    s->bucket[priority] = s->used++;
}

static bool passable(const char *map, int x, int y)
{
    return x >= 0 && x < W && y >= 0 && y < H && map[y * W + x] != '#';
}

static void expand(search_t *s, const char *map, int cell, int goal, heuristic_fn h)
{
    int x = cell % W, y = cell / W;
    for (int dir = 0; dir < 9; dir++) {
        int dx = dir % 3 - 1, dy = dir / 3 - 1;
        if (dir == 4 || !passable(map, x + dx, y + dy))
            continue;
        if (dx && dy && !(passable(map, x + dx, y) && passable(map, x, y + dy)))
            continue;
        int to = cell + dy * W + dx;
        int cost = s->cost[cell] + (dx && dy ? 14 : 10) * (map[to] == '~' ? 3 : 1);
        if (s->closed[to] || cost >= s->cost[to])
            continue;
        s->cost[to] = cost;
        s->from[to] = cell;
        enqueue(s, to, cost + estimate(h, to, goal));
    }
}

// Returns the cost of the cheapest route or -1; *expanded counts closed cells.
int astar(search_t *s, const char *map, int start, int goal, heuristic_fn h, int *expanded)
{
    memset(s, 0, sizeof *s);
    memset(s->bucket, -1, sizeof s->bucket);
    for (int i = 0; i < CELLS; i++)
        s->cost[i] = MAX_COST;
    s->cost[start] = 0;
    s->from[start] = start;
    enqueue(s, start, estimate(h, start, goal));
    *expanded = 0;
    for (int f = 0; f < MAX_COST; f++) {
        while (s->bucket[f] >= 0) {
            entry_t top = s->pool[s->bucket[f]];
            s->bucket[f] = top.next;
            if (s->closed[top.cell])
                continue;
            s->closed[top.cell] = true;
            ++*expanded;
            if (top.cell == goal)
                return s->cost[goal];
            expand(s, map, top.cell, goal, h);
        }
    }
    return -1;
}

// Random rock smoothed by a cellular automaton, then swamp where noise is low.
void carve_cave(char *map, uint32_t seed)
{
    char old[CELLS];
    for (int i = 0; i < CELLS; i++) {
        seed = seed * 747796405u + 2891336453u;
        map[i] = (seed >> 16) % 100 < 38 ? '#' : '.';
    }
    for (int pass = 0; pass < 2; pass++) {
        memcpy(old, map, sizeof old);
        for (int i = 0; i < CELLS; i++) {
            int rock = 0;
            for (int k = 0; k < 9; k++)
                rock += !passable(old, i % W + k % 3 - 1, i / W + k / 3 - 1);
            map[i] = rock >= 5 ? '#' : '.';
        }
    }
    for (int i = 0; i < CELLS; i++)
        if (map[i] == '.' && (i % W * 7 + i / W * 5) % 31 < 6)
            map[i] = '~';
}

int main(void)
{
    static const struct { const char *name; heuristic_fn fn; } table[] = {
        {"blind", blind}, {"chebyshev", chebyshev}, {"octile", octile}};
    static char map[CELLS];
    search_t *s = malloc(sizeof *s);
    int reference = 0, bad = s == NULL;

    carve_cave(map, 20u);
    int start = W + 1, goal = CELLS - W - 2;
    while (map[start] == '#')
        start++;
    while (map[goal] == '#')
        goal--;
    for (int i = 0; s && i < 3; i++) {
        int expanded, cost = astar(s, map, start, goal, table[i].fn, &expanded);
        printf("%-9s cost %d, %d cells expanded\n", table[i].name, cost, expanded);
        reference = i ? reference : cost;
        bad += cost != reference || cost < 0;
    }
    for (int at = goal; !bad && at != start; at = s->from[at])
        map[at] = '*';
    map[start] = 'S';
    map[goal] = 'G';
    for (int y = 0; y < H; y++)
        printf("%.*s\n", W, map + y * W);
    free(s);
    return bad != 0;
}
