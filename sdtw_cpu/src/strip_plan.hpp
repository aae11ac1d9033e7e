// How the table of a group is cut into strips and segments.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels.hpp"

namespace sdtw {

struct StripPlan {
  Geometry geometry;        // of the group's layout
  std::vector<Span> steps;  // of each strip
  int block = 1;            // as in Group
  int width = 0;

  int count() const { return (int)steps.size(); }

  // Steps of the longest strip.
  int longest() const {
    int longest = 0;
    for (const Span& s : steps) longest = std::max(longest, s.end - s.begin);
    return longest;
  }

  // Numbers of a strip that lie side by side: one for each row and lane.
  size_t tile() const { return (size_t)geometry.rows * geometry.entry; }

  int segments(int s) const {
    return (steps[s].end - steps[s].begin - 1) / width + 1;
  }

  // Segments of the strip above without which segment q cannot be swept: its
  // last row has the columns of the segment `lag` steps later.
  int segments_above(int s, int q) const {
    const Span at = steps[s], above = steps[s - 1];
    const int end =
        std::min(at.begin + (q + 1) * width, at.end) + geometry.lag;
    return end < above.end ? (end - above.begin - 1) / width + 1
                           : segments(s - 1);
  }

  // The same of the strip below and the way back.
  int segments_below(int s, int q) const {
    const int begin = steps[s].begin + q * width - geometry.lag;
    const int before = std::max(begin - steps[s + 1].begin, 0);
    return segments(s + 1) - before / width;
  }
};

}  // namespace sdtw
