/*
 * Median-cut colour quantisation: the colour cube of a histogram is split at weighted medians
 * until the palette is full; pixels are then mapped by nearest colour or by Floyd-Steinberg
 * error diffusion, and the result is judged by its mean squared error.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 72
#define HEIGHT 48
#define MAX_COLORS 64

typedef union {
    struct { uint8_t r, g, b; } c;
    uint8_t v[3];
} rgb;

typedef struct {
    rgb color;
    unsigned count;
} bin;

typedef struct {
    bin *first;
    int n;
    int axis; /* the channel with the largest extent */
    int extent;
    unsigned long weight;
} box;

static int compare_bins(const bin *a, const bin *b, int axis)
{
    for (int k = 0; k < 3; k++) {
        int ch = (axis + k) % 3;
        if (a->color.v[ch] != b->color.v[ch])
            return a->color.v[ch] < b->color.v[ch] ? -1 : 1;
    }
    return 0;
}

/* qsort passes no context, so each axis has its own comparator. */
#define DEFINE_AXIS_ORDER(name, axis)                     \
    static int name(const void *a, const void *b)         \
    {                                                     \
        return compare_bins(a, b, axis);                  \
    }
DEFINE_AXIS_ORDER(by_red, 0)
DEFINE_AXIS_ORDER(by_green, 1)
DEFINE_AXIS_ORDER(by_blue, 2)

static int (*const by_axis[3])(const void *, const void *) = {by_red, by_green, by_blue};

/* Sorts the pixels and folds equal colours; returns the number of bins, 0 on failure. */
int build_histogram(const rgb *px, int n, bin **out)
{
    bin *bins = malloc((size_t)n * sizeof *bins);
    int used = 0;
    if (!bins)
        return 0;
    for (int i = 0; i < n; i++) {
        bins[i].color = px[i];
        bins[i].count = 1;
    }
    qsort(bins, (size_t)n, sizeof *bins, by_red);
    for (int i = 1; i < n; i++) {
        if (compare_bins(&bins[used], &bins[i], 0) == 0)
            bins[used].count++;
        else
            bins[++used] = bins[i];
    }
    *out = bins;
    return used + 1;
}

static void measure_box(box *b)
{
    b->axis = 0;
    b->extent = -1;
    b->weight = 0;
    for (int ch = 0; ch < 3; ch++) {
        static const int importance[3] = {3, 4, 2};
        int lo = 255, hi = 0;
        for (int i = 0; i < b->n; i++) {
            int v = b->first[i].color.v[ch];
            if (v < lo) lo = v;
            if (v > hi) hi = v;
        }
        if ((hi - lo) * importance[ch] > b->extent) {
            b->extent = (hi - lo) * importance[ch];
            b->axis = ch;
        }
    }
    for (int i = 0; i < b->n; i++)
        b->weight += b->first[i].count;
}

static box split_box(box *b)
{
    unsigned long below = 0;
    int cut = 0;
    qsort(b->first, (size_t)b->n, sizeof *b->first, by_axis[b->axis]);
    do {
        below += b->first[cut++].count;
    } while (cut < b->n - 1 && below * 2 < b->weight);
    box upper = {.first = b->first + cut, .n = b->n - cut};
    b->n = cut;
    measure_box(b);
    measure_box(&upper);
    return upper;
}

static rgb mean_color(const box *b)
{
    unsigned long sum[3] = {0, 0, 0};
    rgb mean;
    for (int i = 0; i < b->n; i++)
        for (int ch = 0; ch < 3; ch++)
            sum[ch] += (unsigned long)b->first[i].color.v[ch] * b->first[i].count;
    for (int ch = 0; ch < 3; ch++)
        mean.v[ch] = (uint8_t)((sum[ch] + b->weight / 2) / b->weight);
    return mean;
}

int median_cut(bin *bins, int n, rgb *palette, int wanted)
{
    box boxes[MAX_COLORS];
    int count = 1;
    boxes[0] = (box){.first = bins, .n = n};
    measure_box(&boxes[0]);
    while (count < wanted) {
        box *victim = NULL;
        unsigned long best = 0;
        for (int i = 0; i < count; i++) {
            unsigned long score = (unsigned long)boxes[i].extent * boxes[i].weight;
            if (boxes[i].n > 1 && score > best) {
                best = score;
                victim = &boxes[i];
            }
        }
        if (!victim)
            break;
        boxes[count++] = split_box(victim);
    }
    for (int i = 0; i < count; i++)
        palette[i] = mean_color(&boxes[i]);
    return count;
}

static int distance(const int want[3], rgb have)
{
    int d = 0;
    for (int ch = 0; ch < 3; ch++)
        d += (want[ch] - have.v[ch]) * (want[ch] - have.v[ch]);
    return d;
}

int nearest(const rgb *palette, int colors, const int want[3])
{
    int best = 0, best_d = distance(want, palette[0]);
    for (int i = 1; i < colors && best_d; i++) {
        int d = distance(want, palette[i]);
        if (d < best_d) {
            best_d = d;
            best = i;
        }
    }
    return best;
}

void map_plain(const rgb *px, const rgb *palette, int colors, uint8_t *out)
{
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        int want[3] = {px[i].c.r, px[i].c.g, px[i].c.b};
        out[i] = (uint8_t)nearest(palette, colors, want);
    }
}

/* Serpentine Floyd-Steinberg; the errors of two rows are kept in sixteenths. */
void map_dithered(const rgb *px, const rgb *palette, int colors, uint8_t *out)
{
    static int err[2][WIDTH + 2][3];
    memset(err, 0, sizeof err);
    for (int y = 0; y < HEIGHT; y++) {
        int dir = y % 2 ? -1 : 1;
        int (*now)[3] = err[y % 2], (*below)[3] = err[1 - y % 2];
        memset(below, 0, sizeof err[0]);
        for (int k = 0; k < WIDTH; k++) {
            int x = dir > 0 ? k : WIDTH - 1 - k;
            int want[3];
            for (int ch = 0; ch < 3; ch++) {
                int v = px[y * WIDTH + x].v[ch] + now[x + 1][ch] / 16;
                want[ch] = v < 0 ? 0 : v > 255 ? 255 : v;
            }
            int pick = nearest(palette, colors, want);
            out[y * WIDTH + x] = (uint8_t)pick;
            for (int ch = 0; ch < 3; ch++) {
                int e = want[ch] - palette[pick].v[ch];
                now[x + 1 + dir][ch] += 7 * e;
                below[x + 1 - dir][ch] += 3 * e;
                below[x + 1][ch] += 5 * e;
                below[x + 1 + dir][ch] += e;
            }
        }
    }
}

static double mean_squared_error(const rgb *px, const rgb *palette, const uint8_t *map)
{
    double sum = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        int want[3] = {px[i].c.r, px[i].c.g, px[i].c.b};
        sum += distance(want, palette[map[i]]);
    }
    return sum / (3.0 * WIDTH * HEIGHT);
}

/* How far 4x4 block averages drift: low for good dithering even where single pixels are off. */
static double block_error(const rgb *px, const rgb *palette, const uint8_t *map)
{
    double sum = 0;
    for (int by = 0; by < HEIGHT; by += 4)
        for (int bx = 0; bx < WIDTH; bx += 4)
            for (int ch = 0; ch < 3; ch++) {
                int drift = 0;
                for (int k = 0; k < 16; k++) {
                    int i = (by + k / 4) * WIDTH + bx + k % 4;
                    drift += px[i].v[ch] - palette[map[i]].v[ch];
                }
                sum += (drift / 16.0) * (drift / 16.0);
            }
    return sum / (3.0 * WIDTH * HEIGHT / 16);
}

static void paint_sunset(rgb *px)
{
    uint32_t seed = 97;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            rgb *p = &px[y * WIDTH + x];
            int dx = x - 50, dy = y - 26;
            int sun = dx * dx + dy * dy;
            seed = seed * 69069u + 1u;
            int grain = (int)(seed >> 29);
            if (sun < 64)
                *p = (rgb){{255, (uint8_t)(235 - sun), 120}};
            else if (y < 30)
                *p = (rgb){{(uint8_t)(40 + y * 6 + grain), (uint8_t)(30 + y * 3), (uint8_t)(110 - y + grain)}};
            else
                *p = (rgb){{(uint8_t)(20 + (x * y) % 23), (uint8_t)(60 + grain * 2), (uint8_t)(90 + (y - 30) * 4)}};
        }
}

int main(void)
{
    static rgb px[WIDTH * HEIGHT];
    static uint8_t plain[WIDTH * HEIGHT], dithered[WIDTH * HEIGHT];
    rgb palette[MAX_COLORS];
    double last = 1e9;
    int bad = 0;

    paint_sunset(px);
    for (int wanted = 2; wanted <= MAX_COLORS; wanted *= 2) {
        bin *bins = NULL;
        int distinct = build_histogram(px, WIDTH * HEIGHT, &bins);
        if (distinct == 0)
            return 2;
        int colors = median_cut(bins, distinct, palette, wanted);
        free(bins);
        map_plain(px, palette, colors, plain);
        map_dithered(px, palette, colors, dithered);
        double mse = mean_squared_error(px, palette, plain);
        double blocks = block_error(px, palette, plain), smooth = block_error(px, palette, dithered);
        printf("%2d of %d colours: mse %.2f, block error %.2f plain, %.2f dithered; first #%02x%02x%02x\n",
               colors, distinct, mse, blocks, smooth, palette[0].c.r, palette[0].c.g, palette[0].c.b);
        bad += mse >= last || smooth > 1.1 * blocks;
        last = mse;
    }
    for (int y = 0; y < HEIGHT; y += 6) {
        for (int x = 0; x < WIDTH; x += 2)
            putchar("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[plain[y * WIDTH + x]]);
        putchar('\n');
    }
    return bad ? 1 : 0;
}
