/* Two-phase tableau simplex in exact rational arithmetic with Bland's rule.
 * Solves small named problems: a product mix, a diet, a transport plan, a
 * classic cycling example, and one infeasible and one unbounded program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct { int64_t num, den; } rat; /* den > 0, lowest terms */

static int64_t gcd64(int64_t a, int64_t b)
{
  while (b) { int64_t t = a % b; a = b; b = t; }
  return a < 0 ? -a : a;
}

static rat rat_make(int64_t num, int64_t den)
{
  int64_t g = gcd64(num, den);
  if (den < 0) g = -g;
  return (rat){num / g, den / g};
}

static rat rat_int(int64_t v) { return (rat){v, 1}; }

/* Cross-cancelling first keeps the intermediate products small. */
rat rat_mul(rat a, rat b)
{
  int64_t g = gcd64(a.num, b.den), h = gcd64(b.num, a.den);
  return (rat){(a.num / g) * (b.num / h), (a.den / h) * (b.den / g)};
}

rat rat_div(rat a, rat b)
{
  rat inv = b.num < 0 ? (rat){-b.den, -b.num} : (rat){b.den, b.num};
  return rat_mul(a, inv);
}

rat rat_sub(rat a, rat b)
{
  int64_t g = gcd64(a.den, b.den);
  return rat_make(a.num * (b.den / g) - b.num * (a.den / g), a.den / g * b.den);
}

int rat_cmp(rat a, rat b)
{
  int64_t n = rat_sub(a, b).num;
  return (n > 0) - (n < 0);
}

static void rat_print(rat r)
{
  if (r.den == 1) printf("%lld", (long long)r.num);
  else printf("%lld/%lld", (long long)r.num, (long long)r.den);
}

typedef enum { LP_OPTIMAL, LP_INFEASIBLE, LP_UNBOUNDED } lp_status;

struct lp_row { char rel; /* '<', '>' or '=' */ int rhs; int coef[8]; };

struct lp {
  const char *name;
  int vars, rows, scale; /* every number below is divided by scale */
  int objective[8];      /* maximised */
  struct lp_row row[6];
  lp_status expect;
};

struct tableau {
  int rows, cols;      /* cols counts variables; column `cols` is the rhs */
  int artificial_from; /* columns from here on may not re-enter in phase 2 */
  int *basis;
  rat *cell;           /* rows + 1 lines, the last is the reduced cost */
};

static rat *cell(const struct tableau *t, int r, int c) { return &t->cell[r * (t->cols + 1) + c]; }

static void tableau_free(struct tableau *t)
{
  free(t->basis);
  free(t->cell);
}

static int tableau_init(struct tableau *t, const struct lp *p)
{
  t->rows = p->rows;
  t->artificial_from = p->vars + p->rows;
  t->cols = p->vars + 2 * p->rows;
  t->basis = malloc((size_t)t->rows * sizeof *t->basis);
  t->cell = malloc((size_t)(t->rows + 1) * (size_t)(t->cols + 1) * sizeof *t->cell);
  if (!t->basis || !t->cell) { tableau_free(t); return -1; }
  for (int i = 0; i < (t->rows + 1) * (t->cols + 1); i++) t->cell[i] = rat_int(0);

  for (int r = 0; r < p->rows; r++) {
    const struct lp_row *src = &p->row[r];
    int flip = src->rhs < 0 ? -1 : 1;
    int slack = src->rel == '<' ? flip : src->rel == '>' ? -flip : 0;
    for (int c = 0; c < p->vars; c++) *cell(t, r, c) = rat_make(flip * src->coef[c], p->scale);
    *cell(t, r, t->cols) = rat_make(flip * src->rhs, p->scale);
    *cell(t, r, p->vars + r) = rat_int(slack);
    t->basis[r] = slack == 1 ? p->vars + r : t->artificial_from + r;
    *cell(t, r, t->basis[r]) = rat_int(1);
  }
  return 0;
}

static void add_multiple(struct tableau *t, int dst, int src, rat factor)
{
  if (factor.num == 0) return;
  for (int c = 0; c <= t->cols; c++)
    *cell(t, dst, c) = rat_sub(*cell(t, dst, c), rat_mul(factor, *cell(t, src, c)));
}

static void pivot(struct tableau *t, int row, int col)
{
  rat p = *cell(t, row, col);
  for (int c = 0; c <= t->cols; c++) *cell(t, row, c) = rat_div(*cell(t, row, c), p);
  for (int r = 0; r <= t->rows; r++)
    if (r != row) add_multiple(t, r, row, *cell(t, r, col));
  t->basis[row] = col;
}

/* Bland: lowest eligible column, ties in the ratio test by lowest basic variable. */
static lp_status optimise(struct tableau *t, int usable, int *pivots)
{
  for (;;) {
    int col = 0, row = -1;
    while (col < usable && cell(t, t->rows, col)->num >= 0) col++;
    if (col == usable) return LP_OPTIMAL;
    rat best = rat_int(0);
    for (int r = 0; r < t->rows; r++) {
      if (cell(t, r, col)->num <= 0) continue;
      rat ratio = rat_div(*cell(t, r, t->cols), *cell(t, r, col));
      int order = row < 0 ? -1 : rat_cmp(ratio, best);
      if (order < 0 || (order == 0 && t->basis[r] < t->basis[row])) { row = r; best = ratio; }
    }
    if (row < 0) return LP_UNBOUNDED;
    pivot(t, row, col);
    ++*pivots;
  }
}

static void price_out_basis(struct tableau *t)
{
  for (int r = 0; r < t->rows; r++) add_multiple(t, t->rows, r, *cell(t, t->rows, t->basis[r]));
}

/* A basic artificial at level zero is swapped for any real column of its row. */
static void expel_artificials(struct tableau *t)
{
  for (int r = 0; r < t->rows; r++)
    for (int c = 0; t->basis[r] >= t->artificial_from && c < t->artificial_from; c++)
      if (cell(t, r, c)->num != 0) pivot(t, r, c);
}

lp_status lp_solve(const struct lp *p, rat *x, rat *value, int *pivots)
{
  struct tableau t;
  lp_status status = LP_INFEASIBLE;
  *pivots = 0;
  if (tableau_init(&t, p)) return status;
  for (int c = t.artificial_from; c < t.cols; c++) *cell(&t, t.rows, c) = rat_int(1);
  price_out_basis(&t);
  optimise(&t, t.cols, pivots);
  if (cell(&t, t.rows, t.cols)->num != 0) goto done;

  expel_artificials(&t);
  for (int c = 0; c <= t.cols; c++)
    *cell(&t, t.rows, c) = c < p->vars ? rat_make(-p->objective[c], p->scale) : rat_int(0);
  price_out_basis(&t);
  status = optimise(&t, t.artificial_from, pivots);
  if (status != LP_OPTIMAL) goto done;
  *value = *cell(&t, t.rows, t.cols);
  for (int c = 0; c < p->vars; c++) x[c] = rat_int(0);
  for (int r = 0; r < t.rows; r++)
    if (t.basis[r] < p->vars) x[t.basis[r]] = *cell(&t, r, t.cols);
done:
  tableau_free(&t);
  return status;
}

/* Re-checks the answer against the original rows, independent of the tableau. */
static int satisfies(const struct lp *p, const rat *x)
{
  for (int r = 0; r < p->rows; r++) {
    rat lhs = rat_int(0);
    for (int c = 0; c < p->vars; c++)
      lhs = rat_sub(lhs, rat_mul(rat_int(-p->row[r].coef[c]), x[c]));
    int order = rat_cmp(lhs, rat_int(p->row[r].rhs));
    if (p->row[r].rel == '<' ? order > 0 : p->row[r].rel == '>' ? order < 0 : order != 0) return 0;
  }
  for (int c = 0; c < p->vars; c++)
    if (x[c].num < 0) return 0;
  return 1;
}

static const struct lp problems[] = {
  {"mix", 3, 3, 1, {5, 4, 3},
   {{'<', 5, {2, 3, 1}}, {'<', 11, {4, 1, 2}}, {'<', 8, {3, 4, 2}}}, LP_OPTIMAL},
  {"diet", 3, 3, 1, {-6, -5, -9},
   {{'>', 30, {3, 2, 6}}, {'>', 22, {1, 4, 2}}, {'<', 9, {1, 1, 0}}}, LP_OPTIMAL},
  {"transport", 6, 5, 1, {-4, -6, -9, -5, -3, -8},
   {{'=', 40, {1, 1, 1}}, {'=', 35, {0, 0, 0, 1, 1, 1}}, {'=', 25, {1, 0, 0, 1}},
    {'=', 30, {0, 1, 0, 0, 1}}, {'=', 20, {0, 0, 1, 0, 0, 1}}}, LP_OPTIMAL},
  {"cycling", 4, 3, 100, {75, -15000, 2, -600},
   {{'<', 0, {25, -6000, -4, 900}}, {'<', 0, {50, -9000, -2, 300}}, {'<', 100, {0, 0, 100, 0}}},
   LP_OPTIMAL},
  {"infeasible", 2, 2, 1, {1, 1}, {{'<', 4, {1, 2}}, {'>', 9, {1, 2}}}, LP_INFEASIBLE},
  {"unbounded", 2, 2, 1, {1, 1}, {{'<', 3, {1, -1}}, {'<', -2, {-2, -1}}}, LP_UNBOUNDED},
};

int main(void)
{
  static const char *const words[] = {"optimal", "infeasible", "unbounded"};
  int bad = 0;
  for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
    const struct lp *p = &problems[i];
    rat x[8], value;
    int pivots;
    lp_status status = lp_solve(p, x, &value, &pivots);
    printf("%-10s %s after %d pivots", p->name, words[status], pivots);
    if (status == LP_OPTIMAL) {
      printf(": value ");
      rat_print(value);
      printf(" at");
      for (int c = 0; c < p->vars; c++) { printf(" "); rat_print(x[c]); }
      bad += !satisfies(p, x);
    }
    printf("\n");
    bad += status != p->expect;
  }
  return bad != 0;
}
