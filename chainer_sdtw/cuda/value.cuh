// The value sweep of a strip.
#pragma once

#include "front.cuh"

namespace {

template <class S>
SDTW_DEVICE void value_strip(const Arguments& args, const Strip& s,
                             Shared<char> memory, Global<double> result,
                             Global<In> value, Global<In> tangent) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  const Shared<Packed> below = take<Packed>(memory, kSteps);
  Weights weights;
  if (kSeries) weights.series = take<T>(memory, kSeries);
  Shared<T> planes;
  if (kValuePlanes) planes = take<T>(memory, kSets * kValuePlanes * kPlane);

  const int lane = threadIdx.x;
  const bool sweeps = threadIdx.x < kRows;
  const bool keep = s.index / args.slab_strips == args.fine_slab;
  const Global<Packed> edge = edge_below(args, s, s.index);
  const int segments = s.segments();
  Front<S> front;
  if (kUnivariate) weights.x = (T)s.x[within(s.row + lane, s.m)];
  if (kHelpers) {
    if (!sweeps)
      weights.template fill<S, false>(
          args, s, s.first_segment,
          set_of(planes, kValuePlanes, s.first_segment));
    __syncthreads();
  }
  for (int q = s.first_segment; q < segments; ++q) {
    if (sweeps) {
      if (kUnivariate) weights.load_series(s, q);
      const Span columns = columns_of(args, s, kAbove);
      if (lane == 0 && s.index > args.strip_begin) {
        const int segments_above = s.segments_of(kRows, columns.end);
        await(progress_of(args, s, s.index - 1),
              q + 2 < segments_above ? q + 2 : segments_above);
      }
      __syncwarp();
      load_edge<S>(args, s, q, columns, above);
      if (keep && q > s.first_segment) {
        const Global<Packed> to = state(args, s, q);
        to[lane] = S::pack(front.current);
        to[kRows + lane] = S::pack(front.diagonal);
      }
      __syncwarp();
      if (kHelpers) weights.use(set_of(planes, kValuePlanes, q));
      const int count = s.count(q);
      front.template sweep<false>(args, s, weights, q, count, above, below,
                                  planes);
      __syncwarp();
      const int j = s.column(q * kSteps + lane) - (kRows - 1);
      if (!s.last() && lane < count) {
        const Span columns = columns_of(args, s, kRows - 1);
        if (columns.has(j)) edge[j - columns.begin] = below[lane];
      }
      __syncwarp();
      if (lane == 0 && !s.last())
        publish(progress_of(args, s, s.index), q + 1);
    }
    if (kHelpers) {
      if (kSets == 1) __syncthreads();
      if (!sweeps && q + 1 < segments)
        weights.template fill<S, false>(args, s, q + 1,
                                        set_of(planes, kValuePlanes, q + 1));
      __syncthreads();
    }
  }
  if (s.last() && lane == (s.m - 1) % kRows) {
    double v = S::value(front.current, args.rate, kExplicit);
    if (columns_of(args, s, lane).end < s.n) v = infinity<double>();
    result[s.b] = v;
    value[s.b] = (In)v;
    if (s.route == Route::kCapped && (Turn)args.turn == Turn::kFirst &&
        S::is_out_of_range(front.current))
      args.noted[s.b] = 1;
    if (kDual) {
      const T t = v - v == 0 ? S::tangent(front.current) : T(0);
      result[args.batch + s.b] = t;
      tangent[s.b] = (In)t;
    }
  }
}

}  // namespace
