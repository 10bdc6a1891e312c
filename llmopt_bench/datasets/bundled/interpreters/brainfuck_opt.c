/* Optimising interpreter for the eight-command tape language: runs are folded, loops that clear,
 * multiply or scan become single operations. A literal interpreter runs the same programs and both
 * outputs must agree; the step counts show what folding saves. */
#include <stdio.h>
#include <string.h>

enum { TAPE = 256, MAX_OPS = 1024, MAX_OUT = 256 };

typedef enum { ADD, MOVE, OUT, IN, LOOP, END, CLEAR, MULADD, SCAN, STOP } kind;

typedef struct {
    kind kind;
    int arg;    /* amount, jump target or factor */
    int offset; /* MULADD only */
} op;

typedef struct {
    unsigned char tape[TAPE];
    unsigned at;
    const char *input;
    char out[MAX_OUT];
    int out_len;
    long steps;
} machine;

static unsigned wrap(unsigned at, int by) { return (at + (unsigned)by) % TAPE; }

static void emit(machine *m)
{
    if (m->out_len < MAX_OUT - 1)
        m->out[m->out_len++] = (char)m->tape[m->at];
}

static void accept(machine *m) { m->tape[m->at] = (unsigned char)(*m->input ? *m->input++ : 0); }

void run_literally(machine *m, const char *src)
{
    for (const char *p = src; *p; p++, m->steps++) {
        int depth = 0, dir = 0;
        switch (*p) {
        case '+': m->tape[m->at]++; break;
        case '-': m->tape[m->at]--; break;
        case '>': m->at = wrap(m->at, 1); break;
        case '<': m->at = wrap(m->at, -1); break;
        case '.': emit(m); break;
        case ',': accept(m); break;
        case '[': dir = m->tape[m->at] ? 0 : 1; break;
        case ']': dir = m->tape[m->at] ? -1 : 0; break;
        }
        if (dir)
            do {
                depth += (*p == '[') - (*p == ']');
                if (depth)
                    p += dir;
            } while (depth);
    }
}

/* Try to replace the loop body that starts behind `open`. Returns the new length of the code. */
static int simplify_loop(op *code, int open, int n)
{
    int delta[2 * TAPE] = {0}, at = 0, low = 0, high = 0;
    const op *body = &code[open + 1];

    if (n - open == 2 && body[0].kind == MOVE) {
        code[open] = (op){SCAN, body[0].arg, 0};
        return open + 1;
    }
    for (int i = 0; i < n - open - 1; i++) {
        if (body[i].kind == MOVE)
            at += body[i].arg;
        else if (body[i].kind == ADD)
            delta[TAPE + at] += body[i].arg;
        else
            return -1;
        if (at <= -TAPE || at >= TAPE)
            return -1;
        low = at < low ? at : low;
        high = at > high ? at : high;
    }
    if (at != 0 || delta[TAPE] != -1)
        return -1;
    n = open;
    for (int i = low; i <= high; i++)
        if (i != 0 && delta[TAPE + i] != 0)
            code[n++] = (op){MULADD, delta[TAPE + i], i};
    code[n++] = (op){CLEAR, 0, 0};
    return n;
}

/* Returns the number of operations, or -1 for unbalanced brackets or too long a program. */
int compile(const char *src, op *code)
{
    static const char letters[] = "+-><.,[]";
    int open[64], depth = 0, n = 0;

    for (; *src; src++) {
        const char *c = strchr(letters, *src);
        if (!c)
            continue;
        int which = (int)(c - letters), sign = which & 1 ? -1 : 1;
        if (n + 1 >= MAX_OPS)
            return -1;
        if (which < 4) {
            kind k = which < 2 ? ADD : MOVE;
            if (n > 0 && code[n - 1].kind == k)
                code[n - 1].arg += sign;
            else
                code[n++] = (op){k, sign, 0};
        } else if (which < 6) {
            code[n++] = (op){which == 4 ? OUT : IN, 0, 0};
        } else if (which == 6) {
            if (depth == 64)
                return -1;
            open[depth++] = n;
            code[n++] = (op){LOOP, 0, 0};
        } else {
            if (depth-- == 0)
                return -1;
            int start = open[depth], shorter = simplify_loop(code, start, n);
            if (shorter >= 0) {
                n = shorter;
                continue;
            }
            code[start].arg = n;
            code[n++] = (op){END, start, 0};
        }
    }
    code[n] = (op){STOP, 0, 0};
    return depth == 0 ? n : -1;
}

void run_compiled(machine *m, const op *code)
{
    for (const op *ip = code;; ip++, m->steps++) {
        unsigned char *cell = &m->tape[m->at];
        switch (ip->kind) {
        case ADD: *cell = (unsigned char)(*cell + (unsigned)ip->arg); break;
        case MOVE: m->at = wrap(m->at, ip->arg); break;
        case OUT: emit(m); break;
        case IN: accept(m); break;
        case LOOP: if (!*cell) ip = code + ip->arg; break;
        case END: if (*cell) ip = code + ip->arg; break;
        case CLEAR: *cell = 0; break;
        case MULADD: {
            unsigned char *to = &m->tape[wrap(m->at, ip->offset)];
            *to = (unsigned char)(*to + *cell * (unsigned)ip->arg);
            break;
        }
        case SCAN:
            while (m->tape[m->at])
                m->at = wrap(m->at, ip->arg);
            break;
        case STOP: return;
        }
    }
}

int main(void)
{
    static const struct { const char *name, *src, *input, *expect; } programs[] = {
        {"greet", "++++++++[>+++++++++<-]>.+.>+++++[>++++++<-]>+++.[-]++++++++++.", "", "HI!\n"},
        {"stairs", ">>++++++[>+++++++<-]>>++++++++++<<<<++++"
                   "[>+[>+>>>+<<<<-]>>>>[<<<<+>>>>-]<<<[>.<-]>>.<<<<-]", "", "*\n**\n***\n****\n"},
        {"reverse", ">,[>,]<[.<]", "desserts", "stressed"},
        {"nested", "++++[>+++++[>++++[>+<-]<-]<-]>>>.[-]", "", "P"},
        {"rewind", ">,[>,]<[<]>[+.>]", "GdkknVnqkc", "HelloWorld"},
        {"broken", "+[>]]", "", NULL},
    };
    int bad = 0;

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        op code[MAX_OPS];
        int n = compile(programs[i].src, code);
        if (n < 0) {
            printf("%-8s rejected\n", programs[i].name);
            bad |= programs[i].expect != NULL;
            continue;
        }
        machine plain = {.input = programs[i].input}, fast = {.input = programs[i].input};
        run_literally(&plain, programs[i].src);
        run_compiled(&fast, code);
        printf("%-8s %3zu commands -> %2d ops, %5ld steps -> %3ld\n", programs[i].name,
               strlen(programs[i].src), n, plain.steps, fast.steps);
        bad |= strcmp(plain.out, fast.out) != 0 || memcmp(plain.tape, fast.tape, TAPE) != 0;
        bad |= !programs[i].expect || strcmp(fast.out, programs[i].expect) != 0;
    }
    return bad;
}
