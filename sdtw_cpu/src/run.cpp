// The order of blocks and segments, and what each reads and writes.
#include "run.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace sdtw {

namespace {

// An edge in a buffer, with margins of a strip's rows on both sides.
template <class T>
Edge<T> edge_in(Buffer<T>& buffer, const PlannedGroup<T>& group) {
  const Geometry& geo = group.strips.geometry;
  const size_t size = ((size_t)group.g.n + 2 * geo.rows) * geo.entry;
  T* p = buffer.get(3 * size) + geo.rows * geo.entry;
  return {p, p + size, p + 2 * size};
}

// How many segments of each block are done.
class Progress {
  std::vector<std::atomic<int>> done_;

 public:
  explicit Progress(int count) : done_(count) {
    for (auto& d : done_) d = 0;
  }
  void set(int i, int segments) {
    done_[i].store(segments, std::memory_order_release);
  }
  void wait(Watch& watch, int i, int segments) const {
    watch.wait(
        [&] { return done_[i].load(std::memory_order_acquire) >= segments; });
  }
};

// The two grads as masses that are at most 1 and the factor on what comes of
// them, so that neither small nor large ones leave the range of T.
template <class T>
void set_masses(Group<T>& g, int l, double grad_value, double grad_tangent) {
  const double sum = std::abs(grad_value) + std::abs(grad_tangent);
  const bool zero = sum == 0 || std::isinf(g.value[l]);
  // A direction with NaN: NaN for all of the pair.
  g.grad[l] = zero ? 0 : std::isnan(g.tangent[l]) ? g.tangent[l] : sum;
  g.mass[l] = (T)(zero ? 0 : grad_value / sum);
  g.mass_tangent[l] = (T)(zero ? 0 : grad_tangent / sum);
}

}  // namespace

template <class T>
void Sweeper<T>::value(PlannedGroup<T>& group, int nthreads) {
  Group<T>& g = group.g;
  const StripPlan& strips = group.strips;
  begin(group, false, false);
  if (plan_.keep_tape) group.tape.allocate();
  Progress done(strips.count());
  const auto sweep = [&](ThreadScratch<T>& scratch, int b) {
    const Edge<T> above = edge_above(group, b);
    const Edge<T> below = edge_below(group, scratch.pointers.edge, b);
    const int count = strips.segments(b);
    for (int q = 0; q < count; ++q) {
      watch_.check();
      if (b > 0 && nthreads > 1)
        done.wait(watch_, b - 1, strips.segments_above(b, q));
      const bool stored = plan_.keep_tape && q + 1 < count;
      T* state = scratch.state.data();
      plan_.sweeps.value(g, scratch.pointers, b, q, above, below,
                         plan_.keep_tape && q ? group.tape.state(b, q) : state,
                         stored ? group.tape.state(b, q + 1) : state);
      done.set(b, q + 1);
    }
  };
  in_order(group, nthreads, strips.count(), false, sweep);
}

template <class T>
void Sweeper<T>::adjoint(PlannedGroup<T>& group, int nthreads,
                         const double* grad_value, const double* grad_tangent,
                         void* gx, void* gy, void* e) {
  Group<T>& g = group.g;
  const StripPlan& strips = group.strips;
  begin(group, gx != nullptr, gy != nullptr);
  const Geometry& geo = strips.geometry;
  const size_t margin = (size_t)geo.rows * geo.entry;
  const size_t edge_size = (size_t)g.n * geo.entry + 2 * margin;
  g.mass_edge =
      buffers_.mass.zeros((in_.tangent() ? 2 : 1) * edge_size) + margin;
  g.mass_edge_tangent = g.mass_edge + edge_size;
  for (T& mass : g.mass) mass = 1;
  const ptrdiff_t size = in_.is_double ? 8 : 4;
  for (int l = 0; l < g.pairs; ++l) {
    const int64_t b = group.index[l];
    g.grad[l] = std::isinf(g.value[l]) ? 0 : grad_value[b];
    if (in_.tangent()) set_masses(g, l, grad_value[b], grad_tangent[b]);
    g.e[l] = (char*)e + b * in_.m * in_.n * size;
  }
  g.e_row = in_.n * size;
  g.e_col = size;
  const int blocks = strips.count();
  Progress done(blocks);
  const auto sweep = [&](ThreadScratch<T>& scratch, int b) {
    const int count = strips.segments(b);
    for (int q = count - 1; q >= 0; --q) {
      watch_.check();
      if (b + 1 < blocks && nthreads > 1)
        done.wait(watch_, b + 1, strips.segments_below(b, q));
      plan_.sweeps.adjoint(g, scratch.pointers, b, q, edge_above(group, b),
                           q ? group.tape.state(b, q) : nullptr,
                           scratch.mass.data());
      done.set(b, count - q);
    }
  };
  in_order(group, nthreads, blocks, true, sweep);
  unpack(in_, group, gx, gy);
}

// Pack a group and make the edge above its first strip.
template <class T>
void Sweeper<T>::begin(PlannedGroup<T>& group, bool want_gx, bool want_gy) {
  pack(in_, group, buffers_, want_gx, want_gy);
  group.g.top = edge_in(buffers_.top, group);
  plan_.sweeps.begin(group.g, group.g.top);
}

template <class T>
void Sweeper<T>::prepare(const PlannedGroup<T>& group, bool back,
                         ThreadScratch<T>& scratch) const {
  const Group<T>& g = group.g;
  const size_t tile = group.strips.tile();
  const size_t segment = g.width * tile;
  Scratch<T>& s = scratch.pointers;
  s.fraction = scratch.fraction.get(segment);
  s.exponent = scratch.exponent.get(segment);
  s.edge = edge_in(scratch.edge, group);
  if (in_.tangent()) s.direction = scratch.direction.get(segment);
  const size_t kept = (size_t)g.block * kKept * segment;
  if (back || in_.tangent()) s.kept = scratch.kept.get(kept);
  const size_t planes = in_.tangent() ? 3 : 2;
  if (!back) scratch.state.get(planes * g.state);
  if (!back) return;
  s.shared = scratch.shared.get((size_t)g.block * g.width);
  if (is_root(g.cost)) s.factor = scratch.factor.get(segment);
  if (in_.tangent()) s.share_tangents = scratch.share_tangents.get(kept);
  scratch.mass.get((in_.tangent() ? 2 : 1) * group.strips.mass());
}

// The edge that a block reads. Without a tape one edge serves all of them,
// each overwriting what it has read.
template <class T>
Edge<T> Sweeper<T>::edge_above(const PlannedGroup<T>& group, int block) const {
  if (!plan_.keep_tape || block == 0) return group.g.top;
  return group.tape.slot(block - 1);
}

// The edge that a block writes; nothing reads that of the last one.
template <class T>
Edge<T> Sweeper<T>::edge_below(const PlannedGroup<T>& group, Edge<T> unread,
                               int block) const {
  if (!plan_.keep_tape) return group.g.top;
  return block < group.tape.slots() ? group.tape.slot(block) : unread;
}

// fn(scratch, i) for all blocks, from the first to the last or back: each goes
// to the next thread that is free.
template <class T>
template <class Fn>
void Sweeper<T>::in_order(const PlannedGroup<T>& group, int nthreads,
                          int count, bool back, Fn fn) {
  std::atomic<int> next{0};
  run_threads(watch_, nthreads, [&](int w) {
    prepare(group, back, scratch_[w]);
    plan_.sweeps.begin(group.g, scratch_[w].pointers.edge);
    for (int i; (i = next++) < count;)
      fn(scratch_[w], back ? count - 1 - i : i);
  });
}

template class Sweeper<float>;
template class Sweeper<double>;

}  // namespace sdtw
