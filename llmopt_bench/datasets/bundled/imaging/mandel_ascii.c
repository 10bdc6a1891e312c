/*
 * Escape-time fractals in Q8.24 fixed point, printed as text: the Mandelbrot set with the
 * cardioid and bulb shortcuts, a Julia set and the burning ship, all through one renderer.
 * Also estimates the area of the Mandelbrot set by counting samples.
 */
#include <stdint.h>
#include <stdio.h>

#define FRACTION_BITS 24
#define ONE (INT64_C(1) << FRACTION_BITS)
#define FX(x) ((fixed)((x) * (double)ONE))

typedef int64_t fixed;
typedef struct { fixed re, im; } complex_fx;
typedef int (*escape_fn)(complex_fx point, int limit);

/* Division rather than a shift: shifting negative values right is up to the compiler. */
static fixed mul(fixed a, fixed b)
{
    return a * b / ONE;
}

static int orbit(complex_fx z, complex_fx c, int limit)
{
    complex_fx probe = z;
    int until_probe = 8, n;

    for (n = 0; n < limit; n++) {
        fixed rr = mul(z.re, z.re), ii = mul(z.im, z.im);
        if (rr + ii > 4 * ONE)
            return n;
        z.im = 2 * mul(z.re, z.im) + c.im;
        z.re = rr - ii + c.re;
        if (z.re == probe.re && z.im == probe.im)
            return limit; /* the orbit repeats, so it never escapes */
        if (--until_probe == 0) {
            probe = z;
            until_probe = n + 8;
        }
    }
    return limit;
}

int mandelbrot(complex_fx c, int limit)
{
    fixed x = c.re - ONE / 4, yy = mul(c.im, c.im);
    fixed q = mul(x, x) + yy;
    if (mul(q, q + x) <= yy / 4)
        return limit;
    fixed left = c.re + ONE;
    if (mul(left, left) + yy <= ONE / 16)
        return limit;
    return orbit((complex_fx){0, 0}, c, limit);
}

int julia(complex_fx z, int limit)
{
    return orbit(z, (complex_fx){FX(-0.8), FX(0.15625)}, limit);
}

int burning_ship(complex_fx c, int limit)
{
    fixed re = 0, im = 0;
    for (int n = 0; n < limit; n++) {
        fixed rr = mul(re, re), ii = mul(im, im);
        if (rr + ii > 4 * ONE)
            return n;
        fixed cross = mul(re, im);
        im = 2 * (cross < 0 ? -cross : cross) + c.im;
        re = rr - ii + c.re;
    }
    return limit;
}

static uint32_t render(escape_fn escape, complex_fx center, fixed width, int cols, int rows, int limit)
{
    static const char shades[] = " .,:;-=+*%$";
    const int levels = (int)sizeof shades - 1;
    uint32_t sum = 0;
    for (int y = 0; y < rows; y++) {
        for (int x = 0; x < cols; x++) {
            /* Text cells are twice as high as wide. */
            complex_fx p = {center.re + width * (2 * x + 1 - cols) / (2 * cols),
                            center.im + width * (2 * y + 1 - rows) / cols};
            int n = escape(p, limit);
            sum = sum * 31 + (uint32_t)n;
            putchar(n == limit ? '#' : shades[n % levels]);
        }
        putchar('\n');
    }
    return sum;
}

static long area_in_thousandths(int grid, int limit)
{
    long inside = 0;
    for (int y = 0; y < grid; y++)
        for (int x = 0; x < grid; x++) {
            complex_fx c = {-2 * ONE + ONE * 5 * x / (2 * grid), ONE * 5 * y / (4 * grid)};
            inside += mandelbrot(c, limit) == limit;
        }
    /* The upper half plane is sampled: 2.5 by 1.25, doubled by symmetry. */
    return inside * 6250 / ((long)grid * grid);
}

int main(void)
{
    static const struct {
        const char *name;
        escape_fn escape;
        double re, im, width;
        int limit;
    } views[] = {
        {"mandelbrot", mandelbrot, -0.65, 0.0, 3.0, 120},
        {"seahorse valley", mandelbrot, -0.745, 0.113, 0.02, 200},
        {"julia", julia, 0.0, 0.0, 3.2, 100},
        {"burning ship", burning_ship, -1.755, -0.03, 0.125, 80},
    };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        complex_fx center = {FX(views[i].re), FX(views[i].im)};
        uint32_t sum = render(views[i].escape, center, FX(views[i].width), 64, 12, views[i].limit);
        printf("%s: %08x\n", views[i].name, sum);
    }
    long area = area_in_thousandths(120, 150);
    printf("area: %ld / 1000\n", area);
    return area > 1450 && area < 1580 ? 0 : 1;
}
