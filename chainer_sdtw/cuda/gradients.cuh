// The gradients that an alignment makes.
#pragma once

#include "tape.cuh"
#include "weights.cuh"

namespace {

struct Gradients {
  Global<const double> result;  // the values, and their tangents
  Global<const In> grad;        // the gradient with respect to the values
  Global<In> x, y;              // of all pairs; x is that of an explicit cost
  // With tangents: the tangent of grad, and where the alignment times grad is
  // written, or null.
  Global<const In> grad_tangent;
  Global<In> alignment;
};

// Sums of E times the slope over the cells of a segment, for four elements by
// four features a lane. `kChecked` where a step may lie outside of the
// segment.
struct GradientSums {
  T element[4][4], total[4][4];

  // Elements outside of the series are those of the nearest inside.
  SDTW_DEVICE void start(Global<const In> series, int first, int length, int d,
                         int k) {
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<const In> from =
          series + ((long long)within(first + i, length) * d + k);
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) {
        element[i][j] = k + j < d ? (T)from[j] : T(0);
        total[i][j] = 0;
      }
    }
  }

  // Add the sums to the gradient of elements inside. All are read before the
  // first is written, to wait for memory once.
  SDTW_DEVICE void add_to(Global<In> gradient, int first, int length, int d,
                          int k, T factor) const {
    In before[4][4];
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<In> from = gradient + ((long long)(first + i) * d + k);
      const bool inside = first + i >= 0 && first + i < length;
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j)
        before[i][j] = inside && k + j < d ? load_fresh(from, j) : In(0);
    }
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<In> to = gradient + ((long long)(first + i) * d + k);
      const bool inside = first + i >= 0 && first + i < length;
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (inside && k + j < d)
          to[j] = before[i][j] + (In)(factor * total[i][j]);
      }
    }
  }

  // Element i meets another one in the step `step + i * kSteps`.
  template <bool kChecked>
  SDTW_DEVICE void meet(Shared<const T> other, Shared<const T> plane, int step,
                        int row, int row_step) {
    T y[4];
    load4(other, y);
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int t = step + i;
      T e = 0;
      if (!kChecked || (t >= 0 && t < kSteps))
        e = plane[t * kStride + row + i * row_step];
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j)
        total[i][j] = PairCost::add_slope(total[i][j], e, element[i][j], y[j]);
    }
  }
};

// Add `factor` times a segment's sums to the gradient of the strip's rows; by
// one warp.
SDTW_DEVICE void gradient_of_rows(const Arguments& args, const Strip& s,
                                  Global<In> gradient, Shared<T> ys,
                                  Shared<const T> plane, int q, T factor) {
  const int lane = threadIdx.x % 32;
  const int row = lane / 4 * 4;
  const int column = s.column(q * kSteps) - (kRows - 1);
  for (int k0 = 0; k0 < args.d; k0 += kChunk) {
    const int k = k0 + lane % 4 * 4;
    __syncwarp();
    stage<kSegmentColumns>(s.y, column, s.n, args.d, k0, ys, kFeatureStride,
                           1);
    __syncwarp();
    GradientSums sums;
    sums.start(s.x, s.row + row, s.m, args.d, k);
    // Row + i is at the column of row `row` at step u in step u + i.
    Shared<const T> y = ys + ((kRows - 4 - row) * kFeatureStride + k - k0);
    int u = -3;
    SDTW_UNROLL_BY(1)
    for (; u < 0; ++u, y += kFeatureStride)
      sums.meet<true>(y, plane, u, row, 1);
    SDTW_UNROLL_BY(1)
    for (; u < kSteps - 3; ++u, y += kFeatureStride)
      sums.meet<false>(y, plane, u, row, 1);
    SDTW_UNROLL_BY(1)
    for (; u < kSteps; ++u, y += kFeatureStride)
      sums.meet<true>(y, plane, u, row, 1);
    sums.add_to(gradient, s.row + row, s.m, args.d, k, factor);
  }
}

// Add `factor` times a segment's sums to the gradient of half of its columns,
// to which the strips below have added theirs; by one warp.
SDTW_DEVICE void gradient_of_columns(const Arguments& args, const Strip& s,
                                     Global<In> gradient, Shared<T> xs,
                                     Shared<const T> plane, int q, int half,
                                     T factor) {
  const int lane = threadIdx.x % 32;
  const int c = lane / 4 * 4 + half * kRows;
  const int column = s.column(q * kSteps) - (kRows - 1) + c;
  // Row r is at column c + i in step c + i - 31 + r.
  const int from = max(kRows - 4 - c, 0);
  const int to = min(kSegmentColumns - 1 - c, kRows);
  for (int k0 = 0; k0 < args.d; k0 += kChunk) {
    const int k = k0 + lane % 4 * 4;
    __syncwarp();
    stage<kRows>(s.x, s.row, s.m, args.d, k0, xs, kFeatureStride, 1);
    __syncwarp();
    GradientSums sums;
    sums.start(s.y, column, s.n, args.d, k);
    SDTW_UNROLL_BY(1)
    for (int r = from; r < to; ++r)
      sums.meet<true>(xs + (r * kFeatureStride + k - k0), plane,
                      c - (kRows - 1) + r, r, 0);
    // The last of the columns has no cell in the segment.
    sums.add_to(gradient, column,
                c + 4 == kSegmentColumns ? min(s.n, column + 3) : s.n, args.d,
                k, factor);
  }
}

// Write a segment of the alignment times grad, or of the tangent of that; by
// the warps that help.
SDTW_DEVICE void cost_gradient(const Arguments& args, const Strip& s,
                               const Gradients& g, Shared<const T> plane,
                               int q, T grad, T grad_tangent) {
  const int step = threadIdx.x % kSteps;
  SDTW_UNROLL_BY(4)
  for (int r = threadIdx.x / 32 - 1; r < kRows; r += kFillers) {
    const int i = s.row + r;
    const int j = s.column(q * kSteps + step) - r;
    if (i >= s.m || j < 0 || j >= s.n) continue;
    const long long from = (long long)i * args.n + j;
    const long long to = (long long)s.b * args.m * args.n + from;
    const int at = step * kStride + r;
    const bool in_band =
        columns_of(args, s, r).has(j) && (In)s.x[from] < infinity<In>();
    const T e = in_band ? (T)plane[at] : T(0);
    if (kDual) {
      const T tangent = in_band ? (T)plane[kPlane + at] : T(0);
      g.x[to] = (In)fused(grad, tangent, product(grad_tangent, e));
      if (g.alignment) g.alignment[to] = (In)(grad * e);
    } else {
      g.x[to] = (In)(grad * e);
    }
  }
}

}  // namespace
