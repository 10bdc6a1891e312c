// Columnar integer codec: zigzag varints, deltas, deltas of deltas, runs, and frame-of-reference
// bit packing.  Each block of a column is tried with every codec and keeps the smallest result.
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 128
#define PAYLOAD_MAX (BLOCK_ROWS * 20)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

typedef struct { uint8_t *at; } sink;
typedef struct { const uint8_t *at, *end; bool broken; } source;

// All arithmetic is on the unsigned image of the values: differences wrap instead of overflowing.
typedef struct {
    const char *name;
    void (*encode)(sink *out, const uint64_t *v, size_t n);
    void (*decode)(source *in, uint64_t *v, size_t n);
} codec;

typedef struct {
    uint8_t *bytes;
    size_t len, cap, rows;
    unsigned used[5];
} column;

static uint64_t zigzag(uint64_t v) { return v << 1 ^ (0 - (v >> 63)); }
static uint64_t unzigzag(uint64_t z) { return z >> 1 ^ (0 - (z & 1)); }

static void put_varint(sink *out, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        *out->at++ = (uint8_t)(v | 0x80);
    *out->at++ = (uint8_t)v;
}

static uint64_t get_varint(source *in) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t b = *in->at++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80)
            return v;
    }
    in->broken = true;
    return 0;
}

static void plain_encode(sink *out, const uint64_t *v, size_t n) {
    while (n--)
        put_varint(out, zigzag(*v++));
}

static void plain_decode(source *in, uint64_t *v, size_t n) {
    while (n--)
        *v++ = unzigzag(get_varint(in));
}

static void delta_encode(sink *out, const uint64_t *v, size_t n) {
    uint64_t last = 0;
    for (size_t i = 0; i < n; last = v[i++])
        put_varint(out, zigzag(v[i] - last));
}

static void delta_decode(source *in, uint64_t *v, size_t n) {
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++)
        v[i] = last += unzigzag(get_varint(in));
}

static void delta2_encode(sink *out, const uint64_t *v, size_t n) {
    uint64_t last = 0, step = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t now = v[i] - last;
        put_varint(out, zigzag(now - step));
        step = now;
        last = v[i];
    }
}

static void delta2_decode(source *in, uint64_t *v, size_t n) {
    uint64_t last = 0, step = 0;
    for (size_t i = 0; i < n; i++) {
        step += unzigzag(get_varint(in));
        v[i] = last += step;
    }
}

static void runs_encode(sink *out, const uint64_t *v, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[end] == v[i]; end++)
            ;
        put_varint(out, zigzag(v[i]));
        put_varint(out, end - i - 1);
    }
}

static void runs_decode(source *in, uint64_t *v, size_t n) {
    while (n && !in->broken) {
        uint64_t value = unzigzag(get_varint(in)), extra = get_varint(in);
        if (extra >= n)
            in->broken = true;
        else
            for (n -= extra + 1, extra++; extra; extra--)
                *v++ = value;
    }
}

static unsigned bit_width(uint64_t v) {
    unsigned w = 0;
    for (; v; v >>= 1)
        w++;
    return w;
}

// Order of the signed values that the unsigned images stand for.
static bool signed_less(uint64_t a, uint64_t b) {
    const uint64_t sign = UINT64_C(1) << 63;
    return (a ^ sign) < (b ^ sign);
}

static void frame_encode(sink *out, const uint64_t *v, size_t n) {
    uint64_t low = v[0], high = v[0];
    for (size_t i = 1; i < n; i++) {
        low = signed_less(v[i], low) ? v[i] : low;
        high = signed_less(high, v[i]) ? v[i] : high;
    }
    unsigned width = bit_width(high - low), used = 8;
    put_varint(out, zigzag(low));
    *out->at++ = (uint8_t)width;
    for (size_t i = 0; i < n; i++) {
        uint64_t rest = v[i] - low;
        for (unsigned left = width; left;) {
            if (used == 8) {
                *out->at++ = 0;
                used = 0;
            }
            unsigned take = left < 8 - used ? left : 8 - used;
            out->at[-1] |= (uint8_t)((rest & ((1u << take) - 1)) << used);
            rest >>= take;
            used += take;
            left -= take;
        }
    }
}

// The one codec with random access: reads the field of one row without its neighbours.
static uint64_t frame_field(const uint8_t *packed, unsigned width, size_t row) {
    uint64_t value = 0;
    size_t bit = row * width;
    for (unsigned got = 0; got < width;) {
        unsigned skip = bit % 8, take = 8 - skip < width - got ? 8 - skip : width - got;
        value |= (uint64_t)(packed[bit / 8] >> skip & ((1u << take) - 1)) << got;
        got += take;
        bit += take;
    }
    return value;
}

static void frame_decode(source *in, uint64_t *v, size_t n) {
    uint64_t low = unzigzag(get_varint(in));
    unsigned width = in->at < in->end ? *in->at++ : 255;
    size_t size = (n * width + 7) / 8;
    if (width > 64 || size > (size_t)(in->end - in->at)) {
        in->broken = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = low + frame_field(in->at, width, i);
    in->at += size;
}

static const codec codecs[5] = {
    {"plain", plain_encode, plain_decode},    {"delta", delta_encode, delta_decode},
    {"delta2", delta2_encode, delta2_decode}, {"runs", runs_encode, runs_decode},
    {"frame", frame_encode, frame_decode},
};

// A block is its codec number, its rows and its payload size as varints, and the payload.
static bool append_block(column *col, const uint64_t *v, size_t n) {
    uint8_t trial[2][PAYLOAD_MAX];
    size_t best_size = SIZE_MAX;
    unsigned best = 0, keep = 0;
    for (unsigned c = 0; c < COUNT_OF(codecs); c++) {
        sink out = {trial[!keep]};
        codecs[c].encode(&out, v, n);
        size_t size = (size_t)(out.at - trial[!keep]);
        if (size < best_size) {
            best_size = size;
            best = c;
            keep = !keep;
        }
    }
    if (col->cap - col->len < best_size + 16) {
        size_t cap = col->cap * 2 + best_size + 16;
        uint8_t *grown = realloc(col->bytes, cap);
        if (!grown)
            return false;
        col->bytes = grown;
        col->cap = cap;
    }
    sink out = {col->bytes + col->len};
    *out.at++ = (uint8_t)best;
    put_varint(&out, n);
    put_varint(&out, best_size);
    memcpy(out.at, trial[keep], best_size);
    col->len = (size_t)(out.at - col->bytes) + best_size;
    col->rows += n;
    col->used[best]++;
    return true;
}

typedef bool (*row_visitor)(void *context, size_t row, uint64_t value);

// Calls visit for each row until it returns false; returns the rows seen, or -1 for damaged bytes.
int64_t column_scan(const uint8_t *bytes, size_t len, row_visitor visit, void *context) {
    source in = {bytes, bytes + len, false};
    uint64_t rows[BLOCK_ROWS];
    size_t row = 0;
    while (in.at < in.end) {
        unsigned kind = *in.at++;
        uint64_t n = get_varint(&in), size = get_varint(&in);
        if (in.broken || kind >= COUNT_OF(codecs) || n > BLOCK_ROWS || size > (size_t)(in.end - in.at))
            return -1;
        source payload = {in.at, in.at + size, false};
        codecs[kind].decode(&payload, rows, n);
        if (payload.broken || payload.at != payload.end)
            return -1;
        in.at += size;
        for (size_t i = 0; i < n; i++, row++)
            if (!visit(context, row, rows[i]))
                return (int64_t)row;
    }
    return (int64_t)row;
}

static uint64_t mix64(uint64_t x) {
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static uint64_t gen_timestamps(uint64_t i) { return 1700000000000 + i * 250 + (i % 97 == 0); }
static uint64_t gen_sensor(uint64_t i) { return 0 - UINT64_C(900) + mix64(i) % 300; }
static uint64_t gen_status(uint64_t i) { return mix64(i / 40) % 3; }
static uint64_t gen_walk(uint64_t i) { return i * i / 7 * 13 + mix64(i) % 11; }
static uint64_t gen_hashes(uint64_t i) { return mix64(i); }
static uint64_t gen_extremes(uint64_t i) { return (UINT64_C(1) << 63) - (i & 1); }
static uint64_t gen_sparse(uint64_t i) { return mix64(i) % 9 ? i % 2 : mix64(i) >> 20; }

static const struct {
    const char *name;
    uint64_t (*at)(uint64_t row);
} inputs[] = {
    {"timestamps", gen_timestamps}, {"sensor", gen_sensor},     {"status", gen_status}, {"walk", gen_walk},
    {"hashes", gen_hashes},         {"extremes", gen_extremes}, {"sparse", gen_sparse},
};

struct verify {
    uint64_t (*at)(uint64_t row);
    uint64_t sum;
};

static bool verify_row(void *context, size_t row, uint64_t value) {
    struct verify *check = context;
    check->sum += value;
    return value == check->at(row);
}

static bool exercise(size_t which, size_t rows) {
    column col = {0};
    uint64_t block[BLOCK_ROWS];
    bool good = true;
    for (size_t row = 0; good && row < rows;) {
        size_t n = rows - row < BLOCK_ROWS ? rows - row : BLOCK_ROWS;
        for (size_t i = 0; i < n; i++)
            block[i] = inputs[which].at(row++);
        good = append_block(&col, block, n);
    }
    struct verify check = {inputs[which].at, 0};
    good = good && column_scan(col.bytes, col.len, verify_row, &check) == (int64_t)rows;
    printf("%-10s %5zu bytes (%2zu%%) sum %016" PRIx64, inputs[which].name, col.len,
           col.len * 100 / (rows * 8), check.sum);
    for (unsigned c = 0; c < COUNT_OF(codecs); c++)
        if (col.used[c])
            printf(" %s*%u", codecs[c].name, col.used[c]);
    good = good && column_scan(col.bytes, col.len - 1, verify_row, &check) == -1;
    puts(good ? "" : " FAILED");
    free(col.bytes);
    return good;
}

int main(void) {
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(inputs); i++)
        good &= exercise(i, 3000);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
