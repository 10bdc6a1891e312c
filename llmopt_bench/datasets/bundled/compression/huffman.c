/*
 * Canonical Huffman coder with code lengths limited to 15 bits.
 * The tree comes from a binary heap of weights, over-long codes are repaired against the Kraft sum,
 * and the stream carries only code lengths (a nibble each); decoding walks first-code tables.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYMBOLS = 256, MAX_LEN = 15, HEADER = 4 + SYMBOLS / 2 };

typedef struct {
    uint8_t *data;
    size_t len, cap;
    uint32_t acc;
    unsigned fill;
} BitWriter;

typedef struct {
    const uint8_t *data;
    size_t len, pos;
    unsigned fill;
    uint8_t acc;
} BitReader;

typedef struct {
    uint64_t weight;
    int left, right; /* -1 in a leaf, whose index is its symbol */
} Node;

typedef struct {
    int items[SYMBOLS];
    int count;
    const Node *nodes;
} Heap;

static void byte_put(BitWriter *w, uint8_t b) {
    if (w->len == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        uint8_t *grown = realloc(w->data, cap);
        if (!grown) {
            fprintf(stderr, "huffman: out of memory at %zu bytes\n", cap);
            exit(2);
        }
        w->data = grown;
        w->cap = cap;
    }
    w->data[w->len++] = b;
}

static void bits_put(BitWriter *w, uint32_t value, unsigned count) {
    w->acc = (w->acc << count) | value;
    w->fill += count;
    while (w->fill >= 8) {
        w->fill -= 8;
        byte_put(w, (uint8_t)(w->acc >> w->fill));
    }
    w->acc &= (1u << w->fill) - 1;
}

static void bits_flush(BitWriter *w) {
    if (w->fill)
        bits_put(w, 0, 8 - w->fill);
}

/* Returns 0 or 1, or -1 at the end of the data. */
static int bit_get(BitReader *r) {
    if (r->fill == 0) {
        if (r->pos == r->len)
            return -1;
        r->acc = r->data[r->pos++];
        r->fill = 8;
    }
    return (r->acc >> --r->fill) & 1;
}

static bool lighter(const Heap *h, int a, int b) {
    uint64_t wa = h->nodes[a].weight, wb = h->nodes[b].weight;
    return wa != wb ? wa < wb : a < b;
}

static void heap_push(Heap *h, int node) {
    int i = h->count++;
    while (i > 0 && lighter(h, node, h->items[(i - 1) / 2])) {
        h->items[i] = h->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->items[i] = node;
}

static int heap_pop(Heap *h) {
    int top = h->items[0], last = h->items[--h->count], i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && lighter(h, h->items[child + 1], h->items[child]))
            child++;
        if (!lighter(h, h->items[child], last))
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return top;
}

static void assign_depths(const Node *nodes, int at, unsigned depth, uint8_t *lengths) {
    if (nodes[at].left < 0) {
        lengths[at] = (uint8_t)(depth > MAX_LEN ? MAX_LEN : depth);
        return;
    }
    assign_depths(nodes, nodes[at].left, depth + 1, lengths);
    assign_depths(nodes, nodes[at].right, depth + 1, lengths);
}

/* Clipping long codes oversubscribes the code space; push the longest legal codes down until it
 * fits, then give space that is left over back to the heaviest symbols that can use it. */
static void repair_kraft(uint8_t *lengths, const uint32_t *freq) {
    int64_t slack = 1 << MAX_LEN;
    for (int s = 0; s < SYMBOLS; s++)
        if (lengths[s])
            slack -= 1 << (MAX_LEN - lengths[s]);
    while (slack < 0) {
        int pick = -1;
        for (int s = 0; s < SYMBOLS; s++) {
            if (!lengths[s] || lengths[s] == MAX_LEN)
                continue;
            if (pick < 0 || lengths[s] > lengths[pick] ||
                (lengths[s] == lengths[pick] && freq[s] < freq[pick]))
                pick = s;
        }
        lengths[pick]++;
        slack += 1 << (MAX_LEN - lengths[pick]);
    }
    while (slack > 0) {
        int pick = -1;
        for (int s = 0; s < SYMBOLS; s++)
            if (lengths[s] > 1 && (1 << (MAX_LEN - lengths[s])) <= slack &&
                (pick < 0 || freq[s] > freq[pick]))
                pick = s;
        if (pick < 0)
            break;
        slack -= 1 << (MAX_LEN - lengths[pick]);
        lengths[pick]--;
    }
}

void huffman_lengths(const uint32_t freq[SYMBOLS], uint8_t lengths[SYMBOLS]) {
    Node nodes[2 * SYMBOLS];
    Heap heap = {.count = 0, .nodes = nodes};
    int next = SYMBOLS;

    memset(lengths, 0, SYMBOLS);
    for (int s = 0; s < SYMBOLS; s++) {
        nodes[s] = (Node){freq[s], -1, -1};
        if (freq[s])
            heap_push(&heap, s);
    }
    if (heap.count == 0)
        return;
    if (heap.count == 1) {
        lengths[heap_pop(&heap)] = 1; /* a lone symbol still needs a bit per occurrence */
        return;
    }
    while (heap.count > 1) {
        int a = heap_pop(&heap), b = heap_pop(&heap);
        nodes[next] = (Node){nodes[a].weight + nodes[b].weight, a, b};
        heap_push(&heap, next++);
    }
    assign_depths(nodes, heap_pop(&heap), 0, lengths);
    repair_kraft(lengths, freq);
}

static void canonical_codes(const uint8_t *lengths, uint16_t *codes) {
    uint32_t code = 0;
    for (unsigned len = 1; len <= MAX_LEN; len++, code <<= 1)
        for (int s = 0; s < SYMBOLS; s++)
            if (lengths[s] == len)
                codes[s] = (uint16_t)code++;
}

BitWriter huffman_encode(const uint8_t *src, size_t n) {
    BitWriter w = {0};
    uint32_t freq[SYMBOLS] = {0};
    uint8_t lengths[SYMBOLS];
    uint16_t codes[SYMBOLS] = {0};

    for (size_t i = 0; i < n; i++)
        freq[src[i]]++;
    huffman_lengths(freq, lengths);
    canonical_codes(lengths, codes);
    for (int shift = 24; shift >= 0; shift -= 8)
        bits_put(&w, (uint32_t)(n >> shift) & 255, 8);
    for (int s = 0; s < SYMBOLS; s++)
        bits_put(&w, lengths[s], 4);
    for (size_t i = 0; i < n; i++)
        bits_put(&w, codes[src[i]], lengths[src[i]]);
    bits_flush(&w);
    return w;
}

/* Returns a fresh buffer, or NULL when the stream is truncated or no symbol has its code. */
uint8_t *huffman_decode(const uint8_t *src, size_t n, size_t *out_len) {
    uint16_t count[MAX_LEN + 1] = {0}, slot[MAX_LEN + 2] = {0};
    uint8_t sorted[SYMBOLS], lengths[SYMBOLS];
    if (n < HEADER)
        return NULL;
    size_t total = (size_t)src[0] << 24 | (size_t)src[1] << 16 | (size_t)src[2] << 8 | src[3];
    for (int s = 0; s < SYMBOLS; s++) {
        lengths[s] = (src[4 + s / 2] >> (s % 2 ? 0 : 4)) & 15;
        count[lengths[s]]++;
    }
    for (int len = 1; len <= MAX_LEN; len++)
        slot[len + 1] = (uint16_t)(slot[len] + count[len]);
    for (int s = 0; s < SYMBOLS; s++)
        if (lengths[s])
            sorted[slot[lengths[s]]++] = (uint8_t)s;

    uint8_t *out = malloc(total + 1);
    BitReader r = {src + HEADER, n - HEADER, 0, 0, 0};
    for (size_t i = 0; out && i < total; i++) {
        int code = 0, first = 0, base = 0, len;
        for (len = 1; len <= MAX_LEN; len++) {
            int bit = bit_get(&r);
            if (bit < 0)
                goto bad;
            code |= bit;
            if (code - first < count[len])
                break;
            base += count[len];
            first = (first + count[len]) << 1;
            code <<= 1;
        }
        if (len > MAX_LEN)
            goto bad;
        out[i] = sorted[base + code - first];
    }
    *out_len = total;
    return out;
bad:
    free(out);
    return NULL;
}

static size_t make_english(uint8_t *buf, size_t n) {
    static const char text[] = "it was not the size of the tree but the order of the branches ";
    uint32_t seed = 99;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        buf[i] = (uint8_t)text[(seed >> 16) % (sizeof text - 1)];
    }
    return n;
}

static size_t make_fibonacci(uint8_t *buf, size_t n) {
    size_t len = 0, a = 1, b = 1;
    for (uint8_t sym = 0; len + a <= n; sym++) {
        memset(buf + len, sym, a);
        len += a;
        size_t c = a + b;
        a = b;
        b = c;
    }
    return len;
}

static size_t make_noise(uint8_t *buf, size_t n) {
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        buf[i] = (uint8_t)(x >> 11);
    }
    return n;
}

static size_t make_constant(uint8_t *buf, size_t n) {
    memset(buf, 'z', n / 3);
    return n / 3;
}

static size_t make_empty(uint8_t *buf, size_t n) {
    memset(buf, 0, n);
    return 0;
}

static unsigned deepest_code(const BitWriter *packed) {
    unsigned deepest = 0;
    for (size_t i = 4; i < HEADER; i++) {
        unsigned high = packed->data[i] >> 4, low = packed->data[i] & 15u;
        unsigned longer = high > low ? high : low;
        deepest = longer > deepest ? longer : deepest;
    }
    return deepest;
}

int main(void) {
    static const struct {
        const char *name;
        size_t (*make)(uint8_t *, size_t);
    } cases[] = {{"english", make_english},   {"fibonacci", make_fibonacci}, {"noise", make_noise},
                 {"constant", make_constant}, {"empty", make_empty}};
    static uint8_t buf[20000];
    int failures = 0;

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        size_t n = cases[c].make(buf, sizeof buf), back_len = 0, cut_len = 0;
        BitWriter packed = huffman_encode(buf, n);
        uint8_t *back = huffman_decode(packed.data, packed.len, &back_len);
        uint8_t *cut = huffman_decode(packed.data, packed.len - 1, &cut_len);
        bool same = back && back_len == n && memcmp(back, buf, n) == 0;
        printf("%-10s %6zu -> %6zu bytes, deepest %u, %s, truncated %s\n", cases[c].name, n,
               packed.len, deepest_code(&packed), same ? "round trip ok" : "MISMATCH",
               cut ? "ACCEPTED" : "rejected");
        failures += !same || cut != NULL;
        free(back);
        free(cut);
        free(packed.data);
    }
    return failures != 0;
}
