/*
 * Adaptive Dormand-Prince 5(4) integrator with a PI step controller. Systems
 * are plain function pointers plus a parameter block; an optional observer
 * sees every accepted step and may stop the run.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define ODE_MAX_DIM 6
#define STAGES 7

typedef void (*ode_rhs)(double t, const double *y, double *dy, const void *params);
typedef bool (*ode_observer)(double t, const double *y, void *ctx);

typedef struct {
    ode_rhs rhs;
    const void *params;
    int dim;
    double rtol, atol;
    ode_observer observer;
    void *observer_ctx;
} OdeProblem;

typedef enum { ODE_DONE, ODE_STOPPED, ODE_STEP_TOO_SMALL, ODE_TOO_MANY_STEPS } OdeStatus;

static const double NODE[STAGES] = {0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0};

static const double WEIGHT[STAGES][STAGES - 1] = {
    {0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
};

/* Fifth-order minus fourth-order weights. */
static const double ERROR_WEIGHT[STAGES] = {
    71.0 / 57600, 0.0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40,
};

/* k[0] must hold the slope at (t, y); returns the scaled error of the step. */
static double try_step(const OdeProblem *p, double t, const double *y, double h,
                       double k[STAGES][ODE_MAX_DIM], double *next)
{
    for (int s = 1; s < STAGES; s++) {
        for (int i = 0; i < p->dim; i++) {
            double slope = 0.0;
            for (int j = 0; j < s; j++)
                slope += WEIGHT[s][j] * k[j][i];
            next[i] = y[i] + h * slope;
        }
        p->rhs(t + NODE[s] * h, next, k[s], p->params);
    }
    double sum = 0.0;
    for (int i = 0; i < p->dim; i++) {
        double err = 0.0;
        for (int s = 0; s < STAGES; s++)
            err += ERROR_WEIGHT[s] * k[s][i];
        double scale = p->atol + p->rtol * fmax(fabs(y[i]), fabs(next[i]));
        sum += (h * err / scale) * (h * err / scale);
    }
    return sqrt(sum / p->dim);
}

OdeStatus ode_integrate(const OdeProblem *p, double t, double t_end, double *y)
{
    double k[STAGES][ODE_MAX_DIM], next[ODE_MAX_DIM];
    double h = 1e-3 * (t_end - t), previous = 1.0;

    p->rhs(t, y, k[0], p->params);
    for (int steps = 0; steps < 20000; steps++) {
        bool last = t + h >= t_end;
        if (last)
            h = t_end - t;
        double err = fmax(try_step(p, t, y, h, k, next), 1e-10);
        if (err > 1.0) {
            h *= fmax(0.2, 0.9 * pow(err, -0.2));
            if (h < 1e-12)
                return ODE_STEP_TOO_SMALL;
            continue;
        }
        t = last ? t_end : t + h;
        for (int i = 0; i < p->dim; i++) {
            y[i] = next[i];
            k[0][i] = k[STAGES - 1][i]; /* the last stage is the next first one */
        }
        if (p->observer && !p->observer(t, y, p->observer_ctx))
            return ODE_STOPPED;
        if (last)
            return ODE_DONE;
        h *= fmin(5.0, 0.9 * pow(err, -0.14) * pow(previous, 0.08));
        previous = err;
    }
    return ODE_TOO_MANY_STEPS;
}

static void decay(double t, const double *y, double *dy, const void *params)
{
    (void)t;
    dy[0] = -*(const double *)params * y[0];
}

static void forced_oscillator(double t, const double *y, double *dy, const void *params)
{
    (void)params;
    dy[0] = y[1];
    dy[1] = -4.0 * y[0] + 3.0 * sin(t);
}

struct prey_params {
    double birth, eaten, growth, death;
};

static void lotka_volterra(double t, const double *y, double *dy, const void *params)
{
    const struct prey_params *q = params;
    (void)t;
    dy[0] = y[0] * (q->birth - q->eaten * y[1]);
    dy[1] = y[1] * (q->growth * y[0] - q->death);
}

static void van_der_pol(double t, const double *y, double *dy, const void *params)
{
    double mu = *(const double *)params;
    (void)t;
    dy[0] = y[1];
    dy[1] = mu * (1.0 - y[0] * y[0]) * y[1] - y[0];
}

static void kepler(double t, const double *y, double *dy, const void *params)
{
    double r2 = y[0] * y[0] + y[1] * y[1];
    double pull = *(const double *)params / (r2 * sqrt(r2));
    (void)t;
    dy[0] = y[2];
    dy[1] = y[3];
    dy[2] = -pull * y[0];
    dy[3] = -pull * y[1];
}

/* Reaches infinity at t = 1, so the controller has to give up there. */
static void blow_up(double t, const double *y, double *dy, const void *params)
{
    (void)t;
    (void)params;
    dy[0] = y[0] * y[0];
}

struct crossing_counter {
    double last;
    int upward;
};

static bool count_crossings(double t, const double *y, void *ctx)
{
    struct crossing_counter *c = ctx;
    (void)t;
    c->upward += c->last < 0.0 && y[0] >= 0.0;
    c->last = y[0];
    return true;
}

static bool stop_below_half(double t, const double *y, void *ctx)
{
    *(double *)ctx = t;
    return y[0] >= 0.5;
}

static int check(const char *name, double got, double want, double tolerance)
{
    bool ok = fabs(got - want) <= tolerance;
    printf("%-22s %10.5f %s\n", name, got, ok ? "ok" : "WRONG");
    return !ok;
}

int main(void)
{
    const double pi = 3.14159265358979323846;
    const double rate = 0.75, mu = 5.0, gravity = 1.0;
    const struct prey_params hares = {1.1, 0.4, 0.1, 0.4};
    struct crossing_counter swings = {2.0, 0};
    double stopped_at = 0.0;
    int bad = 0;

    OdeProblem p = {.rhs = decay, .params = &rate, .dim = 1, .rtol = 1e-9, .atol = 1e-11};
    double y[ODE_MAX_DIM] = {1.0};
    bad += ode_integrate(&p, 0.0, 4.0, y) != ODE_DONE;
    bad += check("decay", y[0], exp(-3.0), 1e-7);

    y[0] = 1.0;
    p.observer = stop_below_half;
    p.observer_ctx = &stopped_at;
    bad += ode_integrate(&p, 0.0, 4.0, y) != ODE_STOPPED;
    bad += y[0] >= 0.5 || stopped_at < log(2.0) / rate;

    p = (OdeProblem){.rhs = forced_oscillator, .dim = 2, .rtol = 1e-9, .atol = 1e-11};
    y[0] = 1.0, y[1] = 1.0; /* exact solution: cos 2t + sin t */
    bad += ode_integrate(&p, 0.0, 10.0, y) != ODE_DONE;
    bad += check("forced oscillator", y[0], cos(20.0) + sin(10.0), 1e-6);

    p = (OdeProblem){.rhs = lotka_volterra, .params = &hares, .dim = 2, .rtol = 1e-9, .atol = 1e-9};
    y[0] = 10.0, y[1] = 10.0; /* birth*ln(y1) - eaten*y1 + death*ln(y0) - growth*y0 is kept */
    double before = 1.1 * log(y[1]) - 0.4 * y[1] + 0.4 * log(y[0]) - 0.1 * y[0];
    bad += ode_integrate(&p, 0.0, 25.0, y) != ODE_DONE;
    bad += check("Lotka-Volterra", 1.1 * log(y[1]) - 0.4 * y[1] + 0.4 * log(y[0]) - 0.1 * y[0],
                 before, 1e-5);

    p = (OdeProblem){.rhs = van_der_pol, .params = &mu, .dim = 2, .rtol = 1e-7, .atol = 1e-9,
                     .observer = count_crossings, .observer_ctx = &swings};
    y[0] = 2.0, y[1] = 0.0; /* the limit cycle takes about 11.6 time units */
    bad += ode_integrate(&p, 0.0, 60.0, y) != ODE_DONE;
    bad += check("Van der Pol swings", swings.upward, 5.0, 0.0);

    p = (OdeProblem){.rhs = kepler, .params = &gravity, .dim = 4, .rtol = 1e-10, .atol = 1e-12};
    y[0] = 0.4, y[1] = 0.0, y[2] = 0.0, y[3] = 2.0; /* eccentricity 0.6, period 2*pi */
    bad += ode_integrate(&p, 0.0, 4.0 * pi, y) != ODE_DONE;
    bad += check("Kepler x, two orbits", y[0], 0.4, 1e-5);
    bad += check("Kepler momentum", y[0] * y[3] - y[1] * y[2], 0.8, 1e-7);

    p = (OdeProblem){.rhs = blow_up, .dim = 1, .rtol = 1e-6, .atol = 1e-9};
    y[0] = 1.0;
    OdeStatus status = ode_integrate(&p, 0.0, 2.0, y);
    printf("blow-up reported: %s\n", status == ODE_STEP_TOO_SMALL ? "yes" : "no");
    bad += status != ODE_STEP_TOO_SMALL;
    return bad != 0;
}
