// Where the strips, segments and rows of a table are, as sweeps need it.
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
  // The strips of a block, `end` excluded.
  static Span strips_of(const Group<T>& g, int block) {
    const int first = block * g.block, all = strips(g);
    return {first, first + g.block < all ? first + g.block : all};
  }
  // Steps of a segment of a block; and of a strip in it, maybe none.
  static Span segment_of(const Group<T>& g, int block, int segment) {
    const Span all = g.blocks[block];
    const int t0 = all.begin + segment * g.width;
    return {t0, t0 + g.width < all.end ? t0 + g.width : all.end};
  }
  static Span steps(const Group<T>& g, int strip, Span segment) {
    const Span all = g.steps[strip];
    return {all.begin > segment.begin ? all.begin : segment.begin,
            all.end < segment.end ? all.end : segment.end};
  }

  // Columns of the steps [t0, t1) at which a row of a strip has cells.
  static Span columns(const Group<T>& g, int row, int r, int l, int t0,
                      int t1) {
    if (g.band_begin) {
      const ptrdiff_t i = (ptrdiff_t)(row + r) * G::kEntry + l;
      t0 = t0 > g.band_begin[i] ? t0 : g.band_begin[i];
      t1 = t1 < g.band_end[i] ? t1 : g.band_end[i];
    }
    return {t0 - G::lag(r), t1 - G::lag(r)};
  }

  // fn(l, i, cells, offset) for the rows of the pairs in a strip: row i of the
  // pair in lane l has the columns `cells` in the steps [t0, t1), both counted
  // from the pair's first cell, and the first of them is number `offset` of
  // the segment.
  template <class Fn>
  static SDTW_INLINE void for_each_row(const Group<T>& g, int row, int t0,
                                       int t1, Fn fn) {
    for (int l = 0; l < g.pairs; ++l) {
      const int row0 = G::kAcross ? g.row0[l] : 0;
      const int col0 = G::kAcross ? g.col0[l] : 0;
      for (int r = 0; r < G::kRows && row + r < g.m; ++r) {
        if (row + r < row0) continue;
        const Span at = columns(g, row, r, l, t0, t1);
        const int begin = at.begin > col0 ? at.begin : col0;
        const int end = at.end < g.n ? at.end : g.n;
        fn(l, row + r - row0, Span{begin - col0, end - col0},
           (ptrdiff_t)(begin + G::lag(r) - t0) * kTile +
               r * (G::kAcross ? L : 1) + l);
      }
    }
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
