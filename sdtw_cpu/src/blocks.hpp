// Blocks of a strip's cells that read the same elements of the series.
#pragma once

#include <type_traits>

#include "kernels.hpp"
#include "strips.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <int N>
using Count = std::integral_constant<int, N>;

// A block is some vectors r, r + 1, ... of a strip at some steps, of which
// vector r + i is kSkew * i steps behind: so all of them have the same columns
// at the same time, and what is read of them is shared.
template <class F, class G>
struct Blocks : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using typename Base::T;
  static constexpr int kSkew = G::kAcross ? 0 : L;
  // From a vector of a block to the next one, in arrays of numbers per step.
  static constexpr ptrdiff_t kNext = L + (ptrdiff_t)kSkew * kTile;
  static_assert(G::kAcross || R % 2 == 0, "vectors are taken in pairs");

  // fn(count, r, t0, t1) for blocks of `count` vectors, which are all cells of
  // the steps [t0, t1); the steps of a block are those of its first vector.
  template <class Fn>
  static SDTW_INLINE void for_each_block(int t0, int t1, Fn fn) {
    if (G::kAcross) {
      fn(Count<R>(), 0, t0, t1);
      return;
    }
    const int begin = t0 + L < t1 ? t0 + L : t1;
    const int end = t0 + L < t1 ? t1 - L : t0;
    for (int r = 0; r < R; r += 2) {
      fn(Count<1>(), r + 1, t0, begin);
      fn(Count<2>(), r, t0, end);
      fn(Count<1>(), r, end, t1);
    }
  }

  // Where the first feature of a strip's rows is in x, and that of the columns
  // of vector r at step t in y; and how far it is to the next feature.
  static SDTW_INLINE ptrdiff_t row_at(const Group<T>& g, int strip, int r) {
    return (ptrdiff_t)strip * g.d * kTile + r * L;
  }
  static SDTW_INLINE ptrdiff_t column_at(const Group<T>& g, int t, int r) {
    return (t - r * kSkew) * column_step(g);
  }
  static SDTW_INLINE ptrdiff_t column_step(const Group<T>& g) {
    return G::kAcross ? g.y_step : -1;
  }
  static SDTW_INLINE ptrdiff_t column_feature(const Group<T>& g) {
    return G::kAcross ? L : g.y_feature;
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
