// Copies between the arrays of a call and those of groups, with padding.
#include "packing.hpp"

#include <algorithm>
#include <limits>

namespace sdtw {

namespace {

constexpr int kApart = 8;  // elements of series between looks for signals

// A cell without mass has a gradient of 0, even if its series are so far
// apart that their difference is infinite.
template <class T>
void limit_differences(T* v, size_t count) {
  const T bound = std::numeric_limits<T>::max() / 2;
  for (size_t i = 0; i < count; ++i)
    v[i] = std::max(std::min(v[i], bound), -bound);
}

template <class T>
void pack_band(const Input& in, PlannedGroup<T>& group,
               GroupBuffers<T>& buffers) {
  Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const size_t size = (size_t)group.strips.strips() * geo.rows * geo.entry;
  int* band_begin = buffers.band_begin.get(size);
  int* band_end = buffers.band_end.get(size);
  g.band_begin = band_begin;
  g.band_end = band_end;
  for (int i = 0; i < group.strips.strips() * geo.rows; ++i) {
    const int lag = geo.lag_of(i);
    Span at;
    for (int l = 0; l < geo.entry; ++l) {
      if (l == 0 || (l < g.pairs && !group.same_band(in, l)))
        at = group.row(in, l, std::min(i, g.m - 1));
      *band_begin++ = at.begin + lag;
      *band_end++ = at.end + lag;
    }
  }
}

// The value `distance` places before a series starts: equal for x and y at
// equal distances, far from everything else.
template <class T>
T padding(double pad, int k, int distance) {
  return k ? T(0) : (T)(pad * (distance + 1));
}

// Copy the features of place i of a series with `count` elements, which starts
// at place `first`; the last element is repeated after its end.
template <class T, class C>
void pack_features(const char* series, const ptrdiff_t* stride, int d, int i,
                   int first, int count, double pad, T* to, ptrdiff_t step) {
  if (i < first) {
    for (int k = 0; k < d; ++k, to += step)
      *to = padding<T>(pad, k, first - i);
    return;
  }
  const char* from = series + std::min(i - first, count - 1) * stride[1];
  for (int k = 0; k < d; ++k, from += stride[2], to += step)
    *to = (T) * (const C*)from;
}

// Where the features of a row of the table are in x, and how far it is from
// one to the next.
template <class T>
size_t row_at(const PlannedGroup<T>& group, int row) {
  const Geometry& geo = group.strips.geometry;
  return row / geo.rows * group.strips.tile() * group.g.d +
         (size_t)(row % geo.rows) * geo.entry;
}

template <class T, class C>
void pack_x(const PlannedGroup<T>& group, const char* x,
            const ptrdiff_t* stride, double pad, T* out, Watch& watch) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const int rows = group.strips.strips() * geo.rows;
  for (int i = 0; i < rows; ++i) {
    if (i % kApart == 0) watch.check((int64_t)kApart * geo.entry * g.d);
    T* to = out + row_at(group, i);
    for (int l = 0; l < geo.entry; ++l) {
      const int p = l < g.pairs ? l : 0;  // unused lanes repeat a pair
      pack_features<T, C>(x + group.index[p] * stride[0], stride, g.d, i,
                          g.row0[p], g.m - g.row0[p], pad, to + l,
                          group.strips.tile());
    }
  }
}

template <class T, class C>
void pack_y(const PlannedGroup<T>& group, const char* y,
            const ptrdiff_t* stride, double pad, T* out, Watch& watch) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const int before = g.across ? geo.rows : (int)g.y_feature - g.n - geo.rows;
  for (int j = -before; j < g.n + geo.rows; ++j) {
    if (j % kApart == 0) watch.check((int64_t)kApart * geo.entry * g.d);
    T* to = out + j * g.y_step;
    for (int l = 0; l < geo.entry; ++l) {
      const int p = l < g.pairs ? l : 0;
      const int col0 = g.col0[p];
      // Before the first column of the table are copies of it.
      pack_features<T, C>(y + group.index[p] * stride[0], stride, g.d,
                          std::max(j, 0), col0, g.n - col0, pad, to + l,
                          g.y_feature);
    }
  }
}

// Multiply the gradient of a pair's element and copy it to the batch.
template <class T, class C>
void unpack_features(const T* from, ptrdiff_t step, int d, double factor,
                     C* to) {
  for (int k = 0; k < d; ++k, from += step) to[k] = (C)(factor * *from);
}

template <class T, class C>
void unpack_x(const Input& in, const PlannedGroup<T>& group,
              double cost_factor, C* out, Watch& watch) {
  const Group<T>& g = group.g;
  for (int i = 0; i < g.m; ++i) {
    if (i % kApart == 0) watch.check((int64_t)kApart * g.pairs * g.d);
    for (int l = 0; l < g.pairs; ++l)
      if (i >= g.row0[l])
        unpack_features(g.gx + row_at(group, i) + l, group.strips.tile(), g.d,
                        cost_factor * g.grad[l],
                        out + (group.index[l] * in.m + i - g.row0[l]) * in.d);
  }
}

template <class T, class C>
void unpack_y(const Input& in, const PlannedGroup<T>& group,
              double cost_factor, C* out, Watch& watch) {
  const Group<T>& g = group.g;
  for (int j = 0; j < g.n; ++j) {
    if (j % kApart == 0) watch.check((int64_t)kApart * g.pairs * g.d);
    for (int l = 0; l < g.pairs; ++l)
      if (j >= g.col0[l])
        unpack_features(g.gy + j * g.y_step + l, g.y_feature, g.d,
                        cost_factor * g.grad[l],
                        out + (group.index[l] * in.n + j - g.col0[l]) * in.d);
  }
}

// Numbers in an odd count of cache lines, at least so many: what lies so far
// apart is not all kept in the same few places of a cache.
template <class T>
size_t odd_lines(size_t count) {
  constexpr size_t kLine = 64 / sizeof(T);
  return ((count + kLine - 1) / kLine | 1) * kLine;
}

// Where the first column of the table is in y.
template <class T>
ptrdiff_t first_column(const PlannedGroup<T>& group) {
  const Group<T>& g = group.g;
  const int margin = group.strips.geometry.rows;
  return g.across ? margin * g.y_step : g.n - 1 + margin;
}

template <class T, class C>
void pack_series(const Input& in, PlannedGroup<T>& group,
                 GroupBuffers<T>& buffers, size_t xs, size_t ys,
                 Watch& watch) {
  Group<T>& g = group.g;
  const ptrdiff_t first = first_column(group);
  T* x = buffers.x.get(xs);
  T* y = buffers.y.get(ys);
  g.x = x;
  g.y = y + first;
  pack_x<T, C>(group, in.x, in.x_stride, group.pad, x, watch);
  pack_y<T, C>(group, in.y, in.y_stride, group.pad, y + first, watch);
  if (g.scale.semiring == Semiring::kLogSpace) {
    limit_differences(x, xs);
    limit_differences(y, ys);
  }
  if (in.direction != Direction::kSeries) return;
  T* dx = in.dx ? buffers.dx.get(xs) : buffers.dx.zeros(xs);
  T* dy = in.dy ? buffers.dy.get(ys) : buffers.dy.zeros(ys);
  g.dx = dx;
  g.dy = dy + first;
  if (in.dx) pack_x<T, C>(group, in.dx, in.dx_stride, 0, dx, watch);
  if (in.dy) pack_y<T, C>(group, in.dy, in.dy_stride, 0, dy + first, watch);
}

template <class T, class C>
void unpack_as(const Input& in, const PlannedGroup<T>& group, double factor,
               void* gx, void* gy, Watch& watch) {
  if (gx) unpack_x(in, group, factor, (C*)gx, watch);
  if (gy) unpack_y(in, group, factor, (C*)gy, watch);
}

}  // namespace

template <class T>
void pack(const Input& in, PlannedGroup<T>& group, GroupBuffers<T>& buffers,
          bool want_gx, bool want_gy, Watch& watch) {
  Group<T>& g = group.g;
  g.x = g.y = g.dx = g.dy = nullptr;
  g.gx = g.gy = nullptr;
  g.band_begin = g.band_end = nullptr;
  if (in.band) pack_band(in, group, buffers);
  if (!in.of_series()) return;
  const Geometry& geo = group.strips.geometry;
  const size_t xs = group.strips.strips() * group.strips.tile() * g.d;
  const size_t columns = (size_t)g.n + 2 * geo.rows;
  g.y_step = g.across ? (ptrdiff_t)geo.entry * g.d : -1;
  g.y_feature = g.across ? geo.entry : odd_lines<T>(columns);
  const size_t ys = (g.across ? columns * geo.entry : g.y_feature) * g.d;
  in.is_double ? pack_series<T, double>(in, group, buffers, xs, ys, watch)
               : pack_series<T, float>(in, group, buffers, xs, ys, watch);
  if (want_gx) g.gx = buffers.gx.zeros(xs);
  if (want_gy) g.gy = buffers.gy.zeros(ys) + first_column(group);
}

template <class T>
void unpack(const Input& in, const PlannedGroup<T>& group, void* gx, void* gy,
            Watch& watch) {
  if (!in.of_series()) return;
  const double factor =
      with_cost(in.cost, [](auto cost) { return decltype(cost)::kFactor; });
  in.is_double ? unpack_as<T, double>(in, group, factor, gx, gy, watch)
               : unpack_as<T, float>(in, group, factor, gx, gy, watch);
}

template void pack(const Input&, PlannedGroup<float>&, GroupBuffers<float>&,
                   bool, bool, Watch&);
template void pack(const Input&, PlannedGroup<double>&, GroupBuffers<double>&,
                   bool, bool, Watch&);
template void unpack(const Input&, const PlannedGroup<float>&, void*, void*,
                     Watch&);
template void unpack(const Input&, const PlannedGroup<double>&, void*, void*,
                     Watch&);

}  // namespace sdtw
