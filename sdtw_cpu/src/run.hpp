// The sweep of all groups of a format, by one thread or several.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.hpp"
#include "memory.hpp"
#include "packing.hpp"
#include "plan.hpp"
#include "progress.hpp"
#include "threads.hpp"

namespace sdtw {

// What a sweep reads and writes; the arguments of Batch::value or those of
// Batch::adjoint.
struct SweepArrays {
  double *value, *tangent;
  const double *grad_value, *grad_tangent;
  void *gx, *gy, *e;
  std::atomic<int64_t>* swept;  // cells that were swept back
};

// Scratch memory of one thread, for a segment of the group that it was made
// for.
template <class T>
struct ThreadScratch {
  Buffer<T> fraction, exponent, kept, edge;
  Buffer<T> direction, share_tangents, factor;
  Buffer<bool> shared;
  Scratch<T> pointers;
  const PlannedGroup<T>* group = nullptr;
};

// A group that is being swept, with the memory that its segments share.
template <class T>
struct ActiveGroup {
  PlannedGroup<T>* group = nullptr;
  GroupBuffers<T> buffers;
  Buffer<T> carried;  // from a segment to the next, for some blocks
  size_t carried_size = 0;
  int ahead = 1;  // so many blocks
  Progress progress;
};

// Each thread begins groups of its own and sweeps them; when none is left to
// begin, threads share the segments of those that are not done. What is added
// up is added in one order, which the segments that a segment waits for fix.
template <class T>
class Run {
 public:
  // The sweep of the values and their tangents, which keeps the tape if the
  // plan says so, or the way back from the tape.
  Run(const FormatPlan<T>& plan, bool back, const SweepArrays& arrays)
      : plan_(plan), in_(plan.in), back_(back), arrays_(arrays) {}

  void sweep(int max_threads);

 private:
  void work(int thread);
  bool find(int thread, ActiveGroup<T>*& active, int& i);
  void sweep_block(ActiveGroup<T>& active, int i, ThreadScratch<T>& scratch);
  void begin(ActiveGroup<T>& active, PlannedGroup<T>& group);
  void begin_adjoint(ActiveGroup<T>& active);
  void value(ActiveGroup<T>& active, int b, int q, T* carried,
             const Scratch<T>& scratch);
  void end(const ActiveGroup<T>& active);
  void prepare(const PlannedGroup<T>& group, ThreadScratch<T>& scratch) const;
  Edge<T> edge_above(const PlannedGroup<T>& group, int block) const;
  Edge<T> edge_below(const PlannedGroup<T>& group, Edge<T> unread,
                     int block) const;

  const FormatPlan<T>& plan_;
  const Input& in_;
  const bool back_;
  const SweepArrays& arrays_;
  const std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  std::vector<ActiveGroup<T>> active_;     // one for each thread
  std::vector<ThreadScratch<T>> scratch_;  // the same
  std::atomic<size_t> next_{0};            // group to begin
  std::atomic<size_t> left_{0};            // groups that are not done
};

}  // namespace sdtw
