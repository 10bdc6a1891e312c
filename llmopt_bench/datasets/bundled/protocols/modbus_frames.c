/*
 * Modbus RTU server and frame codec: CRC-16 framing, a register map behind a table of function
 * handlers, exception replies, and the ASCII transport with its LRC.  Client requests are built,
 * damaged on purpose, served and decoded again.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COILS 96
#define HOLDING 48
#define INPUTS 16
#define MAX_ADU 256

enum exception { MB_OK, MB_BAD_FUNCTION, MB_BAD_ADDRESS, MB_BAD_VALUE };

struct map {
	uint8_t coils[COILS / 8];
	uint16_t holding[HOLDING];
	uint16_t inputs[INPUTS];
	unsigned served, refused, dropped;
};

struct pdu {
	uint8_t data[MAX_ADU];
	size_t len;
};

typedef enum exception (*handler)(struct map *m, const struct pdu *in, struct pdu *out);

uint16_t modbus_crc(const uint8_t *p, size_t n)
{
	uint16_t crc = 0xffff;

	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

uint8_t modbus_lrc(const uint8_t *p, size_t n)
{
	unsigned sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)(0u - sum);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void add8(struct pdu *f, unsigned v)
{
	f->data[f->len++] = (uint8_t)v;
}

static void add16(struct pdu *f, unsigned v)
{
	add8(f, v >> 8);
	add8(f, v);
}

static bool in_range(unsigned start, unsigned count, unsigned limit)
{
	return start < limit && count <= limit - start;
}

static bool coil(const struct map *m, unsigned i)
{
	return m->coils[i / 8] >> i % 8 & 1;
}

static void set_coil(struct map *m, unsigned i, bool on)
{
	uint8_t bit = (uint8_t)(1u << i % 8);

	m->coils[i / 8] = (uint8_t)(on ? m->coils[i / 8] | bit : m->coils[i / 8] & ~bit);
}

static enum exception read_coils(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned start = get16(in->data + 1), count = get16(in->data + 3);

	if (count == 0 || count > 2000)
		return MB_BAD_VALUE;
	if (!in_range(start, count, COILS))
		return MB_BAD_ADDRESS;
	add8(out, (count + 7) / 8);
	for (unsigned i = 0; i < count; i += 8) {
		unsigned byte = 0;
		for (unsigned k = 0; k < 8 && i + k < count; k++)
			byte |= (unsigned)coil(m, start + i + k) << k;
		add8(out, byte);
	}
	return MB_OK;
}

static enum exception read_words(const uint16_t *regs, unsigned limit, const struct pdu *in,
				 struct pdu *out)
{
	unsigned start = get16(in->data + 1), count = get16(in->data + 3);

	if (count == 0 || count > 125)
		return MB_BAD_VALUE;
	if (!in_range(start, count, limit))
		return MB_BAD_ADDRESS;
	add8(out, count * 2);
	for (unsigned i = 0; i < count; i++)
		add16(out, regs[start + i]);
	return MB_OK;
}

static enum exception read_holding(struct map *m, const struct pdu *in, struct pdu *out)
{
	return read_words(m->holding, HOLDING, in, out);
}

static enum exception read_inputs(struct map *m, const struct pdu *in, struct pdu *out)
{
	return read_words(m->inputs, INPUTS, in, out);
}

static void echo(const struct pdu *in, struct pdu *out, size_t bytes)
{
	memcpy(out->data + out->len, in->data + 1, bytes);
	out->len += bytes;
}

static enum exception write_coil(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned at = get16(in->data + 1), value = get16(in->data + 3);

	if (value != 0 && value != 0xff00)
		return MB_BAD_VALUE;
	if (at >= COILS)
		return MB_BAD_ADDRESS;
	set_coil(m, at, value != 0);
	echo(in, out, 4);
	return MB_OK;
}

static enum exception write_word(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned at = get16(in->data + 1);

	if (at >= HOLDING)
		return MB_BAD_ADDRESS;
	m->holding[at] = get16(in->data + 3);
	echo(in, out, 4);
	return MB_OK;
}

static enum exception write_coils(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned start = get16(in->data + 1), count = get16(in->data + 3), bytes = in->data[5];

	if (count == 0 || count > 1968 || bytes != (count + 7) / 8 || in->len != 6 + bytes)
		return MB_BAD_VALUE;
	if (!in_range(start, count, COILS))
		return MB_BAD_ADDRESS;
	for (unsigned i = 0; i < count; i++)
		set_coil(m, start + i, in->data[6 + i / 8] >> i % 8 & 1);
	echo(in, out, 4);
	return MB_OK;
}

static enum exception write_words(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned start = get16(in->data + 1), count = get16(in->data + 3), bytes = in->data[5];

	if (count == 0 || count > 123 || bytes != count * 2 || in->len != 6 + bytes)
		return MB_BAD_VALUE;
	if (!in_range(start, count, HOLDING))
		return MB_BAD_ADDRESS;
	for (unsigned i = 0; i < count; i++)
		m->holding[start + i] = get16(in->data + 6 + 2 * i);
	echo(in, out, 4);
	return MB_OK;
}

static enum exception mask_write(struct map *m, const struct pdu *in, struct pdu *out)
{
	unsigned at = get16(in->data + 1), and_mask = get16(in->data + 3), or_mask = get16(in->data + 5);

	if (at >= HOLDING)
		return MB_BAD_ADDRESS;
	m->holding[at] = (uint16_t)((m->holding[at] & and_mask) | (or_mask & ~and_mask));
	echo(in, out, 6);
	return MB_OK;
}

static const struct {
	uint8_t code;
	uint8_t min_len;
	handler run;
} functions[] = {
	{ 0x01, 5, read_coils },  { 0x03, 5, read_holding }, { 0x04, 5, read_inputs },
	{ 0x05, 5, write_coil },  { 0x06, 5, write_word },   { 0x0f, 7, write_coils },
	{ 0x10, 8, write_words }, { 0x16, 7, mask_write },
};

static void seal(struct pdu *frame)
{
	uint16_t crc = modbus_crc(frame->data, frame->len);

	add8(frame, crc); /* the CRC alone travels low byte first */
	add8(frame, crc >> 8);
}

/* Serves one RTU frame.  Returns false when no reply may be sent: damage, or another unit. */
bool modbus_serve(struct map *m, uint8_t unit, const struct pdu *frame, struct pdu *reply)
{
	struct pdu in;
	enum exception code = MB_BAD_FUNCTION;

	if (frame->len < 4 || modbus_crc(frame->data, frame->len) != 0 ||
	    (frame->data[0] != unit && frame->data[0] != 0)) {
		m->dropped++;
		return false;
	}
	in.len = frame->len - 3;
	memcpy(in.data, frame->data + 1, in.len);
	reply->len = 0;
	add8(reply, unit);
	add8(reply, in.data[0]);
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (functions[i].code == in.data[0])
			code = in.len < functions[i].min_len ? MB_BAD_VALUE : functions[i].run(m, &in, reply);
	if (code != MB_OK) {
		reply->len = 1;
		add8(reply, in.data[0] | 0x80u);
		add8(reply, code);
		m->refused++;
	} else {
		m->served++;
	}
	seal(reply);
	return frame->data[0] != 0; /* broadcasts are obeyed in silence */
}

size_t ascii_encode(const struct pdu *rtu, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = rtu->len - 2, at = 0;
	uint8_t lrc = modbus_lrc(rtu->data, n);

	out[at++] = ':';
	for (size_t i = 0; i <= n; i++) {
		uint8_t b = i < n ? rtu->data[i] : lrc;
		out[at++] = hex[b >> 4];
		out[at++] = hex[b & 15];
	}
	out[at] = '\0';
	return at;
}

static int nibble(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ascii_decode(const char *text, struct pdu *rtu)
{
	rtu->len = 0;
	if (*text++ != ':')
		return false;
	for (; text[0] && text[1]; text += 2) {
		int hi = nibble(text[0]), lo = nibble(text[1]);
		if (hi < 0 || lo < 0 || rtu->len >= MAX_ADU - 2)
			return false;
		add8(rtu, (unsigned)(hi * 16 + lo));
	}
	if (*text || rtu->len < 3 || modbus_lrc(rtu->data, rtu->len) != 0)
		return false;
	rtu->len--;
	seal(rtu);
	return true;
}

static void show(const char *label, const struct pdu *f)
{
	printf("%s", label);
	for (size_t i = 0; i < f->len; i++)
		printf(" %02x", f->data[i]);
	putchar('\n');
}

int main(void)
{
	static const char *const requests[] = {
		":1103006B0003", ":110300000004", ":11100008000306000A01020FF0", ":11030008000A",
		":11160009F20F0025", ":1106002FBEEF", ":11060030BEEF", ":110F000300130312345F",
		":110F000A000A02CD01", ":1101000300140000", ":110100000020", ":11050013FF00",
		":1105001312FF", ":110100100010", ":112B0E0100", ":000600051234", ":110300050001",
		":120300050001", ":110400000008",
	};
	static struct map m;
	struct pdu frame, reply, back;
	int failures = 0;

	for (unsigned i = 0; i < INPUTS; i++)
		m.inputs[i] = (uint16_t)(i * i * 257);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		char text[2 * MAX_ADU];
		frame.len = 0;
		for (const char *p = requests[i] + 1; *p; p += 2)
			add8(&frame, (unsigned)(nibble(p[0]) * 16 + nibble(p[1])));
		seal(&frame);
		ascii_encode(&frame, text);
		if (!ascii_decode(text, &back) || back.len != frame.len ||
		    memcmp(back.data, frame.data, frame.len) != 0)
			failures++;
		if (i == 0) {
			failures += frame.data[6] != 0x76 || frame.data[7] != 0x87;
			failures += strcmp(text, ":1103006B00037E") != 0;
		}
		show(">", &frame);
		if (modbus_serve(&m, 0x11, &frame, &reply))
			show("  <", &reply);
		else
			puts("  < (silence)");
	}
	/* Every single-bit error has to be caught by the CRC. */
	for (size_t bit = 0; bit < frame.len * 8; bit++) {
		struct pdu hurt = frame;
		hurt.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		failures += modbus_serve(&m, 0x11, &hurt, &reply);
	}
	printf("served %u refused %u dropped %u failures %d\n", m.served, m.refused, m.dropped, failures);
	return failures ? 1 : 0;
}
