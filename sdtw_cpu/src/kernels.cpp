// The value and adjoint sweeps; compiled once per instruction set.
//
// Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for
// Time-Series", ICML 2017. With Z = exp(-R / gamma) the recursion of their
// Algorithm 1 is Z[i,j] = w[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]), which is
// computed on pairs (mantissa, exponent): no logarithm, no loss of digits
// however large R / gamma is. Algorithm 2 hands the mass of each cell to its
// three predecessors in proportion to their Z.
//
// The tangent sweeps differentiate both along a direction. With the softmin's
// weights w_p they are linear: the tangent of R is its direction plus the
// weighted mean of its predecessors' tangents, and that of a weight is
// -w_p / gamma times how far its predecessor's tangent is from that mean
// (Blondel, Mensch and Vert, "Differentiable Divergences Between Time Series",
// AISTATS 2021; Mensch and Blondel, "Differentiable Dynamic Programming for
// Structured Prediction and Attention", ICML 2018, Algorithm 2).
#include "kernels.hpp"

#include <type_traits>

#include "adjoint.hpp"
#include "sweep.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G, class S>
struct Kernel : Sweep<F, G, S>, Adjoint<F, G, S> {};

// The functions of a level, for all layouts and semirings.
template <class F, class G>
struct BySemiring {
  using T = typename F::T;
  using SoftK = Kernel<F, G, Soft<F, G>>;
  using HardK = Kernel<F, G, Hard<F, G>>;
  // Pairs that need it are swept one by one, in double, and by generic code:
  // it has nothing for vectors.
  static constexpr bool kLogSpace = !G::kAcross && sizeof(T) == 8 && kBaseline;
  using LogSpaceK =
      std::conditional_t<kLogSpace, Kernel<F, G, LogSpace<F, G>>, SoftK>;

  // fn of the kernel for a group.
  template <class Fn>
  static auto with_kernel(const Group<T>& g, Fn fn) {
    if (g.scale.semiring == Semiring::kHard) return fn(HardK());
    if (kLogSpace && g.scale.semiring == Semiring::kLogSpace)
      return fn(LogSpaceK());
    return fn(SoftK());
  }
  static void begin(const Group<T>& g, Edge<T> edge) {
    with_kernel(g, [&](auto k) { decltype(k)::begin(g, edge); });
  }
  static void value(Group<T>& g, const Scratch<T>& s, int block, int segment,
                    Edge<T> in, Edge<T> out, const T* si, T* so) {
    with_kernel(g, [&](auto k) {
      decltype(k)::value(g, s, block, segment, in, out, si, so);
    });
  }
  static ptrdiff_t adjoint(Group<T>& g, const Scratch<T>& s, int block,
                           int segment, Edge<T> in, const T* si, T* mass) {
    return with_kernel(g, [&](auto k) {
      return decltype(k)::adjoint(g, s, block, segment, in, si, mass);
    });
  }
};

template <class F>
struct ByLayout {
  using T = typename F::T;
  using A = BySemiring<F, Along<F>>;
  using B = BySemiring<F, Across<F>>;
  static void begin(const Group<T>& g, Edge<T> edge) {
    g.across ? B::begin(g, edge) : A::begin(g, edge);
  }
  static void value(Group<T>& g, const Scratch<T>& s, int block, int segment,
                    Edge<T> in, Edge<T> out, const T* si, T* so) {
    g.across ? B::value(g, s, block, segment, in, out, si, so)
             : A::value(g, s, block, segment, in, out, si, so);
  }
  static ptrdiff_t adjoint(Group<T>& g, const Scratch<T>& s, int block,
                           int segment, Edge<T> in, const T* si, T* mass) {
    return g.across ? B::adjoint(g, s, block, segment, in, si, mass)
                    : A::adjoint(g, s, block, segment, in, si, mass);
  }
  template <class G>
  static constexpr Geometry geometry() {
    return {G::L, G::kRows, G::kLag, G::kEntry};
  }
  static constexpr Sweeps<T> sweeps() {
    return {geometry<Along<F>>(), geometry<Across<F>>(), &begin, &value,
            &adjoint};
  }
};

}  // namespace

extern const Level kLevel;
const Level kLevel = {SDTW_STRING(SDTW_ISA), ByLayout<F32>::sweeps(),
                      ByLayout<F64>::sweeps()};

}  // namespace SDTW_ISA
}  // namespace sdtw
