// What the sweep of a group's values keeps for the adjoint.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels.hpp"
#include "memory.hpp"
#include "strip_plan.hpp"

namespace sdtw {

// Edges between blocks, each in a slot of its own, and the states between the
// segments of each block.
template <class T>
class Tape {
 public:
  void plan(const StripPlan& strips, int planes, bool tangent) {
    entry_ = strips.geometry.entry;
    planes_ = planes;
    tangent_ = tangent;
    plan_slots(strips);
    state_at_.resize(strips.count() + 1);
    for (int b = 0; b < strips.count(); ++b)
      state_at_[b + 1] = state_at_[b] + strips.segments(b) - 1;
    state_size_ = all_planes() * strips.state();
  }

  void allocate() {
    edges_.get(plane() * all_planes());
    states_.get(states_size());
  }

  size_t numbers() const { return plane() * all_planes() + states_size(); }

  int slots() const { return (int)slot_at_.size(); }

  // The edge below block b.
  Edge<T> slot(int b) const {
    T* p = edges_.data() + slot_at_[b] * entry_;
    return {p, planes_ == 2 ? p + plane() : nullptr,
            tangent_ ? p + planes_ * plane() : nullptr};
  }

  // The state before segment q of block b, q > 0.
  T* state(int b, int q) const {
    return states_.data() + (state_at_[b] + q - 1) * state_size_;
  }

 private:
  // Edges follow each other from the last to the first, each with the columns
  // that are read again. Those before them land in the slots of the strips
  // below while a strip is being started; these write them later.
  void plan_slots(const StripPlan& strips) {
    const int slots = strips.count() - 1;
    slot_at_.resize(slots);
    ptrdiff_t size = 0, margin = 0;
    for (int b = slots - 1; b >= 0; --b) {
      const int below = (b + 1) * strips.block;
      const Span above = strips.steps[below - 1];
      const int first = std::max(strips.steps[below].begin - 1, 0);
      slot_at_[b] = size - first;
      margin =
          std::max(margin, first - (above.begin - strips.geometry.lag) - size);
      size += above.end - strips.geometry.lag - first;
    }
    for (ptrdiff_t& at : slot_at_) at += margin;
    entries_ = size + margin;
  }

  // Numbers per entry of an edge.
  size_t all_planes() const { return planes_ + tangent_; }
  size_t plane() const { return entries_ * entry_; }
  size_t states_size() const { return state_at_.back() * state_size_; }

  int entry_ = 1, planes_ = 2;
  bool tangent_ = false;
  size_t entries_ = 0;              // of all slots
  size_t state_size_ = 0;           // numbers of a state
  std::vector<ptrdiff_t> slot_at_;  // entry of each slot's column 0
  std::vector<size_t> state_at_;    // first of each block's states
  Buffer<T> edges_, states_;
};

}  // namespace sdtw
