// Sweeping a segment forwards.
#pragma once

#include "shares.cuh"
#include "stream.cuh"
#include "weights.cuh"

namespace {

// The steps of a segment at which this lane's row is in the band or, without
// one, in the table.
SDTW_DEVICE Span steps_inside(const Arguments& args, const Strip& s, int q) {
  Span r = columns_of(args, s, s.lane);
  const int shift = s.lead + s.lane - q * kSteps;
  r.begin += shift, r.end += shift;
  return r;
}

// What a segment starts from.
template <class S>
struct Ahead {
  Incoming<S::kWords> edge;
  Global<const Word> states;  // this lane's part; null if it needs none
  Words<S::kWords> current, diagonal;  // of the state

  SDTW_DEVICE void open(const Arguments& args, const Strip& s, bool back) {
    states = nullptr;
    if (back) states = state_of(args, s, 0) + s.lane * S::kWords;
    if (s.index == 0) return;
    // The last row of the strip above was at a column as many steps later as
    // there are rows above it.
    const int first = first_segment_of(args, s, kFirstAbove);
    edge.of_row(edge_below(args, s, s.index - 1), kRows - 1 - first * kSteps);
  }
  // Begin to read it. All paths start before the first column of the first
  // row.
  SDTW_DEVICE void start(const Arguments& args, const Strip& s, int q) {
    const int j = s.column(q * kSteps + s.lane);
    const bool any = s.index > 0 && columns_of(args, s, kAbove).has(j);
    const bool is_start = s.index == 0 && j == -1;
    edge.start(q, any, S::pack(is_start ? S::one() : S::none()));
    if (!states || q == s.first_segment) return;
    const Global<const Word> state = states + (long long)q * kStateWords;
    current = Words<S::kWords>::load(state);
    diagonal = Words<S::kWords>::load(state + kRows * S::kWords);
  }
};

// The cells of a strip's rows at one step, and those of the rows above them at
// the step before.
template <class S>
struct Front {
  using Val = typename S::Val;
  Val current, diagonal;

  SDTW_DEVICE Front() : current(S::none()), diagonal(S::none()) {}
  SDTW_DEVICE void restore(const Ahead<S>& ahead) {
    current = S::unpack(ahead.current);
    diagonal = S::unpack(ahead.diagonal);
  }

  // To this lane's part of a state.
  SDTW_DEVICE void store(Global<Word> to) const {
    S::pack(current).store(to);
    S::pack(diagonal).store(to + kRows * S::kWords);
  }

  // Sweep a segment forwards, by one warp. Puts the last row to `below`, or
  // keeps each cell's shares in planes. `above` is memory for the edge. At the
  // end, begins to read what the segment `next` needs, or nothing if it is
  // negative.
  template <bool kShares>
  SDTW_DEVICE void sweep(const Arguments& args, const Strip& s,
                         Weights& weights, const Rate<T>& rate, int q,
                         int next, Ahead<S>& ahead, Shared<Val> above,
                         Global<Word> below, Shared<T> planes) {
    weights.use(s);
    __syncwarp();
    const Span inside = steps_inside(args, s, q);
    const int count = s.count(q);
    if (S::kLogSpace && S::kSoft && args.rate != 0) {
      // Step by step: groups would take too many registers.
      SDTW_UNROLL_BY(1)
      for (int step = 0; step < count; ++step) {
        if (step % kGroup == 0) ahead.edge.bring(step, above, S::unpack);
        RawGroup raw;
        weights.fetch_step(q, step, raw);
        Weight<T> weight = weights.weight<S>(args, rate, raw, step, 0);
        if (!inside.has(step)) S::forbid(weight);
        Shares<T> shares;
        advance<kShares>(s.lane, weight, above[step], rate,
                         below + step * S::kWords, shares);
        if (kShares) store_shares(planes, step, shares);
      }
      if (next >= 0) start(args, s, weights, next, ahead);
      return;
    }
    const Rate<T> in_groups(S::kLogSpace ? Rate<T>(0) : rate);
    // With tangents in double there are no registers to spare for it.
    if (!kDual && next >= 0) weights.prefetch_segment(s, next);
    const bool complete = ahead.edge.all_here();
    if (complete) above[s.lane] = S::unpack(ahead.edge.entry);
    __syncwarp();
    const bool forbids = args.band || q == 0;
    const Groups groups = {q, next, count, inside, forbids, complete};
    if (kUnivariate && !forbids)
      sweep_groups<kShares, false>(args, s, weights, in_groups, groups, ahead,
                                   above, below, planes);
    else
      sweep_groups<kShares, true>(args, s, weights, in_groups, groups, ahead,
                                  above, below, planes);
  }

  // Begin to read what a segment needs first.
  static SDTW_DEVICE void start(const Arguments& args, const Strip& s,
                                Weights& weights, int q, Ahead<S>& ahead) {
    ahead.start(args, s, q);
    weights.start(s, q);
    weights.fetch(weights.of_segment(q));
  }

 private:
  struct Groups {
    int q, next;    // the segment, and that after it
    int count;      // steps
    Span inside;    // steps at which this lane's row is in the band
    bool forbids;   // whether there may be other steps
    bool complete;  // whether all of the edge is in shared memory
  };

  // Sweep a segment by groups of steps. Univariate, most segments have a loop
  // without `kForbids`: then no branch keeps weights from being computed while
  // steps wait for each other.
  template <bool kShares, bool kForbids>
  SDTW_DEVICE void sweep_groups(const Arguments& args, const Strip& s,
                                Weights& weights, const Rate<T>& rate,
                                const Groups& groups, Ahead<S>& ahead,
                                Shared<Val> above, Global<Word> below,
                                Shared<T> planes) {
    const int next = groups.next >= 0 ? groups.next : groups.q;
    const Global<const T> cells = weights.of_segment(groups.q);
    SDTW_UNROLL_BY(1)
    for (int step0 = 0; step0 < groups.count; step0 += kGroup) {
      const RawGroup raw = weights.ahead;
      if (!groups.complete) ahead.edge.bring(step0, above, S::unpack);
      const bool ends = step0 + kGroup >= groups.count;
      if (ends && groups.next >= 0) {
        ahead.start(args, s, next);
        weights.start(s, next);
      }
      // What a group reads comes before what it writes, which it would wait
      // for otherwise.
      Weight<T> group[kGroup];
      Val edges[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        group[i] = weights.weight<S>(args, rate, raw, step0 + i, i);
        edges[i] = above[step0 + i];
      }
      weights.fetch(ends ? weights.of_segment(next)
                         : cells + (step0 + kGroup) * kRows);
      if (kForbids && groups.forbids) {
        SDTW_UNROLL
        for (int i = 0; i < kGroup; ++i)
          if (!groups.inside.has(step0 + i)) S::forbid(group[i]);
      }
      const Global<Word> to = below + step0 * S::kWords;
      FourShares four;
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        Shares<T> shares;
        advance<kShares>(s.lane, group[i], edges[i], rate, to + i * S::kWords,
                         shares);
        if (!kShares) continue;
        four.set(i % 4, shares);
        if (i % 4 == 3) four.store(planes, step0 + i - 3);
      }
      S::renorm(current);
      S::renorm(diagonal);
    }
  }

  // A step, which leaves its shares or puts the last row to `below`.
  template <bool kShares>
  SDTW_DEVICE void advance(int lane, const Weight<T>& weight,
                           const Val& outside, const Rate<T>& rate,
                           Global<Word> below, Shares<T>& shares) {
    Val up = S::shuffle_up(current);
    if (lane == 0) up = outside;
    current =
        S::template step<kShares>(current, up, diagonal, weight, rate, shares);
    diagonal = up;
    if (!kShares && lane == kRows - 1) S::pack(current).store(below);
  }
};

}  // namespace
