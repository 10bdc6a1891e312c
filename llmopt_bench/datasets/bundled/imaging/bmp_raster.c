/*
 * Scan conversion on a one-bit canvas: Bresenham lines, midpoint circles, even-odd polygon fill
 * and flood fill.  The picture is encoded as a 1-bpp BMP file image in memory, read back,
 * compared, and printed as run lengths.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int width, height, stride;
    uint8_t *bits;
} Canvas;

typedef struct {
    int x, y;
} Point;

bool canvas_init(Canvas *cv, int width, int height)
{
    cv->width = width;
    cv->height = height;
    cv->stride = (width + 31) / 32 * 4; /* BMP rows are padded to four bytes */
    cv->bits = calloc((size_t)cv->stride, (size_t)height);
    return cv->bits != NULL;
}

bool canvas_get(const Canvas *cv, int x, int y)
{
    if (x < 0 || y < 0 || x >= cv->width || y >= cv->height)
        return false;
    return cv->bits[y * cv->stride + x / 8] & (0x80 >> (x % 8));
}

void canvas_flip(Canvas *cv, int x, int y)
{
    if (x >= 0 && y >= 0 && x < cv->width && y < cv->height)
        cv->bits[y * cv->stride + x / 8] ^= (uint8_t)(0x80 >> (x % 8));
}

void canvas_set(Canvas *cv, int x, int y)
{
    if (!canvas_get(cv, x, y))
        canvas_flip(cv, x, y);
}

/* Fills whole bytes where it can; only the two ends are masked. */
void canvas_span(Canvas *cv, int x0, int x1, int y)
{
    if (y < 0 || y >= cv->height)
        return;
    if (x0 < 0)
        x0 = 0;
    if (x1 >= cv->width)
        x1 = cv->width - 1;
    if (x0 > x1)
        return;
    uint8_t *row = cv->bits + y * cv->stride;
    uint8_t head = (uint8_t)(0xff >> (x0 % 8));
    uint8_t tail = (uint8_t)(0xff << (7 - x1 % 8));
    if (x0 / 8 == x1 / 8) {
        row[x0 / 8] |= head & tail;
        return;
    }
    row[x0 / 8] |= head;
    memset(row + x0 / 8 + 1, 0xff, (size_t)(x1 / 8 - x0 / 8 - 1));
    row[x1 / 8] |= tail;
}

void draw_line(Canvas *cv, Point a, Point b)
{
    int dx = abs(b.x - a.x), dy = -abs(b.y - a.y);
    int sx = a.x < b.x ? 1 : -1, sy = a.y < b.y ? 1 : -1;
    int err = dx + dy;
    for (;;) {
        canvas_set(cv, a.x, a.y);
        if (a.x == b.x && a.y == b.y)
            return;
        int twice = 2 * err;
        if (twice >= dy) {
            err += dy;
            a.x += sx;
        }
        if (twice <= dx) {
            err += dx;
            a.y += sy;
        }
    }
}

void draw_circle(Canvas *cv, Point c, int radius)
{
    int x = radius, y = 0, d = 1 - radius;
    while (x >= y) {
        for (int mirror = 0; mirror < 8; mirror++) {
            int u = mirror & 1 ? y : x, v = mirror & 1 ? x : y;
            canvas_set(cv, c.x + (mirror & 2 ? -u : u), c.y + (mirror & 4 ? -v : v));
        }
        y++;
        if (d <= 0) {
            d += 2 * y + 1;
        } else {
            x--;
            d += 2 * (y - x) + 1;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Even-odd rule, sampled at pixel centres, crossings in 1/256 pixels. */
bool fill_polygon(Canvas *cv, const Point *p, int n)
{
    int *cross = malloc((size_t)n * sizeof *cross);
    if (!cross)
        return false;
    for (int y = 0; y < cv->height; y++) {
        int found = 0, yc = 2 * y + 1;
        for (int i = 0, j = n - 1; i < n; j = i++) {
            if ((2 * p[i].y > yc) == (2 * p[j].y > yc))
                continue;
            cross[found++] = p[i].x * 256 + (yc - 2 * p[i].y) * (p[j].x - p[i].x) * 128 / (p[j].y - p[i].y);
        }
        qsort(cross, (size_t)found, sizeof *cross, by_value);
        for (int k = 0; k + 1 < found; k += 2)
            canvas_span(cv, (cross[k] + 127) / 256, (cross[k + 1] + 127) / 256 - 1, y);
    }
    free(cross);
    return true;
}

/* Scanline flood fill of a clear, four-connected region; returns the pixels set, -1 on failure. */
int flood_fill(Canvas *cv, Point seed)
{
    size_t room = 64, depth = 0;
    int painted = 0;
    Point *stack = malloc(room * sizeof *stack);
    if (!stack)
        return -1;
    stack[depth++] = seed;
    while (depth) {
        Point p = stack[--depth];
        if (canvas_get(cv, p.x, p.y))
            continue;
        int left = p.x, right = p.x;
        while (left > 0 && !canvas_get(cv, left - 1, p.y))
            left--;
        while (right + 1 < cv->width && !canvas_get(cv, right + 1, p.y))
            right++;
        canvas_span(cv, left, right, p.y);
        painted += right - left + 1;
        for (int dy = -1; dy <= 1; dy += 2) {
            int y = p.y + dy;
            if (y < 0 || y >= cv->height)
                continue;
            for (int x = left; x <= right; x++) {
                bool starts = !canvas_get(cv, x, y) && (x == left || canvas_get(cv, x - 1, y));
                if (!starts)
                    continue;
                if (depth == room) {
                    Point *grown = realloc(stack, 2 * room * sizeof *stack);
                    if (!grown) {
                        free(stack);
                        return -1;
                    }
                    stack = grown;
                    room *= 2;
                }
                stack[depth++] = (Point){x, y};
            }
        }
    }
    free(stack);
    return painted;
}

static uint8_t *put_le(uint8_t *p, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *p++ = (uint8_t)(value >> (8 * i));
    return p;
}

static uint32_t get_le(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    while (bytes--)
        v = v << 8 | p[bytes];
    return v;
}

enum { BMP_HEADER = 14 + 40 + 8 };

uint8_t *bmp_encode(const Canvas *cv, size_t *size)
{
    uint32_t pixels = (uint32_t)(cv->stride * cv->height);
    *size = BMP_HEADER + pixels;
    uint8_t *file = malloc(*size);
    if (!file)
        return NULL;
    uint8_t *p = file;
    *p++ = 'B';
    *p++ = 'M';
    p = put_le(p, (uint32_t)*size, 4);
    p = put_le(p, 0, 4);
    p = put_le(p, BMP_HEADER, 4);
    p = put_le(p, 40, 4);
    p = put_le(p, (uint32_t)cv->width, 4);
    p = put_le(p, (uint32_t)cv->height, 4);
    p = put_le(p, 1, 2);
    p = put_le(p, 1, 2);
    p = put_le(p, 0, 4);
    p = put_le(p, pixels, 4);
    p = put_le(p, 2835, 4);
    p = put_le(p, 2835, 4);
    p = put_le(p, 2, 4);
    p = put_le(p, 2, 4);
    p = put_le(p, 0x00ffffff, 4);
    p = put_le(p, 0x00000000, 4);
    for (int y = cv->height - 1; y >= 0; y--, p += cv->stride)
        memcpy(p, cv->bits + y * cv->stride, (size_t)cv->stride);
    return file;
}

bool bmp_decode(Canvas *cv, const uint8_t *file, size_t size)
{
    if (size < BMP_HEADER || file[0] != 'B' || file[1] != 'M' || get_le(file + 2, 4) != size)
        return false;
    uint32_t offset = get_le(file + 10, 4), w = get_le(file + 18, 4), h = get_le(file + 22, 4);
    if (get_le(file + 28, 2) != 1 || w == 0 || h == 0 || w > 4096 || h > 4096)
        return false;
    if (offset > size || (size - offset) / h < (w + 31) / 32 * 4)
        return false;
    if (!canvas_init(cv, (int)w, (int)h))
        return false;
    for (int y = 0; y < cv->height; y++)
        memcpy(cv->bits + y * cv->stride, file + offset + (size_t)((cv->height - 1 - y) * cv->stride),
               (size_t)cv->stride);
    return true;
}

/* One text line per row: alternating clear and set runs, equal rows folded. */
static void print_runs(const Canvas *cv)
{
    for (int y = 0, same; y < cv->height; y += same) {
        const uint8_t *row = cv->bits + y * cv->stride;
        for (same = 1; y + same < cv->height; same++)
            if (memcmp(row, row + same * cv->stride, (size_t)cv->stride) != 0)
                break;
        printf("%3d x%-2d", y, same);
        bool ink = false;
        for (int x = 0, run = 0; x <= cv->width; x++, run++)
            if (x == cv->width || canvas_get(cv, x, y) != ink) {
                printf(" %d", run);
                run = 0;
                ink = !ink;
            }
        putchar('\n');
    }
}

int main(void)
{
    static const Point star[] = {{40, 4}, {64, 60}, {6, 24}, {74, 24}, {16, 60}};
    static const Point arrow[] = {{70, 40}, {90, 52}, {70, 62}, {76, 52}};
    Canvas cv, copy;
    if (!canvas_init(&cv, 100, 64))
        return 2;
    int status = fill_polygon(&cv, star, 5) && fill_polygon(&cv, arrow, 4) ? 0 : 2;
    for (int k = 0; k < 5; k++) /* the outline closes the inner pentagon at its corners */
        draw_line(&cv, star[k], star[(k + 1) % 5]);
    draw_circle(&cv, (Point){84, 16}, 13);
    for (int k = 0; k < 8; k++)
        draw_line(&cv, (Point){99, 63}, (Point){52 + 6 * k, 36 + k * k / 3});
    int pentagon = flood_fill(&cv, (Point){40, 32});
    int disc = flood_fill(&cv, (Point){84, 16});

    size_t size = 0;
    uint8_t *file = bmp_encode(&cv, &size);
    if (!file || !bmp_decode(&copy, file, size)) {
        free(file);
        free(cv.bits);
        return 2;
    }
    bool same = memcmp(cv.bits, copy.bits, (size_t)(cv.stride * cv.height)) == 0;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ file[i]) * 16777619u;
    print_runs(&copy);
    printf("filled %d and %d pixels, %zu byte BMP, hash %08x, round trip %s\n", pentagon, disc, size,
           hash, same ? "ok" : "broken");
    free(file);
    free(copy.bits);
    free(cv.bits);
    return status || !same || pentagon <= 0 || disc <= 0;
}
