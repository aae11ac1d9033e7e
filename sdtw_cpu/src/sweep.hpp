// The sweep of the values and that of their tangents.
#pragma once

#include <type_traits>

#include "directions.hpp"
#include "tile.hpp"
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
  using Base::segment_of;
  using Base::steps;
  using Base::strips;
  using Base::strips_of;
  using typename Base::T;
  using typename Base::V;
  using Val = typename S::Val;
  // Steps of a tile, whose weights are made at a time.
  static constexpr int kSteps = G::kAcross ? 16 : 32;
  static constexpr int kDiagonals = G::kAcross ? 1 : R;

  // What the next step of a strip needs of those before: the cells on the left
  // of its rows, and those on the left of the rows above them; across, the
  // latter are the former but for the first row's.
  struct Values {
    Val cur[R], diagonal[kDiagonals];
  };
  struct Tangents {
    V cur[R], diagonal[kDiagonals];
  };

  // Where the state of a block has those of its strip number q.
  static ptrdiff_t cur_at(int q, int r) {
    return G::kAcross ? ((ptrdiff_t)q * R + r + 1) * L : (ptrdiff_t)r * L;
  }
  static ptrdiff_t diagonal_at(int q, int r) {
    return G::kAcross ? (ptrdiff_t)q * kTile : kTile + (ptrdiff_t)r * L;
  }

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

  // Columns at which the row above a strip has cells.
  static Span above(const Group<T>& g, int strip) {
    if (!strip) return {0, g.n};
    const Span at = g.steps[strip - 1];
    return {at.begin - G::kLag, at.end - G::kLag};
  }

  // The cell above the first one on the left of a strip that starts at step t.
  static Val corner(const S& s, const Group<T>& g, int strip, int t,
                    Edge<T> in) {
    if (strip) {
      const Span at = above(g, strip);
      return t > 0 && at.begin < t && t <= at.end
                 ? S::get(in, (ptrdiff_t)(t - 1) * G::kEntry)
                 : s.none();
    }
    T one[2 * L];
    S::store(one, L, s.none());
    for (int l = 0; l < (G::kAcross ? g.pairs : L); ++l)
      if (!G::kAcross || g.col0[l] == g.row0[l])
        put_one({one, one + L, nullptr}, l);
    return S::load(one, L);
  }
  static V corner_tangent(const Group<T>& g, int strip, int t, Edge<T> in) {
    const Span at = above(g, strip);
    return strip && t > 0 && at.begin < t && t <= at.end
               ? G::get(in.t + (ptrdiff_t)(t - 1) * G::kEntry)
               : F::set1(0);
  }

  // Sweep the steps [t0, t1) of a strip; weights, and what cells keep, are
  // counted from t0.
  template <Keep kKeep>
  static SDTW_NOINLINE void sweep(const Group<T>& g, int strip, int t0, int t1,
                                  Edge<T> in, Edge<T> out, Values& at,
                                  const Scratch<T>& scratch, T* kept) {
    const S s(g.scale);
    Val cur[R], diagonal[kDiagonals];
    for (int r = 0; r < R; ++r) cur[r] = at.cur[r];
    for (int r = 0; r < kDiagonals; ++r) diagonal[r] = at.diagonal[r];
    const int limit = above(g, strip).end;
    const T* f = scratch.fraction;
    const T* n = scratch.exponent;
    for (int t = t0; t < t1; ++t, f += kTile, n += kTile) {
      const bool renorm = (t + 1) % G::kRenorm == 0;
      const Val edge =
          t < limit ? S::get(in, (ptrdiff_t)t * G::kEntry) : s.none();
      if (G::kAcross) {
        Val upper = edge, corner = diagonal[0];
        diagonal[0] = edge;
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) {
          const Val left = cur[r];
          cur[r] = s.template step<kKeep>(left, upper, corner,
                                          S::weight(f + r * L, n + r * L),
                                          kept + r * kKept * L);
          if (renorm) S::renorm(cur[r]);
          corner = left;
          upper = cur[r];
        }
      } else {
        SDTW_UNROLL
        for (int r = R - 1; r >= 0; --r) {
          const Val upper =
              S::up(cur[r], r > 0 ? cur[r > 0 ? r - 1 : 0] : edge);
          Val& from = diagonal[r < kDiagonals ? r : 0];
          cur[r] = s.template step<kKeep>(cur[r], upper, from,
                                          S::weight(f + r * L, n + r * L),
                                          kept + r * kKept * L);
          from = upper;
        }
      }
      if (kKeep != Keep::kNothing) kept += kKept * kTile;
      if (renorm && !G::kAcross) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) S::renorm(cur[r]);
      }
      Val last = cur[R - 1];
      if (G::kAcross) S::renorm(last);
      S::put(out, (ptrdiff_t)(t - G::kLag) * G::kEntry, last);
    }
    for (int r = 0; r < R; ++r) at.cur[r] = cur[r];
    for (int r = 0; r < kDiagonals; ++r) at.diagonal[r] = diagonal[r];
  }

  // The same for a tile whose cells share an exponent, if they can; true if
  // so.
  template <Keep kKeep>
  static bool sweep_shared(const Group<T>& g, int strip, int t0, int t1,
                           Edge<T> in, Edge<T> out, Values& at, Tries& tries,
                           const Scratch<T>& scratch, T* kept) {
    if constexpr (Tile<F, G>::kPossible && std::is_same_v<S, Soft<F, G>>) {
      // Explicit costs may be below 0.
      if (g.cost == CostKind::kExplicit || !tries.now()) return false;
      const bool good = Tile<F, G>::template sweep<kKeep != Keep::kNothing>(
          S(g.scale), t0, t1, above(g, strip).end, in, out, at.cur,
          at.diagonal[0], scratch.fraction, scratch.exponent, kept);
      tries.note(good);
      return good;
    }
    return false;
  }

  // The tangents of the steps that the shares are of; and of the shares.
  // Differences keep the digits that the tangents have in common.
  template <bool kShares>
  static SDTW_NOINLINE void tangent(const Group<T>& g, int strip, int t0,
                                    int t1, Edge<T> in, Edge<T> out,
                                    Tangents& at, const Scratch<T>& scratch,
                                    const T* shares, T* share_tangents) {
    const int limit = above(g, strip).end;
    const V curvature = F::set1((T)g.scale.curvature);
    const T* z = scratch.direction;
    for (int t = t0; t < t1; ++t, z += kTile, shares += kKept * kTile) {
      const V edge =
          t < limit ? G::get(in.t + (ptrdiff_t)t * G::kEntry) : F::set1(0);
      const auto cell = [&](int r, V left, V upper, V corner) {
        const T* p = shares + r * kKept * L;
        const V l = F::load(p), u = F::load(p + L), g = F::load(p + 2 * L);
        // The mean, as the tangent with the largest weight plus a rest. Added
        // up otherwise, a huge tangent whose weight is 0 could cost all
        // digits.
        const V base =
            F::pick(F::max(l, u), g, corner, F::pick(l, u, upper, left));
        const V rest = F::fma(
            l, F::sub(left, base),
            F::fma(u, F::sub(upper, base), F::mul(g, F::sub(corner, base))));
        if (kShares) {
          // How far each is from the mean, from differences alone: this stays
          // exact where weights are tiny.
          T* to = share_tangents + r * kKept * L;
          const V by_left = F::sub(left, corner);
          const V by_up = F::sub(upper, corner);
          const V mean = F::fma(l, by_left, F::mul(u, by_up));
          const V across = F::sub(by_left, by_up);
          const V lc = F::mul(l, curvature), uc = F::mul(u, curvature);
          F::store(to, F::mul(lc, F::fma(u, across, F::mul(g, by_left))));
          F::store(to + L, F::mul(uc, F::fnma(l, across, F::mul(g, by_up))));
          F::store(to + 2 * L,
                   F::mul(F::mul(g, curvature), F::sub(F::set1(0), mean)));
        }
        return F::add(F::add(base, rest), F::load(z + r * L));
      };
      if (G::kAcross) {
        V upper = edge, corner = at.diagonal[0];
        at.diagonal[0] = edge;
        for (int r = 0; r < R; ++r) {
          const V left = at.cur[r];
          at.cur[r] = cell(r, left, upper, corner);
          corner = left;
          upper = at.cur[r];
        }
      } else {
        for (int r = R - 1; r >= 0; --r) {
          const V upper =
              G::up(at.cur[r], r > 0 ? at.cur[r > 0 ? r - 1 : 0] : edge);
          V& corner = at.diagonal[r < kDiagonals ? r : 0];
          at.cur[r] = cell(r, at.cur[r], upper, corner);
          corner = upper;
        }
      }
      if (kShares) share_tangents += kKept * kTile;
      G::put_last(out.t + (ptrdiff_t)(t - G::kLag) * G::kEntry, at.cur[R - 1]);
    }
  }

  // The strips of a block in a segment, from the first to the last, with
  // what each has on its left and above.
  class Block {
    const Group<T>& g_;
    const Scratch<T>& scratch_;
    const Span strips_, at_;
    const Edge<T> in_;
    const T* const state_;  // null before the first segment
    const S s_;
    const bool has_tangent_;
    // What strips begin with that the one above has before the segment: a
    // state may be replaced strip by strip.
    Val corner_;
    V corner_tangent_;

    Val state_value(ptrdiff_t i) const {
      return S::load(state_ + i, g_.state);
    }
    V state_tangent(ptrdiff_t i) const {
      return F::load(state_ + S::kPlanes * g_.state + i);
    }

   public:
    Values values;
    Tangents tangents;
    int strip;
    Span steps;  // of the strip in the segment
    Edge<T> upper;

    // Of a segment, the steps `at` and the strips that are wanted.
    Block(const Group<T>& g, const Scratch<T>& scratch, Span strips, Span at,
          Edge<T> in, const T* state)
        : g_(g),
          scratch_(scratch),
          strips_(strips),
          at_(at),
          in_(in),
          state_(state),
          s_(g.scale),
          has_tangent_(g.direction != Direction::kNone) {}

    // Go to a strip: those before it must have been swept.
    void start(int to) {
      strip = to;
      const int q = strip - strips_.begin;
      const int t = g_.steps[strip].begin;
      steps = Base::steps(g_, strip, at_);
      upper = q ? scratch_.edge : in_;
      const bool continued = t < at_.begin;
      // Within the segment, the edge has what the strip above has just left.
      const bool by_edge = !continued && (!q || t > at_.begin);
      for (int r = 0; r < R; ++r)
        values.cur[r] = continued ? state_value(cur_at(q, r)) : s_.none();
      for (int r = 0; r < kDiagonals; ++r)
        values.diagonal[r] =
            continued ? state_value(diagonal_at(q, r)) : s_.none();
      if (by_edge)
        values.diagonal[0] = S::up(s_.none(), corner(s_, g_, strip, t, upper));
      else if (G::kAcross && q && state_)
        values.diagonal[0] = corner_;
      if (G::kAcross && state_) corner_ = state_value(cur_at(q, R - 1));
      if (!has_tangent_) return;
      for (int r = 0; r < R; ++r)
        tangents.cur[r] = continued ? state_tangent(cur_at(q, r)) : F::set1(0);
      for (int r = 0; r < kDiagonals; ++r)
        tangents.diagonal[r] =
            continued ? state_tangent(diagonal_at(q, r)) : F::set1(0);
      if (by_edge)
        tangents.diagonal[0] =
            G::up(F::set1(0), corner_tangent(g_, strip, t, upper));
      else if (G::kAcross && q && state_)
        tangents.diagonal[0] = corner_tangent_;
      if (G::kAcross && state_)
        corner_tangent_ = state_tangent(cur_at(q, R - 1));
    }

    // Put the state after the segment: none where the strip has ended.
    void store(T* state) const {
      const int q = strip - strips_.begin;
      const bool ended = steps.end < at_.end;
      T* tangent = state + S::kPlanes * g_.state;
      for (int r = 0; r < R; ++r) {
        Val v = ended ? s_.none() : values.cur[r];
        if (G::kAcross) S::renorm(v);
        S::store(state + cur_at(q, r), g_.state, v);
        if (has_tangent_)
          F::store(tangent + cur_at(q, r),
                   ended ? F::set1(0) : tangents.cur[r]);
      }
      if (G::kAcross && q) return;
      for (int r = 0; r < kDiagonals; ++r) {
        S::store(state + diagonal_at(q, r), g_.state, values.diagonal[r]);
        if (has_tangent_)
          F::store(tangent + diagonal_at(q, r), tangents.diagonal[r]);
      }
    }
  };

  static void value(Group<T>& g, const Scratch<T>& scratch, int block,
                    int segment, Edge<T> in, Edge<T> out, const T* state_in,
                    T* state_out) {
    const FlushSubnormals flush;
    const bool has_tangent = g.direction != Direction::kNone;
    const Span all = strips_of(g, block);
    Block at(g, scratch, all, segment_of(g, block, segment), in,
             segment ? state_in : nullptr);
    Tries tries;
    for (int strip = all.begin; strip < all.end; ++strip) {
      at.start(strip);
      const Edge<T> lower = strip + 1 < all.end ? scratch.edge : out;
      for (int t0 = at.steps.begin; t0 < at.steps.end; t0 += kSteps) {
        const int t1 = t0 + kSteps < at.steps.end ? t0 + kSteps : at.steps.end;
        Weights<F, G, S>::weights(g, strip, t0, t1, scratch);
        if (!has_tangent) {
          if (!sweep_shared<Keep::kNothing>(g, strip, t0, t1, at.upper, lower,
                                            at.values, tries, scratch,
                                            nullptr))
            sweep<Keep::kNothing>(g, strip, t0, t1, at.upper, lower, at.values,
                                  scratch, nullptr);
          continue;
        }
        Directions<F, G>::directions(g, strip, t0, t1, scratch);
        sweep<Keep::kShares>(g, strip, t0, t1, at.upper, lower, at.values,
                             scratch, scratch.kept);
        tangent<false>(g, strip, t0, t1, at.upper, lower, at.tangents, scratch,
                       scratch.kept, nullptr);
      }
      at.store(state_out);
    }
    if (all.end < strips(g) || at.steps.end < g.steps[all.end - 1].end) return;
    const int r = (g.m - 1) % G::kRows;
    const T* last = state_out + cur_at(all.end - 1 - all.begin, 0) +
                    (ptrdiff_t)r * G::kEntry;
    for (int l = 0; l < g.pairs; ++l) {
      g.value[l] = S::value(g.scale, last + l, g.state);
      g.last[l] = has_tangent ? T(1) : S::last(last + l);
      if (has_tangent) g.tangent[l] = (double)last[S::kPlanes * g.state + l];
    }
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
