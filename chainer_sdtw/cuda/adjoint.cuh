// The adjoint sweep of a strip.
#pragma once

#include "front.cuh"
#include "gradients.cuh"

namespace {

// The mass of the alignment on its way back through a strip.
struct Mass {
  T keep, hand, diagonal;  // to the left, up, and up one step later
  T x_sum, y_sum;          // univariate: sums of E times the slope
  // With tangents: those of the first three.
  T keep_tangent, hand_tangent, diagonal_tangent;

  // Sweep a segment back, by one warp; the alignment replaces the shares to
  // the left, its tangent those up. Takes what the strip below hands to the
  // last row and puts what the first row hands on. `inverse_gamma` is 0 for
  // gamma = 0.
  SDTW_DEVICE void back(const Weights& weights, Shared<T> plane, int count,
                        T inverse_gamma, Shared<const T> from_below,
                        Shared<T> to_above, Shared<T> y_sums) {
    const int lane = threadIdx.x;
    for (int step0 = count - kGroup; step0 >= 0; step0 -= kGroup) {
      T left[kGroup], up[kGroup], diagonal_share[kGroup], edge[kGroup];
      T left_tangent[kGroup], up_tangent[kGroup], edge_tangent[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        const int at = (step0 + i) * kStride + lane;
        left[i] = plane[at];
        up[i] = plane[kPlane + at];
        diagonal_share[i] = plane[2 * kPlane + at];
        edge[i] = from_below[step0 + i];
        if (kDual) {
          left_tangent[i] = plane[3 * kPlane + at];
          up_tangent[i] = plane[4 * kPlane + at];
          edge_tangent[i] = from_below[kSteps + step0 + i];
        }
      }
      SDTW_UNROLL
      for (int i = kGroup - 1; i >= 0; --i) {
        const int step = step0 + i;
        T below = __shfl_down_sync(0xffffffffu, hand, 1);
        if (lane == kRows - 1) below = edge[i];
        const T e = keep + below;
        if (kDual) {
          T below_tangent = __shfl_down_sync(0xffffffffu, hand_tangent, 1);
          if (lane == kRows - 1) below_tangent = edge_tangent[i];
          const T tangent = keep_tangent + below_tangent;
          // A share p changes by -p (its tangent - their mean) / gamma.
          const T e_per_gamma = product(e, inverse_gamma);
          const T mean =
              fused(up[i], up_tangent[i], product(left[i], left_tangent[i]));
          keep_tangent = product(left[i], fused(sum(mean, -left_tangent[i]),
                                                e_per_gamma, tangent));
          hand_tangent = fused(
              up[i], fused(sum(mean, -up_tangent[i]), e_per_gamma, tangent),
              diagonal_tangent);
          diagonal_tangent =
              product(diagonal_share[i], fused(mean, e_per_gamma, tangent));
          plane[kPlane + step * kStride + lane] = tangent;
        }
        keep = product(left[i], e);
        hand = fused(up[i], e, diagonal);
        diagonal = product(diagonal_share[i], e);
        if (kUnivariate) {
          const T y = weights.series[step + kRows - 1 - lane];
          const T a = PairCost::slope(sum(weights.x, -y));
          x_sum = fused(e, a, x_sum);
          T y_sum_below = __shfl_down_sync(0xffffffffu, y_sum, 1);
          if (lane == kRows - 1) y_sum_below = 0;
          y_sum = fused(-e, a, y_sum_below);
        } else if (PairCost::kRoot) {
          plane[step * kStride + lane] =
              product(e, weights.factor(step, lane)[0]);
        } else {
          plane[step * kStride + lane] = e;
        }
        if (lane == 0) {
          to_above[step] = hand;
          if (kDual) to_above[kSteps + step] = hand_tangent;
          if (kUnivariate) y_sums[step] = y_sum;
        }
      }
    }
    if (!kUnivariate) {
      for (int step = count; step < kSteps; ++step) {
        plane[step * kStride + lane] = 0;
        if (kDual) plane[kPlane + step * kStride + lane] = 0;
      }
    }
  }
};

// The progress of the strip below when it is done with a segment on its way
// back, or has added to the gradient of all its columns in that segment.
SDTW_DEVICE int progress_below(const Arguments& args, const Strip& s, int q,
                               bool gradient = false) {
  const int rows = min(s.m - s.row - kRows, kRows);
  const int end = columns_of(args, s, kLastBelow).end;
  const int first = s.segment_of(columns_of(args, s, kBelow).begin);
  // Columns of the segment before the first too, where there is one.
  const int last = gradient && first > 0 ? first - 1 : first;
  return s.segments_of(rows, end) - max(q, last);
}

// What the strip below hands to this lane's column of the last row.
SDTW_DEVICE void load_masses(const Arguments& args, const Strip& s,
                             Global<T> masses, int j, Shared<T> to) {
  const Span columns = columns_of(args, s, kRows - 1);
  const bool has_below = !s.last() && columns.has(j) &&
                         j >= columns_of(args, s, kBelow).begin - 1;
  SDTW_UNROLL
  for (int k = 0; k < kMasses; ++k)
    to[k * kSteps] =
        has_below
            ? load_fresh(masses, (long long)k * args.edge + j - columns.begin)
            : T(0);
}

// What the warps that help do with the alignment of a segment.
SDTW_DEVICE void gradients_of_segment(const Arguments& args, const Strip& s,
                                      const Gradients& g, Shared<T> series,
                                      Shared<const T> plane, int q, T grad,
                                      T grad_tangent, bool bottom) {
  if (kExplicit) {
    cost_gradient(args, s, g, plane, q, grad, grad_tangent);
  } else if (threadIdx.x / 32 == 1) {
    if (g.x)
      gradient_of_rows(args, s, g.x + (long long)s.b * args.m * args.d, series,
                       plane, q, PairCost::kFactor * grad);
  } else if (g.y) {
    // Each column belongs to the second half of a segment and to the first
    // half of the next, which comes earlier. When a second half is done, so
    // is the first half of the segment before, a barrier ago.
    const int helper = threadIdx.x / 32;
    const int last = kHelpers == 2 || helper == 3;
    const Global<int> progress = progress_of(args, s, s.index, true);
    for (int half = kHelpers == 2 ? 0 : last; half <= last; ++half) {
      if (threadIdx.x % 32 == 0 && !bottom)
        await(progress_of(args, s, s.index + 1, true),
              progress_below(args, s, half ? q : q - 1, true));
      __syncwarp();
      gradient_of_columns(args, s, g.y + (long long)s.b * args.n * args.d,
                          series + (helper - 1) * kStage, plane, q, half,
                          PairCost::kFactor * grad);
    }
    __syncwarp();
    if (threadIdx.x % 32 == 0 && last && s.index > args.strip_begin)
      publish(progress, s.segments() - q);
  }
}

template <class S>
SDTW_DEVICE void adjoint_strip(const Arguments& args, const Strip& s,
                               Shared<char> memory, const Gradients& g) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  Weights weights;
  if (kSeries) weights.series = take<T>(memory, kSeries);
  const Shared<T> planes = take<T>(memory, kSets * kAdjointPlanes * kPlane);
  const Shared<T> from_below = take<T>(memory, kMasses * kSteps);
  const Shared<T> to_above = take<T>(memory, kMasses * kSteps);
  const Shared<T> y_sums = take<T>(memory, kSteps);

  const double value = g.result[s.b];
  const bool has_path = value - value == 0 || !(kExplicit || args.band);
  const T grad = has_path ? (T)g.grad[s.b] : T(0);
  const T grad_tangent = kDual && has_path ? (T)g.grad_tangent[s.b] : T(0);
  const T inverse_gamma = (T)(args.rate * 0.6931471805599453);
  const int lane = threadIdx.x;
  const bool sweeps = threadIdx.x < kRows;
  // Whether this launch does not sweep the strip below.
  const bool bottom = s.index + 1 >= min(s.strips, args.strip_end);
  const int segments = s.segments();
  Mass mass = {};
  if (s.last() && lane == (s.m - 1) % kRows) mass.keep = 1;
  if (kUnivariate) weights.x = (T)s.x[within(s.row + lane, s.m)];
  Shared<Strip> shared_strip;
  if (kHelpers) {
    shared_strip = take<Strip>(memory, 1);
    if (threadIdx.x == 0) shared_strip[0] = s;
    if (!sweeps)
      weights.template fill<S, true>(
          args, s, s.segments() - 1,
          set_of(planes, kAdjointPlanes, s.segments() - 1) + kPlane);
    __syncthreads();
  }
  const Strip own_strip = s;
  for (int q = s.segments() - 1;; --q) {
    // Read again in every turn: what the compiler derives from it before the
    // loop would take too many registers.
    const Strip s = kHelpers ? (Strip)shared_strip[0] : own_strip;
    if (q <= s.first_segment - kSets) break;
    if (sweeps && q >= s.first_segment) {
      const Global<T> masses = cast<T>(running_edge(args, s));
      if (kUnivariate) weights.load_series(s, q);
      if (lane == 0 && !bottom)
        await(progress_of(args, s, s.index + 1),
              progress_below(args, s, q - 1));
      __syncwarp();
      const int j = s.column(q * kSteps + lane);
      const Span columns = columns_of(args, s, kAbove);
      load_edge<S>(args, s, q, columns, above);
      load_masses(args, s, masses, j - (kRows - 1), from_below + lane);
      Front<S> front;
      if (q > s.first_segment) {
        const Global<Packed> from = state(args, s, q);
        front.current = S::unpack(from[lane]);
        front.diagonal = S::unpack(from[kRows + lane]);
      }
      __syncwarp();
      const Shared<T> plane = set_of(planes, kAdjointPlanes, q);
      weights.use(plane + kPlane);
      const int count = s.count(q);
      front.template sweep<true>(args, s, weights, q, count, above, above,
                                 plane);
      mass.back(weights, plane, count, inverse_gamma, from_below, to_above,
                y_sums);
      __syncwarp();
      if (s.index > 0 && lane < count && columns.has(j)) {
        SDTW_UNROLL
        for (int k = 0; k < kMasses; ++k)
          masses[(long long)k * args.edge + j - columns.begin] =
              to_above[k * kSteps + lane];
      }
      if (kUnivariate && g.y && lane < count && j >= 0 && j < s.n) {
        const Global<In> to = g.y + ((long long)s.b * args.n + j);
        to[0] =
            load_fresh(to, 0) + (In)(PairCost::kFactor * grad * y_sums[lane]);
      }
      __syncwarp();
      if (lane == 0 && s.index > args.strip_begin)
        publish(progress_of(args, s, s.index), segments - q);
    }
    if (kHelpers) {
      if (kSets == 1) __syncthreads();
      if (!sweeps) {
        const int done = q + kSets - 1;
        if (done < segments)
          gradients_of_segment(args, s, g, weights.series,
                               set_of(planes, kAdjointPlanes, done), done,
                               grad, grad_tangent, bottom);
        if (q > s.first_segment)
          weights.template fill<S, true>(
              args, s, q - 1, set_of(planes, kAdjointPlanes, q - 1) + kPlane);
      }
      __syncthreads();
    }
  }
  if (kHelpers && g.y && s.index > args.strip_begin && s.first_segment > 0 &&
      lane == 0)
    publish(progress_of(args, s, s.index, true),
            s.segments() - s.first_segment + 1);
  if (kUnivariate && g.x && s.row + lane < s.m)
    g.x[(long long)s.b * args.m + s.row + lane] =
        (In)(PairCost::kFactor * grad * mass.x_sum);
}

// Gradients of a pair whose value is NaN.
SDTW_DEVICE void fill_nan(const Arguments& args, const Strip& s,
                          const Gradients& g) {
  const In nan = (In)from_bits(0x7ff8000000000000ll);
  const int rows = s.m - s.row < kRows ? s.m - s.row : kRows;
  const long long width = kExplicit ? args.n : args.d;
  const int valid = kExplicit ? s.n : args.d;
  for (int r = 0; r < rows; ++r) {
    const long long from = ((long long)s.b * args.m + s.row + r) * width;
    for (int k = threadIdx.x; k < valid; k += kThreads) {
      if (g.x) g.x[from + k] = nan;
      if (kDual && g.alignment) g.alignment[from + k] = nan;
    }
  }
  if (g.y && s.index == 0) {
    const long long count = (long long)s.n * args.d;
    for (long long k = threadIdx.x; k < count; k += kThreads)
      g.y[(long long)s.b * args.n * args.d + k] = nan;
  }
}

}  // namespace
