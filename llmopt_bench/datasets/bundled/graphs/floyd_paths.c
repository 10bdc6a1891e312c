/* All-pairs shortest paths with route reconstruction and negative-cycle
 * detection (Floyd-Warshall), and the transitive closure on 64-bit row sets
 * (Warshall), cross-checked against each other. */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define N 80
#define WORDS ((N + 63) / 64)
#define UNREACHED INT_MAX

typedef struct AllPairs {
  int dist[N][N];
  short via[N][N]; /* first step of the route, -1 when there is none */
} AllPairs;

typedef uint64_t Closure[N][WORDS];

void allPairsInit(AllPairs *ap) {
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j) {
      ap->dist[i][j] = i == j ? 0 : UNREACHED;
      ap->via[i][j] = (short)(i == j ? j : -1);
    }
}

void allPairsEdge(AllPairs *ap, int from, int to, int weight) {
  if (weight >= ap->dist[from][to])
    return;
  ap->dist[from][to] = weight;
  ap->via[from][to] = (short)to;
}

/* False when some cycle has negative weight; the distances are then useless. */
bool allPairsSolve(AllPairs *ap) {
  for (int k = 0; k < N; ++k)
    for (int i = 0; i < N; ++i) {
      int head = ap->dist[i][k];
      if (head == UNREACHED)
        continue;
      for (int j = 0; j < N; ++j) {
        int tail = ap->dist[k][j];
        if (tail == UNREACHED || head + tail >= ap->dist[i][j])
          continue;
        ap->dist[i][j] = head + tail;
        ap->via[i][j] = ap->via[i][k];
        if (i == j) /* shorter than staying: stop before sums can overflow */
          return false;
      }
    }
  return true;
}

/* Writes the nodes of the route, ends included; returns their number or 0. */
int allPairsRoute(const AllPairs *ap, int from, int to, int *route) {
  int length = 0;
  if (ap->via[from][to] < 0)
    return 0;
  for (route[length++] = from; from != to && length < N; route[length++] = from)
    from = ap->via[from][to];
  return length;
}

void closureFromEdges(Closure reach, const AllPairs *edges) {
  memset(reach, 0, sizeof(Closure));
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j)
      if (edges->dist[i][j] != UNREACHED)
        reach[i][j / 64] |= UINT64_C(1) << (j % 64);
  for (int k = 0; k < N; ++k)
    for (int i = 0; i < N; ++i)
      if (reach[i][k / 64] >> (k % 64) & 1)
        for (int w = 0; w < WORDS; ++w)
          reach[i][w] |= reach[k][w];
}

/* Potentials make some edges negative without making any cycle negative. */
static void randomGraph(AllPairs *ap, int edges, unsigned seed) {
  allPairsInit(ap);
  while (edges-- > 0) {
    seed = seed * 134775813u + 1u;
    int from = (int)(seed >> 8) % N, to = (int)(seed >> 18) % N;
    int weight = 1 + (int)(seed >> 24) % 90 + (from * 29 % 41) - (to * 29 % 41);
    if (from != to)
      allPairsEdge(ap, from, to, weight);
  }
}

/* Every route must add up to its distance, and exist just where the closure says so. */
static int countMistakes(const AllPairs *edges, const AllPairs *ap, Closure reach) {
  int route[N], wrong = 0;
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j) {
      int sum = 0, hops = allPairsRoute(ap, i, j, route);
      for (int k = 1; k < hops; ++k)
        sum += edges->dist[route[k - 1]][route[k]];
      wrong += (hops ? sum : UNREACHED) != ap->dist[i][j];
      wrong += (reach[i][j / 64] >> (j % 64) & 1) != (hops > 0);
    }
  return wrong;
}

int main(void) {
  static AllPairs edges, solved;
  static Closure reach;
  int bad = 0;
  for (int m = 60; m <= 480; m *= 2) {
    int pairs = 0;
    randomGraph(&edges, m, 11u * (unsigned)m);
    solved = edges;
    bool fine = allPairsSolve(&solved);
    closureFromEdges(reach, &edges);
    for (int i = 0; i < N; ++i)
      for (int w = 0; w < WORDS; ++w)
        pairs += __builtin_popcountll(reach[i][w]);
    int wrong = countMistakes(&edges, &solved, reach);
    printf("%3d edges: %4d reachable pairs, 0 to %d: %d, %d wrong\n", m, pairs, m / 10,
           solved.via[0][m / 10] < 0 ? -1 : solved.dist[0][m / 10], wrong);
    bad += !fine || wrong;
  }
  allPairsInit(&edges);
  for (int i = 0; i < 5; ++i)
    allPairsEdge(&edges, i, (i + 1) % 5, i == 2 ? -11 : 2);
  bool caught = !allPairsSolve(&edges);
  printf("negative cycle %s\n", caught ? "caught" : "missed");
  return bad || !caught;
}
