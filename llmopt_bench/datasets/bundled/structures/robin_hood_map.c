// Generic open-addressing hash map with robin-hood probing: keys and values are raw bytes of sizes
// fixed at creation, hash and equality are callbacks. Deletion shifts the following run back and
// leaves no tombstones. Shown with string keys (word counts) and with struct keys (Langton's ant).
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t (*RhHash)(const void *key);
typedef bool (*RhEqual)(const void *a, const void *b);
typedef void (*RhVisit)(const void *key, void *value, void *user);

typedef struct {
    size_t keySize, valueSize, entrySize;
    size_t capacity;    // power of two
    size_t length;
    uint8_t *distance;  // 0: empty, otherwise probe distance + 1
    uint8_t *entries;   // capacity entries, then two spare ones used for swapping
    RhHash hash;
    RhEqual equal;
} RhMap;

#define RH_MAX_DISTANCE 200

static uint8_t *entryAt(const RhMap *m, size_t i) { return m->entries + i * m->entrySize; }

static bool allocTables(RhMap *m, size_t capacity)
{
    m->capacity = capacity;
    m->length = 0;
    m->distance = calloc(capacity, 1);
    m->entries = malloc((capacity + 2) * m->entrySize);
    if (m->distance && m->entries)
        return true;
    free(m->distance);
    free(m->entries);
    return false;
}

bool rhInit(RhMap *m, size_t keySize, size_t valueSize, RhHash hash, RhEqual equal)
{
    *m = (RhMap){.keySize = keySize, .valueSize = valueSize, .entrySize = keySize + valueSize,
                 .hash = hash, .equal = equal};
    return allocTables(m, 8);
}

void rhFree(RhMap *m)
{
    free(m->distance);
    free(m->entries);
    m->distance = m->entries = NULL;
    m->length = m->capacity = 0;
}

// Index of the entry, or `capacity` when the key is absent.
static size_t locate(const RhMap *m, const void *key)
{
    size_t mask = m->capacity - 1, i = m->hash(key) & mask;
    for (unsigned d = 1; m->distance[i] >= d; d++) {
        if (m->equal(entryAt(m, i), key))
            return i;
        i = (i + 1) & mask;
    }
    return m->capacity;
}

// Places the entry held in spare slot `capacity`; the carried entry is swapped with richer ones.
// False means that a probe run became too long with the carried entry still homeless.
static bool placeCarried(RhMap *m)
{
    uint8_t *carried = entryAt(m, m->capacity), *spare = entryAt(m, m->capacity + 1);
    size_t mask = m->capacity - 1, i = m->hash(carried) & mask;
    unsigned d = 1;

    for (;; i = (i + 1) & mask, d++) {
        uint8_t *here = entryAt(m, i);
        if (m->distance[i] == 0) {
            memcpy(here, carried, m->entrySize);
            m->distance[i] = (uint8_t)d;
            m->length++;
            return true;
        }
        if (m->distance[i] < d) {
            unsigned evicted = m->distance[i];
            memcpy(spare, here, m->entrySize);
            memcpy(here, carried, m->entrySize);
            memcpy(carried, spare, m->entrySize);
            m->distance[i] = (uint8_t)d;
            d = evicted;
        }
        if (d >= RH_MAX_DISTANCE)
            return false;
    }
}

static void rehash(RhMap *m, size_t capacity)
{
    RhMap old = *m;
    if (!allocTables(m, capacity)) {
        fputs("robin_hood_map: out of memory\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.distance[i] == 0)
            continue;
        memcpy(entryAt(m, m->capacity), entryAt(&old, i), m->entrySize);
        if (!placeCarried(m)) {
            fputs("robin_hood_map: degenerate hash function\n", stderr);
            exit(2);
        }
    }
    // Whatever the caller was carrying stays in the spare slot, now of the new table.
    memcpy(entryAt(m, m->capacity), entryAt(&old, old.capacity), m->entrySize);
    rhFree(&old);
}

void *rhGet(const RhMap *m, const void *key)
{
    size_t i = locate(m, key);
    return i == m->capacity ? NULL : entryAt(m, i) + m->keySize;
}

// Inserts or overwrites. `value` is copied.
void rhPut(RhMap *m, const void *key, const void *value)
{
    void *present = rhGet(m, key);
    if (present) {
        memcpy(present, value, m->valueSize);
        return;
    }
    uint8_t *carried = entryAt(m, m->capacity);
    memcpy(carried, key, m->keySize);
    memcpy(carried + m->keySize, value, m->valueSize);
    if ((m->length + 1) * 8 > m->capacity * 7)
        rehash(m, m->capacity * 2);
    while (!placeCarried(m))
        rehash(m, m->capacity * 2);
}

bool rhRemove(RhMap *m, const void *key)
{
    size_t mask = m->capacity - 1, i = locate(m, key);
    if (i == m->capacity)
        return false;
    for (size_t next = (i + 1) & mask; m->distance[next] > 1; next = (next + 1) & mask) {
        memcpy(entryAt(m, i), entryAt(m, next), m->entrySize);
        m->distance[i] = (uint8_t)(m->distance[next] - 1);
        i = next;
    }
    m->distance[i] = 0;
    m->length--;
    return true;
}

void rhEach(const RhMap *m, RhVisit visit, void *user)
{
    for (size_t i = 0; i < m->capacity; i++)
        if (m->distance[i])
            visit(entryAt(m, i), entryAt(m, i) + m->keySize, user);
}

double rhMeanProbe(const RhMap *m)
{
    size_t total = 0;
    for (size_t i = 0; i < m->capacity; i++)
        total += m->distance[i];
    return m->length ? (double)total / (double)m->length : 0.0;
}

// ---- string keys: the entry stores a 12-byte, zero-padded word ----------------------------------

enum { WORD = 12 };

static uint32_t hashWord(const void *key)
{
    const unsigned char *s = key;
    uint32_t h = 2166136261u;
    for (int i = 0; i < WORD && s[i]; i++)
        h = (h ^ s[i]) * 16777619u;
    return h ^ h >> 15;
}

static bool sameWord(const void *a, const void *b) { return memcmp(a, b, WORD) == 0; }

static void countWords(RhMap *m, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        char word[WORD] = {0};
        memcpy(word, text, n < WORD ? n : WORD - 1);
        uint32_t *seen = rhGet(m, word), one = 1;
        if (seen)
            ++*seen;
        else
            rhPut(m, word, &one);
        text += n + (text[n] == ' ');
    }
}

static void sumCounts(const void *key, void *value, void *user)
{
    uint32_t *total = user, count;
    (void)key;
    memcpy(&count, value, sizeof count);
    *total += count;
}

// ---- struct keys: an ant on an unbounded grid, the black cells in a map -------------------------

typedef struct { int32_t x, y; } Cell;

static uint32_t hashCell(const void *key)
{
    Cell c;
    memcpy(&c, key, sizeof c);
    uint32_t h = (uint32_t)c.x * 0x9e3779b1u ^ (uint32_t)c.y * 0x85ebca77u;
    return h ^ h >> 16;
}

static bool sameCell(const void *a, const void *b) { return memcmp(a, b, sizeof(Cell)) == 0; }

// Finds the extent of the black cells and how old the oldest one is.
typedef struct { Cell low, high; uint16_t oldest; } Extent;

static void widen(const void *key, void *value, void *user)
{
    Extent *e = user;
    Cell c;
    uint16_t born;
    memcpy(&c, key, sizeof c);
    memcpy(&born, value, sizeof born);
    if (c.x < e->low.x) e->low.x = c.x;
    if (c.y < e->low.y) e->low.y = c.y;
    if (c.x > e->high.x) e->high.x = c.x;
    if (c.y > e->high.y) e->high.y = c.y;
    if (born < e->oldest) e->oldest = born;
}

// White: turn right; black: turn left. Flip the cell, step forward.
static size_t walkAnt(int steps, Extent *extent, double *probe)
{
    static const Cell heading[4] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};
    RhMap black;
    Cell at = {0, 0};
    unsigned facing = 0;

    if (!rhInit(&black, sizeof(Cell), sizeof(uint16_t), hashCell, sameCell))
        return 0;
    for (int s = 0; s < steps; s++) {
        uint16_t now = (uint16_t)s;
        if (rhRemove(&black, &at)) {
            facing += 3;
        } else {
            rhPut(&black, &at, &now);
            facing += 1;
        }
        at.x += heading[facing % 4].x;
        at.y += heading[facing % 4].y;
    }
    *extent = (Extent){at, at, UINT16_MAX};
    rhEach(&black, widen, extent);
    *probe = rhMeanProbe(&black);
    size_t count = black.length;
    rhFree(&black);
    return count;
}

int main(void)
{
    static const char text[] = "the map holds the words of the text and the text repeats the words "
                               "so that the map counts words and text alike";
    static const char *const queries[] = {"the", "words", "text", "missing"};
    RhMap words;
    Extent extent;
    uint32_t total = 0;
    double probe;

    if (!rhInit(&words, WORD, sizeof(uint32_t), hashWord, sameWord))
        return 1;
    countWords(&words, text);
    rhEach(&words, sumCounts, &total);
    printf("%zu distinct of %u words\n", words.length, (unsigned)total);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char key[WORD] = {0};
        memcpy(key, queries[i], strlen(queries[i]));
        const uint32_t *n = rhGet(&words, key);
        unsigned count = n ? (unsigned)*n : 0;
        printf("  %-8s %u%s\n", queries[i], count, rhRemove(&words, key) ? "" : " (absent)");
    }
    size_t left = words.length;
    rhFree(&words);

    // Past some 10000 steps the ant builds a diagonal road: 12 more black cells every 104 steps.
    size_t chaos = walkAnt(10400, &extent, &probe), road = walkAnt(11440, &extent, &probe);
    printf("left %zu; ant %zu, then %zu cells, x %d..%d, y %d..%d, oldest %d, mean probe %.3f\n",
           left, chaos, road, (int)extent.low.x, (int)extent.high.x, (int)extent.low.y,
           (int)extent.high.y, extent.oldest, probe);
    return total != 23 || left != 9 || road != chaos + 120;
}
