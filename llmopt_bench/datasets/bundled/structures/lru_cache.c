/* Least-recently-used cache with a byte budget: chained hash table plus a circular recency list.
 * Evictions are reported to a callback. Replays a skewed page trace at several budgets and prints
 * the hit rates. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ring {
    struct ring *newer, *older;
} ring;

typedef struct entry {
    ring age;                       /* must stay first: ring pointers are cast to entries */
    struct entry *chain;
    size_t size;
    char key[];
} entry;

typedef void (*evict_fn)(const char *key, size_t size, void *arg);

enum { BUCKETS = 128 };

typedef struct {
    ring ends;                      /* ends.older is the newest entry, ends.newer the oldest */
    entry *bucket[BUCKETS];
    size_t used, budget, count;
    evict_fn on_evict;
    void *arg;
} lru_cache;

static unsigned bucket_of(const char *key) {
    uint32_t h = 5381;
    while (*key)
        h = h * 33 ^ (unsigned char)*key++;
    return (h ^ h >> 11) % BUCKETS;
}

static void ring_unlink(ring *e) {
    e->newer->older = e->older;
    e->older->newer = e->newer;
}

static void ring_push(lru_cache *c, ring *e) {
    e->newer = &c->ends;
    e->older = c->ends.older;
    e->older->newer = e;
    c->ends.older = e;
}

static entry *oldest_entry(const lru_cache *c) {
    return (entry *)c->ends.newer;
}

void lru_init(lru_cache *c, size_t budget, evict_fn on_evict, void *arg) {
    memset(c, 0, sizeof *c);
    c->ends.newer = c->ends.older = &c->ends;
    c->budget = budget;
    c->on_evict = on_evict;
    c->arg = arg;
}

static entry **find_slot(lru_cache *c, const char *key) {
    entry **slot = &c->bucket[bucket_of(key)];
    while (*slot && strcmp((*slot)->key, key) != 0)
        slot = &(*slot)->chain;
    return slot;
}

static void discard(lru_cache *c, entry **slot) {
    entry *e = *slot;
    *slot = e->chain;
    ring_unlink(&e->age);
    c->used -= e->size;
    c->count--;
    free(e);
}

/* Size of the cached object, refreshed as the newest; 0 when it is absent. */
size_t lru_touch(lru_cache *c, const char *key) {
    entry *e = *find_slot(c, key);
    if (!e)
        return 0;
    ring_unlink(&e->age);
    ring_push(c, &e->age);
    return e->size;
}

int lru_put(lru_cache *c, const char *key, size_t size) {
    entry **slot = find_slot(c, key);
    if (*slot)
        discard(c, slot);
    if (size > c->budget)
        return 0;
    while (c->used + size > c->budget) {
        const entry *oldest = oldest_entry(c);
        c->on_evict(oldest->key, oldest->size, c->arg);
        discard(c, find_slot(c, oldest->key));
    }
    entry *e = malloc(sizeof *e + strlen(key) + 1);
    if (!e)
        return 0;
    strcpy(e->key, key);
    e->size = size;
    slot = &c->bucket[bucket_of(key)];
    e->chain = *slot;
    *slot = e;
    ring_push(c, &e->age);
    c->used += size;
    c->count++;
    return 1;
}

void lru_clear(lru_cache *c) {
    while (c->count)
        discard(c, find_slot(c, oldest_entry(c)->key));
}

static void tally_eviction(const char *key, size_t size, void *arg) {
    uint32_t *sum = arg;
    (void)key;
    *sum = *sum * 7 + (uint32_t)size;
}

/* Multiplying two uniform draws favours low page numbers, much as real traces do. */
static unsigned skewed_page(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return ((*seed >> 24) * (*seed >> 8 & 0xff)) >> 8;
}

int main(void) {
    int last_hits = -1, bad = 0;
    for (size_t budget = 1000; budget <= 64000; budget *= 4) {
        lru_cache c;
        uint32_t seed = 11, evictions = 0;
        int hits = 0;
        lru_init(&c, budget, tally_eviction, &evictions);
        for (int i = 0; i < 3000; i++) {
            char key[16];
            unsigned page = skewed_page(&seed);
            snprintf(key, sizeof key, "page-%u", page);
            if (lru_touch(&c, key))
                hits++;
            else
                lru_put(&c, key, 40 + page * 13 % 300);
        }
        printf("budget %5zu: %4d hits, %3zu cached, %5zu bytes, evictions %08x\n", budget, hits,
               c.count, c.used, (unsigned)evictions);
        bad |= hits < last_hits || c.used > budget || lru_put(&c, "too big", budget + 1);
        last_hits = hits;
        lru_clear(&c);
        bad |= c.used != 0;
    }
    return bad;
}
