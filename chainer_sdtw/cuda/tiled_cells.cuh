// The weights or costs of all cells of some strips, see cells.cuh.
//
// A block computes some segments of a strip, a warp each. Of series, a lane
// has a tile of four rows by eight steps, and the tiles of a warp are those of
// the same 32 columns, so that few elements are read for many cells: in a
// segment, the steps of row group g (four rows) begin 4 * g steps later than
// those of the first. What would come after the last segment are cells outside
// of the table, and so are those that miss in the first one: they change
// places.
//
// Cells outside of a table have the weights of others (series) or of the cost
// 0 (matrices). No path comes from there, but their numbers must be finite.
#pragma once

#include "cells.cuh"
#include "features.cuh"
#include "route.cuh"

namespace {

constexpr int kCellThreads = SDTW_CELL_THREADS;
constexpr int kCellSegments = SDTW_CELL_SEGMENTS;  // of a block
static_assert(kCellThreads == 32 * kCellSegments, "a warp for each segment");
constexpr int kCellBlocks = sizeof(T) == 8 ? 2 : 3;  // per multiprocessor

// The first plane with something other than weights or costs.
constexpr int kThirdPlane = sizeof(T) == 8 ? 1 : 2;

// --- Series ---

constexpr int kTileRows = 4;
constexpr int kTileSteps = 8;
constexpr int kTileColumns = kTileRows + kTileSteps;  // one is not needed
// Elements that a block stages: the rows, and columns, 32 for each segment and
// what tiles need before the first. The stride is such that features of an
// element go to banks of their own.
constexpr int kWindow = kCellSegments * kSteps + kTileRows;
constexpr int kElements = kRows + kWindow;
constexpr int kElementStride = kElements + (sizeof(T) == 8 ? 2 : 0);
constexpr int kStagedFeatures = sizeof(T) == 8 ? 16 : 32;
constexpr int kStaged = kStagedFeatures * kElementStride;
// Two threads bring eight features of an element at a time, three elements one
// after the other.
constexpr int kElementStep = kCellThreads / 2;
constexpr int kSlots = (kElements + kElementStep - 1) / kElementStep;

// How features are added up: in float as it is, a chunk at a time, or with
// what rounding takes from differences and terms; in double one by one.
enum class Sums { kChunks, kExact, kDouble };
constexpr int kChunkFeatures = 16;

// Bits of exponent of a cost up to which float is good enough as it is.
constexpr double kPlainBits = 8192;

// The features of some elements, on their way to shared memory. Elements
// outside of a series are those of the nearest inside.
struct Stage {
  Global<const In> from[kSlots];
  int feature, element;
  bool quads;
  T unit;  // a power of two, above all differences

  // `first` is the column of the window's first element.
  SDTW_DEVICE Stage(const Arguments& args, const Strip& s, int first, T unit)
      : feature(threadIdx.x % 2 * 4),
        element(threadIdx.x / 2),
        quads(has_quads(args)),
        unit(unit) {
    SDTW_UNROLL
    for (int i = 0; i < kSlots; ++i) {
      const int e = element + i * kElementStep;
      const long long at =
          e < kRows ? within(s.row + e, s.m) : within(first + e - kRows, s.n);
      from[i] = (e < kRows ? s.x : s.y) + (at * args.d + feature);
    }
  }

  template <Sums kSums>
  SDTW_DEVICE void bring(int k0, int count, Shared<T> to) const {
    if (quads)
      bring<kSums, true>(k0, count, to);
    else
      bring<kSums, false>(k0, count, to);
  }

 private:
  template <Sums kSums, bool kQuads>
  SDTW_DEVICE void bring(int k0, int count, Shared<T> to) const {
    SDTW_UNROLL_BY(1)
    for (int f = 0; f + feature < count; f += 8) {
      In v[kSlots][4];
      SDTW_UNROLL
      for (int i = 0; i < kSlots; ++i)
        fetch_features(from[i] + (k0 + f), count - f - feature, kQuads, v[i]);
      SDTW_UNROLL
      for (int i = 0; i < kSlots; ++i) {
        const int at =
            (f + feature) * kElementStride + element + i * kElementStep;
        if (has_element(i)) {
          SDTW_UNROLL
          for (int k = 0; k < 4; ++k)
            put<kSums>(to, at + k * kElementStride, (T)v[i][k]);
        }
      }
    }
  }

  SDTW_DEVICE bool has_element(int i) const {
    return (i + 1) * kElementStep <= kElements ||
           element + i * kElementStep < kElements;
  }

  // For exact sums as two numbers: differences of the first ones are exact.
  template <Sums kSums>
  SDTW_DEVICE void put(Shared<T> to, int at, T v) const {
    if (kSums == Sums::kExact) {
      const T head = fabs(v) < unit ? sum(sum(v, 3 * unit), -3 * unit) : v;
      to[at] = head;
      to[kStaged / 2 + at] = PairCost::kTermFactor * sum(v, -head);
    } else {
      to[at] = v;
    }
  }
};

// Four neighbours at a time.
template <int kCount>
SDTW_DEVICE void load_all(Shared<const T> from, T* to) {
  SDTW_UNROLL
  for (int i = 0; i < kCount; i += 4) load4(from + i, to + i);
}

// Costs of a lane's tile, and what float could not hold of them.
struct CostTile {
  T high[kTileRows][kTileSteps], low[kTileRows][kTileSteps];

  // Sums begin with `start`, which no term is above; it is taken off again.
  template <Sums kSums>
  SDTW_DEVICE void compute(const Stage& stage, int d, int row, int column,
                           T start, Shared<T> staged) {
    SDTW_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      SDTW_UNROLL
      for (int j = 0; j < kTileSteps; ++j) high[i][j] = start, low[i][j] = 0;
    }
    constexpr int kTurn =
        kSums == Sums::kExact ? kStagedFeatures / 2 : kStagedFeatures;
    SDTW_UNROLL_BY(1)
    for (int k0 = 0; k0 < d; k0 += kTurn) {
      const int count = min(d - k0, kTurn);
      __syncthreads();
      stage.bring<kSums>(k0, count, staged);
      __syncthreads();
      if (kSums == Sums::kChunks) {
        SDTW_UNROLL_BY(1)
        for (int f = 0; f < count; f += kChunkFeatures)
          add_chunk(staged + f * kElementStride,
                    min(count - f, kChunkFeatures), row, column);
      } else {
        add_features<kSums>(staged, count, row, column, high);
      }
    }
    if (kSums != Sums::kDouble) {
      SDTW_UNROLL
      for (int i = 0; i < kTileRows; ++i) {
        SDTW_UNROLL
        for (int j = 0; j < kTileSteps; ++j) {
          const T h = sum(high[i][j], -start);
          high[i][j] = sum(h, low[i][j]);
          low[i][j] = sum(low[i][j], -sum(high[i][j], -h));
        }
      }
    }
  }

 private:
  // Chunks begin with what the sum of those before could not hold.
  SDTW_DEVICE void add_chunk(Shared<const T> staged, int count, int row,
                             int column) {
    add_features<Sums::kChunks>(staged, count, row, column, low);
    SDTW_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      SDTW_UNROLL
      for (int j = 0; j < kTileSteps; ++j) {
        const T before = high[i][j];
        high[i][j] = sum(before, low[i][j]);
        low[i][j] = sum(low[i][j], -sum(high[i][j], -before));
      }
    }
  }

  template <Sums kSums>
  SDTW_DEVICE void add_features(Shared<const T> staged, int count, int row,
                                int column,
                                T (&total)[kTileRows][kTileSteps]) {
    constexpr int kUnroll =
        PairCost::kUnroll * (kSums == Sums::kChunks ? 2 : 1);
    SDTW_UNROLL_BY(kUnroll)
    for (int f = 0; f < count; ++f, staged += kElementStride) {
      T x[kTileRows], y[kTileColumns], x_rest[kTileRows], y_rest[kTileColumns];
      load_all<kTileRows>(staged + row, x);
      load_all<kTileColumns>(staged + (kRows + column), y);
      if (kSums == Sums::kExact) {
        load_all<kTileRows>(staged + (kStaged / 2 + row), x_rest);
        load_all<kTileColumns>(staged + (kStaged / 2 + kRows + column),
                               y_rest);
      }
      SDTW_UNROLL
      for (int i = 0; i < kTileRows; ++i) {
        SDTW_UNROLL
        for (int j = 0; j < kTileSteps; ++j) {
          const int at = kTileRows + j - i;
          const T a = sum(x[i], -y[at]);
          const T before = total[i][j];
          total[i][j] = PairCost::add(before, a);
          if (kSums == Sums::kExact) {
            low[i][j] += PairCost::add(sum(before, -total[i][j]), a);
            low[i][j] =
                PairCost::add_rest(low[i][j], a, sum(x_rest[i], -y_rest[at]));
          }
        }
      }
    }
  }
};

// Four steps of a row, the first at a multiple of four, become numbers of a
// segment.
SDTW_DEVICE void store_costs(const Arguments& args, const Rate<T>& rate,
                             long long segment, int place, const T* cost,
                             const T* rest) {
  const Global<T> to = plane_of<T>(args, segment, 0) + place;
  if (sizeof(T) == 8 || args.rate == 0) {
    store4(to, cost);
  } else {
    T fraction[4], exponent[4];
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      Exponent n;
      weigh<kExplicit>(rate, cost[i], rest[i], fraction[i], n);
      exponent[i] = Format<T>::as_number(n);
    }
    store4(to, fraction);
    store4(to + kSegmentCells, exponent);
  }
}

// Raise the largest cost of a pair to that of a warp. Bits of costs compare as
// integers, and NaN is above all.
SDTW_DEVICE void raise_largest(const Arguments& args, const Strip& s,
                               int bits) {
  SDTW_UNROLL
  for (int i = 16; i > 0; i /= 2)
    bits = max(bits, __shfl_xor_sync(kAllLanes, bits, i));
  const float largest = from_bits(bits);
  if (threadIdx.x % 32 == 0)
    raise(args.cost_bounds + (kBounds * s.b + 2),
          largest == largest ? (double)largest : infinity<double>());
}

SDTW_DEVICE void series_cells(const Arguments& args, const Strip& s, int q0,
                              Shared<char> memory) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  // Lanes of which only the first bit differs have the same columns, those of
  // which only the second one differs the same rows.
  const int group = (lane & 1) | (lane >> 1 & 2) | (lane >> 2 & 4);
  const int turn = (lane >> 1 & 1) | (lane >> 2 & 2);
  const int row = group * kTileRows;
  const int offset = warp * kSteps + turn * kTileSteps;
  const Shared<T> staged = take<T>(memory, kStaged);
  const double bound = args.cost_bounds[kBounds * s.b];
  const double total = PairCost::kRoot ? bound * bound : bound;
  const Stage stage(args, s, s.column(q0 * kSteps) - kTileRows,
                    (T)above(PairCost::reach(total)));
  CostTile tile;
  if (sizeof(T) == 8)
    tile.compute<Sums::kDouble>(stage, args.d, row, offset, T(0), staged);
  else if (bound * args.rate < kPlainBits)
    tile.compute<Sums::kChunks>(stage, args.d, row, offset, (T)(2 * total),
                                staged);
  else
    tile.compute<Sums::kExact>(stage, args.d, row, offset, (T)(2 * total),
                               staged);
  const int end = s.segments();
  if (q0 + warp >= end) return;
  const Rate<T> rate(args.rate);
  int largest = 0;
  SDTW_UNROLL
  for (int j = 0; j < kTileSteps; j += 4) {
    int step = q0 * kSteps + offset + row + j;
    if (step >= end * kSteps) step -= (end - s.first_segment) * kSteps;
    const long long segment = segment_number(args, s, step / kSteps);
    SDTW_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      const int place = cell_place(step % kSteps, row + i);
      T* cost = tile.high[i] + j;
      T* rest = tile.low[i] + j;
      if (PairCost::kRoot) {
        T factor[4];
        SDTW_UNROLL
        for (int k = 0; k < 4; ++k) root(cost[k], rest[k], factor[k]);
        if (sizeof(T) == 4)
          store4(plane_of<T>(args, segment, kThirdPlane) + place, factor);
      }
      if (sizeof(T) == 4) {
        SDTW_UNROLL
        for (int k = 0; k < 4; ++k)
          largest = max(largest, to_bits((float)fabs(cost[k])));
      }
      store_costs(args, rate, segment, place, cost, rest);
    }
  }
  if (sizeof(T) == 4) raise_largest(args, s, largest);
}

// --- Cost matrices ---

// A warp takes eight times four steps of four rows at a time.
SDTW_DEVICE void matrix_cells(const Arguments& args, const Strip& s, int q) {
  if (q >= s.segments()) return;
  const Rate<T> rate(args.rate);
  const long long segment = segment_number(args, s, q);
  const int step = threadIdx.x / 4 % 8 * 4;
  const Global<const In> directions =
      kDual ? args.direction + (long long)s.b * args.direction_stride
            : args.direction;
  SDTW_UNROLL_BY(2)
  for (int row = threadIdx.x % 4; row < kRows; row += 4) {
    const long long i = s.row + row;
    const int j = s.column(q * kSteps + step) - row;
    T cost[4], direction[4], rest[4] = {};
    SDTW_UNROLL
    for (int k = 0; k < 4; ++k) {
      const bool inside = i < s.m && j + k >= 0 && j + k < s.n;
      const long long from = i * args.n + j + k;
      cost[k] = inside ? widen<T>(s.x[from]) : T(0);
      direction[k] = kDual && inside ? (T)directions[from] : T(0);
    }
    if (sizeof(T) == 4) {
      SDTW_UNROLL
      for (int k = 0; k < 4; ++k) {
        // A capped cost has no part in the tangent, but a direction of any
        // size.
        const T c =
            args.rate == 0 ? cost[k] : fmin(cost[k], (T)args.forbidden);
        if (c != cost[k] || c == infinity<T>()) direction[k] = 0;
        cost[k] = c;
      }
    }
    const int place = cell_place(step, row);
    store_costs(args, rate, segment, place, cost, rest);
    if (kDual)
      store4(plane_of<T>(args, segment, kThirdPlane) + place, direction);
  }
}

// Whether this module computes the cells of a pair.
SDTW_DEVICE bool has_cells(const Arguments& args, const Strip& s) {
  if (kExplicit || sizeof(T) == 8) {
    const Route route = route_of(args, s);
    return route != Route::kNone && route != Route::kNan;
  }
  const double bound = args.cost_bounds[kBounds * s.b];
  return s.valid && bound == bound;
}

}  // namespace

// Blocks: for each pair and strip, one for every SDTW_CELL_SEGMENTS segments.
SDTW_KERNEL void SDTW_BOUNDS(kCellThreads, kCellBlocks)
    soft_dtw_cells(const Arguments args) {
  if (kUnivariate) return;
  constexpr bool kOfSeries = !kExplicit && !kUnivariate;
  constexpr int kBytes = kOfSeries ? kStaged * (int)sizeof(T) : 16;
  Shared<char> memory = shared_memory<kBytes>();
  const int parts = (args.segments + kCellSegments - 1) / kCellSegments;
  const int strips = args.strip_end - args.strip_begin;
  const int strip = (int)blockIdx.x / parts;
  const Strip s = strip_of(args, args.pair_begin + strip / strips,
                           args.strip_begin + strip % strips);
  const int q0 =
      s.first_segment + ((int)blockIdx.x - strip * parts) * kCellSegments;
  if (sizeof(T) == 8 && sizeof(In) == 4 && args.counts[kWidePairs] == 0)
    return;
  if (s.index >= s.strips || q0 >= s.segments() || !has_cells(args, s)) return;
  if (kOfSeries)
    series_cells(args, s, q0, memory);
  else if (kExplicit)
    matrix_cells(args, s, q0 + (int)threadIdx.x / 32);
}
