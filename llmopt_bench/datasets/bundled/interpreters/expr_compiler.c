/*
 * Expression compiler: a Pratt parser builds a syntax tree, constants are folded and identities
 * removed, and the tree is lowered to RPN code with jumps for the lazy operators. The code's value
 * is compared with that of walking the unfolded tree.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum {
  NodeNumber, NodeVariable, NodeNegate, NodeNot, NodeBinary, NodeAnd, NodeOr, NodeSelect, NodeCall
} NodeKind;

typedef struct Node {
  NodeKind kind;
  int op;                 /* binary operator, variable letter or function number */
  double number;
  struct Node *kid[3];
} Node;

enum { MaxNodes = 128, MaxCode = 128, MaxStack = 32 };

typedef struct {
  const char *at, *error;
  Node pool[MaxNodes];
  int used;
} Parser;

/* ---- functions of the language ---------------------------------------------------------- */

static double callMin(const double *a) { return a[0] < a[1] ? a[0] : a[1]; }
static double callMax(const double *a) { return a[0] > a[1] ? a[0] : a[1]; }
static double callAbs(const double *a) { return a[0] < 0 ? -a[0] : a[0]; }

static double callClamp(const double *a) {
  return a[0] < a[1] ? a[1] : a[0] > a[2] ? a[2] : a[0];
}

static double callSqrt(const double *a) {
  double x = a[0], r = x > 1 ? x : 1;
  if (x <= 0) return 0;
  for (int i = 0; i < 60; i++) {
    double next = (r + x / r) / 2;
    if (next >= r) break;     /* the iteration falls until it has converged */
    r = next;
  }
  return r;
}

static const struct { const char *name; int arity; double (*call)(const double *); } functions[] = {
  {"min", 2, callMin}, {"max", 2, callMax}, {"abs", 1, callAbs},
  {"sqrt", 1, callSqrt}, {"clamp", 3, callClamp},
};
enum { FunctionCount = sizeof functions / sizeof *functions };

/* Truncating remainder; zero for divisors and quotients that make no sense. */
static double remainderOf(double a, double b) {
  double q = b == 0 ? 0 : a / b;
  if (b == 0 || !(q > -1e15 && q < 1e15)) return 0;
  return a - b * (double)(long long)q;
}

static double power(double base, double exponent) {
  int n = exponent >= -64 && exponent <= 64 ? (int)exponent : exponent > 0 ? 64 : -64;
  double r = 1;
  for (int i = n < 0 ? -n : n; i > 0; i >>= 1, base *= base)
    if (i & 1) r *= base;
  return n < 0 ? 1 / r : r;
}

static double applyBinary(int op, double a, double b) {
  switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return b == 0 ? 0 : a / b;
    case '%': return remainderOf(a, b);
    case '^': return power(a, b);
    case '<': return a < b;
    case '>': return a > b;
    case 'l': return a <= b;
    case 'g': return a >= b;
    case '=': return a == b;
    default: return a != b;
  }
}

/* ---- parser ----------------------------------------------------------------------------- */

static const struct { const char *text; int op, left, right; } infix[] = {
  {"?", '?', 1, 1}, {"||", '|', 2, 3}, {"&&", '&', 4, 5}, {"==", '=', 6, 7}, {"!=", '!', 6, 7},
  {"<=", 'l', 8, 9}, {">=", 'g', 8, 9}, {"<", '<', 8, 9}, {">", '>', 8, 9}, {"+", '+', 10, 11},
  {"-", '-', 10, 11}, {"*", '*', 12, 13}, {"/", '/', 12, 13}, {"%", '%', 12, 13},
  {"^", '^', 17, 16},
};
enum { PrefixPower = 15, InfixCount = sizeof infix / sizeof *infix };

static Node *parse(Parser *p, int floor);

static Node *fail(Parser *p, const char *why) {
  if (!p->error) p->error = why;
  p->at += strlen(p->at);   /* nothing more to read: every loop ends */
  return &p->pool[0];
}

static Node *newNode(Parser *p, NodeKind kind, int op, double number) {
  if (p->used == MaxNodes) return fail(p, "expression too large");
  Node *n = &p->pool[p->used++];
  *n = (Node){kind, op, number, {NULL, NULL, NULL}};
  return n;
}

static Node *newUnary(Parser *p, NodeKind kind, Node *kid) {
  Node *n = newNode(p, kind, 0, 0);
  n->kid[0] = kid;
  return n;
}

static Node *newBinary(Parser *p, NodeKind kind, int op, Node *a, Node *b) {
  Node *n = newNode(p, kind, op, 0);
  n->kid[0] = a;
  n->kid[1] = b;
  return n;
}

static void skipBlanks(Parser *p) {
  while (isspace((unsigned char)*p->at)) p->at++;
}

static bool accept(Parser *p, const char *text) {
  skipBlanks(p);
  size_t n = strlen(text);
  if (strncmp(p->at, text, n) != 0) return false;
  p->at += n;
  return true;
}

static Node *parseCall(Parser *p, const char *name, size_t length) {
  for (int f = 0; f < FunctionCount; f++) {
    if (strlen(functions[f].name) != length || strncmp(functions[f].name, name, length) != 0)
      continue;
    Node *call = newNode(p, NodeCall, f, 0);
    if (!accept(p, "(")) return fail(p, "'(' wanted");
    for (int i = 0; i < functions[f].arity; i++) {
      if (i > 0 && !accept(p, ",")) return fail(p, "too few arguments");
      call->kid[i] = parse(p, 0);
    }
    return accept(p, ")") ? call : fail(p, "')' wanted after arguments");
  }
  return fail(p, "unknown function");
}

static Node *parsePrefix(Parser *p) {
  skipBlanks(p);
  const char *start = p->at;
  if (isdigit((unsigned char)*start)) {
    char *end;
    double value = strtod(start, &end);
    p->at = end;
    return newNode(p, NodeNumber, 0, value);
  }
  if (isalpha((unsigned char)*start)) {
    while (isalpha((unsigned char)*p->at)) p->at++;
    if (p->at - start > 1) return parseCall(p, start, (size_t)(p->at - start));
    return newNode(p, NodeVariable, tolower((unsigned char)*start), 0);
  }
  if (accept(p, "-")) return newUnary(p, NodeNegate, parse(p, PrefixPower));
  if (accept(p, "!")) return newUnary(p, NodeNot, parse(p, PrefixPower));
  if (accept(p, "(")) {
    Node *inner = parse(p, 0);
    return accept(p, ")") ? inner : fail(p, "')' wanted");
  }
  return fail(p, "operand wanted");
}

static Node *parseInfix(Parser *p, Node *left, int row) {
  int op = infix[row].op;
  Node *right = parse(p, infix[row].right);
  if (op == '&') return newBinary(p, NodeAnd, 0, left, right);
  if (op == '|') return newBinary(p, NodeOr, 0, left, right);
  if (op != '?') return newBinary(p, NodeBinary, op, left, right);
  if (!accept(p, ":")) return fail(p, "':' wanted");
  Node *select = newBinary(p, NodeSelect, 0, left, right);
  select->kid[2] = parse(p, infix[row].right);
  return select;
}

static Node *parse(Parser *p, int floor) {
  Node *left = parsePrefix(p);
  for (;;) {
    skipBlanks(p);
    const char *start = p->at;
    int row = 0;
    while (row < InfixCount && !accept(p, infix[row].text)) row++;
    if (row == InfixCount || infix[row].left < floor) {
      p->at = start;
      return left;
    }
    left = parseInfix(p, left, row);
  }
}

Node *parseExpression(Parser *p, const char *source) {
  *p = (Parser){.at = source};
  Node *root = parse(p, 0);
  skipBlanks(p);
  if (*p->at) fail(p, "operator wanted");
  return p->error ? NULL : root;
}

/* ---- direct evaluation ------------------------------------------------------------------ */

double evaluate(const Node *n, const double *variables) {
  Node *const *k = n->kid;
  double args[3];
  switch (n->kind) {
    case NodeNumber: return n->number;
    case NodeVariable: return variables[n->op - 'a'];
    case NodeNegate: return -evaluate(k[0], variables);
    case NodeNot: return evaluate(k[0], variables) == 0;
    case NodeAnd: return evaluate(k[0], variables) != 0 && evaluate(k[1], variables) != 0;
    case NodeOr: return evaluate(k[0], variables) != 0 || evaluate(k[1], variables) != 0;
    case NodeSelect: return evaluate(evaluate(k[0], variables) != 0 ? k[1] : k[2], variables);
    case NodeCall:
      for (int i = 0; i < functions[n->op].arity; i++) args[i] = evaluate(k[i], variables);
      return functions[n->op].call(args);
    case NodeBinary: break;
  }
  return applyBinary(n->op, evaluate(k[0], variables), evaluate(k[1], variables));
}

/* ---- folding ---------------------------------------------------------------------------- */

static bool isNumber(const Node *n, double value) {
  return n->kind == NodeNumber && n->number == value;
}

static Node *foldIdentity(Node *n) {
  Node *a = n->kid[0], *b = n->kid[1];
  switch (n->op) {
    case '+': return isNumber(a, 0) ? b : isNumber(b, 0) ? a : n;
    case '-': return isNumber(b, 0) ? a : n;
    case '*': return isNumber(a, 1) ? b : isNumber(b, 1) ? a : n;
    case '/':
    case '^': return isNumber(b, 1) ? a : n;
    default: return n;
  }
}

Node *foldConstants(Node *n) {
  bool constant = n->kind != NodeVariable;
  for (int i = 0; i < 3 && n->kid[i]; i++) {
    n->kid[i] = foldConstants(n->kid[i]);
    constant = constant && n->kid[i]->kind == NodeNumber;
  }
  if (constant) {
    *n = (Node){NodeNumber, 0, evaluate(n, NULL), {NULL, NULL, NULL}};
    return n;
  }
  if (n->kind == NodeBinary) return foldIdentity(n);
  if (n->kind == NodeNegate && n->kid[0]->kind == NodeNegate) return n->kid[0]->kid[0];
  if (n->kind == NodeSelect && n->kid[0]->kind == NodeNumber)
    return n->kid[0]->number != 0 ? n->kid[1] : n->kid[2];
  return n;
}

static int treeSize(const Node *n) {
  int size = 1;
  for (int i = 0; i < 3 && n->kid[i]; i++) size += treeSize(n->kid[i]);
  return size;
}

/* ---- lowering --------------------------------------------------------------------------- */

typedef enum { OpNumber, OpLoad, OpNegate, OpNot, OpBinary, OpCall, OpJump, OpJumpFalse } OpKind;
typedef struct { OpKind kind; int arg; double number; } Op;
typedef struct { Op op[MaxCode]; int size; bool overflow; } Code;

static int emit(Code *c, OpKind kind, int arg, double number) {
  if (c->size == MaxCode) {
    c->overflow = true;
    return 0;
  }
  c->op[c->size] = (Op){kind, arg, number};
  return c->size++;
}

static void lower(Code *c, const Node *n);

/* condition ? (yes as 0 or 1) : (no): both lazy operators are special cases of selection. */
static void lowerChoice(Code *c, const Node *condition, const Node *yes, const Node *no) {
  bool truth = !yes || !no;
  lower(c, condition);
  int skip = emit(c, OpJumpFalse, 0, 0);
  if (yes) lower(c, yes);
  else emit(c, OpNumber, 0, 1);
  if (yes && truth) emit(c, OpNot, 0, 0), emit(c, OpNot, 0, 0);
  int done = emit(c, OpJump, 0, 0);
  c->op[skip].arg = c->size;
  if (no) lower(c, no);
  else emit(c, OpNumber, 0, 0);
  if (no && truth) emit(c, OpNot, 0, 0), emit(c, OpNot, 0, 0);
  c->op[done].arg = c->size;
}

static void lower(Code *c, const Node *n) {
  switch (n->kind) {
    case NodeNumber: emit(c, OpNumber, 0, n->number); return;
    case NodeVariable: emit(c, OpLoad, n->op, 0); return;
    case NodeAnd: lowerChoice(c, n->kid[0], n->kid[1], NULL); return;
    case NodeOr: lowerChoice(c, n->kid[0], NULL, n->kid[1]); return;
    case NodeSelect: lowerChoice(c, n->kid[0], n->kid[1], n->kid[2]); return;
    default: break;
  }
  for (int i = 0; i < 3 && n->kid[i]; i++) lower(c, n->kid[i]);
  emit(c, n->kind == NodeNegate ? OpNegate : n->kind == NodeNot ? OpNot
                                           : n->kind == NodeCall ? OpCall : OpBinary, n->op, 0);
}

bool runCode(const Code *c, const double *variables, double *result) {
  double stack[MaxStack];
  int sp = 0;
  for (int pc = 0; pc < c->size; pc++) {
    const Op *o = &c->op[pc];
    if (sp >= MaxStack - 1) return false;
    switch (o->kind) {
      case OpNumber: stack[sp++] = o->number; break;
      case OpLoad: stack[sp++] = variables[o->arg - 'a']; break;
      case OpNegate: stack[sp - 1] = -stack[sp - 1]; break;
      case OpNot: stack[sp - 1] = stack[sp - 1] == 0; break;
      case OpBinary:
        sp--;
        stack[sp - 1] = applyBinary(o->arg, stack[sp - 1], stack[sp]);
        break;
      case OpCall:
        sp -= functions[o->arg].arity;
        stack[sp] = functions[o->arg].call(&stack[sp]);
        sp++;
        break;
      case OpJump: pc = o->arg - 1; break;
      case OpJumpFalse:
        if (stack[--sp] == 0) pc = o->arg - 1;
        break;
    }
  }
  *result = sp == 1 ? stack[0] : 0;
  return sp == 1;
}

static void printCode(const Code *c) {
  for (int i = 0; i < c->size; i++) {
    const Op *o = &c->op[i];
    switch (o->kind) {
      case OpNumber: printf(" %g", o->number); break;
      case OpLoad: printf(" %c", o->arg); break;
      case OpNegate: printf(" neg"); break;
      case OpNot: printf(" not"); break;
      case OpBinary: printf(" %c", o->arg); break;
      case OpCall: printf(" %s", functions[o->arg].name); break;
      case OpJump: printf(" ->%d", o->arg); break;
      case OpJumpFalse: printf(" else->%d", o->arg); break;
    }
  }
}

/* ---- self-exercise ---------------------------------------------------------------------- */

static bool tryExpression(const char *source, const double *variables) {
  static Parser parser;
  static Code code;
  double value = 0;
  Node *root = parseExpression(&parser, source);
  if (!root) {
    printf("%-28s error: %s\n", source, parser.error);
    return false;
  }
  double plain = evaluate(root, variables);
  int before = treeSize(root);
  root = foldConstants(root);
  code.size = 0;
  code.overflow = false;
  lower(&code, root);
  bool same = !code.overflow && runCode(&code, variables, &value) && value == plain;
  printf("%-28s = %g%s (%d nodes, %d folded):", source, value, same ? "" : " MISMATCH", before,
         treeSize(root));
  printCode(&code);
  putchar('\n');
  return same;
}

int main(void) {
  static const char *const good[] = {
    "1 + 2 * 3 - 4 / 2", "2 ^ 3 ^ 2", "-2 ^ 2 + x", "(x + 0) * 1 ^ 7", "x < y && y < z || !z",
    "x > 2 ? x * 10 : y ? 1 : 2", "1 > 2 ? x : y - -(-z)", "min(x, max(y, 2)) * sqrt(16 + 9)",
    "clamp(x * 100, 0, 2.5 * 4) % 7", "abs(y - z) ^ 3 / (x - 3)", "--x + 0 * y", "x==3 != y>=z",
    "sqrt(2 * z + x) * 1000 % 97",
  };
  static const char *const broken[] = {
    "1 +", "(2 * x", "foo(1)", "min(1)", "3 $ 4", "x ? 1", "max 2", "clamp(1, 2, 3", "* 5", "",
  };
  double variables[26] = {0};
  int bad = 0;

  variables['x' - 'a'] = 3;
  variables['y' - 'a'] = 0.5;
  variables['z' - 'a'] = 8;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) bad += !tryExpression(good[i], variables);
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
    bad += tryExpression(broken[i], variables);
  return bad != 0;
}
