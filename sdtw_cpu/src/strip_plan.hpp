// How the table of a group is cut into strips, blocks and segments.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels.hpp"

namespace sdtw {

struct StripPlan {
  Geometry geometry;         // of the group's layout
  std::vector<Span> steps;   // of each strip
  std::vector<Span> blocks;  // steps of each block
  int block = 1;             // as in Group
  int width = 0;

  int strips() const { return (int)steps.size(); }
  int count() const { return (int)blocks.size(); }

  // Cut the strips into blocks of so many.
  void set_block(int size) {
    block = size;
    blocks.clear();
    for (int s = 0; s < strips(); ++s) {
      if (s % block == 0) blocks.push_back(steps[s]);
      Span& all = blocks.back();
      all.begin = std::min(all.begin, steps[s].begin);
      all.end = std::max(all.end, steps[s].end);
    }
  }

  // Steps of the longest block.
  int longest() const {
    int longest = 0;
    for (const Span& b : blocks) longest = std::max(longest, b.end - b.begin);
    return longest;
  }

  // Steps of all strips together, of the block that has most.
  int most() const {
    int most = 0;
    for (int b = 0; b < count(); ++b) {
      const int end = std::min((b + 1) * block, strips());
      int sum = 0;
      for (int s = b * block; s < end; ++s)
        sum += steps[s].end - steps[s].begin;
      most = std::max(most, sum);
    }
    return most;
  }

  // Numbers of a strip that lie side by side: one for each row and lane.
  size_t tile() const { return (size_t)geometry.rows * geometry.entry; }

  // Numbers of a plane of a state, as in Sweep::State: of the rows at the last
  // column and of the row above; along, of the rows at the last two steps.
  size_t state() const {
    return geometry.lag ? 2 * tile() : block * tile() + geometry.entry;
  }

  // Numbers of a block's state on the way back, as in Adjoint::Mass.
  size_t mass() const { return 3 * block * tile(); }

  // Segments that can be swept at a time: one of each block, and each of them
  // at other columns.
  int at_a_time() const {
    return std::min(count(), (longest() - 1) / width + 1);
  }

  int segments(int b) const {
    return (blocks[b].end - blocks[b].begin - 1) / width + 1;
  }

  // Segments of the block above without which segment q cannot be swept: its
  // last row has the columns of the segment `lag` steps later.
  int segments_above(int b, int q) const {
    const Span at = blocks[b], above = blocks[b - 1];
    const int end =
        std::min(at.begin + (q + 1) * width, at.end) + geometry.lag;
    return end < above.end ? (end - above.begin - 1) / width + 1
                           : segments(b - 1);
  }

  // The same of the block below and the way back.
  int segments_below(int b, int q) const {
    const int begin = blocks[b].begin + q * width - geometry.lag;
    const int before = std::max(begin - blocks[b + 1].begin, 0);
    return segments(b + 1) - std::min(before / width, segments(b + 1));
  }
};

}  // namespace sdtw
