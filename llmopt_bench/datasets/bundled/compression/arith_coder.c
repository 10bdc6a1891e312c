// Adaptive binary range coder with carry propagation.
// Every byte is coded as eight decisions down a binary tree; the probability of each decision is
// the confidence-weighted mix of an order-0 and an order-1 model, both learned while coding.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROB_BITS 12
#define PROB_ONE (1u << PROB_BITS)
#define TOP (1u << 24)

typedef uint16_t prob_t; // chance of a zero bit, with 16 bits of fraction

typedef struct {
    prob_t order0[256];
    prob_t order1[256][256];
    uint8_t previous;
} model;

typedef struct {
    uint64_t low;
    uint32_t range, code;
    uint8_t cache;
    size_t pending; // bytes a carry could still change, cache included
    uint8_t *at, *end;
} coder;

static void model_reset(model *m) {
    for (int i = 0; i < 256; i++) {
        m->order0[i] = 1u << 15;
        for (int j = 0; j < 256; j++)
            m->order1[i][j] = 1u << 15;
    }
    m->previous = 0;
}

static uint32_t certainty(prob_t p) {
    return p > (1u << 15) ? p - (1u << 15) : (1u << 15) - p;
}

static uint32_t mix(prob_t a, prob_t b) {
    uint32_t wa = certainty(a) + 64, wb = 2 * certainty(b) + 64;
    uint32_t p = (uint32_t)(((uint64_t)a * wa + (uint64_t)b * wb) / (wa + wb));
    p >>= 16 - PROB_BITS;
    return p < 1 ? 1 : p >= PROB_ONE ? PROB_ONE - 1 : p;
}

static void learn(prob_t *p, int bit, int rate) {
    if (bit)
        *p -= *p >> rate;
    else
        *p += (0xFFFFu - *p) >> rate;
}

static void shift_low(coder *c) {
    if (c->low < 0xFF000000u || c->low > 0xFFFFFFFFu) {
        uint8_t carry = (uint8_t)(c->low >> 32), out = c->cache;
        for (; c->pending; c->pending--, out = 0xFF)
            if (c->at < c->end)
                *c->at++ = (uint8_t)(out + carry);
        c->cache = (uint8_t)(c->low >> 24);
    }
    c->pending++;
    c->low = (c->low & 0x00FFFFFFu) << 8;
}

static void encode_bit(coder *c, uint32_t p0, int bit) {
    uint32_t bound = (c->range >> PROB_BITS) * p0;
    if (bit) {
        c->low += bound;
        c->range -= bound;
    } else
        c->range = bound;
    for (; c->range < TOP; c->range <<= 8)
        shift_low(c);
}

static int decode_bit(coder *c, uint32_t p0) {
    uint32_t bound = (c->range >> PROB_BITS) * p0;
    int bit = c->code >= bound;
    if (bit) {
        c->code -= bound;
        c->range -= bound;
    } else
        c->range = bound;
    for (; c->range < TOP; c->range <<= 8)
        c->code = c->code << 8 | (c->at < c->end ? *c->at++ : 0u);
    return bit;
}

// Codes one symbol in either direction: with encode set, symbol gives the bits; the symbol returns.
static uint8_t code_symbol(coder *c, model *m, int encode, uint8_t symbol) {
    unsigned node = 1;
    prob_t *const context = m->order1[m->previous];
    for (int i = 7; i >= 0; i--) {
        prob_t *a = &m->order0[node], *b = &context[node];
        uint32_t p0 = mix(*a, *b);
        int bit = symbol >> i & 1;
        if (encode)
            encode_bit(c, p0, bit);
        else
            bit = decode_bit(c, p0);
        learn(a, bit, 5);
        learn(b, bit, 4);
        node = node << 1 | (unsigned)bit;
    }
    return m->previous = (uint8_t)node;
}

size_t range_encode(model *m, const uint8_t *src, size_t n, uint8_t *dst, size_t room) {
    coder c = {.range = 0xFFFFFFFFu, .pending = 1, .at = dst, .end = dst + room};
    model_reset(m);
    for (size_t i = 0; i < n; i++)
        code_symbol(&c, m, 1, src[i]);
    for (int i = 0; i < 5; i++)
        shift_low(&c);
    return (size_t)(c.at - dst);
}

void range_decode(model *m, uint8_t *src, size_t size, uint8_t *dst, size_t n) {
    coder c = {.range = 0xFFFFFFFFu, .at = src + 1, .end = src + size}; // byte 0 is the empty cache
    model_reset(m);
    for (int i = 0; i < 4; i++)
        c.code = c.code << 8 | (c.at < c.end ? *c.at++ : 0u);
    for (size_t i = 0; i < n; i++)
        dst[i] = code_symbol(&c, m, 0, 0);
}

static uint8_t sample(int kind, size_t i) {
    static uint32_t weyl;
    weyl = i == 0 ? 1u : weyl + 0x9E3779B9u;
    uint32_t r = (weyl ^ weyl >> 15) * 0x85EBCA6Bu >> 24;
    switch (kind) {
    case 0: return (uint8_t)(r < 240 ? 0 : r); // sparse
    case 1: return (uint8_t)"northwind"[(i + (r > 250)) % 9];
    case 2: return (uint8_t)(i / 3 + (r & 1)); // slow ramp with noise
    default: return (uint8_t)r;
    }
}

int main(void) {
    enum { N = 12000, ROOM = N + N / 4 };
    uint8_t *plain = malloc(N), *packed = malloc(ROOM), *back = malloc(N);
    model *m = malloc(sizeof *m);
    int status = 1;
    if (!plain || !packed || !back || !m)
        goto done;
    status = 0;
    for (int kind = 0; kind < 4; kind++) {
        size_t count[256] = {0};
        double entropy = 0;
        for (size_t i = 0; i < N; i++)
            count[plain[i] = sample(kind, i)]++;
        for (int s = 0; s < 256; s++)
            if (count[s])
                entropy -= (double)count[s] * log2((double)count[s] / N) / 8;
        size_t size = range_encode(m, plain, N, packed, ROOM);
        range_decode(m, packed, size, back, N);
        int differs = memcmp(plain, back, N) != 0;
        printf("kind %d: %d -> %zu bytes, order-0 entropy %.1f, %s\n", kind, N, size, entropy,
               differs ? "DIFFERS" : "same");
        status |= differs;
    }
done:
    free(plain);
    free(packed);
    free(back);
    free(m);
    return status;
}
