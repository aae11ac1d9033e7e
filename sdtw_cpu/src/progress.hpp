// Which segments of a group are done, and which blocks a thread is busy with.
#pragma once

#include <atomic>
#include <memory>

#include "strip_plan.hpp"

namespace sdtw {

// Blocks are counted in the order of the sweep: from the first to the last, or
// on the way back from the last to the first, as are the segments of each.
class Progress {
  struct Block {
    std::atomic<int> done{0};        // segments
    std::atomic<bool> taken{false};  // by a thread, or done
  };
  const StripPlan* strips_ = nullptr;
  bool back_ = false;
  int ahead_ = 1;
  std::unique_ptr<Block[]> blocks_;
  std::atomic<int> left_{0};  // blocks that are not done

  int segments(int i) const { return strips_->segments(block(i)); }
  bool finished(int i) const { return blocks_[i].done == segments(i); }

 public:
  // Block i waits for block i - ahead, whose memory it takes.
  void start(const StripPlan& strips, bool back, int ahead) {
    strips_ = &strips;
    back_ = back;
    ahead_ = ahead;
    blocks_.reset(new Block[strips.count()]);
    left_ = strips.count();
  }

  int block(int i) const { return back_ ? strips_->count() - 1 - i : i; }

  // The next segment of a block.
  int segment(int i) const {
    const int done = blocks_[i].done;
    return back_ ? segments(i) - 1 - done : done;
  }

  // Whether all that the next segment of a block needs is done.
  bool ready(int i) const {
    if (finished(i) || (i >= ahead_ && !finished(i - ahead_))) return false;
    const int b = block(i), q = segment(i);
    return i == 0 ||
           blocks_[i - 1].done >= (back_ ? strips_->segments_below(b, q)
                                         : strips_->segments_above(b, q));
  }

  // Whether a thread could take a block.
  bool open(int i) const {
    return i < strips_->count() && !blocks_[i].taken && ready(i);
  }

  // Take the first block that can go on; -1 if none can. Any thread may ask at
  // any time.
  int take() {
    const int count = left_ ? strips_->count() : 0;
    for (int i = 0; i < count; ++i) {
      Block& at = blocks_[i];
      if (open(i) && !at.taken.exchange(true)) {
        if (ready(i)) return i;  // still
        at.taken = false;
      }
      if (at.done == 0) break;
    }
    return -1;
  }

  // Note that the next segment of a block is done.
  void advance(int i) { ++blocks_[i].done; }

  // Leave a block that was taken; true if it was the last one to be done.
  bool leave(int i) {
    if (finished(i)) return --left_ == 0;
    blocks_[i].taken = false;
    return false;
  }
};

}  // namespace sdtw
