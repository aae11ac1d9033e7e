// The range of the numbers of a format.
#pragma once

namespace sdtw {

// Bits of exponent that the sums of a pair's costs may take in each format,
// and that a forbidden cell takes, up to four times as many. With int32
// exponents and a floor of -2**29 at every step none of them overflows;
// integral doubles hold more, but cells must stay under 2**51 (see weigh()
// in simd/weight.hpp). kCost bounds a single cost: what rounding x - y takes
// from it is magnified by 1 / gamma, and above 2**13 would show in the
// gradient. A mass, of 1 in all, that is not above kMass counts as 0: the
// cells beyond can be skipped, and for each cell at most that much is missing
// from the alignment. What is lost below the range of T, which depends on what
// else is swept, is far below. kFlattest is the largest gamma for which
// forbidden cells have a cost. For a larger one the pair fits only if its
// costs are negligible beside gamma.
template <class T>
struct Format;
template <>
struct Format<float> {
  static constexpr double kCost = 0x1p13, kSum = 0x1p26, kCell = 0x1p28,
                          kFloor = -0x1p29;
  static constexpr double kHuge = 1e37, kFlattest = 1e25, kMass = 0x1p-50;
};
template <>
struct Format<double> {
  static constexpr double kCost = 0x1p47, kSum = 0x1p47, kCell = 0x1p49,
                          kFloor = -0x1p50;
  static constexpr double kHuge = 1e307, kFlattest = 1e290, kMass = 0x1p-100;
};

}  // namespace sdtw
