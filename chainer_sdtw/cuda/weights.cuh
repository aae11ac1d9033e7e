// The weights of cells, or their costs.
#pragma once

#include "strip.cuh"

namespace {

// Bring some elements of a series to shared memory, one warp's work: each lane
// has one feature of every other element. Elements outside of the series are
// those of the nearest inside, features outside are 0.
template <int kCount>
SDTW_DEVICE void stage(Global<const In> series, int first, int length, int d,
                       int k0, Shared<T> to, int element, int feature) {
  const int k = threadIdx.x % kChunk;
  const int i0 = threadIdx.x / kChunk % 2;
  const bool inside = k0 + k < d;
  // Several loads on their way at a time, but not so many that their numbers
  // take the registers of everything else.
  constexpr int kBatch = sizeof(T) == 8 ? 4 : kCount % 24 ? 16 : 12;
  static_assert(kCount / 2 % kBatch == 0, "whole batches");
  SDTW_UNROLL_BY(1)
  for (int j0 = i0; j0 < kCount; j0 += 2 * kBatch) {
    In v[kBatch];
    SDTW_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      const long long i = within(first + j0 + 2 * j, length);
      v[j] = inside ? (In)series[i * d + k0 + k] : In(0);
    }
    SDTW_UNROLL
    for (int j = 0; j < kBatch; ++j)
      to[(j0 + 2 * j) * element + k * feature] = (T)v[j];
  }
}

// A cost as it is weighed: at most that of a forbidden cell. Float sweeps take
// no series whose costs come near it.
template <class S>
SDTW_DEVICE T capped(const Arguments& args, T c) {
  if (S::kLogSpace || (sizeof(T) == 4 && !kExplicit)) return c;
  const T forbidden = args.forbidden;
  return c < forbidden ? c : forbidden;
}

// The weights of a segment's cells. For univariate series they are computed
// from this lane's element and those of all columns in shared memory, else
// read from two planes of fractions and exponents. Cells outside of the table
// have the weights of the nearest inside or, with explicit costs, of the cost
// 0.
struct Weights {
  Shared<T> series;
  T x;  // univariate: this lane's
  Shared<T> fractions;

  SDTW_DEVICE void use(Shared<T> planes) { fractions = planes; }

  // Where the factor of a cell's gradient is, for the adjoint sweep.
  SDTW_DEVICE Shared<T> factor(int step, int row) const {
    const Shared<T> from = kSets == 2 ? fractions + 2 * kPlane : series;
    return from + (step * kStride + step / kHalf * kFactorGap + row);
  }

  // The weight of this lane's cell at a step of the segment; its cost in log
  // space.
  template <class S>
  SDTW_DEVICE Weight<T> weight(const Arguments& args, const Rate<T>& rate,
                               int step) const {
    const int lane = threadIdx.x;
    Weight<T> cell = {};
    if (kUnivariate) {
      const T y = series[step + kRows - 1 - lane];
      const T a = sum(x, -y);
      const T c = PairCost::term(a);
      if (S::kLogSpace) {
        cell.fraction = c;
        return cell;
      }
      // What rounding left out of the difference and of the cost.
      const T y_part = sum(a, -x);
      const T x_part = sum(a, -y_part);
      const T a_rest = sum(sum(x, -x_part), -sum(y, y_part));
      const T c_rest = PairCost::rest(a, a_rest, c);
      weigh<false>(rate, capped<S>(args, c), c_rest, cell.fraction,
                   cell.exponent);
      return cell;
    }
    const int at = step * kStride + lane;
    cell.fraction = fractions[at];
    if (!S::kLogSpace)
      cell.exponent = Format<T>::as_exponent(fractions[kPlane + at]);
    if (kDual) cell.direction = fractions[2 * kPlane + at];
    return cell;
  }

  // Univariate: the columns of a segment, by the warp that sweeps.
  SDTW_DEVICE void load_series(const Strip& s, int q) {
    const int column = s.column(q * kSteps) - (kRows - 1);
    SDTW_UNROLL
    for (int i = 0; i < kSegmentColumns; i += kRows)
      series[i + threadIdx.x] = (T)s.y[within(column + i + threadIdx.x, s.n)];
  }

  // Otherwise: the planes of a segment, by the warps that help.
  template <class S, bool kAdjoint>
  SDTW_DEVICE void fill(const Arguments& args, const Strip& s, int q,
                        Shared<T> planes) {
    use(planes);
    if (threadIdx.x / 32 > kFillers) return;
    if (kExplicit)
      explicit_costs<S>(args, s, q);
    else
      distances<S, kAdjoint>(args, s, q);
  }

 private:
  template <class S, bool kLarge>
  SDTW_DEVICE void put(const Rate<T>& rate, int at, T cost, T rest) {
    if (S::kLogSpace) {
      fractions[at] = cost;
      return;
    }
    T fraction;
    Exponent exponent;
    weigh<kLarge>(rate, cost, rest, fraction, exponent);
    fractions[at] = fraction;
    fractions[kPlane + at] = Format<T>::as_number(exponent);
  }

  template <class S>
  SDTW_DEVICE void explicit_costs(const Arguments& args, const Strip& s,
                                  int q) {
    const Rate<T> rate(args.rate);
    const int step = threadIdx.x % kSteps;
    SDTW_UNROLL_BY(8)
    for (int r = threadIdx.x / 32 - 1; r < kRows; r += kFillers) {
      const int i = s.row + r;
      const int j = s.column(q * kSteps + step) - r;
      T c = 0;
      T direction = 0;
      if (i < s.m && j >= 0 && j < s.n) {
        const long long from = (long long)i * args.n + j;
        const T cost = (T)s.x[from];
        c = capped<S>(args, cost);
        // A capped cost has no part in the tangent, but a direction of any
        // size.
        if (kDual && c == cost && c < infinity<T>())
          direction = (T)s.direction[from];
      }
      const int at = step * kStride + r;
      put<S, true>(rate, at, c, T(0));
      if (kDual) fractions[2 * kPlane + at] = direction;
    }
  }

  // Each warp takes half of the steps, each lane four rows by four steps. Sums
  // of the features of a chunk are added with what rounding takes from them.
  template <class S, bool kAdjoint>
  SDTW_DEVICE void distances(const Arguments& args, const Strip& s, int q) {
    const int helper = threadIdx.x / 32 - 1;
    const int lane = threadIdx.x % 32;
    const int r0 = lane % 8 * 4;
    const int t0 = lane / 8 * 4;
    const int column = s.column(q * kSteps + helper * kHalf) - (kRows - 1);
    const Shared<T> xs = series + helper * kStage;
    const Shared<T> ys = xs + kChunk * kRowStride;
    T high[4][4], low[4][4];
    for (int k0 = 0; k0 < args.d; k0 += kChunk) {
      const int count = args.d - k0 < kChunk ? args.d - k0 : kChunk;
      __syncwarp();
      stage<kRows>(s.x, s.row, s.m, args.d, k0, xs, 1, kRowStride);
      stage<kHalfColumns>(s.y, column, s.n, args.d, k0, ys, 1, kColumnStride);
      __syncwarp();
      T part[4][4] = {};
      constexpr int kUnroll = PairCost::kUnroll;
      SDTW_UNROLL_BY(kUnroll)
      for (int f = 0; f < count; ++f) {
        T a[4], b[7];
        load4(xs + (f * kRowStride + r0), a);
        SDTW_UNROLL
        for (int i = 0; i < 7; ++i)
          b[i] = ys[f * kColumnStride + t0 - r0 + kRows - 4 + i];
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i) {
          SDTW_UNROLL
          for (int j = 0; j < 4; ++j) {
            part[i][j] = PairCost::add(part[i][j], a[i] - b[j - i + 3]);
          }
        }
      }
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i) {
        SDTW_UNROLL
        for (int j = 0; j < 4; ++j) {
          if (k0 == 0) {
            high[i][j] = part[i][j];
            low[i][j] = 0;
          } else {
            const T before = high[i][j];
            high[i][j] = sum(before, part[i][j]);
            const T part_in = sum(high[i][j], -before);
            const T before_in = sum(high[i][j], -part_in);
            low[i][j] +=
                sum(sum(before, -before_in), sum(part[i][j], -part_in));
          }
        }
      }
    }
    const Rate<T> rate(args.rate);
    if (PairCost::kRoot && kAdjoint) __syncwarp();
    SDTW_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int step = helper * kHalf + t0 + j;
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i) {
        T c = high[i][j];
        T rest = low[i][j];
        if (PairCost::kRoot) {
          T cell_factor;
          root(c, rest, cell_factor);
          if (kAdjoint) factor(step, r0 + i)[0] = cell_factor;
        }
        put<S, false>(rate, step * kStride + r0 + i, capped<S>(args, c), rest);
      }
    }
  }
};

}  // namespace
