// Which pairs of a format are swept together, and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "format.hpp"
#include "input.hpp"
#include "kernels.hpp"
#include "strip_plan.hpp"
#include "tape.hpp"

namespace sdtw {

template <class T>
struct PlannedGroup {
  Group<T> g;
  StripPlan strips;
  Tape<T> tape;
  int64_t index[kMaxLanes];  // of the pairs
  double pad = 0;            // step between padding values
  double work = 0;           // vectors of cells

  // Columns of row i of the table in lane l.
  Span row(const Input& in, int l, int i) const {
    return columns(in, index[l], g.row0[l], g.col0[l], g.n, i);
  }

  // Whether a lane has the same band in the table as the one before it.
  bool same_band(const Input& in, int l) const {
    return in.band_stride == 0 && g.row0[l] == g.row0[l - 1] &&
           g.col0[l] == g.col0[l - 1];
  }
};

template <class T>
class FormatPlan {
 public:
  // Split pairs into groups, across the batch where that takes fewer steps.
  FormatPlan(const Input& input, const Sweeps<T>& kernels, Semiring semiring,
             bool capped, bool tape, std::vector<Pair> pairs);

  double work() const;  // cells
  size_t tape_bytes() const;

  const Input& in;
  const Sweeps<T>& sweeps;
  const bool keep_tape;
  std::vector<std::unique_ptr<PlannedGroup<T>>> groups;

 private:
  using Planned = std::unique_ptr<PlannedGroup<T>>;

  double steps(const Geometry& geometry, const Pair& p) const;
  Planned along(const Pair& pair) const;
  Planned across(const Pair* pairs, int count) const;
  Planned make(const Pair* pairs, int count, int m, int n, bool across) const;
  void set_costs(Group<T>& g) const;
  void set_steps(PlannedGroup<T>& group) const;

  const Scale scale_;
  const bool capped_;
};

}  // namespace sdtw
