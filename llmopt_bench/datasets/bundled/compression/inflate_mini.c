/*
 * A DEFLATE decoder (RFC 1951: stored, fixed and dynamic blocks) in a zlib wrapper (RFC 1950).
 * Short codes decode by one table look-up, long ones by comparing against left-aligned limits.
 * Input: streams from a small fixed-code LZ77 encoder, one stored dynamic stream, and damaged ones.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    FAST_BITS = 9,
    MAX_BITS = 15,
    MAX_LITERALS = 288,
    MAX_DISTANCES = 32,
    END_OF_BLOCK = 256,
};

typedef enum {
    INFLATE_OK,
    INFLATE_TRUNCATED,
    INFLATE_BAD_BLOCK,
    INFLATE_BAD_STORED,
    INFLATE_BAD_CODE,
    INFLATE_BAD_DISTANCE,
    INFLATE_NO_ROOM,
    INFLATE_BAD_HEADER,
    INFLATE_BAD_CHECKSUM,
} inflate_status;

static const char *const status_names[] = {
    "ok",           "truncated", "bad block type", "bad stored length", "bad code",
    "bad distance", "no room",   "bad header",     "bad checksum",
};

typedef struct {
    uint16_t fast[1 << FAST_BITS]; /* symbol * 16 + length, or 0 when the code is longer */
    uint16_t symbols[MAX_LITERALS];
    uint32_t limit[MAX_BITS + 2]; /* first left-aligned code that is too large for this length */
    int32_t offset[MAX_BITS + 1]; /* from a code of this length to its place in symbols */
} decode_table;

typedef struct {
    const uint8_t *in, *in_end;
    uint8_t *out;
    size_t out_len, room;
    uint32_t hold;
    unsigned held;
    inflate_status status;
} inflate_stream;

static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

/* Distance bases follow from the code: two codes for each number of extra bits. */
static unsigned distance_extra(unsigned code) { return code < 4 ? 0 : code / 2 - 1; }

static unsigned distance_base(unsigned code) {
    return code < 4 ? code + 1 : ((2 + code % 2) << distance_extra(code)) + 1;
}

static bool fail(inflate_stream *s, inflate_status status) {
    if (s->status == INFLATE_OK)
        s->status = status;
    return false;
}

static void refill(inflate_stream *s) {
    for (; s->held <= 24 && s->in < s->in_end; s->held += 8)
        s->hold |= (uint32_t)*s->in++ << s->held;
}

static void drop_bits(inflate_stream *s, unsigned n) {
    if (n > s->held) {
        fail(s, INFLATE_TRUNCATED);
        n = s->held;
    }
    s->hold = n < 32 ? s->hold >> n : 0;
    s->held -= n;
}

static unsigned take_bits(inflate_stream *s, unsigned n) {
    refill(s);
    unsigned value = s->hold & ((1u << n) - 1);
    drop_bits(s, n);
    return value;
}

static unsigned reverse(unsigned value, unsigned bits) {
    unsigned r = 0;
    while (bits--) {
        r = r << 1 | (value & 1);
        value >>= 1;
    }
    return r;
}

/* Refuses oversubscribed codes; an incomplete one fails only if a missing code is met. */
static bool build_table(decode_table *t, const uint8_t *lengths, unsigned count) {
    unsigned per_length[MAX_BITS + 1] = {0}, next_code[MAX_BITS + 1], next_slot[MAX_BITS + 1];
    unsigned code = 0, slot = 0;

    memset(t, 0, sizeof *t);
    for (unsigned i = 0; i < count; i++)
        per_length[lengths[i]]++;
    for (unsigned len = 1; len <= MAX_BITS; len++) {
        next_code[len] = code;
        next_slot[len] = slot;
        t->offset[len] = (int32_t)slot - (int32_t)code;
        code += per_length[len];
        slot += per_length[len];
        if (code > 1u << len)
            return false;
        t->limit[len] = code << (MAX_BITS - len);
        code <<= 1;
    }
    for (unsigned sym = 0; sym < count; sym++) {
        unsigned len = lengths[sym];
        if (len == 0)
            continue;
        t->symbols[next_slot[len]++] = (uint16_t)sym;
        unsigned low = reverse(next_code[len]++, len);
        if (len <= FAST_BITS)
            for (unsigned i = low; i < 1u << FAST_BITS; i += 1u << len)
                t->fast[i] = (uint16_t)(sym << 4 | len);
    }
    return true;
}

static int decode_symbol(inflate_stream *s, const decode_table *t) {
    refill(s);
    unsigned entry = t->fast[s->hold & ((1u << FAST_BITS) - 1)];
    if (entry) {
        drop_bits(s, entry & 15);
        return (int)(entry >> 4);
    }
    unsigned code = reverse(s->hold & ((1u << MAX_BITS) - 1), MAX_BITS);
    for (unsigned len = FAST_BITS + 1; len <= MAX_BITS; len++) {
        if (code < t->limit[len]) {
            drop_bits(s, len);
            return t->symbols[(int32_t)(code >> (MAX_BITS - len)) + t->offset[len]];
        }
    }
    fail(s, s->held < MAX_BITS ? INFLATE_TRUNCATED : INFLATE_BAD_CODE);
    return -1;
}

static bool copy_match(inflate_stream *s, unsigned length, unsigned distance) {
    if (distance > s->out_len)
        return fail(s, INFLATE_BAD_DISTANCE);
    if (length > s->room - s->out_len)
        return fail(s, INFLATE_NO_ROOM);
    for (; length; length--, s->out_len++)
        s->out[s->out_len] = s->out[s->out_len - distance];
    return true;
}

static bool inflate_codes(inflate_stream *s, const decode_table *lit, const decode_table *dist) {
    while (s->status == INFLATE_OK) {
        int sym = decode_symbol(s, lit);
        if (s->status != INFLATE_OK || sym == END_OF_BLOCK)
            break;
        if (sym < END_OF_BLOCK) {
            if (s->out_len == s->room)
                return fail(s, INFLATE_NO_ROOM);
            s->out[s->out_len++] = (uint8_t)sym;
            continue;
        }
        if (sym > 285)
            return fail(s, INFLATE_BAD_CODE);
        unsigned length = length_base[sym - 257] + take_bits(s, length_extra[sym - 257]);
        int code = decode_symbol(s, dist);
        if (s->status != INFLATE_OK)
            break;
        if (code > 29)
            return fail(s, INFLATE_BAD_CODE);
        unsigned distance = distance_base((unsigned)code) + take_bits(s, distance_extra((unsigned)code));
        if (s->status != INFLATE_OK || !copy_match(s, length, distance))
            break;
    }
    return s->status == INFLATE_OK;
}

static bool inflate_stored(inflate_stream *s) {
    drop_bits(s, s->held % 8);
    unsigned len = take_bits(s, 16), complement = take_bits(s, 16);
    if (s->status != INFLATE_OK)
        return false;
    if ((len ^ complement) != 0xFFFF)
        return fail(s, INFLATE_BAD_STORED);
    if (len > s->room - s->out_len)
        return fail(s, INFLATE_NO_ROOM);
    while (len-- && s->status == INFLATE_OK)
        s->out[s->out_len++] = (uint8_t)take_bits(s, 8);
    return s->status == INFLATE_OK;
}

static bool inflate_fixed(inflate_stream *s, decode_table *lit, decode_table *dist) {
    uint8_t lengths[MAX_LITERALS];
    memset(lengths, 8, sizeof lengths);
    memset(lengths + 144, 9, 256 - 144);
    memset(lengths + 256, 7, 280 - 256);
    build_table(lit, lengths, MAX_LITERALS);
    memset(lengths, 5, MAX_DISTANCES);
    build_table(dist, lengths, MAX_DISTANCES);
    return inflate_codes(s, lit, dist);
}

static bool inflate_dynamic(inflate_stream *s, decode_table *lit, decode_table *dist) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[MAX_LITERALS + MAX_DISTANCES] = {0};
    unsigned literals = take_bits(s, 5) + 257, distances = take_bits(s, 5) + 1;
    unsigned meta = take_bits(s, 4) + 4, filled = 0;

    for (unsigned i = 0; i < meta; i++)
        lengths[order[i]] = (uint8_t)take_bits(s, 3);
    if (!build_table(lit, lengths, 19))
        return fail(s, INFLATE_BAD_CODE);
    memset(lengths, 0, sizeof lengths);
    while (filled < literals + distances) {
        int sym = decode_symbol(s, lit);
        unsigned value = 0, repeat = 1;
        if (sym == 16 && filled == 0)
            return fail(s, INFLATE_BAD_CODE);
        switch (sym) {
        case 16: value = lengths[filled - 1]; repeat = 3 + take_bits(s, 2); break;
        case 17: repeat = 3 + take_bits(s, 3); break;
        case 18: repeat = 11 + take_bits(s, 7); break;
        default: value = (unsigned)sym & 15; break;
        }
        if (s->status != INFLATE_OK)
            return false;
        if (repeat > literals + distances - filled)
            return fail(s, INFLATE_BAD_CODE);
        memset(lengths + filled, (int)value, repeat);
        filled += repeat;
    }
    if (literals > MAX_LITERALS - 2 || !build_table(lit, lengths, literals) ||
        !build_table(dist, lengths + literals, distances))
        return fail(s, INFLATE_BAD_CODE);
    return inflate_codes(s, lit, dist);
}

static uint32_t adler32(const uint8_t *p, size_t n) {
    uint32_t a = 1, b = 0;
    while (n--) {
        a = (a + *p++) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

inflate_status zlib_inflate(const uint8_t *src, size_t n, uint8_t *dst, size_t room, size_t *out_len) {
    decode_table lit, dist;
    inflate_stream s = {.in = src, .in_end = src + n, .out = dst, .room = room};
    bool last = false;

    *out_len = 0;
    if (n < 2 || (src[0] & 15) != 8 || (src[0] * 256u + src[1]) % 31 != 0 || (src[1] & 0x20))
        return INFLATE_BAD_HEADER;
    s.in += 2;
    while (!last && s.status == INFLATE_OK) {
        last = take_bits(&s, 1);
        switch (take_bits(&s, 2)) {
        case 0: inflate_stored(&s); break;
        case 1: inflate_fixed(&s, &lit, &dist); break;
        case 2: inflate_dynamic(&s, &lit, &dist); break;
        default: fail(&s, INFLATE_BAD_BLOCK); break;
        }
    }
    drop_bits(&s, s.held % 8);
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum = sum << 8 | take_bits(&s, 8);
    if (s.status == INFLATE_OK && sum != adler32(dst, s.out_len))
        fail(&s, INFLATE_BAD_CHECKSUM);
    *out_len = s.out_len;
    return s.status;
}

typedef struct {
    uint8_t *out;
    size_t len;
    uint32_t hold;
    unsigned held;
} deflate_writer;

static void put_bits(deflate_writer *w, unsigned value, unsigned n) {
    w->hold |= value << w->held;
    for (w->held += n; w->held >= 8; w->held -= 8) {
        w->out[w->len++] = (uint8_t)w->hold;
        w->hold >>= 8;
    }
}

static void put_fixed_symbol(deflate_writer *w, unsigned sym) {
    if (sym < 144)
        put_bits(w, reverse(0x30 + sym, 8), 8);
    else if (sym < 256)
        put_bits(w, reverse(0x190 + sym - 144, 9), 9);
    else if (sym < 280)
        put_bits(w, reverse(sym - 256, 7), 7);
    else
        put_bits(w, reverse(0xC0 + sym - 280, 8), 8);
}

static void put_match(deflate_writer *w, unsigned length, unsigned distance) {
    unsigned lc = 28, dc = 29;
    while (length_base[lc] > length)
        lc--;
    while (distance_base(dc) > distance)
        dc--;
    put_fixed_symbol(w, 257 + lc);
    put_bits(w, length - length_base[lc], length_extra[lc]);
    put_bits(w, reverse(dc, 5), 5);
    put_bits(w, distance - distance_base(dc), distance_extra(dc));
}

/* Greedy matching against the latest place with the same hash of three bytes. */
static void deflate_fixed(deflate_writer *w, const uint8_t *src, size_t n, bool last) {
    size_t latest[1024] = {0}; /* position + 1 */
    put_bits(w, last, 1);
    put_bits(w, 1, 2);
    for (size_t at = 0; at < n;) {
        unsigned length = 0;
        size_t candidate = 0;
        if (at + 3 <= n) {
            size_t *slot = &latest[(src[at] * 33u * 33u + src[at + 1] * 33u + src[at + 2]) % 1024];
            candidate = *slot;
            *slot = at + 1;
        }
        if (candidate && at + 1 - candidate <= 32768)
            while (length < 258 && at + length < n && src[candidate - 1 + length] == src[at + length])
                length++;
        if (length >= 3)
            put_match(w, length, (unsigned)(at + 1 - candidate));
        else
            put_fixed_symbol(w, src[at]);
        at += length >= 3 ? length : 1;
    }
    put_fixed_symbol(w, END_OF_BLOCK);
}

static void deflate_stored(deflate_writer *w, const uint8_t *src, uint16_t n) {
    put_bits(w, 0, 3);
    put_bits(w, 0, (8 - w->held) % 8);
    put_bits(w, n, 16);
    put_bits(w, n ^ 0xFFFFu, 16);
    memcpy(w->out + w->len, src, n);
    w->len += n;
}

/* One stored block for the first part, one fixed block for the rest. */
size_t zlib_deflate(const uint8_t *src, size_t n, uint16_t stored, uint8_t *dst) {
    deflate_writer w = {.out = dst};
    put_bits(&w, 0x9C78, 16);
    if (stored)
        deflate_stored(&w, src, stored);
    deflate_fixed(&w, src + stored, n - stored, true);
    put_bits(&w, 0, (8 - w.held) % 8);
    uint32_t sum = adler32(src, n);
    for (int shift = 24; shift >= 0; shift -= 8)
        put_bits(&w, sum >> shift & 255, 8);
    return w.len;
}

/* The first forty rows of make_powers, compressed with a dynamic code. */
static const uint8_t dynamic_sample[] = {
    0x78, 0xda, 0x5d, 0x93, 0xb9, 0x75, 0x04, 0x41, 0x08, 0x44, 0xfd, 0x8a, 0x62, 0x03, 0x90, 0xd1, 0xdc,
    0x10, 0x8e, 0x2e, 0x43, 0xa6, 0xb4, 0x4f, 0xf9, 0x6b, 0xd6, 0xd8, 0xa6, 0x91, 0x37, 0x43, 0x3d, 0x1a,
    0xf8, 0x14, 0x74, 0xbb, 0x7f, 0xff, 0xbe, 0xfe, 0x7c, 0x7e, 0xdc, 0xbe, 0xee, 0x37, 0x7a, 0xb9, 0xbd,
    0xff, 0xbe, 0x5d, 0xdf, 0x04, 0x3e, 0xe3, 0xfa, 0x8c, 0x27, 0xe4, 0x8c, 0xd7, 0x33, 0xce, 0x01, 0x1d,
    0x0f, 0xf9, 0x53, 0x71, 0x85, 0x9d, 0x0a, 0xdb, 0xae, 0xc1, 0x06, 0x3f, 0x25, 0xd9, 0x49, 0x4c, 0x8e,
    0x18, 0x0d, 0xec, 0x4a, 0xa2, 0x82, 0x3c, 0x25, 0xdf, 0xcd, 0x19, 0x31, 0xea, 0x94, 0x72, 0xcf, 0x13,
    0x5c, 0xa0, 0x35, 0x3a, 0x5c, 0x6b, 0x37, 0xb2, 0xd6, 0x02, 0xd1, 0x50, 0xb9, 0x51, 0x88, 0x10, 0x68,
    0xe0, 0x20, 0xdd, 0x35, 0x29, 0x38, 0x41, 0x32, 0x67, 0x6f, 0x2c, 0x54, 0x01, 0x9a, 0x64, 0xaa, 0xa7,
    0x0c, 0x55, 0xd0, 0xa4, 0xd3, 0x78, 0x44, 0xc2, 0x40, 0x3e, 0xd9, 0xed, 0x5c, 0x5d, 0xe5, 0xa0, 0xc1,
    0x88, 0x73, 0xd7, 0xd5, 0x22, 0x01, 0x0d, 0x4c, 0xc2, 0xcd, 0x29, 0x85, 0x41, 0x35, 0xd1, 0xef, 0x79,
    0x3d, 0xad, 0xc0, 0x83, 0x95, 0x36, 0xab, 0x7c, 0xb0, 0xe2, 0xc1, 0x4a, 0x75, 0xe7, 0x16, 0xfb, 0xe5,
    0x9c, 0x69, 0x9d, 0x6c, 0x56, 0xcb, 0x35, 0xc1, 0x03, 0x96, 0x71, 0xb5, 0x1f, 0xc8, 0x03, 0x3c, 0x68,
    0x59, 0x78, 0xef, 0x21, 0x59, 0xc1, 0x03, 0x97, 0x1f, 0x6e, 0xb2, 0xeb, 0x07, 0x3c, 0x78, 0xf9, 0x91,
    0x1d, 0xd7, 0x53, 0xe0, 0x01, 0x2c, 0x8e, 0xda, 0xe5, 0x29, 0xe0, 0x41, 0x2c, 0xba, 0xf3, 0x6b, 0x8f,
    0xc6, 0xe0, 0x69, 0xae, 0x1e, 0x9b, 0x55, 0xb2, 0x20, 0x83, 0x59, 0x35, 0x33, 0x8e, 0x07, 0x34, 0x19,
    0xd0, 0xaa, 0x81, 0x73, 0x45, 0x11, 0x64, 0x3a, 0x6c, 0xf5, 0xba, 0x84, 0xc3, 0xaf, 0xbb, 0x9b, 0x1e,
    0x5b, 0xbd, 0x6c, 0xb1, 0x92, 0x80, 0x4c, 0x97, 0x51, 0x5b, 0x45, 0x4a, 0x96, 0x42, 0x6c, 0xfa, 0xbb,
    0xc9, 0x29, 0xe7, 0xe5, 0x34, 0xf1, 0xa9, 0xb7, 0x4d, 0xd5, 0xdd, 0x1c, 0x32, 0xd0, 0x91, 0xb4, 0xc9,
    0x6d, 0xb9, 0x09, 0x24, 0xff, 0x5d, 0x48, 0xdb, 0x4d, 0x33, 0x18, 0x32, 0xe0, 0x91, 0xf5, 0x81, 0x5d,
    0xed, 0x53, 0x41, 0xe7, 0x75, 0x7a, 0xe3, 0x73, 0x7d, 0xe0, 0xfb, 0x03, 0xc9, 0xa4, 0x52, 0x0c,
};

static size_t make_powers(char *buf, int rows) {
    size_t len = 0;
    for (int n = 1; n <= rows; n++)
        len += (size_t)sprintf(buf + len, "%d squared is %d, cubed %d\n", n, n * n, n * n * n);
    return len;
}

static bool check(const char *label, const uint8_t *packed, size_t n, const void *plain, size_t plain_len) {
    static uint8_t out[20000];
    size_t got;
    inflate_status status = zlib_inflate(packed, n, out, sizeof out, &got);
    bool same = status == INFLATE_OK && got == plain_len && memcmp(out, plain, got) == 0;
    printf("%-8s %5zu -> %5zu bytes, %s\n", label, n, got, same ? "equal" : status_names[status]);
    return same;
}

static bool check_refused(const uint8_t *packed, size_t n, inflate_status expected) {
    uint8_t out[64];
    size_t got;
    inflate_status status = zlib_inflate(packed, n, out, sizeof out, &got);
    printf("refused after %2zu bytes: %s\n", got, status_names[status]);
    return status == expected;
}

int main(void) {
    static char text[20000];
    static uint8_t packed[24000], binary[5000];
    static const uint8_t bad_type[] = {0x78, 0x9C, 0x07}, bad_stored[] = {0x78, 0x9C, 1, 2, 0, 2, 0},
                         bad_header[] = {0x79, 0x9C}, too_far[] = {0x78, 0x9C, 0x63, 0x00, 0x42, 0};
    bool good = true;

    size_t n = make_powers(text, 40);
    good &= check("dynamic", dynamic_sample, sizeof dynamic_sample, text, n);
    n = make_powers(text, 500);
    good &= check("fixed", packed, zlib_deflate((uint8_t *)text, n, 0, packed), text, n);
    good &= check("mixed", packed, zlib_deflate((uint8_t *)text, n, 777, packed), text, n);
    for (size_t i = 0; i < sizeof binary; i++)
        binary[i] = (uint8_t)(i % 7 ? i * i >> 5 : 200);
    size_t size = zlib_deflate(binary, sizeof binary, 0, packed);
    good &= check("binary", packed, size, binary, sizeof binary);
    good &= check("empty", packed, zlib_deflate(binary, 0, 0, packed), binary, 0);

    good &= check_refused(bad_type, sizeof bad_type, INFLATE_BAD_BLOCK);
    good &= check_refused(bad_stored, sizeof bad_stored, INFLATE_BAD_STORED);
    good &= check_refused(bad_header, sizeof bad_header, INFLATE_BAD_HEADER);
    good &= check_refused(too_far, sizeof too_far, INFLATE_BAD_DISTANCE);
    good &= check_refused(dynamic_sample, sizeof dynamic_sample, INFLATE_NO_ROOM);
    size = zlib_deflate((uint8_t *)text, 60, 0, packed);
    good &= check_refused(packed, size - 9, INFLATE_TRUNCATED);
    packed[size - 1] ^= 1;
    good &= check_refused(packed, size, INFLATE_BAD_CHECKSUM);
    return good ? 0 : 1;
}
