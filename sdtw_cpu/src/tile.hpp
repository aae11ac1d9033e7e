// Tiles of a strip whose cells share an exponent in each lane.
//
// Where the values of a tile are not too far apart they are plain numbers: a
// cell is its weight times the sum of its predecessors. The exponent is such
// that the largest number that comes in is near 2**kTop. Weights are at most
// 1, so what underflows changes a number that goes out by at most 2**-1022
// times the number of paths to it: if everything that goes out, on the right
// and below, is above 2**kLeast, nothing is lost. Otherwise the tile has to be
// swept with an exponent for each cell. Sums are added up in the same order
// there, so that values have the same bits.
//
// Outside, numbers have exponents of their own: they are brought into range on
// the way out, and on the way back messages are for the numbers outside.
#pragma once

#include "semiring.hpp"
#include "strips.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Tile : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using typename Base::T;
  using typename Base::V;
  using S = Soft<F, G>;
  using Val = typename S::Val;
  using X = typename F::X;
  static constexpr bool kPossible = G::kAcross && sizeof(T) == 8;
  static constexpr int kSteps = 16;  // at most
  // In 20 steps numbers grow by at most 2**32, so messages do not underflow
  // where a mass is above 2**(kTop + 32 - 1022), which is below Format::kMass.
  static constexpr int kTop = 860, kLeast = -900;

  // What is kept in the places that cells with exponents of their own have:
  // for each cell its weight and its number; for each column the factor that
  // took the number above to the tile's exponent; and those of the numbers on
  // the left, in the first column.
  static T* weight(T* kept, int r) { return kept + r * kKept * L; }
  static T* factor_above(T* kept) { return kept + 2 * L; }
  static T* factor_left(T* kept, int r) { return weight(kept, r) + 3 * L; }
  static T* factor_corner(T* kept) { return weight(kept, 1) + 2 * L; }
  static SDTW_INLINE V number(const T* kept, int r) {
    return F::load(kept + (r * kKept + 1) * L);
  }

  // Sweep a tile from the edge above, of which columns from `limit` on are
  // none, the cells on the left and the corner between; false, with nothing
  // changed, if its cells cannot share an exponent.
  template <bool kKeep>
  static SDTW_NOINLINE bool sweep(const S& s, int t0, int t1, int limit,
                                  Edge<T> in, Edge<T> out, Val* left,
                                  Val& corner, const T* f, const T* n,
                                  T* kept) {
    const auto above = [&](int t) {
      return t < limit ? S::get(in, (ptrdiff_t)t * L) : s.none();
    };
    X top = corner.e;
    for (int r = 0; r < R; ++r) top = F::xmax(top, left[r].e);
    for (int t = t0; t < t1; ++t) top = F::xmax(top, above(t).e);
    top = F::xsub(top, F::xset1(kTop));
    const X base = F::base(top), one = F::base(F::xset1(0));

    V v[R], bottom[kSteps];
    for (int r = 0; r < R; ++r) {
      const V factor = F::power(left[r].e, base);
      if (kKeep) F::store(factor_left(kept, r), factor);
      v[r] = F::mul(left[r].m, factor);
    }
    const V of_corner = F::power(corner.e, base);
    if (kKeep) F::store(factor_corner(kept), of_corner);
    V diagonal = F::mul(corner.m, of_corner);
    V least = F::set1((T)HUGE_VAL);
    for (int t = t0; t < t1; ++t, f += kTile, n += kTile) {
      const Val edge = above(t);
      const V factor = F::power(edge.e, base);
      if (kKeep) F::store(factor_above(kept), factor);
      V upper = F::mul(edge.m, factor), before = diagonal;
      diagonal = upper;
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        const V w = F::scale(F::load(f + r * L), F::xload(n + r * L), one);
        const V sum = F::add(v[r], F::add(upper, before));
        before = v[r];
        upper = v[r] = F::mul(w, sum);
        if (kKeep) {
          F::store(weight(kept, r), w);
          F::store(weight(kept, r) + L, upper);
        }
      }
      bottom[t - t0] = upper;
      least = F::min(least, upper);
      if (kKeep) kept += kKept * kTile;
    }
    for (int r = 0; r < R; ++r) least = F::min(least, v[r]);
    T all[L];
    F::store(all, least);
    for (int l = 0; l < L; ++l)
      if (!(all[l] > (T)ldexp(1.0, kLeast))) return false;

    corner = above(t1 - 1);
    for (int t = t0; t < t1; ++t) {
      Val below = {bottom[t - t0], top};
      S::renorm(below);
      S::put(out, (ptrdiff_t)t * L, below);
    }
    for (int r = 0; r < R; ++r) {
      left[r] = {v[r], top};
      S::renorm(left[r]);
    }
    return true;
  }

  // Sweep messages back through a tile, as Adjoint::back does; its alignment
  // goes to `tile`.
  template <class Messages>
  static SDTW_NOINLINE void back(Group<T>& g, int t0, int t1,
                                 Messages& messages, T* kept, T* tile) {
    V(&keep)[R] = messages.keep;
    V(&diagonal)[R] = messages.diagonal;
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0 - 1) * kTile;
    kept += kKept * size;
    tile += size;
    for (int r = 0; r < R; ++r) {
      keep[r] = F::unscale(keep[r], number(kept, r));
      if (r) diagonal[r] = F::unscale(diagonal[r], number(kept, r - 1));
    }
    const V negligible = F::set1((T)Format<T>::kMass);
    V from_right = diagonal[0];  // for the number above, outside of the tile
    diagonal[0] = F::set1(0);
    for (int t = t1 - 1;; --t) {
      T* edge = g.mass_edge + (ptrdiff_t)t * L;
      V hand = F::unscale(F::load(edge), number(kept, R - 1));
      SDTW_UNROLL
      for (int r = R - 1; r >= 0; --r) {
        const V b = F::add(keep[r], hand);
        const V mass = F::mul(b, number(kept, r));
        F::store(tile + r * L, F::above(mass, negligible, mass));
        const V q =
            F::above(mass, negligible, F::mul(F::load(weight(kept, r)), b));
        hand = F::add(q, diagonal[r]);
        keep[r] = diagonal[r] = q;
      }
      F::store(edge, F::fma(hand, F::load(factor_above(kept)), from_right));
      from_right = F::set1(0);
      if (t == t0) break;
      kept -= kKept * kTile;
      tile -= kTile;
    }
    for (int r = 0; r < R; ++r) {
      keep[r] = F::mul(keep[r], F::load(factor_left(kept, r)));
      diagonal[r] = F::mul(
          diagonal[r],
          F::load(r ? factor_left(kept, r ? r - 1 : 0) : factor_corner(kept)));
    }
  }
};

// When to try: after a tile that failed others are left out, ever more.
class Tries {
  int left_out_ = 0, next_ = 0;

 public:
  bool now() { return next_ == 0 || (--next_, false); }
  void note(bool good) {
    left_out_ = good ? 0 : left_out_ < 16 ? 2 * left_out_ + 1 : left_out_;
    next_ = left_out_;
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
