// From the alignment of a segment to the gradients that it adds to.
#pragma once

#include "directions.hpp"
#include "weights.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Gradients : Blocks<F, G> {
  using Base = Blocks<F, G>;
  using Base::column_at;
  using Base::column_feature;
  using Base::for_each_row;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::row_at;
  using typename Base::T;
  using typename Base::V;

  // From the alignment E and its tangent, in place, to the factors of the
  // gradient's terms: of slopes of the differences of the series (in the place
  // of the tangent, if there is one), and of differences of their directions.
  template <class C>
  static void factors(const Group<T>& g, int strip, int t0, int t1,
                      const Scratch<T>& scratch) {
    const bool has_tangent = g.direction != Direction::kNone;
    const bool series = g.direction == Direction::kSeries;
    const bool cost = g.direction == Direction::kCost;
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
    T* e = scratch.fraction;
    T* et = scratch.direction;
    if (!C::kRoot) {
      if (cost)
        for (ptrdiff_t i = 0; i < size; i += L)
          F::store(et + i, F::add(F::load(et + i), F::load(e + i)));
      return;
    }
    // The alignment's tangent has taken the direction's place. The direction
    // is made again in that of the exponents, which are no longer needed.
    T* z = has_tangent ? scratch.exponent : nullptr;
    Directions<F, G>::template series_directions<C>(g, strip, t0, t1, z,
                                                    scratch.factor);
    for (ptrdiff_t i = 0; i < size; i += L) {
      const V factor = F::load(scratch.factor + i);
      const V mass = F::load(e + i);
      const V p = F::mul(mass, factor);
      F::store(e + i, p);
      if (!has_tangent) continue;
      V q = F::load(et + i);
      if (series) q = F::fnma(p, F::load(z + i), q);
      if (cost) q = F::add(q, mass);
      F::store(et + i, F::mul(q, factor));
    }
  }

  // Add one segment's sums of a factor times the slope of x - y, for kFeatures
  // features from the elements at x and y on, to gx and subtract them from gy;
  // with kSeries another factor times the change of the slope along dx - dy as
  // well. Along, the sums for a column travel with it from the strip's last
  // row to its first.
  template <class N, bool kX, bool kY, bool kSeries, int kFeatures>
  static SDTW_INLINE void gradients(const Group<T>& g, ptrdiff_t x,
                                    ptrdiff_t y, int t0, int t1,
                                    const T* factor, const T* mass) {
    const ptrdiff_t feature = column_feature(g);
    // From the column of lane 0 to that of the last row.
    constexpr int kLast = G::kAcross ? 0 : L - 1;
    V elements[kFeatures][R], rows[kFeatures][R], columns[kFeatures][R];
    SDTW_UNROLL
    for (int k = 0; k < kFeatures; ++k) {
      const T* gx = kX ? g.gx + x + k * kTile : nullptr;
      const T* gy = kY ? g.gy + y + k * feature : nullptr;
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        elements[k][r] = F::load(g.x + x + k * kTile + r * L);
        if (kX) rows[k][r] = F::load(gx + r * L);
        // Across, another thread may be at the column t1.
        columns[k][r] =
            kY && !G::kAcross ? F::load(gy + column_at(g, t1, r)) : F::set1(0);
      }
    }
    for (int t = t1 - 1; t >= t0; --t) {
      V e[R];
      SDTW_UNROLL
      for (int r = 0; r < R; ++r)
        e[r] = F::load(factor + (ptrdiff_t)(t - t0) * kTile + r * L);
      SDTW_UNROLL
      for (int k = 0; k < kFeatures; ++k) {
        const ptrdiff_t yk = y + k * feature;
        T* gy = kY ? g.gy + yk : nullptr;
        V* sums = columns[k];
        const V below =
            kY ? G::get(gy + column_at(g, t, R - 1) + kLast) : F::set1(0);
        V column;
        SDTW_UNROLL
        for (int i = 0; i < R; ++i) {
          const int r = G::kAcross ? R - 1 - i : i;
          const ptrdiff_t yr = yk + column_at(g, t, r);
          if (!G::kAcross || i == 0) column = F::load(g.y + yr);
          F::keep(column);
          const V a = F::sub(elements[k][r], column);
          const V slope = N::slope(a);
          if (kX) rows[k][r] = F::fma(e[r], slope, rows[k][r]);
          if (kY)
            sums[r] = F::fnma(
                e[r], slope,
                G::down(sums[r],
                        r + 1 < R ? sums[r + 1 < R ? r + 1 : 0] : below));
          if (kSeries) {
            const V dx = F::load(g.dx + x + k * kTile + r * L);
            const V v = N::bend(a, F::sub(dx, F::load(g.dy + yr)));
            const V p = F::load(mass + (ptrdiff_t)(t - t0) * kTile + r * L);
            if (kX) rows[k][r] = F::fma(p, v, rows[k][r]);
            if (kY) sums[r] = F::fnma(p, v, sums[r]);
          }
        }
        if (kY) G::put_first(gy + column_at(g, t, 0), sums[0]);
      }
    }
    SDTW_UNROLL
    for (int k = 0; k < kFeatures; ++k) {
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        if (kX) F::store(g.gx + x + k * kTile + r * L, rows[k][r]);
        if (kY && !G::kAcross)
          F::store(g.gy + y + k * feature + column_at(g, t0, r),
                   columns[k][r]);
      }
    }
  }

  // The same for all features.
  template <class N, bool kX, bool kY, bool kSeries>
  static SDTW_NOINLINE void gradients(const Group<T>& g, int strip, int t0,
                                      int t1, const Scratch<T>& scratch) {
    const T* factor =
        g.direction != Direction::kNone ? scratch.direction : scratch.fraction;
    constexpr int kFeatures = R < 8 ? 8 / R : 1;
    ptrdiff_t x = row_at(g, strip, 0), y = 0;
    int k = 0;
    for (; k + kFeatures <= g.d; k += kFeatures) {
      gradients<N, kX, kY, kSeries, kFeatures>(g, x, y, t0, t1, factor,
                                               scratch.fraction);
      x += kFeatures * kTile;
      y += kFeatures * column_feature(g);
    }
    for (; k < g.d; ++k) {
      gradients<N, kX, kY, kSeries, 1>(g, x, y, t0, t1, factor,
                                       scratch.fraction);
      x += kTile;
      y += column_feature(g);
    }
  }

  template <class N, bool kSeries>
  static void gradients(Group<T>& g, int strip, int t0, int t1,
                        const Scratch<T>& scratch) {
    if (g.gx && g.gy)
      gradients<N, true, true, kSeries>(g, strip, t0, t1, scratch);
    else if (g.gx)
      gradients<N, true, false, kSeries>(g, strip, t0, t1, scratch);
    else
      gradients<N, false, true, kSeries>(g, strip, t0, t1, scratch);
  }

  // Scatter one segment of the alignment into the caller's arrays.
  template <class C>
  static void alignment(const Group<T>& g, int strip, int t0, int t1,
                        const T* tile) {
    const int row = strip * G::kRows;
    for_each_row(g, row, t0, t1, [&](int l, int i, Span cells, ptrdiff_t at) {
      const ptrdiff_t j = cells.begin;
      const char* c = g.c[l] + i * g.c_row + j * g.c_col;
      char* e = g.e[l] + i * g.e_row + j * g.e_col;
      const T* in = tile + at;
      for (int col = cells.begin; col < cells.end;
           ++col, in += kTile, c += g.c_col, e += g.e_col)
        *(C*)e = *(const C*)c < (C)HUGE_VAL ? (C)(*in * g.grad[l]) : C(0);
    });
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
