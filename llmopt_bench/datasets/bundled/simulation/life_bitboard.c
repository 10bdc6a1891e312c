/*
 * Conway's Game of Life on a 64x64 torus, one uint64_t per row.
 * A generation is computed for 64 cells at once by adding neighbour bit planes with
 * carry-save adders.  Patterns come from run-length text; Brent's algorithm finds cycles,
 * and a plain per-cell stepper cross-checks the bit-parallel one on a random soup.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SIDE 64

typedef struct {
    uint64_t row[SIDE];
} Board;

static inline uint64_t west(uint64_t r) { return (r << 1) | (r >> 63); }
static inline uint64_t east(uint64_t r) { return (r >> 1) | (r << 63); }
static inline uint64_t majority(uint64_t a, uint64_t b, uint64_t c) { return (a & b) | (c & (a ^ b)); }

static uint64_t next_row(uint64_t up, uint64_t mid, uint64_t down)
{
    uint64_t up_w = west(up), up_e = east(up);
    uint64_t down_w = west(down), down_e = east(down);
    uint64_t mid_w = west(mid), mid_e = east(mid);

    uint64_t u1 = majority(up_w, up, up_e), u0 = up_w ^ up ^ up_e;
    uint64_t d1 = majority(down_w, down, down_e), d0 = down_w ^ down ^ down_e;
    uint64_t m1 = mid_w & mid_e, m0 = mid_w ^ mid_e;

    uint64_t ones = u0 ^ d0 ^ m0;
    uint64_t carry = majority(u0, d0, m0);
    /* Exactly one "two" among four planes means the neighbour count is 2 or 3. */
    uint64_t single_two = (u1 ^ d1 ^ m1 ^ carry) & ~((u1 & d1) | (m1 & carry));
    return single_two & (ones | mid);
}

void life_step(Board *dst, const Board *src)
{
    for (int y = 0; y < SIDE; y++)
        dst->row[y] = next_row(src->row[(y + SIDE - 1) % SIDE], src->row[y], src->row[(y + 1) % SIDE]);
}

void life_advance(Board *b, unsigned generations)
{
    Board other;
    while (generations >= 2) {
        life_step(&other, b);
        life_step(b, &other);
        generations -= 2;
    }
    if (generations) {
        life_step(&other, b);
        *b = other;
    }
}

static bool cell(const Board *b, int x, int y)
{
    return (b->row[(y + SIDE) % SIDE] >> ((x + SIDE) % SIDE)) & 1;
}

static void step_per_cell(Board *dst, const Board *src)
{
    memset(dst, 0, sizeof *dst);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int n = 0;
            for (int k = 0; k < 9; k++)
                if (k != 4)
                    n += cell(src, x + k % 3 - 1, y + k / 3 - 1);
            if (n == 3 || (n == 2 && cell(src, x, y)))
                dst->row[y] |= UINT64_C(1) << x;
        }
    }
}

int life_population(const Board *b)
{
    int total = 0;
    for (int y = 0; y < SIDE; y++)
        for (uint64_t r = b->row[y]; r; r &= r - 1)
            total++;
    return total;
}

uint64_t life_hash(const Board *b)
{
    uint64_t h = UINT64_C(0x9ae16a3b2f90404f);
    for (int y = 0; y < SIDE; y++) {
        h = (h ^ b->row[y]) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    return h;
}

/* Reads the common RLE notation: <count>b, <count>o, <count>$, closed by '!'. */
bool life_load(Board *b, const char *rle, int left, int top)
{
    int x = left, y = top, count = 0;
    memset(b, 0, sizeof *b);
    for (; *rle != '!'; rle++) {
        if (*rle >= '0' && *rle <= '9') {
            count = count * 10 + (*rle - '0');
            continue;
        }
        int n = count ? count : 1;
        count = 0;
        switch (*rle) {
        case 'o':
            for (int i = 0; i < n; i++)
                b->row[y % SIDE] |= UINT64_C(1) << ((x + i) % SIDE);
            x += n;
            break;
        case 'b': x += n; break;
        case '$': y += n; x = left; break;
        default: return false;
        }
    }
    return true;
}

/* Brent: returns the cycle length, or 0 when none shows up within the limit. */
unsigned life_period(const Board *start, unsigned limit, unsigned *generations)
{
    Board saved = *start, now = *start;
    unsigned power = 1, length = 0;
    for (unsigned g = 1; g <= limit; g++) {
        life_advance(&now, 1);
        length++;
        if (memcmp(&saved, &now, sizeof now) == 0) {
            *generations = g;
            return length;
        }
        if (length == power) {
            saved = now;
            power *= 2;
            length = 0;
        }
    }
    *generations = limit;
    return 0;
}

static int soup_mismatches(unsigned generations)
{
    Board fast, slow, tmp;
    uint64_t s = 88172645463325252u;
    for (int y = 0; y < SIDE; y++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        fast.row[y] = s & (s >> 9);
    }
    slow = fast;
    int bad = 0;
    for (unsigned g = 0; g < generations; g++) {
        life_advance(&fast, 1);
        step_per_cell(&tmp, &slow);
        slow = tmp;
        bad += memcmp(&fast, &slow, sizeof fast) != 0;
    }
    printf("soup after %u generations: population %d, mismatches %d\n", generations,
           life_population(&fast), bad);
    return bad;
}

int main(void)
{
    static const struct {
        const char *name, *rle;
        unsigned period; /* on this torus; 0: not a known figure */
    } zoo[] = {
        {"block", "2o$2o!", 1},
        {"blinker", "3o!", 2},
        {"glider", "bo$2bo$3o!", 256},
        {"lwss", "bo2bo$o$o3bo$4o!", 128},
        {"pulsar", "2b3o3b3o2$o4bobo4bo$o4bobo4bo$o4bobo4bo$2b3o3b3o2$"
                   "2b3o3b3o$o4bobo4bo$o4bobo4bo$o4bobo4bo2$2b3o3b3o!", 3},
        {"diehard", "6bo$2o$bo3b3o!", 1},
        {"r-pentomino", "b2o$2o$bo!", 0},
        {"acorn", "bo$3bo$2o2b3o!", 0},
    };
    int failures = 0;
    for (size_t i = 0; i < sizeof zoo / sizeof zoo[0]; i++) {
        Board b;
        unsigned seen = 0;
        if (!life_load(&b, zoo[i].rle, 26, 28))
            return 2;
        int born = life_population(&b);
        unsigned period = life_period(&b, 4000, &seen);
        life_advance(&b, 500);
        printf("%-12s cells %2d  period %3u  after 500: %3d cells %016llx\n", zoo[i].name, born, period,
               life_population(&b), (unsigned long long)life_hash(&b));
        failures += zoo[i].period && period != zoo[i].period;
    }
    failures += soup_mismatches(20);
    return failures ? 1 : 0;
}
