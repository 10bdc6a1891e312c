/*
 * Contour lines of an integer height field by marching squares: every grid cell yields edge
 * crossings from a 16-entry table (saddles resolved by the cell mean), crossings are linked into
 * closed rings, and the rings' areas come from the shoelace formula.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GRID 64           /* samples per side */
#define SUB 256           /* fixed-point units per cell */
#define EDGES (2 * GRID * GRID)
#define NONE (-1)

typedef int (*field_fn)(int x, int y);

struct point { int x, y; };

/* Every grid edge is crossed by a level at most once, so a ring is a chain over edge ids. */
struct contour {
	int height[GRID][GRID];
	struct point at[EDGES];
	int next[EDGES];
	int segments;
};

enum side { BOTTOM, RIGHT, TOP, LEFT };

/* Corner bits: 1 (x,y), 2 (x+1,y), 4 (x+1,y+1), 8 (x,y+1).  Pairs run with the high ground on
 * the left; entries 5 and 10 list the "corners apart" reading. */
static const signed char cell_lines[16][4] = {
	{ NONE, NONE, NONE, NONE },	{ BOTTOM, LEFT, NONE, NONE },
	{ RIGHT, BOTTOM, NONE, NONE },	{ RIGHT, LEFT, NONE, NONE },
	{ TOP, RIGHT, NONE, NONE },	{ BOTTOM, LEFT, TOP, RIGHT },
	{ TOP, BOTTOM, NONE, NONE },	{ TOP, LEFT, NONE, NONE },
	{ LEFT, TOP, NONE, NONE },	{ BOTTOM, TOP, NONE, NONE },
	{ RIGHT, BOTTOM, LEFT, TOP },	{ RIGHT, TOP, NONE, NONE },
	{ LEFT, RIGHT, NONE, NONE },	{ BOTTOM, RIGHT, NONE, NONE },
	{ LEFT, BOTTOM, NONE, NONE },	{ NONE, NONE, NONE, NONE },
};
static const signed char saddle_joined[2][4] = {
	{ BOTTOM, RIGHT, TOP, LEFT },	/* corners 1 and 4 high */
	{ LEFT, BOTTOM, RIGHT, TOP },	/* corners 2 and 8 high */
};

static int edge_id(int x, int y, int side)
{
	switch (side) {
	case BOTTOM: return 2 * (y * GRID + x);
	case TOP:    return 2 * ((y + 1) * GRID + x);
	case LEFT:   return 2 * (y * GRID + x) + 1;
	default:     return 2 * (y * GRID + x + 1) + 1;
	}
}

static int crossing(int from, int to, int level)
{
	return (level - from) * SUB / (to - from);
}

static void place(struct contour *c, int id, int level)
{
	int x = id / 2 % GRID, y = id / 2 / GRID;
	int base = c->height[y][x];

	c->at[id] = (struct point){ x * SUB, y * SUB };
	if (id & 1)
		c->at[id].y += crossing(base, c->height[y + 1][x], level);
	else
		c->at[id].x += crossing(base, c->height[y][x + 1], level);
}

static void trace_cell(struct contour *c, int x, int y, int level)
{
	const int corner[4] = { c->height[y][x], c->height[y][x + 1],
				c->height[y + 1][x + 1], c->height[y + 1][x] };
	const signed char *line;
	int code = 0, sum = 0;

	for (int k = 0; k < 4; k++) {
		sum += corner[k];
		if (corner[k] > level)
			code |= 1 << k;
	}
	line = cell_lines[code];
	if ((code == 5 || code == 10) && sum > 4 * level)
		line = saddle_joined[code == 10];
	for (int k = 0; k < 4 && line[k] != NONE; k += 2) {
		int a = edge_id(x, y, line[k]), b = edge_id(x, y, line[k + 1]);
		place(c, a, level);
		place(c, b, level);
		c->next[a] = b;
		c->segments++;
	}
}

void contour_trace(struct contour *c, int level)
{
	c->segments = 0;
	for (int i = 0; i < EDGES; i++)
		c->next[i] = NONE;
	for (int y = 0; y + 1 < GRID; y++)
		for (int x = 0; x + 1 < GRID; x++)
			trace_cell(c, x, y, level);
}

/* Takes one ring off the contour; false when the chain runs off the grid instead of closing. */
static bool take_ring(struct contour *c, int start, int *length, int64_t *twice_area)
{
	int id = start;

	*length = 0;
	*twice_area = 0;
	do {
		int to = c->next[id];
		if (to == NONE)
			return false;
		*twice_area += (int64_t)c->at[id].x * c->at[to].y - (int64_t)c->at[to].x * c->at[id].y;
		c->next[id] = NONE;
		++*length;
		id = to;
	} while (id != start);
	return true;
}

static int report_level(struct contour *c, int level, long *area_cells)
{
	int rings = 0, holes = 0, open = 0, longest = 0;
	int64_t twice = 0;

	contour_trace(c, level);
	for (int id = 0; id < EDGES; id++) {
		int length;
		int64_t part;
		if (c->next[id] == NONE)
			continue;
		if (!take_ring(c, id, &length, &part)) {
			open++;
			continue;
		}
		rings++;
		holes += part < 0;
		twice += part;
		if (length > longest)
			longest = length;
	}
	*area_cells = (long)(twice / (2 * SUB * SUB));
	printf("  level %4d: %4d segments %2d rings %2d holes %d open longest %3d area %ld\n",
	       level, c->segments, rings, holes, open, longest, *area_cells);
	return open;
}

static int metaballs(int x, int y)
{
	static const int ball[5][3] = { {16, 18, 60}, {40, 14, 45}, {46, 44, 80}, {20, 46, 55}, {32, 30, 25} };
	int sum = 0;

	for (int i = 0; i < 5; i++) {
		int dx = x - ball[i][0], dy = y - ball[i][1];
		sum += ball[i][2] * 256 / (dx * dx + dy * dy + 4);
	}
	return sum;
}

static int cone(int x, int y)
{
	int dx = 2 * x - 63, dy = 2 * y - 63;

	return 4000 - (dx * dx + dy * dy);
}

static int checker_waves(int x, int y)
{
	int u = x % 16 < 8 ? x % 16 : 16 - x % 16;
	int v = y % 16 < 8 ? y % 16 : 16 - y % 16;

	/* The raised border keeps every ring closed. */
	if (x == 0 || y == 0 || x == GRID - 1 || y == GRID - 1)
		return -100;
	return (u - 4) * (v - 4) * 10 + (x * 7 + y * 13) % 5;
}

int main(void)
{
	static const struct {
		const char *name;
		field_fn field;
		int first, step;
	} scenes[] = {
		{ "cone", cone, 400, 1200 },
		{ "metaballs", metaballs, 250, 400 },
		{ "waves", checker_waves, -60, 62 },
	};
	struct contour *c = malloc(sizeof *c);
	long area, cone_area = 0;
	int open = 0;

	if (!c)
		return 2;
	for (size_t s = 0; s < sizeof scenes / sizeof scenes[0]; s++) {
		printf("%s\n", scenes[s].name);
		for (int y = 0; y < GRID; y++)
			for (int x = 0; x < GRID; x++)
				c->height[y][x] = scenes[s].field(x, y);
		for (int k = 0; k < 3; k++) {
			open += report_level(c, scenes[s].first + k * scenes[s].step, &area);
			if (s == 0 && k == 0)
				cone_area = area;
		}
	}
	free(c);
	/* The cone's lowest ring is a circle of radius 30: area 2827 less the chords' loss. */
	return cone_area < 2815 || cone_area > 2828 || open;
}
