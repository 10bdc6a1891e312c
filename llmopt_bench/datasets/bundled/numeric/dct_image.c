/*
 * A small still-image codec: 8x8 integer DCT, quality-scaled quantiser, zigzag
 * order, run/level symbols in Exp-Golomb bits, then the whole way back.
 * Reports stream size and PSNR in hundredths of a decibel, integers only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 8
#define BLOCK_AREA (BLOCK * BLOCK)
#define WIDTH 72
#define HEIGHT 56
#define BASIS_SHIFT 13
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))

typedef struct {
    int w, h;
    uint8_t *px;
} Image;

typedef struct {
    uint8_t *data;
    size_t capBits, pos;
    bool overrun;
} BitStream;

typedef struct {
    int16_t basis[BLOCK][BLOCK];
    uint8_t scan[BLOCK_AREA];
    uint16_t quant[BLOCK_AREA];
} Codec;

/* ------------------------------------------------------------------ tables */

/* 4096 * cos(k*pi/16): half the Q13 one, the factor 1/2 of the 8-point DCT. */
static const int16_t kHalfCos[9] = {4096, 4017, 3784, 3406, 2896, 2276, 1567, 799, 0};

static int16_t halfCosine(unsigned k)
{
    k %= 32;
    if (k > 16)
        k = 32 - k;
    return k <= 8 ? kHalfCos[k] : (int16_t)-kHalfCos[16 - k];
}

static void buildBasis(int16_t basis[BLOCK][BLOCK])
{
    for (unsigned u = 0; u < BLOCK; u++)
        for (unsigned x = 0; x < BLOCK; x++)
            basis[u][x] = u ? halfCosine((2 * x + 1) * u) : kHalfCos[4];
}

static void buildZigzag(uint8_t scan[BLOCK_AREA])
{
    int row = 0, col = 0;
    for (int i = 0; i < BLOCK_AREA; i++) {
        scan[i] = (uint8_t)(row * BLOCK + col);
        bool up = ((row + col) & 1) == 0;
        if (up && col == BLOCK - 1)
            row++;
        else if (up && row == 0)
            col++;
        else if (!up && row == BLOCK - 1)
            col++;
        else if (!up && col == 0)
            row++;
        else {
            row += up ? -1 : 1;
            col += up ? 1 : -1;
        }
    }
}

void Codec_init(Codec *c, int quality)
{
    buildBasis(c->basis);
    buildZigzag(c->scan);
    int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int v = 0; v < BLOCK; v++)
        for (int u = 0; u < BLOCK; u++) {
            int base = 8 + 5 * (u + v) + u * v / 2;
            int step = (base * scale + 50) / 100;
            c->quant[v * BLOCK + u] = (uint16_t)CLAMP(step, 1, 255);
        }
}

/* -------------------------------------------------------------- transforms */

static int32_t descale(int32_t v)
{
    const int32_t half = 1 << (BASIS_SHIFT - 1), one = 1 << BASIS_SHIFT;
    return v >= 0 ? (v + half) / one : -((-v + half) / one);
}

void Codec_forwardDct(const Codec *c, const int16_t in[BLOCK_AREA], int16_t out[BLOCK_AREA])
{
    int32_t rows[BLOCK_AREA];
    for (int y = 0; y < BLOCK; y++)
        for (int u = 0; u < BLOCK; u++) {
            int32_t acc = 0;
            for (int x = 0; x < BLOCK; x++)
                acc += c->basis[u][x] * in[y * BLOCK + x];
            rows[y * BLOCK + u] = descale(acc);
        }
    for (int u = 0; u < BLOCK; u++)
        for (int v = 0; v < BLOCK; v++) {
            int32_t acc = 0;
            for (int y = 0; y < BLOCK; y++)
                acc += c->basis[v][y] * rows[y * BLOCK + u];
            out[v * BLOCK + u] = (int16_t)descale(acc);
        }
}

void Codec_inverseDct(const Codec *c, const int16_t in[BLOCK_AREA], int16_t out[BLOCK_AREA])
{
    int32_t cols[BLOCK_AREA];
    for (int u = 0; u < BLOCK; u++)
        for (int y = 0; y < BLOCK; y++) {
            int32_t acc = 0;
            for (int v = 0; v < BLOCK; v++)
                acc += c->basis[v][y] * in[v * BLOCK + u];
            cols[y * BLOCK + u] = descale(acc);
        }
    for (int y = 0; y < BLOCK; y++)
        for (int x = 0; x < BLOCK; x++) {
            int32_t acc = 0;
            for (int u = 0; u < BLOCK; u++)
                acc += c->basis[u][x] * cols[y * BLOCK + u];
            out[y * BLOCK + x] = (int16_t)descale(acc);
        }
}

/* -------------------------------------------------------------- bit stream */

static void putBit(BitStream *s, unsigned bit)
{
    if (s->pos >= s->capBits) {
        s->overrun = true;
        return;
    }
    if (bit)
        s->data[s->pos >> 3] |= (uint8_t)(0x80u >> (s->pos & 7));
    s->pos++;
}

static unsigned getBit(BitStream *s)
{
    if (s->pos >= s->capBits) {
        s->overrun = true;
        return 1; /* a one ends any Exp-Golomb prefix, so decoding terminates */
    }
    unsigned bit = (s->data[s->pos >> 3] >> (7 - (s->pos & 7))) & 1u;
    s->pos++;
    return bit;
}

static void putUnsigned(BitStream *s, uint32_t value)
{
    int bits = 0;
    uint32_t coded = value + 1;
    while (coded >> (bits + 1))
        bits++;
    for (int i = 0; i < bits; i++)
        putBit(s, 0);
    for (int i = bits; i >= 0; i--)
        putBit(s, (coded >> i) & 1u);
}

static uint32_t getUnsigned(BitStream *s)
{
    int bits = 0;
    while (bits < 24 && !getBit(s))
        bits++;
    uint32_t coded = 1;
    while (bits-- > 0)
        coded = coded << 1 | getBit(s);
    return coded - 1;
}

static void putSigned(BitStream *s, int value)
{
    putUnsigned(s, value > 0 ? 2u * (uint32_t)value - 1u : 2u * (uint32_t)-value);
}

static int getSigned(BitStream *s)
{
    uint32_t code = getUnsigned(s);
    return code & 1u ? (int)((code + 1) / 2) : -(int)(code / 2);
}

/* ------------------------------------------------------------ block coding */

static int quantise(int coef, int step)
{
    return coef >= 0 ? (coef + step / 2) / step : -((-coef + step / 2) / step);
}

/* DC is sent as a difference; AC as (run, level) with run 63 as end of block. */
static void encodeBlock(const Codec *c, const int16_t *samples, int *lastDc, BitStream *s)
{
    int16_t freq[BLOCK_AREA];
    int run = 0;
    Codec_forwardDct(c, samples, freq);
    int dc = quantise(freq[0], c->quant[0]);
    putSigned(s, dc - *lastDc);
    *lastDc = dc;
    for (int i = 1; i < BLOCK_AREA; i++) {
        int at = c->scan[i];
        int level = quantise(freq[at], c->quant[at]);
        if (level == 0) {
            run++;
            continue;
        }
        putUnsigned(s, (uint32_t)run + 1);
        putSigned(s, level);
        run = 0;
    }
    putUnsigned(s, 0);
}

static bool decodeBlock(const Codec *c, BitStream *s, int *lastDc, int16_t *samples)
{
    int16_t freq[BLOCK_AREA] = {0};
    int i = 0;
    *lastDc += getSigned(s);
    freq[0] = (int16_t)(*lastDc * c->quant[0]);
    for (;;) {
        uint32_t symbol = getUnsigned(s);
        if (symbol == 0)
            break;
        if (symbol > BLOCK_AREA || (i += (int)symbol) >= BLOCK_AREA)
            return false;
        int at = c->scan[i];
        freq[at] = (int16_t)(getSigned(s) * c->quant[at]);
    }
    Codec_inverseDct(c, freq, samples);
    return !s->overrun;
}

bool Codec_encode(const Codec *c, const Image *img, BitStream *s)
{
    int lastDc = 0;
    for (int by = 0; by < img->h; by += BLOCK)
        for (int bx = 0; bx < img->w; bx += BLOCK) {
            int16_t samples[BLOCK_AREA];
            for (int i = 0; i < BLOCK_AREA; i++)
                samples[i] = (int16_t)(img->px[(by + i / BLOCK) * img->w + bx + i % BLOCK] - 128);
            encodeBlock(c, samples, &lastDc, s);
        }
    return !s->overrun;
}

bool Codec_decode(const Codec *c, BitStream *s, Image *img)
{
    int lastDc = 0;
    for (int by = 0; by < img->h; by += BLOCK)
        for (int bx = 0; bx < img->w; bx += BLOCK) {
            int16_t samples[BLOCK_AREA];
            if (!decodeBlock(c, s, &lastDc, samples))
                return false;
            for (int i = 0; i < BLOCK_AREA; i++) {
                int v = samples[i] + 128;
                img->px[(by + i / BLOCK) * img->w + bx + i % BLOCK] = (uint8_t)CLAMP(v, 0, 255);
            }
        }
    return true;
}

/* ----------------------------------------------------------------- quality */

/* log2 in Q16 by repeated squaring of the mantissa. */
static uint32_t log2Q16(uint32_t v)
{
    uint32_t whole = 31;
    while (!(v >> whole))
        whole--;
    uint64_t mant = ((uint64_t)v << 31) >> whole;
    uint32_t frac = 0;
    for (int i = 0; i < 16; i++) {
        mant = (mant * mant) >> 31;
        frac <<= 1;
        if (mant >> 32) {
            mant >>= 1;
            frac |= 1;
        }
    }
    return whole << 16 | frac;
}

/* 10*log10(255^2 / mse) in centi-decibels; -1 when the images are equal. */
int psnrCentiDb(const Image *a, const Image *b)
{
    uint32_t sse = 0;
    uint32_t count = (uint32_t)(a->w * a->h);
    for (uint32_t i = 0; i < count; i++) {
        int d = a->px[i] - b->px[i];
        sse += (uint32_t)(d * d);
    }
    if (sse == 0)
        return -1;
    int64_t ratio = (int64_t)log2Q16(65025) + log2Q16(count) - log2Q16(sse);
    return (int)(ratio * 30103 / (65536 * 100)); /* 1000*log10(2) = 301.03 */
}

/* -------------------------------------------------------------- test image */

static void drawScene(Image *img)
{
    uint32_t lfsr = 0xACE1u;
    for (int y = 0; y < img->h; y++)
        for (int x = 0; x < img->w; x++) {
            int v = 40 + 2 * x + y;
            int dx = x - 24, dy = y - 30;
            if (dx * dx + dy * dy < 18 * 18)
                v = 230 - (dx * dx + dy * dy) / 4;
            if (x > 50 && y > 34 && ((x ^ y) & 4))
                v = 20;
            lfsr = (lfsr >> 1) ^ ((0u - (lfsr & 1u)) & 0xB400u);
            v += (int)(lfsr & 7u) - 3;
            img->px[y * img->w + x] = (uint8_t)CLAMP(v, 0, 255);
        }
}

static uint32_t fnv1a(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u;
    while (n--)
        h = (h ^ *p++) * 16777619u;
    return h;
}

int main(void)
{
    static const int qualities[] = {10, 25, 50, 75, 95};
    static uint8_t source[WIDTH * HEIGHT], decoded[WIDTH * HEIGHT], bytes[WIDTH * HEIGHT * 4];
    Image src = {WIDTH, HEIGHT, source}, dst = {WIDTH, HEIGHT, decoded};
    int previous = 0, failures = 0;

    drawScene(&src);
    printf("source %dx%d fnv %08x\n", WIDTH, HEIGHT, (unsigned)fnv1a(source, sizeof source));
    for (size_t q = 0; q < sizeof qualities / sizeof qualities[0]; q++) {
        Codec codec;
        BitStream stream = {bytes, sizeof bytes * 8, 0, false};
        memset(bytes, 0, sizeof bytes);
        memset(decoded, 0, sizeof decoded);
        Codec_init(&codec, qualities[q]);
        bool ok = Codec_encode(&codec, &src, &stream);
        size_t used = stream.pos;
        stream.pos = 0;
        ok = ok && Codec_decode(&codec, &stream, &dst) && stream.pos == used;
        int psnr = psnrCentiDb(&src, &dst);
        printf("quality %2d: %6zu bits, psnr %2d.%02d dB, decoded %08x\n", qualities[q], used,
               psnr / 100, psnr % 100, (unsigned)fnv1a(decoded, sizeof decoded));
        if (!ok || psnr <= previous)
            failures++;
        previous = psnr;
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
