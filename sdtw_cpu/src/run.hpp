// The sweeps of one group, by one thread or several.
#pragma once

#include <vector>

#include "kernels.hpp"
#include "memory.hpp"
#include "packing.hpp"
#include "plan.hpp"
#include "threads.hpp"

namespace sdtw {

// Scratch memory of one thread.
template <class T>
struct ThreadScratch {
  Buffer<T> fraction, exponent, kept, edge, state, mass;
  Buffer<T> direction, share_tangents, factor;
  Buffer<bool> shared;
  Scratch<T> pointers;
};

// What sweeps the groups of a format one after the other: buffers, and scratch
// memory for each thread that may share a group.
template <class T>
class Sweeper {
 public:
  Sweeper(const FormatPlan<T>& plan, Watch& watch, int max_threads)
      : plan_(plan), in_(plan.in), watch_(watch), scratch_(max_threads) {}

  // Sweep the values of a group, and their tangents, into `group.g`; the tape
  // is kept if the plan says so.
  void value(PlannedGroup<T>& group, int nthreads);

  // Sweep back from the tape; the arguments are those of Batch::adjoint.
  void adjoint(PlannedGroup<T>& group, int nthreads, const double* grad_value,
               const double* grad_tangent, void* gx, void* gy, void* e);

 private:
  void begin(PlannedGroup<T>& group, bool want_gx, bool want_gy);
  void prepare(const PlannedGroup<T>& group, bool back,
               ThreadScratch<T>& scratch) const;
  Edge<T> edge_above(const PlannedGroup<T>& group, int block) const;
  Edge<T> edge_below(const PlannedGroup<T>& group, Edge<T> unread,
                     int block) const;
  template <class Fn>
  void in_order(const PlannedGroup<T>& group, int nthreads, int count,
                bool back, Fn fn);

  const FormatPlan<T>& plan_;
  const Input& in_;
  Watch& watch_;
  GroupBuffers<T> buffers_;
  std::vector<ThreadScratch<T>> scratch_;
};

}  // namespace sdtw
