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
  using Base::steps;
  using Base::strips;
  using typename Base::T;
  using typename Base::V;

  // The mass that cells keep for their left, hand up, and hand up one step
  // later.
  struct Mass {
    V keep[R], hand[R], diagonal[R];

    void start(const T* last) {
      for (int r = 0; r < R; ++r) {
        keep[r] = F::load(last + r * L);
        hand[r] = diagonal[r] = F::set1(0);
      }
    }
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
  };

  // Sweep the mass back, and its tangent; the alignment replaces the weights
  // in scratch, and its tangent the direction.
  template <bool kTangent>
  static SDTW_NOINLINE void back(Group<T>& g, int strip, int t0, int t1,
                                 bool first, const Scratch<T>& scratch,
                                 const T* shares, const T* share_tangents) {
    Mass mass, tangents;
    if (first) {
      T last_mass[kTile] = {}, last_tangent[kTile] = {};
      const int last = (g.m - 1) % G::kRows * G::kEntry;
      for (int l = 0; strip == strips(g) - 1 && l < G::kEntry; ++l) {
        last_mass[last + l] = g.mass[l];
        last_tangent[last + l] = g.mass_tangent[l];
      }
      mass.start(last_mass);
      if (kTangent) tangents.start(last_tangent);
    } else {
      mass.load(scratch.mass);
      if (kTangent) tangents.load(scratch.mass + 3 * kTile);
    }
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
    T* tile = scratch.fraction + size;
    T* tangent_tile = kTangent ? scratch.direction + size : nullptr;
    shares += 3 * size;
    if (kTangent) share_tangents += 3 * size;
    for (int t = t1 - 1; t >= t0; --t) {
      const ptrdiff_t in = (ptrdiff_t)(t - G::kLag) * G::kEntry;
      const ptrdiff_t out = (ptrdiff_t)t * G::kEntry;
      tile -= kTile;
      shares -= 3 * kTile;
      const V below = G::get(g.mass_edge + in);
      V below_tangent = below;
      if (kTangent) {
        below_tangent = G::get(g.mass_edge_tangent + in);
        tangent_tile -= kTile;
        share_tangents -= 3 * kTile;
      }
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        const V e = mass.total(r, below);
        F::store(tile + r * L, e);
        const T* p = shares + r * 3 * L;
        if (kTangent) {
          const V et = tangents.total(r, below_tangent);
          F::store(tangent_tile + r * L, et);
          const T* q = share_tangents + r * 3 * L;
          tangents.keep[r] = F::fma(F::load(q), e, F::mul(F::load(p), et));
          tangents.hand[r] =
              F::fma(F::load(q + L), e,
                     F::fma(F::load(p + L), et, tangents.diagonal[r]));
          tangents.diagonal[r] =
              F::fma(F::load(q + 2 * L), e, F::mul(F::load(p + 2 * L), et));
        }
        mass.keep[r] = F::mul(F::load(p), e);
        mass.hand[r] = F::fma(F::load(p + L), e, mass.diagonal[r]);
        mass.diagonal[r] = F::mul(F::load(p + 2 * L), e);
      }
      G::put_first(g.mass_edge + out, mass.hand[0]);
      if (kTangent) G::put_first(g.mass_edge_tangent + out, tangents.hand[0]);
    }
    if (t0 == g.steps[strip].begin) {
      const ptrdiff_t out = (ptrdiff_t)(t0 - 1) * G::kEntry;
      G::put_first(g.mass_edge + out, mass.diagonal[0]);
      if (kTangent)
        G::put_first(g.mass_edge_tangent + out, tangents.diagonal[0]);
    }
    mass.store(scratch.mass);
    if (kTangent) tangents.store(scratch.mass + 3 * kTile);
  }

  static void adjoint(Group<T>& g, const Scratch<T>& scratch, int block,
                      int segment, Edge<T> in, const T* state_in) {
    const FlushSubnormals flush;
    const int first = block * g.block;
    const int count =
        g.block < strips(g) - first ? g.block : strips(g) - first;
    const ptrdiff_t size = (ptrdiff_t)g.width * 3 * kTile;
    const bool has_tangent = g.direction != Direction::kNone;
    for (int q = 0; q < count; ++q) {
      const Span at = steps(g, first + q, segment);
      const Edge<T> upper = q ? scratch.edge : in;
      T* shares = scratch.shares + q * size;
      Weights<F, G, S>::weights(g, first + q, at.begin, at.end, scratch);
      Sweep<F, G, S>::template sweep<true>(g, first + q, at.begin, at.end,
                                           upper, scratch.edge, state_in,
                                           nullptr, scratch, shares);
      if (!has_tangent) continue;
      Directions<F, G>::directions(g, first + q, at.begin, at.end, scratch);
      Sweep<F, G, S>::template tangent<true>(
          g, first + q, at.begin, at.end, upper, scratch.edge, state_in,
          nullptr, scratch, shares, scratch.share_tangents + q * size);
    }
    for (int q = count - 1; q >= 0; --q) {
      const int strip = first + q;
      const int t0 = steps(g, strip, segment).begin;
      const int t1 = steps(g, strip, segment).end;
      const bool last = t1 == g.steps[strip].end;
      const T* shares = scratch.shares + q * size;
      if (has_tangent)
        back<true>(g, strip, t0, t1, last, scratch, shares,
                   scratch.share_tangents + q * size);
      else
        back<false>(g, strip, t0, t1, last, scratch, shares, nullptr);
      const T* result = has_tangent ? scratch.direction : scratch.fraction;
      if (g.cost == CostKind::kExplicit) {
        if (g.is_double)
          Gradients<F, G>::template alignment<double>(g, strip, t0, t1,
                                                      result);
        else
          Gradients<F, G>::template alignment<float>(g, strip, t0, t1, result);
        continue;
      }
      with_cost(g.cost, [&](auto cost) {
        using C = decltype(cost);
        using N = typename C::template Term<F>;
        using Grad = Gradients<F, G>;
        Grad::template factors<C>(g, strip, t0, t1, scratch);
        if (N::kCurved && g.direction == Direction::kSeries)
          Grad::template gradients<N, N::kCurved>(g, strip, t0, t1, last,
                                                  scratch);
        else
          Grad::template gradients<N, false>(g, strip, t0, t1, last, scratch);
      });
    }
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
