// Batches of pairs: checks, grouping, memory, threads. Built once; the sweeps
// themselves are in kernels.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace sdtw {

// The costs, in the order of sdtw_cpu/checks.py, and the directions.
enum Costs { kGivenCost, kSqEuclideanCost, kEuclideanCost, kManhattanCost };
enum Directions { kNoDirection, kGiven, kAlongCost, kAlongSeries };

// The arrays of one call, with strides in bytes. They must outlive the Batch.
struct Input {
  bool is_double = true;
  int cost = kGivenCost;  // of c, else of x and y
  int direction = kNoDirection;
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
  // Columns [first, stop) of each row, (batch, m, 2), or null for all; numbers
  // from one pair's to the next.
  const int32_t* band = nullptr;
  ptrdiff_t band_stride = 0;
  double gamma = 1;

  bool fused() const { return cost != kGivenCost; }
};

// Instruction sets built in and usable on this processor, slowest first.
std::vector<const char*> levels();
const char* level();
bool set_level(const char* name);  // false: not usable here

int num_threads();
void set_num_threads(int n);

// What to ask, some ten times a second and by the thread that called, whether
// to give up: sweeps then throw an exception of their own. Null for nothing.
void set_interrupted(bool (*fn)());

class Batch {
 public:
  Batch(const Input& input, bool keep_tape);
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // The values, and with a direction their tangents.
  void value(double* out, double* tangent);
  // Gradients of sum(seed * value). gx (batch, m, d) and gy (batch, n, d), or
  // e (batch, m, n): contiguous, of the input's type, zero on entry; gx or gy
  // may be null. With a direction the tangent of these, for seeds that have
  // tangents themselves.
  void adjoint(const double* seed, const double* seed_tangent, void* gx,
               void* gy, void* e);
  size_t tape_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdtw
