// The sweep of the mass, from the last cell back.
#pragma once

#include "gradients.hpp"
#include "sweep.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G, class S>
struct Adjoint : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::segment_of;
  using Base::steps;
  using Base::strips;
  using Base::strips_of;
  using typename Base::T;
  using typename Base::V;
  using Values = Sweep<F, G, S>;
  // Steps that are swept back at a time, or skipped.
  static constexpr int kBackSteps = G::kAcross ? Values::kSteps : 64;

  // The messages of a strip's last step: to the cells on the left, to those
  // above (along, where these come later) and to those on the diagonal.
  struct Messages {
    V keep[R], hand[R], diagonal[R];

    void load(const T* p) {
      for (int r = 0; r < R; ++r) {
        keep[r] = F::load(p + r * L);
        hand[r] = F::load(p + kTile + r * L);
        diagonal[r] = F::load(p + 2 * kTile + r * L);
      }
    }
    void store(T* p) const {
      for (int r = 0; r < R; ++r) {
        F::store(p + r * L, keep[r]);
        F::store(p + kTile + r * L, hand[r]);
        F::store(p + 2 * kTile + r * L, diagonal[r]);
      }
    }
    SDTW_INLINE V total(int r, V below) const {
      return F::add(
          keep[r],
          G::down(hand[r], r + 1 < R ? hand[r + 1 < R ? r + 1 : 0] : below));
    }
    // Take those for mantissas in [1, 2) to the ones that cells keep.
    void unscale(const T* kept) {
      for (int r = 0; r < R; ++r) {
        keep[r] = F::unscale(keep[r], mantissa(kept, r));
        if (r) diagonal[r] = F::unscale(diagonal[r], mantissa(kept, r - 1));
      }
    }
  };

  static SDTW_INLINE V mantissa(const T* kept, int r) {
    return F::load(kept + (r * kKept + 3) * L);
  }

  // The messages at the end of a block: to the last cells of the pairs, and
  // none otherwise. A message times the mantissa of its cell is a mass.
  static void start(const Group<T>& g, int block, T* mass) {
    const Span all = strips_of(g, block);
    const bool has_tangent = g.direction != Direction::kNone;
    const ptrdiff_t size = (ptrdiff_t)g.block * 3 * kTile;
    for (ptrdiff_t i = 0; i < (has_tangent ? 2 : 1) * size; ++i) mass[i] = 0;
    if (all.end < strips(g)) return;
    T* last = mass + (ptrdiff_t)(all.end - 1 - all.begin) * 3 * kTile +
              (g.m - 1) % G::kRows * G::kEntry;
    for (int l = 0; l < G::kEntry; ++l) {
      const int p = l < g.pairs ? l : 0;
      last[l] = g.mass[p] / g.last[p];
      if (has_tangent) last[size + l] = g.mass_tangent[p];
    }
  }

  // Sweep messages back; the alignment takes the place of the weights in
  // scratch. With a tangent the messages are masses, and their tangents are
  // swept too, into the place of the direction. `joined` says that a state
  // was kept after the last step.
  template <bool kTangent>
  static SDTW_NOINLINE void back(Group<T>& g, int strip, int t0, int t1,
                                 bool joined, T* mass, T* mass_tangent,
                                 const Scratch<T>& scratch, const T* kept,
                                 const T* share_tangents) {
    constexpr bool kDerivatives = !kTangent && S::kBack == Keep::kDerivatives;
    Messages messages, tangents;
    messages.load(mass);
    if (kTangent) tangents.load(mass_tangent);
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
    T* tile = scratch.fraction + size;
    T* tangent_tile = kTangent ? scratch.direction + size : nullptr;
    kept += kKept * size;
    if (kTangent) share_tangents += kKept * size;
    const V negligible = F::set1((T)Format<T>::kMass);
    if (G::kAcross && kDerivatives && joined && t1 % G::kRenorm)
      messages.unscale(kept - kKept * kTile);
    for (int t = t1 - 1; t >= t0; --t) {
      const ptrdiff_t in = (ptrdiff_t)(t - G::kLag) * G::kEntry;
      const ptrdiff_t out = (ptrdiff_t)t * G::kEntry;
      const bool renormed = (t + 1) % G::kRenorm == 0;
      tile -= kTile;
      kept -= kKept * kTile;
      V below = G::get(g.mass_edge + in);
      V below_tangent = below;
      if (kTangent) {
        below_tangent = G::get(g.mass_edge_tangent + in);
        tangent_tile -= kTile;
        share_tangents -= kKept * kTile;
      }
      // Messages are for mantissas that were brought into range.
      if (G::kAcross && kDerivatives && !renormed)
        below = F::unscale(below, mantissa(kept, R - 1));
      SDTW_UNROLL
      for (int i = 0; i < R; ++i) {
        const int r = G::kAcross ? R - 1 - i : i;
        const T* p = kept + r * kKept * L;
        V b = messages.total(r, below), e = b;
        if (kDerivatives) {
          const V m = mantissa(kept, r);
          if (renormed) b = F::unscale(b, m);
          const V mass = F::mul(b, m);
          e = F::above(mass, negligible, mass);
          b = F::above(mass, negligible, b);
        }
        F::store(tile + r * L, e);
        if (kTangent) {
          const V et = tangents.total(r, below_tangent);
          F::store(tangent_tile + r * L, et);
          const T* q = share_tangents + r * kKept * L;
          tangents.keep[r] = F::fma(F::load(q), e, F::mul(F::load(p), et));
          tangents.hand[r] =
              F::fma(F::load(q + L), e,
                     F::fma(F::load(p + L), et, tangents.diagonal[r]));
          tangents.diagonal[r] =
              F::fma(F::load(q + 2 * L), e, F::mul(F::load(p + 2 * L), et));
        }
        messages.keep[r] = F::mul(F::load(p), b);
        messages.hand[r] =
            F::add(F::mul(F::load(p + L), b), messages.diagonal[r]);
        messages.diagonal[r] = F::mul(F::load(p + 2 * L), b);
      }
      G::put_first(g.mass_edge + out, messages.hand[0]);
      if (kTangent) G::put_first(g.mass_edge_tangent + out, tangents.hand[0]);
    }
    if (t0 == g.steps[strip].begin) {
      const ptrdiff_t out = (ptrdiff_t)(t0 - 1) * G::kEntry;
      G::put_first(g.mass_edge + out, messages.diagonal[0]);
      if (kTangent)
        G::put_first(g.mass_edge_tangent + out, tangents.diagonal[0]);
    }
    messages.store(mass);
    if (kTangent) tangents.store(mass_tangent);
  }

  // The same for a tile whose cells share an exponent.
  static void back_shared(Group<T>& g, int strip, int t0, int t1, T* mass,
                          const Scratch<T>& scratch, T* kept) {
    if constexpr (Tile<F, G>::kPossible) {
      Messages messages;
      messages.load(mass);
      Tile<F, G>::back(g, t0, t1, messages, kept, scratch.fraction);
      if (t0 == g.steps[strip].begin)
        F::store(g.mass_edge + (ptrdiff_t)(t0 - 1) * L, messages.diagonal[0]);
      messages.store(mass);
    }
  }

  // Add what a strip's alignment makes of the gradients.
  static void gradients(Group<T>& g, int strip, Span at,
                        const Scratch<T>& scratch) {
    const bool has_tangent = g.direction != Direction::kNone;
    const T* result = has_tangent ? scratch.direction : scratch.fraction;
    const int t0 = at.begin, t1 = at.end;
    using Grad = Gradients<F, G>;
    if (g.cost == CostKind::kExplicit) {
      if (g.is_double)
        Grad::template alignment<double>(g, strip, t0, t1, result);
      else
        Grad::template alignment<float>(g, strip, t0, t1, result);
      return;
    }
    with_cost(g.cost, [&](auto cost) {
      using C = decltype(cost);
      using N = typename C::template Term<F>;
      Grad::template factors<C>(g, strip, t0, t1, scratch);
      if (N::kCurved && g.direction == Direction::kSeries)
        Grad::template gradients<N, N::kCurved>(g, strip, t0, t1, scratch);
      else
        Grad::template gradients<N, false>(g, strip, t0, t1, scratch);
    });
  }

  // Whether there are numbers other than 0.
  static bool any(const T* p, ptrdiff_t count) {
    V sums = F::set1(0);
    ptrdiff_t i = 0;
    for (; i + L <= count; i += L) {
      const V v = F::load(p + i);
      sums = F::add(sums, F::max(F::sub(F::set1(0), v), v));
    }
    T all[L];
    F::store(all, sums);
    bool any = false;
    for (int l = 0; l < L; ++l) any |= all[l] != 0;
    for (; !G::kAcross && i < count; ++i) any |= p[i] != 0;
    return any;
  }

  // Messages on the edge below a strip, and those on its right.
  struct Incoming {
    const Group<T>& g;
    T *mass, *mass_tangent;  // of the block, the latter null without tangents

    static ptrdiff_t at(int t) { return (ptrdiff_t)t * G::kEntry; }

    bool from_below(int t0, int t1) const {
      const ptrdiff_t first = at(t0 - G::kLag), count = at(t1 - t0);
      return any(g.mass_edge + first, count) ||
             (mass_tangent && any(g.mass_edge_tangent + first, count));
    }
    bool from_right(int q) const {
      const ptrdiff_t first = (ptrdiff_t)q * 3 * kTile;
      return any(mass + first, 3 * kTile) ||
             (mass_tangent && any(mass_tangent + first, 3 * kTile));
    }
    // Hand on from strip number q of the block that there is no mass at the
    // steps [t0, t1) and before; `begin` is the strip's first step.
    void clear(int q, int t0, int t1, int begin) const {
      const ptrdiff_t first = (ptrdiff_t)q * 3 * kTile;
      for (ptrdiff_t i = first; i < first + 3 * kTile; ++i) {
        mass[i] = 0;
        if (mass_tangent) mass_tangent[i] = 0;
      }
      for (ptrdiff_t i = at(t0 == begin ? t0 - 1 : t0); i < at(t1); ++i) {
        g.mass_edge[i] = 0;
        if (mass_tangent) g.mass_edge_tangent[i] = 0;
      }
    }
  };

  // Recompute what the strips of a segment keep.
  static void recompute(const Group<T>& g, const Scratch<T>& scratch,
                        Span strips, Span at, Edge<T> in, const T* state) {
    const bool has_tangent = g.direction != Direction::kNone;
    typename Values::Block sweep(g, scratch, strips, at, in, state);
    Tries tries;
    for (int strip = strips.begin; strip < strips.end; ++strip) {
      sweep.start(strip);
      const Span part = sweep.steps;
      for (int t0 = part.begin; t0 < part.end; t0 += Values::kSteps) {
        const int t1 =
            t0 + Values::kSteps < part.end ? t0 + Values::kSteps : part.end;
        const ptrdiff_t kept =
            kept_at(g, strip - strips.begin, t0 - part.begin);
        Weights<F, G, S>::weights(g, strip, t0, t1, scratch);
        if (!has_tangent) {
          bool& shared =
              *shared_at(g, scratch, strip - strips.begin, t0 - part.begin);
          shared = Values::template sweep_shared<S::kBack>(
              g, strip, t0, t1, sweep.upper, scratch.edge, sweep.values, tries,
              scratch, scratch.kept + kept);
          if (!shared)
            Values::template sweep<S::kBack>(g, strip, t0, t1, sweep.upper,
                                             scratch.edge, sweep.values,
                                             scratch, scratch.kept + kept);
          continue;
        }
        Directions<F, G>::directions(g, strip, t0, t1, scratch);
        Values::template sweep<Keep::kShares>(g, strip, t0, t1, sweep.upper,
                                              scratch.edge, sweep.values,
                                              scratch, scratch.kept + kept);
        Values::template tangent<true>(
            g, strip, t0, t1, sweep.upper, scratch.edge, sweep.tangents,
            scratch, scratch.kept + kept, scratch.share_tangents + kept);
      }
    }
  }

  static bool* shared_at(const Group<T>& g, const Scratch<T>& scratch, int q,
                         int step) {
    return scratch.shared + (ptrdiff_t)q * g.width + step;
  }
  // Where a strip's step has what its cells keep.
  static ptrdiff_t kept_at(const Group<T>& g, int q, int step) {
    return ((ptrdiff_t)q * g.width + step) * kKept * kTile;
  }

  static ptrdiff_t adjoint(Group<T>& g, const Scratch<T>& scratch, int block,
                           int segment, Edge<T> in, const T* state_in,
                           T* mass) {
    const FlushSubnormals flush;
    const bool has_tangent = g.direction != Direction::kNone;
    Span all = strips_of(g, block);
    Span at = segment_of(g, block, segment);
    if (at.end == g.blocks[block].end) start(g, block, mass);
    T* mass_tangent =
        has_tangent ? mass + (ptrdiff_t)g.block * 3 * kTile : nullptr;
    const Incoming incoming = {g, mass, mass_tangent};

    // What has no mass is neither recomputed nor swept back: the strips below
    // the last one with mass, and the columns after.
    const int end = at.end;
    int last = all.end - 1;
    while (last >= all.begin && !incoming.from_right(last - all.begin)) --last;
    if (last < all.begin) {
      while (at.end > at.begin &&
             !incoming.from_below(G::kAcross ? at.end - 1 : at.begin, at.end))
        at.end = G::kAcross ? at.end - 1 : at.begin;
      for (int strip = all.begin; strip < all.end; ++strip)
        incoming.clear(strip - all.begin, at.end, end, g.steps[strip].begin);
    }
    if (at.begin == at.end) return 0;
    if (!incoming.from_below(at.begin, at.end)) {
      for (int strip = last + 1; strip < all.end; ++strip)
        incoming.clear(strip - all.begin, at.begin, at.end,
                       g.steps[strip].begin);
      all.end = last + 1;
    }
    recompute(g, scratch, all, at, in, segment ? state_in : nullptr);

    ptrdiff_t swept = 0;
    for (int strip = all.end - 1; strip >= all.begin; --strip) {
      const int q = strip - all.begin;
      const Span part = steps(g, strip, at);
      T* own = mass + (ptrdiff_t)q * 3 * kTile;
      T* own_tangent =
          has_tangent ? mass_tangent + (ptrdiff_t)q * 3 * kTile : nullptr;
      for (int t1 = part.end; t1 > part.begin;) {
        const int t0 = t1 - 1 - (t1 - 1 - part.begin) % kBackSteps;
        const ptrdiff_t kept = kept_at(g, q, t0 - part.begin);
        if (!incoming.from_right(q) && !incoming.from_below(t0, t1)) {
          incoming.clear(q, t0, t1, g.steps[strip].begin);
        } else {
          const bool joined = t1 == end;
          if (!has_tangent && *shared_at(g, scratch, q, t0 - part.begin))
            back_shared(g, strip, t0, t1, own, scratch, scratch.kept + kept);
          else if (has_tangent)
            back<true>(g, strip, t0, t1, joined, own, own_tangent, scratch,
                       scratch.kept + kept, scratch.share_tangents + kept);
          else
            back<false>(g, strip, t0, t1, joined, own, nullptr, scratch,
                        scratch.kept + kept, nullptr);
          gradients(g, strip, {t0, t1}, scratch);
          swept += (ptrdiff_t)(t1 - t0) * kTile;
        }
        t1 = t0;
      }
    }
    return swept;
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
