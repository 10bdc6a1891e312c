/*
 * Intrusive red-black tree: the links live inside the caller's structure, so the tree itself never
 * allocates. Exercised as a timer queue (schedule, cancel, expire), with the colour and
 * black-height rules re-validated throughout.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum rb_colour { RB_RED, RB_BLACK };

struct rb_node {
	struct rb_node *parent;
	struct rb_node *child[2];
	enum rb_colour colour;
};

typedef int (*rb_compare)(const struct rb_node *a, const struct rb_node *b);

struct rb_tree {
	struct rb_node *root;
	rb_compare compare;
	size_t count;
};

static inline bool is_red(const struct rb_node *n)
{
	return n && n->colour == RB_RED;
}

/* Put `new` where `old` hangs below its parent (or at the root). */
static void replace_child(struct rb_tree *t, struct rb_node *old, struct rb_node *new)
{
	struct rb_node *parent = old->parent;

	if (!parent)
		t->root = new;
	else
		parent->child[old == parent->child[1]] = new;
	if (new)
		new->parent = parent;
}

/* Rotate so that `x` sinks to side `dir` of its former child. */
static void rotate(struct rb_tree *t, struct rb_node *x, int dir)
{
	struct rb_node *up = x->child[!dir];

	x->child[!dir] = up->child[dir];
	if (up->child[dir])
		up->child[dir]->parent = x;
	replace_child(t, x, up);
	up->child[dir] = x;
	x->parent = up;
}

void rb_init(struct rb_tree *t, rb_compare compare)
{
	t->root = NULL;
	t->compare = compare;
	t->count = 0;
}

static void fix_insert(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *p;

	while ((p = n->parent) && is_red(p)) {
		struct rb_node *g = p->parent;
		int dir = p == g->child[1];
		struct rb_node *uncle = g->child[!dir];

		if (is_red(uncle)) {
			p->colour = RB_BLACK;
			uncle->colour = RB_BLACK;
			g->colour = RB_RED;
			n = g;
			continue;
		}
		if (n == p->child[!dir]) {
			rotate(t, p, dir);
			n = p;
			p = n->parent;
		}
		p->colour = RB_BLACK;
		g->colour = RB_RED;
		rotate(t, g, !dir);
	}
	t->root->colour = RB_BLACK;
}

/* Returns the node that already holds an equal key, or NULL after linking `n`. */
struct rb_node *rb_insert(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		int order = t->compare(n, *link);

		if (order == 0)
			return *link;
		parent = *link;
		link = &parent->child[order > 0];
	}
	n->parent = parent;
	n->child[0] = n->child[1] = NULL;
	n->colour = RB_RED;
	*link = n;
	t->count++;
	fix_insert(t, n);
	return NULL;
}

struct rb_node *rb_find(const struct rb_tree *t, const struct rb_node *key)
{
	struct rb_node *n = t->root;

	while (n) {
		int order = t->compare(key, n);

		if (order == 0)
			break;
		n = n->child[order > 0];
	}
	return n;
}

struct rb_node *rb_first(const struct rb_tree *t)
{
	struct rb_node *n = t->root;

	while (n && n->child[0])
		n = n->child[0];
	return n;
}

struct rb_node *rb_next(struct rb_node *n)
{
	struct rb_node *up;

	if (n->child[1]) {
		n = n->child[1];
		while (n->child[0])
			n = n->child[0];
		return n;
	}
	while ((up = n->parent) && n == up->child[1])
		n = up;
	return up;
}

/* `x` (possibly NULL) carries one black too few; `p` is its parent. */
static void fix_remove(struct rb_tree *t, struct rb_node *x, struct rb_node *p)
{
	while (p && !is_red(x)) {
		int dir = x == p->child[1];
		struct rb_node *w = p->child[!dir];

		if (is_red(w)) {
			w->colour = RB_BLACK;
			p->colour = RB_RED;
			rotate(t, p, dir);
			w = p->child[!dir];
		}
		if (!is_red(w->child[0]) && !is_red(w->child[1])) {
			w->colour = RB_RED;
			x = p;
			p = x->parent;
			continue;
		}
		if (!is_red(w->child[!dir])) {
			w->child[dir]->colour = RB_BLACK;
			w->colour = RB_RED;
			rotate(t, w, !dir);
			w = p->child[!dir];
		}
		w->colour = p->colour;
		p->colour = RB_BLACK;
		w->child[!dir]->colour = RB_BLACK;
		rotate(t, p, dir);
		return;
	}
	if (x)
		x->colour = RB_BLACK;
}

void rb_remove(struct rb_tree *t, struct rb_node *z)
{
	enum rb_colour lost = z->colour;
	struct rb_node *x, *p;

	if (!z->child[0] || !z->child[1]) {
		x = z->child[z->child[0] == NULL];
		p = z->parent;
		replace_child(t, z, x);
	} else {
		struct rb_node *y = rb_next(z);

		lost = y->colour;
		x = y->child[1];
		p = y->parent == z ? y : y->parent;
		replace_child(t, y, x);
		replace_child(t, z, y);
		for (int side = 0; side < 2; side++) {
			y->child[side] = z->child[side];
			if (y->child[side])
				y->child[side]->parent = y;
		}
		y->colour = z->colour;
	}
	t->count--;
	if (lost == RB_BLACK)
		fix_remove(t, x, p);
}

/* Black height of the subtree, or -1 when a rule is broken. */
static int black_height(const struct rb_tree *t, const struct rb_node *n)
{
	int height[2];

	if (!n)
		return 1;
	for (int side = 0; side < 2; side++) {
		const struct rb_node *c = n->child[side];

		if (c && (c->parent != n || (is_red(n) && is_red(c))))
			return -1;
		if (c && (t->compare(c, n) > 0) != side)
			return -1;
		height[side] = black_height(t, c);
	}
	if (height[0] < 0 || height[0] != height[1])
		return -1;
	return height[0] + !is_red(n);
}

bool rb_validate(const struct rb_tree *t)
{
	return !is_red(t->root) && black_height(t, t->root) > 0;
}

struct timer {
	uint32_t id;
	uint32_t deadline;
	bool armed;
	struct rb_node node;
};

static int timer_order(const struct rb_node *a, const struct rb_node *b)
{
	const struct timer *x = container_of(a, const struct timer, node);
	const struct timer *y = container_of(b, const struct timer, node);

	if (x->deadline != y->deadline)
		return x->deadline < y->deadline ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static unsigned expire_until(struct rb_tree *queue, uint32_t now, uint32_t *digest)
{
	unsigned fired = 0;
	struct rb_node *n;

	while ((n = rb_first(queue)) != NULL) {
		struct timer *timer = container_of(n, struct timer, node);

		if (timer->deadline > now)
			break;
		rb_remove(queue, n);
		timer->armed = false;
		*digest = *digest * 31u + timer->id;
		fired++;
	}
	return fired;
}

int main(void)
{
	enum { TIMERS = 400, STEPS = 4000 };
	struct timer *timers = calloc(TIMERS, sizeof *timers);
	struct rb_tree queue;
	uint32_t seed = 0x1234567u, digest = 17, now = 0;
	unsigned fired = 0, cancelled = 0, bad = 0;

	if (!timers)
		return 1;
	rb_init(&queue, timer_order);
	for (uint32_t i = 0; i < TIMERS; i++)
		timers[i].id = i;

	for (int step = 0; step < STEPS; step++) {
		struct timer *t = &timers[next_random(&seed) % TIMERS];

		if (t->armed) {
			if (rb_find(&queue, &t->node) != &t->node)
				bad++;
			rb_remove(&queue, &t->node);
			t->armed = false;
			cancelled++;
		} else {
			t->deadline = now + 1 + next_random(&seed) % 900;
			t->armed = true;
			if (rb_insert(&queue, &t->node))
				bad++;
		}
		if (step % 16 == 0)
			fired += expire_until(&queue, now += 7, &digest);
		if (step % 50 == 0 && !rb_validate(&queue))
			bad++;
	}

	size_t walked = 0;
	uint32_t last = 0;
	for (struct rb_node *n = rb_first(&queue); n; n = rb_next(n), walked++) {
		uint32_t deadline = container_of(n, struct timer, node)->deadline;

		bad += deadline < last;
		last = deadline;
	}
	bad += walked != queue.count;
	printf("pending %zu, fired %u, cancelled %u\n", walked, fired, cancelled);
	fired += expire_until(&queue, UINT32_MAX, &digest);
	printf("drained: fired %u, left %zu, digest %08x\n", fired, queue.count, (unsigned)digest);
	free(timers);
	return bad || queue.count ? 1 : 0;
}
