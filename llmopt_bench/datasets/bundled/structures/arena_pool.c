/*
 * Three allocators behind one interface of function pointers: a bump arena with rewind marks, a
 * pool of equal blocks with a free list, and a binary buddy allocator over an implicit tree. The
 * same random workload runs on each; every block is filled and checked, so overlaps would show.
 */
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct allocator allocator;
struct allocator {
	const char *name;
	void *(*take)(allocator *, size_t);
	void (*give)(allocator *, void *, size_t);
	unsigned char *base;
	size_t size;
};

#define ALIGN 16u
#define ROUND_UP(n) (((n) + (ALIGN - 1)) & ~(size_t)(ALIGN - 1))

/* ---- bump arena: frees only the newest block; a mark rewinds many at once ---- */

typedef struct { allocator a; size_t used, peak; } arena;

static void *arena_take(allocator *a, size_t n)
{
	arena *ar = (arena *)a;
	n = ROUND_UP(n);
	if (n > a->size - ar->used) return NULL;
	void *p = a->base + ar->used;
	ar->used += n;
	if (ar->used > ar->peak) ar->peak = ar->used;
	return p;
}

static void arena_give(allocator *a, void *p, size_t n)
{
	arena *ar = (arena *)a;
	size_t at = (size_t)((unsigned char *)p - a->base);
	if (at + ROUND_UP(n) == ar->used) ar->used = at;
}

size_t arena_mark(const arena *ar) { return ar->used; }
void arena_rewind(arena *ar, size_t mark) { ar->used = mark; }

/* ---- pool: block numbers chained through the free blocks themselves ---- */

typedef struct { allocator a; size_t block; uint32_t free_head, fresh; } pool;

#define NO_BLOCK UINT32_MAX

static void *pool_take(allocator *a, size_t n)
{
	pool *p = (pool *)a;
	if (n > p->block) return NULL;
	if (p->free_head != NO_BLOCK) {
		unsigned char *b = a->base + p->free_head * p->block;
		memcpy(&p->free_head, b, sizeof p->free_head);
		return b;
	}
	if ((p->fresh + 1) * p->block > a->size) return NULL;
	return a->base + p->fresh++ * p->block;
}

static void pool_give(allocator *a, void *b, size_t n)
{
	pool *p = (pool *)a;
	(void)n;
	memcpy(b, &p->free_head, sizeof p->free_head);
	p->free_head = (uint32_t)((size_t)((unsigned char *)b - a->base) / p->block);
}

/* ---- buddy: longest[i] is the largest free run below tree node i, as log2 + 1; 0 is full ---- */

#define MIN_LOG 5u
#define LEAVES 512u
#define TOP_LOG (MIN_LOG + 9u)

typedef struct { allocator a; uint8_t longest[2 * LEAVES]; } buddy;

static void buddy_reset(buddy *b)
{
	for (unsigned i = 1; i < 2 * LEAVES; i++) {
		unsigned level = 0;
		while (i >> (level + 1)) level++;
		b->longest[i] = (uint8_t)(TOP_LOG - level + 1);
	}
}

static void buddy_refresh(buddy *b, unsigned i, unsigned log)
{
	for (i /= 2, log++; i; i /= 2, log++) {
		uint8_t l = b->longest[2 * i], r = b->longest[2 * i + 1];
		b->longest[i] = l == log && r == log ? (uint8_t)(log + 1) : l > r ? l : r;
	}
}

static unsigned log_for(size_t n)
{
	unsigned log = MIN_LOG;
	while (((size_t)1 << log) < n) log++;
	return log;
}

static void *buddy_take(allocator *a, size_t n)
{
	buddy *b = (buddy *)a;
	unsigned want = log_for(n), i = 1, log = TOP_LOG;
	if (b->longest[1] < want + 1) return NULL;
	for (; log > want; log--) /* prefer the tighter half to keep large runs whole */
		i = 2 * i + (b->longest[2 * i] < want + 1 ||
		             (b->longest[2 * i + 1] >= want + 1 &&
		              b->longest[2 * i + 1] < b->longest[2 * i]));
	b->longest[i] = 0;
	buddy_refresh(b, i, log);
	return a->base + (((size_t)i << log) - ((size_t)1 << TOP_LOG));
}

static void buddy_give(allocator *a, void *p, size_t n)
{
	buddy *b = (buddy *)a;
	unsigned log = log_for(n);
	size_t at = (size_t)((unsigned char *)p - a->base);
	unsigned i = (unsigned)((at + ((size_t)1 << TOP_LOG)) >> log);
	b->longest[i] = (uint8_t)(log + 1);
	buddy_refresh(b, i, log);
}

/* ---- workload ---- */

struct live { unsigned char *p; size_t n; unsigned char fill; };

static int intact(const struct live *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i] != l->fill) return 0;
	return 1;
}

static int torture(allocator *a, size_t biggest, int steps)
{
	struct live slot[64] = {{0}};
	uint32_t rng = 2463534242u;
	int taken = 0, refused = 0, broken = 0;

	for (int s = 0; s < steps; s++) {
		rng ^= rng << 13, rng ^= rng >> 17, rng ^= rng << 5;
		struct live *l = &slot[rng % 64];
		if (l->p) {
			broken += !intact(l);
			a->give(a, l->p, l->n);
			l->p = NULL;
			continue;
		}
		l->n = 1 + (rng >> 8) % biggest;
		l->fill = (unsigned char)(rng >> 24);
		l->p = a->take(a, l->n);
		if (l->p) memset(l->p, l->fill, l->n), taken++;
		else refused++;
	}
	for (int i = 63; i >= 0; i--)
		if (slot[i].p) broken += !intact(&slot[i]), a->give(a, slot[i].p, slot[i].n);
	printf("%-6s taken %4d refused %4d broken %d\n", a->name, taken, refused, broken);
	return broken;
}

int main(void)
{
	static alignas(max_align_t) unsigned char memory[LEAVES << MIN_LOG];
	arena ar = {{"arena", arena_take, arena_give, memory, sizeof memory}, 0, 0};
	pool po = {{"pool", pool_take, pool_give, memory, sizeof memory}, 384, NO_BLOCK, 0};
	static buddy bu = {{"buddy", buddy_take, buddy_give, memory, sizeof memory}, {0}};

	int broken = torture(&ar.a, 500, 1000);
	printf("       mark %zu of peak %zu\n", arena_mark(&ar), ar.peak);
	arena_rewind(&ar, 0);
	broken += torture(&po.a, 400, 3000);
	printf("       fresh %u blocks of %zu\n", (unsigned)po.fresh, po.block);
	buddy_reset(&bu);
	broken += torture(&bu.a, 900, 3000);
	printf("       largest run after draining: %zu\n", (size_t)1 << (bu.longest[1] - 1u));
	return broken != 0 || bu.longest[1] != TOP_LOG + 1;
}
