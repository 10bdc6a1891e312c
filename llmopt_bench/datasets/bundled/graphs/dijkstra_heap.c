/*
 * Single-source shortest paths on a road-like network: adjacency lists in a
 * growing arc pool, Dijkstra over an indexed 4-ary heap with decrease-key.
 * A queue-based Bellman-Ford checks every distance.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define FAR UINT64_MAX

struct arc {
	uint32_t head;
	uint32_t length;
	uint32_t next; /* next arc out of the same node, or NONE */
};

struct graph {
	uint32_t nodes, arcs, capacity;
	uint32_t *first;
	struct arc *arc;
};

struct heap {
	uint32_t size;
	uint32_t *item; /* heap order -> node */
	uint32_t *slot; /* node -> heap order, NONE when outside */
	const uint64_t *key;
};

struct sp_tree {
	uint64_t *dist;
	uint32_t *parent;
};

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(EXIT_FAILURE);
	}
	return p;
}

void graph_init(struct graph *g, uint32_t nodes)
{
	g->nodes = nodes;
	g->arcs = 0;
	g->capacity = 16;
	g->first = must(malloc(nodes * sizeof *g->first));
	g->arc = must(malloc(g->capacity * sizeof *g->arc));
	for (uint32_t i = 0; i < nodes; i++)
		g->first[i] = NONE;
}

void graph_release(struct graph *g)
{
	free(g->first);
	free(g->arc);
}

void graph_add_arc(struct graph *g, uint32_t tail, uint32_t head, uint32_t length)
{
	if (g->arcs == g->capacity) {
		g->capacity *= 2;
		g->arc = must(realloc(g->arc, g->capacity * sizeof *g->arc));
	}
	g->arc[g->arcs] = (struct arc){head, length, g->first[tail]};
	g->first[tail] = g->arcs++;
}

static inline void heap_place(struct heap *h, uint32_t at, uint32_t node)
{
	h->item[at] = node;
	h->slot[node] = at;
}

static void heap_rise(struct heap *h, uint32_t at)
{
	uint32_t node = h->item[at];
	while (at > 0) {
		uint32_t up = (at - 1) / 4;
		if (h->key[h->item[up]] <= h->key[node])
			break;
		heap_place(h, at, h->item[up]);
		at = up;
	}
	heap_place(h, at, node);
}

static void heap_sink(struct heap *h, uint32_t at)
{
	uint32_t node = h->item[at];
	for (;;) {
		uint32_t child = 4 * at + 1, best = child;
		if (child >= h->size)
			break;
		uint32_t end = child + 4 < h->size ? child + 4 : h->size;
		while (++child < end)
			if (h->key[h->item[child]] < h->key[h->item[best]])
				best = child;
		if (h->key[h->item[best]] >= h->key[node])
			break;
		heap_place(h, at, h->item[best]);
		at = best;
	}
	heap_place(h, at, node);
}

/* Call after lowering the key of node; inserts it when it is not queued yet. */
void heap_update(struct heap *h, uint32_t node)
{
	if (h->slot[node] == NONE)
		heap_place(h, h->size++, node);
	heap_rise(h, h->slot[node]);
}

uint32_t heap_pop(struct heap *h)
{
	uint32_t top = h->item[0], last = h->item[--h->size];
	h->slot[top] = NONE;
	if (h->size > 0) {
		heap_place(h, 0, last);
		heap_sink(h, 0);
	}
	return top;
}

static void tree_init(struct sp_tree *t, uint32_t nodes, uint32_t source)
{
	t->dist = must(malloc(nodes * sizeof *t->dist));
	t->parent = must(malloc(nodes * sizeof *t->parent));
	for (uint32_t i = 0; i < nodes; i++) {
		t->dist[i] = FAR;
		t->parent[i] = NONE;
	}
	t->dist[source] = 0;
}

static void tree_release(struct sp_tree *t)
{
	free(t->dist);
	free(t->parent);
}

static bool relax(struct sp_tree *t, uint32_t tail, const struct arc *a)
{
	uint64_t through = t->dist[tail] + a->length;
	if (through >= t->dist[a->head])
		return false;
	t->dist[a->head] = through;
	t->parent[a->head] = tail;
	return true;
}

/* Returns the number of settled nodes; stops early at target unless it is NONE. */
uint32_t dijkstra(const struct graph *g, uint32_t source, uint32_t target, struct sp_tree *t)
{
	struct heap h = {.size = 0, .key = t->dist};
	uint32_t settled = 0;

	h.item = must(malloc(g->nodes * sizeof *h.item));
	h.slot = must(malloc(g->nodes * sizeof *h.slot));
	for (uint32_t i = 0; i < g->nodes; i++)
		h.slot[i] = NONE;
	heap_update(&h, source);
	while (h.size > 0) {
		uint32_t tail = heap_pop(&h);
		settled++;
		if (tail == target)
			break;
		for (uint32_t e = g->first[tail]; e != NONE; e = g->arc[e].next)
			if (relax(t, tail, &g->arc[e]))
				heap_update(&h, g->arc[e].head);
	}
	free(h.slot);
	free(h.item);
	return settled;
}

void bellman_ford(const struct graph *g, uint32_t source, struct sp_tree *t)
{
	uint32_t *ring = must(malloc((g->nodes + 1) * sizeof *ring)), in = 0, out = 0;
	bool *queued = must(calloc(g->nodes, sizeof *queued));

	ring[in++] = source;
	while (in != out) {
		uint32_t tail = ring[out];
		out = (out + 1) % (g->nodes + 1);
		queued[tail] = false;
		for (uint32_t e = g->first[tail]; e != NONE; e = g->arc[e].next) {
			uint32_t head = g->arc[e].head;
			if (!relax(t, tail, &g->arc[e]) || queued[head])
				continue;
			queued[head] = true;
			ring[in] = head;
			in = (in + 1) % (g->nodes + 1);
		}
	}
	free(queued);
	free(ring);
}

static uint32_t next_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/* A street grid with some blocked streets, plus a few long fast roads. */
static void build_town(struct graph *g, uint32_t side)
{
	uint32_t seed = 88172645;
	graph_init(g, side * side + 1); /* the last node is an island */
	for (uint32_t v = 0; v < side * side; v++) {
		uint32_t step[2] = {v % side + 1 < side ? 1 : 0, v / side + 1 < side ? side : 0};
		for (int d = 0; d < 2; d++) {
			uint32_t r = next_random(&seed);
			if (!step[d] || r % 10 == 0)
				continue;
			graph_add_arc(g, v, v + step[d], 20 + (r >> 8) % 80);
			if (r % 10 != 1) /* the rest is one-way */
				graph_add_arc(g, v + step[d], v, 20 + (r >> 16) % 80);
		}
	}
	for (uint32_t i = 0; i < side; i++) {
		uint32_t a = next_random(&seed) % (side * side);
		uint32_t b = next_random(&seed) % (side * side);
		graph_add_arc(g, a, b, 60 + next_random(&seed) % 200);
	}
}

static uint32_t print_route(const struct sp_tree *t, uint32_t node)
{
	uint32_t hops = t->parent[node] == NONE ? 0 : print_route(t, t->parent[node]) + 1;
	if (hops % 8 == 0)
		printf(" %" PRIu32, node);
	return hops;
}

int main(void)
{
	const uint32_t side = 40, sources[] = {0, 777, 1599};
	struct graph town;
	int mismatches = 0;

	build_town(&town, side);
	printf("%" PRIu32 " nodes, %" PRIu32 " arcs\n", town.nodes, town.arcs);
	for (int s = 0; s < 3; s++) {
		struct sp_tree fast, slow, partial;
		uint64_t sum = 0, longest = 0;
		uint32_t target = sources[(s + 1) % 3], reached = 0;

		tree_init(&fast, town.nodes, sources[s]);
		tree_init(&slow, town.nodes, sources[s]);
		tree_init(&partial, town.nodes, sources[s]);
		uint32_t settled = dijkstra(&town, sources[s], NONE, &fast);
		uint32_t early = dijkstra(&town, sources[s], target, &partial);
		bellman_ford(&town, sources[s], &slow);
		for (uint32_t v = 0; v < town.nodes; v++) {
			mismatches += fast.dist[v] != slow.dist[v];
			if (fast.dist[v] == FAR)
				continue;
			reached++;
			sum += fast.dist[v];
			longest = fast.dist[v] > longest ? fast.dist[v] : longest;
		}
		mismatches += reached != settled || early > settled;
		mismatches += partial.dist[target] != fast.dist[target];
		printf("from %4" PRIu32 ": reached %" PRIu32 ", sum %" PRIu64 ", farthest %" PRIu64
		       ", settled to target %" PRIu32 "\n  route",
		       sources[s], reached, sum, longest, early);
		uint32_t hops = print_route(&fast, target);
		printf(" (%" PRIu32 " hops, length %" PRIu64 ")\n", hops, fast.dist[target]);
		tree_release(&partial);
		tree_release(&slow);
		tree_release(&fast);
	}
	graph_release(&town);
	printf("mismatches: %d\n", mismatches);
	return mismatches ? 1 : 0;
}
