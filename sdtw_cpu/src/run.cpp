// The order of blocks and segments, and what each reads and writes.
#include "run.hpp"

#include <algorithm>
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

// So many blocks of a group may be begun before the first of them is done.
constexpr int kAhead = 64;

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
void Run<T>::sweep(int max_threads) {
  left_ = plan_.groups.size();
  size_t segments = 0;  // that can be swept at a time
  for (auto& group : plan_.groups) segments += group->strips.at_a_time();
  const int n = (int)std::min<size_t>(max_threads, segments);
  active_ = std::vector<ActiveGroup<T>>(n);
  scratch_ = std::vector<ThreadScratch<T>>(n);
  run_threads(watch_, n, [&](int thread) { work(thread); });
}

template <class T>
void Run<T>::work(int thread) {
  ActiveGroup<T>& own = active_[thread];
  ThreadScratch<T>& scratch = scratch_[thread];
  for (size_t k; (k = next_++) < plan_.groups.size();) {
    begin(own, *plan_.groups[k]);
    for (int i; (i = own.progress.take()) >= 0;) sweep_block(own, i, scratch);
  }
  for (;;) {
    ActiveGroup<T>* active = nullptr;
    int i = 0;
    watch_->wait([&] {
      return left_ == 0 || watch_->stopped() || find(thread, active, i);
    });
    watch_->check();
    if (!active) return;
    sweep_block(*active, i, scratch);
  }
}

// Take a block that can go on, of a thread's own group if there is one.
template <class T>
bool Run<T>::find(int thread, ActiveGroup<T>*& active, int& i) {
  for (size_t k = 0; k < active_.size(); ++k) {
    ActiveGroup<T>& at = active_[(thread + k) % active_.size()];
    if ((i = at.progress.take()) < 0) continue;
    active = &at;
    return true;
  }
  return false;
}

// Sweep a block that was taken as far as it can go.
template <class T>
void Run<T>::sweep_block(ActiveGroup<T>& active, int i,
                         ThreadScratch<T>& scratch) {
  PlannedGroup<T>& group = *active.group;
  Progress& progress = active.progress;
  const int b = progress.block(i);
  T* carried = active.carried.data() + i % active.ahead * active.carried_size;
  prepare(group, scratch);
  do {
    watch_->check(Watch::kTile * std::max(1, group.g.d));
    const int q = progress.segment(i);
    if (back_)
      *arrays_.swept += plan_.sweeps.adjoint(
          group.g, scratch.pointers, b, q, edge_above(group, b),
          q ? group.tape.state(b, q) : nullptr, carried);
    else
      value(active, b, q, carried, scratch.pointers);
    progress.advance(i);
    if (watch_->waiting() && progress.open(i + 1)) watch_->wake_one();
  } while (progress.ready(i));
  if (progress.leave(i)) end(active);
}

template <class T>
void Run<T>::value(ActiveGroup<T>& active, int b, int q, T* carried,
                   const Scratch<T>& scratch) {
  PlannedGroup<T>& group = *active.group;
  const bool last = q + 1 == group.strips.segments(b);
  plan_.sweeps.value(
      group.g, scratch, b, q, edge_above(group, b),
      edge_below(group, scratch.edge, b),
      plan_.keep_tape && q ? group.tape.state(b, q) : carried,
      plan_.keep_tape && !last ? group.tape.state(b, q + 1) : carried);
}

// Pack a group, make the edge above its first strip, and let threads sweep it.
template <class T>
void Run<T>::begin(ActiveGroup<T>& active, PlannedGroup<T>& group) {
  const StripPlan& strips = group.strips;
  active.group = &group;
  pack(in_, group, active.buffers, arrays_.gx != nullptr,
       arrays_.gy != nullptr, *watch_);
  group.g.top = edge_in(active.buffers.top, group);
  plan_.sweeps.begin(group.g, group.g.top);
  if (back_)
    begin_adjoint(active);
  else if (plan_.keep_tape)
    group.tape.allocate();
  active.carried_size = back_ ? (in_.tangent() ? 2 : 1) * strips.mass()
                              : (in_.tangent() ? 3 : 2) * strips.state();
  active.ahead = active_.size() > 1 ? std::min(strips.count(), kAhead) : 1;
  active.carried.get(active.ahead * active.carried_size);
  active.progress.start(strips, back_, active.ahead);
}

template <class T>
void Run<T>::begin_adjoint(ActiveGroup<T>& active) {
  PlannedGroup<T>& group = *active.group;
  Group<T>& g = group.g;
  const Geometry& geo = group.strips.geometry;
  const size_t margin = (size_t)geo.rows * geo.entry;
  const size_t edge_size = (size_t)g.n * geo.entry + 2 * margin;
  g.mass_edge =
      active.buffers.mass.zeros((in_.tangent() ? 2 : 1) * edge_size) + margin;
  g.mass_edge_tangent = g.mass_edge + edge_size;
  for (T& mass : g.mass) mass = 1;
  const ptrdiff_t size = in_.is_double ? 8 : 4;
  for (int l = 0; l < g.pairs; ++l) {
    const int64_t b = group.index[l];
    g.grad[l] = std::isinf(g.value[l]) ? 0 : arrays_.grad_value[b];
    if (in_.tangent())
      set_masses(g, l, arrays_.grad_value[b], arrays_.grad_tangent[b]);
    g.e[l] = (char*)arrays_.e + b * in_.m * in_.n * size;
  }
  g.e_row = in_.n * size;
  g.e_col = size;
}

// Give back what was computed of a group.
template <class T>
void Run<T>::end(const ActiveGroup<T>& active) {
  const PlannedGroup<T>& group = *active.group;
  if (back_) unpack(in_, group, arrays_.gx, arrays_.gy, *watch_);
  for (int l = 0; !back_ && l < group.g.pairs; ++l) {
    const int64_t b = group.index[l];
    const double v = arrays_.value[b] = group.g.value[l];
    if (arrays_.tangent)
      arrays_.tangent[b] = std::isinf(v) ? 0 : group.g.tangent[l];
  }
  if (--left_ == 0) watch_->wake_all();
}

// Make scratch memory for the segments of a group.
template <class T>
void Run<T>::prepare(const PlannedGroup<T>& group,
                     ThreadScratch<T>& scratch) const {
  if (scratch.group == &group) return;
  scratch.group = &group;
  const Group<T>& g = group.g;
  const size_t segment = g.width * group.strips.tile();
  Scratch<T>& s = scratch.pointers;
  s.fraction = scratch.fraction.get(segment);
  s.exponent = scratch.exponent.get(segment);
  s.edge = edge_in(scratch.edge, group);
  plan_.sweeps.begin(g, s.edge);
  if (in_.tangent()) s.direction = scratch.direction.get(segment);
  const size_t kept = (size_t)g.block * kKept * segment;
  if (back_ || in_.tangent()) s.kept = scratch.kept.get(kept);
  if (!back_) return;
  s.shared = scratch.shared.get((size_t)g.block * g.width);
  if (is_root(g.cost)) s.factor = scratch.factor.get(segment);
  if (in_.tangent()) s.share_tangents = scratch.share_tangents.get(kept);
}

// The edge that a block reads. Without a tape one edge serves all of them,
// each overwriting what it has read.
template <class T>
Edge<T> Run<T>::edge_above(const PlannedGroup<T>& group, int block) const {
  if (!plan_.keep_tape || block == 0) return group.g.top;
  return group.tape.slot(block - 1);
}

// The edge that a block writes; nothing reads that of the last one.
template <class T>
Edge<T> Run<T>::edge_below(const PlannedGroup<T>& group, Edge<T> unread,
                           int block) const {
  if (!plan_.keep_tape) return group.g.top;
  return block < group.tape.slots() ? group.tape.slot(block) : unread;
}

template class Run<float>;
template class Run<double>;

}  // namespace sdtw
