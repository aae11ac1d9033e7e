// The sweep of the values and that of their tangents.
#pragma once

#include "directions.hpp"
#include "weights.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G, class S>
struct Sweep : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::steps;
  using Base::strips;
  using typename Base::T;
  using typename Base::V;
  using Val = typename S::Val;
  // Numbers of a state; those of its tangents come after.
  static constexpr int kState = 2 * S::kPlanes * kTile;

  static void begin(const Group<T>& g, Edge<T> edge) {
    const S s(g.scale);
    const ptrdiff_t first = -(ptrdiff_t)G::kRows * G::kEntry;
    const ptrdiff_t last = (ptrdiff_t)(g.n + G::kRows) * G::kEntry;
    T none[2 * L];
    S::store(none, L, s.none());
    for (ptrdiff_t i = first; i < last; ++i) {
      edge.m[i] = none[0];
      if (S::kPlanes == 2) edge.e[i] = none[L];
      if (g.direction != Direction::kNone) edge.t[i] = 0;
    }
    for (int l = 0; G::kAcross && l < g.pairs; ++l) {
      const int c = g.col0[l] - g.row0[l];
      if (c > 0) put_one(edge, (ptrdiff_t)(c - 1) * L + l);
    }
  }

  // The value 0 of R, at one number of an edge.
  static void put_one(Edge<T> edge, ptrdiff_t i) {
    edge.m[i] = S::kCosts ? T(0) : T(1);
    if (S::kPlanes == 2) edge.e[i] = T(0);  // all bits zero in both formats
  }

  static void start(const Group<T>& g, int strip, Edge<T> in, Val* cur,
                    Val* diagonal) {
    const S s(g.scale);
    for (int r = 0; r < R; ++r) cur[r] = diagonal[r] = s.none();
    if (strip > 0) {
      const ptrdiff_t t = g.steps[strip].begin;
      if (t > 0)
        diagonal[0] = S::up(diagonal[0], S::get(in, (t - 1) * G::kEntry));
      return;
    }
    T corner[2 * L];
    S::store(corner, L, s.none());
    for (int l = 0; l < (G::kAcross ? g.pairs : 1); ++l)
      if (!G::kAcross || g.col0[l] == g.row0[l])
        put_one({corner, corner + L, nullptr}, l);
    diagonal[0] = S::load(corner, L);
  }

  template <bool kShares>
  static SDTW_NOINLINE void sweep(const Group<T>& g, int strip, int t0, int t1,
                                  Edge<T> in, Edge<T> out, const T* state_in,
                                  T* state_out, const Scratch<T>& scratch,
                                  T* shares) {
    const S s(g.scale);
    Val cur[R], diagonal[R];
    if (t0 == g.steps[strip].begin) {
      start(g, strip, in, cur, diagonal);
    } else {
      for (int r = 0; r < R; ++r) {
        cur[r] = S::load(state_in + r * L, kTile);
        diagonal[r] = S::load(state_in + kState / 2 + r * L, kTile);
      }
    }
    // The row above has no cells from here on.
    const int limit = strip ? g.steps[strip - 1].end - G::kLag : g.n;
    const T* f = scratch.fraction;
    const T* n = scratch.exponent;
    for (int t = t0; t < t1; ++t, f += kTile, n += kTile) {
      const Val above =
          t < limit ? S::get(in, (ptrdiff_t)t * G::kEntry) : s.none();
      SDTW_UNROLL
      for (int r = R - 1; r >= 0; --r) {
        const Val upper =
            S::up(cur[r], r > 0 ? cur[r > 0 ? r - 1 : 0] : above);
        cur[r] = s.template step<kShares>(cur[r], upper, diagonal[r],
                                          S::weight(f + r * L, n + r * L),
                                          shares + r * 3 * L);
        diagonal[r] = upper;
      }
      if (kShares) shares += 3 * kTile;
      if ((t + 1) % G::kRenorm == 0) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) {
          S::renorm(cur[r]);
          S::renorm(diagonal[r]);
        }
      }
      S::put(out, (ptrdiff_t)(t - G::kLag) * G::kEntry, cur[R - 1]);
    }
    if (state_out) {
      for (int r = 0; r < R; ++r) {
        S::store(state_out + r * L, kTile, cur[r]);
        S::store(state_out + kState / 2 + r * L, kTile, diagonal[r]);
      }
    }
  }

  // The tangent of the segment that the shares are of; and of the shares.
  // Differences keep the digits that the tangents have in common.
  template <bool kShares>
  static SDTW_NOINLINE void tangent(const Group<T>& g, int strip, int t0,
                                    int t1, Edge<T> in, Edge<T> out,
                                    const T* state_in, T* state_out,
                                    const Scratch<T>& scratch, const T* shares,
                                    T* share_tangents) {
    V cur[R], diagonal[R];
    const bool first = t0 == g.steps[strip].begin;
    for (int r = 0; r < R; ++r) {
      const T* from = state_in + kState + r * L;
      cur[r] = first ? F::set1(0) : F::load(from);
      diagonal[r] = first ? F::set1(0) : F::load(from + kTile);
    }
    if (first && strip && t0)
      diagonal[0] =
          G::up(diagonal[0], G::get(in.t + (ptrdiff_t)(t0 - 1) * G::kEntry));
    const int limit = strip ? g.steps[strip - 1].end - G::kLag : g.n;
    const V curvature = F::set1((T)g.scale.curvature);
    const T* z = scratch.direction;
    for (int t = t0; t < t1; ++t, z += kTile, shares += 3 * kTile) {
      const V above =
          t < limit ? G::get(in.t + (ptrdiff_t)t * G::kEntry) : F::set1(0);
      SDTW_UNROLL
      for (int r = R - 1; r >= 0; --r) {
        const V upper = G::up(cur[r], r > 0 ? cur[r > 0 ? r - 1 : 0] : above);
        const T* p = shares + r * 3 * L;
        const V l = F::load(p), u = F::load(p + L), g = F::load(p + 2 * L);
        // The mean, as the tangent with the largest weight plus a rest. Added
        // up otherwise, a huge tangent whose weight is 0 could cost all
        // digits.
        const V base = F::pick(F::max(l, u), g, diagonal[r],
                               F::pick(l, u, upper, cur[r]));
        const V rest = F::fma(l, F::sub(cur[r], base),
                              F::fma(u, F::sub(upper, base),
                                     F::mul(g, F::sub(diagonal[r], base))));
        if (kShares) {
          // How far each is from the mean, from differences alone: this stays
          // exact where weights are tiny.
          T* to = share_tangents + r * 3 * L;
          const V left = F::sub(cur[r], diagonal[r]);
          const V up = F::sub(upper, diagonal[r]);
          const V mean = F::fma(l, left, F::mul(u, up));
          const V across = F::sub(left, up);
          const V lc = F::mul(l, curvature), uc = F::mul(u, curvature);
          F::store(to, F::mul(lc, F::fma(u, across, F::mul(g, left))));
          F::store(to + L, F::mul(uc, F::fnma(l, across, F::mul(g, up))));
          F::store(to + 2 * L,
                   F::mul(F::mul(g, curvature), F::sub(F::set1(0), mean)));
        }
        cur[r] = F::add(F::add(base, rest), F::load(z + r * L));
        diagonal[r] = upper;
      }
      if (kShares) share_tangents += 3 * kTile;
      G::put_last(out.t + (ptrdiff_t)(t - G::kLag) * G::kEntry, cur[R - 1]);
    }
    if (!state_out) return;
    for (int r = 0; r < R; ++r) {
      T* to = state_out + kState + r * L;
      F::store(to, cur[r]);
      F::store(to + kTile, diagonal[r]);
    }
  }

  static void value(Group<T>& g, const Scratch<T>& scratch, int strip,
                    int segment, Edge<T> in, Edge<T> out, const T* state_in,
                    T* state_out) {
    const FlushSubnormals flush;
    const Span at = steps(g, strip, segment);
    Weights<F, G, S>::weights(g, strip, at.begin, at.end, scratch);
    const bool has_tangent = g.direction != Direction::kNone;
    if (has_tangent) {
      Directions<F, G>::directions(g, strip, at.begin, at.end, scratch);
      sweep<true>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                  scratch, scratch.shares);
      tangent<false>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                     scratch, scratch.shares, nullptr);
    } else {
      sweep<false>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                   scratch, nullptr);
    }
    if (at.end < g.steps[strip].end || strip < strips(g) - 1) return;
    const T* last = state_out + (g.m - 1) % G::kRows * G::kEntry;
    for (int l = 0; l < g.pairs; ++l) {
      g.value[l] = S::value(g.scale, last + l, kTile);
      if (has_tangent) g.tangent[l] = (double)last[kState + l];
    }
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
