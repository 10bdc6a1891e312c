/* Interpreter core for the CHIP-8 virtual machine (16 registers, 4 KiB, 64x32 one-bit screen) and a
 * table-driven disassembler. Runs four built-in ROMs: digits, sprites with collisions, an ALU test
 * whose registers are compared with known values, and a keypad and timer test. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
	uint8_t v[16], mem[4096], dt, st;
	uint16_t i, pc, stack[16];
	uint8_t sp;
	uint64_t row[32];       /* bit 63 is the leftmost pixel */
	uint16_t keys;          /* one bit for each key held down */
	const char *script;     /* keys that the "player" presses when asked */
	uint32_t rng;
	unsigned long cycles;
	enum { RUNNING, IDLE, BAD_OPCODE, BAD_STACK } state;
} chip8;

enum { START = 0x200, FONT = 0x050, CYCLES_PER_TICK = 8 };

static const uint8_t font[16][5] = {
	{0xF0, 0x90, 0x90, 0x90, 0xF0}, {0x20, 0x60, 0x20, 0x20, 0x70}, {0xF0, 0x10, 0xF0, 0x80, 0xF0},
	{0xF0, 0x10, 0xF0, 0x10, 0xF0}, {0x90, 0x90, 0xF0, 0x10, 0x10}, {0xF0, 0x80, 0xF0, 0x10, 0xF0},
	{0xF0, 0x80, 0xF0, 0x90, 0xF0}, {0xF0, 0x10, 0x20, 0x40, 0x40}, {0xF0, 0x90, 0xF0, 0x90, 0xF0},
	{0xF0, 0x90, 0xF0, 0x10, 0xF0}, {0xF0, 0x90, 0xF0, 0x90, 0x90}, {0xE0, 0x90, 0xE0, 0x90, 0xE0},
	{0xF0, 0x80, 0x80, 0x80, 0xF0}, {0xE0, 0x90, 0x90, 0x90, 0xE0}, {0xF0, 0x80, 0xF0, 0x80, 0xF0},
	{0xF0, 0x80, 0xF0, 0x80, 0x80},
};

static uint8_t *mem_at(chip8 *c, unsigned address) { return &c->mem[address & 0xFFF]; }

void chip8_load(chip8 *c, const uint16_t *rom, size_t words, const char *script)
{
	memset(c, 0, sizeof *c);
	memcpy(c->mem + FONT, font, sizeof font);
	for (size_t n = 0; n < words; n++) {
		c->mem[START + 2 * n] = (uint8_t)(rom[n] >> 8);
		c->mem[START + 2 * n + 1] = (uint8_t)rom[n];
	}
	c->pc = START;
	c->rng = 0xC0FFEE;
	c->script = script;
}

static uint8_t random_byte(chip8 *c)
{
	c->rng = c->rng * 1103515245u + 12345u;
	return (uint8_t)(c->rng >> 16);
}

static void draw_sprite(chip8 *c, unsigned x, unsigned y, unsigned height)
{
	uint8_t hit = 0;

	x %= 64;
	y %= 32;
	for (unsigned n = 0; n < height && y + n < 32; n++) {
		uint64_t bits = (uint64_t)*mem_at(c, c->i + n) << 56 >> x;
		hit |= (c->row[y + n] & bits) != 0;
		c->row[y + n] ^= bits;
	}
	c->v[15] = hit;
}

static void alu(chip8 *c, unsigned x, unsigned y, unsigned op)
{
	uint8_t a = c->v[x], b = c->v[y], flag;
	unsigned wide;

	switch (op) {
	case 0x0: c->v[x] = b; return;
	case 0x1: c->v[x] = a | b; return;
	case 0x2: c->v[x] = a & b; return;
	case 0x3: c->v[x] = a ^ b; return;
	case 0x4: wide = a + b; flag = wide > 255; break;
	case 0x5: wide = a - b; flag = a >= b; break;
	case 0x6: wide = a >> 1; flag = a & 1; break;
	case 0x7: wide = b - a; flag = b >= a; break;
	case 0xE: wide = (unsigned)a << 1; flag = a >> 7; break;
	default: c->state = BAD_OPCODE; return;
	}
	c->v[x] = (uint8_t)wide;
	c->v[15] = flag;        /* written last, so that it wins when x is 15 */
}

static void wait_for_key(chip8 *c, unsigned x)
{
	static const char hex[] = "0123456789abcdef";
	const char *key = *c->script ? strchr(hex, *c->script) : NULL;

	if (!key) {
		c->state = IDLE;
		return;
	}
	c->script++;
	c->v[x] = (uint8_t)(key - hex);
	c->keys = (uint16_t)(1u << c->v[x]);
}

static void misc(chip8 *c, unsigned x, unsigned op)
{
	uint8_t value = c->v[x];

	switch (op) {
	case 0x07: c->v[x] = c->dt; break;
	case 0x0A: wait_for_key(c, x); break;
	case 0x15: c->dt = value; break;
	case 0x18: c->st = value; break;
	case 0x1E: c->i = (uint16_t)((c->i + value) & 0xFFF); break;
	case 0x29: c->i = (uint16_t)(FONT + 5 * (value & 15)); break;
	case 0x33:
		*mem_at(c, c->i) = value / 100;
		*mem_at(c, c->i + 1u) = value / 10 % 10;
		*mem_at(c, c->i + 2u) = value % 10;
		break;
	case 0x55:
		for (unsigned n = 0; n <= x; n++) *mem_at(c, c->i + n) = c->v[n];
		break;
	case 0x65:
		for (unsigned n = 0; n <= x; n++) c->v[n] = *mem_at(c, c->i + n);
		break;
	default: c->state = BAD_OPCODE;
	}
}

static void system_call(chip8 *c, unsigned op)
{
	if (op == 0x0E0) {
		memset(c->row, 0, sizeof c->row);
	} else if (op == 0x0EE) {
		if (c->sp == 0) c->state = BAD_STACK;
		else c->pc = c->stack[--c->sp];
	} else {
		c->state = BAD_OPCODE;
	}
}

static void skip_if(chip8 *c, int condition)
{
	if (condition) c->pc = (uint16_t)(c->pc + 2);
}

void chip8_step(chip8 *c)
{
	uint16_t op = (uint16_t)(*mem_at(c, c->pc) << 8 | *mem_at(c, c->pc + 1u));
	uint16_t here = c->pc, address = op & 0xFFF;
	unsigned x = op >> 8 & 15, y = op >> 4 & 15;
	uint8_t byte = op & 0xFF;

	c->pc = (uint16_t)(c->pc + 2);
	switch (op >> 12) {
	case 0x0: system_call(c, address); break;
	case 0x1:
		c->pc = address;
		if (address == here) c->state = IDLE;   /* a jump to itself ends a program */
		break;
	case 0x2:
		if (c->sp == 16) c->state = BAD_STACK;
		else c->stack[c->sp++] = c->pc, c->pc = address;
		break;
	case 0x3: skip_if(c, c->v[x] == byte); break;
	case 0x4: skip_if(c, c->v[x] != byte); break;
	case 0x5: skip_if(c, c->v[x] == c->v[y]); break;
	case 0x6: c->v[x] = byte; break;
	case 0x7: c->v[x] = (uint8_t)(c->v[x] + byte); break;
	case 0x8: alu(c, x, y, op & 15); break;
	case 0x9: skip_if(c, c->v[x] != c->v[y]); break;
	case 0xA: c->i = address; break;
	case 0xB: c->pc = (uint16_t)((address + c->v[0]) & 0xFFF); break;
	case 0xC: c->v[x] = random_byte(c) & byte; break;
	case 0xD: draw_sprite(c, c->v[x], c->v[y], op & 15); break;
	case 0xE:
		if (byte != 0x9E && byte != 0xA1) c->state = BAD_OPCODE;
		else skip_if(c, (c->keys >> (c->v[x] & 15) & 1) == (byte == 0x9E));
		break;
	default: misc(c, x, byte);
	}
	if (++c->cycles % CYCLES_PER_TICK == 0) {
		c->dt -= c->dt > 0;
		c->st -= c->st > 0;
	}
}

/* In the patterns, x, y, n, b and a stand for operand fields. The first match wins. */
static const struct { uint16_t mask, value; const char *text; } listing[] = {
	{0xFFFF, 0x00E0, "cls"}, {0xFFFF, 0x00EE, "ret"}, {0xF000, 0x1000, "jp @a"},
	{0xF000, 0x2000, "call @a"}, {0xF000, 0x3000, "se v@x, @b"}, {0xF000, 0x4000, "sne v@x, @b"},
	{0xF000, 0x6000, "ld v@x, @b"}, {0xF000, 0x7000, "add v@x, @b"}, {0xF00F, 0x8004, "add v@x, v@y"},
	{0xF00F, 0x8005, "sub v@x, v@y"}, {0xF000, 0xA000, "ld i, @a"}, {0xF000, 0xC000, "rnd v@x, @b"},
	{0xF000, 0xD000, "drw v@x, v@y, @n"}, {0xF0FF, 0xF00A, "ld v@x, key"},
	{0xF0FF, 0xF015, "ld dt, v@x"}, {0xF0FF, 0xF033, "bcd v@x"}, {0x0000, 0x0000, "dw @w"},
};

void chip8_disassemble(uint16_t op, char *out, size_t room)
{
	size_t n = 0, used = 0;

	while ((op & listing[n].mask) != listing[n].value) n++;
	for (const char *p = listing[n].text; *p && used + 6 < room; p++) {
		if (*p != '@') {
			out[used++] = *p;
			continue;
		}
		int digits = 1, shift = 0;
		switch (*++p) {
		case 'x': shift = 8; break;
		case 'y': shift = 4; break;
		case 'b': digits = 2; break;
		case 'a': digits = 3; break;
		case 'w': digits = 4; break;
		}
		unsigned field = (unsigned)op >> shift & ((1u << 4 * digits) - 1);
		used += (size_t)snprintf(out + used, room - used, "%0*x", digits, field);
	}
	out[used] = '\0';
}

static const uint16_t rom_digits[] = {  /* 1 + 2 + ... + 20, shown in decimal */
	0x6000, 0x6101, 0x8014, 0x7101, 0x3115, 0x1204, 0x2210, 0x120E, 0xA300, 0xF033, 0xF265, 0x6302,
	0x6402, 0xF029, 0xD345, 0x7305, 0xF129, 0xD345, 0x7305, 0xF229, 0xD345, 0x00EE,
};
static const uint16_t rom_sprites[] = { /* 40 faces at random places, collisions counted in v5 */
	0x00E0, 0x6500, 0x6600, 0xC73F, 0xC81F, 0xA230, 0xD788, 0x85F4, 0x7601, 0x3628, 0x1206, 0x1216,
	[0x18] = 0x3C42, 0xA581, 0xA599, 0x423C,
};
static const uint16_t rom_alu[] = {
	0x60F0, 0x6120, 0x8014, 0x82F0, 0x6305, 0x6409, 0x8345, 0x85F0, 0x6681, 0x8606, 0x87F0, 0x6881,
	0x880E, 0x89F0, 0x6AF0, 0x6B3C, 0x8AB2, 0x6C0F, 0x8CB3, 0x6D01, 0x8D47, 0x8EB1, 0xA400, 0xFE55,
	0x1230,
};
static const uint16_t rom_keys[] = {    /* adds keys until 5 is pressed, then waits for the timer */
	0x6000, 0xF10A, 0x4105, 0x120C, 0x8014, 0x1202, 0x6220, 0xF215, 0xF207, 0x3200, 0x1210, 0xE19E,
	0x7064, 0x121A,
};

static uint64_t screen_hash(const chip8 *c)
{
	uint64_t h = 0x9E3779B97F4A7C15u;

	for (int y = 0; y < 32; y++) h = (h ^ c->row[y]) * 0xFF51AFD7ED558CCDu, h ^= h >> 29;
	return h;
}

static void run_rom(chip8 *c, const char *name, const uint16_t *rom, size_t words,
                    const char *script)
{
	char line[40];

	chip8_load(c, rom, words, script);
	while (c->state == RUNNING && c->cycles < 20000) chip8_step(c);
	printf("%-8s state %d, %3lu cycles, screen %016llx:", name, (int)c->state, c->cycles,
	       (unsigned long long)screen_hash(c));
	for (int n = 0; n < 3; n++) {
		chip8_disassemble(rom[n], line, sizeof line);
		printf(" %s;", line);
	}
	putchar('\n');
}

#define RUN(c, name, rom, script) run_rom(c, name, rom, sizeof(rom) / sizeof *(rom), script)

int main(void)
{
	static const uint8_t alu_expected[15] = {
		0x10, 0x20, 0x01, 0xFC, 0x09, 0x00, 0x40, 0x01, 0x02, 0x01, 0x30, 0x3C, 0x33, 0x08, 0x3C,
	};
	chip8 c;
	int bad = 0;

	RUN(&c, "digits", rom_digits, "");
	for (int y = 2; y < 7; y++) {
		for (int x = 0; x < 20; x++) putchar(c.row[y] >> (63 - x) & 1 ? '#' : '.');
		putchar('\n');
	}
	bad += c.mem[0x300] != 2 || c.mem[0x301] != 1 || c.mem[0x302] != 0;
	RUN(&c, "sprites", rom_sprites, "");
	printf("         %d collisions\n", c.v[5]);
	bad += c.v[5] == 0 || c.v[6] != 40;
	RUN(&c, "alu", rom_alu, "");
	bad += memcmp(c.mem + 0x400, alu_expected, sizeof alu_expected) != 0;
	RUN(&c, "keys", rom_keys, "123a5");
	bad += c.v[0] != 16 || c.dt != 0;
	RUN(&c, "crash", ((const uint16_t[]){0x6001, 0x00EE, 0xFFFF}), "");
	bad += c.state != BAD_STACK;
	return bad;
}
