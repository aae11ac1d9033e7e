// The adjoint sweep of a strip.
#pragma once

#include "front.cuh"
#include "mass.cuh"

namespace {

// The masses of the strip below: its first row was at a column as many steps
// earlier as there are rows above this one's last.
SDTW_DEVICE void open_masses(const Arguments& args, const Strip& s,
                             Incoming<MassWords::kCount>& masses) {
  if (s.last()) return;
  const int first = first_segment_of(args, s, kBelow);
  masses.of_row(masses_above(args, s, s.index + 1),
                1 - kRows - first * kSteps);
}

// What it hands back for a segment.
SDTW_DEVICE void start_masses(const Arguments& args, const Strip& s, int q,
                              Incoming<MassWords::kCount>& masses) {
  const int j = s.column(q * kSteps + s.lane) - (kRows - 1);
  const bool any = !s.last() && columns_of(args, s, kRows - 1).has(j) &&
                   j >= columns_of(args, s, kBelow).begin - 1;
  masses.start(q, any, Handed().pack());
}

// Univariate: write the gradient of columns that no row above has, of whose
// sums the last was just put to `above`.
SDTW_DEVICE void finish_columns(const Arguments& args, const Strip& s, int q,
                                T factor, Global<const Word> above) {
  const Span columns = {s.index > 0 ? columns_of(args, s, kAbove).end : 0,
                        columns_of(args, s, kRows - 1).end};
  const int j = s.column(q * kSteps + s.lane);
  if (!columns.has(j)) return;
  const Handed last(MassEntry::load(above + s.lane * MassWords::kCount));
  args.gy[(long long)s.b * args.n + j] =
      (In)(factor * last.part[kMassParts - 1]);
}

template <class S>
SDTW_DEVICE void adjoint_strip(const Arguments& args, const Strip& s,
                               Shared<char> memory) {
  const int lane = s.lane;
  const Shared<typename S::Val> above = take<typename S::Val>(memory, kRows);
  const Shared<Handed> below = take<Handed>(memory, 2 * kRows);
  below[kRows + lane] = Handed();
  const Shared<T> planes = take<T>(memory, kSharePlanes * kPlane) + lane * 4;
  Weights weights;
  if (kUnivariate) {
    weights.series = take<T>(memory, kSeries);
    weights.x = (T)s.x[within(s.row + lane, s.m)];
  }
  const T grad = args.grad ? (T)args.grad[s.b] : T(1);
  const bool reached = has_path(args, s);
  const T factor = reached ? PairCost::kFactor * grad : T(0);
  const T inverse_gamma = (T)(args.rate * 0.6931471805599453);
  const Rate<T> rate = Rate<T>(args.rate).held_in_registers();
  Mass mass = {};
  if (reached && s.last() && lane == (s.m - 1) % kRows) mass.keep = 1;

  const Global<Word> words = masses_above(args, s, s.index);
  const long long first_number = segment_number(args, s, 0);
  const Global<int> alive = args.live + first_number;
  const Global<In> alignment =
      plane_of<In>(args, first_number, kAlignment) + lane * 4;
  int q = s.segments() - 1;
  Ahead<S> ahead;
  Incoming<MassWords::kCount> masses;
  ahead.open(args, s, true);
  weights.open(args, s);
  open_masses(args, s, masses);
  Front<S>::start(args, s, weights, q, ahead);
  start_masses(args, s, q, masses);
  SDTW_UNROLL_BY(1)
  for (; q >= s.first_segment; --q) {
    const int next = q > s.first_segment ? q - 1 : -1;
    const Global<Word> handed =
        words + (long long)(q - s.first_segment) * kSteps * MassWords::kCount;
    // Where it is not known yet whether mass comes, the segment is swept.
    bool live = __any_sync(kAllLanes, mass.settle());
    if (!live) {
      masses.look();
      live = __any_sync(kAllLanes,
                        !masses.here() || Handed(masses.entry).has_mass());
    }
    if (live) {
      Front<S> front;
      if (next >= 0) front.restore(ahead);
      front.template sweep<true>(args, s, weights, rate, q, next, ahead, above,
                                 nullptr, planes);
      if (!kUnivariate && lane == 0) alive[q] = 1;
      mass.back(lane, weights, planes, q, s.count(q), inverse_gamma, masses,
                below, handed,
                alignment + (long long)q * (kSegmentBytes / (int)sizeof(In)));
    } else {
      mass.skip(s.count(q), masses.entry, handed);
      if (next >= 0) Front<S>::start(args, s, weights, next, ahead);
    }
    if (next >= 0) start_masses(args, s, next, masses);
    if (kUnivariate && args.gy) {
      __syncwarp();
      finish_columns(args, s, q, factor, handed);
    }
  }
  if (kUnivariate && args.gx && s.row + lane < s.m)
    args.gx[(long long)s.b * args.m + s.row + lane] =
        (In)(factor * mass.x_sum);
}

// Gradients of a univariate pair whose value is NaN.
SDTW_DEVICE void gradients_of_nan(const Arguments& args, const Strip& s) {
  const In nan = not_a_number<In>();
  const int row = s.row + (int)threadIdx.x;
  if (args.gx && row < s.m) args.gx[(long long)s.b * args.m + row] = nan;
  if (args.gy && s.index == 0)
    for (int j = threadIdx.x; j < s.n; j += kRows)
      args.gy[(long long)s.b * args.n + j] = nan;
}

}  // namespace
