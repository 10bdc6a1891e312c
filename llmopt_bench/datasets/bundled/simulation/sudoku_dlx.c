/*
 * Exact cover by dancing links, as a small reusable solver with primary and secondary items.
 * Two front ends exercise it: Sudoku (with uniqueness test) and the N queens problem, whose
 * diagonals are secondary items that may stay uncovered.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Node Node;
struct Node {
    Node *left, *right, *up, *down;
    Node *head;
    int tag; /* option number in a cell, option count in a header */
};

typedef bool (*SolutionFn)(void *user, const int *options, int count);

typedef struct {
    Node root;
    Node *headers;
    Node *pool;
    int used, capacity;
    int chosen[128];
    SolutionFn on_solution;
    void *user;
    long updates;
} Cover;

bool cover_init(Cover *c, int primary, int secondary, int max_nodes)
{
    memset(c, 0, sizeof *c);
    c->headers = malloc((size_t)(primary + secondary) * sizeof *c->headers);
    c->pool = malloc((size_t)max_nodes * sizeof *c->pool);
    if (!c->headers || !c->pool) {
        free(c->headers);
        free(c->pool);
        return false;
    }
    c->capacity = max_nodes;
    c->root.left = c->root.right = &c->root;
    for (int i = 0; i < primary + secondary; i++) {
        Node *h = &c->headers[i];
        h->up = h->down = h->head = h;
        h->tag = 0;
        h->left = h->right = h;
        if (i < primary) { /* only primary items are on the root's list */
            h->left = c->root.left;
            h->right = &c->root;
            h->left->right = h;
            c->root.left = h;
        }
    }
    return true;
}

void cover_free(Cover *c)
{
    free(c->headers);
    free(c->pool);
}

bool cover_add(Cover *c, int option, const int *items, int n)
{
    if (c->used + n > c->capacity)
        return false;
    Node *first = &c->pool[c->used];
    for (int i = 0; i < n; i++) {
        Node *cell = &c->pool[c->used++];
        Node *h = &c->headers[items[i]];
        cell->tag = option;
        cell->head = h;
        cell->up = h->up;
        cell->down = h;
        cell->up->down = cell;
        h->up = cell;
        h->tag++;
        cell->left = i ? cell - 1 : cell;
        cell->right = first;
        cell->left->right = cell;
        first->left = cell;
    }
    return true;
}

static void hide(Cover *c, Node *h)
{
    h->left->right = h->right;
    h->right->left = h->left;
    for (Node *row = h->down; row != h; row = row->down)
        for (Node *n = row->right; n != row; n = n->right) {
            n->up->down = n->down;
            n->down->up = n->up;
            n->head->tag--;
            c->updates++;
        }
}

static void unhide(Node *h)
{
    for (Node *row = h->up; row != h; row = row->up)
        for (Node *n = row->left; n != row; n = n->left) {
            n->head->tag++;
            n->up->down = n;
            n->down->up = n;
        }
    h->left->right = h;
    h->right->left = h;
}

static Node *tightest(Cover *c)
{
    Node *best = c->root.right;
    for (Node *h = best; h != &c->root; h = h->right)
        if (h->tag < best->tag)
            best = h;
    return best;
}

/* Returns false once the callback asks to stop. */
static bool search(Cover *c, int depth)
{
    if (c->root.right == &c->root)
        return c->on_solution(c->user, c->chosen, depth);
    Node *item = tightest(c);
    if (item->tag == 0)
        return true;
    bool go_on = true;
    hide(c, item);
    for (Node *row = item->down; row != item && go_on; row = row->down) {
        c->chosen[depth] = row->tag;
        for (Node *n = row->right; n != row; n = n->right)
            hide(c, n->head);
        go_on = search(c, depth + 1);
        for (Node *n = row->left; n != row; n = n->left)
            unhide(n->head);
    }
    unhide(item);
    return go_on;
}

void cover_solve(Cover *c, SolutionFn fn, void *user)
{
    c->on_solution = fn;
    c->user = user;
    search(c, 0);
}

/* ---- Sudoku ---- */

typedef struct {
    char grid[82];
    int found, limit;
} Sudoku;

static bool take_grid(void *user, const int *options, int count)
{
    Sudoku *s = user;
    if (s->found++ == 0)
        for (int i = 0; i < count; i++)
            s->grid[options[i] / 9] = (char)('1' + options[i] % 9);
    return s->found < s->limit;
}

static int sudoku_solve(const char *clues, Sudoku *s, long *updates)
{
    Cover c;
    if (!cover_init(&c, 324, 0, 729 * 4))
        return -1;
    for (int pos = 0; pos < 81; pos++)
        for (int d = 0; d < 9; d++) {
            if (clues[pos] != '.' && clues[pos] != '1' + d)
                continue;
            int r = pos / 9, k = pos % 9, box = r / 3 * 3 + k / 3;
            int items[4] = {pos, 81 + r * 9 + d, 162 + k * 9 + d, 243 + box * 9 + d};
            cover_add(&c, pos * 9 + d, items, 4);
        }
    memset(s->grid, '?', 81);
    s->grid[81] = '\0';
    s->found = 0;
    cover_solve(&c, take_grid, s);
    *updates = c.updates;
    cover_free(&c);
    return s->found;
}

/* ---- N queens ---- */

static bool count_one(void *user, const int *options, int count)
{
    long *totals = user;
    totals[0]++;
    for (int i = 0; i < count; i++)
        totals[1] += (long)(i + 1) * options[i];
    return true;
}

static long queens(int n)
{
    Cover c;
    long totals[2] = {0, 0};
    if (!cover_init(&c, 2 * n, 4 * n - 2, 4 * n * n))
        return -1;
    for (int r = 0; r < n; r++)
        for (int k = 0; k < n; k++) {
            int items[4] = {r, n + k, 2 * n + r + k, 4 * n - 1 + r - k + n - 1};
            cover_add(&c, r * n + k, items, 4);
        }
    cover_solve(&c, count_one, totals);
    printf("%d queens: %ld solutions, weight %ld, %ld updates\n", n, totals[0], totals[1], c.updates);
    cover_free(&c);
    return totals[0];
}

int main(void)
{
    static const struct {
        const char *clues;
        int solutions;
        const char *answer;
    } puzzles[] = {
        {"53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79", 1,
         "534678912672195348198342567859761423426853791713924856961537284287419635345286179"},
        {".......1.4.........2...........5.4.7..8...3....1.9....3..4..2...5.1........8.6...", 1,
         "693784512487512936125963874932651487568247391741398625319475268856129743274836159"},
        {"8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..", 1,
         "812753649943682175675491283154237896369845721287169534521974368438526917796318452"},
        {"55.......6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79", 0, NULL},
        {"53..7....6..1.5....98....6.8...6...34....3..17.......6.6....28....419......8..7..", 8, NULL},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof puzzles / sizeof puzzles[0]; i++) {
        Sudoku s = {.limit = 20};
        long updates = 0;
        int n = sudoku_solve(puzzles[i].clues, &s, &updates);
        printf("puzzle %zu: %d%s solution(s), %ld updates\n  %s\n", i + 1, n, n == s.limit ? "+" : "",
               updates, s.grid);
        if (n != puzzles[i].solutions || (puzzles[i].answer && strcmp(s.grid, puzzles[i].answer)))
            bad++;
    }
    bad += queens(6) != 4;
    bad += queens(8) != 92;
    return bad ? 1 : 0;
}
