// The choice of a layout, and how long segments are.
#include "plan.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sdtw {

namespace {

// Along and across, a vector of cells takes about the same time. Scratch
// memory is kept within the cache of a core: segments have about so many
// steps, and blocks of strips so many rows.
constexpr int kAcrossColumns = 1024;
constexpr int kAcrossRows = 64;
constexpr int kAcrossSteps = 64, kAlongSteps = 128;

double unbanded_steps(const Geometry& geometry, int m, int n) {
  return (double)((m + geometry.rows - 1) / geometry.rows) *
         (n + geometry.lag);
}

}  // namespace

template <class T>
FormatPlan<T>::FormatPlan(const Input& input, const Sweeps<T>& kernels,
                          Semiring semiring, bool capped, bool tape,
                          std::vector<Pair> pairs)
    : in(input),
      sweeps(kernels),
      keep_tape(tape),
      scale_(make_scale<T>(semiring, input.gamma)),
      capped_(capped) {
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
    return a.n != b.n ? a.n > b.n : a.m != b.m ? a.m > b.m : a.index < b.index;
  });
  const size_t lanes = sweeps.across.lanes;
  for (size_t i = 0; i < pairs.size(); i += lanes) {
    const size_t end = std::min(pairs.size(), i + lanes);
    double alone = 0;
    for (size_t k = i; k < end; ++k)
      alone += steps(sweeps.along, pairs[k]) * sweeps.along.rows /
               sweeps.along.lanes;
    Planned group = across(&pairs[i], (int)(end - i));
    if (group && group->work < alone) {
      groups.push_back(std::move(group));
    } else {
      for (size_t k = i; k < end; ++k) groups.push_back(along(pairs[k]));
    }
  }
  std::stable_sort(
      groups.begin(), groups.end(),
      [](const Planned& a, const Planned& b) { return a->work > b->work; });
}

template <class T>
double FormatPlan<T>::work() const {
  double vectors = 0;
  for (auto& group : groups) vectors += group->work;
  return vectors * sweeps.along.lanes;
}

template <class T>
size_t FormatPlan<T>::tape_bytes() const {
  size_t n = 0;
  if (!keep_tape) return n;
  for (auto& group : groups) n += group->tape.numbers();
  return n * sizeof(T);
}

// Steps that a pair takes alone.
template <class T>
double FormatPlan<T>::steps(const Geometry& geometry, const Pair& p) const {
  if (!in.band) return unbanded_steps(geometry, p.m, p.n);
  double sum = 0;
  for (int i = 0; i < p.m; i += geometry.rows) {
    const int last = std::min(i + geometry.rows, p.m) - 1;
    sum += columns(in, p.index, 0, 0, p.n, last).end + geometry.lag_of(last) -
           columns(in, p.index, 0, 0, p.n, i).begin;
  }
  return sum;
}

template <class T>
typename FormatPlan<T>::Planned FormatPlan<T>::along(const Pair& pair) const {
  return make(&pair, 1, pair.m, pair.n, false);
}

// Null if these pairs cannot be swept together.
template <class T>
typename FormatPlan<T>::Planned FormatPlan<T>::across(const Pair* pairs,
                                                      int count) const {
  if (scale_.semiring == Semiring::kLogSpace) return nullptr;
  int m = 0, n = 0;
  double max_cost = 0, max_value = 0;
  for (int l = 0; l < count; ++l) {
    m = std::max(m, pairs[l].m);
    max_cost = std::max(max_cost, pairs[l].max_cost);
    max_value = std::max(max_value, pairs[l].max_value);
  }
  for (int l = 0; l < count; ++l) n = std::max(n, pairs[l].n - pairs[l].m + m);
  if (n > kAcrossColumns) return nullptr;
  Planned group = make(pairs, count, m, n, true);
  if (group->g.capped && in.of_series()) {
    const bool hard = scale_.semiring == Semiring::kHard;
    // Padding must cost more than any path of the pairs' own cells.
    const double cost =
        hard ? 4 * max_cost * (m + n) + 1 : 4 * scale_.forbidden;
    if (!(cost < Format<double>::kHuge)) return nullptr;
    const double difference = with_cost(in.cost, [=](auto c) {
      return std::max(4 * max_value, decltype(c)::difference(cost));
    });
    group->pad = std::ldexp(1.0, std::ilogb(difference) + 1);
    if (hard) group->g.limit = std::min(group->g.limit, cost / 2);
    if (!(group->pad * (m + n) < Format<T>::kHuge)) return nullptr;
  }
  return group;
}

template <class T>
typename FormatPlan<T>::Planned FormatPlan<T>::make(const Pair* pairs,
                                                    int count, int m, int n,
                                                    bool across) const {
  Planned group(new PlannedGroup<T>());
  Group<T>& g = group->g;
  g = Group<T>();
  g.m = m;
  g.n = n;
  g.d = (int)in.d;
  g.pairs = count;
  g.across = across;
  g.scale = scale_;
  g.capped = capped_;
  set_costs(g);
  // Explicit costs that are the direction are read as one.
  const bool along_cost = in.direction == Direction::kCost && !in.of_series();
  const char* z = along_cost ? in.c : in.z;
  const ptrdiff_t* z_stride = along_cost ? in.c_stride : in.z_stride;
  g.z_row = z_stride[1];
  g.z_col = z_stride[2];
  for (int l = 0; l < count; ++l) {
    group->index[l] = pairs[l].index;
    g.row0[l] = m - pairs[l].m;
    g.col0[l] = n - pairs[l].n;
    g.capped |= g.row0[l] || g.col0[l];
    if (!in.of_series()) g.c[l] = in.c + pairs[l].index * in.c_stride[0];
    if (z) g.z[l] = z + pairs[l].index * z_stride[0];
  }
  StripPlan& strips = group->strips;
  const Geometry& geometry = strips.geometry =
      across ? sweeps.across : sweeps.along;
  set_steps(*group);
  g.steps = strips.steps.data();
  strips.set_block(across ? kAcrossRows / geometry.rows : 1);
  const int wanted = strips.block * (across ? kAcrossSteps : kAlongSteps);
  const int segments = std::max(1, (strips.most() + wanted / 2) / wanted);
  strips.width = (strips.longest() + segments - 1) / segments;
  g.width = strips.width;
  g.block = strips.block;
  g.state = (int)strips.state();
  g.blocks = strips.blocks.data();
  double steps = 0;
  for (const Span& s : strips.steps) steps += s.end - s.begin;
  group->work = steps * geometry.rows * geometry.entry / geometry.lanes;
  group->tape.plan(strips, scale_.semiring == Semiring::kHard ? 1 : 2,
                   in.tangent());
  return group;
}

template <class T>
void FormatPlan<T>::set_costs(Group<T>& g) const {
  g.cost = swept_as(in.cost, in.d);
  g.direction = in.direction;
  g.is_double = in.is_double;
  g.c_row = in.c_stride[1];
  g.c_col = in.c_stride[2];
  if (in.of_series()) {
    with_cost(g.cost, [&](auto cost) {
      g.cut = decltype(cost)::template cut<T>(scale_.forbidden);
      g.limit = decltype(cost)::template limit<T>(scale_.forbidden);
    });
    return;
  }
  g.limit = scale_.forbidden / 2;
  if (in.tangent()) g.direction = Direction::kExplicit;
}

// Find the steps of the strips: all that a row of a pair has cells at.
template <class T>
void FormatPlan<T>::set_steps(PlannedGroup<T>& group) const {
  const Group<T>& g = group.g;
  const Geometry& geometry = group.strips.geometry;
  const int rows = geometry.rows;
  std::vector<Span>& steps = group.strips.steps;
  steps.resize((g.m + rows - 1) / rows);
  for (size_t s = 0; s < steps.size(); ++s) {
    const int i = (int)s * rows;
    const int last = std::min(i + rows, g.m) - 1;
    Span& at = steps[s] = {0, g.n + geometry.lag_of(last)};
    if (!in.band) continue;
    at = {g.n, 0};
    for (int l = 0; l < g.pairs; ++l) {
      if (l && group.same_band(in, l)) continue;
      at.begin = std::min(at.begin, group.row(in, l, i).begin);
      at.end =
          std::max(at.end, group.row(in, l, last).end + geometry.lag_of(last));
    }
  }
}

template class FormatPlan<float>;
template class FormatPlan<double>;

}  // namespace sdtw
