// The two semirings that a table is swept in, and both with tangents.
//
// Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for
// Time-Series", ICML 2017. With Z = exp(-R / gamma) the recursion of their
// Algorithm 1 is Z[i,j] = w[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]), which is
// computed on pairs (mantissa, exponent): no logarithm, no loss of digits
// however large R / gamma is.
//
// What exponents of float64 cannot hold is computed in log space, on R as an
// unevaluated sum of two numbers, which have twice the digits. For gamma = 0
// it is the hard minimum, on one number. The arithmetic is that of sdtw_cpu.
#pragma once

#include "numerics.cuh"

// --- Shares ---

// Parts of a sum as shares of it. In float32 a product with the inverse alone
// would often give 1 - 2**-24 where the share is 1 but never more than 1, and
// that loss of mass would add up along a path: the inverse has two parts.
struct Inverse32 {
  float high, low;
  SDTW_DEVICE explicit Inverse32(float total) : high(reciprocal(total)) {
    low = product(high, fused(high, -total, 1.0f));
  }
  SDTW_DEVICE float share(float part) const {
    return fused(part, high, product(part, low));
  }
};
struct Inverse64 {
  double high;
  SDTW_DEVICE explicit Inverse64(double total) : high(reciprocal(total)) {}
  SDTW_DEVICE double share(double part) const { return product(part, high); }
};
SDTW_DEVICE Inverse32 invert(float total) { return Inverse32(total); }
SDTW_DEVICE Inverse64 invert(double total) { return Inverse64(total); }

// What a cell hands to each of its predecessors, as shares of its mass. With
// tangents, also what two of theirs are beyond the diagonal one's.
template <class T>
struct Shares {
  T left, up, diagonal;
  T left_tangent, up_tangent;
};

// --- Semirings ---

// What a cell adds to its predecessors: the fraction and the exponent of its
// weight or, in log space, its cost in the place of the fraction; with
// tangents, the direction.
template <class T>
struct Weight {
  T fraction;
  typename Format<T>::Exponent exponent;
  T direction;
};

// Each semiring has `Val`, an element; none(), the element where no path ends;
// one(), that where all paths start; forbid(), which makes a weight that of a
// cell that no path may use; step(), a cell from its predecessors; and kSoft,
// whether gamma may be other than 0.

template <class T>
struct Soft {
  static constexpr bool kLogSpace = false;
  static constexpr bool kSoft = true;
  using F = Format<T>;
  using Exponent = typename F::Exponent;
  using Packed = typename F::Packed;
  struct Val {
    T m;
    Exponent e;
  };

  static SDTW_DEVICE Val none() { return {T(1), F::kFloor}; }
  static SDTW_DEVICE Val one() { return {T(1), 0}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {T(1), F::kFloor, T(0)};
  }
  static SDTW_DEVICE Packed pack(const Val& v) { return F::pack(v.m, v.e); }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {from_bits(p.x), p.y};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(0xffffffffu, v.m, 1),
            __shfl_up_sync(0xffffffffu, v.e, 1)};
  }
  static SDTW_DEVICE void renorm(Val& v) { F::renorm(v.m, v.e); }

  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>&, Shares<T>& shares) {
    const Exponent e = max(max(up.e, diagonal.e), left.e);
    const T u = F::scale(up.m, up.e - e);
    const T g = F::scale(diagonal.m, diagonal.e - e);
    const T l = F::scale(left.m, left.e - e);
    const T total = sum(sum(u, g), l);
    if (kShares) {
      const auto inverse = invert(total);
      shares.left = inverse.share(l);
      shares.up = inverse.share(u);
      shares.diagonal = inverse.share(g);
    }
    return {product(total, weight.fraction),
            max(e + weight.exponent, F::kFloor)};
  }

  // The value, in units of the cost; +inf where no path ends.
  static SDTW_DEVICE double value(const Val& v, double rate, bool forbidden) {
    if (forbidden && (double)v.e < -2 * F::kSum) return infinity<double>();
    return -((double)v.e + log2((double)v.m)) / rate;
  }
  // Whether a path with a capped cost may have a part in the value.
  static SDTW_DEVICE bool is_out_of_range(const Val& v) {
    return (double)v.e <= -F::kSum;
  }
  static SDTW_DEVICE T tangent(const Val&) { return T(0); }
};

// R as high + low: the least that the costs of a path add up to, rounded; and
// what rounding took from it, and what all other paths take from R. In float32
// there is high alone, and the minimum is hard.
template <class T>
struct LogSpace {
  static constexpr bool kLogSpace = true;
  static constexpr bool kSoft = sizeof(T) == 8;
  using F = Format<T>;
  using Exponent = typename F::Exponent;
  using Packed = typename F::Packed;
  struct Val {
    T high, low;
  };

  static SDTW_DEVICE Val none() { return {infinity<T>(), T(0)}; }
  static SDTW_DEVICE Val one() { return {T(0), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {infinity<T>(), 0, T(0)};
  }
  static SDTW_DEVICE Packed pack(const Val& v) {
    return F::pack(v.high, to_bits(v.low));
  }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {from_bits(p.x), kSoft ? from_bits(p.y) : T(0)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(0xffffffffu, v.high, 1),
            kSoft ? __shfl_up_sync(0xffffffffu, v.low, 1) : T(0)};
  }
  static SDTW_DEVICE void renorm(Val&) {}

  // For gamma = 0, of equal predecessors the diagonal one is taken, then the
  // one above; so is the diagonal one where no path comes from any.
  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>& rate, Shares<T>& shares) {
    const T least = fmin(fmin(up.high, diagonal.high), left.high);
    const T cost = weight.fraction;
    const T high = sum(least, cost);
    if (!kSoft || rate.high == 0) {
      if (kShares) {
        const bool g = diagonal.high <= least;
        const bool u = !g && up.high <= least;
        shares.diagonal = g ? T(1) : T(0);
        shares.up = u ? T(1) : T(0);
        shares.left = g || u ? T(0) : T(1);
      }
      return {high, T(0)};
    }
    const T u_gap = beyond(up, least);
    const T g_gap = beyond(diagonal, least);
    const T l_gap = beyond(left, least);
    const T first = fmin(fmin(u_gap, g_gap), l_gap);
    const bool has_path = least < infinity<T>();
    const T u = has_path ? weight_of(sum(u_gap, -first), rate) : T(0);
    const T g = has_path ? weight_of(sum(g_gap, -first), rate) : T(1);
    const T l = has_path ? weight_of(sum(l_gap, -first), rate) : T(0);
    const T total = sum(sum(u, g), l);
    if (kShares) {
      const auto inverse = invert(total);
      shares.left = inverse.share(l);
      shares.up = inverse.share(u);
      shares.diagonal = inverse.share(g);
    }
    const T cost_in = sum(high, -least);
    const T least_in = sum(high, -cost_in);
    const T rest = sum(sum(least, -least_in), sum(cost, -cost_in));
    const T low = sum(fused(log2(total), rate.inverse(), first), rest);
    return {high, high - high == 0 ? low : T(0)};
  }

  static SDTW_DEVICE double value(const Val& v, double, bool) {
    return (double)v.high + (double)v.low;
  }
  static SDTW_DEVICE bool is_out_of_range(const Val&) { return false; }
  static SDTW_DEVICE T tangent(const Val&) { return T(0); }

 private:
  static SDTW_DEVICE T beyond(const Val& v, T least) {
    return v.high > least ? sum(sum(v.high, -least), v.low) : v.low;
  }
  // 2**(-gap * rate), or 0 if that is negligible.
  static SDTW_DEVICE T weight_of(T gap, const Rate<T>& rate) {
    T fraction;
    Exponent exponent;
    weigh<true>(rate, gap, T(0), fraction, exponent);
    return product(gap, rate.high) > -1000 ? F::scale(fraction, exponent)
                                           : T(0);
  }
};

// --- Tangents ---

// A pair, and a tangent in the place of another's first half.
template <class Packed>
struct DualPacked {
  Packed value, tangent;
};
template <class Packed>
SDTW_DEVICE DualPacked<Packed> load_fresh(Global<DualPacked<Packed>> p,
                                          long long i) {
  const Global<Packed> halves = cast<Packed>(p);
  return {load_fresh(halves, 2 * i), load_fresh(halves, 2 * i + 1)};
}

// Every R with its derivative along a direction: that of the cell's cost plus
// those of its predecessors, weighted by their shares. These are taken as
// differences, which are small where their values are not.
template <class T, template <class> class Base>
struct Dual {
  using S = Base<T>;
  static constexpr bool kLogSpace = S::kLogSpace;
  static constexpr bool kSoft = S::kSoft;
  using Packed = DualPacked<typename S::Packed>;
  struct Val {
    typename S::Val value;
    T tangent;
  };

  static SDTW_DEVICE Val none() { return {S::none(), T(0)}; }
  static SDTW_DEVICE Val one() { return {S::one(), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) { S::forbid(weight); }
  static SDTW_DEVICE Packed pack(const Val& v) {
    return {S::pack(v.value), Format<T>::pack(v.tangent, 0)};
  }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {S::unpack(p.value), from_bits(p.tangent.x)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {S::shuffle_up(v.value), __shfl_up_sync(0xffffffffu, v.tangent, 1)};
  }
  static SDTW_DEVICE void renorm(Val& v) { S::renorm(v.value); }

  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>& rate, Shares<T>& shares) {
    const typename S::Val v = S::template step<true>(
        left.value, up.value, diagonal.value, weight, rate, shares);
    shares.left_tangent = sum(left.tangent, -diagonal.tangent);
    shares.up_tangent = sum(up.tangent, -diagonal.tangent);
    // The mean, as the tangent with the largest weight plus a rest. Added up
    // otherwise, a huge tangent whose weight is 0 could cost all digits.
    const T l = shares.left, u = shares.up, g = shares.diagonal;
    const T base = fmax(l, u) <= g ? diagonal.tangent
                   : l <= u        ? up.tangent
                                   : left.tangent;
    const T rest = fused(l, sum(left.tangent, -base),
                         fused(u, sum(up.tangent, -base),
                               product(g, sum(diagonal.tangent, -base))));
    return {v, sum(sum(base, rest), weight.direction)};
  }

  static SDTW_DEVICE double value(const Val& v, double rate, bool forbidden) {
    return S::value(v.value, rate, forbidden);
  }
  static SDTW_DEVICE bool is_out_of_range(const Val& v) {
    return S::is_out_of_range(v.value);
  }
  static SDTW_DEVICE T tangent(const Val& v) { return v.tangent; }
};

// A semiring, with tangents or without.
template <class T, template <class> class Base, bool kDual>
struct SemiringOf {
  using Semiring = Base<T>;
};
template <class T, template <class> class Base>
struct SemiringOf<T, Base, true> {
  using Semiring = Dual<T, Base>;
};
