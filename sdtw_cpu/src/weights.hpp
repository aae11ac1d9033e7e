// The weights of a segment's cells, or their costs.
#pragma once

#include "blocks.hpp"
#include "kernels.hpp"
#include "semiring.hpp"
#include "simd/weight.hpp"

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
struct Weights : Blocks<F, G> {
  using Base = Blocks<F, G>;
  using Base::column_at;
  using Base::column_feature;
  using Base::column_step;
  using Base::columns;
  using Base::for_each_block;
  using Base::kNext;
  using Base::kTile;
  using Base::L;
  using Base::R;
  using Base::row_at;
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
  static void univariate(const Group<T>& g, int strip, int t0, int t1,
                         const Rate<F>& rate, T* f, T* n) {
    const V cut = F::set1((T)g.cut);
    const V minus_cut = F::sub(F::set1(0), cut);
    V x[R];
    for (int r = 0; r < R; ++r) x[r] = F::load(g.x + row_at(g, strip, r));
    for (int t = t0; t < t1; ++t) {
      SDTW_UNROLL
      for (int r = 0; r < R; ++r, f += L, n += L) {
        V a = F::sub(x[r], F::load(g.y + column_at(g, t, r)));
        if (g.capped) a = F::max(F::min(a, cut), minus_cut);
        const V c = N::term(a);
        if (S::kCosts)
          F::store(f, c);
        else
          put_weight(rate, c, N::rest(a, c), g.capped, f, n);
      }
    }
  }

  // Costs of kCount vectors and kSteps steps, to `out`: the features [k, end)
  // from the elements at x and y on, added to those before.
  template <class C, int kCount, int kSteps>
  static SDTW_INLINE void costs(const Group<T>& g, int k, int end, const T* x,
                                const T* y, T* out) {
    using N = typename C::template Term<F>;
    const ptrdiff_t step = column_step(g), feature = column_feature(g);
    V sum[kSteps][kCount];
    SDTW_UNROLL
    for (int s = 0; s < kSteps; ++s)
      for (int i = 0; i < kCount; ++i)
        sum[s][i] = k ? F::load(out + s * kTile + i * kNext) : F::set1(0);
    x += (ptrdiff_t)k * kTile;
    y += k * feature;
    for (; k < end; ++k, x += kTile, y += feature) {
      V column[kSteps];
      SDTW_UNROLL
      for (int s = 0; s < kSteps; ++s) {
        column[s] = F::load(y + s * step);
        F::keep(column[s]);
      }
      SDTW_UNROLL
      for (int i = 0; i < kCount; ++i) {
        const V row = F::load(x + i * L);
        SDTW_UNROLL
        for (int s = 0; s < kSteps; ++s)
          sum[s][i] = N::add(sum[s][i], F::sub(row, column[s]));
      }
    }
    const V forbidden = F::set1((T)g.scale.forbidden);
    SDTW_UNROLL
    for (int s = 0; s < kSteps; ++s) {
      SDTW_UNROLL
      for (int i = 0; i < kCount; ++i) {
        V c = sum[s][i];
        if (C::kRoot && end == g.d) c = F::sqrt(c);
        if (g.capped && end == g.d) c = F::min(c, forbidden);
        F::store(out + s * kTile + i * kNext, c);
      }
    }
  }

  // The same with features: the sums of several cells stay in registers while
  // the features pass, so many at a time as the closest cache has places for.
  template <class C>
  static void multivariate(const Group<T>& g, int strip, int t0, int t1,
                           const Rate<F>& rate, T* f, T* n) {
    constexpr int kFeatures = 64;
    for (int k = 0; k < g.d; k += kFeatures) {
      const int last = k + kFeatures < g.d ? k + kFeatures : g.d;
      for_each_block(t0, t1, [&](auto count, int r, int begin, int end) {
        constexpr int kCount = decltype(count)::value;
        constexpr int kSteps = kCount < 2 ? 4 : 8 / kCount;
        const T* x = g.x + row_at(g, strip, r);
        int t = begin;
        for (; t + kSteps <= end; t += kSteps)
          costs<C, kCount, kSteps>(g, k, last, x, g.y + column_at(g, t, r),
                                   f + (ptrdiff_t)(t - t0) * kTile + r * L);
        for (; t < end; ++t)
          costs<C, kCount, 1>(g, k, last, x, g.y + column_at(g, t, r),
                              f + (ptrdiff_t)(t - t0) * kTile + r * L);
      });
    }
    if (S::kCosts) return;
    const V zero = F::set1(0);
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
          univariate<N>(g, strip, t0, t1, rate, f, n);
        else
          multivariate<C>(g, strip, t0, t1, rate, f, n);
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
