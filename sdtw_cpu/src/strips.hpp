// The strips of a table and what they are counted in.
#pragma once

#include "lanes.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Strips {
  using T = typename F::T;
  using V = typename F::V;
  static constexpr int L = F::L;
  static constexpr int R = G::R;
  static constexpr int kTile = R * L;  // numbers per step

  static int strips(const Group<T>& g) {
    return (g.m + G::kRows - 1) / G::kRows;
  }
  // Steps of a segment.
  static Span steps(const Group<T>& g, int strip, int segment) {
    const Span all = g.steps[strip];
    const int t0 = all.begin + segment * g.width;
    return {t0, t0 + g.width < all.end ? t0 + g.width : all.end};
  }

  // Columns of the steps [t0, t1) at which a row of a strip has cells.
  static Span columns(const Group<T>& g, int row, int r, int l, int t0,
                      int t1) {
    if (g.band_begin) {
      const ptrdiff_t i = (ptrdiff_t)(row + r) * G::kEntry + l;
      t0 = t0 > g.band_begin[i] ? t0 : g.band_begin[i];
      t1 = t1 < g.band_end[i] ? t1 : g.band_end[i];
    }
    return {t0 - r, t1 - r};
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
