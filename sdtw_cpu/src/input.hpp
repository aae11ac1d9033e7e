// What one call is about: its arrays and settings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "costs.hpp"
#include "kernels.hpp"

namespace sdtw {

// Strides are in bytes. The arrays must outlive the Batch.
struct Input {
  bool is_double = true;
  CostKind cost = CostKind::kExplicit;  // of c, else of x and y
  Direction direction = Direction::kNone;
  int64_t batch = 0, m = 0, n = 0, d = 0;
  const char* x = nullptr;  // (batch, m, d)
  const char* y = nullptr;  // (batch, n, d)
  const char* c = nullptr;  // (batch, m, n)
  ptrdiff_t x_stride[3] = {}, y_stride[3] = {}, c_stride[3] = {};
  // The direction: z, or dx and dy, of which one may be null, which is zero.
  const char* z = nullptr;   // (batch, m, n)
  const char* dx = nullptr;  // (batch, m, d)
  const char* dy = nullptr;  // (batch, n, d)
  ptrdiff_t z_stride[3] = {}, dx_stride[3] = {}, dy_stride[3] = {};
  const int64_t* x_length = nullptr;  // (batch,) or null
  const int64_t* y_length = nullptr;
  // Columns [begin, end) of each row, (batch, m, 2), or null for all; numbers
  // from one pair's to the next.
  const int32_t* band = nullptr;
  ptrdiff_t band_stride = 0;
  double gamma = 1;

  // Whether costs are computed from series.
  bool of_series() const { return cost != CostKind::kExplicit; }
  bool tangent() const { return direction != Direction::kNone; }
};

// Columns of row i of a table of n columns, in whose last cell a pair ends
// that begins in row row0 and column col0. Only the diagonal leads to it.
inline Span columns(const Input& in, int64_t index, int row0, int col0, int n,
                    int i) {
  if (i < row0) return {i - row0 + col0, i - row0 + col0 + 1};
  if (!in.band) return {col0, n};
  const int32_t* p = in.band + index * in.band_stride + 2 * (i - row0);
  return {p[0] + col0, std::min(p[1] + col0, n)};
}

}  // namespace sdtw
