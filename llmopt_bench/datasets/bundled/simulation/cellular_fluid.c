/*
 * HPP lattice gas: particles hop between the cells of a square grid in four directions and
 * scatter on head-on collisions; walls bounce them back.  Integer rules only, so mass is exact
 * and the dynamics are reversible: turning every particle round and running the same number of
 * steps must restore the start.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 96
#define HEIGHT 48

enum { EAST = 1, NORTH = 2, WEST = 4, SOUTH = 8, MOVERS = 15, WALL = 16 };

typedef uint8_t grid[HEIGHT][WIDTH];

static const int step_x[4] = {1, 0, -1, 0};
static const int step_y[4] = {0, -1, 0, 1};

static uint8_t opposite(uint8_t movers)
{
    return (uint8_t)(((movers << 2) | (movers >> 2)) & MOVERS);
}

static void fill_rules(uint8_t rule[32])
{
    for (int s = 0; s < 16; s++) {
        rule[s] = (uint8_t)s;
        rule[s | WALL] = (uint8_t)(opposite((uint8_t)s) | WALL);
    }
    rule[EAST | WEST] = NORTH | SOUTH;
    rule[NORTH | SOUTH] = EAST | WEST;
}

static void collide(grid cells, const uint8_t rule[32])
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            cells[y][x] = rule[cells[y][x]];
}

static void stream(grid cells)
{
    static grid moved;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t in = cells[y][x] & WALL;
            for (int d = 0; d < 4; d++) {
                int sx = (x - step_x[d] + WIDTH) % WIDTH;
                int sy = (y - step_y[d] + HEIGHT) % HEIGHT;
                in |= cells[sy][sx] & (uint8_t)(1 << d);
            }
            moved[y][x] = in;
        }
    memcpy(cells, moved, sizeof moved);
}

static void turn_round(grid cells)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            cells[y][x] = (uint8_t)(opposite(cells[y][x] & MOVERS) | (cells[y][x] & WALL));
}

void gas_run(grid cells, const uint8_t rule[32], int steps)
{
    while (steps-- > 0) {
        collide(cells, rule);
        stream(cells);
    }
}

/* Undoes gas_run: every collision rule is its own inverse once the velocities are turned. */
void gas_run_backward(grid cells, const uint8_t rule[32], int steps)
{
    turn_round(cells);
    while (steps-- > 0) {
        stream(cells);
        collide(cells, rule);
    }
    turn_round(cells);
}

static int measure(grid cells, int *px, int *py)
{
    int mass = 0;
    *px = *py = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int d = 0; d < 4; d++)
            if (cells[i / WIDTH][i % WIDTH] >> d & 1) {
                mass++;
                *px += step_x[d];
                *py += step_y[d];
            }
    return mass;
}

static void setup(grid cells)
{
    uint32_t seed = 2463534242u;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
            int slit = y >= HEIGHT / 2 - 3 && y < HEIGHT / 2 + 3;
            if (y == 0 || y == HEIGHT - 1 || x == 0 || (x == WIDTH / 2 && !slit))
                cells[y][x] = WALL;
            else if (x < WIDTH / 2)
                cells[y][x] = (uint8_t)(seed >> 28);
            else
                cells[y][x] = (seed >> 20 & 31) == 0 ? WEST : 0;
        }
}

/* Coarse densities: one digit per 8x8 block. */
static void picture(grid cells)
{
    for (int by = 0; by < HEIGHT; by += 8) {
        for (int bx = 0; bx < WIDTH; bx += 8) {
            int n = 0;
            for (int k = 0; k < 64; k++)
                for (int c = cells[by + k / 8][bx + k % 8] & MOVERS; c; c &= c - 1)
                    n++;
            putchar(n == 0 ? '.' : '0' + n * 9 / 256);
        }
        putchar('\n');
    }
}

int main(void)
{
    static grid cells, start;
    uint8_t rule[32];
    int px, py, status = 0;

    fill_rules(rule);
    setup(cells);
    memcpy(start, cells, sizeof start);
    const int mass = measure(cells, &px, &py);
    for (int t = 20; t <= 60; t += 20) {
        gas_run(cells, rule, 20);
        int now = measure(cells, &px, &py);
        printf("t=%d mass %d momentum (%d, %d)\n", t, now, px, py);
        status |= now != mass;
    }
    picture(cells);
    gas_run_backward(cells, rule, 60);
    int restored = memcmp(start, cells, sizeof start) == 0;
    printf("restored after running backward: %s\n", restored ? "yes" : "no");
    return status || !restored;
}
