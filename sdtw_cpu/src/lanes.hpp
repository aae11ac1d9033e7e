// How lanes lie in the table.
//
// Mantissas drift by at most 2**2.1 a cell, and are brought back to [1, 2)
// every kRenorm steps; across, also where they go to an edge or to a state.
// So nothing adds up from strip to strip.
#pragma once

#include "simd/level.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

// The interface of a layout is that of the first one.
template <class F>
struct Along {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kAcross = false;
  static constexpr int L = F::L;
  // Rows of a strip, and vectors of them.
  static constexpr int kRows = 32;
  static_assert(kRows % L == 0, "a strip has whole vectors");
  static constexpr int R = kRows / L;
  static constexpr int kLag = kRows - 1;
  static constexpr int kEntry = 1;
  static constexpr int kRenorm = 8;
  // The step, less the column, of a row.
  static constexpr int lag(int row) { return row; }

  // What the rows above and below have, of vectors one after the other.
  static SDTW_INLINE V up(V v, V previous) { return F::shift_up(v, previous); }
  static SDTW_INLINE X xup(X v, X previous) {
    return F::xshift_up(v, previous);
  }
  static SDTW_INLINE V down(V v, V next) { return F::shift_down(v, next); }
  // An entry of an edge; and the last and the first row of a strip, at one.
  static SDTW_INLINE V get(const T* p) { return F::set1(*p); }
  static SDTW_INLINE X xget(const T* p) { return F::xload1(p); }
  static SDTW_INLINE void put_last(T* p, V v) { F::store_last(p, v); }
  static SDTW_INLINE void xput_last(T* p, X v) { F::xstore_last(p, v); }
  static SDTW_INLINE void put_first(T* p, V v) { F::store_first(p, v); }
};

template <class F>
struct Across {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kAcross = true;
  static constexpr int L = F::L;
  static constexpr int kRows = 4;
  static constexpr int R = kRows;
  static constexpr int kLag = 0;
  static constexpr int kEntry = L;
  static constexpr int kRenorm = 16;
  static constexpr int lag(int) { return 0; }

  static SDTW_INLINE V up(V, V previous) { return previous; }
  static SDTW_INLINE X xup(X, X previous) { return previous; }
  static SDTW_INLINE V down(V, V next) { return next; }
  static SDTW_INLINE V get(const T* p) { return F::load(p); }
  static SDTW_INLINE X xget(const T* p) { return F::xload(p); }
  static SDTW_INLINE void put_last(T* p, V v) { F::store(p, v); }
  static SDTW_INLINE void xput_last(T* p, X v) { F::xstore(p, v); }
  static SDTW_INLINE void put_first(T* p, V v) { F::store(p, v); }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
