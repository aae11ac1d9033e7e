#include "batch.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

#include "format.hpp"
#include "isa.hpp"
#include "memory.hpp"
#include "threads.hpp"

namespace sdtw {

namespace {

// --- Groups of one format --------------------------------------------------

// Table cells along and across cost about the same per vector; the limit
// keeps the scratch memory of a block within a core's cache.
constexpr int kAcrossColumns = 1024;
constexpr size_t kBlockBytes = 1 << 20;
constexpr int kSegment = 128;

template <class T>
class Family {
 public:
  struct Member {
    Group<T> g;
    int64_t index[kMaxLanes];
    double pad = 0;  // step between padding values
    Buffer<T> edges, states;
    std::vector<Span> steps;         // of each strip
    std::vector<ptrdiff_t> slot_at;  // entry of each slot's column 0
    std::vector<size_t> state_at;    // first of each strip's states
    size_t entries = 0;              // of all slots
    int strips = 0, slots = 0, planes = 2;
    double work = 0;
  };

  // Buffers that follow a group while it is worked on.
  struct Desk {
    Buffer<T> x, y, dx, dy, gx, gy, top, mass;
    Buffer<int> open, close;
  };
  // Scratch memory of one thread.
  struct Bench {
    Buffer<T> fraction, exponent, choice, edge, state, mass, grad;
    Buffer<T> direction, change, distance;
    Scratch<T> scratch;
  };

  Family(const Input& in, const Sweeps<T>& sweeps, Minimum minimum,
         bool capped, bool keep_tape)
      : in_(in),
        sweeps_(sweeps),
        scale_(make_scale<T>(minimum, in.gamma)),
        capped_(capped),
        keep_(keep_tape) {}

  std::vector<std::unique_ptr<Member>> members;

  // Split pairs into groups, across the batch where that takes fewer steps.
  void plan(std::vector<Pair> pairs, int nthreads) {
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
      return a.n != b.n   ? a.n > b.n
             : a.m != b.m ? a.m > b.m
                          : a.index < b.index;
    });
    const size_t lanes = sweeps_.across.lanes;
    for (size_t i = 0; i < pairs.size(); i += lanes) {
      const size_t end = std::min(pairs.size(), i + lanes);
      double alone = 0;
      for (size_t k = i; k < end; ++k)
        alone += steps(sweeps_.along, pairs[k]) * sweeps_.along.rows /
                 sweeps_.along.lanes;
      // Pairs left alone spread over threads that would otherwise be idle.
      const size_t groups = (pairs.size() + lanes - 1) / lanes;
      if (groups < (size_t)nthreads)
        alone *= (double)groups / std::min<double>(nthreads, pairs.size());
      std::unique_ptr<Member> all = across(&pairs[i], (int)(end - i));
      if (all && all->work < alone) {
        members.push_back(std::move(all));
      } else {
        for (size_t k = i; k < end; ++k) members.push_back(along(pairs[k]));
      }
    }
    std::stable_sort(
        members.begin(), members.end(),
        [](const std::unique_ptr<Member>& a,
           const std::unique_ptr<Member>& b) { return a->work > b->work; });
  }

  double work() const {
    double w = 0;
    for (auto& m : members) w += m->work;
    return w * sweeps_.along.lanes;
  }

  size_t tape_bytes() const {
    size_t n = 0;
    if (!keep_) return n;
    for (auto& m : members) n += plane(*m) * planes(*m) + states_size(*m);
    return n * sizeof(T);
  }

  // --- value ---

  void value(Watch& watch, Member& mb, Desk& desk, std::vector<Bench>& benches,
             const int nthreads) {
    Group<T>& g = mb.g;
    pack(mb, desk, false, false);
    Edge<T> top = edge(desk.top, mb);
    sweeps_.begin(g, top);
    g.top = top;
    if (keep_) {
      mb.edges.get(plane(mb) * planes(mb));
      mb.states.get(states_size(mb));
    }
    std::vector<std::atomic<int>> done(mb.strips);
    for (auto& d : done) d = 0;
    std::atomic<int> next{0};
    run_threads(watch, nthreads, [&](int w) {
      Bench& bench = benches[w];
      prepare(bench, mb, false);
      sweeps_.begin(g, bench.scratch.edge);
      for (int s; (s = next++) < mb.strips;) {
        const Edge<T> in = s == 0 ? top : below(mb, bench, top, s);
        const Edge<T> out = above(mb, bench, top, s);
        const int count = segments(mb, s);
        for (int q = 0; q < count; ++q) {
          watch.check();
          if (s > 0 && nthreads > 1)
            wait(watch, done[s - 1], needed(mb, s, q));
          const bool stored = keep_ && q + 1 < count;
          sweeps_.value(g, bench.scratch, s, q, in, out,
                        keep_ && q ? state(mb, s, q) : bench.scratch.state,
                        stored ? state(mb, s, q + 1) : bench.scratch.state);
          done[s].store(q + 1, std::memory_order_release);
        }
      }
    });
  }

  // --- adjoint ---

  void adjoint(Watch& watch, Member& mb, Desk& desk,
               std::vector<Bench>& benches, const int nthreads,
               const double* seed, const double* seed_tangent, void* gx,
               void* gy, void* e) {
    Group<T>& g = mb.g;
    pack(mb, desk, gx != nullptr, gy != nullptr);
    const Geometry& geo = geometry(g);
    g.top = edge(desk.top, mb);
    sweeps_.begin(g, g.top);
    const size_t margin = (size_t)geo.rows * geo.entry;
    const size_t edge_size = (size_t)g.n * geo.entry + 2 * margin;
    g.mass_edge = desk.mass.zeros((tangent() ? 2 : 1) * edge_size) + margin;
    g.mass_edge_tangent = g.mass_edge + edge_size;
    for (T& mass : g.mass) mass = 1;
    const ptrdiff_t size = in_.is_double ? 8 : 4;
    for (int l = 0; l < g.pairs; ++l) {
      const int64_t b = mb.index[l];
      g.seed[l] = std::isinf(g.value[l]) ? 0 : seed[b];
      if (tangent()) set_seeds(g, l, seed[b], seed_tangent[b]);
      g.e[l] = (char*)e + b * in_.m * in_.n * size;
    }
    g.e_row = in_.n * size;
    g.e_col = size;
    const int blocks = mb.slots + 1;
    std::vector<std::atomic<int>> done(blocks);
    for (auto& d : done) d = 0;
    std::atomic<int> next{0};
    run_threads(watch, nthreads, [&](int w) {
      Bench& bench = benches[w];
      prepare(bench, mb, true);
      sweeps_.begin(g, bench.scratch.edge);
      for (int b; (b = blocks - 1 - next++) >= 0;) {
        const Edge<T> in = b == 0 ? g.top : slot(mb, b - 1);
        // More than one segment goes with one strip per block.
        const int count = segments(mb, std::min(b * g.block, mb.strips - 1));
        for (int q = count - 1; q >= 0; --q) {
          watch.check();
          if (b + 1 < blocks && nthreads > 1)
            wait(watch, done[b + 1], needed_back(mb, b, q));
          sweeps_.adjoint(g, bench.scratch, b, q, in,
                          q ? state(mb, b, q) : nullptr);
          done[b].store(count - q, std::memory_order_release);
        }
      }
    });
    if (gx) in_.is_double ? unpack_x<double>(mb, gx) : unpack_x<float>(mb, gx);
    if (gy) in_.is_double ? unpack_y<double>(mb, gy) : unpack_y<float>(mb, gy);
  }

  bool can_split(const Member& mb) const {
    return !mb.g.across && mb.strips > 1 && mb.g.width < longest(mb);
  }

 private:
  bool tangent() const { return in_.direction != kNoDirection; }

  // Numbers per entry of an edge.
  int planes(const Member& mb) const { return mb.planes + tangent(); }

  // Two seeds as masses that are at most 1 and the factor on what comes of
  // them, so that neither small nor large ones leave the range of T.
  static void set_seeds(Group<T>& g, int l, double seed, double tangent) {
    const double sum = std::abs(seed) + std::abs(tangent);
    const bool none = sum == 0 || std::isinf(g.value[l]);
    // A direction with NaN: NaN for all of the pair.
    g.seed[l] = none ? 0 : std::isnan(g.tangent[l]) ? g.tangent[l] : sum;
    g.mass[l] = (T)(none ? 0 : seed / sum);
    g.mass_tangent[l] = (T)(none ? 0 : tangent / sum);
  }

  static double steps(const Geometry& geo, int m, int n) {
    return (double)((m + geo.rows - 1) / geo.rows) * (n + geo.lag);
  }

  // The same of a pair with its band.
  double steps(const Geometry& geo, const Pair& p) const {
    if (!in_.band) return steps(geo, p.m, p.n);
    double sum = 0;
    for (int i = 0; i < p.m; i += geo.rows) {
      const int last = std::min(i + geo.rows, p.m) - 1;
      sum += columns(in_, p.index, 0, 0, p.n, last).end + last - i -
             columns(in_, p.index, 0, 0, p.n, i).begin;
    }
    return sum;
  }

  // Steps of the longest strip.
  static int longest(const Member& mb) {
    int most = 0;
    for (const Span& s : mb.steps) most = std::max(most, s.end - s.begin);
    return most;
  }

  // Find the steps of the strips: all that a row of a pair has cells at.
  void set_steps(Member& mb) const {
    const Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    mb.steps.resize(mb.strips);
    for (int s = 0; s < mb.strips; ++s) {
      const int i = s * geo.rows;
      const int last = std::min(i + geo.rows, g.m) - 1;
      Span& at = mb.steps[s] = {0, g.n + last - i};
      if (!in_.band) continue;
      at = {g.n, 0};
      for (int l = 0; l < g.pairs; ++l) {
        at.begin = std::min(at.begin, row(mb, l, i).begin);
        at.end = std::max(at.end, row(mb, l, last).end + last - i);
      }
    }
  }

  Span row(const Member& mb, int l, int i) const {
    const Group<T>& g = mb.g;
    return columns(in_, mb.index[l], g.row0[l], g.col0[l], g.n, i);
  }

  // Edges follow each other from the last to the first, each with the columns
  // that are read again. Those before them land in the slots of the strips
  // below while a strip is being started; these write them later.
  void set_slots(Member& mb) const {
    const Geometry& geo = geometry(mb.g);
    mb.slots = (mb.strips + mb.g.block - 1) / mb.g.block - 1;
    mb.slot_at.resize(mb.slots);
    ptrdiff_t size = 0, margin = 0;
    for (int b = mb.slots - 1; b >= 0; --b) {
      const int below = (b + 1) * mb.g.block;
      const Span above = mb.steps[below - 1];
      const int first = std::max(mb.steps[below].begin - 1, 0);
      mb.slot_at[b] = size - first;
      margin = std::max(margin, first - (above.begin - geo.lag) - size);
      size += above.end - geo.lag - first;
    }
    for (ptrdiff_t& at : mb.slot_at) at += margin;
    mb.entries = size + margin;
    mb.state_at.resize(mb.strips + 1);
    for (int s = 0; s < mb.strips; ++s)
      mb.state_at[s + 1] = mb.state_at[s] + segments(mb, s) - 1;
  }

  const Geometry& geometry(const Group<T>& g) const {
    return g.across ? sweeps_.across : sweeps_.along;
  }

  std::unique_ptr<Member> make(const Pair* pairs, int count, int m, int n,
                               bool across) const {
    std::unique_ptr<Member> mb(new Member());
    Group<T>& g = mb->g;
    g = Group<T>();
    g.m = m;
    g.n = n;
    g.d = (int)in_.d;
    g.pairs = count;
    g.across = across;
    g.scale = scale_;
    g.capped = capped_;
    g.cost = kernel_cost();
    g.direction = kernel_direction();
    g.c_row = in_.c_stride[1];
    g.c_col = in_.c_stride[2];
    // The costs as a direction are given, if they are.
    const bool same = in_.direction == kAlongCost && !in_.fused();
    const char* z = same ? in_.c : in_.z;
    const ptrdiff_t* z_stride = same ? in_.c_stride : in_.z_stride;
    g.z_row = z_stride[1];
    g.z_col = z_stride[2];
    const double most = scale_.forbidden;
    g.cut = g.cost == Cost::kSqEuclidean
                ? std::min(std::sqrt(most), kTooFar<T>)
            : g.cost == Cost::kEuclidean ? std::min(most, kMostRoot<T>)
                                         : most;
    g.limit = (g.cost == Cost::kEuclidean ? g.cut : most) / 2;
    for (int l = 0; l < count; ++l) {
      mb->index[l] = pairs[l].index;
      g.row0[l] = m - pairs[l].m;
      g.col0[l] = n - pairs[l].n;
      g.capped |= g.row0[l] || g.col0[l];
      if (!in_.fused()) g.c[l] = in_.c + pairs[l].index * in_.c_stride[0];
      if (z) g.z[l] = z + pairs[l].index * z_stride[0];
    }
    const Geometry& geo = geometry(g);
    mb->planes = scale_.minimum == Minimum::kHard ? 1 : 2;
    mb->strips = (m + geo.rows - 1) / geo.rows;
    set_steps(*mb);
    g.steps = mb->steps.data();
    const int total = in_.band ? longest(*mb) : n + geo.lag;
    if (across) {
      g.width = total;
      const size_t strip = (size_t)total * geo.rows * geo.lanes * sizeof(T) *
                           (tangent() ? 6 : 3);
      g.block =
          (int)std::max<size_t>(1, std::min<size_t>(8, kBlockBytes / strip));
    } else {
      const int segments = std::max(1, (total + kSegment / 2) / kSegment);
      g.width = (total + segments - 1) / segments;
      g.block = 1;
    }
    double all = 0;
    for (const Span& s : mb->steps) all += s.end - s.begin;
    mb->work = all * geo.rows * geo.entry / geo.lanes;
    set_slots(*mb);
    return mb;
  }

  Cost kernel_cost() const {
    switch (in_.cost) {
      case kSqEuclideanCost:
        return Cost::kSqEuclidean;
      case kEuclideanCost:  // of single numbers they are the same
        return in_.d == 1 ? Cost::kManhattan : Cost::kEuclidean;
      case kManhattanCost:
        return Cost::kManhattan;
    }
    return in_.is_double ? Cost::kExplicitF64 : Cost::kExplicitF32;
  }

  Direction kernel_direction() const {
    if (in_.direction == kNoDirection) return Direction::kNone;
    if (in_.direction == kAlongSeries) return Direction::kSeries;
    if (in_.direction == kAlongCost && in_.fused()) return Direction::kCost;
    return in_.is_double ? Direction::kExplicitF64 : Direction::kExplicitF32;
  }

  std::unique_ptr<Member> along(const Pair& p) const {
    return make(&p, 1, p.m, p.n, false);
  }

  // Null if these pairs cannot be swept together.
  std::unique_ptr<Member> across(const Pair* pairs, int count) const {
    if (scale_.minimum == Minimum::kLogSpace) return nullptr;
    int m = 0, n = 0;
    double most = 0, reach = 0;
    for (int l = 0; l < count; ++l) {
      m = std::max(m, pairs[l].m);
      most = std::max(most, pairs[l].most);
      reach = std::max(reach, pairs[l].reach);
    }
    for (int l = 0; l < count; ++l)
      n = std::max(n, pairs[l].n + m - pairs[l].m);
    if (!in_.band && n > kAcrossColumns) return nullptr;
    auto mb = make(pairs, count, m, n, true);
    if (mb->g.width > kAcrossColumns + geometry(mb->g).lag) return nullptr;
    if (mb->g.capped && in_.fused()) {
      const bool hard = scale_.minimum == Minimum::kHard;
      // Padding must cost more than any path of the pairs' own cells.
      const double cost = hard ? 4 * most * (m + n) + 1 : 4 * scale_.forbidden;
      if (!(cost < Range<double>::kHuge)) return nullptr;
      const bool square = in_.cost == kSqEuclideanCost;
      mb->pad = std::ldexp(
          1.0,
          std::ilogb(std::max(4 * reach, square ? std::sqrt(cost) : cost)) +
              1);
      if (hard) mb->g.limit = std::min(mb->g.limit, cost / 2);
      if (!(mb->pad * (m + n) < Range<T>::kHuge)) return nullptr;
    }
    return mb;
  }

  // --- the tape ---

  size_t plane(const Member& mb) const {
    return mb.entries * geometry(mb.g).entry;
  }

  size_t state_size(const Member& mb) const {
    const Geometry& geo = geometry(mb.g);
    return (size_t)2 * planes(mb) * geo.rows * geo.entry;
  }

  size_t states_size(const Member& mb) const {
    return mb.state_at[mb.strips] * state_size(mb);
  }

  Edge<T> slot(Member& mb, int b) const {
    T* p = mb.edges.data() + mb.slot_at[b] * geometry(mb.g).entry;
    return {p, mb.planes == 2 ? p + plane(mb) : nullptr,
            tangent() ? p + mb.planes * plane(mb) : nullptr};
  }

  T* state(Member& mb, int strip, int q) const {
    return mb.states.data() + (mb.state_at[strip] + q - 1) * state_size(mb);
  }

  Edge<T> edge(Buffer<T>& buffer, const Member& mb) const {
    const Geometry& geo = geometry(mb.g);
    const size_t size = ((size_t)mb.g.n + 2 * geo.rows) * geo.entry;
    T* p = buffer.get(3 * size) + geo.rows * geo.entry;
    return {p, p + size, p + 2 * size};
  }

  // The edge that strip s reads, s > 0. Without a tape one edge serves all
  // strips, each overwriting what it has read.
  Edge<T> below(Member& mb, Bench& bench, Edge<T> top, int s) const {
    if (!keep_) return top;
    return s % mb.g.block == 0 ? slot(mb, s / mb.g.block - 1)
                               : bench.scratch.edge;
  }

  // The edge that strip s writes.
  Edge<T> above(Member& mb, Bench& bench, Edge<T> top, int s) const {
    if (!keep_) return top;
    const int b = (s + 1) / mb.g.block - 1;
    return (s + 1) % mb.g.block == 0 && b < mb.slots ? slot(mb, b)
                                                     : bench.scratch.edge;
  }

  int segments(const Member& mb, int s) const {
    return (mb.steps[s].end - mb.steps[s].begin - 1) / mb.g.width + 1;
  }

  // Segments of the strip above without which segment q cannot be swept: its
  // last row has the columns of the segment `lag` steps later.
  int needed(const Member& mb, int s, int q) const {
    const Span at = mb.steps[s], above = mb.steps[s - 1];
    const int end =
        std::min(at.begin + (q + 1) * mb.g.width, at.end) + geometry(mb.g).lag;
    return end < above.end ? (end - above.begin - 1) / mb.g.width + 1
                           : segments(mb, s - 1);
  }

  // The same of the strip below and the way back.
  int needed_back(const Member& mb, int s, int q) const {
    const int begin = mb.steps[s].begin + q * mb.g.width - geometry(mb.g).lag;
    const int rest = std::max(begin - mb.steps[s + 1].begin, 0);
    return segments(mb, s + 1) - rest / mb.g.width;
  }

  static void wait(Watch& watch, const std::atomic<int>& done, int count) {
    watch.wait([&] { return done.load(std::memory_order_acquire) >= count; });
  }

  // --- packing ---

  void prepare(Bench& bench, Member& mb, bool back) const {
    const Geometry& geo = geometry(mb.g);
    const size_t tile = (size_t)geo.rows * geo.entry;
    const size_t steps = mb.g.width;
    Scratch<T>& s = bench.scratch;
    s.fraction = bench.fraction.get(steps * tile);
    s.exponent = bench.exponent.get(steps * tile);
    s.state = bench.state.get(6 * tile);
    s.edge = edge(bench.edge, mb);
    if (tangent()) s.direction = bench.direction.get(steps * tile);
    if (mb.g.cost == Cost::kEuclidean)
      s.distance = bench.distance.get(steps * tile);
    const size_t choices = mb.g.block * steps * 3 * tile;
    if (back || tangent()) s.choice = bench.choice.get(choices);
    if (!back) return;
    if (tangent()) s.change = bench.change.get(choices);
    s.mass = bench.mass.get(6 * tile);
    s.grad = bench.grad.get(tile * mb.g.d);
  }

  void pack(Member& mb, Desk& desk, bool want_gx, bool want_gy) const {
    Group<T>& g = mb.g;
    g.x = g.y = g.dx = g.dy = nullptr;
    g.gx = g.gy = nullptr;
    g.open = g.close = nullptr;
    if (in_.band) pack_band(mb, desk);
    if (!in_.fused()) return;
    const Geometry& geo = geometry(g);
    const size_t xs = (size_t)mb.strips * geo.rows * geo.entry * g.d;
    const size_t ys = ((size_t)g.n + 2 * geo.rows) * geo.entry * g.d;
    T* x = desk.x.get(xs);
    T* y = desk.y.get(ys);
    g.x = x;
    g.y = y;
    pack_x(mb, in_.x, in_.x_stride, mb.pad, x);
    pack_y(mb, in_.y, in_.y_stride, mb.pad, y);
    if (scale_.minimum == Minimum::kLogSpace) {
      limit_differences(x, xs);
      limit_differences(y, ys);
    }
    if (in_.direction == kAlongSeries) {
      T* dx = in_.dx ? desk.dx.get(xs) : desk.dx.zeros(xs);
      T* dy = in_.dy ? desk.dy.get(ys) : desk.dy.zeros(ys);
      g.dx = dx;
      g.dy = dy;
      if (in_.dx) pack_x(mb, in_.dx, in_.dx_stride, 0, dx);
      if (in_.dy) pack_y(mb, in_.dy, in_.dy_stride, 0, dy);
    }
    if (want_gx) g.gx = desk.gx.zeros(xs);
    if (want_gy) g.gy = desk.gy.zeros(ys);
  }

  // A cell without mass has a gradient of 0, even if its series are so far
  // apart that their difference is infinite.
  static void limit_differences(T* v, size_t count) {
    const T most = std::numeric_limits<T>::max() / 2;
    for (size_t i = 0; i < count; ++i)
      v[i] = std::max(std::min(v[i], most), -most);
  }

  void pack_x(const Member& mb, const char* from, const ptrdiff_t* stride,
              double pad, T* to) const {
    in_.is_double ? pack_x_of<double>(mb, from, stride, pad, to)
                  : pack_x_of<float>(mb, from, stride, pad, to);
  }

  void pack_y(const Member& mb, const char* from, const ptrdiff_t* stride,
              double pad, T* to) const {
    in_.is_double ? pack_y_of<double>(mb, from, stride, pad, to)
                  : pack_y_of<float>(mb, from, stride, pad, to);
  }

  void pack_band(Member& mb, Desk& desk) const {
    Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    const size_t size = (size_t)mb.strips * geo.rows * geo.entry;
    int* open = desk.open.get(size);
    int* close = desk.close.get(size);
    g.open = open;
    g.close = close;
    for (int i = 0; i < mb.strips * geo.rows; ++i) {
      const int lag = i % geo.rows;
      for (int l = 0; l < geo.entry; ++l) {
        const Span at = row(mb, l < g.pairs ? l : 0, std::min(i, g.m - 1));
        *open++ = at.begin + lag;
        *close++ = at.end + lag;
      }
    }
  }

  template <class C>
  void pack_x_of(const Member& mb, const char* x, const ptrdiff_t* stride,
                 double pad, T* out) const {
    const Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    const int rows = mb.strips * geo.rows;
    for (int k = 0; k < g.d; ++k) {
      for (int l = 0; l < geo.entry; ++l) {
        const int p = l < g.pairs ? l : 0;  // unused lanes repeat a pair
        const int row0 = g.row0[p];
        const char* from = x + mb.index[p] * stride[0] + k * stride[2];
        T* to = out + (size_t)k * rows * geo.entry + l;
        for (int i = 0; i < row0; ++i)
          to[(size_t)i * geo.entry] = padding(pad, k, row0 - i);
        T* own = to + (size_t)row0 * geo.entry;
        const T last = copy<C>(from, stride[1], g.m - row0, own, geo.entry);
        for (int i = g.m; i < rows; ++i) to[(size_t)i * geo.entry] = last;
      }
    }
  }

  template <class C>
  void pack_y_of(const Member& mb, const char* y, const ptrdiff_t* stride,
                 double pad, T* out) const {
    const Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    const int margin = geo.rows;
    const int columns = g.n + 2 * margin;
    // Along a pair's anti-diagonals the last column comes first.
    const ptrdiff_t step = g.across ? geo.entry : -geo.entry;
    const int first = g.across ? margin : g.n - 1 + margin;
    for (int k = 0; k < g.d; ++k) {
      for (int l = 0; l < geo.entry; ++l) {
        const int p = l < g.pairs ? l : 0;
        const int col0 = g.col0[p];
        const char* from = y + mb.index[p] * stride[0] + k * stride[2];
        T* to = out + ((size_t)k * columns + first) * geo.entry + l;
        const T before = col0 ? padding(pad, k, col0) : (T) * (const C*)from;
        for (int j = -margin; j < 0; ++j) to[j * step] = before;
        for (int j = 0; j < col0; ++j)
          to[j * step] = padding(pad, k, col0 - j);
        const T last =
            copy<C>(from, stride[1], g.n - col0, to + col0 * step, step);
        for (int j = g.n; j < g.n + margin; ++j) to[j * step] = last;
      }
    }
  }

  // Copy numbers and return the last of them.
  template <class C>
  static T copy(const char* from, ptrdiff_t stride, int count, T* to,
                ptrdiff_t step) {
    T v = 0;
    for (int i = 0; i < count; ++i, from += stride, to += step)
      *to = v = (T) * (const C*)from;
    return v;
  }

  // The value `distance` places before a series starts: equal for x and y at
  // equal distances, far from everything else.
  static T padding(double pad, int k, int distance) {
    return k ? T(0) : (T)(pad * (distance + 1));
  }

  // What the kernels leave out of the derivative of a cost.
  double slope() const { return in_.cost == kSqEuclideanCost ? 2 : 1; }

  template <class C>
  void unpack_x(const Member& mb, void* out) const {
    const Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    const size_t xs = (size_t)mb.strips * geo.rows * geo.entry;
    for (int l = 0; l < g.pairs; ++l) {
      const double factor = slope() * g.seed[l];
      C* to = (C*)out + mb.index[l] * in_.m * in_.d;
      const T* from = g.gx + (size_t)g.row0[l] * geo.entry + l;
      for (int i = g.row0[l]; i < g.m; ++i, from += geo.entry)
        for (int k = 0; k < g.d; ++k) *to++ = (C)(factor * from[k * xs]);
    }
  }

  template <class C>
  void unpack_y(const Member& mb, void* out) const {
    const Group<T>& g = mb.g;
    const Geometry& geo = geometry(g);
    const size_t ys = ((size_t)g.n + 2 * geo.rows) * geo.entry;
    for (int l = 0; l < g.pairs; ++l) {
      const double factor = slope() * g.seed[l];
      C* to = (C*)out + mb.index[l] * in_.n * in_.d;
      const T* from = g.gy + (size_t)(g.col0[l] + geo.rows) * geo.entry + l;
      for (int j = g.col0[l]; j < g.n; ++j, from += geo.entry)
        for (int k = 0; k < g.d; ++k) *to++ = (C)(factor * from[k * ys]);
    }
  }

  const Input& in_;
  const Sweeps<T>& sweeps_;
  Scale scale_;
  bool capped_;
  bool keep_;
};

}  // namespace

struct Batch::Impl {
  Input in;
  std::vector<int64_t> nans, blocked;
  std::vector<Pair> capped, out_of_range;
  std::mutex busy;  // groups hold what a sweep is working on
  const Level& level = active();
  const int nthreads = num_threads();
  const bool keep;
  std::vector<std::unique_ptr<Family<float>>> f32;
  std::vector<std::unique_ptr<Family<double>>> f64;
  // Pairs out of range; comes last, as it replaces results of the others.
  std::unique_ptr<Family<double>> log_space;

  Impl(const Input& input, bool keep_tape) : in(input), keep(keep_tape) {
    std::vector<Pair> pairs(in.batch);
    const double cells =
        (double)in.batch * (in.fused() ? (in.m + in.n) * in.d : in.m * in.n);
    parallel(in.batch, cells, [&](Watch& watch, int64_t b) {
      Pair& p = pairs[b];
      p.index = b;
      p.m = (int)(in.x_length ? in.x_length[b] : in.m);
      p.n = (int)(in.y_length ? in.y_length[b] : in.n);
      inspect(in, p, watch);
    });
    // Float32 pairs whose exponents might overflow run in double. Costs that
    // even that cannot hold forbid their cells, as long as the value that
    // results is in range.
    std::vector<Pair> narrow, wide;
    for (const Pair& p : pairs) {
      if (p.nan)
        nans.push_back(p.index);
      else if (p.blocked)
        blocked.push_back(p.index);
      else if (!in.is_double && fits<float>(p, in.gamma) &&
               !vanishes<float>(in, p))
        narrow.push_back(p);
      else if (in.gamma == 0 || fits<double>(p, in.gamma))
        wide.push_back(p);
      else if (may_cap(p, in.gamma))
        capped.push_back(p);
      else
        out_of_range.push_back(p);
    }
    const Minimum minimum = in.gamma == 0 ? Minimum::kHard : Minimum::kSoft;
    add(f32, narrow, level.f32, minimum, false);
    add(f64, wide, level.f64, minimum, false);
    add(f64, capped, level.f64, minimum, true);
  }

  template <class T>
  void add(std::vector<std::unique_ptr<Family<T>>>& to,
           const std::vector<Pair>& pairs, const Sweeps<T>& sweeps,
           Minimum minimum, bool cap) {
    if (!pairs.empty()) to.push_back(make(pairs, sweeps, minimum, cap));
  }

  template <class T>
  std::unique_ptr<Family<T>> make(const std::vector<Pair>& pairs,
                                  const Sweeps<T>& sweeps, Minimum minimum,
                                  bool cap) const {
    std::unique_ptr<Family<T>> f(
        new Family<T>(in, sweeps, minimum, cap, keep));
    f->plan(pairs, nthreads);
    return f;
  }

  // Sweep again what is out of range, by its values, and replace its results.
  void sweep_in_log_space(double* out, double* tangent) {
    std::vector<Pair> pairs = out_of_range;
    for (const Pair& p : capped)
      if (!in_range(out[p.index], in.gamma)) pairs.push_back(p);
    log_space.reset();
    if (pairs.empty()) return;
    log_space = make(pairs, baseline().f64, Minimum::kLogSpace, true);
    value(*log_space, out, tangent);
  }

  // As many threads as there is work for: starting one costs as much as
  // sweeping some ten thousand cells.
  static int useful(double cells) {
    return (int)std::max(1.0, std::min<double>(num_threads(), cells / 30000));
  }

  template <class Fn>
  static void parallel(int64_t count, double cells, Fn fn) {
    const int n = (int)std::min<int64_t>(useful(cells), count);
    Watch watch;
    std::atomic<int64_t> next{0};
    run_threads(watch, n, [&](int) {
      for (int64_t i; (i = next++) < count;) {
        watch.check();
        fn(watch, i);
      }
    });
  }

  // fn(watch, member, desk, benches, threads) for every group: groups side by
  // side, or all threads on one group after the other.
  template <class T, class Fn>
  static void each(Family<T>& f, Fn fn) {
    Watch watch;
    const int n = useful(f.work());
    const int count = (int)f.members.size();
    using F = Family<T>;
    const bool split = count < n && f.can_split(*f.members[0]);
    if (split) {
      typename F::Desk desk;
      std::vector<typename F::Bench> benches(n);
      for (auto& m : f.members)
        fn(watch, *m, desk, benches,
           f.can_split(*m) ? std::min(n, m->strips) : 1);
      return;
    }
    std::atomic<int> next{0};
    run_threads(watch, std::min(n, count), [&](int) {
      typename F::Desk desk;
      std::vector<typename F::Bench> benches(1);
      for (int i; (i = next++) < count;)
        fn(watch, *f.members[i], desk, benches, 1);
    });
  }

  template <class T>
  static void value(Family<T>& f, double* out, double* tangent) {
    using F = Family<T>;
    each(f, [&](Watch& watch, typename F::Member& m, typename F::Desk& desk,
                std::vector<typename F::Bench>& benches, int n) {
      f.value(watch, m, desk, benches, n);
      for (int l = 0; l < m.g.pairs; ++l) {
        const double v = out[m.index[l]] = m.g.value[l];
        if (tangent) tangent[m.index[l]] = std::isinf(v) ? 0 : m.g.tangent[l];
      }
    });
  }

  template <class T>
  static void adjoint(Family<T>& f, const double* seed,
                      const double* seed_tangent, void* gx, void* gy,
                      void* e) {
    using F = Family<T>;
    each(f, [&](Watch& watch, typename F::Member& m, typename F::Desk& desk,
                std::vector<typename F::Bench>& benches, int n) {
      f.adjoint(watch, m, desk, benches, n, seed, seed_tangent, gx, gy, e);
    });
  }

  template <class C>
  void fill_nan(void* out, int64_t rows, int64_t columns,
                const int64_t* row_count, const int64_t* column_count) {
    if (!out) return;
    for (int64_t b : nans) {
      const int64_t r = row_count ? row_count[b] : rows;
      const int64_t c = column_count ? column_count[b] : columns;
      for (int64_t i = 0; i < r; ++i)
        std::fill_n((C*)out + (b * rows + i) * columns, c,
                    std::numeric_limits<C>::quiet_NaN());
    }
  }

  template <class C>
  void nan_gradients(void* gx, void* gy, void* e) {
    fill_nan<C>(gx, in.m, in.d, in.x_length, nullptr);
    fill_nan<C>(gy, in.n, in.d, in.y_length, nullptr);
    fill_nan<C>(e, in.m, in.n, in.x_length, in.y_length);
  }
};

Batch::Batch(const Input& input, bool keep_tape)
    : impl_(new Impl(input, keep_tape)) {}
Batch::~Batch() {}

void Batch::value(double* out, double* tangent) {
  std::lock_guard<std::mutex> hold(impl_->busy);
  for (int64_t b : impl_->nans) {
    out[b] = std::numeric_limits<double>::quiet_NaN();
    if (tangent) tangent[b] = out[b];
  }
  for (int64_t b : impl_->blocked) {
    out[b] = std::numeric_limits<double>::infinity();
    if (tangent) tangent[b] = 0;
  }
  for (auto& f : impl_->f32) Impl::value(*f, out, tangent);
  for (auto& f : impl_->f64) Impl::value(*f, out, tangent);
  impl_->sweep_in_log_space(out, tangent);
}

void Batch::adjoint(const double* seed, const double* seed_tangent, void* gx,
                    void* gy, void* e) {
  std::lock_guard<std::mutex> hold(impl_->busy);
  impl_->in.is_double ? impl_->nan_gradients<double>(gx, gy, e)
                      : impl_->nan_gradients<float>(gx, gy, e);
  for (auto& f : impl_->f32) Impl::adjoint(*f, seed, seed_tangent, gx, gy, e);
  for (auto& f : impl_->f64) Impl::adjoint(*f, seed, seed_tangent, gx, gy, e);
  if (impl_->log_space)
    Impl::adjoint(*impl_->log_space, seed, seed_tangent, gx, gy, e);
}

size_t Batch::tape_bytes() const {
  size_t n = 0;
  for (auto& f : impl_->f32) n += f->tape_bytes();
  for (auto& f : impl_->f64) n += f->tape_bytes();
  if (impl_->log_space) n += impl_->log_space->tape_bytes();
  return n;
}

}  // namespace sdtw
