// What the direction makes of a segment's costs.
#pragma once

#include "weights.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Directions : Blocks<F, G> {
  using Base = Blocks<F, G>;
  using Base::column_at;
  using Base::column_feature;
  using Base::column_step;
  using Base::for_each_block;
  using Base::for_each_row;
  using Base::kNext;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::row_at;
  using typename Base::T;
  using typename Base::V;

  // Explicit ones; zero where a cell is forbidden, has a cost that is
  // capped, or is padding.
  template <class C>
  static void explicit_directions(const Group<T>& g, int row, int t0, int t1,
                                  T* tile) {
    const bool costs = g.c[0] != nullptr;
    const T limit = (T)g.limit;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * kTile; ++i) tile[i] = 0;
    for_each_row(g, row, t0, t1, [&](int l, int i, Span cells, ptrdiff_t at) {
      const ptrdiff_t j = cells.begin;
      const char* z = g.z[l] + i * g.z_row + j * g.z_col;
      const char* c = costs ? g.c[l] + i * g.c_row + j * g.c_col : z;
      const ptrdiff_t c_col = costs ? g.c_col : g.z_col;
      T* out = tile + at;
      for (int col = cells.begin; col < cells.end;
           ++col, out += kTile, z += g.z_col, c += c_col)
        *out = !costs || (T) * (const C*)c < limit ? (T) * (const C*)z : T(0);
    });
  }

  // What the direction of the series or of the costs makes of the costs, zero
  // in padding; and, where costs are roots of sums, the factors of gradients:
  // the inverse costs. Either array may be null.
  template <class C>
  static void series_directions(const Group<T>& g, int strip, int t0, int t1,
                                T* direction, T* factor) {
    using N = typename C::template Term<F>;
    const bool series = g.direction == Direction::kSeries;
    const ptrdiff_t feature = column_feature(g);
    const V cut = F::set1((T)g.cut);
    const V minus_cut = F::sub(F::set1(0), cut);
    const V limit = F::set1((T)g.limit);
    const V slope_factor = F::set1((T)C::kFactor);
    for_each_block(t0, t1, [&](auto count, int r, int begin, int end) {
      constexpr int kCount = decltype(count)::value;
      for (int t = begin; t < end; ++t) {
        ptrdiff_t x = row_at(g, strip, r), y = column_at(g, t, r);
        V sum[kCount], dot[kCount];
        for (int i = 0; i < kCount; ++i) sum[i] = dot[i] = F::set1(0);
        for (int k = 0; k < g.d; ++k, x += kTile, y += feature) {
          SDTW_UNROLL
          for (int i = 0; i < kCount; ++i) {
            V a = F::sub(F::load(g.x + x + i * L), F::load(g.y + y));
            if (g.capped) a = F::max(F::min(a, cut), minus_cut);
            sum[i] = N::add(sum[i], a);
            if (!series) continue;
            const V v = F::sub(F::load(g.dx + x + i * L), F::load(g.dy + y));
            dot[i] = F::fma(N::slope(a), v, dot[i]);
          }
        }
        SDTW_UNROLL
        for (int i = 0; i < kCount; ++i) {
          const ptrdiff_t to = (ptrdiff_t)(t - t0) * kTile + r * L + i * kNext;
          V c = sum[i];
          V z = F::mul(dot[i], slope_factor);
          if (C::kRoot) {
            c = F::sqrt(c);
            const V by_cost = inverse(c);
            if (factor) F::store(factor + to, by_cost);
            z = F::mul(z, by_cost);
          }
          if (!series) z = c;
          if (g.capped) z = F::mul(z, F::leq(c, limit));
          if (direction) F::store(direction + to, z);
        }
      }
    });
  }

  // 1 / c, or 0 for 0.
  static SDTW_INLINE V inverse(V c) {
    const V zero = F::leq(c, F::set1(0));
    return F::mul(F::recip(F::add(c, zero)), F::sub(F::set1(1), zero));
  }

  static void directions(const Group<T>& g, int strip, int t0, int t1,
                         const Scratch<T>& scratch) {
    const int row = strip * G::kRows;
    T* to = scratch.direction;
    if (g.direction != Direction::kExplicit)
      with_cost(g.cost, [&](auto cost) {
        series_directions<decltype(cost)>(g, strip, t0, t1, to, nullptr);
      });
    else if (g.is_double)
      explicit_directions<double>(g, row, t0, t1, to);
    else
      explicit_directions<float>(g, row, t0, t1, to);
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
