/* Indexable skip list: every link knows how many elements it jumps over, so that the rank of an
 * element and the element at a rank are both found in O(log n). Used as a game leaderboard with
 * changing scores, and compared with a plain sorted array. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEVEL 12

typedef struct node node;
struct node {
  int score;
  int player;
  int levels;
  struct { node *next; int span; } link[];
};

typedef struct {
  node *head;
  int levels, length;
  uint64_t rng;
} skiplist;

static node *node_new(int levels, int score, int player) {
  node *n = malloc(sizeof *n + (size_t)levels * sizeof n->link[0]);
  if (!n) exit(2);
  n->score = score;
  n->player = player;
  n->levels = levels;
  for (int i = 0; i < levels; i++) n->link[i].next = NULL, n->link[i].span = 0;
  return n;
}

static int flip_levels(skiplist *s) {
  int levels = 1;
  s->rng = s->rng * 6364136223846793005u + 1442695040888963407u;
  for (uint32_t bits = (uint32_t)(s->rng >> 32); (bits & 3) == 0 && levels < MAX_LEVEL; bits >>= 2)
    levels++;
  return levels;
}

/* Best score first; equal scores by player number. */
static int precedes(const node *n, int score, int player) {
  return n->score != score ? n->score > score : n->player < player;
}

skiplist *sl_new(void) {
  skiplist *s = malloc(sizeof *s);
  if (!s) exit(2);
  *s = (skiplist){node_new(MAX_LEVEL, 0, -1), 1, 0, 42};
  return s;
}

void sl_free(skiplist *s) {
  for (node *n = s->head, *next; n; n = next) {
    next = n->link[0].next;
    free(n);
  }
  free(s);
}

void sl_insert(skiplist *s, int score, int player) {
  node *before[MAX_LEVEL], *at = s->head;
  int rank[MAX_LEVEL];

  for (int i = s->levels - 1; i >= 0; i--) {
    rank[i] = i == s->levels - 1 ? 0 : rank[i + 1];
    while (at->link[i].next && precedes(at->link[i].next, score, player)) {
      rank[i] += at->link[i].span;
      at = at->link[i].next;
    }
    before[i] = at;
  }
  node *n = node_new(flip_levels(s), score, player);
  for (; s->levels < n->levels; s->levels++) {
    before[s->levels] = s->head;
    rank[s->levels] = 0;
    s->head->link[s->levels].span = s->length;
  }
  for (int i = 0; i < n->levels; i++) {
    int jumped = rank[0] - rank[i];
    n->link[i].next = before[i]->link[i].next;
    n->link[i].span = before[i]->link[i].span - jumped;
    before[i]->link[i].next = n;
    before[i]->link[i].span = jumped + 1;
  }
  for (int i = n->levels; i < s->levels; i++) before[i]->link[i].span++;
  s->length++;
}

int sl_remove(skiplist *s, int score, int player) {
  node *before[MAX_LEVEL], *at = s->head, *gone;

  for (int i = s->levels - 1; i >= 0; i--) {
    while (at->link[i].next && precedes(at->link[i].next, score, player)) at = at->link[i].next;
    before[i] = at;
  }
  gone = at->link[0].next;
  if (!gone || gone->score != score || gone->player != player) return 0;
  for (int i = 0; i < s->levels; i++) {
    if (before[i]->link[i].next == gone) {
      before[i]->link[i].next = gone->link[i].next;
      before[i]->link[i].span += gone->link[i].span;
    }
    before[i]->link[i].span--;
  }
  while (s->levels > 1 && !s->head->link[s->levels - 1].next) s->levels--;
  s->length--;
  free(gone);
  return 1;
}

/* 1-based rank, 0 when absent. */
int sl_rank(const skiplist *s, int score, int player) {
  const node *at = s->head;
  int rank = 0;
  for (int i = s->levels - 1; i >= 0; i--)
    while (at->link[i].next && precedes(at->link[i].next, score, player)) {
      rank += at->link[i].span;
      at = at->link[i].next;
    }
  at = at->link[0].next;
  return at && at->score == score && at->player == player ? rank + 1 : 0;
}

const node *sl_at(const skiplist *s, int rank) {
  const node *at = s->head;
  for (int i = s->levels - 1; i >= 0; i--)
    while (at->link[i].next && at->link[i].span <= rank) {
      rank -= at->link[i].span;
      at = at->link[i].next;
    }
  return rank == 0 && at != s->head ? at : NULL;
}

int main(void) {
  enum { PLAYERS = 300, ROUNDS = 3000 };
  int score[PLAYERS], wrong = 0;
  uint32_t lcg = 99;
  skiplist *board = sl_new();

  for (int p = 0; p < PLAYERS; p++) sl_insert(board, score[p] = p * 37 % 101, p);
  for (int r = 0; r < ROUNDS; r++) {
    lcg = lcg * 1664525u + 1013904223u;
    int p = (int)(lcg >> 16) % PLAYERS, gain = (int)(lcg >> 8 & 31) - 12;
    wrong += !sl_remove(board, score[p], p);
    sl_insert(board, score[p] += gain, p);
  }
  for (int p = 0; p < PLAYERS; p++) { /* rank by counting must agree with rank by spans */
    int better = 1;
    for (int q = 0; q < PLAYERS; q++)
      better += score[q] > score[p] || (score[q] == score[p] && q < p);
    const node *n = sl_at(board, better);
    wrong += sl_rank(board, score[p], p) != better || !n || n->player != p;
  }
  for (int i = 1; i <= 5; i++)
    printf("#%d player %3d score %d\n", i, sl_at(board, i)->player, sl_at(board, i)->score);
  wrong += sl_at(board, PLAYERS + 1) != NULL || sl_remove(board, 1 << 20, 0);
  printf("levels %d length %d wrong %d\n", board->levels, board->length, wrong);
  sl_free(board);
  return wrong != 0;
}
