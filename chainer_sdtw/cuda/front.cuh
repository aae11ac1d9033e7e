// Sweeping a segment forwards.
#pragma once

#include "tape.cuh"
#include "weights.cuh"

namespace {

// The steps of a segment at which this lane's row is in the band.
SDTW_DEVICE Span steps_in_band(const Arguments& args, const Strip& s, int q) {
  Span r = columns_of(args, s, threadIdx.x);
  const int shift = s.lead + (int)threadIdx.x - q * kSteps;
  r.begin += shift, r.end += shift;
  return r;
}

// The cells of a strip's rows at one step, and those of the rows above them at
// the step before.
template <class S>
struct Front {
  typename S::Val current, diagonal;

  SDTW_DEVICE Front() : current(S::none()), diagonal(S::none()) {}

  // Sweep a segment forwards, by one warp; with the edge above in `above`.
  // Keeps the edge below, or each cell's shares in three planes.
  template <bool kShares>
  SDTW_DEVICE void sweep(const Arguments& args, const Strip& s,
                         const Weights& weights, int q, int count,
                         Shared<const Packed> above, Shared<Packed> below,
                         Shared<T> planes) {
    const Rate<T> rate(args.rate);
    // Step by step: the group that has the step before the first column, after
    // which all paths start; and all of a soft minimum in log space.
    const bool first = s.index == 0 && q == 0;
    int step0 = first ? kGroup : 0;
    if (S::kLogSpace && S::kSoft && args.rate != 0) step0 = count;
    SDTW_UNROLL_BY(1)
    for (int step = 0; step < step0; ++step) {
      Weight<T> weight = weights.weight<S>(args, rate, step);
      if (args.band && !steps_in_band(args, s, q).has(step)) S::forbid(weight);
      advance<kShares>(weight, above[step], rate, step, below, planes);
      if (first && step == s.lead - 1 && threadIdx.x == 0) diagonal = S::one();
    }
    const Rate<T> in_groups(S::kLogSpace ? 0 : args.rate);
    for (; step0 < count; step0 += kGroup) {
      // What a group reads comes before what it writes, which it would wait
      // for otherwise.
      Weight<T> group[kGroup];
      Packed edges[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        group[i] = weights.weight<S>(args, in_groups, step0 + i);
        edges[i] = above[step0 + i];
      }
      if (args.band) {
        const Span inside = steps_in_band(args, s, q);
        SDTW_UNROLL
        for (int i = 0; i < kGroup; ++i)
          if (!inside.has(step0 + i)) S::forbid(group[i]);
      }
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i)
        advance<kShares>(group[i], edges[i], in_groups, step0 + i, below,
                         planes);
      S::renorm(current);
      S::renorm(diagonal);
    }
  }

 private:
  template <bool kShares>
  SDTW_DEVICE void advance(const Weight<T>& weight, const Packed& edge,
                           const Rate<T>& rate, int step, Shared<Packed> below,
                           Shared<T> planes) {
    const int lane = threadIdx.x;
    const typename S::Val outside = S::unpack(edge);
    typename S::Val up = S::shuffle_up(current);
    if (lane == 0) up = outside;
    Shares<T> shares;
    current =
        S::template step<kShares>(current, up, diagonal, weight, rate, shares);
    diagonal = up;
    if (kShares) {
      const int at = step * kStride + lane;
      planes[at] = shares.left;
      planes[kPlane + at] = shares.up;
      planes[2 * kPlane + at] = shares.diagonal;
      if (kDual) {
        planes[3 * kPlane + at] = shares.left_tangent;
        planes[4 * kPlane + at] = shares.up_tangent;
      }
    } else if (lane == kRows - 1) {
      below[step] = S::pack(current);
    }
  }
};

// The edge above a strip for a segment: all entries, one per lane.
template <class S>
SDTW_DEVICE void load_edge(const Arguments& args, const Strip& s, int q,
                           const Span& columns, Shared<Packed> above) {
  const int lane = threadIdx.x;
  const int j = s.column(q * kSteps + lane);
  Packed p = S::pack(S::none());
  if (s.index > 0 && columns.has(j))
    p = load_fresh(edge_below(args, s, s.index - 1), j - columns.begin);
  above[lane] = p;
}

// The planes of a segment: sets of them take turns.
SDTW_DEVICE Shared<T> set_of(Shared<T> planes, int count, int q) {
  return planes + q % kSets * count * kPlane;
}

}  // namespace
