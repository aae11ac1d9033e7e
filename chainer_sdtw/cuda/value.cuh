// The value sweep of a strip.
#pragma once

#include "front.cuh"

namespace {

template <class S>
SDTW_DEVICE void value_strip(const Sweep& w, const Strip& s,
                             Shared<char> memory, Global<double> result,
                             Global<In> value, Global<In> tangent) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  const Shared<Packed> below = take<Packed>(memory, kSteps);
  Costs costs;
  if (kSeries) costs.series = take<T>(memory, kSeries);
  Shared<T> planes;
  if (kValuePlanes) planes = take<T>(memory, kSets * kValuePlanes * kPlane);

  const int lane = threadIdx.x;
  const bool sweeps = threadIdx.x < kRows;
  const bool keep = s.index / w.slab_strips == w.kept;
  const Global<Packed> edge = edge_below(w, s, s.index);
  const int segments = s.segments();
  Front<S> front;
  if (kUnivariate) costs.x = (T)s.x[within(s.row + lane, s.m)];
  if (kHelpers) {
    if (!sweeps)
      costs.template fill<S, false>(w, s, s.start,
                                    set_of(planes, kValuePlanes, s.start));
    __syncthreads();
  }
  for (int q = s.start; q < segments; ++q) {
    if (sweeps) {
      if (kUnivariate) costs.load_series(s, q);
      const Range columns = columns_of(w, s, kAbove);
      if (lane == 0 && s.index > w.first) {
        const int all = s.segments_of(kRows, columns.stop);
        await(progress_of(w, s, s.index - 1), q + 2 < all ? q + 2 : all);
      }
      __syncwarp();
      load_edge<S>(w, s, q, columns, above);
      if (keep && q > s.start) {
        const Global<Packed> to = state(w, s, q);
        to[lane] = S::pack(front.current);
        to[kRows + lane] = S::pack(front.diagonal);
      }
      __syncwarp();
      if (kHelpers) costs.use(set_of(planes, kValuePlanes, q));
      const int count = s.count(q);
      front.template sweep<false>(w, s, costs, q, count, above, below, planes);
      __syncwarp();
      const int j = s.column(q * kSteps + lane) - (kRows - 1);
      if (!s.last() && lane < count) {
        const Range columns = columns_of(w, s, kRows - 1);
        if (columns.has(j)) edge[j - columns.first] = below[lane];
      }
      __syncwarp();
      if (lane == 0 && !s.last()) publish(progress_of(w, s, s.index), q + 1);
    }
    if (kHelpers) {
      if (kSets == 1) __syncthreads();
      if (!sweeps && q + 1 < segments)
        costs.template fill<S, false>(w, s, q + 1,
                                      set_of(planes, kValuePlanes, q + 1));
      __syncthreads();
    }
  }
  if (s.last() && lane == (s.m - 1) % kRows) {
    double v = S::value(front.current, w.rate, kExplicit);
    if (columns_of(w, s, lane).stop < s.n) v = infinity<double>();
    result[s.b] = v;
    value[s.b] = (In)v;
    if (s.part == Part::kCapped && w.turn == Turn::kFirst &&
        S::is_out_of_range(front.current))
      w.outside[s.b] = 1;
    if (kDual) {
      const T t = v - v == 0 ? S::tangent(front.current) : T(0);
      result[w.batch + s.b] = t;
      tangent[s.b] = (In)t;
    }
  }
}

}  // namespace
