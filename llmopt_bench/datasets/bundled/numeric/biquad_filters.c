/*
 * Digital filter workshop: biquad designs by bilinear transform (double and
 * Q28 fixed point with error feedback), Butterworth cascades and windowed-sinc
 * FIR filters. Gains are measured by running tones through the filters with a
 * Goertzel detector and compared with the analytic frequency response.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_RATE 48000.0
#define PI 3.14159265358979323846
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum bq_kind { BQ_LOWPASS, BQ_HIGHPASS, BQ_BANDPASS, BQ_NOTCH, BQ_PEAK, BQ_LOWSHELF };

struct bq_coef {
	double b0, b1, b2, a1, a2;
};

struct bq_state {
	struct bq_coef c;
	double z1, z2;
};

/* Direct form I; the remainder of each rounding is carried into the next sample. */
struct bq_fixed {
	int32_t b[3], a[2];
	int32_t x[2], y[2];
	int64_t residue;
};

#define FIX_BITS 28

int bq_design(struct bq_coef *out, enum bq_kind kind, double freq, double q, double gain_db)
{
	if (freq <= 0.0 || freq >= SAMPLE_RATE / 2 || q <= 0.0)
		return -1;

	double w = 2.0 * PI * freq / SAMPLE_RATE;
	double cw = cos(w), alpha = sin(w) / (2.0 * q);
	double amp = pow(10.0, gain_db / 40.0);
	double b0, b1, b2, a0 = 1.0 + alpha, a1 = -2.0 * cw, a2 = 1.0 - alpha;

	switch (kind) {
	case BQ_LOWPASS:
		b1 = 1.0 - cw;
		b0 = b2 = b1 / 2.0;
		break;
	case BQ_HIGHPASS:
		b1 = -(1.0 + cw);
		b0 = b2 = -b1 / 2.0;
		break;
	case BQ_BANDPASS:
		b0 = alpha;
		b1 = 0.0;
		b2 = -alpha;
		break;
	case BQ_NOTCH:
		b0 = b2 = 1.0;
		b1 = a1;
		break;
	case BQ_PEAK:
		b0 = 1.0 + alpha * amp;
		b1 = a1;
		b2 = 1.0 - alpha * amp;
		a0 = 1.0 + alpha / amp;
		a2 = 1.0 - alpha / amp;
		break;
	case BQ_LOWSHELF: {
		double root = 2.0 * sqrt(amp) * alpha, up = amp + 1.0, dn = amp - 1.0;
		b0 = amp * (up - dn * cw + root);
		b1 = 2.0 * amp * (dn - up * cw);
		b2 = amp * (up - dn * cw - root);
		a0 = up + dn * cw + root;
		a1 = -2.0 * (dn + up * cw);
		a2 = up + dn * cw - root;
		break;
	}
	default:
		return -1;
	}
	*out = (struct bq_coef){b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0};
	return 0;
}

double bq_response_db(const struct bq_coef *c, double freq)
{
	double w = 2.0 * PI * freq / SAMPLE_RATE;
	double c1 = cos(w), s1 = sin(w), c2 = cos(2 * w), s2 = sin(2 * w);
	double nr = c->b0 + c->b1 * c1 + c->b2 * c2, ni = c->b1 * s1 + c->b2 * s2;
	double dr = 1.0 + c->a1 * c1 + c->a2 * c2, di = c->a1 * s1 + c->a2 * s2;
	return 10.0 * log10((nr * nr + ni * ni) / (dr * dr + di * di));
}

/* Jury's conditions for a second-order denominator. */
bool bq_is_stable(const struct bq_coef *c)
{
	return fabs(c->a2) < 1.0 && fabs(c->a1) < 1.0 + c->a2;
}

static double bq_step(struct bq_state *s, double x)
{
	double y = s->c.b0 * x + s->z1;
	s->z1 = s->c.b1 * x - s->c.a1 * y + s->z2;
	s->z2 = s->c.b2 * x - s->c.a2 * y;
	return y;
}

static int32_t to_fixed(double v)
{
	return (int32_t)lround(v * (double)(1 << FIX_BITS));
}

void bqf_init(struct bq_fixed *f, const struct bq_coef *c)
{
	memset(f, 0, sizeof *f);
	f->b[0] = to_fixed(c->b0);
	f->b[1] = to_fixed(c->b1);
	f->b[2] = to_fixed(c->b2);
	f->a[0] = to_fixed(c->a1);
	f->a[1] = to_fixed(c->a2);
}

static int16_t saturate16(int64_t v)
{
	return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

int16_t bqf_step(struct bq_fixed *f, int16_t in)
{
	int64_t acc = f->residue;
	acc += (int64_t)f->b[0] * in + (int64_t)f->b[1] * f->x[0] + (int64_t)f->b[2] * f->x[1];
	acc -= (int64_t)f->a[0] * f->y[0] + (int64_t)f->a[1] * f->y[1];

	int64_t scaled = acc / (1 << FIX_BITS);
	f->residue = acc - scaled * (1 << FIX_BITS);
	f->x[1] = f->x[0];
	f->x[0] = in;
	f->y[1] = f->y[0];
	f->y[0] = saturate16(scaled);
	return (int16_t)f->y[0];
}

/* ---- filters behind one interface, so that one meter can measure them all ---- */

struct filter {
	double (*process)(struct filter *self, double x);
	void (*reset)(struct filter *self);
};

#define CASCADE_MAX 4

struct cascade {
	struct filter base;
	int stages;
	struct bq_state stage[CASCADE_MAX];
};

static double cascade_process(struct filter *self, double x)
{
	struct cascade *c = (struct cascade *)self;
	for (int i = 0; i < c->stages; i++)
		x = bq_step(&c->stage[i], x);
	return x;
}

static void cascade_reset(struct filter *self)
{
	struct cascade *c = (struct cascade *)self;
	for (int i = 0; i < c->stages; i++)
		c->stage[i].z1 = c->stage[i].z2 = 0.0;
}

/* An even-order Butterworth is a chain of biquads that differ only in Q. */
int butterworth_lowpass(struct cascade *c, int order, double freq)
{
	if (order < 2 || order > 2 * CASCADE_MAX || order % 2)
		return -1;
	memset(c, 0, sizeof *c);
	c->base.process = cascade_process;
	c->base.reset = cascade_reset;
	c->stages = order / 2;
	for (int i = 0; i < c->stages; i++) {
		double q = 1.0 / (2.0 * cos(PI * (2 * i + 1) / (2.0 * order)));
		if (bq_design(&c->stage[i].c, BQ_LOWPASS, freq, q, 0.0))
			return -1;
	}
	return 0;
}

struct fir {
	struct filter base;
	size_t taps, head;
	double *coef, *ring;
};

static double fir_process(struct filter *self, double x)
{
	struct fir *f = (struct fir *)self;
	double acc = 0.0;
	f->ring[f->head] = x;
	size_t at = f->head;
	for (size_t i = 0; i < f->taps; i++) {
		acc += f->coef[i] * f->ring[at];
		at = at ? at - 1 : f->taps - 1;
	}
	f->head = f->head + 1 == f->taps ? 0 : f->head + 1;
	return acc;
}

static void fir_reset(struct filter *self)
{
	struct fir *f = (struct fir *)self;
	f->head = 0;
	for (size_t i = 0; i < f->taps; i++)
		f->ring[i] = 0.0;
}

typedef double (*window_fn)(double phase);

static double window_hamming(double phase) { return 0.54 - 0.46 * cos(phase); }
static double window_blackman(double phase)
{
	return 0.42 - 0.5 * cos(phase) + 0.08 * cos(2.0 * phase);
}

int fir_lowpass(struct fir *f, size_t taps, double freq, window_fn window)
{
	double cutoff = freq / SAMPLE_RATE, total = 0.0;

	f->base.process = fir_process;
	f->base.reset = fir_reset;
	f->taps = taps;
	f->head = 0;
	f->coef = malloc(2 * taps * sizeof *f->coef);
	if (!f->coef)
		return -1;
	f->ring = f->coef + taps;
	for (size_t i = 0; i < taps; i++) {
		double t = (double)i - (double)(taps - 1) / 2.0;
		double sinc = t == 0.0 ? 2.0 * cutoff : sin(2.0 * PI * cutoff * t) / (PI * t);
		f->coef[i] = sinc * window(2.0 * PI * (double)i / (double)(taps - 1));
		total += f->coef[i];
	}
	for (size_t i = 0; i < taps; i++)
		f->coef[i] /= total;
	fir_reset(&f->base);
	return 0;
}

void fir_free(struct fir *f) { free(f->coef); }

/* ---- measuring ---- */

struct goertzel {
	double coef, s1, s2;
};

static void goertzel_add(struct goertzel *g, double x)
{
	double s0 = x + g->coef * g->s1 - g->s2;
	g->s2 = g->s1;
	g->s1 = s0;
}

static double goertzel_power(const struct goertzel *g)
{
	return g->s1 * g->s1 + g->s2 * g->s2 - g->coef * g->s1 * g->s2;
}

#define METER_LEN 960 /* holds whole periods of every multiple of 50 Hz */

double measure_gain_db(struct filter *f, double freq)
{
	double w = 2.0 * PI * freq / SAMPLE_RATE;
	struct goertzel in = {2.0 * cos(w), 0.0, 0.0}, out = in;

	f->reset(f);
	for (int i = 0; i < 4 * METER_LEN; i++) {
		double x = sin(w * i), y = f->process(f, x);
		if (i >= 3 * METER_LEN) {
			goertzel_add(&in, x);
			goertzel_add(&out, y);
		}
	}
	return 10.0 * log10(goertzel_power(&out) / goertzel_power(&in));
}

static bool check_designs(void)
{
	static const struct {
		const char *name;
		enum bq_kind kind;
		double freq, q, gain, at, expect;
	} table[] = {
		{"lowpass", BQ_LOWPASS, 1000.0, 0.70710678, 0.0, 1000.0, -3.0103},
		{"highpass", BQ_HIGHPASS, 2500.0, 0.70710678, 0.0, 2500.0, -3.0103},
		{"bandpass", BQ_BANDPASS, 4000.0, 2.0, 0.0, 4000.0, 0.0},
		{"notch", BQ_NOTCH, 50.0, 1.0, 0.0, 4000.0, 0.0},
		{"peak", BQ_PEAK, 3000.0, 1.4, 6.0, 3000.0, 6.0},
		{"lowshelf", BQ_LOWSHELF, 200.0, 0.70710678, -9.0, 1.0, -9.0},
	};
	bool ok = true;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct bq_coef c;
		if (bq_design(&c, table[i].kind, table[i].freq, table[i].q, table[i].gain))
			return false;
		bool good = bq_is_stable(&c) &&
			    fabs(bq_response_db(&c, table[i].at) - table[i].expect) < 1e-2;
		printf("%-9s at 700 Hz: %8.3f dB %s\n", table[i].name, bq_response_db(&c, 700.0),
		       good ? "ok" : "BAD");
		ok = ok && good;
	}
	return ok;
}

static bool check_fixed_point(void)
{
	struct bq_coef c;
	struct bq_fixed fix;
	uint32_t noise = 2463534242u, hash = 0;
	double worst = 0.0;

	if (bq_design(&c, BQ_LOWPASS, 3000.0, 0.8, 0.0))
		return false;
	struct bq_state ref = {c, 0.0, 0.0};
	bqf_init(&fix, &c);
	for (int i = 0; i < 4000; i++) {
		noise ^= noise << 13;
		noise ^= noise >> 17;
		noise ^= noise << 5;
		int16_t x = (int16_t)((int)(noise & 0x3fff) - 0x2000);
		int16_t y = bqf_step(&fix, x);
		worst = fmax(worst, fabs(y - bq_step(&ref, x)));
		hash = hash * 31u + (uint16_t)y;
	}
	printf("fixed point: hash %08x, close to double: %s\n", (unsigned)hash,
	       worst < 4.0 ? "yes" : "no");
	return worst < 4.0;
}

int main(void)
{
	static const double probes[] = {500.0, 2000.0, 4000.0, 6000.0};
	struct cascade butter;
	struct fir hamming, blackman;
	bool ok = check_designs();

	ok = check_fixed_point() && ok;
	if (butterworth_lowpass(&butter, 6, 2000.0))
		return 1;
	if (fir_lowpass(&hamming, 101, 2000.0, window_hamming))
		return 1;
	if (fir_lowpass(&blackman, 101, 2000.0, window_blackman)) {
		fir_free(&hamming);
		return 1;
	}
	struct filter *all[] = {&butter.base, &hamming.base, &blackman.base};
	for (size_t p = 0; p < ARRAY_LEN(probes); p++) {
		printf("%5.0f Hz:", probes[p]);
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			double db = measure_gain_db(all[i], probes[p]);
			printf(" %9.2f", fabs(db) < 0.005 ? 0.0 : db);
		}
		printf("\n");
	}
	double cascade_db = 0.0;
	for (int i = 0; i < butter.stages; i++)
		cascade_db += bq_response_db(&butter.stage[i].c, 4000.0);
	ok = ok && fabs(cascade_db - measure_gain_db(&butter.base, 4000.0)) < 1e-3;
	fir_free(&blackman);
	fir_free(&hamming);
	puts(ok ? "filters ok" : "filters FAILED");
	return ok ? 0 : 1;
}
