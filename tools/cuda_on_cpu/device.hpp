// Takes the place of device.cuh when the kernels are compiled for the CPU:
// the same names with the same meanings, and checks.
//
// Every thread of a kernel is a fiber; they take turns at barriers, shuffles
// and waits, in an order drawn from a seed. What counts as an error does not
// depend on that order:
//
// - An access outside its array, or misaligned. For Shared that is what was
//   taken with take(), for Global the argument of the launch.
// - A data race. Each word of four bytes knows when it was last written and
//   read, by whom. Time counts barriers: within a block, two accesses are in
//   order if a __syncthreads, or within a warp a __syncwarp of all its lanes,
//   came between; shuffles do not order memory. Between blocks, what publish()
//   covers is in order with what follows await() of that value or a lower
//   one: the publishing thread's accesses, and those of others before their
//   last barrier with it. This passes on from block to block. Elements of less
//   than four bytes share a word and are judged together. Of the blocks that
//   have read a word of global memory, the last two are remembered.
// - A read of shared memory that the block has not written, or a plain read
//   of global memory that another block of the launch has.
// - A barrier or shuffle that not all threads reach, and waiting forever.
#pragma once

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#define SDTW_DEVICE inline
#define SDTW_KERNEL static
#define SDTW_BOUNDS(...)
#define SDTW_UNROLL
#define SDTW_UNROLL_BY(n)

#define CUDA_ON_CPU_COLD __attribute__((cold))
#define CUDA_ON_CPU_LIKELY(x) __builtin_expect(!!(x), 1)
#define CUDA_ON_CPU_UNLIKELY(x) __builtin_expect(!!(x), 0)

// --- Vector types ---

struct alignas(8) int2 {
  int x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) longlong2 {
  long long x, y;
};

// --- Switching between stacks ---

extern "C" __attribute__((visibility("hidden"))) void cuda_on_cpu_switch(
    void** from, void* to);

#if defined(__x86_64__)
asm(R"(
.pushsection .text
.p2align 4
.hidden cuda_on_cpu_switch
.globl cuda_on_cpu_switch
.type cuda_on_cpu_switch, @function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
.popsection
)");
#elif defined(__aarch64__)
asm(R"(
.pushsection .text
.p2align 4
.hidden cuda_on_cpu_switch
.globl cuda_on_cpu_switch
.type cuda_on_cpu_switch, %function
cuda_on_cpu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  br x30
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
.popsection
)");
#else
#error "cuda_on_cpu knows x86-64 and aarch64 only"
#endif

namespace cuda_on_cpu {

enum Error {
  kOk,
  kLaunch,
  kRace,
  kOutOfBounds,
  kMisaligned,
  kDivergence,
  kDeadlock,
  kUninitialized,
};

constexpr unsigned kWarp = 32;
constexpr size_t kStack = 65536;
constexpr unsigned kResident = 8;

// --- What is known of memory ---

struct Stamp {
  uint32_t time = 0, thread = 0;
};

// `a` is the latest read, `b` the latest of another thread, `c` the latest of
// another warp: if none of them races with a write, no earlier one does.
struct Reads {
  Stamp a, b, c;

  void note(Stamp now) {
    if (a.thread == now.thread) {
      a.time = now.time;
      return;
    }
    if (a.thread / kWarp != now.thread / kWarp) c = a;
    b = a;
    a = now;
  }
};

struct SharedWord {
  Stamp write;
  Reads reads;
};

struct GlobalWord {
  Stamp write;
  uint32_t write_block = 0, read_block = 0;
  Reads reads;  // of read_block
  Stamp other;  // the latest read of another block
  uint32_t other_block = 0;
};

// An array given to the launch.
struct Buffer {
  uintptr_t low, high;
  GlobalWord* words;    // null if the launch cannot write it
  uintptr_t words_low;  // address of the first of them
  int argument;
};

// What a block makes known by publish().
struct Edge {
  uint32_t barrier = 0, warp_barrier = 0, time = 0, thread = 0;

  bool covers(Stamp s) const {
    return s.time < barrier ||
           (s.thread / kWarp == thread / kWarp && s.time < warp_barrier) ||
           (s.thread == thread && s.time <= time);
  }
};
// By block and publishing thread, in order.
using Clock = std::vector<std::pair<uint64_t, Edge>>;
using ClockPtr = std::shared_ptr<const Clock>;

inline uint64_t clock_key(uint32_t block, uint32_t thread) {
  return (uint64_t)block << 32 | thread;
}

inline bool covers(const ClockPtr& clock, uint32_t block, Stamp s) {
  if (!clock) return false;
  auto at = std::lower_bound(
      clock->begin(), clock->end(), clock_key(block, 0),
      [](const auto& entry, uint64_t key) { return entry.first < key; });
  for (; at != clock->end() && at->first >> 32 == block; ++at) {
    if (at->second.covers(s)) return true;
  }
  return false;
}

inline ClockPtr merged(const ClockPtr& a, const ClockPtr& b) {
  if (!a || !b || a == b) return a ? a : b;
  auto sum = std::make_shared<Clock>();
  sum->reserve(a->size() + b->size());
  auto i = a->begin(), j = b->begin();
  while (i != a->end() || j != b->end()) {
    if (j == b->end() || (i != a->end() && i->first < j->first)) {
      sum->push_back(*i++);
    } else if (i == a->end() || j->first < i->first) {
      sum->push_back(*j++);
    } else {
      sum->push_back(i->second.time > j->second.time ? *i : *j);
      ++i, ++j;
    }
  }
  return sum;
}

struct Published {
  int value;
  bool initial;  // by an earlier launch, or by the host
  uint32_t block;
  ClockPtr clock;
};

// --- Threads ---

struct Dim3 {
  unsigned x, y, z;
};

struct Warp;
struct Block;

struct Fiber {
  void* sp;
  Warp* warp;
  Dim3 thread;
};

// Something learnt by await(), not yet passed on by a barrier.
struct Learnt {
  uint32_t thread;
  ClockPtr clock;
};

enum Operation {
  kSyncWarp,
  kShuffle,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAny,
  kAll,
};

struct Warp {
  // Bit masks of lanes.
  uint32_t exists, runnable, arrived, at_barrier, done;
  uint32_t barrier;  // when its lanes last met
  size_t ready;      // where in the list of warps that can run
  Block* block;
  Fiber* lanes;
  uint32_t mask[kWarp], kind[kWarp], source[kWarp];
  uint64_t value[kWarp], result[kWarp];
  ClockPtr clock;
  std::vector<Learnt> learnt;
};

struct Block {
  unsigned slot;
  Dim3 id;
  uint32_t start, barrier;
  unsigned arrived, done;
  bool news;  // whether any warp has learnt something since the last barrier
  int static_bytes;
  size_t bytes;  // of shared memory
  char* shared = nullptr;
  SharedWord* words = nullptr;
  size_t capacity = 0;
  std::vector<Warp> warps;
  std::vector<Fiber> fibers;
};

struct Waiter {
  Fiber* fiber;
  const int* at;
  int value, argument;
  long long index;
};

struct State {
  // Of the thread that runs. `warp` and `block` go with `self`.
  Fiber* self;
  Warp* warp;
  Block* block;
  uint32_t now = 0, launch_start;
  uint64_t random;

  const char* kernel;
  void (*invoke)(void*);
  void* arguments;
  Dim3 grid, threads;
  size_t dynamic_bytes;

  std::vector<Warp*> ready;
  std::vector<Waiter> waiters;
  std::unordered_map<uintptr_t, std::vector<Published>> published;
  std::vector<Buffer> buffers;

  void* main;
  Block* ended;
  Error error;
  char message[1024];

  Block slots[kResident];
  std::vector<char*> stacks;
  GlobalWord* words = nullptr;
  size_t capacity = 0;
  uint64_t switches = 0;
};

inline State state;

inline uint32_t draw_random() {
  state.random = state.random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state.random >> 33);
}

// --- Errors ---

[[noreturn]] CUDA_ON_CPU_COLD inline void leave() {
  void* dead;
  cuda_on_cpu_switch(&dead, state.main);
  abort();
}

CUDA_ON_CPU_COLD inline void report(Error error, const char* format,
                                    va_list arguments) {
  State& s = state;
  s.error = error;
  int n = snprintf(s.message, sizeof s.message, "%s: ", s.kernel);
  if (s.self) {
    n += snprintf(s.message + n, sizeof s.message - n,
                  "block %u, thread %u: ", s.block->id.x, s.self->thread.x);
  }
  vsnprintf(s.message + n, sizeof s.message - (size_t)n, format, arguments);
}

// Of the thread that runs: does not return.
[[noreturn]] __attribute__((format(printf, 2, 3))) CUDA_ON_CPU_COLD inline void
fail(Error error, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(error, format, arguments);
  va_end(arguments);
  leave();
}

// Of the launch.
__attribute__((format(printf, 2, 3))) CUDA_ON_CPU_COLD inline void fail_all(
    Error error, const char* format, ...) {
  state.self = nullptr;
  va_list arguments;
  va_start(arguments, format);
  report(error, format, arguments);
  va_end(arguments);
}

// --- Turns ---

inline void set_ready(Warp* w) {
  w->ready = state.ready.size();
  state.ready.push_back(w);
}

inline void clear_ready(Warp* w) {
  Warp* last = state.ready.back();
  state.ready[w->ready] = last;
  last->ready = w->ready;
  state.ready.pop_back();
}

inline void make_runnable(Warp* w, uint32_t lanes) {
  if (!w->runnable) set_ready(w);
  w->runnable |= lanes;
}

inline void stop(Warp* w, uint32_t lane) {
  w->runnable &= ~lane;
  if (!w->runnable) clear_ready(w);
}

CUDA_ON_CPU_COLD inline void explain_standstill();

// Any thread that can run, mostly of the same warp.
inline Fiber* next() {
  State& s = state;
  const uint32_t r = draw_random();
  Warp* w = s.warp;
  if (CUDA_ON_CPU_UNLIKELY(!w || !w->runnable || !(r & 0x3e0))) {
    if (CUDA_ON_CPU_UNLIKELY(s.ready.empty())) {
      explain_standstill();
      leave();
    }
    w = s.ready[(r >> 10) % s.ready.size()];
  }
  const uint32_t m = w->runnable, by = r % kWarp;
  const uint32_t turned = m >> by | m << ((kWarp - by) % kWarp);
  return w->lanes + (__builtin_ctz(turned) + by) % kWarp;
}

inline void enter(Fiber* f) {
  state.self = f;
  state.warp = f->warp;
  state.block = f->warp->block;
}

inline void resume(Fiber* f) {
  Fiber* previous = state.self;
  if (f == previous) return;
  enter(f);
  state.switches++;
  cuda_on_cpu_switch(&previous->sp, f->sp);
}

// Another may go first.
inline void yield() { resume(next()); }

inline uint32_t own_lane() { return 1u << state.self->thread.x % kWarp; }

inline const char* operation_name(uint32_t kind) {
  static const char* const names[] = {
      "__syncwarp",      "__shfl_sync",   "__shfl_up_sync", "__shfl_down_sync",
      "__shfl_xor_sync", "__ballot_sync", "__any_sync",     "__all_sync"};
  return names[kind & 7];
}

CUDA_ON_CPU_COLD inline void explain_standstill() {
  State& s = state;
  for (Block& b : s.slots) {
    if (b.done == s.threads.x) continue;
    for (Warp& w : b.warps) {
      if (!w.arrived) continue;
      const uint32_t lane = __builtin_ctz(w.arrived);
      for (uint32_t other = 0; other < kWarp; ++other) {
        const uint32_t bit = 1u << other;
        if (!(w.mask[lane] & bit)) continue;
        const char* where =
            w.at_barrier & bit ? "__syncthreads"
            : (w.arrived & bit) && w.mask[other] != w.mask[lane]
                ? "an operation with another mask"
                : nullptr;
        if (where) {
          fail_all(
              kDivergence,
              "barrier divergence: in block %u, thread %u waits in %s for "
              "thread %u, which waits in %s",
              b.id.x, w.lanes[lane].thread.x, operation_name(w.kind[lane]),
              w.lanes[other].thread.x, where);
          return;
        }
      }
    }
  }
  if (!s.waiters.empty()) {
    const Waiter& w = s.waiters.front();
    fail_all(kDeadlock,
             "deadlock: block %u, thread %u awaits at least %d in argument %d "
             "[%lld], which is %d, and no thread can go on",
             w.fiber->warp->block->id.x, w.fiber->thread.x, w.value,
             w.argument, w.index, *w.at);
    return;
  }
  fail_all(kDivergence, "barrier divergence: no thread can go on");
}

// --- Barriers and shuffles ---

inline void learn(Warp& w) {
  for (const Learnt& l : w.learnt) w.clock = merged(w.clock, l.clock);
  w.learnt.clear();
}

inline void meet(Warp& w) {
  w.barrier = ++state.now;
  if (!w.learnt.empty()) learn(w);
  if (w.block->warps.size() == 1) w.block->barrier = w.barrier;
}

// The last lane of `mask` has arrived.
inline void complete(Warp& w, uint32_t mask, uint32_t kind) {
  uint32_t votes = 0;
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    const uint32_t i = __builtin_ctz(rest);
    if (CUDA_ON_CPU_UNLIKELY(w.mask[i] != mask || w.kind[i] != kind)) {
      fail(kDivergence,
           "divergence: it is in %s with mask 0x%x, thread %u is in %s with "
           "mask 0x%x",
           operation_name(kind), mask, w.lanes[i].thread.x,
           operation_name(w.kind[i]), w.mask[i]);
    }
    votes |= (uint32_t)(w.value[i] != 0) << i;
  }
  const uint32_t operation = kind & 7;
  if (operation == kSyncWarp) {
    if (mask == w.exists) meet(w);
  } else if (operation >= kBallot) {
    const uint64_t vote = operation == kBallot ? votes
                          : operation == kAny  ? votes != 0
                                               : votes == mask;
    for (uint64_t& r : w.result) r = vote;
  } else {
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
      const uint32_t i = __builtin_ctz(rest), from = w.source[i];
      if (CUDA_ON_CPU_UNLIKELY(!(mask >> from & 1))) {
        fail(kDivergence,
             "divergence: %s of lane %u reads lane %u, which is not in mask "
             "0x%x",
             operation_name(kind), i, from, mask);
      }
      w.result[i] = w.value[from];
    }
  }
  w.arrived &= ~mask;
  w.runnable |= mask;
}

inline uint64_t collect(uint32_t mask, uint32_t kind, uint64_t value,
                        uint32_t source) {
  Warp& w = *state.warp;
  const uint32_t lane = state.self->thread.x % kWarp, bit = 1u << lane;
  if (CUDA_ON_CPU_UNLIKELY(!(mask & bit))) {
    fail(kDivergence, "divergence: %s with mask 0x%x without the own lane",
         operation_name(kind), mask);
  }
  if (CUDA_ON_CPU_UNLIKELY(mask & (w.done | ~w.exists))) {
    fail(kDivergence,
         "divergence: %s with mask 0x%x, but lanes 0x%x have returned or do "
         "not exist",
         operation_name(kind), mask, mask & (w.done | ~w.exists));
  }
  w.mask[lane] = mask;
  w.kind[lane] = kind;
  w.value[lane] = value;
  w.source[lane] = source;
  w.arrived |= bit;
  if ((w.arrived & mask) == mask) {
    complete(w, mask, kind);
  } else {
    stop(&w, bit);
    yield();
  }
  return w.result[lane];
}

template <class T>
inline T shuffle(uint32_t mask, uint32_t operation, T value, uint32_t source,
                 int width) {
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = collect(mask,
                 operation | (uint32_t)width << 8 | (uint32_t)sizeof(T) << 16 |
                     (uint32_t)std::is_floating_point<T>::value << 24,
                 bits, source);
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t lane_up(unsigned delta, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t first = lane & ~(uint32_t)(width - 1);
  return lane < first + delta ? lane : lane - delta;
}

inline uint32_t lane_down(unsigned delta, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t last = lane | (uint32_t)(width - 1);
  return delta > last - lane ? lane : lane + delta;
}

inline uint32_t lane_at(int source, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t within = (uint32_t)(width - 1);
  return (lane & ~within) | ((uint32_t)source & within);
}

inline uint32_t lane_xor(int by, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t from = lane ^ (uint32_t)by;
  return from <= (lane | (uint32_t)(width - 1)) && from < kWarp ? from : lane;
}

inline void sync_threads() {
  State& s = state;
  Block& b = *s.block;
  Warp& own = *s.warp;
  if (CUDA_ON_CPU_UNLIKELY(b.done)) {
    fail(kDivergence,
         "barrier divergence: __syncthreads, but %u of the block's threads "
         "have returned",
         b.done);
  }
  if (++b.arrived < s.threads.x) {
    own.at_barrier |= own_lane();
    stop(&own, own_lane());
    yield();
    return;
  }
  b.arrived = 0;
  b.barrier = ++s.now;
  ClockPtr all;
  if (b.news) {
    for (Warp& w : b.warps) {
      learn(w);
      all = merged(all, w.clock);
    }
  }
  for (Warp& w : b.warps) {
    w.barrier = b.barrier;
    w.at_barrier = 0;
    if (b.news) w.clock = all;
    make_runnable(&w, w.exists);
  }
  b.news = false;
  if (draw_random() & 1) yield();
}

// --- Races ---

// From when on accesses of `thread` are not in order with this thread.
inline uint32_t unordered_since(uint32_t thread) {
  return thread / kWarp == state.self->thread.x / kWarp ? state.warp->barrier
                                                        : state.block->barrier;
}

inline bool races(Stamp s) {
  return s.thread != state.self->thread.x &&
         s.time >= unordered_since(s.thread);
}

CUDA_ON_CPU_COLD inline bool known(uint32_t block, Stamp s) {
  if (covers(state.warp->clock, block, s)) return true;
  for (const Learnt& l : state.warp->learnt) {
    if (l.thread == state.self->thread.x && covers(l.clock, block, s)) {
      return true;
    }
  }
  return false;
}

inline bool races(uint32_t block, Stamp s) {
  if (s.time < state.launch_start) return false;
  return block == state.block->id.x ? races(s) : !known(block, s);
}

// Where an access is, for messages.
struct Place {
  const char* memory;
  int argument;
  long long index, count;
  int size;

  void name(char* to, size_t n) const {
    if (argument >= 0) {
      snprintf(to, n, "argument %d [%lld]", argument, index);
    } else {
      snprintf(to, n, "shared memory [%lld] of %lld elements of %d bytes",
               index, count, size);
    }
  }
};

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_race(
    const Place& place, uint32_t offset, bool writes, uint32_t block,
    uint32_t thread, bool wrote) {
  char where[128];
  place.name(where, sizeof where);
  fail(kRace,
       "race: it %s %s (byte %u), which block %u, thread %u has %s without a "
       "%s in between",
       writes ? "writes" : "reads", where, offset, block, thread,
       wrote ? "written" : "read",
       block == state.block->id.x ? "barrier" : "publish and await");
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_bounds(const Place& place,
                                                      bool writes) {
  if (place.count < 0) {
    fail(kOutOfBounds, "%s [%lld] of a null pointer",
         writes ? "writes" : "reads", place.index);
  }
  char argument[32] = "";
  if (place.argument >= 0) {
    snprintf(argument, sizeof argument, ", argument %d", place.argument);
  }
  fail(kOutOfBounds,
       "out of bounds: %s [%lld] of an array of %lld elements of %d bytes in "
       "%s memory%s",
       writes ? "writes" : "reads", place.index, place.count, place.size,
       place.memory, argument);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_alignment(const Place& place,
                                                         size_t alignment) {
  char where[128];
  place.name(where, sizeof where);
  fail(kMisaligned, "misaligned: %s is not at a multiple of %zu bytes", where,
       alignment);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_uninitialized(
    const Place& place) {
  char where[128];
  place.name(where, sizeof where);
  fail(kUninitialized, "uninitialized: reads %s, which it never wrote", where);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_stale(const Place& place,
                                                     uint32_t block) {
  char where[128];
  place.name(where, sizeof where);
  fail(kRace,
       "stale read possible: reads %s, which block %u has written in this "
       "launch: use load_fresh",
       where, block);
}

// --- Pointers ---

template <class T>
using Value = std::remove_const_t<T>;

// What p[i] is: read as a value, or assigned to. It cannot be kept, as that
// would be a pointer here and a value there.
#define CUDA_ON_CPU_REF_ASSIGNMENTS(Ref)                       \
  Value<T> operator=(const Value<T>& v) && {                   \
    store(v);                                                  \
    return v;                                                  \
  }                                                            \
  Value<T> operator=(Ref&& other) && {                         \
    const Value<T> v = other.load();                           \
    store(v);                                                  \
    return v;                                                  \
  }                                                            \
  void operator+=(const Value<T>& v) && { store(load() + v); } \
  void operator-=(const Value<T>& v) && { store(load() - v); } \
  void operator*=(const Value<T>& v) && { store(load() * v); } \
  void operator/=(const Value<T>& v) && { store(load() / v); } \
  operator Value<T>() && { return load(); }                    \
  Ref(const Ref&) = delete;

struct Key {};

template <class T>
class GlobalRef {
 public:
  GlobalRef(Key, uintptr_t at, const Buffer* buffer)
      : at_(at), buffer_(buffer) {}
  CUDA_ON_CPU_REF_ASSIGNMENTS(GlobalRef)

  template <bool kFresh = false>
  Value<T> load() const {
    check(false);
    if (buffer_->words) {
      each_word([this](GlobalWord& w, uint32_t offset) {
        note_read(w, offset, kFresh);
      });
    }
    Value<T> v;
    memcpy(&v, (const void*)at_, sizeof v);
    return v;
  }

  void store(const Value<T>& v) const {
    static_assert(!std::is_const<T>::value, "written through Global<const>");
    check(true);
    each_word(
        [this](GlobalWord& w, uint32_t offset) { note_write(w, offset); });
    memcpy((void*)at_, &v, sizeof v);
  }

  // For atomic access.
  Value<T>* checked() const {
    check(true);
    return (Value<T>*)at_;
  }
  void mark_written() const {
    each_word([](GlobalWord& w, uint32_t) { mark(w); });
  }
  Place place() const {
    const long long size = sizeof(T);
    if (!buffer_) return {"global", -1, (long long)at_ / size, -1, (int)size};
    const long long offset = (long long)(at_ - buffer_->low);
    return {"global", buffer_->argument,
            offset >= 0 ? offset / size : -((-offset + size - 1) / size),
            (long long)(buffer_->high - buffer_->low) / size, (int)size};
  }

 private:
  void check(bool writes) const {
    if (CUDA_ON_CPU_UNLIKELY(!buffer_ || at_ < buffer_->low ||
                             at_ + sizeof(T) > buffer_->high)) {
      fail_bounds(place(), writes);
    }
    if (CUDA_ON_CPU_UNLIKELY(at_ % alignof(T))) {
      fail_alignment(place(), alignof(T));
    }
  }

  template <class F>
  void each_word(const F& f) const {
    GlobalWord* w = buffer_->words + (at_ - buffer_->words_low) / 4;
    const uint32_t offset = (uint32_t)(at_ - buffer_->low);
    for (uint32_t i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      f(w[i], offset + 4 * i);
    }
  }

  void note_read(GlobalWord& w, uint32_t offset, bool fresh) const {
    const State& s = state;
    const uint32_t own = s.block->id.x;
    if (w.write.time >= s.launch_start) {
      if (CUDA_ON_CPU_UNLIKELY(races(w.write_block, w.write))) {
        fail_race(place(), offset, false, w.write_block, w.write.thread, true);
      }
      if (CUDA_ON_CPU_UNLIKELY(w.write_block != own && !fresh)) {
        fail_stale(place(), w.write_block);
      }
    }
    const Stamp now = {s.now, s.self->thread.x};
    if (w.read_block == own && w.reads.a.time >= s.launch_start) {
      w.reads.note(now);
      return;
    }
    w.other = w.reads.a;
    w.other_block = w.read_block;
    w.read_block = own;
    w.reads = Reads();
    w.reads.a = now;
  }

  void note_write(GlobalWord& w, uint32_t offset) const {
    if (CUDA_ON_CPU_UNLIKELY(races(w.write_block, w.write))) {
      fail_race(place(), offset, true, w.write_block, w.write.thread, true);
    }
    for (const Stamp& r : {w.reads.a, w.reads.b, w.reads.c}) {
      if (CUDA_ON_CPU_UNLIKELY(races(w.read_block, r))) {
        fail_race(place(), offset, true, w.read_block, r.thread, false);
      }
    }
    if (CUDA_ON_CPU_UNLIKELY(races(w.other_block, w.other))) {
      fail_race(place(), offset, true, w.other_block, w.other.thread, false);
    }
    mark(w);
  }

  static void mark(GlobalWord& w) {
    w.write = {state.now, state.self->thread.x};
    w.write_block = state.block->id.x;
  }

  uintptr_t at_;
  const Buffer* buffer_;
};

template <class T>
class SharedRef {
 public:
  SharedRef(Key, long long at, int low, int high)
      : at_(at), low_(low), high_(high) {}
  CUDA_ON_CPU_REF_ASSIGNMENTS(SharedRef)

  Value<T> load() const {
    check(false, alignof(T));
    const State& s = state;
    const Stamp now = {s.now, s.self->thread.x};
    SharedWord* w = s.block->words + at_ / 4;
    for (unsigned i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      if (CUDA_ON_CPU_UNLIKELY(w[i].write.time < s.block->start)) {
        fail_uninitialized(place());
      }
      if (CUDA_ON_CPU_UNLIKELY(races(w[i].write))) {
        fail_race(place(), (uint32_t)at_ + 4 * i, false, s.block->id.x,
                  w[i].write.thread, true);
      }
      w[i].reads.note(now);
    }
    Value<T> v;
    memcpy(&v, s.block->shared + at_, sizeof v);
    return v;
  }

  void store(const Value<T>& v) const {
    static_assert(!std::is_const<T>::value, "written through Shared<const>");
    check(true, alignof(T));
    const State& s = state;
    SharedWord* w = s.block->words + at_ / 4;
    for (unsigned i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      if (CUDA_ON_CPU_UNLIKELY(races(w[i].write))) {
        fail_race(place(), (uint32_t)at_ + 4 * i, true, s.block->id.x,
                  w[i].write.thread, true);
      }
      for (const Stamp& r : {w[i].reads.a, w[i].reads.b, w[i].reads.c}) {
        if (CUDA_ON_CPU_UNLIKELY(races(r))) {
          fail_race(place(), (uint32_t)at_ + 4 * i, true, s.block->id.x,
                    r.thread, false);
        }
      }
      w[i].write = {s.now, s.self->thread.x};
    }
    memcpy(s.block->shared + at_, &v, sizeof v);
  }

  void check(bool writes, size_t alignment) const {
    if (CUDA_ON_CPU_UNLIKELY(at_ < low_ || at_ + (int)sizeof(T) > high_)) {
      fail_bounds(place(), writes);
    }
    if (CUDA_ON_CPU_UNLIKELY((size_t)at_ % alignment)) {
      fail_alignment(place(), alignment);
    }
  }
  Place place() const {
    const long long size = sizeof(T), offset = at_ - low_;
    return {"shared", -1,
            offset >= 0 ? offset / size : -((-offset + size - 1) / size),
            high_ < 0 ? -1 : (high_ - low_) / size, (int)size};
  }

 private:
  long long at_;
  int low_, high_;
};

// Global: an address and the argument that it comes from.
template <class T>
class GlobalPointer {
 public:
  GlobalPointer() : at_(0), buffer_(nullptr) {}
  GlobalPointer(std::nullptr_t) : GlobalPointer() {}
  GlobalPointer(Key, uintptr_t at, const Buffer* buffer)
      : at_(at), buffer_(buffer) {}
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
  GlobalPointer(const GlobalPointer<U>& p) : at_(p.at_), buffer_(p.buffer_) {}

  GlobalRef<T> operator[](long long i) const {
    return {Key(), at_ + (uintptr_t)(i * (long long)sizeof(T)), buffer_};
  }
  GlobalRef<T> operator*() const { return (*this)[0]; }
  GlobalPointer& operator+=(long long i) {
    at_ += (uintptr_t)(i * (long long)sizeof(T));
    return *this;
  }
  GlobalPointer& operator-=(long long i) { return *this += -i; }
  GlobalPointer& operator++() { return *this += 1; }
  GlobalPointer& operator--() { return *this += -1; }
  friend GlobalPointer operator+(GlobalPointer p, long long i) {
    return p += i;
  }
  friend GlobalPointer operator+(long long i, GlobalPointer p) {
    return p += i;
  }
  friend GlobalPointer operator-(GlobalPointer p, long long i) {
    return p += -i;
  }
  friend long long operator-(const GlobalPointer& a, const GlobalPointer& b) {
    return (long long)(a.at_ - b.at_) / (long long)sizeof(T);
  }
  friend bool operator==(const GlobalPointer& a, const GlobalPointer& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const GlobalPointer& a, const GlobalPointer& b) {
    return a.at_ != b.at_;
  }
  friend bool operator==(const GlobalPointer& a, std::nullptr_t) {
    return !a.at_;
  }
  friend bool operator!=(const GlobalPointer& a, std::nullptr_t) {
    return a.at_;
  }
  explicit operator bool() const { return at_; }

  template <class U>
  GlobalPointer<U> as() const {
    static_assert(std::is_const<U>::value || !std::is_const<T>::value,
                  "casts const away");
    return {Key(), at_, buffer_};
  }

 private:
  template <class U>
  friend class GlobalPointer;
  uintptr_t at_;
  const Buffer* buffer_;
};

// Shared: an offset and the range that it may take.
template <class T>
class SharedPointer {
 public:
  SharedPointer() : at_(0), low_(0), high_(-1) {}
  SharedPointer(std::nullptr_t) : SharedPointer() {}
  SharedPointer(Key, int at, int low, int high)
      : at_(at), low_(low), high_(high) {}
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
  SharedPointer(const SharedPointer<U>& p)
      : at_(p.at_), low_(p.low_), high_(p.high_) {}

  SharedRef<T> operator[](long long i) const {
    return {Key(), at_ + i * (long long)sizeof(T), low_, high_};
  }
  SharedRef<T> operator*() const { return (*this)[0]; }
  SharedPointer& operator+=(long long i) {
    at_ += (int)i * (int)sizeof(T);
    return *this;
  }
  SharedPointer& operator-=(long long i) { return *this += -i; }
  SharedPointer& operator++() { return *this += 1; }
  SharedPointer& operator--() { return *this += -1; }
  friend SharedPointer operator+(SharedPointer p, long long i) {
    return p += i;
  }
  friend SharedPointer operator+(long long i, SharedPointer p) {
    return p += i;
  }
  friend SharedPointer operator-(SharedPointer p, long long i) {
    return p += -i;
  }
  friend long long operator-(const SharedPointer& a, const SharedPointer& b) {
    return (a.at_ - b.at_) / (long long)sizeof(T);
  }
  friend bool operator==(const SharedPointer& a, const SharedPointer& b) {
    return a.at_ == b.at_ && (a.high_ < 0) == (b.high_ < 0);
  }
  friend bool operator!=(const SharedPointer& a, const SharedPointer& b) {
    return !(a == b);
  }
  friend bool operator==(const SharedPointer& a, std::nullptr_t) { return !a; }
  friend bool operator!=(const SharedPointer& a, std::nullptr_t) {
    return (bool)a;
  }
  explicit operator bool() const { return high_ >= 0; }

  int offset() const { return at_; }
  int low() const { return low_; }
  int high() const { return high_; }

 private:
  template <class U>
  friend class SharedPointer;
  int at_, low_, high_;
};

// --- Blocks ---

// Shared memory of at least `bytes`, and what is known of it.
inline void reserve_shared(Block& b, size_t bytes) {
  if (bytes <= b.capacity) return;
  free(b.shared);
  free(b.words);
  b.capacity = (std::max(bytes, (size_t)49152) + 63) / 64 * 64;
  b.shared = (char*)aligned_alloc(64, b.capacity);
  b.words = (SharedWord*)calloc(b.capacity / 4, sizeof(SharedWord));
  if (!b.shared || !b.words) abort();
}

// Starts with what would be NaN in any format.
inline void poison(Block& b, size_t bytes) {
  b.bytes = bytes;
  memset(b.shared, 0xff, bytes);
}

inline void run_thread() {
  State& s = state;
  s.invoke(s.arguments);
  Warp& w = *s.warp;
  Block& b = *s.block;
  const uint32_t bit = own_lane();
  if (b.arrived) {
    fail(kDivergence,
         "barrier divergence: returns while %u threads of the block are in "
         "__syncthreads",
         b.arrived);
  }
  for (uint32_t rest = w.arrived; rest; rest &= rest - 1) {
    const uint32_t lane = __builtin_ctz(rest);
    if (w.mask[lane] & bit) {
      fail(kDivergence, "divergence: returns while thread %u is in %s",
           w.lanes[lane].thread.x, operation_name(w.kind[lane]));
    }
  }
  stop(&w, bit);
  w.done |= bit;
  void* dead;
  if (++b.done == s.threads.x) {
    s.ended = &b;
    cuda_on_cpu_switch(&dead, s.main);
  } else {
    Fiber* f = next();
    enter(f);
    cuda_on_cpu_switch(&dead, f->sp);
  }
  abort();
}

// Stack pointer of a new fiber on the stack of that number.
inline void* fresh_stack(size_t number) {
  State& s = state;
  while (s.stacks.size() <= number) {
    const size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char* p = (char*)mmap(nullptr, kStack + guard, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE)) abort();
    s.stacks.push_back(p + guard);
  }
  // Not all at the same place in their page: they would share a cache line.
  char* top = s.stacks[number] + kStack - 64 - number * 576 % 4096 / 64 * 64;
#if defined(__x86_64__)
  void** sp = (void**)(top - 64);
  memset(sp, 0, 64);
  sp[6] = (void*)run_thread;  // and a return address of 0
#else
  void** sp = (void**)(top - 160);
  memset(sp, 0, 160);
  sp[11] = (void*)run_thread;
#endif
  return sp;
}

inline void start_block(Block& b, uint32_t id) {
  State& s = state;
  const unsigned threads = s.threads.x;
  b.id = {id, 0, 0};
  b.start = b.barrier = ++s.now;
  b.arrived = b.done = 0;
  b.news = false;
  b.static_bytes = -1;
  reserve_shared(b, s.dynamic_bytes);
  poison(b, s.dynamic_bytes);
  b.warps.resize((threads + kWarp - 1) / kWarp);
  b.fibers.resize(threads);
  for (unsigned i = 0; i < b.warps.size(); ++i) {
    Warp& w = b.warps[i];
    const unsigned lanes = std::min(kWarp, threads - i * kWarp);
    w.exists = 0xffffffffu >> (kWarp - lanes);
    w.arrived = w.at_barrier = w.done = 0;
    w.barrier = b.start;
    w.block = &b;
    w.lanes = b.fibers.data() + (size_t)i * kWarp;
    w.clock = nullptr;
    w.learnt.clear();
    w.runnable = 0;
    make_runnable(&w, w.exists);
  }
  for (unsigned t = 0; t < threads; ++t) {
    b.fibers[t] = {fresh_stack((size_t)b.slot * threads + t),
                   &b.warps[t / kWarp],
                   {t, 0, 0}};
  }
}

inline void run_grid() {
  State& s = state;
  std::vector<uint32_t> order(s.grid.x);
  for (uint32_t i = 0; i < s.grid.x; ++i) order[i] = i;
  for (uint32_t i = s.grid.x; i > 1; --i) {
    std::swap(order[i - 1], order[draw_random() % i]);
  }
  s.ready.clear();
  s.waiters.clear();
  s.published.clear();
  s.self = nullptr;
  s.warp = nullptr;
  size_t started = 0, live = 0;
  const size_t resident = 1 + draw_random() % kResident;
  for (Block& b : s.slots) {
    b.slot = (unsigned)(&b - s.slots);
    b.done = s.threads.x;
    b.warps.clear();
  }
  while (live < resident && started < order.size()) {
    start_block(s.slots[live++], order[started++]);
  }
  while (live) {
    s.ended = nullptr;
    if (s.ready.empty()) {
      explain_standstill();
      return;
    }
    Fiber* f = next();
    enter(f);
    cuda_on_cpu_switch(&s.main, f->sp);
    if (s.error) return;
    s.warp = nullptr;
    if (started < order.size()) {
      start_block(*s.ended, order[started++]);
    } else {
      live--;
    }
  }
}

// --- Kernels ---

struct Argument {
  uintptr_t data;
  long long size;  // bytes; of an array if `pointer`
  int pointer;
};

template <class A>
struct Parameter {
  static_assert(std::is_trivially_copyable<A>::value, "not for kernels");
  static constexpr bool kPointer = false, kConst = true;
  static void describe(char* to, size_t n) {
    snprintf(to, n, "%c%zu",
             std::is_floating_point<A>::value ? 'f'
             : std::is_integral<A>::value     ? 'i'
                                              : 'x',
             sizeof(A));
  }
  static A get(const Argument& a, int) {
    A v;
    memcpy(&v, (const void*)a.data, sizeof v);
    return v;
  }
};

template <class T>
struct Parameter<GlobalPointer<T>> {
  static constexpr bool kPointer = true, kConst = std::is_const<T>::value;
  static void describe(char* to, size_t n) {
    snprintf(to, n, kConst ? "c" : "g");
  }
  static GlobalPointer<T> get(const Argument& a, int i) {
    if (!a.data) return {};
    return {Key(), a.data, &state.buffers[(size_t)i]};
  }
};

// Finds which arrays overlap, and room for what is known of each word.
inline void lay_out(const Argument* arguments, const bool* constant,
                    size_t count) {
  State& s = state;
  s.buffers.assign(count, Buffer{0, 0, nullptr, 0, 0});
  std::vector<size_t> order;
  for (size_t i = 0; i < count; ++i) {
    const Argument& a = arguments[i];
    s.buffers[i] = {a.data, a.data, nullptr, a.data, (int)i};
    if (!a.pointer || !a.data) continue;
    s.buffers[i].high += (uintptr_t)a.size;
    if (a.size) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return s.buffers[a].low < s.buffers[b].low;
  });
  size_t words = 0;
  std::vector<size_t> firsts(count, SIZE_MAX);
  for (size_t i = 0; i < order.size();) {
    const uintptr_t low = s.buffers[order[i]].low / 4 * 4;
    uintptr_t high = low;
    bool written = false;
    size_t j = i;
    for (; j < order.size(); ++j) {
      const Buffer& b = s.buffers[order[j]];
      if (j > i && b.low / 4 * 4 >= high) break;
      high = std::max(high, (b.high + 3) / 4 * 4);
      written |= !constant[order[j]];
    }
    for (; i < j; ++i) {
      s.buffers[order[i]].words_low = low;
      if (written) firsts[order[i]] = words;
    }
    if (written) words += (high - low) / 4;
  }
  if (words > s.capacity) {
    free(s.words);
    s.capacity = words * 2;
    s.words = (GlobalWord*)calloc(s.capacity, sizeof(GlobalWord));
    if (!s.words) abort();
  }
  for (size_t i = 0; i < count; ++i) {
    if (firsts[i] != SIZE_MAX) s.buffers[i].words = s.words + firsts[i];
  }
}

struct Options {
  unsigned grid, threads;
  long long shared;
  unsigned long long seed;
};

template <auto kFunction>
struct Launch;

template <class... A, void (*kFunction)(A...)>
struct Launch<kFunction> {
  using Arguments = std::tuple<A...>;

  static void describe(char* to, size_t n) {
    [[maybe_unused]] char one[16];
    to[0] = 0;
    ((Parameter<A>::describe(one, sizeof one),
      strncat(to, one, n - strlen(to) - 1),
      strncat(to, ",", n - strlen(to) - 1)),
     ...);
  }

  static void invoke(void* arguments) {
    std::apply(kFunction, *(const Arguments*)arguments);
  }

  template <size_t... I>
  static Arguments unpack([[maybe_unused]] const Argument* a,
                          std::index_sequence<I...>) {
    return Arguments{Parameter<A>::get(a[I], (int)I)...};
  }

  static void run(const char* name, const Argument* arguments,
                  const Options& options) {
    State& s = state;
    constexpr bool constant[] = {Parameter<A>::kConst..., true};
    s.kernel = name;
    s.grid = {options.grid, 1, 1};
    s.threads = {options.threads, 1, 1};
    s.dynamic_bytes = (size_t)options.shared;
    s.random = options.seed;
    s.error = kOk;
    s.message[0] = 0;
    if (s.now > 1u << 31) {
      s.now = 0;
      memset((void*)s.words, 0, s.capacity * sizeof(GlobalWord));
      for (Block& b : s.slots) {
        memset((void*)b.words, 0, b.capacity / 4 * sizeof(SharedWord));
      }
    }
    s.launch_start = ++s.now;
    lay_out(arguments, constant, sizeof...(A));
    Arguments values = unpack(arguments, std::index_sequence_for<A...>());
    s.invoke = invoke;
    s.arguments = &values;
    run_grid();
  }
};

struct Kernel {
  const char* name;
  int bounds;  // threads of a block at most, or 0
  void (*describe)(char*, size_t);
  void (*run)(const char*, const Argument*, const Options&);
};

template <auto kFunction>
constexpr Kernel kernel(const char* name, int bounds = 0) {
  return {name, bounds, Launch<kFunction>::describe, Launch<kFunction>::run};
}

// Defined where the kernels are.
extern const Kernel kernels[];
extern const int kernel_count;

}  // namespace cuda_on_cpu

// --- What Python calls ---

#define CUDA_ON_CPU_EXPORT extern "C" __attribute__((visibility("default")))

CUDA_ON_CPU_EXPORT const char* cuda_on_cpu_name(int i) {
  using namespace cuda_on_cpu;
  return i < kernel_count ? kernels[i].name : nullptr;
}

CUDA_ON_CPU_EXPORT int cuda_on_cpu_bounds(int i) {
  return cuda_on_cpu::kernels[i].bounds;
}

CUDA_ON_CPU_EXPORT void cuda_on_cpu_describe(int i, char* to, size_t n) {
  cuda_on_cpu::kernels[i].describe(to, n);
}

CUDA_ON_CPU_EXPORT int cuda_on_cpu_launch(
    int i, const cuda_on_cpu::Argument* arguments,
    const cuda_on_cpu::Options* options) {
  const cuda_on_cpu::Kernel& k = cuda_on_cpu::kernels[i];
  k.run(k.name, arguments, *options);
  return cuda_on_cpu::state.error;
}

CUDA_ON_CPU_EXPORT const char* cuda_on_cpu_message() {
  return cuda_on_cpu::state.message;
}

CUDA_ON_CPU_EXPORT unsigned long long cuda_on_cpu_switches() {
  return cuda_on_cpu::state.switches;
}

// --- What the kernels see ---

#define threadIdx (cuda_on_cpu::state.self->thread)
#define blockIdx (cuda_on_cpu::state.block->id)
#define blockDim (cuda_on_cpu::state.threads)
#define gridDim (cuda_on_cpu::state.grid)

template <class T>
using Global = cuda_on_cpu::GlobalPointer<T>;
template <class T>
using Shared = cuda_on_cpu::SharedPointer<T>;

template <class U, class T>
inline Global<U> cast(Global<T> p) {
  return p.template as<U>();
}

// Without a size, what the launch asks for.
template <int kBytes = -1>
inline Shared<char> shared_memory() {
  static_assert(kBytes <= 49152, "more than the 48 KB of a block");
  cuda_on_cpu::Block& b = *cuda_on_cpu::state.block;
  if (kBytes >= 0 && b.static_bytes != kBytes) {
    if (b.static_bytes >= 0) {
      cuda_on_cpu::fail(cuda_on_cpu::kLaunch,
                        "shared_memory() of %d and of %d bytes in one kernel",
                        b.static_bytes, kBytes);
    }
    cuda_on_cpu::reserve_shared(b, (size_t)kBytes);
    cuda_on_cpu::poison(b, (size_t)kBytes);
    b.static_bytes = kBytes;
  }
  return {cuda_on_cpu::Key(), 0, 0, (int)b.bytes};
}

template <class T>
inline Shared<T> take(Shared<char>& at, int count) {
  const int low = at.offset(), bytes = count * (int)sizeof(T);
  if (count < 0 || low < at.low() || low + bytes > at.high()) {
    cuda_on_cpu::fail(cuda_on_cpu::kOutOfBounds,
                      "out of bounds: takes %d elements of %d bytes at byte "
                      "%d of %d of shared memory",
                      count, (int)sizeof(T), low, at.high());
  }
  if (count && low % alignof(T)) {
    cuda_on_cpu::fail(
        cuda_on_cpu::kMisaligned,
        "misaligned: takes elements at byte %d of shared memory, "
        "no multiple of %d",
        low, (int)alignof(T));
  }
  at += bytes;
  return {cuda_on_cpu::Key(), low, low, low + bytes};
}

inline void load4(Shared<const float> p, float* to) {
  p[0].check(false, 16);
  for (int i = 0; i < 4; ++i) to[i] = p[i];
}
inline void load4(Shared<const double> p, double* to) {
  p[0].check(false, 16);
  for (int i = 0; i < 4; ++i) to[i] = p[i];
}

inline void __syncthreads() { cuda_on_cpu::sync_threads(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  cuda_on_cpu::collect(mask, cuda_on_cpu::kSyncWarp, 0, 0);
}

#define CUDA_ON_CPU_SHUFFLES(T)                                              \
  inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {   \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffle, value, lane_at(lane, width), width);      \
  }                                                                          \
  inline T __shfl_up_sync(unsigned mask, T value, unsigned delta,            \
                          int width = 32) {                                  \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleUp, value, lane_up(delta, width), width);   \
  }                                                                          \
  inline T __shfl_down_sync(unsigned mask, T value, unsigned delta,          \
                            int width = 32) {                                \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleDown, value, lane_down(delta, width),       \
                   width);                                                   \
  }                                                                          \
  inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32) { \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleXor, value, lane_xor(by, width), width);    \
  }
CUDA_ON_CPU_SHUFFLES(int)
CUDA_ON_CPU_SHUFFLES(unsigned)
CUDA_ON_CPU_SHUFFLES(long long)
CUDA_ON_CPU_SHUFFLES(unsigned long long)
CUDA_ON_CPU_SHUFFLES(float)
CUDA_ON_CPU_SHUFFLES(double)

inline unsigned __ballot_sync(unsigned mask, int vote) {
  return (unsigned)cuda_on_cpu::collect(mask, cuda_on_cpu::kBallot, vote != 0,
                                        0);
}
inline int __any_sync(unsigned mask, int vote) {
  return (int)cuda_on_cpu::collect(mask, cuda_on_cpu::kAny, vote != 0, 0);
}
inline int __all_sync(unsigned mask, int vote) {
  return (int)cuda_on_cpu::collect(mask, cuda_on_cpu::kAll, vote != 0, 0);
}

#define CUDA_ON_CPU_MIN_MAX(A, B, T)                           \
  inline T min(A a, B b) { return (T)a < (T)b ? (T)a : (T)b; } \
  inline T max(A a, B b) { return (T)a > (T)b ? (T)a : (T)b; }
CUDA_ON_CPU_MIN_MAX(int, int, int)
CUDA_ON_CPU_MIN_MAX(unsigned, unsigned, unsigned)
CUDA_ON_CPU_MIN_MAX(int, unsigned, unsigned)
CUDA_ON_CPU_MIN_MAX(unsigned, int, unsigned)
CUDA_ON_CPU_MIN_MAX(long, long, long)
CUDA_ON_CPU_MIN_MAX(unsigned long, unsigned long, unsigned long)
CUDA_ON_CPU_MIN_MAX(long long, long long, long long)
CUDA_ON_CPU_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

inline int to_bits(float a) {
  int b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline float from_bits(int a) {
  float b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline long long to_bits(double a) {
  long long b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline double from_bits(long long a) {
  double b;
  memcpy(&b, &a, sizeof b);
  return b;
}

inline int round_to_int(float a) {
  if (a != a) return 0;
  if (a >= 2147483648.0f) return 2147483647;
  if (a <= -2147483648.0f) return -2147483647 - 1;
  return (int)rintf(a);
}

inline float fused(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double fused(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline float product(float a, float b) { return a * b; }
inline double product(double a, double b) { return a * b; }
inline float sum(float a, float b) { return a + b; }
inline double sum(double a, double b) { return a + b; }
inline float reciprocal(float a) { return 1 / a; }
inline double reciprocal(double a) { return 1 / a; }
inline float inverse_root(float a) { return 1 / sqrtf(a); }

inline int draw(Global<int> counter) {
  int* p = counter[0].checked();
  cuda_on_cpu::yield();
  return (*p)++;
}

template <class T>
inline T load_fresh(Global<T> p, long long i) {
  return p[i].template load<true>();
}

inline void raise(Global<double> p, double value) {
  double* at = p[0].checked();
  if ((unsigned long long)to_bits(value) > (unsigned long long)to_bits(*at)) {
    *at = value;
  }
}

inline void publish(Global<int> progress, int value) {
  using namespace cuda_on_cpu;
  State& s = state;
  int* at = progress[0].checked();
  const uint32_t thread = s.self->thread.x, own = s.block->id.x;
  auto edge = std::make_shared<Clock>();
  edge->push_back({clock_key(own, thread),
                   Edge{s.block->barrier, s.warp->barrier, s.now, thread}});
  ClockPtr clock = merged(s.warp->clock, edge);
  for (const Learnt& l : s.warp->learnt) {
    if (l.thread == thread) clock = merged(clock, l.clock);
  }
  auto& history = s.published[(uintptr_t)at];
  if (history.empty()) history.push_back({*at, true, 0, nullptr});
  history.push_back({value, false, own, clock});
  progress[0].mark_written();
  ++s.now;
  *at = value;
  for (size_t i = 0; i < s.waiters.size();) {
    const Waiter w = s.waiters[i];
    if (w.at != at || value < w.value) {
      ++i;
      continue;
    }
    make_runnable(w.fiber->warp, 1u << w.fiber->thread.x % kWarp);
    s.waiters[i] = s.waiters.back();
    s.waiters.pop_back();
  }
  yield();
}

inline void await(Global<int> progress, int value) {
  using namespace cuda_on_cpu;
  State& s = state;
  const auto ref = progress[0];
  const int* at = ref.checked();
  yield();
  while (*(const volatile int*)at < value) {
    const Place place = ref.place();
    s.waiters.push_back({s.self, at, value, place.argument, place.index});
    stop(s.warp, own_lane());
    yield();
  }
  // The least that may have been seen.
  const auto found = s.published.find((uintptr_t)at);
  if (found == s.published.end()) return;
  const std::vector<Published>& history = found->second;
  size_t i = history.size();
  while (i > 0 && history[i - 1].value >= value) --i;
  if (i == history.size() || history[i].initial) return;
  s.warp->learnt.push_back({s.self->thread.x, history[i].clock});
  s.block->news = true;
}
