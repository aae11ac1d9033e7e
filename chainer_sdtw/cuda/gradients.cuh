// The gradients that an alignment makes.
//
// The gradient of an element is the sum over the elements of the other series
// of the alignment times the slope of the difference. A block makes some
// features of those of 32 elements, by tiles of the alignment: a lane those of
// four elements by eight features. Where there are fewer features than that
// takes lanes, lanes take turns at the elements of the other series, and add
// up at the end.
//
// Those of columns are added up for kSumStrips strips at a time, the last ones
// first. Slabs of strips are so many of these groups, and come in the same
// order, so sums do not depend on them.
#pragma once

#include "alignment.cuh"
#include "features.cuh"

namespace {

using SeriesCost = SDTW_COST<In>;

constexpr int kSumStrips = SDTW_GRADIENT_STRIPS;
constexpr int kOwn = 4;  // elements of a lane
// Times four features of a lane.
constexpr int kParts = sizeof(In) == 8 ? 1 : 2;
constexpr int kOwnLanes = kRows / kOwn;
constexpr int kBlockFeatures = SDTW_GRADIENT_FEATURES;
static_assert(SDTW_GRADIENT_THREADS == kTileThreads, "of a tile");
constexpr int kLaneSets = kTileThreads / kOwnLanes;  // features by turns
constexpr int kOtherStride = kBlockFeatures + 4;
constexpr int kOtherNumbers = kRows * kOtherStride;
constexpr int kSumNumbers = kTileThreads * kOwn * 4 * kParts;
constexpr int kGradientNumbers = kTileNumbers + kOtherNumbers > kSumNumbers
                                     ? kTileNumbers + kOtherNumbers
                                     : kSumNumbers;
// Blocks per multiprocessor that registers are left for. On architectures
// before 9.0, three would spill a few of them.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr int kGradientBlocks = 2;
#else
constexpr int kGradientBlocks = sizeof(In) == 8 ? 2 : 3;
#endif
constexpr int kOtherQuads =
    kRows * kBlockFeatures / 4 / kTileThreads;  // that a thread brings

// What a block works on: 32 elements of a series from `first` on, and features
// from `k0` on, four times a power of two.
struct GradientBlock {
  bool rows;      // whether the elements are rows, of a strip,
  int u;          // or columns, of tiles u
  int first, k0;  // the first element, the first feature
  int log_quads;

  SDTW_DEVICE int quads() const { return 1 << log_quads; }
  // Lanes for the features of an element.
  SDTW_DEVICE int groups() const { return quads() / kParts; }

  // Write, or add, gradients of four neighbouring features.
  SDTW_DEVICE void write(const Arguments& args, const Strip& s, int quad,
                         bool add, const In* values) const {
    const int length = rows ? s.m : s.n;
    const int elements = rows ? args.m : args.n;
    const int i = first + (quad >> log_quads);
    const int k = k0 + (quad & (quads() - 1)) * 4;
    if (i < 0 || i >= elements || (add && i >= length)) return;
    const Global<In> to = (rows ? args.gx : args.gy) +
                          (((long long)s.b * elements + i) * args.d + k);
    SDTW_UNROLL
    for (int j = 0; j < 4; ++j) {
      const In v = i < length ? values[j] : In(0);
      if (k + j < args.d) to[j] = add ? to[j] + v : v;
    }
  }
};

// Features of the other series' elements in a tile, on their way to shared
// memory.
struct OtherLoad {
  In numbers[kOtherQuads][4];

  // `from` is the first feature of the series.
  SDTW_DEVICE void load(const Arguments& args, const GradientBlock& g,
                        Global<const In> from, int first, int length,
                        bool quads) {
    const int k = feature_of(g);
    SDTW_UNROLL
    for (int i = 0; i < kOtherQuads; ++i) {
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) numbers[i][j] = 0;
      const int j = element_of(g, i);
      const long long at = within(first + j, length);
      if (j < kRows && g.k0 + k < args.d)
        fetch_features(from + (at * args.d + g.k0 + k), args.d - g.k0 - k,
                       quads, numbers[i]);
    }
  }
  SDTW_DEVICE void store(const GradientBlock& g, Shared<In> to) const {
    SDTW_UNROLL
    for (int i = 0; i < kOtherQuads; ++i) {
      const int j = element_of(g, i);
      if (j < kRows)
        store4(to + (j * kOtherStride + feature_of(g)), numbers[i]);
    }
  }

 private:
  static SDTW_DEVICE int feature_of(const GradientBlock& g) {
    return ((int)threadIdx.x & (g.quads() - 1)) * 4;
  }
  static SDTW_DEVICE int element_of(const GradientBlock& g, int i) {
    return ((int)threadIdx.x + i * kTileThreads) >> g.log_quads;
  }
};

// Sums for four elements by two times four features, `part` apart.
struct GradientSums {
  In element[kOwn][4 * kParts], total[kOwn][4 * kParts];

  SDTW_DEVICE void start(const Arguments& args, Global<const In> series,
                         int first, int length, int k, int part, bool quads) {
    SDTW_UNROLL
    for (int i = 0; i < kOwn; ++i) {
      const Global<const In> from =
          series + (long long)within(first + i, length) * args.d;
      SDTW_UNROLL
      for (int p = 0; p < kParts; ++p) {
        SDTW_UNROLL
        for (int j = 4 * p; j < 4 * p + 4; ++j) element[i][j] = 0;
        const int left = args.d - k - p * part;
        if (left > 0)
          fetch_features(from + (k + p * part), left, quads,
                         element[i] + 4 * p);
      }
    }
  }

  SDTW_DEVICE void clear() {
    SDTW_UNROLL
    for (int i = 0; i < kOwn; ++i) {
      SDTW_UNROLL
      for (int j = 0; j < 4 * kParts; ++j) total[i][j] = 0;
    }
  }

  // One of the others.
  SDTW_DEVICE void meet(Shared<const In> alignment, Shared<const In> other,
                        int part) {
    In e[kOwn], y[4 * kParts];
    load4(alignment, e);
    SDTW_UNROLL
    for (int p = 0; p < kParts; ++p) load4(other + p * part, y + 4 * p);
    SDTW_UNROLL
    for (int i = 0; i < kOwn; ++i) {
      SDTW_UNROLL
      for (int f = 0; f < 4 * kParts; ++f)
        total[i][f] =
            SeriesCost::add_slope(total[i][f], e[i], element[i][f], y[f]);
    }
  }
};

// The place of a lane in a block.
struct GradientLane {
  int own, k, turn;  // its first element and feature, its first other element
  int turns, part;   // lanes that take turns, features between its parts

  SDTW_DEVICE explicit GradientLane(const GradientBlock& g) {
    const int set = threadIdx.x / kOwnLanes;
    own = threadIdx.x % kOwnLanes * kOwn;
    k = (set & (g.groups() - 1)) * 4;
    turn = set * kParts >> g.log_quads;
    turns = kLaneSets * kParts >> g.log_quads;
    part = 4 * g.groups();
  }
};

// Add up what some tiles make: those of a strip in segments, or of strips.
// Returns whether there are any.
SDTW_DEVICE bool add_tiles(const Arguments& args, const Strip& s,
                           const GradientBlock& g, const GradientLane& lane,
                           int begin, int end, bool quads, GradientSums& sums,
                           Shared<In> memory) {
  const Shared<In> alignment = memory;
  const Shared<In> others = memory + kTileNumbers;
  bool any = false;
  const Global<const In> series = g.rows ? s.y : s.x;
  const int length = g.rows ? s.n : s.m;
  // Each lane looks at one of the next 32 tiles.
  SDTW_UNROLL_BY(1)
  for (int at = begin; at < end; at += 32) {
    const int place = at + (int)threadIdx.x % 32;
    Tile lane_tile = {-1, -1};
    if (place < end)
      lane_tile = g.rows ? tile_of(args, s, place)
                         : tile_of(args, strip_of(args, s.b, place), g.u);
    unsigned live = __ballot_sync(kAllLanes, lane_tile.live());
    any |= live != 0;
    SDTW_UNROLL_BY(1)
    for (; live; live &= live - 1) {
      const int next = __ffs(live) - 1;
      const Tile tile = {__shfl_sync(kAllLanes, lane_tile.before, next),
                         __shfl_sync(kAllLanes, lane_tile.after, next)};
      const int first =
          g.rows ? first_column(s, at + next) : (at + next) * kRows;
      TileLoad tile_load;
      OtherLoad other_load;
      tile_load.load(args, tile, 0);
      other_load.load(args, g, series, first, length, quads);
      __syncthreads();
      if (g.rows)
        tile_load.store<true>(alignment);
      else
        tile_load.store<false>(alignment);
      other_load.store(g, others);
      __syncthreads();
      const int stop = min(length - first, kRows);
      constexpr int kUnroll = SeriesCost::kUnroll;
      SDTW_UNROLL_BY(kUnroll)
      for (int j = max(-first, 0) + lane.turn; j < stop; j += lane.turns)
        sums.meet(alignment + (j * kTileStride + lane.own),
                  others + (j * kOtherStride + lane.k), lane.part);
    }
  }
  return any;
}

// Add up the sums of lanes that took turns, and write them.
SDTW_DEVICE void write_sums(const Arguments& args, const Strip& s,
                            const GradientBlock& g, const GradientLane& lane,
                            bool add, const GradientSums& sums,
                            Shared<In> memory) {
  const int numbers = kRows * 4 * g.quads();
  const In grad = args.grad ? args.grad[s.b] : In(1);
  __syncthreads();
  SDTW_UNROLL
  for (int i = 0; i < kOwn; ++i) {
    SDTW_UNROLL
    for (int p = 0; p < kParts; ++p)
      store4(memory + (lane.turn * numbers + (lane.own + i) * 4 * g.quads() +
                       lane.k + p * lane.part),
             sums.total[i] + 4 * p);
  }
  __syncthreads();
  SDTW_UNROLL_BY(1)
  for (int quad = threadIdx.x; quad < numbers / 4; quad += kTileThreads) {
    In total[4] = {};
    SDTW_UNROLL_BY(2)
    for (int turn = 0; turn < lane.turns; ++turn) {
      In v[4];
      load4(memory + (turn * numbers + quad * 4), v);
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) total[j] += v[j];
    }
    SDTW_UNROLL
    for (int j = 0; j < 4; ++j) total[j] *= SeriesCost::kFactor * grad;
    g.write(args, s, quad, add, total);
  }
}

SDTW_DEVICE void add_up_gradients(const Arguments& args, const Strip& s,
                                  const GradientBlock& g, Shared<In> memory) {
  const GradientLane lane(g);
  const bool quads = has_quads(args);
  GradientSums sums;
  sums.start(args, g.rows ? s.x : s.y, g.first + lane.own, g.rows ? s.m : s.n,
             g.k0 + lane.k, lane.part, quads);
  // Rows have all tiles at once, but for those before and after the columns.
  const int first = g.rows ? max(s.first_segment, 1) : args.strip_begin;
  const int tiles = (s.n + s.lead + kRows - 2) / kSteps + 1;
  int end =
      g.rows ? min(s.segments() + 1, tiles) : min(args.strip_end, s.strips);
  bool add = !g.rows && args.strip_end * kRows < args.m;
  SDTW_UNROLL_BY(1)
  do {
    const int begin =
        g.rows ? first : max((end - 1) / kSumStrips * kSumStrips, first);
    sums.clear();
    if (add_tiles(args, s, g, lane, begin, end, quads, sums, memory) || !add)
      write_sums(args, s, g, lane, add, sums, memory);
    add = true;
    end = begin;
  } while (end > first);
}

SDTW_DEVICE void series_gradients(const Arguments& args, Shared<char> memory) {
  const int strips = args.gx ? args.strip_end - args.strip_begin : 0;
  const int columns =
      args.gy ? (args.n + kGroup - 1 + kSteps - 1) / kSteps : 0;
  const int chunks = (args.d + kBlockFeatures - 1) / kBlockFeatures;
  const int chunk = (int)blockIdx.x % chunks;
  const int pair = (int)blockIdx.x / chunks / (strips + columns);
  const int place = (int)blockIdx.x / chunks - pair * (strips + columns);
  const int b = args.pair_begin + pair;
  const bool rows = place < strips;
  const Strip s = strip_of(args, b, args.strip_begin + (rows ? place : 0));
  GradientBlock g;
  g.rows = rows;
  g.u = rows ? 0 : place - strips + 1;
  g.first = rows ? s.row : first_column(s, g.u);
  g.k0 = chunk * kBlockFeatures;
  g.log_quads = kParts - 1;
  while (4 * g.quads() < min(args.d - g.k0, kBlockFeatures)) ++g.log_quads;
  const Outcome outcome = outcome_of(args, s);
  const Shared<In> numbers = take<In>(memory, kGradientNumbers);
  if (outcome == Outcome::kSums && g.first < (rows ? s.m : s.n)) {
    add_up_gradients(args, s, g, numbers);
    return;
  }
  SDTW_UNROLL_BY(1)
  for (int quad = threadIdx.x; quad < kRows * g.quads();
       quad += kTileThreads) {
    const In v = outcome == Outcome::kNans ? not_a_number<In>() : In(0);
    const In values[4] = {v, v, v, v};
    g.write(args, s, quad, false, values);
  }
}

}  // namespace

// Both gradients of series, each where its pointer is not null. Blocks: for
// each pair, those for every strip (gx) and then for every tile of columns
// (gy), times one for every SDTW_GRADIENT_FEATURES features.
SDTW_KERNEL void SDTW_BOUNDS(kTileThreads, kGradientBlocks)
    soft_dtw_gradients(const Arguments args) {
  constexpr bool kHas = !kExplicit && !kUnivariate && sizeof(In) == sizeof(T);
  constexpr int kBytes = kHas ? kGradientNumbers * (int)sizeof(In) : 16;
  Shared<char> memory = shared_memory<kBytes>();
  if (kHas) series_gradients(args, memory);
}
