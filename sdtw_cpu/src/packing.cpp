// Copies between the arrays of a call and those of groups, with padding.
#include "packing.hpp"

#include <algorithm>
#include <limits>

namespace sdtw {

namespace {

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
    for (int l = 0; l < geo.entry; ++l) {
      const Span at = group.row(in, l < g.pairs ? l : 0, std::min(i, g.m - 1));
      *band_begin++ = at.begin + lag;
      *band_end++ = at.end + lag;
    }
  }
}

// Copy numbers and return the last of them.
template <class T, class C>
T copy(const char* from, ptrdiff_t stride, int count, T* to, ptrdiff_t step) {
  T v = 0;
  for (int i = 0; i < count; ++i, from += stride, to += step)
    *to = v = (T) * (const C*)from;
  return v;
}

// The value `distance` places before a series starts: equal for x and y at
// equal distances, far from everything else.
template <class T>
T padding(double pad, int k, int distance) {
  return k ? T(0) : (T)(pad * (distance + 1));
}

template <class T, class C>
void pack_x(const PlannedGroup<T>& group, const char* x,
            const ptrdiff_t* stride, double pad, T* out) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const int rows = group.strips.strips() * geo.rows;
  for (int k = 0; k < g.d; ++k) {
    for (int l = 0; l < geo.entry; ++l) {
      const int p = l < g.pairs ? l : 0;  // unused lanes repeat a pair
      const int row0 = g.row0[p];
      const char* from = x + group.index[p] * stride[0] + k * stride[2];
      T* to = out + (size_t)k * rows * geo.entry + l;
      for (int i = 0; i < row0; ++i)
        to[(size_t)i * geo.entry] = padding<T>(pad, k, row0 - i);
      T* start = to + (size_t)row0 * geo.entry;
      const T last = copy<T, C>(from, stride[1], g.m - row0, start, geo.entry);
      for (int i = g.m; i < rows; ++i) to[(size_t)i * geo.entry] = last;
    }
  }
}

template <class T, class C>
void pack_y(const PlannedGroup<T>& group, const char* y,
            const ptrdiff_t* stride, double pad, T* out) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const int margin = geo.rows;
  const int columns = g.n + 2 * margin;
  // Along a pair's anti-diagonals the last column comes first.
  const ptrdiff_t step = g.across ? geo.entry : -geo.entry;
  const int first = g.across ? margin : g.n - 1 + margin;
  for (int k = 0; k < g.d; ++k) {
    for (int l = 0; l < geo.entry; ++l) {
      const int p = l < g.pairs ? l : 0;
      const int col0 = g.col0[p];
      const char* from = y + group.index[p] * stride[0] + k * stride[2];
      T* to = out + ((size_t)k * columns + first) * geo.entry + l;
      const T before = col0 ? padding<T>(pad, k, col0) : (T) * (const C*)from;
      for (int j = -margin; j < 0; ++j) to[j * step] = before;
      for (int j = 0; j < col0; ++j)
        to[j * step] = padding<T>(pad, k, col0 - j);
      const T last =
          copy<T, C>(from, stride[1], g.n - col0, to + col0 * step, step);
      for (int j = g.n; j < g.n + margin; ++j) to[j * step] = last;
    }
  }
}

template <class T, class C>
void unpack_x(const Input& in, const PlannedGroup<T>& group,
              double cost_factor, void* out) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const size_t xs = (size_t)group.strips.strips() * geo.rows * geo.entry;
  for (int l = 0; l < g.pairs; ++l) {
    const double factor = cost_factor * g.grad[l];
    C* to = (C*)out + group.index[l] * in.m * in.d;
    const T* from = g.gx + (size_t)g.row0[l] * geo.entry + l;
    for (int i = g.row0[l]; i < g.m; ++i, from += geo.entry)
      for (int k = 0; k < g.d; ++k) *to++ = (C)(factor * from[k * xs]);
  }
}

template <class T, class C>
void unpack_y(const Input& in, const PlannedGroup<T>& group,
              double cost_factor, void* out) {
  const Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const size_t ys = ((size_t)g.n + 2 * geo.rows) * geo.entry;
  for (int l = 0; l < g.pairs; ++l) {
    const double factor = cost_factor * g.grad[l];
    C* to = (C*)out + group.index[l] * in.n * in.d;
    const T* from = g.gy + (size_t)(g.col0[l] + geo.rows) * geo.entry + l;
    for (int j = g.col0[l]; j < g.n; ++j, from += geo.entry)
      for (int k = 0; k < g.d; ++k) *to++ = (C)(factor * from[k * ys]);
  }
}

template <class T, class C>
void pack_series(const Input& in, PlannedGroup<T>& group,
                 GroupBuffers<T>& buffers, size_t xs, size_t ys) {
  Group<T>& g = group.g;
  T* x = buffers.x.get(xs);
  T* y = buffers.y.get(ys);
  g.x = x;
  g.y = y;
  pack_x<T, C>(group, in.x, in.x_stride, group.pad, x);
  pack_y<T, C>(group, in.y, in.y_stride, group.pad, y);
  if (g.scale.semiring == Semiring::kLogSpace) {
    limit_differences(x, xs);
    limit_differences(y, ys);
  }
  if (in.direction != Direction::kSeries) return;
  T* dx = in.dx ? buffers.dx.get(xs) : buffers.dx.zeros(xs);
  T* dy = in.dy ? buffers.dy.get(ys) : buffers.dy.zeros(ys);
  g.dx = dx;
  g.dy = dy;
  if (in.dx) pack_x<T, C>(group, in.dx, in.dx_stride, 0, dx);
  if (in.dy) pack_y<T, C>(group, in.dy, in.dy_stride, 0, dy);
}

template <class T, class C>
void unpack_as(const Input& in, const PlannedGroup<T>& group, double factor,
               void* gx, void* gy) {
  if (gx) unpack_x<T, C>(in, group, factor, gx);
  if (gy) unpack_y<T, C>(in, group, factor, gy);
}

}  // namespace

template <class T>
void pack(const Input& in, PlannedGroup<T>& group, GroupBuffers<T>& buffers,
          bool want_gx, bool want_gy) {
  Group<T>& g = group.g;
  g.x = g.y = g.dx = g.dy = nullptr;
  g.gx = g.gy = nullptr;
  g.band_begin = g.band_end = nullptr;
  if (in.band) pack_band(in, group, buffers);
  if (!in.of_series()) return;
  const Geometry& geo = group.strips.geometry;
  const size_t xs = group.strips.strips() * group.strips.tile() * g.d;
  const size_t ys = ((size_t)g.n + 2 * geo.rows) * geo.entry * g.d;
  in.is_double ? pack_series<T, double>(in, group, buffers, xs, ys)
               : pack_series<T, float>(in, group, buffers, xs, ys);
  if (want_gx) g.gx = buffers.gx.zeros(xs);
  if (want_gy) g.gy = buffers.gy.zeros(ys);
}

template <class T>
void unpack(const Input& in, const PlannedGroup<T>& group, void* gx,
            void* gy) {
  if (!in.of_series()) return;
  const double factor =
      with_cost(in.cost, [](auto cost) { return decltype(cost)::kFactor; });
  in.is_double ? unpack_as<T, double>(in, group, factor, gx, gy)
               : unpack_as<T, float>(in, group, factor, gx, gy);
}

template void pack(const Input&, PlannedGroup<float>&, GroupBuffers<float>&,
                   bool, bool);
template void pack(const Input&, PlannedGroup<double>&, GroupBuffers<double>&,
                   bool, bool);
template void unpack(const Input&, const PlannedGroup<float>&, void*, void*);
template void unpack(const Input&, const PlannedGroup<double>&, void*, void*);

}  // namespace sdtw
