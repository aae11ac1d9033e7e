#include "driver.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels.hpp"

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#endif

namespace sdtw {
namespace {

// --- Instruction sets ------------------------------------------------------

#if defined(SDTW_HAVE_AVX2) || defined(SDTW_HAVE_AVX512)
#if defined(_MSC_VER)
bool bit(int leaf, int reg, int position) {
  int r[4];
  __cpuidex(r, leaf, 0);
  return (r[reg] >> position) & 1;
}
bool has_avx2() {
  return bit(1, 2, 27) && (_xgetbv(0) & 6) == 6 && bit(1, 2, 12) &&
         bit(7, 1, 5);
}
bool has_avx512() {
  return has_avx2() && (_xgetbv(0) & 0xe6) == 0xe6 && bit(7, 1, 16) &&
         bit(7, 1, 17) && bit(7, 1, 30) && bit(7, 1, 31);
}
#else
bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
}
#endif
#endif

std::vector<const Level*> usable() {
  std::vector<const Level*> r = {&generic::kLevel};
#ifdef SDTW_HAVE_AVX2
  if (has_avx2()) r.push_back(&avx2::kLevel);
#endif
#ifdef SDTW_HAVE_AVX512
  if (has_avx512()) r.push_back(&avx512::kLevel);
#endif
  return r;
}

std::atomic<const Level*> current{nullptr};
std::atomic<int> threads{1};
std::atomic<bool (*)()> interrupted{nullptr};

const Level& active() {
  if (!current) current = usable().back();
  return *current;
}

// --- Interruption ----------------------------------------------------------

// Ends a sweep early, in all its threads: when one of them failed, or when a
// signal came, which the thread that called looks for now and then.
class Watch {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kPatience{100};
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> stopped_{false};
  Clock::time_point next_ = Clock::now() + kPatience;
  int calls_ = 0;

 public:
  struct Stopped : std::exception {};

  void stop() { stopped_ = true; }

  // Called by all threads, far more often than once in kPatience.
  void check() {
    if (std::this_thread::get_id() == caller_ && ++calls_ % 16 == 0) look();
    if (stopped_) throw Stopped();
  }

  // Look for a signal if it is time.
  void look() {
    const Clock::time_point now = Clock::now();
    if (now < next_) return;
    next_ = now + kPatience;
    const auto fn = interrupted.load();
    if (fn && fn()) stop();
  }

  // Wait for something that other threads do, asked for again and again.
  template <class Fn>
  void wait(Fn done) {
    for (int spin = 0; !done(); ++spin) {
      check();
      if (spin > 200) std::this_thread::yield();
    }
  }

  // The same for what takes longer; for the thread that called.
  template <class Fn>
  void sleep(std::unique_lock<std::mutex>& lock,
             std::condition_variable& changed, Fn done) {
    while (!changed.wait_for(lock, kPatience, done)) {
      lock.unlock();
      look();
      lock.lock();
    }
  }
};

// --- What a pair needs -----------------------------------------------------

// Bits of exponent that the sums of a pair's costs may take in each format,
// and that a forbidden cell takes, up to four times as many. With int32
// exponents and a floor of -2**29 at every step none of them overflows;
// integral doubles hold more, but cells must stay under 2**51 (see weight()
// in simd/weight.hpp). kCost bounds a single cost: what rounding x - y takes
// from it is magnified by 1 / gamma, and above 2**13 would show in the
// gradient. kFlattest is the largest gamma for which forbidden cells have a
// cost. For a larger one the pair fits only if its costs are negligible beside
// gamma.
template <class T>
struct Range;
template <>
struct Range<float> {
  static constexpr double kCost = 0x1p13, kSum = 0x1p26, kCell = 0x1p28,
                          kFloor = -0x1p29;
  static constexpr double kHuge = 1e37, kFlattest = 1e25;
};
template <>
struct Range<double> {
  static constexpr double kCost = 0x1p47, kSum = 0x1p47, kCell = 0x1p49,
                          kFloor = -0x1p52;
  static constexpr double kHuge = 1e307, kFlattest = 1e290;
};

// A difference whose square is infinite.
template <class T>
const double kTooFar =
    std::ldexp(1.0, std::numeric_limits<T>::max_exponent / 2);

// What distances are cut at where they are roots of sums of squares.
template <class T>
const double kMostRoot = 0.1 * std::sqrt(Range<T>::kHuge);

struct Pair {
  int64_t index;
  int m, n;
  bool nan = false;      // NaN somewhere, or an infinity that is not a cost
  bool blocked = false;  // the band leaves no path
  double most = 0;       // bound on the finite costs' absolute values
  double negative = 0;   // the same of those below 0, if that matters
  double squares = 0;    // bound on what a cost is the root of
  double reach = 0;      // largest absolute value in x and y
};

const double kLn2 = 0.693147180559945309417232121458;

double rate_of(double gamma) { return 1 / (gamma * kLn2); }

// The rate that costs weigh at.
template <class T>
double weight_rate(double gamma) {
  return rate_of(std::min(gamma, Range<T>::kFlattest));
}

// Whether a format has the weights of forbidden cells for a gamma.
template <class T>
bool has_rate(double gamma) {
  const double rate = weight_rate<T>(gamma);
  return rate > 1 / Range<T>::kHuge && rate < Range<T>::kHuge &&
         Range<T>::kCell * 4 / rate < Range<T>::kHuge;
}

template <class T>
bool fits(const Pair& p, double gamma) {
  const double sum = p.most * ((double)p.m + p.n);
  if (!(sum < Range<T>::kHuge) || !(p.reach < Range<T>::kHuge) ||
      !(std::sqrt(p.squares) < kMostRoot<T> / 10))
    return false;
  if (gamma == 0) return true;
  const double rate = weight_rate<T>(gamma);
  if (gamma > Range<T>::kFlattest && !(sum * rate < 0x1p-30)) return false;
  return has_rate<T>(gamma) && p.most * rate < Range<T>::kCost &&
         sum * rate < Range<T>::kSum;
}

bool in_range(double value, double gamma) {
  return value * rate_of(gamma) < Range<double>::kSum;
}

// Whether squares of all differences that make up distances would underflow.
template <class T>
bool vanishes(const Input& in, const Pair& p) {
  return in.cost == kEuclideanCost && p.most > 0 &&
         p.most < 1e7 * std::sqrt(std::numeric_limits<T>::min());
}

template <class T>
Scale make_scale(Minimum minimum, double gamma) {
  Scale s;
  s.minimum = minimum;
  s.forbidden = std::numeric_limits<double>::infinity();
  if (minimum == Minimum::kHard) return s;
  s.rate = rate_of(gamma);
  s.curvature = -1 / gamma;
  if (minimum == Minimum::kLogSpace) return s;
  s.weight_rate = weight_rate<T>(gamma);
  // The power of four whose weight is 2**-kCell or up to four times that.
  s.forbidden = std::ldexp(
      1.0, 2 * (int)std::ceil(std::log2(Range<T>::kCell / s.weight_rate) / 2));
  s.floor = Range<T>::kFloor;
  s.infeasible = -2 * Range<T>::kSum;
  return s;
}

// Extend the least and the largest value of each feature to one element's;
// rest turns NaN where that is not finite.
template <class C>
void extend(const C* __restrict v, int64_t d, C* __restrict low,
            C* __restrict high, C* __restrict rest) {
  for (int64_t k = 0; k < d; ++k) {
    low[k] = v[k] < low[k] ? v[k] : low[k];
    high[k] = v[k] > high[k] ? v[k] : high[k];
    rest[k] += v[k] - v[k];
  }
}

// Least and largest value of each feature; true if one is not finite.
template <class C>
bool extent(const char* p, const ptrdiff_t* stride, int length, int64_t d,
            C* low, C* high, C* scratch, Watch& watch) {
  C *rest = scratch, *element = scratch + d;
  std::fill_n(low, d, std::numeric_limits<C>::infinity());
  std::fill_n(high, d, -std::numeric_limits<C>::infinity());
  std::fill_n(rest, d, C(0));
  for (int i = 0; i < length; ++i, p += stride[1]) {
    if (i % 4096 == 0) watch.check();
    const C* v = (const C*)p;
    if (stride[2] != sizeof(C)) {
      for (int64_t k = 0; k < d; ++k)
        element[k] = *(const C*)(p + k * stride[2]);
      v = element;
    }
    extend(v, d, low, high, rest);
  }
  return std::any_of(rest, rest + d, [](C r) { return r != 0; });
}

// Columns of row i of a table of n columns, in whose last cell a pair ends
// that begins in row row0 and column col0. Only the diagonal leads to it.
Span columns(const Input& in, int64_t index, int row0, int col0, int n,
             int i) {
  if (i < row0) return {i - row0 + col0, i - row0 + col0 + 1};
  if (!in.band) return {col0, n};
  const int32_t* p = in.band + index * in.band_stride + 2 * (i - row0);
  return {p[0] + col0, std::min(p[1] + col0, n)};
}

// Whether a band has a path.
bool connected(const Input& in, const Pair& p) {
  int stop = 0;  // of the row above
  for (int i = 0; i < p.m; ++i) {
    const Span row = columns(in, p.index, 0, 0, p.n, i);
    if (row.begin > stop || row.begin >= row.end) return false;
    stop = row.end;
  }
  return stop == p.n;
}

template <class C>
void scan(const Input& in, Pair& p, Watch& watch) {
  p.blocked = in.band && !connected(in, p);
  if (in.fused()) {
    const char* x = in.x + p.index * in.x_stride[0];
    const char* y = in.y + p.index * in.y_stride[0];
    std::vector<C> bounds(6 * in.d);
    C *xl = bounds.data(), *xh = xl + in.d, *yl = xh + in.d, *yh = yl + in.d;
    C* scratch = yh + in.d;
    p.nan = extent(x, in.x_stride, p.m, in.d, xl, xh, scratch, watch);
    p.nan |= extent(y, in.y_stride, p.n, in.d, yl, yh, scratch, watch);
    for (int64_t k = 0; k < in.d; ++k) {
      const double a = std::max((double)xh[k] - yl[k], (double)yh[k] - xl[k]);
      p.most += in.cost == kManhattanCost ? std::abs(a) : a * a;
      for (const C v : {xl[k], xh[k], yl[k], yh[k]})
        p.reach = std::max(p.reach, std::abs((double)v));
    }
    if (in.cost == kEuclideanCost) {
      p.squares = p.most;
      p.most = std::sqrt(p.most);
    }
    return;
  }
  const char* row = in.c + p.index * in.c_stride[0];
  const C inf = std::numeric_limits<C>::infinity();
  C most = 0;
  bool bad = false;
  for (int i = 0; i < p.m; ++i, row += in.c_stride[1]) {
    watch.check();
    const Span at = columns(in, p.index, 0, 0, p.n, i);
    const char* c = row + at.begin * in.c_stride[2];
    for (int j = at.begin; j < at.end; ++j, c += in.c_stride[2]) {
      const C v = *(const C*)c;
      const C a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      most = a > most && a < inf ? a : most;
    }
  }
  p.nan = bad;
  p.most = (double)most;
}

// Bound on the absolute values of a pair's costs below 0, none of them -inf.
template <class C>
double most_negative(const Input& in, const Pair& p, Watch& watch) {
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

// Whether a pair that does not fit can be swept with the costs that are too
// large in the place of forbidden ones. The result is right if it is in range:
// paths through such a cell then weigh at least 2**48 bits less. Where series
// differ by more than kFarthest, even the least mass might show in gradients.
bool may_cap(const Pair& p, double gamma) {
  constexpr double kFarthest = 1e150;
  return has_rate<double>(gamma) && p.reach < kFarthest &&
         p.negative * ((double)p.m + p.n) * rate_of(gamma) <
             Range<double>::kSum;
}

// Find out about a pair.
template <class C>
void inspect(const Input& in, Pair& p, Watch& watch) {
  scan<C>(in, p, watch);
  if (!in.fused() && in.gamma > 0 && !fits<double>(p, in.gamma))
    p.negative = most_negative<C>(in, p, watch);
}

// --- Threads ---------------------------------------------------------------

// Run fn(0) ... fn(count - 1) in a thread each, fewer if the system has no
// more, and rethrow what the first of them threw: fn takes its work from a
// counter. Threads live for this call only, so that a fork is always safe.
template <class Fn>
void run_threads(Watch& watch, int count, Fn fn) {
  if (count <= 1) {
    fn(0);
    return;
  }
  std::exception_ptr error;
  std::mutex lock;
  std::condition_variable ended;
  int running = 0;  // besides this one
  auto guarded = [&](int i) {
    try {
      fn(i);
    } catch (...) {
      std::lock_guard<std::mutex> hold(lock);
      if (!error) error = std::current_exception();
      watch.stop();
    }
    if (i == 0) return;
    std::lock_guard<std::mutex> hold(lock);
    --running;
    ended.notify_one();
  };
  std::vector<std::thread> pool;
  pool.reserve(count - 1);
  try {
    for (int i = 1; i < count; ++i) {
      std::lock_guard<std::mutex> hold(lock);
      pool.emplace_back(guarded, i);
      ++running;
    }
  } catch (const std::system_error&) {
    // No more threads to be had: those that started do all the work.
  }
  guarded(0);
  {
    std::unique_lock<std::mutex> hold(lock);
    watch.sleep(hold, ended, [&] { return running == 0; });
  }
  for (auto& t : pool) t.join();
  if (error) std::rethrow_exception(error);
  watch.check();  // a signal may have come after the others' last
}

// Memory from earlier calls: taking it fresh from the system costs a page
// fault for every 4 KiB, a tenth of the time of a batch of short series. The
// lock is only ever tried, so that a child forked while it was held goes on
// without the store.
class Store {
  static constexpr size_t kBlock = 8 << 20, kTotal = 32 << 20;
  struct Block {
    void* memory;
    size_t bytes;
  };
  std::mutex lock_;
  std::vector<Block> blocks_;
  size_t total_ = 0;

 public:
  static constexpr std::align_val_t kLine{64};

  static Store& get() {
    static Store* store = new Store();  // outlives every thread
    return *store;
  }

  // Memory of at least `bytes`, which becomes the size that it has.
  void* take(size_t& bytes) {
    std::unique_lock<std::mutex> hold(lock_, std::try_to_lock);
    if (hold) {
      auto best = blocks_.end();
      for (auto i = blocks_.begin(); i != blocks_.end(); ++i)
        if (i->bytes >= bytes && i->bytes / 2 <= bytes &&
            (best == blocks_.end() || i->bytes < best->bytes))
          best = i;
      if (best != blocks_.end()) {
        const Block found = *best;
        *best = blocks_.back();
        blocks_.pop_back();
        total_ -= found.bytes;
        bytes = found.bytes;
        return found.memory;
      }
      hold.unlock();
    }
    return ::operator new(bytes, kLine);
  }

  void give(void* memory, size_t bytes) {
    std::unique_lock<std::mutex> hold(lock_, std::try_to_lock);
    if (hold && bytes <= kBlock && total_ + bytes <= kTotal) {
      blocks_.push_back({memory, bytes});
      total_ += bytes;
    } else {
      ::operator delete(memory, kLine);
    }
  }
};

// A buffer that only grows, aligned to cache lines; its memory is not touched.
template <class T>
class Buffer {
  T* data_ = nullptr;
  size_t bytes_ = 0;

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { clear(); }

  T* get(size_t n) {
    size_t bytes = n * sizeof(T);
    if (bytes > bytes_) {
      clear();
      data_ = static_cast<T*>(Store::get().take(bytes));
      bytes_ = bytes;
    }
    return data_;
  }
  T* zeros(size_t n) {
    T* p = get(n);
    std::fill_n(p, n, T(0));
    return p;
  }
  T* data() const { return data_; }

 private:
  void clear() {
    if (data_) Store::get().give(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }
};

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

// --- The batch -------------------------------------------------------------

std::vector<const char*> levels() {
  std::vector<const char*> r;
  for (const Level* l : usable()) r.push_back(l->name);
  return r;
}

const char* level() { return active().name; }

bool set_level(const char* name) {
  for (const Level* l : usable()) {
    if (std::strcmp(l->name, name) == 0) {
      current = l;
      return true;
    }
  }
  return false;
}

int num_threads() { return threads; }
void set_num_threads(int n) { threads = n; }
void set_interrupted(bool (*fn)()) { interrupted = fn; }

struct Batch::Impl {
  Input in;
  std::vector<int64_t> nans, blocked;
  std::vector<Pair> capped, out_of_range;
  std::mutex busy;  // groups hold what a sweep is working on
  const Level& level = active();
  const int nthreads = threads;
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
      in.is_double ? inspect<double>(in, p, watch)
                   : inspect<float>(in, p, watch);
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
    log_space = make(pairs, generic::kLevel.f64, Minimum::kLogSpace, true);
    value(*log_space, out, tangent);
  }

  // As many threads as there is work for: starting one costs as much as
  // sweeping some ten thousand cells.
  static int useful(double cells) {
    return (int)std::max(1.0, std::min<double>(threads, cells / 30000));
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
