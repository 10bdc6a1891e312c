/* Dense linear algebra on small row-major matrices: LU with partial pivoting
 * (solve, determinant, inverse), Householder QR for least squares, Cholesky,
 * and cyclic Jacobi for symmetric eigenvalues. Exercised on random systems,
 * a Hilbert matrix, a polynomial fit and a path Laplacian. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct matrix {
    int rows, cols;
    double at[]; /* row-major */
} matrix;

#define M(m, i, j) ((m)->at[(size_t)(i) * (size_t)(m)->cols + (size_t)(j)])

matrix *mat_new(int rows, int cols)
{
    size_t count = (size_t)rows * (size_t)cols;
    matrix *m = calloc(1, sizeof *m + count * sizeof m->at[0]);
    if (!m) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    m->rows = rows;
    m->cols = cols;
    return m;
}

matrix *mat_copy(const matrix *a)
{
    matrix *m = mat_new(a->rows, a->cols);
    memcpy(m->at, a->at, (size_t)a->rows * (size_t)a->cols * sizeof a->at[0]);
    return m;
}

matrix *mat_mul(const matrix *a, const matrix *b)
{
    matrix *c = mat_new(a->rows, b->cols);
    for (int i = 0; i < a->rows; i++)
        for (int k = 0; k < a->cols; k++) {
            double f = M(a, i, k);
            for (int j = 0; j < b->cols; j++)
                M(c, i, j) += f * M(b, k, j);
        }
    return c;
}

double mat_max_diff(const matrix *a, const matrix *b)
{
    double worst = 0.0;
    for (int i = 0; i < a->rows; i++)
        for (int j = 0; j < a->cols; j++)
            worst = fmax(worst, fabs(M(a, i, j) - M(b, i, j)));
    return worst;
}

static void swap_rows(matrix *a, int p, int q)
{
    for (int j = 0; j < a->cols; j++) {
        double t = M(a, p, j);
        M(a, p, j) = M(a, q, j);
        M(a, q, j) = t;
    }
}

/* In place: unit L below the diagonal, U on and above. Returns the sign of the
 * row permutation, or 0 for a matrix that is singular to working precision. */
int lu_factor(matrix *a, int *perm)
{
    int n = a->rows, sign = 1;
    for (int i = 0; i < n; i++)
        perm[i] = i;
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(M(a, i, k)) > fabs(M(a, pivot, k)))
                pivot = i;
        if (fabs(M(a, pivot, k)) < 1e-13)
            return 0;
        if (pivot != k) {
            int t = perm[k];
            perm[k] = perm[pivot];
            perm[pivot] = t;
            swap_rows(a, k, pivot);
            sign = -sign;
        }
        for (int i = k + 1; i < n; i++) {
            double f = M(a, i, k) /= M(a, k, k);
            for (int j = k + 1; j < n; j++)
                M(a, i, j) -= f * M(a, k, j);
        }
    }
    return sign;
}

void lu_solve(const matrix *lu, const int *perm, const double *b, double *x)
{
    int n = lu->rows;
    for (int i = 0; i < n; i++) {
        x[i] = b[perm[i]];
        for (int j = 0; j < i; j++)
            x[i] -= M(lu, i, j) * x[j];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            x[i] -= M(lu, i, j) * x[j];
        x[i] /= M(lu, i, i);
    }
}

matrix *mat_inverse(const matrix *a, double *det)
{
    int n = a->rows;
    int *perm = malloc((size_t)n * sizeof *perm);
    double *unit = malloc((size_t)n * sizeof *unit), *column = malloc((size_t)n * sizeof *column);
    matrix *lu = mat_copy(a), *inv = NULL;
    if (!perm || !unit || !column)
        goto out;
    *det = lu_factor(lu, perm);
    if (*det == 0.0)
        goto out;
    inv = mat_new(n, n);
    for (int j = 0; j < n; j++) {
        *det *= M(lu, j, j);
        for (int i = 0; i < n; i++)
            unit[i] = i == j;
        lu_solve(lu, perm, unit, column);
        for (int i = 0; i < n; i++)
            M(inv, i, j) = column[i];
    }
out:
    free(lu);
    free(column);
    free(unit);
    free(perm);
    return inv;
}

/* Minimises |Ax - b| by Householder reflections; a and b are overwritten. */
int qr_least_squares(matrix *a, double *b, double *x)
{
    for (int k = 0; k < a->cols; k++) {
        double norm = 0.0;
        for (int i = k; i < a->rows; i++)
            norm = hypot(norm, M(a, i, k));
        if (norm < 1e-13)
            return -1;
        double alpha = M(a, k, k) > 0.0 ? -norm : norm;
        double head = M(a, k, k) - alpha; /* v = (head, a[k+1..][k]) */
        double beta = 1.0 / (norm * fabs(head));
        for (int j = k + 1; j <= a->cols; j++) {
            double dot = head * (j < a->cols ? M(a, k, j) : b[k]);
            for (int i = k + 1; i < a->rows; i++)
                dot += M(a, i, k) * (j < a->cols ? M(a, i, j) : b[i]);
            dot *= beta;
            for (int i = k; i < a->rows; i++) {
                double *slot = j < a->cols ? &M(a, i, j) : &b[i];
                *slot -= dot * (i == k ? head : M(a, i, k));
            }
        }
        M(a, k, k) = alpha;
    }
    for (int i = a->cols - 1; i >= 0; i--) {
        x[i] = b[i];
        for (int j = i + 1; j < a->cols; j++)
            x[i] -= M(a, i, j) * x[j];
        x[i] /= M(a, i, i);
    }
    return 0;
}

int cholesky(matrix *a)
{
    for (int j = 0; j < a->cols; j++) {
        for (int i = 0; i < j; i++)
            M(a, i, j) = 0.0;
        for (int i = j; i < a->rows; i++) {
            double sum = M(a, i, j);
            for (int k = 0; k < j; k++)
                sum -= M(a, i, k) * M(a, j, k);
            if (i == j && sum <= 0.0)
                return -1;
            M(a, i, j) = i == j ? sqrt(sum) : sum / M(a, j, j);
        }
    }
    return 0;
}

static void jacobi_rotate(matrix *a, int p, int q)
{
    double theta = (M(a, q, q) - M(a, p, p)) / (2.0 * M(a, p, q));
    double t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
    double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int k = 0; k < a->rows; k++) {
        double kp = M(a, k, p), kq = M(a, k, q);
        M(a, k, p) = c * kp - s * kq;
        M(a, k, q) = s * kp + c * kq;
    }
    for (int k = 0; k < a->cols; k++) {
        double pk = M(a, p, k), qk = M(a, q, k);
        M(a, p, k) = c * pk - s * qk;
        M(a, q, k) = s * pk + c * qk;
    }
}

static int ascending(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

void symmetric_eigenvalues(matrix *a, double *values)
{
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0.0;
        for (int p = 0; p < a->rows; p++)
            for (int q = p + 1; q < a->cols; q++)
                off += M(a, p, q) * M(a, p, q);
        if (off < 1e-24)
            break;
        for (int p = 0; p < a->rows; p++)
            for (int q = p + 1; q < a->cols; q++)
                if (fabs(M(a, p, q)) > 1e-15)
                    jacobi_rotate(a, p, q);
    }
    for (int i = 0; i < a->rows; i++)
        values[i] = M(a, i, i);
    qsort(values, (size_t)a->rows, sizeof *values, ascending);
}

static int report(const char *what, int ok)
{
    printf("%-28s %s\n", what, ok ? "ok" : "WRONG");
    return !ok;
}

static int try_inverse(const char *what, const matrix *a, double tolerance)
{
    double det = 0.0;
    matrix *inv = mat_inverse(a, &det);
    if (!inv)
        return report(what, 0);
    matrix *unit = mat_mul(a, inv), *eye = mat_new(a->rows, a->rows);
    for (int i = 0; i < a->rows; i++)
        M(eye, i, i) = 1.0;
    printf("det %.5g  ", det);
    int bad = report(what, mat_max_diff(unit, eye) < tolerance);
    free(eye);
    free(unit);
    free(inv);
    return bad;
}

static int try_polynomial_fit(void)
{
    static const double truth[4] = {2.0, -1.0, 0.5, 0.25};
    matrix *a = mat_new(21, 4);
    double b[21], x[4], worst = 0.0;
    for (int i = 0; i < 21; i++) {
        double t = (i - 10) / 5.0, power = 1.0;
        b[i] = 0.0;
        for (int j = 0; j < 4; j++, power *= t) {
            M(a, i, j) = power;
            b[i] += truth[j] * power;
        }
    }
    int failed = qr_least_squares(a, b, x);
    for (int j = 0; !failed && j < 4; j++)
        worst = fmax(worst, fabs(x[j] - truth[j]));
    free(a);
    return report("cubic fit by QR", !failed && worst < 1e-12);
}

static int try_laplacian(int n)
{
    const double pi = 3.14159265358979323846;
    matrix *lap = mat_new(n, n), *low;
    double values[16], worst = 0.0;
    for (int i = 0; i < n; i++) {
        M(lap, i, i) = 2.0;
        if (i)
            M(lap, i, i - 1) = M(lap, i - 1, i) = -1.0;
    }
    low = mat_copy(lap);
    int failed = cholesky(low);
    double det = 1.0;
    for (int i = 0; i < n; i++)
        det *= M(low, i, i) * M(low, i, i);
    failed |= fabs(det - (n + 1)) > 1e-9; /* known closed form */
    symmetric_eigenvalues(lap, values);
    for (int i = 0; i < n; i++) {
        printf("%s%.5f", i ? " " : "spectrum ", values[i]);
        worst = fmax(worst, fabs(values[i] - (2.0 - 2.0 * cos(pi * (i + 1) / (n + 1)))));
    }
    printf("\n");
    free(low);
    free(lap);
    return report("Laplacian by Cholesky/Jacobi", !failed && worst < 1e-10);
}

int main(void)
{
    int bad = 0;
    uint64_t state = 42;
    matrix *rnd = mat_new(12, 12), *hilbert = mat_new(5, 5), *rank1 = mat_new(3, 3);
    double unused;

    for (int i = 0; i < 12 * 12; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        rnd->at[i] = (double)(state >> 40) / 16777216.0 - 0.5;
    }
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            M(hilbert, i, j) = 1.0 / (i + j + 1);
    for (int i = 0; i < 9; i++)
        rank1->at[i] = (i / 3 + 1) * (i % 3 + 1);

    bad += try_inverse("random inverse", rnd, 1e-11);
    bad += try_inverse("Hilbert inverse", hilbert, 1e-9);
    bad += report("singular is detected", mat_inverse(rank1, &unused) == NULL);
    bad += try_polynomial_fit();
    bad += try_laplacian(9);
    free(rank1);
    free(hilbert);
    free(rnd);
    return bad != 0;
}
