// The weights of a segment's cells, or their costs.
#pragma once

#include "kernels.hpp"
#include "semiring.hpp"
#include "simd/weight.hpp"
#include "strips.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

// Store the weights of the costs `c` as fractions at `f` and exponents at `n`.
// The other arguments are those of weigh().
SDTW_INLINE void put_weight(const Rate<F64>& rate, F64::V c, F64::V, bool,
                            double* f, double* n) {
  F64::V fraction;
  F64::X exponent;
  weigh(rate, c, fraction, exponent);
  F64::store(f, fraction);
  F64::xstore(n, exponent);
}

SDTW_INLINE void put_weight(const Rate<F32>& rate, F32::V c, F32::V rest,
                            bool large, float* f, float* n) {
  F32::V fraction;
  F32::X exponent;
  weigh(rate, c, rest, large, fraction, exponent);
  F32::store(f, fraction);
  F32::xstore(n, exponent);
}

template <class F, class G, class S>
struct Weights : Strips<F, G> {
  using Base = Strips<F, G>;
  using Base::columns;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::strips;
  using typename Base::T;
  using typename Base::V;

  // Explicit costs, at most those of forbidden cells; 0 on the diagonal that
  // leads to the first cell of a pair, and where no row has cells.
  template <class C>
  static void explicit_costs(const Group<T>& g, int row, int t0, int t1,
                             T* tile) {
    const T forbidden = (T)g.scale.forbidden;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * kTile; ++i) tile[i] = 0;
    const int lanes = G::kAcross ? g.pairs : 1;
    for (int l = 0; l < lanes; ++l) {
      const int row0 = G::kAcross ? g.row0[l] : 0;
      const int col0 = G::kAcross ? g.col0[l] : 0;
      for (int r = 0; r < G::kRows && row + r < g.m; ++r) {
        const int i = row + r - row0;
        const Span in = columns(g, row, r, l, t0, t1);
        const int from = in.begin > 0 ? in.begin : 0;
        const int to = in.end < g.n ? in.end : g.n;
        T* out = tile + (ptrdiff_t)(from + G::lag(r) - t0) * kTile +
                 r * (G::kAcross ? L : 1) + l;
        int col = from;
        for (; col < to && (i < 0 || col < col0); ++col, out += kTile)
          *out = i == col - col0 ? T(0) : forbidden;
        const char* c =
            g.c[l] + i * g.c_row + (ptrdiff_t)(col - col0) * g.c_col;
        for (; col < to; ++col, out += kTile, c += g.c_col) {
          const T v = (T) * (const C*)c;
          *out = v < forbidden ? v : forbidden;
        }
      }
    }
  }

  // Weights of the costs of univariate series.
  template <class N>
  static void univariate(const Group<T>& g, int row, int t0, int t1,
                         const Rate<F>& rate, T* f, T* n) {
    const V cut = F::set1((T)g.cut);
    const V minus_cut = F::sub(F::set1(0), cut);
    V x[R];
    for (int r = 0; r < R; ++r)
      x[r] = F::load(g.x + (ptrdiff_t)row * G::kEntry + r * L);
    for (int t = t0; t < t1; ++t) {
      SDTW_UNROLL
      for (int r = 0; r < R; ++r, f += L, n += L) {
        V a = F::sub(x[r], F::load(G::columns(g.y, g.n, t, r)));
        if (g.capped) a = F::max(F::min(a, cut), minus_cut);
        const V c = N::term(a);
        if (S::kCosts)
          F::store(f, c);
        else
          put_weight(rate, c, N::rest(a, c), g.capped, f, n);
      }
    }
  }

  // The same with features, a few at a time so that the elements of x stay in
  // registers while the columns pass.
  template <class C>
  static void multivariate(const Group<T>& g, int row, int t0, int t1,
                           const Rate<F>& rate, T* f, T* n) {
    using N = typename C::template Term<F>;
    constexpr int kFeatures = R < 16 ? 16 / R : 1;
    const V zero = F::set1(0);
    const V forbidden = F::set1((T)g.scale.forbidden);
    const ptrdiff_t xs = (ptrdiff_t)strips(g) * kTile;
    const ptrdiff_t ys = (ptrdiff_t)(g.n + 2 * G::kRows) * G::kEntry;
    for (int k = 0; k < g.d; k += kFeatures) {
      const T* x = g.x + k * xs + (ptrdiff_t)row * G::kEntry;
      const T* y = g.y + k * ys;
      const int count = g.d - k < kFeatures ? g.d - k : kFeatures;
      const bool last = k + count == g.d;
      V xr[kFeatures][R];
      for (int i = 0; i < kFeatures; ++i)
        for (int r = 0; r < R; ++r)
          xr[i][r] = F::load(x + (i < count ? i : 0) * xs + r * L);
      T* c = f;
      for (int t = t0; t < t1; ++t) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r, c += L) {
          V sum = k ? F::load(c) : zero;
          const T* yr = G::columns(y, g.n, t, r);
          if (count == kFeatures) {
            SDTW_UNROLL
            for (int i = 0; i < kFeatures; ++i) {
              const V a = F::sub(xr[i][r], F::load(yr + i * ys));
              sum = N::add(sum, a);
            }
          } else {
            for (int i = 0; i < count; ++i) {
              const V a =
                  F::sub(F::load(x + i * xs + r * L), F::load(yr + i * ys));
              sum = N::add(sum, a);
            }
          }
          if (C::kRoot && last) sum = F::sqrt(sum);
          if (last && g.capped) sum = F::min(sum, forbidden);
          F::store(c, sum);
        }
      }
    }
    if (S::kCosts) return;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * R; ++i, f += L, n += L)
      put_weight(rate, F::load(f), zero, g.capped, f, n);
  }

  static SDTW_NOINLINE void cell_weights(const Group<T>& g, int strip, int t0,
                                         int t1, const Scratch<T>& scratch) {
    const int row = strip * G::kRows;
    const Rate<F> rate = {
        F::set1((T)-g.scale.weight_rate),
        F::set1((T)(-g.scale.weight_rate + (T)g.scale.weight_rate))};
    const V zero = F::set1(0);
    T* f = scratch.fraction;
    T* n = scratch.exponent;
    if (g.cost != CostKind::kExplicit) {
      with_cost(g.cost, [&](auto cost) {
        using C = decltype(cost);
        using N = typename C::template Term<F>;
        if (!C::kRoot && g.d == 1)
          univariate<N>(g, row, t0, t1, rate, f, n);
        else
          multivariate<C>(g, row, t0, t1, rate, f, n);
      });
      return;
    }
    if (g.is_double)
      explicit_costs<double>(g, row, t0, t1, f);
    else
      explicit_costs<float>(g, row, t0, t1, f);
    if (S::kCosts) return;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * R; ++i, f += L, n += L)
      put_weight(rate, F::load(f), zero, true, f, n);
  }

  // Give the cells outside of the band the weight of forbidden ones.
  static void forbid(const Group<T>& g, int strip, int t0, int t1, T* tile) {
    const int* begin = g.band_begin + (ptrdiff_t)strip * kTile;
    const int* end = g.band_end + (ptrdiff_t)strip * kTile;
    Span full = {t0, t1};  // where all rows are in the band
    for (int i = 0; i < kTile; ++i) {
      full.begin = full.begin > begin[i] ? full.begin : begin[i];
      full.end = full.end < end[i] ? full.end : end[i];
    }
    const T weight = S::forbidden(g.scale);
    for (int t = t0; t < t1; ++t, tile += kTile) {
      if (full.begin <= t && t < full.end) continue;
      for (int i = 0; i < kTile; ++i)
        tile[i] = (t < begin[i]) | (t >= end[i]) ? weight : tile[i];
    }
  }

  static void weights(const Group<T>& g, int strip, int t0, int t1,
                      const Scratch<T>& scratch) {
    cell_weights(g, strip, t0, t1, scratch);
    if (g.band_begin)
      forbid(g, strip, t0, t1,
             S::kCosts ? scratch.fraction : scratch.exponent);
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
