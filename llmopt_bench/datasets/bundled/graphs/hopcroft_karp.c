/* Hopcroft-Karp bipartite matching on graphs of at most 64 + 64 nodes, with
 * adjacency rows as machine words. Koenig's vertex cover proves each result.
 * Tries random graphs, a crown graph and domino tilings of damaged boards. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SIDE 64
#define FREE (-1)
#define BIT(i) (UINT64_C(1) << (i))
#define FOR_EACH_BIT(i, set) \
	for (uint64_t set_##i = (set); set_##i && (i = __builtin_ctzll(set_##i), 1); \
	     set_##i &= set_##i - 1)

typedef struct bipartite {
	int lefts;
	uint64_t row[SIDE];     /* right neighbours of each left node */
	int mate_l[SIDE], mate_r[SIDE];
	int layer[SIDE];
} bipartite;

/* Layers the left side by alternating distance from the free nodes. */
static int layer_graph(bipartite *g)
{
	int queue[SIDE], head = 0, tail = 0, reaches_free = 0, r;
	uint64_t seen = 0;

	for (int l = 0; l < g->lefts; l++) {
		g->layer[l] = g->mate_l[l] == FREE ? 0 : -1;
		if (g->layer[l] == 0)
			queue[tail++] = l;
	}
	while (head < tail) {
		int l = queue[head++];
		uint64_t fresh = g->row[l] & ~seen;
		seen |= fresh;
		FOR_EACH_BIT(r, fresh) {
			int next = g->mate_r[r];
			if (next == FREE) {
				reaches_free = 1;
			} else if (g->layer[next] < 0) {
				g->layer[next] = g->layer[l] + 1;
				queue[tail++] = next;
			}
		}
	}
	return reaches_free;
}

static int try_augment(bipartite *g, int l)
{
	int r;
	FOR_EACH_BIT(r, g->row[l]) {
		int next = g->mate_r[r];
		if (next != FREE && (g->layer[next] != g->layer[l] + 1 || !try_augment(g, next)))
			continue;
		g->mate_l[l] = r;
		g->mate_r[r] = l;
		return 1;
	}
	g->layer[l] = -1; /* dead end for the rest of this phase */
	return 0;
}

int maximum_matching(bipartite *g, int *phases)
{
	int size = 0;
	memset(g->mate_l, 0xff, sizeof g->mate_l);
	memset(g->mate_r, 0xff, sizeof g->mate_r);
	for (*phases = 0; layer_graph(g); ++*phases)
		for (int l = 0; l < g->lefts; l++)
			size += g->mate_l[l] == FREE && try_augment(g, l);
	return size;
}

/* Left nodes not reachable from free ones by alternating paths, and right nodes that are. */
int vertex_cover(bipartite *g, uint64_t *left, uint64_t *right)
{
	layer_graph(g);
	*left = *right = 0;
	for (int l = 0; l < g->lefts; l++) {
		if (g->layer[l] < 0)
			*left |= BIT(l);
		else
			*right |= g->row[l];
	}
	return __builtin_popcountll(*left) + __builtin_popcountll(*right);
}

static int is_proof(const bipartite *g, int size, int cover, uint64_t left, uint64_t right)
{
	int matched = 0;
	for (int l = 0; l < g->lefts; l++) {
		if (!(left & BIT(l)) && (g->row[l] & ~right))
			return 0;
		int r = g->mate_l[l];
		if (r != FREE && (!(g->row[l] & BIT(r)) || g->mate_r[r] != l))
			return 0;
		matched += r != FREE;
	}
	return matched == size && cover == size;
}

static int run(const char *name, bipartite *g, int known)
{
	uint64_t left, right;
	int phases, size = maximum_matching(g, &phases), cover = vertex_cover(g, &left, &right);
	int good = is_proof(g, size, cover, left, right) && (known < 0 || size == known);
	printf("%-18s matching %2d in %d phases, cover %016llx:%016llx %s\n", name, size, phases,
	       (unsigned long long)left, (unsigned long long)right, good ? "ok" : "WRONG");
	return !good;
}

/* Dark squares on the left, light ones on the right; `holes` are removed. */
static void board_graph(bipartite *g, uint64_t holes)
{
	*g = (bipartite){.lefts = SIDE};
	for (int sq = 0; sq < 64; sq++) {
		int x = sq % 8, y = sq / 8;
		if ((x + y) % 2 || (holes & BIT(sq)))
			continue;
		uint64_t near = (x ? BIT(sq - 1) : 0) | (x < 7 ? BIT(sq + 1) : 0) |
				(y ? BIT(sq - 8) : 0) | (y < 7 ? BIT(sq + 8) : 0);
		g->row[sq] = near & ~holes;
	}
}

int main(void)
{
	bipartite g;
	uint64_t state = 0x2545F4914F6CDD1Dull;
	int bad = 0;

	for (int degree = 1; degree <= 4; degree++) {
		char name[32];
		g = (bipartite){.lefts = 60};
		for (int e = 0; e < 60 * degree; e++) {
			state ^= state >> 12;
			state ^= state << 25;
			state ^= state >> 27;
			g.row[state % 60] |= BIT((state >> 32) % 60);
		}
		snprintf(name, sizeof name, "random degree %d", degree);
		bad += run(name, &g, -1);
	}
	g = (bipartite){.lefts = 20};
	for (int l = 0; l < 20; l++) /* crown: everybody but one's own partner */
		g.row[l] = (BIT(20) - 1) & ~BIT(l);
	bad += run("crown", &g, 20);
	board_graph(&g, 0);
	bad += run("full board", &g, 32);
	board_graph(&g, BIT(0) | BIT(63));
	bad += run("opposite corners", &g, 30);
	board_graph(&g, BIT(0) | BIT(7));
	bad += run("adjacent corners", &g, 31);
	return bad != 0;
}
