/*
 * Assembler and virtual machine for a small stack language. The text assembler resolves labels in
 * two passes into a byte code with variable-length literals; the machine has call frames, a global
 * memory and traps for overflow, division by zero, bad addresses and runaway recursion.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name, operand kind, values popped, values pushed */
#define OPCODES(X)                                                                                 \
    X(HALT, NONE, 0, 0) X(PUSH, LITERAL, 0, 1) X(DROP, NONE, 1, 0) X(DUP, NONE, 1, 2)              \
    X(SWAP, NONE, 2, 2) X(ADD, NONE, 2, 1) X(SUB, NONE, 2, 1) X(MUL, NONE, 2, 1)                   \
    X(DIV, NONE, 2, 1) X(MOD, NONE, 2, 1) X(LESS, NONE, 2, 1) X(EQUAL, NONE, 2, 1)                 \
    X(NOT, NONE, 1, 1) X(LOCAL, SLOT, 0, 1) X(SETLOCAL, SLOT, 1, 0) X(FETCH, NONE, 1, 1)           \
    X(STORE, NONE, 2, 0) X(JUMP, ADDRESS, 0, 0) X(JZERO, ADDRESS, 1, 0) X(CALL, ADDRESS, 0, 0)     \
    X(ENTER, SLOT, 0, 0) X(RETURN, SLOT, 1, 0) X(PRINT, NONE, 1, 0) X(EMIT, NONE, 1, 0)

enum operand { NONE, LITERAL, SLOT, ADDRESS };

#define AS_ENUM(name, operand, pops, pushes) OP_##name,
enum opcode { OPCODES(AS_ENUM) OP_COUNT };

#define AS_ROW(name, operand, pops, pushes) {#name, operand, pops, pushes},
static const struct {
    const char *name;
    uint8_t operand, pops, pushes;
} op_info[] = {OPCODES(AS_ROW)};

enum { CODE_MAX = 1024, LABEL_MAX = 48, STACK_MAX = 512, MEMORY = 1024 };

struct program {
    uint8_t code[CODE_MAX];
    unsigned size;
    struct { char name[16]; unsigned address; } label[LABEL_MAX];
    unsigned labels;
    char error[80];
};

/* ---- assembler ---- */

static bool fail(struct program *p, const char *what, const char *word)
{
    snprintf(p->error, sizeof p->error, "%s: %.24s", what, word);
    return false;
}

/* Copies the next blank-separated word to `word`; a semicolon hides the rest of its line. */
static const char *next_word(const char *s, char word[24])
{
    size_t n = 0;
    for (;;) {
        while (isspace((unsigned char)*s))
            s++;
        if (*s != ';')
            break;
        s += strcspn(s, "\n");
    }
    for (; *s && !isspace((unsigned char)*s) && *s != ';'; s++)
        if (n < 23)
            word[n++] = *s;
    word[n] = '\0';
    return s;
}

static void put_byte(struct program *p, unsigned b)
{
    if (p->size < CODE_MAX)
        p->code[p->size] = (uint8_t)b;
    p->size++;
}

/* Zigzag, then seven bits per byte: small literals of either sign take one byte. */
static void put_literal(struct program *p, int64_t value)
{
    uint64_t z = value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;
    for (; z >= 128; z >>= 7)
        put_byte(p, (unsigned)(z & 127) | 128u);
    put_byte(p, (unsigned)z);
}

static int find_label(const struct program *p, const char *name)
{
    for (unsigned i = 0; i < p->labels; i++)
        if (strcmp(p->label[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int find_opcode(const char *name)
{
    for (int op = 0; op < OP_COUNT; op++) {
        const char *a = op_info[op].name, *b = name;
        while (*a && tolower((unsigned char)*a) == *b)
            a++, b++;
        if (!*a && !*b)
            return op;
    }
    return -1;
}

static bool put_operand(struct program *p, enum operand kind, const char *word, bool final)
{
    if (kind == ADDRESS) {
        int at = find_label(p, word);
        if (at < 0 && final)
            return fail(p, "unknown label", word);
        unsigned target = at < 0 ? 0 : p->label[at].address;
        put_byte(p, target & 255);
        put_byte(p, target >> 8);
        return true;
    }
    char *end;
    long long value = word[0] == '\'' ? (unsigned char)word[1] : strtoll(word, &end, 10);
    if (word[0] != '\'' && (*end || end == word))
        return fail(p, "number wanted", word);
    if (kind == SLOT && (value < 0 || value > 255))
        return fail(p, "slot out of range", word);
    if (kind == SLOT)
        put_byte(p, (unsigned)value);
    else
        put_literal(p, value);
    return true;
}

static bool pass(struct program *p, const char *src, bool final)
{
    char word[24];

    p->size = 0;
    for (src = next_word(src, word); word[0]; src = next_word(src, word)) {
        size_t n = strlen(word);
        if (word[n - 1] == ':') {
            word[n - 1] = '\0';
            if (final)
                continue;
            if (find_label(p, word) >= 0 || p->labels == LABEL_MAX || n > 16)
                return fail(p, "bad label", word);
            strcpy(p->label[p->labels].name, word);
            p->label[p->labels++].address = p->size;
            continue;
        }
        int op = find_opcode(word);
        if (op < 0)
            return fail(p, "unknown instruction", word);
        put_byte(p, (unsigned)op);
        if (op_info[op].operand != NONE) {
            src = next_word(src, word);
            if (!put_operand(p, op_info[op].operand, word, final))
                return false;
        }
    }
    return p->size < CODE_MAX || fail(p, "program too long", "");
}

bool assemble(struct program *p, const char *src)
{
    memset(p, 0, sizeof *p);
    return pass(p, src, false) && pass(p, src, true);
}

/* ---- machine ---- */

struct vm {
    const struct program *p;
    int64_t stack[STACK_MAX];
    int64_t memory[MEMORY];
    unsigned sp, fp, pc;
    unsigned long steps;
    const char *trap;
};

static int64_t take_literal(struct vm *m)
{
    uint64_t z = 0;
    for (unsigned shift = 0; shift < 64 && m->pc < m->p->size; shift += 7) {
        uint8_t b = m->p->code[m->pc++];
        z |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            break;
    }
    int64_t half = (int64_t)(z >> 1);
    return z & 1 ? -half - 1 : half;
}

static int64_t arithmetic(struct vm *m, int op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool overflow = false;

    switch (op) {
    case OP_ADD: overflow = __builtin_add_overflow(a, b, &r); break;
    case OP_SUB: overflow = __builtin_sub_overflow(a, b, &r); break;
    case OP_MUL: overflow = __builtin_mul_overflow(a, b, &r); break;
    case OP_LESS: r = a < b; break;
    case OP_EQUAL: r = a == b; break;
    default:
        if (b == 0)
            m->trap = "division by zero";
        else if (b == -1)
            r = op == OP_MOD ? 0 : a == INT64_MIN ? (overflow = true, 0) : -a;
        else
            r = op == OP_DIV ? a / b : a % b;
    }
    if (overflow)
        m->trap = "overflow";
    return r;
}

static int64_t *memory_cell(struct vm *m, int64_t at)
{
    if (at >= 0 && at < MEMORY)
        return &m->memory[at];
    m->trap = "bad address";
    return &m->memory[0];
}

/* A frame holds: arguments, return address, caller's frame, locals. */
static void enter(struct vm *m, unsigned locals)
{
    if (m->sp + locals + 4 > STACK_MAX) {
        m->trap = "stack overflow";
        return;
    }
    m->stack[m->sp++] = m->fp;
    m->fp = m->sp;
    for (; locals; locals--)
        m->stack[m->sp++] = 0;
}

static void leave(struct vm *m, unsigned args)
{
    if (m->fp < args + 2) {
        m->trap = "return without a frame";
        return;
    }
    int64_t result = m->stack[m->sp - 1];
    unsigned frame = m->fp;
    m->fp = (unsigned)m->stack[frame - 1];
    m->pc = (unsigned)m->stack[frame - 2];
    m->sp = frame - 2 - args;
    m->stack[m->sp++] = result;
}

/* Slots below 128 are locals; 128 + n is the n-th argument counted from the last. */
static int64_t *slot(struct vm *m, unsigned n)
{
    unsigned at = n < 128 ? m->fp + n : m->fp - 3 - (n - 128);
    if (at < m->sp)
        return &m->stack[at];
    m->trap = "bad slot";
    return &m->stack[0];
}

static bool step(struct vm *m)
{
    const uint8_t *code = m->p->code;
    int op = m->pc < m->p->size ? code[m->pc++] : OP_HALT;
    int64_t operand = 0, *s;

    switch (op_info[op].operand) {
    case LITERAL: operand = take_literal(m); break;
    case SLOT: operand = code[m->pc++]; break;
    case ADDRESS:
        operand = code[m->pc] | code[m->pc + 1] << 8;
        m->pc += 2;
        break;
    default: break;
    }
    bool overflow = m->sp + op_info[op].pushes > STACK_MAX - 1;
    if (overflow || m->sp < op_info[op].pops) {
        m->trap = overflow ? "stack overflow" : "stack underflow";
        return false;
    }
    s = &m->stack[m->sp];
    m->steps++;
    switch (op) {
    case OP_HALT: return false;
    case OP_PUSH: *s = operand; m->sp++; break;
    case OP_DROP: m->sp--; break;
    case OP_DUP: *s = s[-1]; m->sp++; break;
    case OP_SWAP: { int64_t t = s[-1]; s[-1] = s[-2]; s[-2] = t; break; }
    case OP_NOT: s[-1] = !s[-1]; break;
    case OP_LOCAL: *s = *slot(m, (unsigned)operand); m->sp++; break;
    case OP_SETLOCAL: *slot(m, (unsigned)operand) = s[-1]; m->sp--; break;
    case OP_FETCH: s[-1] = *memory_cell(m, s[-1]); break;
    case OP_STORE: *memory_cell(m, s[-1]) = s[-2]; m->sp -= 2; break;
    case OP_JUMP: m->pc = (unsigned)operand; break;
    case OP_JZERO: m->sp--; if (!s[-1]) m->pc = (unsigned)operand; break;
    case OP_CALL: *s = m->pc; m->sp++; m->pc = (unsigned)operand; break;
    case OP_ENTER: enter(m, (unsigned)operand); break;
    case OP_RETURN: leave(m, (unsigned)operand); break;
    case OP_PRINT: printf(" %lld", (long long)s[-1]); m->sp--; break;
    case OP_EMIT: putchar((int)(s[-1] & 127)); m->sp--; break;
    default: s[-2] = arithmetic(m, op, s[-2], s[-1]); m->sp--; break;
    }
    return m->trap == NULL;
}

const char *execute(struct vm *m, const struct program *p)
{
    memset(m, 0, sizeof *m);
    m->p = p;
    while (step(m))
        if (m->steps > 2000000)
            m->trap = "too many steps";
    return m->trap ? m->trap : "ok";
}

/* ---- programs ---- */

static const char fib_src[] =
    "push 18 call fib print halt\n"
    "fib: enter 0 local 128 push 2 less jzero deep\n"
    "  local 128 return 1\n"
    "deep: local 128 push 1 sub call fib\n"
    "  local 128 push 2 sub call fib add return 1\n";

static const char sieve_src[] = /* memory[n] != 0: n is composite */
    "call count print halt\n"
    "count: enter 2               ; local 0: candidate, local 1: primes so far\n"
    "  push 2 setlocal 0\n"
    "outer: local 0 push 1000 less jzero done\n"
    "  local 0 fetch not jzero next\n"
    "  local 1 push 1 add setlocal 1\n"
    "  local 0 call strike drop\n"
    "next: local 0 push 1 add setlocal 0 jump outer\n"
    "done: local 1 return 0\n"
    "strike: enter 1 local 128 dup add setlocal 0\n"
    "again: local 0 push 1000 less jzero out\n"
    "  push 1 local 0 store local 0 local 128 add setlocal 0 jump again\n"
    "out: push 0 return 1\n";

static const char collatz_src[] =
    "push 27 call length print push 1071 push 462 call gcd print halt\n"
    "length: enter 1\n"
    "loop: local 128 push 1 equal not jzero end\n"
    "  local 0 push 1 add setlocal 0\n"
    "  local 128 push 2 mod jzero even\n"
    "  local 128 push 3 mul push 1 add setlocal 128 jump loop\n"
    "even: local 128 push 2 div setlocal 128 jump loop\n"
    "end: local 0 return 1\n"
    "gcd: enter 0 local 128 jzero first\n"
    "  local 128 local 129 local 128 mod call gcd return 2\n"
    "first: local 129 return 2\n";

static const char letters_src[] =
    "push 5\n"
    "row: dup jzero quit dup push 64 add emit push -1 add jump row\n"
    "quit: drop push '! emit push -9000000000 push 7 div print halt\n";

int main(void)
{
    static const struct { const char *name, *src, *expect; } runs[] = {
        {"fib", fib_src, "ok"},
        {"sieve", sieve_src, "ok"},
        {"collatz", collatz_src, "ok"},
        {"letters", letters_src, "ok"},
        {"overflow", "push 3037000500 dup mul print", "overflow"},
        {"divide", "push 1 push 0 div print", "division by zero"},
        {"runaway", "f: enter 9 call f", "stack overflow"},
        {"wild", "push 5 push 4096 store", "bad address"},
        {"empty", "push 1 add", "stack underflow"},
        {"nolabel", "jump nowhere", "unknown label: nowhere"},
        {"notop", "push 1 frobnicate", "unknown instruction: frobnicate"},
        {"number", "push 12x", "number wanted: 12x"},
    };
    static struct program program;
    static struct vm vm;
    int bad = 0;

    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        printf("%-9s", runs[i].name);
        const char *result = program.error;
        vm.steps = 0;
        if (assemble(&program, runs[i].src))
            result = execute(&vm, &program);
        printf(" : %s, %u bytes, %lu steps\n", result, program.size, vm.steps);
        bad += strcmp(result, runs[i].expect) != 0;
    }
    return bad != 0;
}
