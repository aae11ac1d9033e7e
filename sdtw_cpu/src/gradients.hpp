// From the alignment of a segment to the gradients that it adds to.
#pragma once

#include "directions.hpp"
#include "weights.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Gradients : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::for_each_row;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::strips;
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
    Directions<F, G>::template series_directions<C>(g, strip * G::kRows, t0,
                                                    t1, z, scratch.factor);
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

  // Columns that have passed some rows of a strip at step t, but not all:
  // their sums from gy to the rows' lanes, or back. Across there are none.
  static void load_columns(const T* gy, int t, V* sums) {
    T lanes[kTile] = {};
    for (int r = 1; r <= G::kLag; ++r) lanes[r] = gy[t - r];
    for (int r = 0; r < R; ++r) sums[r] = F::load(lanes + r * L);
  }
  static void store_columns(T* gy, int t, const V* sums) {
    T lanes[kTile];
    for (int r = 0; r < R; ++r) F::store(lanes + r * L, sums[r]);
    for (int r = 1; r <= G::kLag; ++r) gy[t - r] = lanes[r];
  }

  // Add one segment's sums of a factor times the slope of x - y to gx and
  // subtract them from gy; with kSeries another factor times the
  // change of the slope along dx - dy as well. Along, the sums for a column
  // travel with it from the strip's last row to its first.
  template <class N, bool kX, bool kY, bool kSeries>
  static SDTW_NOINLINE void gradients(Group<T>& g, int strip, int t0, int t1,
                                      const Scratch<T>& scratch) {
    const bool has_tangent = g.direction != Direction::kNone;
    const int row = strip * G::kRows;
    const ptrdiff_t xs = (ptrdiff_t)strips(g) * kTile;
    const ptrdiff_t ys = (ptrdiff_t)(g.n + 2 * G::kRows) * G::kEntry;
    for (int k = 0; k < g.d; ++k) {
      const T* x = g.x + k * xs + (ptrdiff_t)row * G::kEntry;
      T* gx = kX ? g.gx + k * xs + (ptrdiff_t)row * G::kEntry : nullptr;
      T* gy = kY ? g.gy + k * ys + (ptrdiff_t)G::kRows * G::kEntry : nullptr;
      V xr[R], sx[R], sy[R];
      for (int r = 0; r < R; ++r) {
        xr[r] = F::load(x + r * L);
        sx[r] = kX ? F::load(gx + r * L) : F::set1(0);
      }
      if (kY) load_columns(gy, t1, sy);
      const T* dx =
          kSeries ? g.dx + k * xs + (ptrdiff_t)row * G::kEntry : nullptr;
      const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
      const T* tile =
          (has_tangent ? scratch.direction : scratch.fraction) + size;
      const T* mass = scratch.fraction + size;
      for (int t = t1 - 1; t >= t0; --t) {
        tile -= kTile;
        mass -= kTile;
        V below = F::set1(0);
        if (kY) below = G::get(gy + (ptrdiff_t)(t - G::kLag) * G::kEntry);
        SDTW_UNROLL
        for (int i = 0; i < R; ++i) {
          const int r = G::kAcross ? R - 1 - i : i;
          const V a =
              F::sub(xr[r], F::load(G::columns(g.y + k * ys, g.n, t, r)));
          const V slope = N::slope(a);
          const V e = F::load(tile + r * L);
          if (kX) sx[r] = F::fma(e, slope, sx[r]);
          if (kY)
            sy[r] = F::fnma(
                e, slope,
                G::down(sy[r], r + 1 < R ? sy[r + 1 < R ? r + 1 : 0] : below));
          if (kSeries) {
            const V v = N::bend(
                a, F::sub(F::load(dx + r * L),
                          F::load(G::columns(g.dy + k * ys, g.n, t, r))));
            const V p = F::load(mass + r * L);
            if (kX) sx[r] = F::fma(p, v, sx[r]);
            if (kY) sy[r] = F::fnma(p, v, sy[r]);
          }
        }
        if (kY) G::put_first(gy + (ptrdiff_t)t * G::kEntry, sy[0]);
      }
      for (int r = 0; kX && r < R; ++r) F::store(gx + r * L, sx[r]);
      if (kY) store_columns(gy, t0, sy);
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
