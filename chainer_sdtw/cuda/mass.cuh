// Sweeping a segment back.
#pragma once

#include "shares.cuh"
#include "stream.cuh"
#include "weights.cuh"

namespace {

using MassEntry = Words<MassWords::kCount>;

// Less than that of an alignment's mass is not swept back further.
constexpr double kLeastMass = sizeof(T) == 4
                                  ? 8.8817841970012523e-16   // 2**-50
                                  : 7.8886090522101181e-31;  // 2**-100
SDTW_DEVICE T cut(T mass) {
  return kDual || mass >= (T)kLeastMass ? mass : T(0);
}

// What strips hand back at a step.
struct Handed {
  T part[kMassParts];
  SDTW_DEVICE Handed() {
    SDTW_UNROLL
    for (int i = 0; i < kMassParts; ++i) part[i] = 0;
  }
  SDTW_DEVICE explicit Handed(const MassEntry& entry) {
    MassWords::unpack(entry, part);
    part[0] = cut(part[0]);
  }
  static SDTW_DEVICE Handed unpack(const MassEntry& entry) {
    return Handed(entry);
  }
  SDTW_DEVICE MassEntry pack() const { return MassWords::pack(part); }
  SDTW_DEVICE bool has_mass() const {
    return part[0] != 0 || (kDual && part[kMassParts - 1] != 0);
  }
};

// The mass of the alignment on its way back through a strip.
struct Mass {
  T keep, hand, diagonal;  // to the left, up, and up one step later
  T x_sum, y_sum;          // univariate: sums of E times the slope
  // With tangents: those of the first three.
  T keep_tangent, hand_tangent, diagonal_tangent;

  // Forget what is negligible; whether anything is left in this lane.
  SDTW_DEVICE bool settle() {
    keep = cut(keep), hand = cut(hand), diagonal = cut(diagonal);
    bool any = keep != 0 || hand != 0 || diagonal != 0;
    if (kDual)
      any |= keep_tangent != 0 || hand_tangent != 0 || diagonal_tangent != 0;
    return any;
  }

  // Sweep a segment back, by one warp, from the shares in `planes`. Puts what
  // it hands on to `above` and the alignment to this lane's `cells`.
  // `inverse_gamma` is 0 for gamma = 0.
  SDTW_DEVICE void back(int lane, const Weights& weights,
                        Shared<const T> planes, int q, int count,
                        T inverse_gamma, Incoming<MassWords::kCount>& incoming,
                        Shared<Handed> below, Global<Word> above,
                        Global<In> cells) {
    const bool is_last = lane == kRows - 1;
    // The last lane takes what comes from below in the place of what comes
    // from another lane; the others read zeros there.
    const T from_lane = is_last ? T(0) : T(1);
    const Shared<const Handed> from_below = below + (is_last ? 0 : kRows);
    const bool complete = incoming.all_here();
    if (complete) below[lane] = Handed(incoming.entry);
    // All lanes have read the cells by now in whose place this is put.
    __syncwarp();
    if (!kUnivariate && count < kSteps) clear(cells, count);
    SDTW_UNROLL_BY(1)
    for (int step0 = count - kGroup; step0 >= 0; step0 -= kGroup) {
      if (!complete) incoming.bring(step0, below, Handed::unpack);
      Handed edge[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) edge[i] = from_below[step0 + i];
      FourShares four;
      T alignment[kGroup], tangent_of[kGroup];
      const Global<Word> to = above + step0 * MassWords::kCount;
      SDTW_UNROLL
      for (int i = kGroup - 1; i >= 0; --i) {
        if (i % 4 == 3) four.load(planes, step0 + i - 3);
        const T left = four.left[i % 4];
        const T up = four.up[i % 4];
        const T handed = __shfl_down_sync(kAllLanes, hand, 1);
        const T e = fused(from_lane, handed, keep + edge[i].part[0]);
        Handed out;
        if (kDual) {
          T handed_tangent = __shfl_down_sync(kAllLanes, hand_tangent, 1);
          if (is_last) handed_tangent = edge[i].part[kMassParts - 1];
          const T tangent = keep_tangent + handed_tangent;
          // A share p changes by -p (its tangent - their mean) / gamma.
          const T e_per_gamma = product(e, inverse_gamma);
          const T left_tangent = four.left_tangent[i % 4];
          const T up_tangent = four.up_tangent[i % 4];
          const T mean = fused(up, up_tangent, product(left, left_tangent));
          keep_tangent = product(
              left, fused(sum(mean, -left_tangent), e_per_gamma, tangent));
          hand_tangent =
              fused(up, fused(sum(mean, -up_tangent), e_per_gamma, tangent),
                    diagonal_tangent);
          diagonal_tangent =
              product(four.diagonal[i % 4], fused(mean, e_per_gamma, tangent));
          tangent_of[i] = tangent;
          out.part[kMassParts - 1] = hand_tangent;
        }
        keep = product(left, e);
        hand = fused(up, e, diagonal);
        diagonal = product(four.diagonal[i % 4], e);
        out.part[0] = hand;
        if (kUnivariate) {
          const T y = weights.of_lane[step0 + i];
          const T a = PairCost::slope(sum(weights.x, -y));
          x_sum = fused(e, a, x_sum);
          T y_sum_below = __shfl_down_sync(kAllLanes, y_sum, 1);
          if (is_last) y_sum_below = edge[i].part[kMassParts - 1];
          y_sum = fused(-e, a, y_sum_below);
          out.part[kMassParts - 1] = y_sum;
        } else {
          alignment[i] = e;
        }
        if (lane == 0) out.pack().store(to + i * MassWords::kCount);
      }
      if (!kUnivariate) put(weights, q, cells, step0, alignment, tangent_of);
    }
  }

  // The same for a segment into which no mass comes: sums of columns only
  // pass.
  SDTW_DEVICE void skip(int count, const MassEntry& entry,
                        Global<Word> above) {
    const int lane = threadIdx.x;
    Handed out;
    if (kUnivariate) {
      const T passing = Handed(entry).part[kMassParts - 1];
      // Lane r has the sum for the first lane at step count - r, or what
      // comes at step 31 - r.
      const T own = __shfl_sync(kAllLanes, y_sum, count - lane);
      const T last = __shfl_sync(kAllLanes, passing, kRows - 1);
      out.part[kMassParts - 1] = count - lane < kRows ? own : last;
      const T moved = __shfl_sync(kAllLanes, y_sum, lane + count);
      const T come = __shfl_sync(kAllLanes, passing, kRows - 1 - lane);
      y_sum = lane + count < kRows ? moved : come;
    }
    keep = hand = diagonal = 0;
    keep_tangent = hand_tangent = diagonal_tangent = 0;
    if (lane < count) out.pack().store(above + lane * MassWords::kCount);
  }

 private:
  // Steps after the last have no alignment.
  static SDTW_DEVICE void clear(Global<In> cells, int count) {
    const In zeros[4] = {0, 0, 0, 0};
    SDTW_UNROLL_BY(1)
    for (int step = count; step < kSteps; step += 4) {
      write4(cells + step * kRows, zeros);
      if (kDual) write4(cells + (kSegmentCells + step * kRows), zeros);
    }
  }
  static SDTW_DEVICE void put(const Weights& weights, int q, Global<In> cells,
                              int step0, const T* alignment,
                              const T* tangent) {
    SDTW_UNROLL
    for (int i = 0; i < kGroup; i += 4) {
      T factor[4];
      if (PairCost::kRoot) weights.factors(q, step0 + i, factor);
      In e[4], t[4];
      SDTW_UNROLL
      for (int k = 0; k < 4; ++k) {
        e[k] = (In)(PairCost::kRoot ? alignment[i + k] * factor[k]
                                    : alignment[i + k]);
        if (kDual) t[k] = (In)tangent[i + k];
      }
      write4(cells + (step0 + i) * kRows, e);
      if (kDual) write4(cells + (kSegmentCells + (step0 + i) * kRows), t);
    }
  }
};

}  // namespace
