// What is found out about a pair: bounds on its values and costs.
#include "format.hpp"

#include <vector>

namespace sdtw {

namespace {

// Extend the least and the largest value of each feature to one element's;
// `nans` turns from 0 to NaN where that is not finite.
template <class C>
void extend(const C* __restrict v, int64_t d, C* __restrict low,
            C* __restrict high, C* __restrict nans) {
  for (int64_t k = 0; k < d; ++k) {
    low[k] = v[k] < low[k] ? v[k] : low[k];
    high[k] = v[k] > high[k] ? v[k] : high[k];
    nans[k] += v[k] - v[k];
  }
}

// Least and largest value of each feature; true if one is not finite. Elements
// of a few features that lie side by side are taken as one of more features.
template <class C>
bool extent(const char* p, const ptrdiff_t* stride, int length, int64_t d,
            C* low, C* high, std::vector<C>& scratch, Watch& watch) {
  const bool adjacent = stride[2] == sizeof(C);
  const int together = adjacent && stride[1] == d * stride[2]
                           ? (int)std::min<int64_t>(length, 1 + 32 / d)
                           : 1;
  const int64_t width = together * d;
  scratch.resize(4 * width);
  C *lows = scratch.data(), *highs = lows + width, *nans = highs + width,
    *element = nans + width;
  std::fill_n(lows, width, std::numeric_limits<C>::infinity());
  std::fill_n(highs, width, -std::numeric_limits<C>::infinity());
  std::fill_n(nans, width, C(0));
  int64_t seen = 0;  // since the last check
  for (int i = 0; i < length; i += together) {
    if ((seen += width) >= Watch::kTile) {
      watch.check(seen);
      seen = 0;
    }
    // The last ones may be looked at twice.
    const char* at = p + std::min(i, length - together) * stride[1];
    const C* v = (const C*)at;
    if (!adjacent) {
      for (int64_t k = 0; k < d; ++k)
        element[k] = *(const C*)(at + k * stride[2]);
      v = element;
    }
    extend(v, width, lows, highs, nans);
  }
  for (int64_t k = 0; k < d; ++k) {
    low[k] = lows[k];
    high[k] = highs[k];
    for (int64_t i = k; i < width; i += d) {
      low[k] = std::min(low[k], lows[i]);
      high[k] = std::max(high[k], highs[i]);
    }
  }
  return std::any_of(nans, nans + width, [](C v) { return v != 0; });
}

// Whether a band has a path.
bool connected(const Input& in, const Pair& p) {
  int end = 0;  // of the row above
  for (int i = 0; i < p.m; ++i) {
    const Span row = columns(in, p.index, 0, 0, p.n, i);
    if (row.begin > end || row.begin >= row.end) return false;
    end = row.end;
  }
  return end == p.n;
}

template <class C>
void scan(const Input& in, Pair& p, Watch& watch) {
  p.blocked = in.band && !connected(in, p);
  if (in.of_series()) {
    const char* x = in.x + p.index * in.x_stride[0];
    const char* y = in.y + p.index * in.y_stride[0];
    std::vector<C> bounds(4 * in.d), scratch;
    C *xl = bounds.data(), *xh = xl + in.d, *yl = xh + in.d, *yh = yl + in.d;
    p.nan = extent(x, in.x_stride, p.m, in.d, xl, xh, scratch, watch);
    p.nan |= extent(y, in.y_stride, p.n, in.d, yl, yh, scratch, watch);
    for (int64_t k = 0; k < in.d; ++k) {
      const double a = std::max((double)xh[k] - yl[k], (double)yh[k] - xl[k]);
      with_cost(in.cost, [&](auto cost) {
        p.max_cost = decltype(cost)::template Term<Number>::add(p.max_cost, a);
      });
      for (const C v : {xl[k], xh[k], yl[k], yh[k]})
        p.max_value = std::max(p.max_value, std::abs((double)v));
    }
    if (is_root(in.cost)) {
      p.max_sum = p.max_cost;
      p.max_cost = std::sqrt(p.max_cost);
    }
    return;
  }
  const char* row = in.c + p.index * in.c_stride[0];
  const C inf = std::numeric_limits<C>::infinity();
  C max_cost = 0;
  bool bad = false;
  for (int i = 0; i < p.m; ++i, row += in.c_stride[1]) {
    watch.check();
    const Span at = columns(in, p.index, 0, 0, p.n, i);
    const char* c = row + at.begin * in.c_stride[2];
    for (int j = at.begin; j < at.end; ++j, c += in.c_stride[2]) {
      const C v = *(const C*)c;
      const C a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      max_cost = a > max_cost && a < inf ? a : max_cost;
    }
  }
  p.nan = bad;
  p.max_cost = (double)max_cost;
}

// Bound on the absolute values of a pair's costs below 0, none of them -inf.
template <class C>
double largest_negative(const Input& in, const Pair& p, Watch& watch) {
  C least = 0;
  for (int i = 0; i < p.m; ++i) {
    watch.check();
    const Span at = columns(in, p.index, 0, 0, p.n, i);
    const char* c = in.c + p.index * in.c_stride[0] + i * in.c_stride[1];
    for (int j = at.begin; j < at.end; ++j)
      least = std::min(least, *(const C*)(c + j * in.c_stride[2]));
  }
  return -(double)least;
}

template <class C>
void inspect_as(const Input& in, Pair& p, Watch& watch) {
  scan<C>(in, p, watch);
  if (!in.of_series() && in.gamma > 0 && !fits<double>(p, in.gamma))
    p.max_negative = largest_negative<C>(in, p, watch);
}

}  // namespace

void inspect(const Input& in, Pair& p, Watch& watch) {
  in.is_double ? inspect_as<double>(in, p, watch)
               : inspect_as<float>(in, p, watch);
}

}  // namespace sdtw
