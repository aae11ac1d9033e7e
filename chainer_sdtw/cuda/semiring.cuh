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
#include "words.cuh"

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
// whether gamma may be other than 0. Elements go through memory as `kWords`
// words, packed.

template <class T>
struct Soft {
  static constexpr bool kLogSpace = false;
  static constexpr bool kSoft = true;
  using F = Format<T>;
  using Exponent = typename F::Exponent;
  static constexpr int kWords = F::kWords;
  struct Val {
    T m;
    Exponent e;
  };

  static SDTW_DEVICE Val none() { return {T(1), F::kFloor}; }
  static SDTW_DEVICE Val one() { return {T(1), 0}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {T(1), F::kFloor, T(0)};
  }
  static SDTW_DEVICE Words<kWords> pack(const Val& v) {
    return F::pack(to_bits(v.m), v.e);  // not 0
  }
  static SDTW_DEVICE Val unpack(const Words<kWords>& w) {
    return {from_bits(F::first(w)), F::second(w)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(kAllLanes, v.m, 1),
            __shfl_up_sync(kAllLanes, v.e, 1)};
  }
  static SDTW_DEVICE void renorm(Val& v) { F::renorm(v.m, v.e); }

  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>&, Shares<T>& shares) {
    // What comes from the lane above comes last.
    const Exponent own = max(diagonal.e, left.e);
    const Exponent e = max(up.e, own);
    const T g = F::scale(diagonal.m, diagonal.e - e);
    const T l = F::scale(left.m, left.e - e);
    const T rest = sum(g, l);
    const T u = F::scale(up.m, up.e - e);
    if (kShares) {
      const auto inverse = invert(sum(rest, u));
      shares.left = inverse.share(l);
      shares.up = inverse.share(u);
      shares.diagonal = inverse.share(g);
    }
    return {
        fused(u, weight.fraction, product(rest, weight.fraction)),
        max(up.e + weight.exponent, max(own + weight.exponent, F::kFloor))};
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
  static constexpr int kWords = F::kWords;
  struct Val {
    T high, low;
  };

  static SDTW_DEVICE Val none() { return {infinity<T>(), T(0)}; }
  static SDTW_DEVICE Val one() { return {T(0), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {infinity<T>(), 0, T(0)};
  }
  static SDTW_DEVICE Words<kWords> pack(const Val& v) {
    return F::pack(code(v.high), to_bits(sum(v.low, T(0))));
  }
  static SDTW_DEVICE Val unpack(const Words<kWords>& w) {
    return {decode(F::first(w)), kSoft ? from_bits(F::second(w)) : T(0)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(kAllLanes, v.high, 1),
            kSoft ? __shfl_up_sync(kAllLanes, v.low, 1) : T(0)};
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

// Every R with its derivative along a direction: that of the cell's cost plus
// those of its predecessors, weighted by their shares. These are taken as
// differences, which are small where their values are not.
template <class T, template <class> class Base>
struct Dual {
  using S = Base<T>;
  static constexpr bool kLogSpace = S::kLogSpace;
  static constexpr bool kSoft = S::kSoft;
  static constexpr int kWords = S::kWords + 1;
  struct Val {
    typename S::Val value;
    T tangent;
  };

  static SDTW_DEVICE Val none() { return {S::none(), T(0)}; }
  static SDTW_DEVICE Val one() { return {S::one(), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) { S::forbid(weight); }
  static SDTW_DEVICE Words<kWords> pack(const Val& v) {
    const Words<S::kWords> value = S::pack(v.value);
    Words<kWords> w;
    SDTW_UNROLL
    for (int i = 0; i < S::kWords; ++i) w.word[i] = value.word[i];
    w.word[S::kWords] = NumberWords<T, 1>::pack(&v.tangent).word[0];
    return w;
  }
  static SDTW_DEVICE Val unpack(const Words<kWords>& w) {
    Words<S::kWords> value;
    SDTW_UNROLL
    for (int i = 0; i < S::kWords; ++i) value.word[i] = w.word[i];
    Val v = {S::unpack(value), T(0)};
    NumberWords<T, 1>::unpack({{w.word[S::kWords]}}, &v.tangent);
    return v;
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {S::shuffle_up(v.value), __shfl_up_sync(kAllLanes, v.tangent, 1)};
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
