/*
 * Canny edge detection in integer arithmetic: 5x5 binomial blur, Sobel gradients, thinning along
 * the quantised gradient direction, double threshold and hysteresis.  The thresholds come from
 * the gradient histogram; the input is a synthetic scene with noise.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct image {
  int w, h;
  uint8_t *px;
} image;

typedef struct gradient {
  int w, h;
  int16_t *gx, *gy;
  uint16_t *mag;
} gradient;

enum { SUPPRESSED = 0, WEAK = 1, STRONG = 2 };

static int clampi (int v, int lo, int hi)
{
  return v < lo ? lo : v > hi ? hi : v;
}

static int image_alloc (image *im, int w, int h)
{
  im->w = w;
  im->h = h;
  im->px = calloc ((size_t) w * (size_t) h, 1);
  return im->px ? 0 : -1;
}

static int gradient_alloc (gradient *g, int w, int h)
{
  size_t n = (size_t) w * (size_t) h;
  g->w = w;
  g->h = h;
  g->gx = calloc (n, sizeof *g->gx);
  g->gy = calloc (n, sizeof *g->gy);
  g->mag = calloc (n, sizeof *g->mag);
  return g->gx && g->gy && g->mag ? 0 : -1;
}

static void gradient_free (gradient *g)
{
  free (g->gx);
  free (g->gy);
  free (g->mag);
}

/* Separable 1-4-6-4-1 with replicated borders; the intermediate keeps 16 bits.  */
int blur (const image *src, image *dst)
{
  static const int tap[5] = { 1, 4, 6, 4, 1 };
  const int w = src->w, h = src->h;
  uint16_t *tmp = malloc ((size_t) w * (size_t) h * sizeof *tmp);
  if (!tmp)
    return -1;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      {
        int acc = 0;
        for (int k = -2; k <= 2; k++)
          acc += tap[k + 2] * src->px[y * w + clampi (x + k, 0, w - 1)];
        tmp[y * w + x] = (uint16_t) acc;
      }
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      {
        int acc = 128;
        for (int k = -2; k <= 2; k++)
          acc += tap[k + 2] * tmp[clampi (y + k, 0, h - 1) * w + x];
        dst->px[y * w + x] = (uint8_t) (acc / 256);
      }
  free (tmp);
  return 0;
}

unsigned isqrt (unsigned v)
{
  unsigned root = 0;
  for (unsigned bit = 1u << 15; bit; bit >>= 1)
    if ((root | bit) * (root | bit) <= v)
      root |= bit;
  return root;
}

void sobel (const image *im, gradient *g)
{
  const int w = im->w;
  for (int y = 1; y < im->h - 1; y++)
    {
      const uint8_t *a = im->px + (y - 1) * w, *b = a + w, *c = b + w;
      for (int x = 1; x < w - 1; x++)
        {
          int gx = a[x + 1] + 2 * b[x + 1] + c[x + 1] - a[x - 1] - 2 * b[x - 1] - c[x - 1];
          int gy = c[x - 1] + 2 * c[x] + c[x + 1] - a[x - 1] - 2 * a[x] - a[x + 1];
          g->gx[y * w + x] = (int16_t) gx;
          g->gy[y * w + x] = (int16_t) gy;
          g->mag[y * w + x] = (uint16_t) isqrt ((unsigned) (gx * gx + gy * gy));
        }
    }
}

/* Offset to the neighbour along the gradient; tan 22.5 is taken as 53/128.  */
static int along (int gx, int gy, int stride)
{
  int ax = abs (gx), ay = abs (gy);
  if (ay * 128 < ax * 53)
    return 1;
  if (ax * 128 < ay * 53)
    return stride;
  return (gx < 0) == (gy < 0) ? stride + 1 : stride - 1;
}

void thin (const gradient *g, uint16_t *out)
{
  for (int y = 1; y < g->h - 1; y++)
    for (int x = 1; x < g->w - 1; x++)
      {
        int i = y * g->w + x;
        int step = along (g->gx[i], g->gy[i], g->w);
        /* One strict side, so that a plateau of two keeps one pixel.  */
        int peak = g->mag[i] > g->mag[i - step] && g->mag[i] >= g->mag[i + step];
        out[i] = peak ? g->mag[i] : 0;
      }
}

/* Magnitude that the given share (per mille) of the non-zero ridge pixels stays below.  */
static int quantile (const uint16_t *ridge, int n, int per_mille)
{
  static int histogram[2048];
  int total = 0, seen = 0;
  memset (histogram, 0, sizeof histogram);
  for (int i = 0; i < n; i++)
    if (ridge[i])
      {
        histogram[ridge[i] < 2047 ? ridge[i] : 2047]++;
        total++;
      }
  for (int m = 0; m < 2048; m++)
    {
      seen += histogram[m];
      if (seen * 1000LL >= (long long) total * per_mille)
        return m;
    }
  return 2047;
}

/* Keeps weak pixels only where a chain of neighbours leads to a strong one.  */
int hysteresis (const uint16_t *ridge, int w, int h, int low, int high, uint8_t *edge)
{
  int n = w * h, top = 0, kept = 0;
  int *stack = malloc ((size_t) n * sizeof *stack);
  if (!stack)
    return -1;
  for (int i = 0; i < n; i++)
    {
      edge[i] = ridge[i] >= high ? STRONG : ridge[i] >= low ? WEAK : SUPPRESSED;
      if (edge[i] == STRONG)
        stack[top++] = i;
    }
  while (top)
    {
      int i = stack[--top];
      kept++;
      for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
          {
            int j = i + dy * w + dx; /* ridges never touch the border */
            if (edge[j] == WEAK)
              {
                edge[j] = STRONG;
                stack[top++] = j;
              }
          }
    }
  for (int i = 0; i < n; i++)
    edge[i] = edge[i] == STRONG;
  free (stack);
  return kept;
}

static void draw_scene (image *im, int noise)
{
  uint32_t seed = 20240229;
  for (int y = 0; y < im->h; y++)
    for (int x = 0; x < im->w; x++)
      {
        int v = 60 + x / 4;
        int dx = x - 28, dy = y - 30;
        if (dx * dx + dy * dy < 18 * 18)
          v = 190 - y;
        if (x > 56 && x < 86 && y > 12 && y < 34)
          v = 20;
        if (y > 42 && x - 50 < 2 * (y - 42) && x - 50 > (42 - y) / 2)
          v = 230;
        seed = seed * 1103515245u + 12345u;
        v += (int) (seed >> 16) % (2 * noise + 1) - noise;
        im->px[y * im->w + x] = (uint8_t) clampi (v, 0, 255);
      }
}

/* Pratt-like score: how many pixels of the disc's known outline have an edge within one pixel.  */
static int outline_hits (const uint8_t *edge, int w, int *of)
{
  int hits = 0;
  *of = 0;
  for (int deg = 0; deg < 360; deg += 5)
    {
      int x = (int) lround (28 + 17.4 * cos (deg * 3.14159265 / 180));
      int y = (int) lround (30 + 17.4 * sin (deg * 3.14159265 / 180));
      int found = 0;
      for (int k = 0; k < 9; k++)
        found |= edge[(y + k / 3 - 1) * w + x + k % 3 - 1];
      hits += found;
      ++*of;
    }
  return hits;
}

static void show (const uint8_t *edge, int w, int h)
{
  for (int y = 0; y < h; y += 4)
    {
      for (int x = 0; x < w; x += 2)
        {
          int n = 0;
          for (int k = 0; k < 8; k++)
            n += edge[(y + k / 2) * w + x + k % 2];
          putchar (" .+#"[n < 3 ? n : 3]);
        }
      putchar ('\n');
    }
}

static int detect (const image *scene, int noise)
{
  const int w = scene->w, h = scene->h, n = w * h;
  image soft = { 0 };
  gradient g = { 0 };
  uint16_t *ridge = calloc ((size_t) n, sizeof *ridge);
  uint8_t *edge = calloc ((size_t) n, 1);
  int status = 1;

  if (!ridge || !edge || image_alloc (&soft, w, h) || gradient_alloc (&g, w, h))
    goto out;
  if (blur (scene, &soft))
    goto out;
  sobel (&soft, &g);
  thin (&g, ridge);
  int high = quantile (ridge, n, 850), low = high * 2 / 5;
  int kept = hysteresis (ridge, w, h, low, high, edge);
  int of, hits = outline_hits (edge, w, &of);
  printf ("noise %2d: thresholds %3d/%3d, %d edge pixels, outline %d of %d\n", noise, low, high, kept,
          hits, of);
  if (noise == 0)
    show (edge, w, h);
  status = kept < 0 || hits * 10 < of * 9;
out:
  free (soft.px);
  gradient_free (&g);
  free (ridge);
  free (edge);
  return status;
}

int main (void)
{
  image scene;
  int failed = 0;
  if (image_alloc (&scene, 96, 64))
    return 2;
  for (int noise = 0; noise <= 24; noise += 8)
    {
      draw_scene (&scene, noise);
      failed += detect (&scene, noise);
    }
  free (scene.px);
  return failed != 0;
}
