/*
 * B+ tree over fixed-size pages kept in one growing memory image, like a small database file: all
 * fields are little-endian bytes, pages are named by number, freed pages go to a free list.
 * Insert splits, delete borrows or merges, cursors walk the linked leaves.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE  128u
#define LEAF_CAP   15u
#define INNER_CAP  20u
#define OFF_KIND   0u
#define OFF_COUNT  1u
#define OFF_LINK   2u
#define OFF_CELLS  4u
#define OFF_CHILD  (OFF_CELLS + 4u * INNER_CAP)
#define NO_PAGE    0u

enum page_kind { PAGE_FREE, PAGE_LEAF, PAGE_INNER };

typedef uint16_t page_no;

typedef struct {
    uint8_t *image;
    unsigned pages, capacity;
    page_no root, free_head;
    unsigned depth;
    size_t records;
} btree;

typedef struct {
    const btree *tree;
    page_no leaf;
    unsigned index;
} bt_cursor;

typedef struct {
    bool happened;
    uint32_t key;
    page_no right;
} split_info;

/* ---- page access ---------------------------------------------------------------------------- */

static uint8_t *page_at(const btree *t, page_no p) { return t->image + (size_t)p * PAGE_SIZE; }

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p + 2, (uint16_t)(v >> 16));
}

static bool is_leaf(const uint8_t *pg) { return pg[OFF_KIND] == PAGE_LEAF; }
static unsigned count_of(const uint8_t *pg) { return pg[OFF_COUNT]; }
static void set_count(uint8_t *pg, unsigned n) { pg[OFF_COUNT] = (uint8_t)n; }
static size_t stride_of(const uint8_t *pg) { return is_leaf(pg) ? 8 : 4; }
static unsigned minimum_of(const uint8_t *pg) { return (is_leaf(pg) ? LEAF_CAP : INNER_CAP) / 2; }

static uint8_t *cell(uint8_t *pg, unsigned i) { return pg + OFF_CELLS + i * stride_of(pg); }
static uint32_t key_of(uint8_t *pg, unsigned i) { return get32(cell(pg, i)); }
static uint8_t *child_slot(uint8_t *pg, unsigned i) { return pg + OFF_CHILD + 2u * i; }
static page_no child_of(uint8_t *pg, unsigned i) { return get16(child_slot(pg, i)); }

/* May move the image: callers must look pages up again afterwards. */
static page_no alloc_page(btree *t, enum page_kind kind)
{
    page_no p;

    if (t->free_head != NO_PAGE) {
        p = t->free_head;
        t->free_head = get16(page_at(t, p) + OFF_LINK);
    } else {
        if (t->pages == t->capacity) {
            unsigned wanted = t->capacity * 2;
            uint8_t *grown = realloc(t->image, (size_t)wanted * PAGE_SIZE);
            if (!grown || wanted > UINT16_MAX) {
                fputs("btree: out of pages\n", stderr);
                exit(2);
            }
            t->image = grown;
            t->capacity = wanted;
        }
        p = (page_no)t->pages++;
    }
    memset(page_at(t, p), 0, PAGE_SIZE);
    page_at(t, p)[OFF_KIND] = (uint8_t)kind;
    return p;
}

static void free_page(btree *t, page_no p)
{
    uint8_t *pg = page_at(t, p);
    pg[OFF_KIND] = PAGE_FREE;
    put16(pg + OFF_LINK, t->free_head);
    t->free_head = p;
}

bool bt_open(btree *t)
{
    memset(t, 0, sizeof *t);
    t->capacity = 4;
    t->image = malloc((size_t)t->capacity * PAGE_SIZE);
    if (!t->image)
        return false;
    t->pages = 1; /* page 0 is never handed out: number 0 means "none" */
    t->root = alloc_page(t, PAGE_LEAF);
    t->depth = 1;
    return true;
}

void bt_close(btree *t)
{
    free(t->image);
    t->image = NULL;
}

/* ---- search --------------------------------------------------------------------------------- */

/* First index whose key is >= `key` (leaf), or > `key` (inner: the child to descend into). */
static unsigned search_page(uint8_t *pg, uint32_t key)
{
    unsigned lo = 0, hi = count_of(pg);
    const bool leaf = is_leaf(pg);

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        uint32_t k = key_of(pg, mid);
        if (k < key || (!leaf && k == key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static page_no find_leaf(const btree *t, uint32_t key)
{
    page_no p = t->root;
    while (!is_leaf(page_at(t, p)))
        p = child_of(page_at(t, p), search_page(page_at(t, p), key));
    return p;
}

bool bt_get(const btree *t, uint32_t key, uint32_t *value)
{
    uint8_t *pg = page_at(t, find_leaf(t, key));
    unsigned i = search_page(pg, key);

    if (i == count_of(pg) || key_of(pg, i) != key)
        return false;
    *value = get32(cell(pg, i) + 4);
    return true;
}

bt_cursor bt_seek(const btree *t, uint32_t key)
{
    page_no leaf = find_leaf(t, key);
    return (bt_cursor){t, leaf, search_page(page_at(t, leaf), key)};
}

bool bt_step(bt_cursor *c, uint32_t *key, uint32_t *value)
{
    uint8_t *pg = page_at(c->tree, c->leaf);

    while (c->index >= count_of(pg)) {
        page_no next = get16(pg + OFF_LINK);
        if (next == NO_PAGE)
            return false;
        c->leaf = next;
        c->index = 0;
        pg = page_at(c->tree, next);
    }
    *key = key_of(pg, c->index);
    *value = get32(cell(pg, c->index) + 4);
    c->index++;
    return true;
}

/* ---- insertion ------------------------------------------------------------------------------ */

static void open_cell(uint8_t *pg, unsigned at)
{
    unsigned n = count_of(pg);
    memmove(cell(pg, at + 1), cell(pg, at), (n - at) * stride_of(pg));
    set_count(pg, n + 1);
}

static void close_cell(uint8_t *pg, unsigned at)
{
    unsigned n = count_of(pg) - 1;
    memmove(cell(pg, at), cell(pg, at + 1), (n - at) * stride_of(pg));
    set_count(pg, n);
}

static void inner_add(uint8_t *pg, unsigned at, uint32_t key, page_no right)
{
    unsigned n = count_of(pg);
    open_cell(pg, at);
    put32(cell(pg, at), key);
    memmove(child_slot(pg, at + 2), child_slot(pg, at + 1), (n - at) * 2u);
    put16(child_slot(pg, at + 1), right);
}

static void inner_drop(uint8_t *pg, unsigned at)
{
    unsigned n = count_of(pg);
    close_cell(pg, at);
    memmove(child_slot(pg, at + 1), child_slot(pg, at + 2), (n - at - 1) * 2u);
}

static split_info split_leaf(btree *t, page_no p)
{
    page_no fresh = alloc_page(t, PAGE_LEAF);
    uint8_t *left = page_at(t, p), *right = page_at(t, fresh);
    unsigned n = count_of(left), keep = (n + 1) / 2;

    memcpy(cell(right, 0), cell(left, keep), (n - keep) * 8u);
    set_count(right, n - keep);
    set_count(left, keep);
    memcpy(right + OFF_LINK, left + OFF_LINK, 2);
    put16(left + OFF_LINK, fresh);
    return (split_info){true, key_of(right, 0), fresh};
}

static split_info split_inner(btree *t, page_no p)
{
    page_no fresh = alloc_page(t, PAGE_INNER);
    uint8_t *left = page_at(t, p), *right = page_at(t, fresh);
    unsigned n = count_of(left), mid = n / 2, moved = n - mid - 1;
    uint32_t up = key_of(left, mid);

    memcpy(cell(right, 0), cell(left, mid + 1), moved * 4u);
    memcpy(child_slot(right, 0), child_slot(left, mid + 1), (moved + 1) * 2u);
    set_count(right, moved);
    set_count(left, mid);
    return (split_info){true, up, fresh};
}

static split_info insert_at(btree *t, page_no p, uint32_t key, uint32_t value)
{
    const split_info none = {false, 0, NO_PAGE};
    unsigned i = search_page(page_at(t, p), key);

    if (is_leaf(page_at(t, p))) {
        uint8_t *pg = page_at(t, p);
        if (i < count_of(pg) && key_of(pg, i) == key) {
            put32(cell(pg, i) + 4, value);
            return none;
        }
        open_cell(pg, i);
        put32(cell(pg, i), key);
        put32(cell(pg, i) + 4, value);
        t->records++;
        return count_of(pg) == LEAF_CAP ? split_leaf(t, p) : none;
    }
    split_info below = insert_at(t, child_of(page_at(t, p), i), key, value);
    if (!below.happened)
        return none;
    inner_add(page_at(t, p), i, below.key, below.right);
    return count_of(page_at(t, p)) == INNER_CAP ? split_inner(t, p) : none;
}

void bt_put(btree *t, uint32_t key, uint32_t value)
{
    split_info s = insert_at(t, t->root, key, value);
    if (s.happened) {
        page_no root = alloc_page(t, PAGE_INNER);
        uint8_t *pg = page_at(t, root);
        put16(child_slot(pg, 0), t->root);
        inner_add(pg, 0, s.key, s.right);
        t->root = root;
        t->depth++;
    }
}

/* ---- deletion ------------------------------------------------------------------------------- */

static void borrow_from_left(uint8_t *parent, unsigned sep, uint8_t *left, uint8_t *right)
{
    unsigned last = count_of(left) - 1;
    open_cell(right, 0);
    if (is_leaf(right)) {
        memcpy(cell(right, 0), cell(left, last), 8);
        put32(cell(parent, sep), key_of(right, 0));
    } else {
        memmove(child_slot(right, 1), child_slot(right, 0), count_of(right) * 2u);
        put16(child_slot(right, 0), child_of(left, last + 1));
        put32(cell(right, 0), key_of(parent, sep));
        put32(cell(parent, sep), key_of(left, last));
    }
    set_count(left, last);
}

static void borrow_from_right(uint8_t *parent, unsigned sep, uint8_t *left, uint8_t *right)
{
    unsigned n = count_of(left);
    if (is_leaf(left)) {
        memcpy(cell(left, n), cell(right, 0), 8);
        put32(cell(parent, sep), key_of(right, 1));
    } else {
        put32(cell(left, n), key_of(parent, sep));
        put16(child_slot(left, n + 1), child_of(right, 0));
        put32(cell(parent, sep), key_of(right, 0));
        memmove(child_slot(right, 0), child_slot(right, 1), count_of(right) * 2u);
    }
    set_count(left, n + 1);
    close_cell(right, 0);
}

static void merge_children(btree *t, uint8_t *parent, unsigned sep)
{
    page_no gone = child_of(parent, sep + 1);
    uint8_t *left = page_at(t, child_of(parent, sep)), *right = page_at(t, gone);
    unsigned n = count_of(left), m = count_of(right);

    if (is_leaf(left)) {
        memcpy(left + OFF_LINK, right + OFF_LINK, 2);
    } else {
        put32(cell(left, n), key_of(parent, sep));
        n++;
        memcpy(child_slot(left, n), child_slot(right, 0), (m + 1) * 2u);
    }
    memcpy(cell(left, n), cell(right, 0), m * stride_of(left));
    set_count(left, n + m);
    inner_drop(parent, sep);
    free_page(t, gone);
}

static void refill_child(btree *t, uint8_t *parent, unsigned i)
{
    uint8_t *child = page_at(t, child_of(parent, i));
    uint8_t *left = i > 0 ? page_at(t, child_of(parent, i - 1)) : NULL;
    uint8_t *right = i < count_of(parent) ? page_at(t, child_of(parent, i + 1)) : NULL;

    if (left && count_of(left) > minimum_of(left))
        borrow_from_left(parent, i - 1, left, child);
    else if (right && count_of(right) > minimum_of(right))
        borrow_from_right(parent, i, child, right);
    else
        merge_children(t, parent, left ? i - 1 : i);
}

static bool delete_at(btree *t, page_no p, uint32_t key)
{
    uint8_t *pg = page_at(t, p); /* deletion never grows the image, so this stays valid */
    unsigned i = search_page(pg, key);

    if (is_leaf(pg)) {
        if (i == count_of(pg) || key_of(pg, i) != key)
            return false;
        close_cell(pg, i);
        return true;
    }
    if (!delete_at(t, child_of(pg, i), key))
        return false;
    const uint8_t *child = page_at(t, child_of(pg, i));
    if (count_of(child) < minimum_of(child))
        refill_child(t, pg, i);
    return true;
}

bool bt_delete(btree *t, uint32_t key)
{
    if (!delete_at(t, t->root, key))
        return false;
    t->records--;
    uint8_t *root = page_at(t, t->root);
    if (!is_leaf(root) && count_of(root) == 0) {
        page_no only = child_of(root, 0);
        free_page(t, t->root);
        t->root = only;
        t->depth--;
    }
    return true;
}

/* ---- self-check ----------------------------------------------------------------------------- */

static bool check_page(const btree *t, page_no p, unsigned level, uint64_t low, uint64_t high)
{
    uint8_t *pg = page_at(t, p);
    unsigned n = count_of(pg);

    if (is_leaf(pg) != (level == 1) || (p != t->root && n < minimum_of(pg)))
        return false;
    for (unsigned i = 0; i < n; i++) {
        uint32_t k = key_of(pg, i);
        if (k < low || k >= high || (i > 0 && key_of(pg, i - 1) >= k))
            return false;
    }
    for (unsigned i = 0; level > 1 && i <= n; i++) {
        uint64_t from = i == 0 ? low : key_of(pg, i - 1);
        uint64_t to = i == n ? high : key_of(pg, i);
        if (!check_page(t, child_of(pg, i), level - 1, from, to))
            return false;
    }
    return true;
}

bool bt_check(const btree *t)
{
    uint32_t key, value;
    size_t seen = 0;

    for (bt_cursor c = bt_seek(t, 0); bt_step(&c, &key, &value);)
        seen++;
    return seen == t->records && check_page(t, t->root, t->depth, 0, 1ull << 32);
}

static void report(const btree *t, const char *when)
{
    uint32_t key, value, sum = 0;
    unsigned in_range = 0;
    bt_cursor c = bt_seek(t, 2000);

    while (bt_step(&c, &key, &value) && key < 4000) {
        in_range++;
        sum = sum * 33u + value;
    }
    printf("%-8s records %4zu depth %u pages %3u range %4u sum %08x %s\n", when, t->records,
           t->depth, t->pages, in_range, (unsigned)sum, bt_check(t) ? "ok" : "BROKEN");
}

int main(void)
{
    enum { KEYS = 7919 };
    btree t;
    uint32_t value = 0;
    unsigned wrong = 0;

    if (!bt_open(&t))
        return 1;
    for (uint32_t i = 0; i < KEYS; i += 2)
        bt_put(&t, i * 31 % KEYS, i);
    report(&t, "filled");
    for (uint32_t i = 0; i < KEYS; i += 2)
        wrong += !bt_get(&t, i * 31 % KEYS, &value) || value != i;
    for (uint32_t i = 0; i < KEYS; i += 3)
        wrong += bt_delete(&t, i * 31 % KEYS) != (i % 2 == 0);
    report(&t, "thinned");
    for (uint32_t i = 0; i < KEYS; i += 5)
        bt_put(&t, i * 57 % KEYS, ~i);
    report(&t, "refilled");
    for (uint32_t key = 0; key < KEYS - 6; key++)
        bt_delete(&t, key);
    report(&t, "drained");
    wrong += !bt_check(&t) || t.depth != 1;
    printf("mismatches %u\n", wrong);
    bt_close(&t);
    return wrong != 0;
}
