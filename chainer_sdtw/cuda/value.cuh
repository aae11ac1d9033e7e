// The value sweep of a strip.
#pragma once

#include "front.cuh"

namespace {

template <class S>
SDTW_DEVICE void value_strip(const Arguments& args, const Strip& s,
                             Route route, Shared<char> memory) {
  const Shared<typename S::Val> above = take<typename S::Val>(memory, kRows);
  Weights weights;
  if (kUnivariate) {
    weights.series = take<T>(memory, kSeries);
    weights.x = (T)s.x[within(s.row + s.lane, s.m)];
  }
  const int lane = s.lane;
  const int segments = s.segments();
  const Rate<T> rate = Rate<T>(args.rate).held_in_registers();
  // Also of the last strip, though none reads it.
  Global<Word> below = edge_below(args, s, s.index);
  Global<Word> state = nullptr;
  if (args.states)
    state = state_of(args, s, s.first_segment + 1) + lane * S::kWords;
  Front<S> front;
  Ahead<S> ahead;
  ahead.open(args, s, false);
  weights.open(args, s);
  front.start(args, s, weights, s.first_segment, ahead);
  SDTW_UNROLL_BY(1)
  for (int q = s.first_segment; q < segments; ++q) {
    if (state && q > s.first_segment) {
      front.store(state);
      state += kStateWords;
    }
    front.template sweep<false>(args, s, weights, rate, q,
                                q + 1 < segments ? q + 1 : -1, ahead, above,
                                below, Shared<T>());
    below += kSteps * S::kWords;
  }
  if (s.last() && lane == (s.m - 1) % kRows) {
    double v = S::value(front.current, args.rate, kExplicit);
    if (columns_of(args, s, lane).end < s.n) v = infinity<double>();
    args.result[s.b] = v;
    args.value[s.b] = (In)v;
    if (route == Route::kCapped && (Turn)args.turn == Turn::kFirst &&
        S::is_out_of_range(front.current)) {
      args.noted[s.b] = 1;
      draw(args.counts + kNotedPairs);
    }
    if (kDual) {
      const T t = v - v == 0 ? S::tangent(front.current) : T(0);
      args.result_tangent[s.b] = t;
      args.tangent[s.b] = (In)t;
    }
  }
}

// What a pair that no kernel sweeps has as value.
SDTW_DEVICE void value_of_nan(const Arguments& args, const Strip& s) {
  if (!s.last() || threadIdx.x != 0) return;
  args.result[s.b] = not_a_number<double>();
  args.value[s.b] = not_a_number<In>();
  if (kDual) args.result_tangent[s.b] = not_a_number<double>();
  if (kDual) args.tangent[s.b] = not_a_number<In>();
}

}  // namespace
