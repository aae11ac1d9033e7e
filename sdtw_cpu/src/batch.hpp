// The sweeps of a whole batch, which is what Python calls.
#pragma once

#include <cstddef>
#include <memory>

#include "input.hpp"

namespace sdtw {

class Batch {
 public:
  Batch(const Input& input, bool keep_tape);
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // The values, and with a direction their tangents.
  void value(double* out, double* tangent);
  // Gradients of sum(grad_value * value). gx (batch, m, d) and gy (batch, n,
  // d), or e (batch, m, n): contiguous, of the input's type, zero on entry; gx
  // or gy may be null. With a direction the tangent of these, for grads that
  // have tangents themselves.
  void adjoint(const double* grad_value, const double* grad_tangent, void* gx,
               void* gy, void* e);
  size_t tape_bytes() const;
  // Cells that the last adjoint swept back, with those of padding.
  int64_t swept_back() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdtw
