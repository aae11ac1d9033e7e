// Each pair gets the format that holds it. The formats are swept one after the
// other, and in the end pairs whose values are out of range in log space.
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
#include "plan.hpp"
#include "run.hpp"
#include "threads.hpp"

namespace sdtw {

struct Batch::Impl {
  Input in;
  std::vector<int64_t> nans, blocked;
  std::vector<Pair> capped, out_of_range;
  std::mutex busy;  // groups hold what a sweep is working on
  const Level& level = active();
  const bool keep_tape;
  std::atomic<int64_t> swept_back{0};
  std::vector<std::unique_ptr<FormatPlan<float>>> f32;
  std::vector<std::unique_ptr<FormatPlan<double>>> f64;
  // Pairs out of range; comes last, as it replaces results of the others.
  std::unique_ptr<FormatPlan<double>> log_space;

  Impl(const Input& input, bool tape) : in(input), keep_tape(tape) {
    std::vector<Pair> pairs(in.batch);
    const double cells = (double)in.batch *
                         (in.of_series() ? (in.m + in.n) * in.d : in.m * in.n);
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
               !underflows<float>(in, p))
        narrow.push_back(p);
      else if (in.gamma == 0 || fits<double>(p, in.gamma))
        wide.push_back(p);
      else if (may_cap(p, in.gamma))
        capped.push_back(p);
      else
        out_of_range.push_back(p);
    }
    const Semiring semiring =
        in.gamma == 0 ? Semiring::kHard : Semiring::kSoft;
    add(f32, narrow, level.f32, semiring, false);
    add(f64, wide, level.f64, semiring, false);
    add(f64, capped, level.f64, semiring, true);
  }

  template <class T>
  void add(std::vector<std::unique_ptr<FormatPlan<T>>>& to,
           const std::vector<Pair>& pairs, const Sweeps<T>& sweeps,
           Semiring semiring, bool cap) {
    if (pairs.empty()) return;
    to.push_back(std::make_unique<FormatPlan<T>>(in, sweeps, semiring, cap,
                                                 keep_tape, pairs));
  }

  // Sweep again what is out of range, by its values, and replace its results.
  void sweep_in_log_space(const SweepArrays& arrays) {
    std::vector<Pair> pairs = out_of_range;
    for (const Pair& p : capped)
      if (!in_range(arrays.value[p.index], in.gamma)) pairs.push_back(p);
    log_space.reset();
    if (pairs.empty()) return;
    log_space.reset(new FormatPlan<double>(
        in, baseline().f64, Semiring::kLogSpace, true, keep_tape, pairs));
    sweep(*log_space, false, arrays);
  }

  // As many threads as there is work for: starting one costs as much as
  // sweeping a hundred thousand cells, and on the way back many are skipped.
  static int threads_for(double cells) {
    return (int)std::max(1.0, std::min<double>(num_threads(), cells / 1e5));
  }

  template <class Fn>
  static void parallel(int64_t count, double cells, Fn fn) {
    const int n = (int)std::min<int64_t>(threads_for(cells), count);
    const auto watch = std::make_shared<Watch>();
    std::atomic<int64_t> next{0};
    run_threads(watch, n, [&](int) {
      for (int64_t i; (i = next++) < count;) {
        watch->check();
        fn(*watch, i);
      }
    });
  }

  template <class T>
  static void sweep(FormatPlan<T>& plan, bool back,
                    const SweepArrays& arrays) {
    Run<T>(plan, back, arrays)
        .sweep(threads_for(back ? plan.work() / 2 : plan.work()));
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
  SweepArrays arrays = {};
  arrays.value = out;
  arrays.tangent = tangent;
  for (auto& f : impl_->f32) Impl::sweep(*f, false, arrays);
  for (auto& f : impl_->f64) Impl::sweep(*f, false, arrays);
  impl_->sweep_in_log_space(arrays);
}

void Batch::adjoint(const double* grad_value, const double* grad_tangent,
                    void* gx, void* gy, void* e) {
  std::lock_guard<std::mutex> hold(impl_->busy);
  impl_->in.is_double ? impl_->nan_gradients<double>(gx, gy, e)
                      : impl_->nan_gradients<float>(gx, gy, e);
  impl_->swept_back = 0;
  const SweepArrays arrays = {
      nullptr, nullptr, grad_value, grad_tangent,
      gx,      gy,      e,          &impl_->swept_back};
  for (auto& f : impl_->f32) Impl::sweep(*f, true, arrays);
  for (auto& f : impl_->f64) Impl::sweep(*f, true, arrays);
  if (impl_->log_space) Impl::sweep(*impl_->log_space, true, arrays);
}

int64_t Batch::swept_back() const { return impl_->swept_back; }

size_t Batch::tape_bytes() const {
  size_t n = 0;
  for (auto& f : impl_->f32) n += f->tape_bytes();
  for (auto& f : impl_->f64) n += f->tape_bytes();
  if (impl_->log_space) n += impl_->log_space->tape_bytes();
  return n;
}

}  // namespace sdtw
